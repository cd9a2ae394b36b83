"""Cameras, eyes, lines, readers, and the files of journal and gallery."""

from kiosk.slugs.entry import AGAIN, NOBODY, OUT, WAIT, Entry

DEVICE: dict[str, Entry] = {
    "camera_missing": Entry("device", OUT, ("the camera cannot be opened", "无法打开摄像头")),
    "camera_lost": Entry("device", OUT, ("the camera gives no more frames", "摄像头不再输出画面")),
    "camera_frozen": Entry("device", OUT, ("the camera repeats one picture, to the bit", "摄像头画面冻结")),
    "camera_looped": Entry("device", OUT, ("the camera's pictures repeat earlier ones, to the bit", "摄像头画面循环重放")),
    "camera_dark": Entry("device", OUT, ("the camera's picture is black, or the lens is covered", "摄像头画面全黑或被遮挡")),
    "camera_saturated": Entry("device", OUT, ("the camera's picture is white: too much light", "摄像头画面过曝")),
    "camera_flickers": Entry("device", OUT, ("the camera's picture flickers: an infrared lamp?", "摄像头画面闪烁（红外灯？）")),
    "source_ended": Entry("device", OUT, ("the file, folder or scene is over", "片源已结束")),
    "source_invalid": Entry("device", OUT, ("the file, folder or scene cannot be played", "片源无法播放")),
    "model_missing": Entry(
        "device", OUT, ("model weights are missing: run `kiosk models fetch`", "缺少模型，请运行 kiosk models fetch")
    ),
    "model_invalid": Entry("device", OUT, ("model weights do not have the expected SHA-256", "模型校验失败")),
    "confinement_unavailable": Entry(
        "device", OUT, ("the kernel cannot take the network away from the eye", "内核无法限制视觉进程联网")
    ),
    "eye_lost": Entry("device", OUT, ("the eye ended unexpectedly and is restarted", "视觉进程意外结束，正在重启")),
    "eye_wedged": Entry("device", OUT, ("the eye fell silent and was killed", "视觉进程无响应，已被终止")),
    "eye_busy": Entry("device", WAIT, ("too many photos wait to be looked at", "待处理的图片过多")),
    "eye_contract": Entry("device", OUT, ("the eye sent something malformed and was killed", "视觉进程消息异常，已被终止")),
    "relay_lost": Entry("device", OUT, ("the relay does not answer", "继电器无响应")),
    "relay_missing": Entry("device", OUT, ("the relay cannot be opened", "无法打开继电器")),
    "reader_missing": Entry("device", OUT, ("a credential reader cannot be opened", "无法打开读卡器")),
    "reader_lost": Entry("device", OUT, ("a credential reader is gone or silent", "读卡器已断开或无响应")),
    "wiegand_noise": Entry("device", AGAIN, ("pulses on a Wiegand line that no reader sends", "韦根信号有干扰")),
    "wiegand_both_lines": Entry(
        "device", AGAIN, ("both Wiegand lines at once: swapped, shorted or unpowered?", "韦根两条数据线同时动作")
    ),
    "wiegand_length": Entry("device", AGAIN, ("a Wiegand frame of neither 26 nor 34 bits", "韦根帧不是 26 或 34 位")),
    "wiegand_parity": Entry("device", AGAIN, ("a Wiegand frame with wrong parity", "韦根帧校验错误")),
    "spent_unreadable": Entry("device", OUT, ("the list of used codes or commands is damaged", "已用二维码或命令列表损坏")),
    "spent_unwritable": Entry(
        "device",
        OUT,
        ("the list of used codes or commands cannot be written: none is accepted", "已用二维码或命令列表无法写入，拒绝所有"),
    ),
    "journal_unwritable": Entry("device", OUT, ("the journal cannot be written: nothing is granted", "日志无法写入，拒绝放行")),
    "journal_missing": Entry("device", NOBODY, ("there is no journal to read", "找不到日志")),
    "journal_broken": Entry("device", NOBODY, ("the journal's hash chain is broken", "日志哈希链损坏")),
    "gallery_unreadable": Entry("device", OUT, ("the gallery's file is damaged or no gallery", "人员库文件损坏或不是人员库")),
    "gallery_unwritable": Entry("device", OUT, ("the gallery's file cannot be written", "人员库文件无法写入")),
    "gallery_locked": Entry(
        "device", WAIT, ("another program is changing the gallery: try again", "其他程序正在修改人员库，请重试")
    ),
    "gallery_in_the_way": Entry(
        "setup", NOBODY, ("another gallery is in this place: move it away first", "此处已有其他人员库，请先移走")
    ),
    "gallery_key_missing": Entry("setup", OUT, ("the gallery's key is missing", "缺少人员库密钥")),
    "gallery_key_wrong": Entry("setup", OUT, ("this is not the key that the gallery is under", "人员库密钥不匹配")),
    "line_missing": Entry("device", OUT, ("there is no such line: `kiosk gpio list` shows them", "没有这条 GPIO 线")),
    "line_busy": Entry("device", OUT, ("something else uses the line", "GPIO 线已被占用")),
    "line_forbidden": Entry("device", OUT, ("this user may not use the line: the group 'gpio'?", "没有使用 GPIO 线的权限")),
    "line_unsupported": Entry("device", OUT, ("the chip cannot do what the line's options ask", "GPIO 芯片不支持所需选项")),
    "line_lost": Entry("device", OUT, ("the line is gone: a cable, or its chip", "GPIO 线丢失")),
}
