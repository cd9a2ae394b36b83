"""What was seen as shapes on the photo. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from kiosk.domain import Box, Point
from kiosk.look.gauges import readings
from kiosk.look.seeing import liveness
from kiosk.ports import AnalysedFace, AnalysedPhoto, Dots, Outline, Shape
from kiosk.settings import QualitySettings

_CROWD = 4
"""Faces beyond which what is told of one would cover another: they get their number alone."""
_POINTS = "eyes, nose, mouth"
_MOST_DEFECTS = 4


def shapes_of(photo: AnalysedPhoto, settings: QualitySettings) -> list[Shape]:
    """In pixels of the photo as it was before it was turned."""
    crowd = len(photo.faces) > _CROWD
    shapes: list[Shape] = []
    for number, seen in enumerate(photo.faces, 1):
        face = seen.face
        shapes.append(Dots(_POINTS, tuple(_before(point, photo) for point in face.points)))
        lines = (str(number),) if crowd else (f"face {number}: grade {seen.quality.grade}", *_lines(seen, settings))
        shapes.append(Outline(_box_before(face.box, photo), lines))
    return shapes


def _lines(seen: AnalysedFace, settings: QualitySettings) -> Iterator[str]:
    yield from (slug.replace("_", " ") for slug in seen.quality.defects[:_MOST_DEFECTS])
    for gauge, value in readings(seen, settings):
        if value is not None:
            yield f"{gauge.name} {gauge.written(value)}".replace("°", " deg")
    yield f"mask: {seen.quality.mask.replace('_', ' ')}"
    alive = liveness(seen)
    if alive is not None:
        yield f"liveness {alive:.0f}"


def _box_before(box: Box, photo: AnalysedPhoto) -> Box:
    (x, y), (right, bottom) = (_before(corner, photo) for corner in ((box.x, box.y), (box.right, box.bottom)))
    return Box(min(x, right), min(y, bottom), abs(right - x), abs(bottom - y))


def _before(point: Point, photo: AnalysedPhoto) -> Point:
    """The point, before so many quarter turns clockwise made the photo this wide and high."""
    x, y = point
    return ((x, y), (y, photo.width - x), (photo.width - x, photo.height - y), (photo.height - y, x))[photo.turned]
