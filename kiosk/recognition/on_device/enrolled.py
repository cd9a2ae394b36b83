"""What is enrolled, as values: groups, persons and faces as the vendor's interfaces define them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from kiosk.domain import Box

MOST_GROUPS_OF_PERSON = 100

Descriptions = Mapping[int, str]
"""What is written of a person in a group's fields, by the field's number from 0."""


class Unchanged(Enum):
    UNCHANGED = 0


UNCHANGED: Final = Unchanged.UNCHANGED
"""For a value that stays as it is, where None is a value too."""

Consent = bool | None
"""Whether a probe may leave the device: yes, no, or nothing is said."""


class Limits(NamedTuple):
    """Groups of an account, persons of a group, faces of a person."""

    groups: int
    persons: int
    faces: int


OLD = Limits(groups=5_000, persons=20_000, faces=20)
"""By the documents of the older interfaces."""
CURRENT = Limits(groups=100_000, persons=3_000_000, faces=5)
"""By those of iai 2020-03-03."""


@dataclass(frozen=True, slots=True)
class Group:
    """`fields`: names of what may be written of each person; `created`: Unix milliseconds; `persons`: how many it holds."""

    group_id: str
    name: str
    created: int
    tag: str = ""
    fields: tuple[str, ...] = ()
    consent: Consent = None
    persons: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledFace:
    """`box`: in the photo it was taken from; `grade`: of its quality, 0–4; `created`: Unix milliseconds."""

    face_id: str
    box: Box
    tag: str = ""
    grade: int = 0
    created: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFace(EnrolledFace):
    """One that is not yet anybody's, with what only the gallery keeps."""

    embedding: bytes = field(repr=False)
    upper: bytes | None = field(default=None, repr=False)
    photo: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """`groups`: what is written of the person in each. `gender`: 0 unset, 1 male, 2 female. `created`: Unix milliseconds."""

    person_id: str
    name: str = field(repr=False)
    created: int
    tag: str = ""
    gender: int = 0
    consent: Consent = None
    groups: Mapping[str, Descriptions] = field(default_factory=dict, repr=False)
    faces: tuple[EnrolledFace, ...] = ()
