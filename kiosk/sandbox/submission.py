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

import msgspec
from msgspec import Struct
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import Request

from kiosk.recognition.tencent.legacy_messages import MAX_BODY
from kiosk.sandbox.refusals import Refusal

MAX_PARTS = 200
MAX_TEXT = 64
"""Characters of an identifier, as in the vendor's newer interfaces; the older documents name no number."""


@dataclass(frozen=True, slots=True)
class Submission:
    """`image` is None where none was sent."""

    appid: str = ""
    bucket: str = ""
    groups: tuple[str, ...] = ()
    person_id: str = ""
    person_name: str = ""
    tag: str = ""
    url: str = ""
    image: bytes | None = field(default=None, repr=False)


class _Json(Struct):
    appid: str | int = ""
    bucket: str = ""
    group_id: str = ""
    group_ids: list[str] = []
    person_id: str = ""
    person_name: str = ""
    tag: str = ""
    url: str = ""
    image: str | None = None


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
    for identifier in (submission.person_id, *submission.groups):
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
    image = None
    if sent.image is not None:
        try:
            image = base64.b64decode(sent.image, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(-1102, "image is not base64") from error
    groups = tuple(group for group in (sent.group_id, *sent.group_ids) if group)
    return Submission(str(sent.appid), sent.bucket, groups, sent.person_id, sent.person_name, sent.tag, sent.url, image)


def _from_form(body: bytes, boundary: bytes) -> Submission:
    parts = _parts(body, boundary)
    texts: dict[str, str] = {}
    groups: list[str] = []
    image = None
    for name, value in parts:
        if name == "image":
            image = value
        elif re.fullmatch(r"group_ids?(\[\d*\])?", name):
            groups.append(_text(name, value))
        elif name in {"appid", "bucket", "person_id", "person_name", "tag", "url"}:
            texts[name] = _text(name, value)
    return Submission(groups=tuple(groups), image=image, **texts)


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
