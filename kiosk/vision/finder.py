"""Finds faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box, Face, FivePoints
from kiosk.vision.pixels import Image, shrink

MIN_SCORE = 0.7
"""Of 85 pictures without faces YuNet reports two at this score, both real profiles; of faces it misses hardly any."""


class Finder:
    """YuNet on a copy of the picture that is `widths` pixels wide; a narrower picture is taken as it is.

    Each further width is tried only where the one before found nothing. A face that fills a picture of 640 px
    is missed in 7 of 20, found at 320 px always; a small one the other way round. Threads: one at a time.
    """

    def __init__(self, model: Path, *widths: int) -> None:
        self._widths = widths
        self._net = cv2.FaceDetectorYN.create(str(model), "", (widths[0], widths[0]), MIN_SCORE)

    def find(self, image: Image) -> list[Face]:
        """Every face in the picture (BGR), the largest first, in pixels of the picture as given."""
        for width in self._widths:
            faces = self._find(image, min(1.0, width / image.shape[1]))
            if faces:
                return sorted(faces, key=lambda face: -face.box.area)
        return []

    def _find(self, image: Image, factor: float) -> list[Face]:
        small = shrink(image, factor)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        # None where there is no face, which OpenCV's type stub leaves out.
        rows: Any = self._net.detect(small)[1]
        return [_face(row, 1 / factor) for row in (() if rows is None else rows) if np.isfinite(row).all() and min(row[2:4]) > 0]


def _face(row: NDArray[np.float32], scale: float) -> Face:
    """`row`: x, y, width, height, five points as x, y pairs, score."""
    x, y, width, height, *points, score = (float(value) for value in row)
    pairs = tuple((px * scale, py * scale) for px, py in zip(points[::2], points[1::2], strict=True))
    return Face(box=Box(x, y, width, height).scaled(scale), score=min(max(score, 0.0), 1.0), points=_five(pairs))


def _five(pairs: tuple[tuple[float, float], ...]) -> FivePoints:
    right_eye, left_eye, nose, right_mouth, left_mouth = pairs
    return right_eye, left_eye, nose, right_mouth, left_mouth
