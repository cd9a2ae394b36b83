"""One slug for each error and each reason of refusal, with what the person and the operator are told.

Log, metric, screen, journal and MQTT all use the slug; the sentences stand here and nowhere else.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["guidance", "prompt", "liveness", "refusal", "portal", "cloud", "photo", "gallery", "device", "setup"]
Language = Literal["en", "zh"]


class Entry(NamedTuple):
    """`kind` says where the slug comes from; `person` and `operator` are (English, Chinese)."""

    kind: Kind
    person: tuple[str, str]
    operator: tuple[str, str]


_WAIT = ("Please wait", "请稍候")
_AGAIN = ("Please try again", "请再试一次")
_OUT = ("Out of service", "暂停服务")
_NOBODY = ("", "")

TABLE: dict[str, Entry] = {
    # What the person can mend, most helpful first: this order is the order of advice.
    "several_faces": Entry("guidance", ("One person at a time", "请一个一个来"), ("several faces in view", "画面中有多张人脸")),
    "face_cut_off": Entry(
        "guidance", ("Step into the picture", "请站到画面中间"), ("face reaches over the picture's border", "人脸超出画面边缘")
    ),
    "too_near": Entry("guidance", ("Step back a little", "请后退一些"), ("face larger than max_head", "人脸过大")),
    "face_too_small": Entry("guidance", ("Come closer", "请靠近一些"), ("face shorter than min_face_side", "人脸小于最小边长")),
    "eyes_too_close": Entry(
        "guidance", ("Come closer", "请靠近一些"), ("eyes closer together than min_inter_eye", "双眼间距小于下限")
    ),
    "mask_on": Entry("guidance", ("Please take off the mask", "请摘下口罩"), ("a mask is worn where none may be", "佩戴了口罩")),
    "mask_off": Entry(
        "guidance", ("Please put on a mask", "请戴好口罩"), ("no mask is worn rightly where one must be", "未按要求佩戴口罩")
    ),
    "turned_away": Entry(
        "guidance", ("Look straight at the camera", "请正对摄像头"), ("head turned beyond max_yaw", "偏航角过大")
    ),
    "looking_up_or_down": Entry(
        "guidance", ("Look straight at the camera", "请正对摄像头"), ("head tilted beyond max_pitch", "俯仰角过大")
    ),
    "head_tilted": Entry("guidance", ("Hold your head upright", "请保持头部端正"), ("head rolled beyond max_roll", "翻滚角过大")),
    "too_dark": Entry("guidance", ("More light on your face", "请让脸部更亮"), ("face darker than min_brightness", "人脸过暗")),
    "too_bright": Entry("guidance", ("Less light on your face", "请避开强光"), ("face brighter than max_brightness", "人脸过亮")),
    "uneven_light": Entry(
        "guidance", ("Turn your face to the light", "请面向光源"), ("light from one side: under min_uniformity", "脸部光照不均")
    ),
    "low_contrast": Entry(
        "guidance",
        ("Please stand where the light is better", "请站到光线更好的地方"),
        ("face flatter than min_dynamic_range: fog, backlight or a dirty lens", "人脸对比度过低"),
    ),
    "blurred": Entry("guidance", ("Hold still", "请保持不动"), ("face less sharp than min_sharpness", "人脸模糊")),
    "face_covered": Entry(
        "guidance", ("Uncover your face", "请露出整张脸"), ("several parts of the face are covered", "脸部多处被遮挡")
    ),
    "eyes_covered": Entry(
        "guidance", ("Uncover your eyes", "请露出双眼"), ("an eye is covered: sunglasses, hair or a hand", "眼部被遮挡")
    ),
    "nose_covered": Entry(
        "guidance", ("Uncover your nose", "请露出鼻子"), ("the nose is covered, not by an allowed mask", "鼻部被遮挡")
    ),
    "mouth_covered": Entry(
        "guidance", ("Uncover your mouth", "请露出嘴部"), ("the mouth is covered, not by an allowed mask", "嘴部被遮挡")
    ),
    "brows_covered": Entry(
        "guidance", ("Uncover your forehead", "请露出眉毛"), ("a brow is covered: a hat or hair", "眉毛被遮挡")
    ),
    "cheeks_covered": Entry("guidance", ("Uncover your cheeks", "请露出脸颊"), ("a cheek is covered", "脸颊被遮挡")),
    "chin_covered": Entry("guidance", ("Uncover your chin", "请露出下巴"), ("the chin is covered", "下巴被遮挡")),
    "eyes_closed": Entry("guidance", ("Open your eyes", "请睁开眼睛"), ("an eye is less open than min_eyes_open", "眼睛闭合")),
    "parts_unseen": Entry(
        "guidance",
        ("Show your whole face in good light", "请在良好光线下露出整张脸"),
        ("too little can be told of covered parts for the level", "无法判断脸部是否被遮挡"),
    ),
    "landmarks_missing": Entry(
        "guidance", ("Look straight at the camera", "请正对摄像头"), ("no landmarks found on the face", "未找到人脸关键点")
    ),
    "good": Entry("guidance", ("Thank you, one moment", "谢谢，请稍候"), ("face is good enough", "人脸质量合格")),
    "looking": Entry("guidance", ("Look at the camera", "请看摄像头"), ("face in view", "发现人脸")),
    # What a challenge asks for.
    "challenge_look_ahead": Entry(
        "prompt", ("Look straight at the camera", "请正视摄像头"), ("waits for a neutral face", "等待正面中性表情")
    ),
    "challenge_blink": Entry("prompt", ("Please blink", "请眨眼"), ("asked for a blink", "要求眨眼")),
    "challenge_turn_left": Entry(
        "prompt", ("Turn your head to your left", "请向左转头"), ("asked for a turn to the left", "要求向左转头")
    ),
    "challenge_turn_right": Entry(
        "prompt", ("Turn your head to your right", "请向右转头"), ("asked for a turn to the right", "要求向右转头")
    ),
    "challenge_nod": Entry("prompt", ("Please nod", "请点头"), ("asked for a nod", "要求点头")),
    "challenge_open_mouth": Entry("prompt", ("Open your mouth", "请张嘴"), ("asked for an open mouth", "要求张嘴")),
    # Liveness: why it is no plain yes. The person is not told what gave an attack away.
    "liveness_doubtful": Entry("liveness", _AGAIN, ("not surely a living person", "无法确认是真人")),
    "liveness_not_told": Entry("liveness", _AGAIN, ("too few frames to judge liveness by", "可用于活体判断的画面不足")),
    "spoof_suspected": Entry("liveness", _AGAIN, ("looks like a print or a screen", "疑似照片或屏幕")),
    "print_suspected": Entry("liveness", _AGAIN, ("looks like a print", "疑似打印照片")),
    "screen_suspected": Entry("liveness", _AGAIN, ("looks like a screen", "疑似屏幕翻拍")),
    "border_suspected": Entry(
        "liveness", _AGAIN, ("the face is inside a sheet's or a screen's edges", "人脸四周有纸张或屏幕边框")
    ),
    "picture_static": Entry(
        "liveness", _AGAIN, ("the very same pixels again and again: a still picture", "画面完全静止，疑似静态图片")
    ),
    "challenge_timed_out": Entry("liveness", _AGAIN, ("the movement asked for did not come in time", "未在规定时间内完成动作")),
    "challenge_too_early": Entry("liveness", _AGAIN, ("the movement came before anybody could answer", "动作早于提示")),
    "challenge_wrong": Entry("liveness", _AGAIN, ("another movement than the one asked for", "动作与提示不符")),
    "person_changed": Entry("liveness", _AGAIN, ("another person took over during the challenge", "挑战过程中换人")),
    "identity_not_held": Entry("liveness", _AGAIN, ("nobody compared the face during the challenge", "挑战过程中未能核对身份")),
    "track_broken": Entry("liveness", _AGAIN, ("the face was lost or jumped during the challenge", "挑战过程中人脸丢失或跳变")),
    # Refusals: values, not errors.
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
    "rule_failed": Entry("refusal", _OUT, ("a rule's condition could not be evaluated", "规则条件无法求值")),
    "time_untrusted": Entry(
        "refusal", _OUT, ("a rule asks for the hour and the clock is not known to be right", "时钟不可信，按时间的规则拒绝")
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
    # The portal's own refusals.
    "verdict_expired": Entry("portal", _AGAIN, ("the verdict came later than verdict_ttl", "判定已过期")),
    "person_left": Entry("portal", _AGAIN, ("the person was gone when the relay would have fired", "开门前人已离开")),
    "already_granted": Entry("portal", ("Welcome", "欢迎"), ("this presentation was granted before", "该人此次已放行")),
    "relay_busy": Entry("portal", _WAIT, ("the relay is still in its last pulse", "继电器正在动作")),
    "portal_closed": Entry("portal", _OUT, ("the portal is not armed", "门未就绪")),
    "portal_open": Entry("portal", ("Come in", "请进"), ("the portal is held open: no grant needed", "门已常开，无需放行")),
    "portal_released": Entry(
        "portal",
        ("The door is open", "门已打开"),
        ("released for fire or emergency: no grant needed", "消防或紧急释放，无需放行"),
    ),
    "lockdown": Entry("portal", ("No entry now", "暂时禁止通行"), ("the portal is locked down", "门处于封锁状态")),
    "interlocked": Entry("portal", _WAIT, ("another portal of the interlock is not shut", "互锁的另一扇门未关好")),
    "tampered": Entry("portal", _OUT, ("the case is open, or its contact's cable is cut", "机壳被打开或防拆线断开")),
    "passed_back": Entry(
        "portal",
        ("Already inside", "已在区域内"),
        ("by the count the person is not where this portal leads from", "反潜回：人员已在区域内"),
    ),
    "area_full": Entry("portal", ("Full at the moment", "人数已满"), ("occupancy_limit is reached", "区域人数达到上限")),
    "locked_out": Entry(
        "portal", ("Please wait a moment", "请稍后再试"), ("too many failures: the portal takes a rest", "失败次数过多，暂停识别")
    ),
    "output_unknown": Entry("portal", _OUT, ("a rule unlocks an output that the portal does not have", "规则指定的输出不存在")),
    "enter_pin": Entry("portal", ("Enter your PIN", "请输入密码"), ("waits for the PIN", "等待密码")),
    "show_card": Entry("portal", ("Show your card", "请刷卡"), ("waits for the card", "等待刷卡")),
    "show_code": Entry("portal", ("Show your code", "请出示二维码"), ("waits for the code", "等待二维码")),
    "second_person_needed": Entry(
        "portal", ("A second person, please", "请第二人验证"), ("waits for another person", "等待第二人")
    ),
    "second_person_missing": Entry("portal", _AGAIN, ("nobody else came within claim_within", "第二人未在时限内验证")),
    "second_factor_missing": Entry(
        "portal", _AGAIN, ("the PIN, card or code did not come within claim_within", "未在时限内出示第二凭证")
    ),
    "credential_rejected": Entry("portal", _AGAIN, ("a credential that is nobody's", "凭证无效")),
    "credential_of_another": Entry("portal", _AGAIN, ("a credential of somebody else than the face", "凭证与人脸不属于同一人")),
    "command_done": Entry("portal", _NOBODY, ("the command was carried out", "命令已执行")),
    "command_too_late": Entry("portal", _NOBODY, ("the command could not be carried out in time", "命令未能及时执行")),
    # What a portal raises as an alarm.
    "door_forced": Entry("portal", _NOBODY, ("the door was opened without being unlocked", "门被强行打开")),
    "door_open_too_long": Entry(
        "portal", ("Please close the door", "请关门"), ("open for longer than held_open_after", "门未关超时")
    ),
    "fire_release": Entry(
        "portal", ("Fire alarm: leave now", "火警：请撤离"), ("the fire input released the portal", "消防联动释放")
    ),
    "duress": Entry("portal", _NOBODY, ("somebody is forced to open", "胁迫报警")),
    "input_lost": Entry(
        "portal", _NOBODY, ("an input's line is lost: counted as the worse of its states", "输入线路断开，按不利状态处理")
    ),
    # Credentials: what was presented besides the face, and why it is none.
    "credential_known": Entry("portal", ("Thank you", "谢谢"), ("it is a registered person's", "属于已登记人员")),
    "credential_unknown": Entry("portal", ("Not recognised", "未能识别"), ("no registered person's", "不属于任何已登记人员")),
    "credentials_too_fast": Entry(
        "portal", _WAIT, ("more credentials in a short time than can be looked at", "短时间内凭证过多")
    ),
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
        "portal", _OUT, ("a signed code while the clock is not known to be right", "时钟不可信，无法验证签名二维码")
    ),
    "code_key_missing": Entry(
        "portal", _OUT, ("a signed code, but there is no credentials.code_key_file", "缺少验证签名二维码的公钥")
    ),
    "claim_expired": Entry("portal", _AGAIN, ("the claim came after its expires_at", "身份声明已过期")),
    "claim_lives_too_long": Entry(
        "portal", _AGAIN, ("good for longer than credentials.code_lifetime", "身份声明有效期超过允许上限")
    ),
    "claim_replayed": Entry("portal", _AGAIN, ("a claim with a nonce that was used before", "身份声明的随机数被重复使用")),
    "claim_clock_untrusted": Entry(
        "portal", _OUT, ("a claim while the clock is not known to be right", "时钟不可信，无法接受身份声明")
    ),
    # Cloud and recognisers.
    "deadline_exceeded": Entry("cloud", _AGAIN, ("no answer within the deadline", "超时无应答")),
    "cloud_unreachable": Entry("cloud", _WAIT, ("no connection to the cloud", "无法连接云端")),
    "cloud_busy": Entry("cloud", _WAIT, ("the cloud asks to slow down", "云端限流")),
    "cloud_error": Entry("cloud", _WAIT, ("the cloud had an error of its own", "云端内部错误")),
    "clock_rejected": Entry("cloud", _OUT, ("the cloud rejects our clock: check NTP", "时钟偏差过大，请检查 NTP")),
    "account_rejected": Entry("cloud", _OUT, ("key, application or permission refused", "密钥、应用或权限被拒")),
    "account_in_arrears": Entry("cloud", _OUT, ("the account is in arrears: top up", "账户欠费，请充值")),
    "service_inactive": Entry("cloud", _OUT, ("the service is not activated for this account", "账号尚未开通此服务")),
    "quota_exceeded": Entry("cloud", _OUT, ("a quota of the account or library is used up", "账号或人员库配额已用完")),
    "interface_retired": Entry("cloud", _OUT, ("this interface goes offline: migrate to iai 2020-03-03", "接口即将下线，请迁移")),
    "group_unknown": Entry("cloud", _OUT, ("a configured group does not exist", "配置的人员组不存在")),
    "request_refused": Entry("cloud", _OUT, ("the cloud calls the request malformed", "云端拒绝请求")),
    "state_conflict": Entry("cloud", _NOBODY, ("the library is not in the state the call expects", "人员库状态冲突")),
    "person_unknown": Entry(
        "cloud", ("Not enrolled here", "未在此登记"), ("the library does not know this person", "人员库中没有此人")
    ),
    "threshold_unknown": Entry(
        "cloud",
        _OUT,
        ("no score is documented for this gallery: set a raw threshold", "该人员库没有对应的官方阈值，请直接设置阈值"),
    ),
    "outcome_unknown": Entry(
        "cloud", _NOBODY, ("the answer was lost: the change may have been made, or not", "应答丢失，变更可能已生效，也可能没有")
    ),
    "answer_makes_no_sense": Entry(
        "cloud", _WAIT, ("the answer breaks the contract: a portal or proxy in between?", "应答不符合协议")
    ),
    "answer_too_large": Entry("cloud", _WAIT, ("the answer is larger than the cap", "应答过大")),
    "probe_too_large": Entry("cloud", _AGAIN, ("the request exceeds the interface's limit", "请求超过接口上限")),
    "request_out_of_bounds": Entry("cloud", _AGAIN, ("a value lies outside the interface's limits", "请求参数超出接口限制")),
    "face_not_found": Entry(
        "cloud", ("Look at the camera", "请看摄像头"), ("the cloud finds no face in the probe", "云端未检测到人脸")
    ),
    "quality_rejected": Entry(
        "cloud",
        ("Look straight, hold still, uncover your face", "请正视镜头，保持不动，不要遮挡面部"),
        ("the cloud finds the picture not good enough", "云端认为图片质量不合格"),
    ),
    "liveness_rejected": Entry("cloud", _AGAIN, ("the cloud doubts that the person is real", "云端怀疑不是真人")),
    "picture_rejected": Entry("cloud", _AGAIN, ("the cloud rejects the picture", "云端拒绝图片")),
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
        "cloud", _AGAIN, ("the cloud's faces overlap with nobody's alone", "云端返回的人脸框无法与画面中的人对应")
    ),
    # Photos handed in.
    "image_decode_failed": Entry(
        "photo", ("Please give another photo", "请换一张照片"), ("the photo cannot be decoded", "图片无法解码")
    ),
    "image_format_unknown": Entry(
        "photo",
        ("Please give a JPEG or PNG file", "请提供 JPEG 或 PNG 文件"),
        ("not a JPEG, PNG or BMP", "不是 JPEG、PNG 或 BMP"),
    ),
    "image_too_large": Entry(
        "photo",
        (
            "Please give a smaller photo: 4000 pixels a side and 5 MB at most",
            "请提供较小的照片：边长不超过 4000 像素，大小不超过 5 MB",
        ),
        ("more pixels or bytes than allowed", "图片过大"),
    ),
    "image_too_small": Entry(
        "photo", ("Please give a larger photo", "请提供较大的照片"), ("short side under 64 px", "短边小于 64 像素")
    ),
    # Photos that are to be enrolled.
    "no_face": Entry("photo", ("Look at the camera", "请看摄像头"), ("no face in the photo", "照片中没有人脸")),
    "mask_worn": Entry("photo", ("Please take off your mask", "请摘下口罩"), ("a mask is worn", "佩戴了口罩")),
    "grade_too_low": Entry("photo", _AGAIN, ("the picture is not good enough to be enrolled", "照片质量不足以登记")),
    "face_too_coarse": Entry(
        "photo", ("Come closer", "请靠近一些"), ("the eyes are closer together than enrolment asks for", "双眼间距小于登记要求")
    ),
    "same_photo": Entry("photo", _NOBODY, ("this photo of the person is enrolled already", "该人员的这张照片已登记")),
    "enrolled_as_another": Entry(
        "photo", ("Please see the staff", "请联系工作人员"), ("this face is enrolled as somebody else", "此人脸已登记为其他人员")
    ),
    "unlike_the_others": Entry("photo", _NOBODY, ("not the person of the other photos", "与该人员的其他照片不是同一人")),
    "enough_photos": Entry("photo", _NOBODY, ("the person has as many photos as there may be", "该人员的照片已达上限")),
    "photo_unreadable": Entry("photo", _NOBODY, ("the photo's file cannot be read", "无法读取照片文件")),
    "embedding_invalid": Entry("photo", _NOBODY, ("not a direction in 128 dimensions", "不是有效的 128 维特征")),
    # The gallery and what is found in it.
    "similar_person": Entry("gallery", _NOBODY, ("two people hard to tell apart", "两人难以区分")),
    "enrolled_twice": Entry("gallery", _NOBODY, ("two people who may be one", "两个人员可能是同一人")),
    "too_few_photos": Entry("gallery", _NOBODY, ("fewer references than wanted: add photos", "参考照片不足，请补充")),
    "reference_poor": Entry("gallery", _NOBODY, ("no good reference: take a better photo", "参考照片质量差，请重拍")),
    "reference_masked": Entry("gallery", _NOBODY, ("references with a mask on: take them without", "参考照片佩戴口罩，请重拍")),
    "model_expired": Entry("gallery", _NOBODY, ("references of another model: enrol again", "参考特征来自其他模型，请重新登记")),
    "group_not_searched": Entry(
        "gallery", _NOBODY, ("in no group that on_device.group_ids searches: never recognised", "不在被搜索的人员组中，无法识别")
    ),
    "gallery_missing": Entry("gallery", _NOBODY, ("there is no gallery: enrol somebody first", "找不到本机人员库，请先登记人员")),
    "id_unusable": Entry(
        "gallery", _NOBODY, ("an id has up to 64 letters, digits and %@#&_-", "编号限 64 个字母、数字或 %@#&_-")
    ),
    "nothing_to_import": Entry("gallery", _NOBODY, ("there is nothing to import", "没有可导入的内容")),
    "embeddings_unusable": Entry("gallery", _NOBODY, ("the file of embeddings cannot be used", "特征文件无法使用")),
    "people_unusable": Entry("gallery", _NOBODY, ("the list of people cannot be used", "人员列表无法使用")),
    "unconfirmed": Entry("gallery", _NOBODY, ("not confirmed: nothing was changed", "未确认，未作任何更改")),
    "file_exists": Entry("gallery", _NOBODY, ("the file exists", "文件已存在")),
    "file_unwritable": Entry("gallery", _NOBODY, ("the file cannot be written", "文件无法写入")),
    "picture_not_fetched": Entry(
        "photo", _NOBODY, ("the address is not on the list, or gave no picture in time", "图片地址不在允许列表中，或下载失败")
    ),
    # Devices.
    "camera_missing": Entry("device", _OUT, ("the camera cannot be opened", "无法打开摄像头")),
    "camera_lost": Entry("device", _OUT, ("the camera gives no more frames", "摄像头不再输出画面")),
    "camera_frozen": Entry("device", _OUT, ("the camera repeats one picture, to the bit", "摄像头画面冻结")),
    "camera_looped": Entry("device", _OUT, ("the camera's pictures repeat earlier ones, to the bit", "摄像头画面循环重放")),
    "camera_dark": Entry("device", _OUT, ("the camera's picture is black, or the lens is covered", "摄像头画面全黑或被遮挡")),
    "camera_saturated": Entry("device", _OUT, ("the camera's picture is white: too much light", "摄像头画面过曝")),
    "camera_flickers": Entry("device", _OUT, ("the camera's picture flickers: an infrared lamp?", "摄像头画面闪烁（红外灯？）")),
    "source_ended": Entry("device", _OUT, ("the file, folder or scene is over", "片源已结束")),
    "source_invalid": Entry("device", _OUT, ("the file, folder or scene cannot be played", "片源无法播放")),
    "model_missing": Entry(
        "device", _OUT, ("model weights are missing: run `kiosk models fetch`", "缺少模型，请运行 kiosk models fetch")
    ),
    "model_invalid": Entry("device", _OUT, ("model weights do not have the expected SHA-256", "模型校验失败")),
    "confinement_unavailable": Entry(
        "device", _OUT, ("the kernel cannot take the network away from the eye", "内核无法限制视觉进程联网")
    ),
    "eye_lost": Entry("device", _OUT, ("the eye ended unexpectedly and is restarted", "视觉进程意外结束，正在重启")),
    "eye_wedged": Entry("device", _OUT, ("the eye fell silent and was killed", "视觉进程无响应，已被终止")),
    "eye_busy": Entry("device", _WAIT, ("too many photos wait to be looked at", "待处理的图片过多")),
    "eye_contract": Entry("device", _OUT, ("the eye sent something malformed and was killed", "视觉进程消息异常，已被终止")),
    "relay_lost": Entry("device", _OUT, ("the relay does not answer", "继电器无响应")),
    "relay_missing": Entry("device", _OUT, ("the relay cannot be opened", "无法打开继电器")),
    "reader_missing": Entry("device", _OUT, ("a credential reader cannot be opened", "无法打开读卡器")),
    "reader_lost": Entry("device", _OUT, ("a credential reader is gone or silent", "读卡器已断开或无响应")),
    "wiegand_noise": Entry("device", _AGAIN, ("pulses on a Wiegand line that no reader sends", "韦根信号有干扰")),
    "wiegand_both_lines": Entry(
        "device", _AGAIN, ("both Wiegand lines at once: swapped, shorted or unpowered?", "韦根两条数据线同时动作")
    ),
    "wiegand_length": Entry("device", _AGAIN, ("a Wiegand frame of neither 26 nor 34 bits", "韦根帧不是 26 或 34 位")),
    "wiegand_parity": Entry("device", _AGAIN, ("a Wiegand frame with wrong parity", "韦根帧校验错误")),
    "spent_unreadable": Entry("device", _OUT, ("the list of used codes is damaged", "已用二维码列表损坏")),
    "spent_unwritable": Entry(
        "device", _OUT, ("the list of used codes cannot be written: none is accepted", "已用二维码列表无法写入，拒绝所有")
    ),
    "journal_unwritable": Entry("device", _OUT, ("the journal cannot be written: nothing is granted", "日志无法写入，拒绝放行")),
    "journal_missing": Entry("device", _NOBODY, ("there is no journal to read", "找不到日志")),
    "journal_broken": Entry("device", _NOBODY, ("the journal's hash chain is broken", "日志哈希链损坏")),
    "gallery_unreadable": Entry("device", _OUT, ("the gallery's file is damaged or no gallery", "人员库文件损坏或不是人员库")),
    "gallery_unwritable": Entry("device", _OUT, ("the gallery's file cannot be written", "人员库文件无法写入")),
    "gallery_locked": Entry(
        "device", _WAIT, ("another program is changing the gallery: try again", "其他程序正在修改人员库，请重试")
    ),
    "gallery_in_the_way": Entry(
        "setup", _NOBODY, ("another gallery is in this place: move it away first", "此处已有其他人员库，请先移走")
    ),
    "gallery_key_missing": Entry("setup", _OUT, ("the gallery's key is missing", "缺少人员库密钥")),
    "gallery_key_wrong": Entry("setup", _OUT, ("this is not the key that the gallery is under", "人员库密钥不匹配")),
    "line_missing": Entry("device", _OUT, ("there is no such line: `kiosk gpio list` shows them", "没有这条 GPIO 线")),
    "line_busy": Entry("device", _OUT, ("something else uses the line", "GPIO 线已被占用")),
    "line_forbidden": Entry("device", _OUT, ("this user may not use the line: the group 'gpio'?", "没有使用 GPIO 线的权限")),
    "line_unsupported": Entry("device", _OUT, ("the chip cannot do what the line's options ask", "GPIO 芯片不支持所需选项")),
    "line_lost": Entry("device", _OUT, ("the line is gone: a cable, or its chip", "GPIO 线丢失")),
    # Set-up.
    "configuration_invalid": Entry("setup", _NOBODY, ("the configuration has mistakes", "配置有误")),
    "configuration_missing": Entry("setup", _NOBODY, ("the configuration file cannot be read", "无法读取配置文件")),
    "configuration_unknown_variable": Entry("setup", _NOBODY, ("an unknown KIOSK_ variable is set", "存在未知的 KIOSK_ 变量")),
    "secret_missing": Entry("setup", _NOBODY, ("a secret's file is missing", "缺少密钥文件")),
    "rule_invalid": Entry("setup", _NOBODY, ("a rule does not compile", "规则无法编译")),
    "calendar_invalid": Entry("setup", _NOBODY, ("a schedule, a holiday or the time zone is none", "日程、节假日或时区无效")),
    "address_in_use": Entry("setup", _NOBODY, ("the web port is taken", "端口被占用")),
    "faults_invalid": Entry("setup", _NOBODY, ("the sandbox's fault script has mistakes", "沙箱故障脚本有误")),
    "extra_missing": Entry("setup", _NOBODY, ("an optional package is not installed", "缺少可选软件包")),
    "key_unusable": Entry("setup", _NOBODY, ("not an Ed25519 key in PEM of the kind that is needed", "不是可用的 Ed25519 密钥")),
    "pin_unusable": Entry(
        "setup",
        _NOBODY,
        ("a PIN must be of digits, long enough, and typed twice alike", "密码须为足够位数的数字，且两次输入一致"),
    ),
    "fetch_failed": Entry("setup", _NOBODY, ("a model could not be downloaded", "模型下载失败")),
    "token_exposed": Entry(
        "setup", _NOBODY, ("the admin token's file is not this user's alone, or empty", "管理令牌文件不安全或为空")
    ),
    "token_wrong": Entry("setup", _NOBODY, ("no bearer token, or not the right one", "缺少管理令牌或令牌不正确")),
    "request_malformed": Entry("setup", _NOBODY, ("not a request that is understood here", "请求格式不正确")),
    "portal_unknown": Entry("setup", _NOBODY, ("there is no such portal", "没有这个门")),
    "command_expired": Entry(
        "setup", _NOBODY, ("the command is too old, or good for more than a minute", "命令已过期，或有效期超过一分钟")
    ),
    "command_replayed": Entry("setup", _NOBODY, ("this nonce was taken before", "命令重复提交")),
    "command_refused": Entry("setup", _NOBODY, ("too many commands within a minute", "命令过于频繁")),
    "rule_test_invalid": Entry("setup", _NOBODY, ("a rule test has mistakes", "规则测试有误")),
    "rule_tests_missing": Entry("setup", _NOBODY, ("there are no rule tests", "没有规则测试")),
    "event_unknown": Entry("setup", _NOBODY, ("the journal has no such decision", "日志中没有此决定")),
    "event_not_replayable": Entry(
        "setup", _NOBODY, ("the journal keeps too little of this decision to make it again", "日志记录不全，无法重演该决定")
    ),
    "rules_not_reloadable": Entry(
        "setup", _NOBODY, ("the daemon does not know where its rules come from: restart it", "无法重新加载规则，请重启")
    ),
    "system_incomplete": Entry("setup", _NOBODY, ("system packages are missing", "缺少系统软件包")),
}

ADVICE: tuple[str, ...] = tuple(slug for slug, entry in TABLE.items() if entry.kind == "guidance")
"""Guidance slugs, the one that helps most first."""


def to_person(slug: str, language: Language = "en") -> str:
    """The sentence a person is shown; empty where the slug says nothing to them.

    Raises KeyError for a slug that is not in the table.
    """
    return TABLE[slug].person[language == "zh"]


def to_operator(slug: str, language: Language = "en") -> str:
    """The sentence an operator reads. Raises KeyError for a slug that is not in the table."""
    return TABLE[slug].operator[language == "zh"]
