"""Which score means "the same person": a false match rate translated by the vendor's tables, or a raw score. Pure.

The tables are the vendor's: what tencentcloud-sdk-python-iai 3.1.191 and the interface documents say of the scores of
CompareFace, DetectFaceSimilarity and Candidate, and for the older host the document of `/face/compare`. Between two
documented points the score runs linearly over the logarithm of rate and of gallery size. Outside the documented range
nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, NoReturn

from kiosk.errors import ConfigurationError

Curve = Mapping[float, float]
"""False match rate → score."""


class FalseMatchRate(NamedTuple):
    """The share of strangers that may be taken for somebody: 1e-4 is one in ten thousand."""

    rate: float


class RawScore(NamedTuple):
    """0–100, as the interface itself answers."""

    score: float


Wanted = FalseMatchRate | RawScore


@dataclass(frozen=True, slots=True)
class Table:
    """`curves`: gallery size → curve; a comparison of two faces has one curve, for a gallery of 1."""

    model: str
    curves: Mapping[int, Curve]


_COMPARE_3 = Table("3.0", {1: {1e-3: 40.0, 1e-4: 50.0, 1e-5: 60.0}})
_COMPARE_2 = Table("2.0", {1: {1e-3: 70.0, 1e-4: 80.0, 1e-5: 90.0}})
_SIMILARITY = Table("3.0", {1: {1e-4: 70.0}})
_SEARCH = Table(
    "3.0",
    {
        10_000: {1e-2: 70.0, 1e-3: 80.0, 1e-4: 90.0},
        100_000: {1e-2: 80.0, 1e-3: 90.0, 1e-4: 100.0},
        300_000: {1e-2: 85.0, 1e-3: 95.0},
    },
)
_OLD_COMPARE = Table("legacy", {1: {1e-3: 70.0, 1e-4: 80.0, 1e-5: 90.0}})

TABLES: Mapping[str, Sequence[Table]] = {
    "CompareFace": (_COMPARE_3, _COMPARE_2),
    "CompareMaskFace": (_COMPARE_3,),
    "VerifyFace": (_COMPARE_3, _COMPARE_2),
    "DetectFaceSimilarity": (_SIMILARITY,),
    "SearchFaces": (_SEARCH,),
    "SearchPersons": (_SEARCH,),
    "SearchFacesReturnsByGroup": (_SEARCH,),
    "SearchPersonsReturnsByGroup": (_SEARCH,),
    "compare": (_OLD_COMPARE,),
}
"""For other interfaces no table is documented, so only a raw score can be given: VerifyPerson, DetectLiveFaceAccurate (the
vendor recommends 40), identify and multidentify (90)."""


def least_score(interface: str, wanted: Wanted, *, model: str = "3.0", gallery: int = 1) -> float:
    """The score, 0–100, from which `interface` means a match.

    `model`: the face model the answer names ("legacy" for the older host); `gallery`: how many faces are searched, 1 where
    two are compared. A gallery smaller than the smallest documented one gets that one's score, which is
    stricter than needed. Raises ConfigurationError `configuration_invalid`.
    """
    if isinstance(wanted, RawScore):
        if not 0 <= wanted.score <= 100:
            _refuse(interface, f"a score of {wanted.score:g} is not within 0 and 100")
        return wanted.score
    table = _table(interface, model)
    if not 0 < wanted.rate < 1:
        _refuse(interface, f"a false match rate of {wanted.rate:g} is not between 0 and 1")
    if gallery < 1:
        _refuse(interface, f"a gallery of {gallery} faces holds nobody")
    low, high = _around(interface, table, gallery)
    least, most = (_on(interface, table.curves[size], wanted.rate, size) for size in (low, high))
    return _between(gallery, (low, least), (high, most)) if low != high else least


def false_match_rate(interface: str, score: float, *, model: str = "3.0", gallery: int = 1) -> float:
    """The inverse of `least_score`: of strangers, the share that reaches `score`, as far as it is documented.

    Above the highest documented score the smallest documented rate; 1 where the tables say nothing.
    """
    table = next((table for table in TABLES.get(interface, ()) if table.model == model), None)
    if table is None or not 1 <= gallery <= max(table.curves):
        return 1.0
    low, high = _around(interface, table, gallery)
    rates = sorted(table.curves[low].keys() & table.curves[high].keys(), reverse=True)
    scores = [least_score(interface, FalseMatchRate(rate), model=model, gallery=gallery) for rate in rates]
    if score < scores[0]:
        return 1.0
    for (less, common), (more, rare) in pairwise(zip(scores, rates, strict=True)):
        if score < more:
            return float(common * (rare / common) ** ((score - less) / (more - less)))
    return rates[-1]


def _table(interface: str, model: str) -> Table:
    tables = TABLES.get(interface)
    if tables is None:
        _refuse(interface, "no table of false match rates is documented; give a raw score")
    found = next((table for table in tables if table.model == model), None)
    if found is None:
        documented = " and ".join(table.model for table in tables)
        _refuse(interface, f"no table is documented for face model {model}, only for {documented}; give a raw score")
    return found


def _around(interface: str, table: Table, gallery: int) -> tuple[int, int]:
    sizes = sorted(table.curves)
    if gallery > sizes[-1]:
        _refuse(interface, f"{gallery} faces are more than the largest documented gallery, {sizes[-1]}; give a raw score")
    low = max((size for size in sizes if size <= gallery), default=sizes[0])
    return low, min(size for size in sizes if size >= max(gallery, low))


def _on(interface: str, curve: Curve, rate: float, size: int) -> float:
    rates = sorted(curve)
    if not rates[0] <= rate <= rates[-1]:
        known = f"{rates[0]:g} to {rates[-1]:g}" if len(rates) > 1 else f"{rates[0]:g} alone"
        where = f" for a gallery of {size}" if size > 1 else ""
        _refuse(interface, f"a false match rate of {rate:g} is not documented{where}, {known} is; give a raw score")
    low = max(known for known in rates if known <= rate)
    high = min(known for known in rates if known >= rate)
    return _between(rate, (low, curve[low]), (high, curve[high])) if low != high else curve[low]


def _between(value: float, low: tuple[float, float], high: tuple[float, float]) -> float:
    part = math.log(value / low[0]) / math.log(high[0] / low[0])
    return low[1] + part * (high[1] - low[1])


def _refuse(interface: str, why: str) -> NoReturn:
    raise ConfigurationError("configuration_invalid", f"threshold for {interface}: {why}")
