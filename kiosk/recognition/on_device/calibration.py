"""From cosines to the 0–100 scales that thresholds and vendors speak.

Cosines of strangers' faces are close to normally distributed; `calibration.toml` beside this module holds the mean and
deviation that `scripts/calibrate` fitted, with what they were fitted on. From a rate of one in a thousand down, the
normal tail is replaced by its tangent on the score's logarithmic scale: heavier, hence stricter, because twins and
lookalikes are no part of any normal distribution, and because no rate far below `reach` has been measured.
"""

from __future__ import annotations

import math
import tomllib
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from statistics import NormalDist
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

TANGENT_FROM = 1e-3
"""The false match rate from which the tail runs straight."""

Cosine = Annotated[float, Meta(ge=-1, le=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = Annotated[int, Meta(ge=0)]
Interval = tuple[float, float]


class Curve(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """`mean` and `deviation` of the cosines of strangers."""

    mean: Cosine
    deviation: Annotated[float, Meta(gt=0, lt=1)]

    def score(self, cosine: float) -> float:
        """0–100: ten points for each power of ten of the false match rate, from 10 for a rate of one."""
        assert not math.isnan(cosine), "a cosine is a number"
        at = min(max(cosine, -1.0), 1.0)
        if at <= self.mean:
            return MIDDLE * (at + 1) / (self.mean + 1)
        if at >= self._bend:
            return min(100.0, points(TANGENT_FROM) + self._steepness * (at - self._bend))
        return points(1 - self._strangers.cdf(at))

    def cosine_for(self, score: float) -> float:
        """The smallest cosine with this score."""
        if score <= MIDDLE:
            return score / MIDDLE * (self.mean + 1) - 1
        if score >= points(TANGENT_FROM):
            return self._bend + (min(score, 100.0) - points(TANGENT_FROM)) / self._steepness
        return self._strangers.inv_cdf(1 - 10 ** (1 - score / 10))

    @cached_property
    def _strangers(self) -> NormalDist:
        return NormalDist(self.mean, self.deviation)

    @cached_property
    def _bend(self) -> float:
        return self._strangers.inv_cdf(1 - TANGENT_FROM)

    @cached_property
    def _steepness(self) -> float:
        """Points a unit of cosine at the bend: the slope of −10·log10 of the normal tail."""
        return 10 / math.log(10) * self._strangers.pdf(self._bend) / TANGENT_FROM


class Rate(Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured at `cosine`, which the fit gives for the rate `false_matches`.

    `measured`: share of the pairs of strangers at or above it, each pair of people counting alike; `missed`: share of the
    genuine pairs below it, each person counting alike. Intervals of 95 %, by drawing the people anew; that of `cosine`
    is of the plain fit, whose strict end was taken.
    """

    false_matches: Share
    cosine: Cosine
    cosine_interval: Interval
    measured: Share
    measured_interval: Interval
    missed: Share
    missed_interval: Interval


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Photos of one kind; pairs of strangers are formed within a source only.

    `people`: 0 where nobody knows. `fitted`: False where it was only held against the fit.
    `false_matches`: measured at the cosines for 1e-3, 1e-4 and 1e-5, each pair of photos counting alike.
    """

    name: str
    fitted: bool
    people: Number
    photos: Number
    impostor_pairs: Number
    genuine_pairs: Number
    false_matches: tuple[Share, Share, Share]


class Counts(Struct, frozen=True, forbid_unknown_fields=True):
    """How many pairs fell into each bin of `width`, the first one beginning at `start`."""

    start: float
    width: float
    impostors: tuple[Number, ...]
    genuine: tuple[Number, ...]


class Fit(Struct, frozen=True, forbid_unknown_fields=True):
    """One scale, of whole faces or of upper ones, and what it rests on."""

    curve: Curve
    people: Number
    photos: Number
    impostor_pairs: Number
    pairs_of_people: Annotated[int, Meta(gt=0)]
    genuine_pairs: Number
    rates: tuple[Rate, ...]
    sources: tuple[Source, ...]
    counts: Counts

    @property
    def reach(self) -> float:
        """The smallest rate the data support, by the rule of three.

        Photos of the same two people are hardly independent: drawing the people anew, the rates vary as if there were
        about as many pairs as pairs of people.
        """
        return min(1.0, 3 / self.pairs_of_people)


class Description(Struct, frozen=True, forbid_unknown_fields=True):
    """What `calibration.toml` says. `model`: SHA-256 of the embedding model it holds for."""

    made: str
    model: str
    whole: Fit
    upper: Fit


@cache
def description() -> Description:
    """What the scores of this release rest on. Read once."""
    text = resources.files(__package__).joinpath("calibration.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Description)


def score(cosine: float, *, masked: bool = False) -> float:
    """0–100 as the vendor's current interfaces rate faces, compared or searched for: ten points for each power of ten.

    40, 50 and 60 stand for false match rates of 1e-3, 1e-4 and 1e-5; the documented scores of searches (10,000 faces:
    1e-2 is 70, …; 300,000 faces: 1e-2 is 85) lie on the same line. Rises strictly up to 100. Cosines that rounding
    drove out of −1…1 count as the bound. `masked`: a cosine of two upper faces.
    """
    return _fit(masked).curve.score(cosine)


def cosine_for(score: float, *, masked: bool = False) -> float:
    """The smallest cosine with this `score`, the inverse of `score`."""
    assert 0 <= score <= 100, "a score lies between 0 and 100"
    return _fit(masked).curve.cosine_for(score)


def points(false_match_rate: float) -> float:
    """The score that stands for this rate of one comparison, on a scale without an end."""
    return 10 - 10 * math.log10(false_match_rate)


def least_score(false_match_rate: float, faces: int) -> float:
    """The score, 0–100, a search among `faces` references must reach so that at most this share of strangers passes.

    A stranger who is compared with N faces has at most N times the chance (Bonferroni), whatever the faces have in
    common. Where even 100 does not suffice, it is 100 all the same. A comparison of two has one reference.
    """
    assert 0 < false_match_rate < 1, "a rate lies between 0 and 1"
    assert faces >= 0, "nobody counts below zero"
    return min(max(points(false_match_rate / max(faces, 1)), 0.0), 100.0)


def false_match_rate(score: float, faces: int) -> float:
    """The inverse of `least_score`: of strangers, the share at most that reaches `score` among `faces` references, 0–1."""
    return min(1.0, max(faces, 1) * 10 ** (1 - score / 10))


def reach(*, masked: bool = False) -> float:
    """The smallest false match rate of one comparison that the data support; what is rarer is extrapolated."""
    return _fit(masked).reach


def old_similarity(cosine: float) -> float:
    """0–100 as the older host compares: 70, 80 and 90 stand for false match rates of 1e-3, 1e-4 and 1e-5."""
    return _bent(_OLD, score(cosine))


def confidence(cosine: float) -> float:
    """0–100 as the older host rates candidates. What a rate means there is not documented: the scale of its comparison."""
    return old_similarity(cosine)


def fixed_similarity(cosine: float) -> float:
    """0–100 as DetectFaceSimilarity compares: 70 stands for a false match rate of 1e-4, the one the vendor names."""
    return _bent(_FIXED, score(cosine))


_OLD = ((0.0, 0.0), (40.0, 70.0), (50.0, 80.0), (60.0, 90.0), (100.0, 100.0))
_FIXED = ((0.0, 0.0), (50.0, 70.0), (100.0, 100.0))
"""Current score and other score, straight lines between."""


def _fit(masked: bool) -> Fit:
    return description().upper if masked else description().whole


MIDDLE = points(0.5)
"""The score at the strangers' mean."""


def _bent(knots: tuple[tuple[float, float], ...], score: float) -> float:
    (left, low), (right, high) = next(pair for pair in pairwise(knots) if score <= pair[1][0])
    return low + (high - low) * (score - left) / (right - left)
