"""A portal's own refusals, prompts and alarms."""

from kiosk.slugs.entry import AGAIN, NOBODY, OUT, WAIT, Entry

PORTAL: dict[str, Entry] = {
    # The portal's own refusals.
    "verdict_expired": Entry("portal", AGAIN, ("the verdict came later than verdict_ttl", "判定已过期")),
    "person_left": Entry("portal", AGAIN, ("the person was gone when the relay would have fired", "开门前人已离开")),
    "already_granted": Entry("portal", ("Welcome", "欢迎"), ("this presentation was granted before", "该人此次已放行")),
    "relay_busy": Entry("portal", WAIT, ("the relay is still in its last pulse", "继电器正在动作")),
    "portal_closed": Entry("portal", OUT, ("the portal is not armed", "门未就绪")),
    "portal_open": Entry("portal", ("Come in", "请进"), ("the portal is held open: no grant needed", "门已常开，无需放行")),
    "portal_released": Entry(
        "portal",
        ("The door is open", "门已打开"),
        ("released for fire or emergency: no grant needed", "消防或紧急释放，无需放行"),
    ),
    "lockdown": Entry("portal", ("No entry now", "暂时禁止通行"), ("the portal is locked down", "门处于封锁状态")),
    "interlocked": Entry("portal", WAIT, ("another portal of the interlock is not shut", "互锁的另一扇门未关好")),
    "tampered": Entry("portal", OUT, ("the case is open, or its contact's cable is cut", "机壳被打开或防拆线断开")),
    "passed_back": Entry(
        "portal",
        ("Already inside", "已在区域内"),
        ("by the count the person is not where this portal leads from", "反潜回：人员已在区域内"),
    ),
    "area_full": Entry("portal", ("Full at the moment", "人数已满"), ("occupancy_limit is reached", "区域人数达到上限")),
    "locked_out": Entry(
        "portal", ("Please wait a moment", "请稍后再试"), ("too many failures: the portal takes a rest", "失败次数过多，暂停识别")
    ),
    "output_unknown": Entry("portal", OUT, ("a rule unlocks an output that the portal does not have", "规则指定的输出不存在")),
    "enter_pin": Entry("portal", ("Enter your PIN", "请输入密码"), ("waits for the PIN", "等待密码")),
    "show_card": Entry("portal", ("Show your card", "请刷卡"), ("waits for the card", "等待刷卡")),
    "show_code": Entry("portal", ("Show your code", "请出示二维码"), ("waits for the code", "等待二维码")),
    "second_person_needed": Entry(
        "portal", ("A second person, please", "请第二人验证"), ("waits for another person", "等待第二人")
    ),
    "second_person_missing": Entry("portal", AGAIN, ("nobody else came within claim_within", "第二人未在时限内验证")),
    "second_factor_missing": Entry(
        "portal", AGAIN, ("the PIN, card or code did not come within claim_within", "未在时限内出示第二凭证")
    ),
    "credential_rejected": Entry("portal", AGAIN, ("a credential that is nobody's", "凭证无效")),
    "credential_of_another": Entry("portal", AGAIN, ("a credential of somebody else than the face", "凭证与人脸不属于同一人")),
    "command_done": Entry("portal", NOBODY, ("the command was carried out", "命令已执行")),
    "command_too_late": Entry("portal", NOBODY, ("the command could not be carried out in time", "命令未能及时执行")),
    # What a portal raises as an alarm.
    "door_forced": Entry("portal", NOBODY, ("the door was opened without being unlocked", "门被强行打开")),
    "door_open_too_long": Entry(
        "portal", ("Please close the door", "请关门"), ("open for longer than held_open_after", "门未关超时")
    ),
    "fire_release": Entry(
        "portal", ("Fire alarm: leave now", "火警：请撤离"), ("the fire input released the portal", "消防联动释放")
    ),
    "duress": Entry("portal", NOBODY, ("somebody is forced to open", "胁迫报警")),
    "input_lost": Entry(
        "portal", NOBODY, ("an input's line is lost: counted as the worse of its states", "输入线路断开，按不利状态处理")
    ),
}
