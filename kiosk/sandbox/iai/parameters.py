"""What callers of the current interfaces may send, and the vendor's code for each way to get it wrong.

A struct per action names its parameters; the `Limit`s in a parameter's type say what must hold of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

from kiosk.sandbox.refusals import Refused

ILLEGAL = "InvalidParameterValue."
EMPTY = "MissingParameter.ErrorParameterEmpty"
MOST_GROUPS, MOST_GROUPS_BY_GROUP = 100, 60
MOST_COLONS = 10_000
"""Of a body that is looked at twice: every name in JSON has one behind it, and no request has so many."""


@dataclass(frozen=True, slots=True)
class Limit:
    code: str
    holds: Callable[[Any], bool]


class Parameters(Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True):
    """Its repr tells nothing: it holds faces and names."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


P = TypeVar("P", bound=Parameters)


def understand(sent: bytes | Mapping[str, Any], kind: type[P]) -> P:
    """Of JSON, whose types must fit, or of values by name, which may be numbers written as text.

    Raises Refused: `InvalidParameter`, `UnknownParameter`, `MissingParameter` or a limit's code.
    """
    parameters = _from_json(sent, kind) if isinstance(sent, bytes) else _from_text(sent, kind)
    for attribute, limits in _limits(kind):
        value = getattr(parameters, attribute)
        for limit in limits:
            if value is not None and not limit.holds(value):
                raise Refused(limit.code)
    return parameters


