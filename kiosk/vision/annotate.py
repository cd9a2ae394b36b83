"""Draws what the eye saw, for the status page."""

from __future__ import annotations

import cv2

from kiosk.domain import Box, Face, QualityReport
from kiosk.vision.examiner import Examination
from kiosk.vision.pixels import Image, encode_jpeg, shrink

WIDTH = 960
"""Pixels of the picture at most."""
_QUALITY = 80
_Colour = tuple[int, int, int]
_GREEN, _AMBER, _GREY, _INK, _PAPER = (110, 190, 70), (60, 170, 245), (170, 170, 170), (30, 30, 30), (255, 255, 255)
_FONT, _TEXT_SCALE = cv2.FONT_HERSHEY_DUPLEX, 0.45
_CORNER = 0.22
"""Of the box's short side: how long its corners are drawn."""


def draw(image: Image, seen: Examination) -> bytes:
    """JPEG at most 960 px wide: each face framed, with its presentation, grade and what it was told. `image` is not changed."""
    factor = min(1.0, WIDTH / image.shape[1])
    canvas = shrink(image, factor).copy()
    for face, report in seen.faces:
        colour = _GREEN if report.usable else _AMBER if face.track in seen.present[:1] else _GREY
        frame(canvas, face.box.scaled(factor), colour)
        _label(canvas, face.box.scaled(factor), _line(face, report, seen.told.get(face.track, "")), colour)
    return encode_jpeg(canvas, _QUALITY)


def _line(face: Face, report: QualityReport, told: str) -> str:
    sharpness = report.measures["Sharpness"]
    parts = [f"{face.track}", f"grade {report.grade}", told.replace("_", " ")]
    if sharpness >= 0:
        parts.append(f"sharp {sharpness:.0f}")
    return "  ".join(part for part in parts if part)


def frame(canvas: Image, box: Box, colour: tuple[int, int, int]) -> None:
    """Draws the box's four corners."""
    reach = box.short_side * _CORNER
    for x, towards in ((box.x, reach), (box.right, -reach)):
        for y, downwards in ((box.y, reach), (box.bottom, -reach)):
            corner = round(x), round(y)
            cv2.line(canvas, corner, (round(x + towards), corner[1]), colour, 2, cv2.LINE_AA)
            cv2.line(canvas, corner, (corner[0], round(y + downwards)), colour, 2, cv2.LINE_AA)


def _label(canvas: Image, box: Box, text: str, colour: _Colour) -> None:
    """On a plate over the box, under it where there is no room, always inside the picture."""
    (width, height), _ = cv2.getTextSize(text, _FONT, _TEXT_SCALE, 1)
    plate = height + 10
    left = min(max(round(box.x), 0), max(canvas.shape[1] - width - 12, 0))
    above = round(box.y) - plate - 6
    top = above if above >= 0 else min(round(box.bottom) + 6, canvas.shape[0] - plate)
    cv2.rectangle(canvas, (left, top), (left + width + 12, top + plate), colour, cv2.FILLED)
    ink = _PAPER if colour == _GREEN else _INK
    cv2.putText(canvas, text, (left + 6, top + plate - 6), _FONT, _TEXT_SCALE, ink, 1, cv2.LINE_AA)
