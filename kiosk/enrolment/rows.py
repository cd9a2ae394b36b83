"""Persons as rows: for tables, JSON, CSV and the contact sheet. Never an embedding."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kiosk.domain import Box
from kiosk.enrolment.origin import origin_of
from kiosk.recognition.on_device.enrolled import Consent, Person
from kiosk.recognition.on_device.gallery import Gallery

COLUMNS = ("person", "name", "tag", "groups", "consent", "may_leave", "created", "faces", "grade", "similar")
Thumbnails = Callable[[bytes, Box, int], bytes]
"""A kept photo, the face's box and the quarter turns before it holds, to a small JPEG."""


def row_of(gallery: Gallery, person: Person) -> dict[str, Any]:
    """`consent`: the person's own word; `may_leave`: that or their groups'; `grade`: of the best reference, None where no
    photo was seen.
    """
    return {
        "person": person.person_id,
        "name": person.name,
        "tag": person.tag,
        "groups": list(person.groups),
        "consent": said(person.consent),
        "may_leave": said(gallery.consent(person.person_id)),
        "created": moment(person.created),
        "faces": len(person.faces),
        "grade": grade_of(person),
    }


def details_of(gallery: Gallery, person: Person) -> dict[str, Any]:
    """With every reference, the newest last."""
    return row_of(gallery, person) | {
        "references": [
            {
                "face": face.face_id,
                "grade": face.grade if origin is None or origin.photo else None,
                "created": moment(face.created),
                "model": origin.model if origin else None,
                "masked": origin.masked if origin else None,
                "photo_kept": gallery.photo(face.face_id) is not None,
            }
            for face, origin in ((face, origin_of(face.tag)) for face in person.faces)
        ]
    }


def grade_of(person: Person) -> int | None:
    origins = ((face, origin_of(face.tag)) for face in person.faces)
    return max((face.grade for face, origin in origins if origin is None or origin.photo), default=None)


def said(consent: Consent) -> str:
    return {True: "yes", False: "no", None: "unset"}[consent]


def moment(milliseconds: int) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Card:
    """A person on the contact sheet. `picture`: a data address of the best kept photo, empty where there is none;
    `hue`: degrees, of the drawn placeholder; `marks`: whom they look like, the score, and whether too much.
    """

    row: Mapping[str, Any]
    picture: str
    initials: str
    hue: int
    marks: Sequence[tuple[str, float, bool]]


def cards(
    gallery: Gallery, people: Sequence[Person], marks: Mapping[str, Sequence[tuple[str, float, bool]]], thumbnail: Thumbnails
) -> Iterator[Card]:
    """One after the other, so that only one photo is in memory at a time."""
    for person in people:
        hue = hashlib.blake2b(person.person_id.encode(), digest_size=2).digest()
        yield Card(
            row_of(gallery, person),
            _picture(gallery, person, thumbnail),
            initials(person.name or person.person_id),
            int.from_bytes(hue) % 360,
            marks.get(person.person_id, ()),
        )


def _picture(gallery: Gallery, person: Person, thumbnail: Thumbnails) -> str:
    for face in sorted(person.faces, key=lambda face: -face.grade):
        photo = gallery.photo(face.face_id)
        if photo is not None:
            origin = origin_of(face.tag)
            jpeg = thumbnail(photo, face.box, origin.turned if origin else 0)
            return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return ""


def initials(name: str) -> str:
    """Of the first and the last word; of one word its first two letters, a Chinese name's last two."""
    words = name.split() or ["?"]
    if len(words) > 1:
        return (words[0][0] + words[-1][0]).upper()
    return words[0][:2].upper() if words[0].isascii() else words[0][-2:]
