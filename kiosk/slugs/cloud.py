"""The cloud, and recognisers altogether."""

from kiosk.slugs.entry import AGAIN, NOBODY, OUT, WAIT, Entry

CLOUD: dict[str, Entry] = {
    "deadline_exceeded": Entry("cloud", AGAIN, ("no answer within the deadline", "超时无应答")),
    "cloud_unreachable": Entry("cloud", WAIT, ("no connection to the cloud", "无法连接云端")),
    "cloud_busy": Entry("cloud", WAIT, ("the cloud asks to slow down", "云端限流")),
    "cloud_error": Entry("cloud", WAIT, ("the cloud had an error of its own", "云端内部错误")),
    "clock_rejected": Entry("cloud", OUT, ("the cloud rejects our clock: check NTP", "时钟偏差过大，请检查 NTP")),
    "account_rejected": Entry("cloud", OUT, ("key, application or permission refused", "密钥、应用或权限被拒")),
    "account_in_arrears": Entry("cloud", OUT, ("the account is in arrears: top up", "账户欠费，请充值")),
    "service_inactive": Entry("cloud", OUT, ("the service is not activated for this account", "账号尚未开通此服务")),
    "quota_exceeded": Entry("cloud", OUT, ("a quota of the account or library is used up", "账号或人员库配额已用完")),
    "interface_retired": Entry("cloud", OUT, ("this interface goes offline: migrate to iai 2020-03-03", "接口即将下线，请迁移")),
    "group_unknown": Entry("cloud", OUT, ("a configured group does not exist", "配置的人员组不存在")),
    "request_refused": Entry("cloud", OUT, ("the cloud calls the request malformed", "云端拒绝请求")),
    "state_conflict": Entry("cloud", NOBODY, ("the library is not in the state the call expects", "人员库状态冲突")),
    "person_unknown": Entry(
        "cloud", ("Not enrolled here", "未在此登记"), ("the library does not know this person", "人员库中没有此人")
    ),
    "threshold_unknown": Entry(
        "cloud",
        OUT,
        ("no score is documented for this gallery: set a raw threshold", "该人员库没有对应的官方阈值，请直接设置阈值"),
    ),
    "outcome_unknown": Entry(
        "cloud", NOBODY, ("the answer was lost: the change may have been made, or not", "应答丢失，变更可能已生效，也可能没有")
    ),
    "answer_makes_no_sense": Entry(
        "cloud", WAIT, ("the answer breaks the contract: a portal or proxy in between?", "应答不符合协议")
    ),
    "answer_too_large": Entry("cloud", WAIT, ("the answer is larger than the cap", "应答过大")),
    "probe_too_large": Entry("cloud", AGAIN, ("the request exceeds the interface's limit", "请求超过接口上限")),
    "request_out_of_bounds": Entry("cloud", AGAIN, ("a value lies outside the interface's limits", "请求参数超出接口限制")),
    "face_not_found": Entry(
        "cloud", ("Look at the camera", "请看摄像头"), ("the cloud finds no face in the probe", "云端未检测到人脸")
    ),
    "quality_rejected": Entry(
        "cloud",
        ("Look straight, hold still, uncover your face", "请正视镜头，保持不动，不要遮挡面部"),
        ("the cloud finds the picture not good enough", "云端认为图片质量不合格"),
    ),
    "liveness_rejected": Entry("cloud", AGAIN, ("the cloud doubts that the person is real", "云端怀疑不是真人")),
    "picture_rejected": Entry("cloud", AGAIN, ("the cloud rejects the picture", "云端拒绝图片")),
    "reference_missing": Entry(
        "cloud",
        ("Please see the staff", "请联系工作人员"),
        ("no reference to compare one to one with", "没有可用于一对一比对的参考照片"),
    ),
    "mask_not_comparable": Entry(
        "cloud",
        ("Please take off the mask", "请摘下口罩"),
        ("the older cloud host compares no masked faces", "旧版云服务无法比对戴口罩的人脸"),
    ),
    "face_not_matched": Entry(
        "cloud", AGAIN, ("the cloud's faces overlap with nobody's alone", "云端返回的人脸框无法与画面中的人对应")
    ),
}
