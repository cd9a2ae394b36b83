"""Photos handed in, and photos that are to be enrolled."""

from kiosk.slugs.entry import AGAIN, NOBODY, Entry

PHOTO: dict[str, Entry] = {
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
    "grade_too_low": Entry("photo", AGAIN, ("the picture is not good enough to be enrolled", "照片质量不足以登记")),
    "face_too_coarse": Entry(
        "photo", ("Come closer", "请靠近一些"), ("the eyes are closer together than enrolment asks for", "双眼间距小于登记要求")
    ),
    "same_photo": Entry("photo", NOBODY, ("this photo of the person is enrolled already", "该人员的这张照片已登记")),
    "enrolled_as_another": Entry(
        "photo", ("Please see the staff", "请联系工作人员"), ("this face is enrolled as somebody else", "此人脸已登记为其他人员")
    ),
    "unlike_the_others": Entry("photo", NOBODY, ("not the person of the other photos", "与该人员的其他照片不是同一人")),
    "enough_photos": Entry("photo", NOBODY, ("the person has as many photos as there may be", "该人员的照片已达上限")),
    "photo_unreadable": Entry("photo", NOBODY, ("the photo's file cannot be read", "无法读取照片文件")),
    "embedding_invalid": Entry("photo", NOBODY, ("not a direction in 128 dimensions", "不是有效的 128 维特征")),
}
