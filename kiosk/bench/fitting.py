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
LIMITS = (0.025, 0.975)
BIN, FIRST, BINS = 0.02, -0.6, 80

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]


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
    """Of one collection. Pairs of strangers are kept by pair of people, genuine ones by person."""

    def __init__(self, collection: Collection) -> None:
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
        couples = np.minimum(whose, whose_probe) * self.people + np.maximum(whose, whose_probe)
        self.couples, self._couple = np.unique(couples[strangers], return_inverse=True)
        self.friends, self._friend = np.unique(np.broadcast_to(whose, same.shape)[same], return_inverse=True)

    def by_couple(self, values: NDArray[np.generic]) -> Numbers:
        """The mean of `values`, one an impostor pair, of each pair of people."""
        return np.bincount(self._couple, values, len(self.couples)) / np.bincount(self._couple, minlength=len(self.couples))

    def by_friend(self, values: NDArray[np.generic]) -> Numbers:
        """The mean of `values`, one a genuine pair, of each person."""
        return np.bincount(self._friend, values, len(self.friends)) / np.bincount(self._friend, minlength=len(self.friends))

    def draw(self, dice: np.random.Generator) -> tuple[Numbers, Numbers]:
        """How often each pair of people, and each person, is there when as many people are drawn anew."""
        often = np.bincount(dice.integers(0, self.people, self.people), minlength=self.people).astype(float)
        return often[self.couples // self.people] * often[self.couples % self.people], often[self.friends]


def fit(collections: Sequence[Collection], strangers: Faces | None = None) -> Fit:
    """The scale of these faces.

    Each pair of people counts alike, however many photos there are of them. The deviation is not the measured one but the
    one with which the cosine for a rate of one in a thousand lies at the upper end of its interval of 95 %.
    `strangers`: probes of people who are in no collection, to be held against the fit.
    """
    everything = [_Pairs(collection) for collection in collections]
    fitted = [pairs for pairs in everything if pairs.collection.fitted]
    if not any(len(pairs.couples) for pairs in fitted):
        raise ValueError("a scale needs photos of at least two people")
    dice = np.random.default_rng(SEED)
    draws = [[pairs.draw(dice) for pairs in fitted] for _ in range(DRAWS)]
    powers = [np.concatenate([pairs.by_couple(pairs.impostors**power) for pairs in fitted]) for power in (1, 2)]
    plain = [_moments(*powers, np.concatenate([often for often, _ in draw])) for draw in draws]
    mean = float(powers[0].mean())
    bend = NormalDist().inv_cdf(1 - TANGENT_FROM)
    strict = np.quantile([curve.mean + bend * curve.deviation for curve in plain], LIMITS[1])
    curve = Curve(round(mean, 4), round(float(strict - mean) / bend, 4))
    return Fit(
        curve=curve,
        people=sum(pairs.people for pairs in fitted),
        photos=sum(len(set(pairs.collection.references.photos)) for pairs in fitted),
        impostor_pairs=sum(len(pairs.impostors) for pairs in fitted),
        pairs_of_people=sum(len(pairs.couples) for pairs in fitted),
        genuine_pairs=sum(len(pairs.genuine) for pairs in fitted),
        rates=tuple(_rate(rate, curve, plain, fitted, draws) for rate in RATES),
        sources=(*(_source(pairs, curve) for pairs in everything), *_held_against(strangers, fitted, curve)),
        counts=_counts(fitted),
    )


def _moments(first: Numbers, second: Numbers, weights: Numbers) -> Curve:
    mean = float(np.average(first, weights=weights))
    return Curve(mean, float(np.average(second, weights=weights) - mean**2) ** 0.5)


def _rate(
    rate: float,
    curve: Curve,
    plain: Sequence[Curve],
    fitted: Sequence[_Pairs],
    draws: Sequence[Sequence[tuple[Numbers, Numbers]]],
) -> Rate:
    cosine = curve.cosine_for(points(rate))
    matched = np.concatenate([pairs.by_couple(pairs.impostors >= cosine) for pairs in fitted])
    missed = np.concatenate([pairs.by_friend(pairs.genuine < cosine) for pairs in fitted])
    couples = [np.concatenate([often for often, _ in draw]) for draw in draws]
    friends = [np.concatenate([often for _, often in draw]) for draw in draws]
    low, high = _interval([float(np.average(matched, weights=weights)) for weights in couples])
    return Rate(
        false_matches=rate,
        cosine=round(cosine, 4),
        cosine_interval=_interval([each.cosine_for(points(rate)) for each in plain]),
        measured=_rounded(matched.mean()),
        measured_interval=(low, max(high, _rounded(3 / len(matched)))),
        missed=_rounded(missed.mean()) if len(missed) else 0.0,
        missed_interval=_interval([float(np.average(missed, weights=weights)) for weights in friends if weights.any()]),
    )


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


def _interval(values: Sequence[float]) -> Interval:
    if not values:
        return 0.0, 1.0
    low, high = np.quantile(values, LIMITS)
    return _rounded(low), _rounded(high)


def _rounded(value: float | np.floating) -> float:
    """Three digits: the data give no more."""
    return float(f"{value:.3g}")
