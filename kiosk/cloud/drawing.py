"""Answers as shapes on the photo they are about."""

from __future__ import annotations

from collections.abc import Iterator
from math import atan2, degrees, hypot
from typing import Any

from msgspec import Struct

from kiosk.domain import Box
from kiosk.ports import Dots, Outline, Shape
from kiosk.recognition.tencent.iai.detecting import Analysed, Described, Detected, FaceInfo, FaceShape
from kiosk.recognition.tencent.iai.fields import Rect

_JOINED = {"face_profile": False, "left_eye": True, "right_eye": True, "left_eye_brow": True, "right_eye_brow": True}
"""Parts whose points follow a line, and whether it is closed. Of mouth and nose the documents do not say."""

_CROWD = 6
"""Faces beyond which their measures would cover each other."""


class FaceSummary(Struct, frozen=True):
    """What 90 points come to. `x` to `height`: the box around them; `between_pupils`: pixels; `tilt`: degrees, the line
    through the pupils against the picture's lower edge.
    """

    x: int
    y: int
    width: int
    height: int
    points: int
    between_pupils: float
    tilt: float


def summary(shape: FaceShape) -> FaceSummary:
    points = [point for part in shape.parts().values() for point in part]
    left, top = min(point.x for point in points), min(point.y for point in points)
    right, bottom = max(point.x for point in points), max(point.y for point in points)
    (one,), (other,) = shape.left_pupil, shape.right_pupil
    first, second = sorted((one, other), key=lambda pupil: pupil.x)
    across, down = second.x - first.x, second.y - first.y
    return FaceSummary(
        left, top, right - left, bottom - top, len(points), round(hypot(across, down), 1), round(degrees(atan2(down, across)), 1)
    )


def of_points(found: Analysed) -> list[Shape]:
    """Every face's points by part, in a box with what they come to."""
    shapes: list[Shape] = []
    for number, shape in enumerate(found.face_shape_set, 1):
        for name, points in shape.parts().items():
            joined = name in _JOINED
            label = name.replace("_", " ").replace("eye brow", "eyebrow")
            dots = tuple((point.x, point.y) for point in points)
            shapes.append(Dots(label, dots, joined=joined, closed=_JOINED.get(name, False)))
        total = summary(shape)
        box = Box(total.x, total.y, max(total.width, 1), max(total.height, 1)).grown(0.06)
        lines = (
            f"face {number}: {total.points} points",
            f"{total.width} x {total.height} px",
            f"pupils {total.between_pupils:g} px apart",
            f"tilt {total.tilt:+g} deg",
        )
        shapes.append(Outline(box, lines))
    return shapes


def of_boxes(found: Detected) -> list[Shape]:
    """Every face's box with its measures; in a crowd with its number alone, by which the table tells them."""
    crowd = len(found.face_infos) > _CROWD
    boxes = ((number, _box(face), face) for number, face in enumerate(found.face_infos, 1))
    return [
        Outline(box, (f"{number}",) if crowd else (_title(number, face), *_measures(face))) for number, box, face in boxes if box
    ]


def of_descriptions(found: Described, words: str) -> list[Shape]:
    """Every face's box with what was asked for."""
    shapes: list[Shape] = []
    asked = {word.strip().casefold() for word in words.split(",")}
    for number, info in enumerate(found.face_detail_infos, 1):
        box = _box(info.face_rect)
        if box:
            lines = tuple(_described(info.face_detail_attributes_info, asked))
            shapes.append(Outline(box, (_title(number, info.face_rect), *lines[:19])))
    return shapes


def _box(face: FaceInfo | Rect) -> Box | None:
    """A face without extent has none to draw."""
    return Box(face.x, face.y, face.width, face.height) if face.width and face.height else None


def _title(number: int, face: FaceInfo | Rect) -> str:
    return f"face {number}: {face.width} x {face.height} px"


def _measures(face: FaceInfo) -> Iterator[str]:
    quality, seen = face.face_quality_info, face.face_attributes_info
    if quality:
        yield from _named(("quality", quality.score), ("sharpness", quality.sharpness), ("brightness", quality.brightness))
        free = _free(quality.completeness)
        if free:
            yield f"covered: {', '.join(name for name, value in free if value < _COVERED[name]) or 'nothing'}"
    if seen:
        yield from _named(("yaw", seen.yaw), ("pitch", seen.pitch), ("roll", seen.roll), ("age", seen.age or None))
        worn = [name for name in ("mask", "glass", "hat") if getattr(seen, name)]
        yield f"wears: {', '.join(worn) or 'nothing'}"


_COVERED = {"eyebrow": 80, "eye": 80, "nose": 60, "cheek": 70, "mouth": 50, "chin": 70}
"""Below these a part counts as covered (tencentcloud-sdk-python-iai 3.1.191, FaceQualityCompleteness)."""


def _free(completeness: Any) -> list[tuple[str, float]]:
    parts = ((name, getattr(completeness, name, None)) for name in _COVERED)
    return [(name, value) for name, value in parts if value is not None]


def _named(*measures: tuple[str, float | None]) -> Iterator[str]:
    yield from (f"{name} {value:.0f}" for name, value in measures if value is not None)


def _described(detail: Any, asked: set[str]) -> Iterator[str]:
    for name in detail.__struct_fields__:
        value = getattr(detail, name)
        if name.replace("_", "") not in asked or value is None:
            continue
        if isinstance(value, dict):
            yield from (f"{name} {key}: {each.type} ({each.probability:.2f})" for key, each in value.items() if each)
        elif name == "head_pose":
            yield from _named(("yaw", value.yaw), ("pitch", value.pitch), ("roll", value.roll))
        elif isinstance(value, Struct):
            yield f"{name}: {getattr(value, 'type', '')} ({getattr(value, 'probability', 0.0):.2f})"
        else:
            yield f"{name}: {value:.0f}"
