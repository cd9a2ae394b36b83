"""Where the faces of a picture are, how good they are, and where their parts lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from kiosk.domain import Degrees, Percent, Ratio
from kiosk.recognition.tencent.bounds import OneOf, Words
from kiosk.recognition.tencent.iai.fields import (
    Address,
    Extent,
    FacesToDetect,
    Flag,
    Largest,
    Model,
    Photo,
    Pixel,
    Rect,
)
from kiosk.recognition.tencent.iai.wire import MODEL, Answer, Interface

_ONE = (("image", "url"),)
ATTRIBUTES = frozenset(
    {
        *("none", "age", "beauty", "emotion", "eye", "eyebrow", "gender", "hair", "hat", "headpose", "mask", "mouth"),
        *("moustache", "nose", "shape", "skin", "smile"),
    }
)


class Point(Struct, frozen=True, rename="pascal"):
    x: Pixel
    y: Pixel


One = Annotated[list[Point], Meta(min_length=1, max_length=1)]
Eight = Annotated[list[Point], Meta(min_length=8, max_length=8)]


class FaceShape(Struct, frozen=True, rename="pascal"):
    """90 points of one face, in pixels, by part; left and right as the picture shows them."""

    face_profile: Annotated[list[Point], Meta(min_length=21, max_length=21)]
    left_eye: Eight
    right_eye: Eight
    left_eye_brow: Eight
    right_eye_brow: Eight
    mouth: Annotated[list[Point], Meta(min_length=22, max_length=22)]
    nose: Annotated[list[Point], Meta(min_length=13, max_length=13)]
    left_pupil: One
    right_pupil: One

    def parts(self) -> Mapping[str, list[Point]]:
        """Each part's points under its name."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class Completeness(Struct, frozen=True, rename="pascal"):
    """How free each part is: below 80, 80, 60, 70, 50, 70 it counts as covered."""

    eyebrow: Percent | None = None
    eye: Percent | None = None
    nose: Percent | None = None
    cheek: Percent | None = None
    mouth: Percent | None = None
    chin: Percent | None = None


class FaceQuality(Struct, frozen=True, rename="pascal"):
    """Meaningful only where `need_quality_detection` was asked for, and then for the 30 largest faces; else zeros."""

    score: Percent | None = None
    sharpness: Percent | None = None
    brightness: Percent | None = None
    completeness: Completeness | None = None


class FaceHair(Struct, frozen=True, rename="pascal"):
    length: int | None = None
    bang: int | None = None
    color: int | None = None


class FaceAttributes(Struct, frozen=True, rename="pascal"):
    """Meaningful only where `need_face_attributes` was asked for, and then for the 5 largest faces; else zeros.

    `gender`: 0–49 female, 50–100 male; angles in degrees.
    """

    gender: Percent | None = None
    age: Percent | None = None
    expression: Percent | None = None
    glass: bool | None = None
    pitch: Degrees | None = None
    yaw: Degrees | None = None
    roll: Degrees | None = None
    beauty: Percent | None = None
    hat: bool | None = None
    mask: bool | None = None
    hair: FaceHair | None = None
    eye_open: bool | None = None


class FaceInfo(Struct, frozen=True, rename="pascal"):
    """A face; `x` and `y` may be negative."""

    x: Pixel
    y: Pixel
    width: Extent
    height: Extent
    face_attributes_info: FaceAttributes | None = None
    face_quality_info: FaceQuality | None = None


class Attribute(Struct, frozen=True, rename="pascal"):
    """`type`: what the vendor's table calls it; `probability` 0–1."""

    type: int
    probability: Ratio


class HeadPose(Struct, frozen=True, rename="pascal"):
    pitch: Degrees
    yaw: Degrees
    roll: Degrees


Named = dict[str, Attribute | None]
"""Attributes of one part under the vendor's names, such as EyeOpen."""


class FaceDetail(Struct, frozen=True, rename="pascal"):
    """What was not asked for comes as zeros."""

    age: Percent | None = None
    beauty: Percent | None = None
    smile: Percent | None = None
    head_pose: HeadPose | None = None
    emotion: Attribute | None = None
    gender: Attribute | None = None
    mask: Attribute | None = None
    moustache: Attribute | None = None
    nose: Attribute | None = None
    shape: Attribute | None = None
    skin: Attribute | None = None
    eye: Named | None = None
    eyebrow: Named | None = None
    hair: Named | None = None
    hat: Named | None = None
    mouth: Named | None = None


class FaceDetailInfo(Struct, frozen=True, rename="pascal"):
    face_rect: Rect
    face_detail_attributes_info: FaceDetail


class Analysed(Answer, frozen=True):
    """At most ten faces."""

    image_width: Extent
    image_height: Extent
    face_shape_set: Annotated[list[FaceShape], Meta(max_length=10)]
    face_model_version: str = ""


class Detected(Answer, frozen=True):
    """The largest face first."""

    image_width: Extent
    image_height: Extent
    face_infos: Annotated[list[FaceInfo], Meta(max_length=120)]
    face_model_version: str = ""


class Described(Answer, frozen=True):
    image_width: Extent
    image_height: Extent
    face_detail_infos: Annotated[list[FaceDetailInfo], Meta(max_length=120)]
    face_model_version: str = ""


class AnalyzeFace(Interface[Analysed], frozen=True):
    """`mode` 0: all faces, 1: the largest."""

    GROUP = "five_sense"
    EITHER = _ONE

    mode: Largest = None
    image: Photo = None
    url: Address = None
    face_model_version: Model = MODEL
    need_rotate_detection: Flag = None


class DetectFace(Interface[Detected], frozen=True):
    """`min_face_size` 34 (the vendor's default) or 20 pixels; `max_face_num` 1 where it is left out."""

    GROUP = "detection"
    EITHER = _ONE

    max_face_num: FacesToDetect = None
    min_face_size: Annotated[int | None, OneOf((20, 34))] = None
    image: Photo = None
    url: Address = None
    need_face_attributes: Flag = None
    need_quality_detection: Flag = None
    face_model_version: Model = MODEL
    need_rotate_detection: Flag = None


class DetectFaceAttributes(Interface[Described], frozen=True):
    """`face_attributes_type`: words of ATTRIBUTES, comma between; for the 5 largest faces."""

    GROUP = "detection"
    EITHER = _ONE

    max_face_num: FacesToDetect = None
    image: Photo = None
    url: Address = None
    face_attributes_type: Annotated[str | None, Words(ATTRIBUTES)] = None
    need_rotate_detection: Flag = None
    face_model_version: Model = MODEL
