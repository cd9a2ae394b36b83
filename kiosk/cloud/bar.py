"""From which score an answer means yes: by the settings' false match rate and the vendor's tables."""

from __future__ import annotations

from typing import Any, NamedTuple

from kiosk.access.alive import ALIVE
from kiosk.errors import ConfigurationError
from kiosk.recognition.tencent.thresholds import FalseMatchRate, RawScore, Wanted, least_score
from kiosk.settings import Settings


class Bar(NamedTuple):
    """`least`: the score from which it is a match, None where there is none; `why`: where that comes from."""

    least: float | None
    why: str

    def passed(self, score: float) -> bool | None:
        return None if self.least is None else score >= self.least


def iai_bar(settings: Settings, interface: str, answer: Any) -> Bar:
    """For an answer of comparison, verification or search, by the face model and the size of gallery that it names."""
    section = settings.tencent_iai
    gallery = max(getattr(answer, "face_num", None) or getattr(answer, "person_num", None) or 1, 1)
    model = getattr(answer, "face_model_version", "") or "3.0"
    if section.threshold is not None:
        return _bar(interface, RawScore(section.threshold), "tencent_iai.threshold", model, gallery)
    among = f", model {model}" + (f", {gallery} in the gallery" if gallery > 1 else "")
    why = f"false match rate {section.false_match_rate:g}{among}"
    return _bar(interface, FalseMatchRate(section.false_match_rate), why, model, gallery)


def legacy_bar(settings: Settings, interface: str) -> Bar:
    """Comparisons have a table, searches have not."""
    section = settings.tencent_legacy
    if interface == "compare":
        rate = section.compare_false_match_rate
        return _bar(interface, FalseMatchRate(rate), f"false match rate {rate:g}", "legacy", 1)
    return Bar(section.threshold, "tencent_legacy.threshold")


def alive_bar() -> Bar:
    return Bar(ALIVE, "the vendor's recommendation")


def _bar(interface: str, wanted: Wanted, why: str, model: str, gallery: int) -> Bar:
    try:
        return Bar(least_score(interface, wanted, model=model, gallery=gallery), why)
    except ConfigurationError as error:
        return Bar(None, error.detail)
