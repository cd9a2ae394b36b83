"""Measures how light falls on a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiosk.vision.measures import Exposure
from kiosk.vision.pixels import Grey, shrink

CHIP = 96
"""Pixels across the face at which light is measured: grain and single bright pixels are gone."""
DARK, CLIPPED = 25, 247
"""Grey values up to and from which OFIQ counts a pixel as under- and over-exposed."""
_RIGHT, _LEFT = (0.15, 0.45), (0.55, 0.85)
_CHEEKS = (0.35, 0.8)
"""Of the box: the person's right and left half of the face without its border, and from the eyes to the mouth."""
_BINS = 16


def exposure(face: Grey) -> Exposure:
    """`face`: the part of the picture inside its box, not empty."""
    luma = shrink(face, CHIP / face.shape[1])
    counts = np.bincount(luma.ravel(), minlength=256) / luma.size
    shares = counts[counts > 0]
    return Exposure(
        dark=float(counts[: DARK + 1].sum()),
        clipped=float(counts[CLIPPED:].sum()),
        entropy=abs(float((shares * np.log2(shares)).sum())),
        evenness=_evenness(luma),
    )


def _evenness(luma: Grey) -> float:
    """How much the histograms of the two halves of the face have in common, 0–1."""
    height, width = luma.shape
    rows = slice(round(_CHEEKS[0] * height), max(round(_CHEEKS[1] * height), 1))
    right, left = (_histogram(luma[rows, round(a * width) : max(round(b * width), 1)]) for a, b in (_RIGHT, _LEFT))
    return float(np.minimum(right, left).sum())


def _histogram(part: Grey) -> NDArray[np.float64]:
    counts = np.bincount(part.ravel() // (256 // _BINS), minlength=_BINS)
    return np.asarray(counts / max(counts.sum(), 1), np.float64)
