"""From embeddings of people's photos to the scale of on-device scores. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiosk.recognition.on_device.calibration import (
    TANGENT_FROM,
    Counts,
    Curve,
    Fit,
    Interval,
    Rate,
    Source,
    points,
)

RATES = (1e-2, 1e-3, 1e-4, 1e-5)
DRAWS = 1000
SEED = 1
ENOUGH = 20
"""People of a collection that is fitted on its own as well."""
LIMITS = (0.025, 0.975)
BIN, FIRST, BINS = 0.02, -0.6, 80

Numbers = NDArray[np.float64]


_BEND = NormalDist().inv_cdf(1 - TANGENT_FROM)


class Faces(NamedTuple):
    """`vectors`: one row a face, normalised; `people` and `photos`: whose face it is, and of which photo."""

    vectors: Numbers
    people: Sequence[str]
    photos: Sequence[str]


class Collection(NamedTuple):
    """Photos of one kind. `probes`: the references once more, or the same faces with masks on."""

    name: str
    fitted: bool
    references: Faces
    probes: Faces


class _Pairs:
    """Of one collection. Pairs of strangers are kept by pair of people, genuine ones by person.

    `often_couples`, `often_friends`: how often each pair of people, and each person, is there when as many people are
    drawn anew; one row a draw.
    """

    def __init__(self, collection: Collection, dice: np.random.Generator) -> None:
        references, probes = collection.references, collection.probes
        self.collection = collection
        names, numbers = np.unique([*references.people, *probes.people], return_inverse=True)
        self.people = len(names)
        whose, whose_probe = numbers[: len(references.people), None], numbers[None, len(references.people) :]
        cosines = references.vectors @ probes.vectors.T
        other_photo = np.array(references.photos)[:, None] != np.array(probes.photos)[None, :]
        # Compared with themselves, faces meet twice.
        once = np.triu(np.ones_like(other_photo), 1) if references is probes else np.ones_like(other_photo)
        strangers, same = (whose != whose_probe) & once, (whose == whose_probe) & other_photo & once
        self.impostors, self.genuine = cosines[strangers], cosines[same]
        numbers_of_couples = np.minimum(whose, whose_probe) * self.people + np.maximum(whose, whose_probe)
        self.couples, self._couple = np.unique(numbers_of_couples[strangers], return_inverse=True)
        self.friends, self._friend = np.unique(np.broadcast_to(whose, same.shape)[same], return_inverse=True)
        chosen = dice.integers(0, self.people, (DRAWS, self.people))
        often = np.array([np.bincount(draw, minlength=self.people) for draw in chosen], dtype=float)
        self.often_couples = often[:, self.couples // self.people] * often[:, self.couples % self.people]
        self.often_friends = often[:, self.friends]

    def by_couple(self, values: NDArray[np.generic]) -> Numbers:
        """The mean of `values`, one an impostor pair, of each pair of people."""
        return np.bincount(self._couple, values, len(self.couples)) / np.bincount(self._couple, minlength=len(self.couples))

    def by_friend(self, values: NDArray[np.generic]) -> Numbers:
        """The mean of `values`, one a genuine pair, of each person."""
        return np.bincount(self._friend, values, len(self.friends)) / np.bincount(self._friend, minlength=len(self.friends))


class _Spread(NamedTuple):
    """Of the cosines of strangers in some collections. `plain`: of each draw; `strict`: where a rate of TANGENT_FROM may lie."""

    mean: float
    plain: list[Curve]
    strict: float

    @property
    def curve(self) -> Curve:
        return Curve(round(self.mean, 4), round((self.strict - self.mean) / _BEND, 4))


def fit(collections: Sequence[Collection], strangers: Faces | None = None) -> Fit:
    """The scale of these faces.

    Each pair of people counts alike, however many photos there are of them. Of all collections together and each
    large one alone, those count whose strangers are hardest to tell apart: at a door, too, people come from one place
    before one camera. The deviation is not the measured one but the one with which the cosine for a rate of one in a
    thousand lies at the upper end of its interval of 95 %. `strangers`: probes of people who are in no collection,
    to be held against the fit. Raises ValueError where there are no strangers to be fitted.
    """
    dice = np.random.default_rng(SEED)
    everything = [_Pairs(collection, dice) for collection in collections]
    fitted = [pairs for pairs in everything if pairs.collection.fitted]
    if not any(len(pairs.couples) for pairs in fitted):
        raise ValueError("a scale needs photos of at least two people")
    spreads = [_spread(population) for population in (fitted, *([pairs] for pairs in fitted if pairs.people >= ENOUGH))]
    spread = max(spreads, key=lambda spread: spread.strict)
    return Fit(
        curve=spread.curve,
        people=sum(pairs.people for pairs in fitted),
        photos=sum(len(set(pairs.collection.references.photos)) for pairs in fitted),
        impostor_pairs=sum(len(pairs.impostors) for pairs in fitted),
        pairs_of_people=sum(len(pairs.couples) for pairs in fitted),
        genuine_pairs=sum(len(pairs.genuine) for pairs in fitted),
        rates=tuple(_rate(rate, spread, fitted) for rate in RATES),
        sources=(*(_source(pairs, spread.curve) for pairs in everything), *_held_against(strangers, fitted, spread.curve)),
        counts=_counts(fitted),
    )


def _spread(population: Sequence[_Pairs]) -> _Spread:
    first, second = (np.concatenate([pairs.by_couple(pairs.impostors**power) for pairs in population]) for power in (1, 2))
    often = np.hstack([pairs.often_couples for pairs in population])
    means = _drawn(first, often)
    deviations = (_drawn(second, often) - means**2) ** 0.5
    plain = [Curve(float(mean), float(deviation)) for mean, deviation in zip(means, deviations, strict=True) if deviation > 0]
    return _Spread(float(first.mean()), plain, float(np.quantile(means + _BEND * deviations, LIMITS[1])))


def _drawn(values: Numbers, often: Numbers) -> Numbers:
    """The mean of `values` in each draw that has any."""
    often = often[often.any(axis=1)]
    return np.asarray(often @ values / often.sum(axis=1))


def _rate(rate: float, spread: _Spread, fitted: Sequence[_Pairs]) -> Rate:
    cosine = spread.curve.cosine_for(points(rate))
    matched = np.concatenate([pairs.by_couple(pairs.impostors >= cosine) for pairs in fitted])
    missed = np.concatenate([pairs.by_friend(pairs.genuine < cosine) for pairs in fitted])
    return Rate(
        false_matches=rate,
        cosine=round(cosine, 4),
        cosine_interval=_interval([curve.cosine_for(points(rate)) for curve in spread.plain]),
        measured=_rounded(matched.mean()),
        measured_interval=_share_interval(matched, np.hstack([pairs.often_couples for pairs in fitted])),
        missed=_rounded(missed.mean()) if len(missed) else 0.0,
        missed_interval=_share_interval(missed, np.hstack([pairs.often_friends for pairs in fitted])),
    )


def _share_interval(shares: Numbers, often: Numbers) -> Interval:
    """Drawing anew what was never seen does not bring it forth: the upper end is no less than the rule of three allows."""
    if not len(shares):
        return 0.0, 1.0
    low, high = _interval(_drawn(shares, often))
    return low, min(1.0, max(high, _rounded(3 / len(shares))))


def _source(pairs: _Pairs, curve: Curve) -> Source:
    name, is_fitted, references, _ = pairs.collection
    return Source(
        name=name,
        fitted=is_fitted,
        people=pairs.people,
        photos=len(set(references.photos)),
        impostor_pairs=len(pairs.impostors),
        genuine_pairs=len(pairs.genuine),
        false_matches=_false_matches(pairs.impostors, curve),
    )


def _held_against(strangers: Faces | None, fitted: Sequence[_Pairs], curve: Curve) -> tuple[Source, ...]:
    if strangers is None:
        return ()
    cosines = np.concatenate([pairs.collection.references.vectors for pairs in fitted]) @ strangers.vectors.T
    return (
        Source(
            name=strangers.people[0],
            fitted=False,
            people=0,
            photos=len(set(strangers.photos)),
            impostor_pairs=cosines.size,
            genuine_pairs=0,
            false_matches=_false_matches(cosines, curve),
        ),
    )


def _false_matches(cosines: Numbers, curve: Curve) -> tuple[float, float, float]:
    first, second, third = (_rounded(np.mean(cosines >= curve.cosine_for(points(rate)))) for rate in RATES[1:])
    return first, second, third


def _counts(fitted: Sequence[_Pairs]) -> Counts:
    edges = FIRST + BIN * np.arange(BINS + 1)
    impostors, genuine = (
        tuple(int(number) for number in np.histogram(np.concatenate(cosines).clip(edges[0], edges[-1]), edges)[0])
        for cosines in ([pairs.impostors for pairs in fitted], [pairs.genuine for pairs in fitted])
    )
    return Counts(FIRST, BIN, impostors, genuine)


def _interval(values: Sequence[float] | Numbers) -> Interval:
    low, high = np.quantile(values, LIMITS)
    return _rounded(low), _rounded(high)


def _rounded(value: float | np.floating) -> float:
    """Three digits: the data give no more."""
    return float(f"{value:.3g}")
