"""Finds faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box, Face, FivePoints
from kiosk.vision.pixels import Image

MIN_SCORE = 0.7
"""Of 85 pictures without faces YuNet reports two at this score, both real profiles; of faces it misses hardly any."""
SURE_WIDTH = 40.0
"""Pixels of a face in the copy it was found in. From 32 px on, people were told apart as well by the points found there as by
those of a copy twice as wide; with faces of 16 to 26 px the cosine of the same person fell by 0.09."""
SAME_OVERLAP = 0.3
"""Intersection over union from which two finds are one face: YuNet's own."""
_TURN_MARGIN = 0.02
"""YuNet finds most faces that lie on their side or stand on their head, and gives them upright points all the same. But on 83
pictures of 19 people it always gave the upright ones the highest score, by 0.036 at least."""


class Finder:
    """YuNet on copies of the picture that are `widths` pixels wide, narrowest first; a narrower picture is taken as it is.

    A face that fills a picture of 640 px is missed in 7 of 20, found at 320 px always; a small one the other way round.
    Threads: one at a time.
    """

    def __init__(self, model: Path, *widths: int) -> None:
        self._widths = sorted(widths)
        self._net = cv2.FaceDetectorYN.create(str(model), "", (widths[0], widths[0]), MIN_SCORE)

    def find(self, image: Image, *, every: bool = True) -> list[Face]:
        """The faces in the picture (BGR), the largest first, in pixels of the picture as given.

        Not `every`: only the largest matters, so wider copies are left out once its points are sure; small faces may be missing.
        """
        found: list[Face] = []
        sure_from = 0.0
        for width in self._widths:
            factor = min(1.0, width / image.shape[1])
            found = _merged(found, self._find(_small(image, factor), 1 / factor), sure_from)
            sure_from = SURE_WIDTH / factor
            if factor == 1 or (found and not every and found[0].box.width >= sure_from):
                break
        return found

    def quarter_turns(self, image: Image) -> int:
        """By how many quarter turns clockwise, 0–3, the picture's faces come to stand upright; 0 where it shows none."""
        for width in self._widths:
            small = _small(image, min(1.0, width / max(image.shape[:2])))
            scores = [max((face.score for face in self._find(turned(small, turns), 1.0)), default=0.0) for turns in range(4)]
            best = int(np.argmax(scores))
            if scores[best] > 0:
                return best if scores[best] > scores[0] + _TURN_MARGIN else 0
        return 0

    def _find(self, small: Image, scale: float) -> list[Face]:
        """The largest first, in pixels of a picture `scale` times as large."""
        self._net.setInputSize((small.shape[1], small.shape[0]))
        # None where there is no face, which OpenCV's type stub leaves out.
        rows: Any = self._net.detect(small)[1]
        found = [_face(row, scale) for row in (() if rows is None else rows) if np.isfinite(row).all() and min(row[2:4]) > 0]
        return sorted(found, key=lambda face: -face.box.area)


def turned(image: Image, turns: int) -> Image:
    """The picture after so many quarter turns clockwise."""
    return np.ascontiguousarray(np.rot90(image, -turns))


def _small(image: Image, factor: float) -> Image:
    """As `pixels.shrink`, within a grey level, but by halves first, which OpenCV does many times faster."""
    height, width = (max(round(side * factor), 1) for side in image.shape[:2])
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        image = _sized(image, image.shape[1] // 2, image.shape[0] // 2)
    return _sized(image, width, height)


def _sized(image: Image, width: int, height: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _merged(coarse: list[Face], fine: list[Face], sure_from: float) -> list[Face]:
    """The largest first, each once: as the coarse look saw it where it is so many pixels wide, else as the fine one did."""
    once = [face for face in coarse if face.box.width >= sure_from]
    for face in (*fine, *coarse):
        if all(face.box.overlap(known.box) < SAME_OVERLAP for known in once):
            once.append(face)
    return sorted(once, key=lambda face: -face.box.area)


def _face(row: NDArray[np.float32], scale: float) -> Face:
    """`row`: x, y, width, height, five points as x, y pairs, score."""
    x, y, width, height, *points, score = (float(value) for value in row)
    pairs = tuple((px * scale, py * scale) for px, py in zip(points[::2], points[1::2], strict=True))
    return Face(box=Box(x, y, width, height).scaled(scale), score=min(max(score, 0.0), 1.0), points=_five(pairs))


def _five(pairs: tuple[tuple[float, float], ...]) -> FivePoints:
    right_eye, left_eye, nose, right_mouth, left_mouth = pairs
    return right_eye, left_eye, nose, right_mouth, left_mouth
