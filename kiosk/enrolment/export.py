"""Everybody as a file: CSV, JSON, or a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kiosk.enrolment.profile import GRADE
from kiosk.enrolment.report import as_csv, pages
from kiosk.enrolment.rows import COLUMNS, Thumbnails, cards, moment, row_of
from kiosk.recognition.on_device.enrolled import Person
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.terminal import as_json

Marks = Mapping[str, Sequence[tuple[str, float, bool]]]


def marks_of(pairs: Iterator[tuple[str, str, float, bool]]) -> dict[str, list[tuple[str, float, bool]]]:
    """Each of a pair with the other, the closest first."""
    marks: dict[str, list[tuple[str, float, bool]]] = {}
    for one, other, points, same in sorted(pairs, key=lambda pair: -pair[2]):
        marks.setdefault(one, []).append((other, points, same))
        marks.setdefault(other, []).append((one, points, same))
    return marks


def render(
    kind: str, gallery: Gallery, people: Sequence[Person], marks: Marks, about: Mapping[str, Any], thumbnail: Thumbnails
) -> Iterator[str]:
    """In pieces; `about`: `site`, `groups` and `made` (Unix milliseconds)."""
    if kind == "html":
        page = pages.get_template("sheet.html")
        yield from page.generate(
            **{**about, "made": moment(about["made"])},
            count=len(people),
            least_grade=GRADE,
            cards=cards(gallery, people, marks, thumbnail),
        )
        return
    rows = [row_of(gallery, person) | {"similar": _similar(marks.get(person.person_id, ()))} for person in people]
    yield as_json({"site": about["site"], "people": rows}) if kind == "json" else as_csv(rows, COLUMNS)


def _similar(marks: Sequence[tuple[str, float, bool]]) -> list[str]:
    return [other for other, _, _ in marks]
