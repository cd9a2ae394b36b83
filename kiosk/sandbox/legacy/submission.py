"""What a caller sent, as a form or as JSON, with or without a charset parameter."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec import field as json_field

from kiosk.sandbox.forms import MULTIPART, BadForm, Part, TooManyParts, content_type, parts_of
from kiosk.sandbox.refusals import Refusal
from kiosk.sandbox.wire import Sent

MAX_IDENTIFIER = 64
"""Characters, as in the vendor's newer interfaces; the older documents name no number."""
MAX_TEXT = 1000
"""Characters of what nobody looks people up by; likewise."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Pictures, names and tags are None where none was sent."""

    appid: str = ""
    bucket: str = ""
    groups: tuple[str, ...] = ()
    person_id: str = ""
    person_name: str | None = None
    tag: str | None = None
    face_id: str = ""
    face_ids: tuple[str, ...] = ()
    session_id: str = ""
    url: str = ""
    url_a: str = ""
    url_b: str = ""
    urls: tuple[str, ...] = ()
    image: bytes | None = field(default=None, repr=False)
    image_a: bytes | None = field(default=None, repr=False)
    image_b: bytes | None = field(default=None, repr=False)
    images: tuple[bytes, ...] = field(default=(), repr=False)


_TEXTS = {
    **{name: name for name in ("appid", "bucket", "person_id", "person_name", "tag", "face_id", "session_id", "url")},
    "urlA": "url_a",
    "urlB": "url_b",
}
_PICTURES = {"image": "image", "imageA": "image_a", "imageB": "image_b"}
_LISTS = {"group_id": "groups", "group_ids": "groups", "face_ids": "face_ids", "urls": "urls", "images": "images"}
"""The vendor's names and those of a Submission; lists come as `name[0]`, `name[1]`, … or `name[]`."""


class _Json(Struct):
    appid: str | Annotated[int, Meta(ge=0, le=2**63 - 1)] = ""
    bucket: str = ""
    group_id: str = ""
    group_ids: list[str] = []
    person_id: str = ""
    person_name: str | None = None
    tag: str | None = None
    face_id: str = ""
    face_ids: list[str] = []
    session_id: str = ""
    url: str = ""
    url_a: str = json_field(name="urlA", default="")
    url_b: str = json_field(name="urlB", default="")
    urls: list[str] = []
    image: str | None = None
    image_a: str | None = json_field(name="imageA", default=None)
    image_b: str | None = json_field(name="imageB", default=None)
    images: list[str] = []


def understand(sent: Sent) -> Submission:
    """Raises Refusal 3, 21, −1102, −1304 or −1313."""
    kind, boundary = content_type(sent.headers)
    if kind == "application/json":
        submission = _from_json(sent.body)
    elif kind == MULTIPART:
        submission = _from_form(sent.body, boundary)
    else:
        raise Refusal(3, f"content type is neither application/json nor {MULTIPART}")
    for identifier in (submission.person_id, submission.face_id, *submission.face_ids, *submission.groups):
        _check_identifier(identifier)
    for text in (submission.person_name, submission.tag, submission.session_id):
        if len(text or "") > MAX_TEXT:
            raise Refusal(-1304, f"longer than {MAX_TEXT} characters")
    return submission


def _from_json(body: bytes) -> Submission:
    try:
        sent = msgspec.json.decode(body, type=_Json)
    except msgspec.ValidationError as error:
        raise Refusal(21, f"JSON: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(3, "the body is not a JSON object") from error
    texts: dict[str, Any] = {name: getattr(sent, name) for name in _TEXTS.values() if name != "appid"}
    pictures: dict[str, Any] = {
        name: _picture(name, text) for name in _PICTURES.values() if (text := getattr(sent, name)) is not None
    }
    return Submission(
        appid=str(sent.appid),
        groups=tuple(group for group in (sent.group_id, *sent.group_ids) if group),
        face_ids=tuple(sent.face_ids),
        urls=tuple(sent.urls),
        images=tuple(_picture(f"images[{number}]", picture) for number, picture in enumerate(sent.images)),
        **texts,
        **pictures,
    )


def _picture(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(-1102, f"{name} is not base64") from error


def _from_form(body: bytes, boundary: bytes) -> Submission:
    fields: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {name: [] for name in _LISTS.values()}
    for name, value, *_ in _parts(body, boundary):
        listed = _LISTS.get(re.sub(r"\[\d*\]$", "", name))
        if name in _PICTURES:
            fields[_PICTURES[name]] = value
        elif name in _TEXTS:
            fields[_TEXTS[name]] = _text(name, value)
        elif listed is not None:
            lists[listed].append(value if listed == "images" else _text(name, value))
    fields |= {name: tuple(values) for name, values in lists.items()}
    return Submission(**fields)


def _parts(body: bytes, boundary: bytes) -> list[Part]:
    try:
        return parts_of(body, boundary)
    except TooManyParts as error:
        raise Refusal(21, f"{error}") from error
    except BadForm as error:
        raise Refusal(3, f"form: {error}") from error


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(21, f"{name} is not UTF-8") from error


def _check_identifier(value: str) -> None:
    if len(value) > MAX_IDENTIFIER:
        raise Refusal(-1304, f"longer than {MAX_IDENTIFIER} characters")
    if _has_any(value, " /\\\t\r\n") or not (value.isprintable() or not value):
        raise Refusal(-1313)


def _has_any(value: str, unwanted: Iterable[str]) -> bool:
    return any(c in value for c in unwanted)
