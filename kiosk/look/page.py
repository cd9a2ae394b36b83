"""The page about a folder of photos: one file, no script, nothing fetched from anywhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from kiosk import slugs
from kiosk.look.gauges import Reading, readings
from kiosk.look.grading import Graded, Histogram, Summary, worst_first
from kiosk.look.seeing import liveness
from kiosk.look.show import UNKNOWN, alive, worn
from kiosk.ports import AnalysedFace
from kiosk.settings import QualitySettings
from kiosk.slugs import Language

_pages = Environment(
    loader=PackageLoader("kiosk.look"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_TALL = 64
"""Units of a histogram's highest bar."""


class Bar(NamedTuple):
    """One bin of so many `photos`: `left`, `wide`, `tall` in units of the drawing; `inside`: its middle is within the limits."""

    left: float
    wide: float
    tall: float
    photos: int
    inside: bool
    span: str


class Chart(NamedTuple):
    """`ticks`: places on the axis, 0–100, with what is written there; `limits`: where the limits are, and their numbers."""

    name: str
    unit: str
    bars: tuple[Bar, ...]
    most: int
    ticks: tuple[tuple[float, str], ...]
    limits: tuple[tuple[float, str], ...]
    note: str


class Line(NamedTuple):
    """A measure of one face: `begin` to `end` of its bar and `limits` in percent; without a value no bar."""

    name: str
    text: str
    good: bool | None
    begin: float = 0.0
    end: float = 0.0
    limits: tuple[float, ...] = ()


class Card(NamedTuple):
    """`why`: what is wrong, and what to do about it."""

    graded: Graded
    picture: str
    why: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    facts: tuple[str, ...]


def render(folder: str, graded: Sequence[Graded], found: Summary, held_to: QualitySettings, language: Language) -> Iterator[str]:
    """The page in pieces."""
    faces = sum(found.grades)
    return _pages.get_template("report.html").generate(
        folder=folder,
        made=f"{datetime.now(UTC).astimezone():%Y-%m-%d %H:%M}",
        language=language,
        found=found,
        reasons=[(slug, slugs.to_operator(slug, language), count) for slug, count in found.reasons],
        grades=_grades(found.grades, held_to.level),
        faces=faces,
        charts=[_chart(each) for each in found.histograms if faces],
        tall=_TALL,
        held_to=held_to,
        cards=(_card(one, held_to, language) for one in worst_first(graded)),
        others=sorted(one.label for one in graded if one.outcome == "no_picture"),
    )


def _grades(counts: Sequence[int], least: int) -> Chart:
    most, wide = max(*counts, 1), 100 / len(counts)
    bars = tuple(
        Bar(grade * wide, wide, _TALL * count / most, count, grade >= max(least, 1), f"grade {grade}")
        for grade, count in enumerate(counts)
    )
    ticks = tuple(((grade + 0.5) * wide, str(grade)) for grade in range(len(counts)))
    return Chart("grade", "", bars, most, ticks, (), "0: something is wrong; 4: flawless")


def _chart(histogram: Histogram) -> Chart:
    gauge, counts = histogram.gauge, histogram.counts
    most, wide, step = max(*counts, 1), 100 / len(counts), (gauge.high - gauge.low) / len(counts)
    bars = tuple(
        Bar(
            number * wide,
            wide,
            _TALL * count / most,
            count,
            gauge.allows(gauge.low + (number + 0.5) * step),
            f"{gauge.low + number * step:.0f} to {gauge.low + (number + 1) * step:.0f}{gauge.unit}",
        )
        for number, count in enumerate(counts)
    )
    middle = (gauge.low + gauge.high) / 2
    ticks = tuple((100 * gauge.place(at), f"{at:.0f}") for at in (gauge.low, middle, gauge.high))
    limits = tuple((100 * gauge.place(limit), f"{limit:g}") for limit in gauge.limits)
    notes = [f"{histogram.outside} outside the limits"] if histogram.outside else []
    notes += [f"{histogram.unknown} {UNKNOWN}"] if histogram.unknown else []
    return Chart(gauge.name, gauge.unit, bars, most, ticks, limits, ", ".join(notes))


def _card(one: Graded, held_to: QualitySettings, language: Language) -> Card:
    face = one.face
    return Card(
        graded=one,
        picture="" if one.thumbnail is None else f"data:image/jpeg;base64,{b64encode(one.thumbnail).decode()}",
        why=tuple((reason.in_words(language), slugs.to_person(reason.slug, language)) for reason in one.reasons),
        lines=tuple(_line(reading) for reading in readings(face, held_to)) if face else (),
        facts=tuple(_facts(face)) if face else (),
    )


def _facts(face: AnalysedFace) -> Iterator[str]:
    """What was looked for and is not as usual."""
    if face.quality.mask != "none":
        yield f"mask: {worn(face)}"
    if liveness(face) is not None:
        yield f"liveness: {alive(face)}"


def _line(reading: Reading) -> Line:
    gauge, value = reading
    if value is None:
        return Line(gauge.name, UNKNOWN, None)
    begin, end = sorted((50.0 if gauge.signed else 0.0, 100 * gauge.place(value)))
    return Line(
        gauge.name, gauge.written(value), reading.good, begin, end, tuple(100 * gauge.place(limit) for limit in gauge.limits)
    )
