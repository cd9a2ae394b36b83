"""Which photos of a folder would be enrolled, why not the others, and what they measure together. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kiosk.enrolment.profile import Profile, Reason
from kiosk.look.gauges import Gauge, Reading, gauges, readings
from kiosk.look.seeing import Seen
from kiosk.ports import AnalysedFace
from kiosk.settings import QualitySettings

Outcome = Literal["accepted", "refused", "no_picture"]
NO_PICTURE = "image_format_unknown"
BINS = 20
_GRADES = range(5)


@dataclass(frozen=True, slots=True)
class Graded:
    """One file. `label`: its path in the folder; `thumbnail`: a JPEG of the only face, or of the whole photo."""

    label: str
    seen: Seen
    reasons: tuple[Reason, ...]
    thumbnail: bytes | None = field(default=None, repr=False)

    @property
    def outcome(self) -> Outcome:
        if self.seen.slug == NO_PICTURE:
            return "no_picture"
        return "refused" if self.reasons else "accepted"

    @property
    def face(self) -> AnalysedFace | None:
        """The only one, None where there is none or several."""
        faces = self.seen.photo.faces if self.seen.photo else ()
        return faces[0] if len(faces) == 1 else None

    @property
    def worth(self) -> tuple[bool, int, float]:
        """Orders photos: the larger, the better."""
        report = self.face.quality if self.face else None
        return self.outcome == "accepted", report.grade if report else -1, report.measures["Score"] if report else -1.0


class Histogram(NamedTuple):
    """How often each bin was met: `counts` from `gauge.low` to `gauge.high`, what lies outside in the outermost bins.

    `unknown`: photos of which it could not be assessed; `outside`: those beyond the limits.
    """

    gauge: Gauge
    counts: tuple[int, ...]
    unknown: int
    outside: int


class Summary(NamedTuple):
    """`reasons`: photos refused for each slug, the commonest first; `grades`: how many have grade 0 to 4."""

    accepted: int
    refused: int
    no_pictures: int
    reasons: tuple[tuple[str, int], ...]
    grades: tuple[int, ...]
    histograms: tuple[Histogram, ...]

    @property
    def photos(self) -> int:
        return self.accepted + self.refused


def reasons_of(seen: Seen, profile: Profile) -> tuple[Reason, ...]:
    """Everything for which the photo would not be enrolled."""
    return (Reason(seen.slug, seen.detail),) if seen.photo is None else profile.reasons(seen.photo)


def worst_first(every: Sequence[Graded]) -> list[Graded]:
    """Those that are pictures."""
    return sorted((one for one in every if one.outcome != "no_picture"), key=lambda one: (one.worth, one.label))


def summary(every: Sequence[Graded], settings: QualitySettings) -> Summary:
    outcomes = Counter(one.outcome for one in every)
    slugs = Counter(slug for one in every if one.outcome == "refused" for slug in dict.fromkeys(r.slug for r in one.reasons))
    faces = [one.face for one in every if one.face]
    grades = Counter(face.quality.grade for face in faces)
    return Summary(
        accepted=outcomes["accepted"],
        refused=outcomes["refused"],
        no_pictures=outcomes["no_picture"],
        reasons=tuple(sorted(slugs.items(), key=lambda item: (-item[1], item[0]))),
        grades=tuple(grades[grade] for grade in _GRADES),
        histograms=tuple(_histograms(faces, settings)),
    )


def _histograms(faces: Sequence[AnalysedFace], settings: QualitySettings) -> Iterator[Histogram]:
    rows: list[tuple[Reading, ...]] = [readings(face, settings) for face in faces]
    for number, gauge in enumerate(gauges(settings)):
        values = [row[number].value for row in rows]
        known = [value for value in values if value is not None]
        bins = Counter(min(int(gauge.place(value) * BINS), BINS - 1) for value in known)
        outside = sum(not gauge.allows(value) for value in known)
        yield Histogram(gauge, tuple(bins[place] for place in range(BINS)), len(values) - len(known), outside)
