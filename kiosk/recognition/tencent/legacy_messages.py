"""What is said to the older host and what it may answer.

Field names and their order are those of the vendor's Python package (qcloud_image 1.0.0) and PHP
package (2.0.0); answers are those of documents 867/17583 and 867/17589.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from kiosk.domain import Name, Percent
from kiosk.errors import ContractViolation, ProbeRejected
from kiosk.recognition.tencent.codes import error_for
from kiosk.recognition.tencent.legacy_form import FilePart, Payload, encode_form

MAX_BODY = 1_500_000
"""Bytes of a whole request; the documents say 1.5 MB, and the smaller reading is safe."""

Upload = Literal["multipart", "json"]
Fields = Sequence[tuple[str, str | Sequence[str]]]
Text = Annotated[str, Meta(max_length=1000)]
Texts = Annotated[list[Text], Meta(max_length=5000)]
T = TypeVar("T")


class Found(Struct, frozen=True):
    person_id: Name
    confidence: Percent
    face_id: Text = ""
    tag: Text = ""


class Identified(Struct, frozen=True):
    candidates: Annotated[list[Found], Meta(max_length=100)]


class NewPerson(Struct, frozen=True):
    """A person created. `suc_group` and `suc_face` count groups joined and faces taken."""

    person_id: Name
    face_id: Text
    suc_group: Annotated[int, Meta(ge=1)]
    suc_face: Annotated[int, Meta(ge=1)]
    group_ids: Texts = []


class PersonInfo(Struct, frozen=True):
    person_id: Name
    person_name: Text = ""
    tag: Text = ""
    group_ids: Texts = []
    face_ids: Texts = []


class DelPerson(Struct, frozen=True):
    deleted: Annotated[int, Meta(ge=0)]


class _Envelope(Struct, frozen=True):
    code: Annotated[int, Meta(ge=-(2**31), lt=2**31)]
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


def as_json(fields: Fields) -> Payload:
    return Payload("application/json", msgspec.json.encode(dict(fields)))


def with_picture(fields: Fields, jpeg: bytes, upload: Upload) -> Payload:
    """The picture goes last: base64 in JSON, or as a file part; lists become `name[0]`, `name[1]`, … in a form.

    Raises ProbeRejected `probe_too_large`.
    """
    if upload == "json":
        payload = as_json([*fields, ("image", base64.b64encode(jpeg).decode("ascii"))])
    else:
        payload = encode_form(_flat(fields), FilePart("image", "probe.jpg", jpeg, "image/jpeg"))
    if len(payload.body) > MAX_BODY:
        raise ProbeRejected(
            "probe_too_large", f"image: with {len(jpeg)} bytes the request has {len(payload.body)}, the limit is {MAX_BODY}"
        )
    return payload


def read(body: bytes, kind: type[T]) -> T:
    """The answer's `data`. Neither HTTP status nor content type counts, only the JSON.

    Raises the code's RecogniserError, or ContractViolation `answer_makes_no_sense`.
    """
    try:
        body.decode("utf-8")
        envelope = msgspec.json.decode(body, type=_Envelope)
        if envelope.code == 0:
            return msgspec.json.decode(envelope.data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        start = ascii(body[:60].decode("utf-8", "replace"))
        detail = f"{error} ({len(body)} bytes, starts with {start})"
        raise ContractViolation("answer_makes_no_sense", detail) from error
    raise error_for(envelope.code, envelope.message)


def _flat(fields: Fields) -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for name, value in fields:
        if isinstance(value, str):
            flat.append((name, value))
        else:
            flat.extend((f"{name}[{index}]", item) for index, item in enumerate(value))
    return flat
