"""The older host's comparisons of faces."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from kiosk.domain import Name, Percent
from kiosk.recognition.tencent.bounds import Items, Picture, Text, Url
from kiosk.recognition.tencent.iai.fields import Extent, Pixel
from kiosk.recognition.tencent.legacy_wire import Data, LegacyInterface

BLANKS = " /\\\t\r\n"
"""Characters the vendor refuses in an id (code −1313)."""

Id = Annotated[str, Text(1, 64, BLANKS)]
"""The vendor names no length; 64 characters is the house's own."""
OptionalId = Annotated[str | None, Text(1, 64, BLANKS)]
Photo = Annotated[bytes | None, Picture(sized=False)]
Address = Annotated[str | None, Url()]


class Likely(Struct, frozen=True):
    person_id: Name
    confidence: Percent
    face_id: str = ""
    tag: str = ""


class FaceRect(Struct, frozen=True):
    x: Pixel
    y: Pixel
    width: Extent
    height: Extent


class Identity(Struct, frozen=True):
    """One face of the picture and whose it may be, the likeliest first."""

    candidates: Annotated[list[Likely], Meta(max_length=100)]
    face_rect: FaceRect


class Identification(Data, frozen=True):
    """The likeliest first, at most five; the vendor suggests a confidence of 90."""

    candidates: Annotated[list[Likely], Meta(max_length=100)]


class Identities(Data, frozen=True):
    results: Annotated[list[Identity], Meta(max_length=100)]


class Comparison(Data, frozen=True):
    """`similarity` 0–100; over 75, says the vendor, it is mostly the same person."""

    similarity: Percent


class Identify(LegacyInterface[Identification], frozen=True):
    """The largest face of a picture against the people of one group or several."""

    EITHER = (("group_id", "group_ids"), ("image", "url"))

    group_id: OptionalId = None
    group_ids: Annotated[tuple[str, ...] | None, Items(100, Text(1, 64, BLANKS))] = None
    image: Photo = None
    url: Address = None


class MultIdentify(LegacyInterface[Identities], frozen=True):
    """Every face of a picture against the people of one group or several."""

    EITHER = (("group_id", "group_ids"), ("image", "url"))

    group_id: OptionalId = None
    group_ids: Annotated[tuple[str, ...] | None, Items(100, Text(1, 64, BLANKS))] = None
    image: Photo = None
    url: Address = None
    session_id: OptionalId = None


class Compare(LegacyInterface[Comparison], frozen=True):
    """Two faces."""

    EITHER = (("image_a", "url_a"), ("image_b", "url_b"))

    image_a: Photo = field(default=None, name="imageA")
    url_a: Address = field(default=None, name="urlA")
    image_b: Photo = field(default=None, name="imageB")
    url_b: Address = field(default=None, name="urlB")