def _from_json(body: bytes, kind: type[P]) -> P:
    """At one go where nothing is wrong: what is wrong, and what is null, takes a second look."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        given = _named(body)
    _check_names(given, kind)
    try:
        return msgspec.json.decode(msgspec.json.encode(given), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("InvalidParameter", f"{error}"[:200]) from error


def _named(body: bytes) -> dict[str, msgspec.Raw]:
    """What was sent and is not null."""
    if body.count(b":") > MOST_COLONS:
        raise Refused("InvalidParameter", "the body is no interface's")
    try:
        sent = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("InvalidParameter", "the body is not a JSON object") from error
    return {name: value for name, value in sent.items() if bytes(value) != b"null"}


def _from_text(sent: Mapping[str, Any], kind: type[P]) -> P:
    given = {name: value for name, value in sent.items() if value is not None}
    _check_names(given, kind)
    try:
        return msgspec.convert(given, kind, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Refused("InvalidParameter", f"{error}"[:200]) from error


def _check_names(given: Mapping[str, object], kind: type[Parameters]) -> None:
    known = {item.encode_name: item for item in fields(kind)}
    for name in given:
        if name not in known:
            raise Refused("UnknownParameter", f"the parameter {name[:60]!a} is not recognised")
    for name, item in known.items():
        if item.required and name not in given:
            raise Refused("MissingParameter", f"the request is missing the required parameter '{name}'")


@cache
def _limits(kind: Any) -> tuple[tuple[str, tuple[Limit, ...]], ...]:
    hints = get_type_hints(kind, include_extras=True)
    found = ((item.name, getattr(hints[item.name], "__metadata__", ())) for item in fields(kind))
    return tuple((name, tuple(limit for limit in metadata if isinstance(limit, Limit))) for name, metadata in found)


def _between(least: float, most: float) -> Callable[[float], bool]:
    return lambda value: least <= value <= most


def _at_most(most: int) -> Callable[[Sequence[object]], bool]:
    return lambda value: len(value) <= most


def _is_id(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9\-%@#&_]+", value) is not None


def _fits_id(value: str) -> bool:
    return len(value.encode()) <= 64


def _each(holds: Callable[[Any], bool]) -> Callable[[Sequence[Any]], bool]:
    return lambda values: all(map(holds, values))


def _is_field(name: str) -> bool:
    return re.fullmatch(r"[\w\-]+", name) is not None


def _differ(values: Sequence[object]) -> bool:
    return len(set(values)) == len(values)


_FILLED = Limit(EMPTY, bool)
_PERSON = Limit(f"{ILLEGAL}PersonIdTooLong", _fits_id), Limit(f"{ILLEGAL}PersonIdIllegal", _is_id)
_GROUP = Limit(f"{ILLEGAL}GroupIdTooLong", _fits_id), Limit(f"{ILLEGAL}GroupIdIllegal", _is_id)
_GROUPS = tuple(Limit(limit.code, _each(limit.holds)) for limit in _GROUP)
_GROUP_NAME = Limit(f"{ILLEGAL}GroupNameTooLong", _at_most(60)), Limit(f"{ILLEGAL}GroupNameIllegal", str.isprintable)
_NAME = Limit(f"{ILLEGAL}PersonNameTooLong", _at_most(60)), Limit(f"{ILLEGAL}PersonNameIllegal", str.isprintable)

Natural = Annotated[int, Meta(ge=0)]
PersonId = Annotated[str, _FILLED, *_PERSON]
GroupId = Annotated[str, _FILLED, *_GROUP]
GroupIds = Annotated[list[str], _FILLED, Limit(f"{ILLEGAL}GroupIdsExceed", _at_most(MOST_GROUPS)), *_GROUPS]
GroupIdsByGroup = Annotated[list[str], _FILLED, Limit(f"{ILLEGAL}GroupIdsExceed", _at_most(MOST_GROUPS_BY_GROUP)), *_GROUPS]
GroupName = Annotated[str, _FILLED, *_GROUP_NAME]
NewGroupName = Annotated[str | None, _FILLED, *_GROUP_NAME]
PersonName = Annotated[str, _FILLED, *_NAME]
NewPersonName = Annotated[str | None, _FILLED, *_NAME]
Tag = Annotated[str | None, Limit(f"{ILLEGAL}GroupTagTooLong", _at_most(40)), Limit(f"{ILLEGAL}GroupTagIllegal", str.isprintable)]
Gender = Annotated[int | None, Limit(f"{ILLEGAL}PersonGenderIllegal", _between(0, 2))]
Fields = Annotated[
    tuple[str, ...],
    Limit(f"{ILLEGAL}GroupExDescriptionsExceed", _at_most(5)),
    Limit(f"{ILLEGAL}GroupExDescriptionsNameTooLong", _each(_at_most(30))),
    Limit(f"{ILLEGAL}GroupExDescriptionsNameIllegal", _each(_is_field)),
    Limit(f"{ILLEGAL}GroupExDescriptionsNameIdentical", _differ),
]


class Description(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    person_ex_description_index: Natural
    person_ex_description: str


Descriptions = Annotated[
    tuple[Description, ...],
    Limit(f"{ILLEGAL}PersonExDescriptionInfosExceed", _at_most(5)),
    Limit(f"{ILLEGAL}PersonExDescriptionsNameTooLong", _each(lambda item: len(item.person_ex_description) <= 60)),
    Limit(
        f"{ILLEGAL}PersonExDescriptionsNameIdentical",
        lambda items: _differ([item.person_ex_description_index for item in items]),
    ),
]

Switch = int
"""1 is on and everything else off, as the documents have it."""
Choice = Annotated[Natural, Limit("InvalidParameter.InvalidParameter", _between(0, 1))]
"""Between two ways, without a word in the documents on anything else."""
SmallestFace = Annotated[Natural, Limit("InvalidParameter.InvalidParameter", lambda value: value in {20, 34})]
"""Pixels, where the documents allow these two."""
QualityControl = Annotated[Natural, Limit(f"{ILLEGAL}QualityControlIllegal", _between(0, 4))]
UniquePersonControl = Annotated[Natural, Limit(f"{ILLEGAL}UniquePersonControlIllegal", _between(0, 4))]
Model = Annotated[str, Limit(f"{ILLEGAL}FaceModelVersionIllegal", "3.0".__eq__)]
"""Accounts opened after 2020-11-26, and this one, have no other."""
FacesToFind = Annotated[Natural, Limit("LimitExceeded.ErrorFaceNumExceed", _between(1, 120))]
FacesToSearch = Annotated[Natural, Limit("FailedOperation.SearchFacesExceed", _between(1, 10))]
Persons = Annotated[Natural, Limit(f"{ILLEGAL}SearchPersonsExceed", _between(1, 100))]
PersonsPerGroup = Annotated[Natural, Limit(f"{ILLEGAL}SearchPersonsExceed", _between(1, 10))]
SearchThreshold = Annotated[float, Limit(f"{ILLEGAL}FaceMatchThresholdIllegal", lambda value: 0 <= value < 100)]
FaceThreshold = Annotated[float, Limit(f"{ILLEGAL}FaceMatchThresholdIllegal", _between(0, 100))]
Offset = Annotated[Natural, Limit(f"{ILLEGAL}OffsetExceed", _between(0, 2**63 - 1))]
Page = Annotated[Natural, Limit(f"{ILLEGAL}LimitExceed", _between(1, 1000))]
PageOfGroups = Annotated[Natural, Limit(f"{ILLEGAL}LimitExceed", _between(1, 100))]
FourPictures = Annotated[list[str] | None, Limit(f"{ILLEGAL}UploadFaceNumExceed", _at_most(4))]


class OnePicture(Parameters, frozen=True, kw_only=True):
    """Of `image` (base64) and `url` one must be given; of both, `url` counts."""

    image: str | None = None
    url: str | None = None


class TwoPictures(Parameters, frozen=True, kw_only=True):
    image_a: str | None = None
    image_b: str | None = None
    url_a: str | None = None
    url_b: str | None = None
