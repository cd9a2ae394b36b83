"""What a person can mend before the camera, most helpful first: this order is the order of advice."""

from kiosk.slugs.entry import Entry

GUIDANCE: dict[str, Entry] = {
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
}
