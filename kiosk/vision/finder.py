"""Finds faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box, Face, FivePoints
from kiosk.vision.pixels import Image, shrink

MIN_SCORE = 0.7
"""Of 85 pictures without faces YuNet reports two at this score, both real profiles; of faces ≥ 5 % of the width it misses none."""


class Finder:
    """YuNet on a copy of the frame that is `width` pixels wide; a narrower frame is taken as it is.

    Threads: one at a time.
    """

    def __init__(self, model: Path, width: int) -> None:
        self._width = width
        self._net = cv2.FaceDetectorYN.create(str(model), "", (width, width), MIN_SCORE)

    def find(self, image: Image) -> list[Face]:
        """Every face in the picture (BGR), the largest first, in pixels of the picture as given."""
        factor = min(1.0, self._width / image.shape[1])
        small = shrink(image, factor)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        _, rows = self._net.detect(small)
        # OpenCV returns None where there is no face, which its type stub leaves out.
        faces = [_face(row, 1 / factor) for row in (rows if rows is not None else ()) if np.isfinite(row).all() and min(row[2:4]) > 0]
        return sorted(faces, key=lambda face: -face.box.area)


def _face(row: NDArray[np.float32], scale: float) -> Face:
    """`row`: x, y, width, height, five points as x, y pairs, score."""
    x, y, width, height, *points, score = (float(value) for value in row)
    pairs = tuple((px * scale, py * scale) for px, py in zip(points[::2], points[1::2], strict=True))
    return Face(box=Box(x, y, width, height).scaled(scale), score=min(max(score, 0.0), 1.0), points=_five(pairs))


def _five(pairs: tuple[tuple[float, float], ...]) -> FivePoints:
    right_eye, left_eye, nose, right_mouth, left_mouth = pairs
    return right_eye, left_eye, nose, right_mouth, left_mouth
