"""What was seen, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kiosk import slugs
from kiosk.domain import Masking, QualityReport
from kiosk.look.gauges import Reading, assessed, readings
from kiosk.look.seeing import NO_LIVENESS, Seen, advice, liveness
from kiosk.ports import AnalysedFace, AnalysedPhoto
from kiosk.settings import QualitySettings
from kiosk.slugs import Language
from kiosk.terminal import plain, printable

UNKNOWN = "not assessed"
_WIDE = 16
"""Characters of a bar."""
_COLOURS: Mapping[bool | None, str] = {True: "green", False: "red", None: "dim"}
_SURE: Mapping[Masking, int] = {"worn": 0, "mouth_only": 0, "other_cover": 1}
"""What the surety of a mask is counted from."""
_ROWS = 6
"""Bars under each other."""
_MEASURES_ABREAST = 2


class Show:
    """`settings`: what the faces were held to; `one_at_a_time`: whether people are told so where several are in view."""

    def __init__(self, settings: QualitySettings, language: Language, *, one_at_a_time: bool = False) -> None:
        self._one_at_a_time = one_at_a_time
        self._settings = settings
        self._language = language

    def picture(self, seen: Seen) -> RenderableType:
        """One picture with all that can be said of it."""
        if seen.photo is None:
            because = self._because(seen.slug, seen.detail)
            return Text.assemble((printable(seen.source), "bold"), "  ", *because, no_wrap=True, overflow="ignore")
        parts: list[RenderableType] = [self._title(seen, seen.photo)]
        for number, face in enumerate(seen.photo.faces, 1):
            parts += [self.face(number, face), Padding(_all_measures(face.quality), (0, 0, 1, 2))]
        return Group(*parts)

    def live(self, seen: Seen, pace: str) -> RenderableType:
        """A panel that is shown again and again."""
        photo = seen.photo
        title = f"[bold]{plain(seen.source)}[/]"
        if photo is None or not photo.faces:
            words = slugs.to_operator(seen.slug or "no_face", self._language)
            return Panel(Text(words, style="red" if seen.slug else "dim"), title=title, subtitle=pace)
        crowd = len(photo.faces) > 1 and self._one_at_a_time
        parts: list[RenderableType] = [Text(slugs.to_person("several_faces", self._language), style="bold red")] if crowd else []
        parts += [self.face(number, face) for number, face in enumerate(photo.faces, 1)]
        return Panel(Group(*parts), title=title, subtitle=f"{photo.width}×{photo.height}, {pace}")

    def face(self, number: int, seen: AnalysedFace) -> RenderableType:
        """What it would be told, what is wrong, and bars."""
        report, best = seen.quality, advice(seen)
        head = Text.assemble(
            (f"{number}  grade {report.grade}  ", f"bold {'green' if report.usable else 'red'}"),
            (slugs.to_person(best, self._language), "bold"),
        )
        box = seen.face.box
        place = f"   box {box.width:.0f}×{box.height:.0f} px at {box.x:.0f}, {box.y:.0f}"
        looks = f"   mask: {worn(seen)}, liveness: {alive(seen)}"
        lines: list[RenderableType] = [head, Text(place), Text(looks)]
        lines += [Text.assemble("   ", *self._because(slug)) for slug in report.defects]
        return Group(*lines, Padding(_bars(readings(seen, self._settings)), (0, 0, 0, 2)))

    def _title(self, seen: Seen, photo: AnalysedPhoto) -> Text:
        faces = f"{len(photo.faces)} face{'s' * (len(photo.faces) != 1)}"
        turned = f", turned by {90 * photo.turned}°" if photo.turned else ""
        told = f"  {photo.width}×{photo.height} {printable(photo.format)}{turned}, {faces}"
        because = ("\n", *self._because(seen.slug)) if seen.slug else ()
        return Text.assemble((printable(seen.source), "bold"), told, *because, no_wrap=True, overflow="ignore")

    def _because(self, slug: str, detail: str = "") -> Iterator[str | tuple[str, str]]:
        words = slugs.to_operator(slug, self._language)
        yield slug, "red"
        yield f"  {words}"
        if detail not in {"", words}:
            yield f" ({printable(detail)})", "dim"


def worn(seen: AnalysedFace) -> str:
    """How a mask is worn, and how sure that is, where the classifier has a word in it."""
    how = seen.quality.mask
    told = how.replace("_", " ")
    if seen.mask < 0 or how not in _SURE:
        return told
    return f"{told} ({abs(_SURE[how] - seen.mask):.0%} sure)"


def alive(seen: AnalysedFace) -> str:
    score = liveness(seen)
    return NO_LIVENESS if score is None else f"{score:.0f} of 100"


def _bars(every: tuple[Reading, ...]) -> Table:
    table = Table.grid(padding=(0, 1))
    for row in range(_ROWS):
        cells: list[Text] = []
        for reading in every[row::_ROWS]:
            cells += [Text(reading.gauge.name, style="dim"), _bar(reading), _value(reading), Text("  ")]
        table.add_row(*cells)
    return table


def _value(reading: Reading) -> Text:
    return Text("" if reading.value is None else reading.gauge.written(reading.value))


def _bar(reading: Reading) -> Text:
    """Filled up to the value, from the middle where zero is best; the limits are marked."""
    gauge, value = reading
    if value is None:
        return Text(f"{UNKNOWN:<{_WIDE}}", style="dim italic")
    limits = {min(round(gauge.place(limit) * _WIDE), _WIDE - 1) for limit in gauge.limits}
    begin, end = sorted((_WIDE // 2 if gauge.signed else 0, round(gauge.place(value) * _WIDE)))
    bar = Text()
    for cell in range(_WIDE):
        filled = begin <= cell < max(end, begin + gauge.signed)
        mark = ("─━", "┊┿")[cell in limits][filled]
        bar.append(mark, _COLOURS[reading.good] if filled else "dim")
    return bar


def _all_measures(report: QualityReport) -> Table:
    table = Table.grid(padding=(0, 1))
    measures = sorted(report.measures.items())
    rows = -(-len(measures) // _MEASURES_ABREAST)
    for row in range(rows):
        table.add_row(*(Text(cell, style="dim") for name, value in measures[row::rows] for cell in (name, _number(value), " ")))
    return table


def _number(measure: float) -> str:
    value = assessed(measure)
    return UNKNOWN if value is None else f"{value:.0f}"
