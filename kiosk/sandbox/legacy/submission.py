"""What a caller sent, in any of the forms that the vendor's packages use.

Forms may have text fields with or without a file name, in any order; JSON may come with a charset
parameter. Nothing of a request is ever written to disk.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct
from msgspec import field as json_field
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import Request

from kiosk.recognition.tencent.legacy_wire import MAX_BODY
from kiosk.sandbox.refusals import Refusal

MAX_PARTS = 200
MAX_TEXT = 64
"""Characters of an identifier, as in the vendor's newer interfaces; the older documents name no number."""


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
    appid: str | int = ""
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


async def receive(request: Request) -> Submission:
    """Reads and understands a request's body; memory is bounded by the interface's limit.

    Raises Refusal 3, 21, 23, −1102, −1304 or −1313.
    """
    body = await _body(request)
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"application/json":
        submission = _from_json(body)
    elif kind == b"multipart/form-data":
        submission = _from_form(body, options.get(b"boundary", b""))
    else:
        raise Refusal(3, "content type is neither application/json nor multipart/form-data")
    for identifier in (submission.person_id, submission.face_id, *submission.face_ids, *submission.groups):
        _check_identifier(identifier)
    return submission


async def _body(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > MAX_BODY:
        raise Refusal(23)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(23)
    return bytes(body)


def _from_json(body: bytes) -> Submission:
    try:
        sent = msgspec.json.decode(body, type=_Json)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refusal(3, f"JSON: {error}") from error
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
    for name, value in _parts(body, boundary):
        listed = _LISTS.get(re.sub(r"\[\d*\]$", "", name))
        if name in _PICTURES:
            fields[_PICTURES[name]] = value
        elif name in _TEXTS:
            fields[_TEXTS[name]] = _text(name, value)
        elif listed is not None:
            lists[listed].append(value if listed == "images" else _text(name, value))
    fields |= {name: tuple(values) for name, values in lists.items()}
    return Submission(**fields)


def _parts(body: bytes, boundary: bytes) -> list[tuple[str, bytes]]:
    """A form's parts in their order, a file name or not."""
    parts: list[tuple[str, bytes]] = []
    ended: list[bool] = []

    def keep(name: bytes | None, value: bytes | None) -> None:
        if len(parts) >= MAX_PARTS:
            raise Refusal(21, f"more than {MAX_PARTS} parts")
        parts.append(((name or b"").decode("latin-1"), value or b""))

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        keep(file.field_name, file.file_object.read())

    def on_field(part: Field) -> None:
        keep(part.field_name, part.value)

    try:
        parser = FormParser(
            "multipart/form-data",
            on_field,
            on_file,
            on_end=lambda: ended.append(True),
            boundary=boundary,
            config={"MAX_MEMORY_FILE_SIZE": MAX_BODY + 1},
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refusal(3, f"form: {error}") from error
    if not ended:
        raise Refusal(3, "form: the last boundary is missing")
    return parts


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(21, f"{name} is not UTF-8") from error


def _check_identifier(value: str) -> None:
    if len(value) > MAX_TEXT:
        raise Refusal(-1304, f"longer than {MAX_TEXT} characters")
    if _has_any(value, " /\\\t\r\n") or not (value.isprintable() or not value):
        raise Refusal(-1313)


def _has_any(value: str, unwanted: Iterable[str]) -> bool:
    return any(c in value for c in unwanted)
