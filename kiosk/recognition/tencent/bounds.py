"""What the vendor's documents allow in a request, checked before anything is sent.

A rule stands in the `Annotated` type of the field it is for; `check` walks a request's fields. Every breach is a
ProbeRejected `request_out_of_bounds` whose detail names the field, what was given and the limit, and whose `field`
is the vendor's name of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn, Protocol, get_type_hints, runtime_checkable

from msgspec.structs import fields

from kiosk.errors import PhotoRejected, ProbeRejected
from kiosk.recognition.tencent.picture_header import PictureHeader, read_header

SHORT_SIDE = 64
"""Pixels a picture's short side must have."""
LONG_SIDE = {"jpeg": 4000, "png": 2000, "bmp": 2000}
"""Pixels a picture's long side may have."""
MAX_BASE64 = 5_000_000
"""Bytes of one picture in base64; the documents say 5 M, and the smaller reading is safe."""
MAX_POST = 10_000_000
"""Bytes of a whole POST signed with TC3; likewise for 10 MB."""
ID_BYTES = 64

_ID = re.compile(r"[A-Za-z0-9\-%@#&_]+")
_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)


@runtime_checkable
class Rule(Protocol):
    def check(self, name: str, value: Any) -> None:
        """Raises ProbeRejected `request_out_of_bounds`."""


def refuse(name: str, found: str, limit: str) -> NoReturn:
    """`found` must not quote a picture or a person's name."""
    raise ProbeRejected("request_out_of_bounds", f"{name}: {found}; the limit is {limit}", field=name)


@dataclass(frozen=True, slots=True)
class Picture:
    """The raw bytes of a JPEG, PNG or BMP; `sized` asks for the current interfaces' limits."""

    sized: bool = True

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bytes) or not value:
            refuse(name, _kind(value), "the bytes of a picture")
        try:
            header = read_header(value)
        except PhotoRejected as error:
            raise ProbeRejected(
                "request_out_of_bounds",
                f"{name}: {error.detail}, {len(value)} bytes; the limit is a whole JPEG, PNG or BMP",
                field=name,
            ) from error
        if self.sized:
            _check_size(name, len(value), header)


def _check_size(name: str, length: int, header: PictureHeader) -> None:
    encoded = (length + 2) // 3 * 4
    if encoded > MAX_BASE64:
        refuse(name, f"{length} bytes, {encoded} in base64", f"{MAX_BASE64} in base64")
    size = f"{header.format} of {header.width}×{header.height} px"
    if min(header.width, header.height) < SHORT_SIDE:
        refuse(name, size, f"at least {SHORT_SIDE} px on the short side")
    if max(header.width, header.height) > LONG_SIDE[header.format]:
        refuse(name, size, f"{LONG_SIDE[header.format]} px on the long side of a {header.format}")


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id the caller chose: letters, digits and -%@#&_, at most 64 bytes."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str):
            refuse(name, _kind(value), "text")
        if not 1 <= len(value.encode("utf-8", "surrogatepass")) <= ID_BYTES:
            refuse(name, f"{len(value.encode('utf-8', 'surrogatepass'))} bytes", f"1 to {ID_BYTES} bytes")
        if not _ID.fullmatch(value):
            refuse(name, f"{value!a}", "English letters, digits and -%@#&_")


@dataclass(frozen=True, slots=True)
class Text:
    """Characters, not bytes. `without` is a set of characters that may not occur."""

    shortest: int
    longest: int
    without: str = ""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str):
            refuse(name, _kind(value), "text")
        if not self.shortest <= len(value) <= self.longest:
            refuse(name, f"{len(value)} characters", f"{self.shortest} to {self.longest} characters")
        if set(value) & set(self.without) or not _is_text(value):
            refuse(name, f"{len(value)} characters", f"no half characters and none of {self.without!a} among them")


@dataclass(frozen=True, slots=True)
class Url:
    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str) or not _URL.fullmatch(value):
            refuse(name, _kind(value), "an http:// or https:// address without blanks")


@dataclass(frozen=True, slots=True)
class Between:
    """Both ends belong to it, unless `open_end`."""

    least: float
    most: float
    open_end: bool = False

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            refuse(name, _kind(value), "a number")
        below = value < self.most if self.open_end else value <= self.most
        if not (math.isfinite(value) and self.least <= value and below):
            refuse(name, f"{value}", f"{self.least:g} to {self.most:g}{' (exclusive)' if self.open_end else ''}")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, both ends belong to it."""

    least: int
    most: int

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            refuse(name, _kind(value), "a whole number")
        if not self.least <= value <= self.most:
            refuse(name, f"{value}", f"{self.least} to {self.most}")


@dataclass(frozen=True, slots=True)
class OneOf:
    values: tuple[int | str, ...]

    def check(self, name: str, value: Any) -> None:
        if value not in self.values or isinstance(value, bool | float):
            refuse(name, f"{value!r:.40}", " or ".join(map(str, self.values)))


@dataclass(frozen=True, slots=True)
class Switch:
    """True and False; travels as 1 and 0."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bool):
            refuse(name, _kind(value), "True or False")


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a list, comma between them, in any case."""

    known: frozenset[str]

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str):
            refuse(name, _kind(value), "text")
        for word in value.split(","):
            if word.strip().casefold() not in self.known:
                refuse(name, f"{word!r:.40}", f"words of {', '.join(sorted(self.known))}")


@dataclass(frozen=True, slots=True)
class Items:
    """A list of 1 to `most` values (`least` may be 0), each after the rule `each`; where `distinct`, no two the same."""

    most: int
    each: Rule
    least: int = 1
    distinct: bool = False

    def check(self, name: str, value: Any) -> None:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            refuse(name, _kind(value), "a list")
        if not self.least <= len(value) <= self.most:
            refuse(name, f"{len(value)} items", f"{self.least} to {self.most} items")
        for index, item in enumerate(value):
            self.each.check(f"{name}[{index}]", item)
        if self.distinct and len(set(value)) < len(value):
            refuse(name, f"{len(value)} items, {len(set(value))} different", "no item twice")


@dataclass(frozen=True, slots=True)
class Nested:
    """A struct with rules of its own."""

    kind: type[Any]

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, self.kind):
            refuse(name, _kind(value), f"a {self.kind.__name__}")
        check(value, f"{name}.")


def check(request: Any, prefix: str = "") -> None:
    """Holds every field of a msgspec struct to its rules; None passes where the field may be left out.

    Raises ProbeRejected `request_out_of_bounds`.
    """
    for attribute, name, required, rules in _rules(request.__class__):
        value = getattr(request, attribute)
        if value is None and not required:
            continue
        for rule in rules:
            rule.check(prefix + name, value)


def check_one_of(request: Any, first: str, second: str) -> None:
    """Exactly one of two ways to hand in the same picture: of two, the vendor would ignore one in silence."""
    given = [name for name in (first, second) if getattr(request, name) is not None]
    if len(given) != 1:
        names = {item.name: item.encode_name for item in fields(request)}
        refuse(f"{names[first]}/{names[second]}", f"{len(given)} of them given", "exactly one")


@cache
def _rules(kind: Any) -> tuple[tuple[str, str, bool, tuple[Rule, ...]], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple((item.name, item.encode_name, item.required, tuple(_rules_in(hints[item.name]))) for item in fields(kind))


def _rules_in(hint: Any) -> Iterator[Rule]:
    yield from (item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Rule))


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _kind(value: Any) -> str:
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, str | bytes | Sequence) else type(value).__name__
