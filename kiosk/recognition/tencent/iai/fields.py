"""Types of request fields that several interfaces share, each with its bounds (iai 2020-03-03, tencentcloud-sdk-python-iai
3.1.191), and the rectangle that several answers hold.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.recognition.tencent.bounds import (
    Between,
    Identifier,
    Items,
    Nested,
    OneOf,
    Picture,
    Switch,
    Text,
    Url,
    Whole,
)

MAX_UINT = 2**63 - 1
MAX_GROUPS = 100
MAX_GROUPS_BY_GROUP = 60

Photo = Annotated[bytes | None, Picture()]
"""The bytes of a JPEG, PNG or BMP; travels in base64."""
Address = Annotated[str | None, Url()]
Model = Annotated[Literal["3.0"], OneOf(("3.0",))]
Flag = Annotated[bool | None, Switch()]
Quality = Annotated[int | None, Whole(0, 4)]
"""0 asks for nothing, 4 for a picture without any flaw."""
GroupId = Annotated[str, Identifier()]
PersonId = Annotated[str, Identifier()]
GroupIds = Annotated[tuple[str, ...], Items(MAX_GROUPS, Identifier())]
GroupIdsByGroup = Annotated[tuple[str, ...], Items(MAX_GROUPS_BY_GROUP, Identifier())]
Largest = Annotated[int | None, OneOf((0, 1))]
"""0: all faces; 1: the largest alone."""
FacesToDetect = Annotated[int | None, Whole(1, 120)]
FacesToSearch = Annotated[int | None, Whole(1, 10)]
FaceSide = Annotated[int | None, Whole(1, 4000)]
"""Pixels; smaller faces are passed over. The vendor takes 34 where it is left out, and recommends 80 for searches."""
Persons = Annotated[int | None, Whole(1, 100)]
PersonsPerGroup = Annotated[int | None, Whole(1, 10)]
LeastScore = Annotated[float | None, Between(0, 100, open_end=True)]
Offset = Annotated[int | None, Whole(0, MAX_UINT)]
Page = Annotated[int | None, Whole(1, 1000)]
PageOfGroups = Annotated[int | None, Whole(1, 100)]
GivenName = Annotated[str, Text(1, 60)]
NewName = Annotated[str | None, Text(1, 60)]
Gender = Annotated[int | None, OneOf((0, 1, 2))]
"""0 unset, 1 male, 2 female."""
Control = Annotated[int | None, Whole(0, 4)]
"""0 off; 1–4: no second person whose face matches at a false match rate of 1e-2, 1e-3, 1e-4, 1e-5."""


class Description(Struct, frozen=True, rename="pascal"):
    """A group's free field `person_ex_description_index` (from 0) and a person's text in it."""

    person_ex_description_index: Annotated[int, Whole(0, 4)]
    person_ex_description: Annotated[str, Text(0, 60)]


Descriptions = Annotated[tuple[Description, ...] | None, Items(5, Nested(Description))]
SomeDescriptions = Annotated[tuple[Description, ...], Items(5, Nested(Description))]

Pixel = Annotated[int, Meta(ge=-65_536, le=65_536)]
Extent = Annotated[int, Meta(ge=0, le=65_536)]


class Rect(Struct, frozen=True, rename="pascal"):
    """A face's box in pixels of the picture; it may begin outside, where x or y is negative."""

    x: Pixel
    y: Pixel
    width: Extent
    height: Extent
