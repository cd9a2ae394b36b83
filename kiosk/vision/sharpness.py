"""Measures what a face's pixels say about light and blur."""

from __future__ import annotations

from itertools import starmap
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.vision.pixels import Grey

CHIP = 160
"""Pixels across the face at which detail is measured, so that it means the same near and far."""
_MID_GREY = 128.0
_DARKEST = 1.0
"""Keeps the division finite in front of a covered lens."""


class Light(NamedTuple):
    """`luma`: mean luma of the face, 0–255. `detail`: see `detail_of`."""

    luma: float
    detail: float


def measure(face: Grey) -> Light:
    """`face`: the part of the picture inside its box, not empty."""
    luma = face.astype(np.float32)
    return Light(float(luma.mean()), detail_of(luma))


def detail_of(luma: NDArray[np.float32]) -> float:
    """The smallest of four directional second derivatives of a face, as if it were 160 px wide and of mean luma 128.

    The smallest, because motion blurs in one direction only; relative to the mean, because a dark face is
    not a blurred one; in float, because rounding to whole grey values alone makes 0.6. On 20 portraits and
    selfies: sharp ≥ 1.45 with the face 80 px wide, ≥ 1.9 from 100 px, 3.2–8.4 from 160 px; Gaussian blur of
    σ 2 px at 160 px across ≤ 1.19. Noise adds to it: blur under strong noise is not seen.
    """
    factor = CHIP / luma.shape[1]
    size = CHIP, max(round(luma.shape[0] * factor), 3)
    chip = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR), dtype=np.float32)
    twice = chip[1:-1, 1:-1] * 2
    along = (chip[1:-1, :-2], chip[1:-1, 2:]), (chip[:-2, 1:-1], chip[2:, 1:-1])
    across = (chip[:-2, :-2], chip[2:, 2:]), (chip[:-2, 2:], chip[2:, :-2])

    def bend(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
        return float(np.abs(before + after - twice).mean())

    # A diagonal step is √2 long, so its second derivative is worth half.
    smallest = min(*starmap(bend, along), *(bend(*pair) / 2 for pair in across))
    return smallest * _MID_GREY / max(float(luma.mean()), _DARKEST)
