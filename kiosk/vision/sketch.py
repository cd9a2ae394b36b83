"""Draws what an interface answered on the photo it was asked about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import dist

import cv2
import numpy as np

from kiosk.domain import Box, Point
from kiosk.ports import Dots, Outline, Shape
from kiosk.vision.annotate import frame
from kiosk.vision.photo import decode, read_header
from kiosk.vision.pixels import Image, cut, shrink

LONGEST = 1600
"""Pixels of the picture's long side at most: then even a PNG of noise fits into a message."""
LEAST = 900
"""Pixels of the long side at least: smaller photos are enlarged, so that text and points do not cover them."""
_Colour = tuple[int, int, int]
_FRAME, _PLATE, _INK = (110, 190, 70), (34, 30, 28), (245, 245, 245)
_PALETTE: Sequence[_Colour] = (
    *((90, 220, 120), (255, 190, 60), (60, 150, 255), (230, 120, 255), (80, 230, 255)),
    *((255, 120, 120), (150, 255, 200), (200, 200, 90), (130, 130, 255)),
)
_FONT, _TEXT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.5
_LINE, _PAD, _GAP = 21, 9, 10
"""Pixels: height of a line of text, between a plate's edge and its text, between a box and its plate."""
_PLATE_WEIGHT = 0.78
"""How much of a plate hides what is behind it."""


def sketch(photo: bytes, shapes: Sequence[Shape]) -> bytes:
    """A PNG of the upright photo, 900–1600 px long, with the shapes, and a legend of the points' labels.

    Raises PhotoRejected as `kiosk.vision.photo.decode` does.
    """
    image = decode(photo, read_header(photo))
    factor = min(max(1.0, LEAST / max(image.shape[:2])), LONGEST / max(image.shape[:2]))
    canvas = _sized(image, factor)
    dots = [shape for shape in shapes if isinstance(shape, Dots)]
    outlines = [shape for shape in shapes if isinstance(shape, Outline)]
    colours = {label: _PALETTE[i % len(_PALETTE)] for i, label in enumerate(dict.fromkeys(shape.label for shape in dots))}
    for shape in dots:
        _dot(canvas, shape, factor, colours[shape.label])
    taken = [outline.box.scaled(factor) for outline in outlines]
    for outline, box in zip(outlines, list(taken), strict=True):
        frame(canvas, box, _FRAME)
        if outline.lines:
            taken.append(_measures(canvas, box, outline.lines, taken))
    _legend(canvas, colours)
    done, buffer = cv2.imencode(".png", canvas)
    assert done, "a picture in memory always encodes"
    return buffer.tobytes()


def _sized(image: Image, factor: float) -> Image:
    if factor <= 1:
        return shrink(image, factor).copy()
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _dot(canvas: Image, shape: Dots, factor: float, colour: _Colour) -> None:
    points = [(round(x * factor), round(y * factor)) for x, y in shape.points]
    if shape.joined:
        line = [np.array(points, dtype=np.int32)]
        cv2.polylines(canvas, line, shape.closed, colour, 1, cv2.LINE_AA)
    radius = 4 if len(points) == 1 else 3 if _spacing(points) > 12 else 2
    for point in points:
        cv2.circle(canvas, point, radius, _PLATE, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(canvas, point, radius - 1, colour, cv2.FILLED, cv2.LINE_AA)


def _spacing(points: Sequence[Point]) -> float:
    """Pixels from a point to the next, on average."""
    steps = [dist(one, other) for one, other in pairwise(points)]
    return sum(steps) / len(steps)


def _measures(canvas: Image, box: Box, lines: Sequence[str], taken: Iterable[Box]) -> Box:
    """Right of the box, left of it, under or over it, wherever it covers least of what is `taken`; gives the place."""
    height, width = canvas.shape[:2]
    wide, high = _plate_size(lines)
    beside = ((box.right + _GAP, box.y), (box.x - _GAP - wide, box.y), (box.x, box.bottom + _GAP), (box.x, box.y - _GAP - high))
    inside = (
        Box(min(max(round(x), 0), max(width - wide, 0)), min(max(round(y), 0), max(height - high, 0)), wide, high)
        for x, y in beside
    )
    place = min(inside, key=lambda plate: sum(plate.intersection(other) for other in taken))
    _plate(canvas, place)
    _write(canvas, place, lines)
    return place


def _legend(canvas: Image, colours: Mapping[str, _Colour]) -> None:
    """Bottom left."""
    if not colours:
        return
    wide, high = _plate_size(colours)
    place = Box(_GAP, max(canvas.shape[0] - high - _GAP, 0), wide + _LINE, high)
    _plate(canvas, place)
    for row, colour in enumerate(colours.values()):
        centre = _GAP + _PAD + 5, round(place.y) + _PAD + row * _LINE + _LINE // 2
        cv2.circle(canvas, centre, 5, colour, cv2.FILLED, cv2.LINE_AA)
    _write(canvas, place.moved(_LINE, 0), colours)


def _plate_size(lines: Iterable[str]) -> tuple[int, int]:
    texts = [_drawable(line) for line in lines]
    wide = max(cv2.getTextSize(text, _FONT, _TEXT_SCALE, 1)[0][0] for text in texts)
    return wide + 2 * _PAD, len(texts) * _LINE + 2 * _PAD


def _plate(canvas: Image, place: Box) -> None:
    part, _ = cut(canvas, place)
    part[:] = (part * (1 - _PLATE_WEIGHT) + np.array(_PLATE) * _PLATE_WEIGHT).astype(np.uint8)


def _write(canvas: Image, place: Box, lines: Iterable[str]) -> None:
    for row, line in enumerate(lines):
        base = round(place.x) + _PAD, round(place.y) + _PAD + row * _LINE + _LINE - 6
        cv2.putText(canvas, _drawable(line), base, _FONT, _TEXT_SCALE, _INK, 1, cv2.LINE_AA)


def _drawable(line: str) -> str:
    """OpenCV's fonts have ASCII alone."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in line)
