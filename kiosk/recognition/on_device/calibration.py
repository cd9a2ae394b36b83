"""From cosines to the 0–100 scale that thresholds and vendors speak.

Provisional: fitted by hand, on SFace's published threshold for LFW (cosine 0.363, where the false
match rate is about one in a thousand) and on the product's small test set of real photos (genuine
pairs 0.49–0.95, impostors up to 0.42). It is monotone, so it never changes who comes first; what a
score means as a false match rate has not been measured on a population.
"""

from __future__ import annotations

from itertools import pairwise

KNOTS: tuple[tuple[float, float], ...] = (
    (-1.0, 0.0),
    (0.0, 2.0),
    (0.2, 28.0),
    (0.363, 57.0),  # where LFW's authors' threshold lies: not yet a match by the vendor's advice
    (0.42, 67.0),  # the closest impostor of the test set
    (0.5, 82.0),
    (0.6, 88.5),
    (0.8, 95.5),
    (0.95, 98.5),
    (1.0, 100.0),
)
"""Cosine and confidence, both rising; straight lines between."""


def confidence(cosine: float) -> float:
    """0–100, rising with `cosine`; cosines that rounding drove out of −1…1 count as the bound."""
    at = min(max(cosine, -1.0), 1.0)
    for (left, low), (right, high) in pairwise(KNOTS):
        if at <= right:
            return low + (high - low) * (at - left) / (right - left)
    raise AssertionError("a cosine is a number")
