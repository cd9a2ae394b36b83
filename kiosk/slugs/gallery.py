"""The gallery, and what is found in it."""

from kiosk.slugs.entry import NOBODY, Entry

GALLERY: dict[str, Entry] = {
    "similar_person": Entry("gallery", NOBODY, ("two people hard to tell apart", "两人难以区分")),
    "enrolled_twice": Entry("gallery", NOBODY, ("two people who may be one", "两个人员可能是同一人")),
    "too_few_photos": Entry("gallery", NOBODY, ("fewer references than wanted: add photos", "参考照片不足，请补充")),
    "reference_poor": Entry("gallery", NOBODY, ("no good reference: take a better photo", "参考照片质量差，请重拍")),
    "reference_masked": Entry("gallery", NOBODY, ("references with a mask on: take them without", "参考照片佩戴口罩，请重拍")),
    "model_expired": Entry("gallery", NOBODY, ("references of another model: enrol again", "参考特征来自其他模型，请重新登记")),
    "group_not_searched": Entry(
        "gallery", NOBODY, ("in no group that on_device.group_ids searches: never recognised", "不在被搜索的人员组中，无法识别")
    ),
    "gallery_missing": Entry("gallery", NOBODY, ("there is no gallery: enrol somebody first", "找不到本机人员库，请先登记人员")),
    "id_unusable": Entry("gallery", NOBODY, ("an id has up to 64 letters, digits and %@#&_-", "编号限 64 个字母、数字或 %@#&_-")),
    "nothing_to_import": Entry("gallery", NOBODY, ("there is nothing to import", "没有可导入的内容")),
    "embeddings_unusable": Entry("gallery", NOBODY, ("the file of embeddings cannot be used", "特征文件无法使用")),
    "people_unusable": Entry("gallery", NOBODY, ("the list of people cannot be used", "人员列表无法使用")),
    "unconfirmed": Entry("gallery", NOBODY, ("not confirmed: nothing was changed", "未确认，未作任何更改")),
    "file_exists": Entry("gallery", NOBODY, ("the file exists", "文件已存在")),
    "file_unwritable": Entry("gallery", NOBODY, ("the file cannot be written", "文件无法写入")),
    "picture_not_fetched": Entry(
        "photo", NOBODY, ("the address is not on the list, or gave no picture in time", "图片地址不在允许列表中，或下载失败")
    ),
}
