"""What a challenge asks for, and why somebody is no plain living person."""

from kiosk.slugs.entry import AGAIN, Entry

LIVENESS: dict[str, Entry] = {
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
    "liveness_doubtful": Entry("liveness", AGAIN, ("not surely a living person", "无法确认是真人")),
    "liveness_not_told": Entry("liveness", AGAIN, ("too few frames to judge liveness by", "可用于活体判断的画面不足")),
    "spoof_suspected": Entry("liveness", AGAIN, ("looks like a print or a screen", "疑似照片或屏幕")),
    "print_suspected": Entry("liveness", AGAIN, ("looks like a print", "疑似打印照片")),
    "screen_suspected": Entry("liveness", AGAIN, ("looks like a screen", "疑似屏幕翻拍")),
    "border_suspected": Entry(
        "liveness", AGAIN, ("the face is inside a sheet's or a screen's edges", "人脸四周有纸张或屏幕边框")
    ),
    "picture_static": Entry(
        "liveness", AGAIN, ("the very same pixels again and again: a still picture", "画面完全静止，疑似静态图片")
    ),
    "challenge_timed_out": Entry("liveness", AGAIN, ("the movement asked for did not come in time", "未在规定时间内完成动作")),
    "challenge_too_early": Entry("liveness", AGAIN, ("the movement came before anybody could answer", "动作早于提示")),
    "challenge_wrong": Entry("liveness", AGAIN, ("another movement than the one asked for", "动作与提示不符")),
    "person_changed": Entry("liveness", AGAIN, ("another person took over during the challenge", "挑战过程中换人")),
    "identity_not_held": Entry("liveness", AGAIN, ("nobody compared the face during the challenge", "挑战过程中未能核对身份")),
    "track_broken": Entry("liveness", AGAIN, ("the face was lost or jumped during the challenge", "挑战过程中人脸丢失或跳变")),
}
