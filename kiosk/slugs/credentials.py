"""What was presented besides the face, and why it is none."""

from kiosk.slugs.entry import AGAIN, OUT, WAIT, Entry

CREDENTIALS: dict[str, Entry] = {
    "credential_known": Entry("portal", ("Thank you", "谢谢"), ("it is a registered person's", "属于已登记人员")),
    "credential_unknown": Entry("portal", ("Not recognised", "未能识别"), ("no registered person's", "不属于任何已登记人员")),
    "credentials_too_fast": Entry("portal", WAIT, ("more credentials in a short time than can be looked at", "短时间内凭证过多")),
    "pin_wrong": Entry("portal", ("Wrong PIN", "密码错误"), ("not the PIN of the person awaited", "密码与等待验证的人员不符")),
    "pin_locked_out": Entry(
        "portal",
        ("Please wait before you try again", "请稍后再试"),
        ("after too many wrong PINs none is looked at", "密码错误次数过多"),
    ),
    "pin_unexpected": Entry(
        "portal",
        ("First look at the camera or show your card", "请先看摄像头或出示卡片"),
        ("a PIN while nobody was awaited; it names nobody by itself", "没有等待验证的人员，密码本身不能识别身份"),
    ),
    "code_invalid": Entry(
        "portal", ("Code not valid", "二维码无效"), ("no signed code, or not by our key", "签名无效或格式错误")
    ),
    "code_expired": Entry("portal", ("Code expired", "二维码已过期"), ("shown after its time", "二维码已过期")),
    "code_not_yet": Entry(
        "portal",
        ("Code not yet valid", "二维码尚未生效"),
        ("issued in the future: is a clock wrong?", "签发时间在未来，请检查时钟"),
    ),
    "code_lives_too_long": Entry(
        "portal", ("Code not valid", "二维码无效"), ("good for longer than credentials.code_lifetime", "有效期超过允许上限")
    ),
    "code_for_elsewhere": Entry(
        "portal",
        ("This code is for another door", "此二维码不适用于本门"),
        ("its audience is another site or portal", "受众不符"),
    ),
    "code_replayed": Entry(
        "portal", ("This code was used already", "此二维码已被使用"), ("a signed code was shown again", "签名二维码被重复使用")
    ),
    "code_clock_untrusted": Entry(
        "portal", OUT, ("a signed code while the clock is not known to be right", "时钟不可信，无法验证签名二维码")
    ),
    "code_key_missing": Entry(
        "portal", OUT, ("a signed code, but there is no credentials.code_key_file", "缺少验证签名二维码的公钥")
    ),
    "claim_expired": Entry("portal", AGAIN, ("the claim came after its expires_at", "身份声明已过期")),
    "claim_lives_too_long": Entry(
        "portal", AGAIN, ("good for longer than credentials.code_lifetime", "身份声明有效期超过允许上限")
    ),
    "claim_replayed": Entry("portal", AGAIN, ("a claim with a nonce that was used before", "身份声明的随机数被重复使用")),
    "claim_clock_untrusted": Entry(
        "portal", OUT, ("a claim while the clock is not known to be right", "时钟不可信，无法接受身份声明")
    ),
}
