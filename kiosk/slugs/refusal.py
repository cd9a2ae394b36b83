"""What was decided about a person, and why not otherwise: values, not errors."""

from kiosk.slugs.entry import OUT, Entry

REFUSAL: dict[str, Entry] = {
    "granted": Entry("refusal", ("Welcome", "欢迎"), ("granted", "已放行")),
    "not_recognised": Entry("refusal", ("Not recognised", "未能识别"), ("best score under the threshold", "最高分低于阈值")),
    "ambiguous": Entry("refusal", ("Not recognised", "未能识别"), ("two people too close to tell apart", "前两名得分过于接近")),
    "nobody_enrolled": Entry("refusal", ("Not recognised", "未能识别"), ("the group has no candidates", "人员组中没有候选人")),
    "opinions_differ": Entry(
        "refusal",
        ("Not recognised", "未能识别"),
        ("the second recogniser names somebody else, or nobody", "两个识别引擎结论不一致"),
    ),
    "denied_by_rule": Entry("refusal", ("No entry", "禁止通行"), ("a deny rule matched", "命中拒绝规则")),
    "no_rule_matched": Entry("refusal", ("No entry", "禁止通行"), ("no rule grants this", "没有规则放行")),
    "rule_failed": Entry("refusal", OUT, ("a rule's condition could not be evaluated", "规则条件无法求值")),
    "time_untrusted": Entry(
        "refusal", OUT, ("a rule asks for the hour and the clock is not known to be right", "时钟不可信，按时间的规则拒绝")
    ),
    "consent_missing": Entry(
        "refusal",
        ("No entry by face here", "此处不支持刷脸"),
        ("this face may not leave the box, and no engine on it is configured", "未获上传同意，且未配置本机识别"),
    ),
    "not_confirmed": Entry(
        "refusal",
        ("Not recognised", "未能识别"),
        ("the face is not surely the person's who was claimed or found", "人脸与所称人员不符"),
    ),
    "credential_wanted": Entry(
        "refusal",
        ("Present your card or code", "请出示卡片或二维码"),
        ("nobody was claimed: no card, code or PIN", "未出示任何凭证"),
    ),
}
