"""From cosines to the 0–100 scales that thresholds and vendors speak.

Provisional: fitted by hand, on SFace's published threshold for LFW (cosine 0.363, where the false
match rate is about one in a thousand) and on the product's small test set of real photos (genuine
pairs 0.49–0.95, impostors up to 0.42). Every scale is monotone, so none changes who comes first; what
a score means as a false match rate has not been measured on a population. The rates of one in ten
thousand and rarer are guesses towards the strict side.
"""

from __future__ import annotations

import math
from itertools import pairwise

Knots = tuple[tuple[float, float], ...]
"""Cosine and score, both rising; straight lines between."""

KNOTS: Knots = (
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
"""Of `confidence`."""

_STRANGERS = ((-1.0, 0.0), (0.0, 0.05), (0.2, 0.45))
"""Cosine, and the share of the way from 0 to the score that stands for a rate of one in a thousand."""
_RATES = (0.363, 0.44, 0.5)
"""Cosines taken for false match rates of 1e-3, 1e-4 and 1e-5."""
_FRIENDS = ((0.57, 0.25), (0.65, 0.5), (0.75, 0.75), (1.0, 1.0))
"""Cosine, and the share of the way from the score of one in a hundred thousand to 100."""


def _scale(first: float, second: float, third: float) -> Knots:
    """A scale on which these scores stand for false match rates of 1e-3, 1e-4 and 1e-5."""
    low = tuple((cosine, share * first) for cosine, share in _STRANGERS)
    high = tuple((cosine, third + share * (100 - third)) for cosine, share in _FRIENDS)
    return (*low, *zip(_RATES, (first, second, third), strict=True), *high)


_SCORE = _scale(40, 50, 60)
_OLD_SIMILARITY = _scale(70, 80, 90)
_FIXED_SIMILARITY = _scale(60, 70, 80)


def confidence(cosine: float) -> float:
    """0–100 as the vendor's older host rates candidates; cosines that rounding drove out of −1…1 count as the bound."""
    return _on(KNOTS, cosine)


def least_score(false_match_rate: float, faces: int) -> float:
    """Stand-in. The score a search of `faces` references must reach so that at most this share of strangers passes."""
    return min(max(10 - 10 * math.log10(false_match_rate / max(faces, 1)), 0.0), 100.0)


def reach() -> float:
    """Stand-in. The smallest false match rate the data can support."""
    return 1e-5


def score(cosine: float, *, masked: bool = False) -> float:  # noqa: ARG001 (a stand-in)
    """0–100 as the vendor's current interfaces rate faces, compared or searched for: ten points for each power of ten.

    40, 50 and 60 stand for false match rates of 1e-3, 1e-4 and 1e-5; the documented scores of searches (10,000 faces:
    1e-2 is 70, …; 300,000 faces: 1e-2 is 85) lie on the same line.
    """
    return _on(_SCORE, cosine)


def old_similarity(cosine: float) -> float:
    """0–100 as the older host compares: 70, 80 and 90 stand for false match rates of 1e-3, 1e-4 and 1e-5."""
    return _on(_OLD_SIMILARITY, cosine)


def fixed_similarity(cosine: float) -> float:
    """0–100 as DetectFaceSimilarity compares: 70 stands for a false match rate of 1e-4, the one the vendor names."""
    return _on(_FIXED_SIMILARITY, cosine)


def _on(knots: Knots, cosine: float) -> float:
    at = min(max(cosine, -1.0), 1.0)
    for (left, low), (right, high) in pairwise(knots):
        if at <= right:
            return low + (high - low) * (at - left) / (right - left)
    raise AssertionError("a cosine is a number")
