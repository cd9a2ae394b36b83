"""What became of every photo, as a file: CSV, JSON or a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from kiosk.enrolment.enrolling import Enrolment
from kiosk.enrolment.importing import Tally
from kiosk.enrolment.judging import Judged
from kiosk.errors import ConfigurationError, did_you_mean
from kiosk.slugs import Language
from kiosk.terminal import as_json

FORMATS = ("csv", "json", "html")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell instead of showing it (OWASP, CSV injection)."""

pages = Environment(
    loader=PackageLoader("kiosk.enrolment"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def format_of(file: Path, named: str | None = None) -> str:
    """By the name's ending, if none is named. Raises ConfigurationError."""
    kind = named or file.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        near = did_you_mean(kind, FORMATS)
        raise ConfigurationError("configuration_invalid", f"{file}: a report is {', '.join(FORMATS)}{near}")
    return kind


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """With the mark by which spreadsheets know UTF-8, and no cell that they would compute."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return "\ufeff" + stream.getvalue()


def of_photo(enrolment: Enrolment, photo: Judged, language: Language) -> dict[str, Any]:
    """One row: person, photo, what became of it and why, and who else it looks like."""
    return {
        "person": enrolment.person,
        "photo": photo.label,
        "outcome": photo.outcome,
        "grade": photo.grade,
        "reasons": [reason.slug for reason in photo.reasons],
        "why": "; ".join(reason.in_words(language) for reason in photo.reasons),
        "like": photo.like.person if photo.like else "",
        "score": round(photo.like.score, 1) if photo.like else None,
    }


def render(tally: Tally, kind: str, language: Language) -> str:
    """Every photo of an import, as `kind` of FORMATS."""
    rows = [of_photo(one, photo, language) for one in tally.people for photo in one.photos]
    if kind == "csv":
        return as_csv(rows, tuple(rows[0]) if rows else ("person", "photo", "outcome"))
    if kind == "json":
        return as_json({"counts": tally.counts(), "photos": rows})
    return pages.get_template("report.html").render(counts=tally.counts(), rows=rows, language=language)


def _cell(value: Any) -> Any:
    text = " ".join(value) if isinstance(value, list | tuple) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text
