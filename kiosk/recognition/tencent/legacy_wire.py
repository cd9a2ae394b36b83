"""How a request of the older interfaces becomes bytes, and an answer's bytes a value.

Every interface is one request struct with its fields in the order the vendor's packages send them (qcloud_image 1.0.0,
image-php-sdk-v2.0); the type in its brackets is what the answer's `data` holds.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from kiosk.recognition.tencent import bounds
from kiosk.recognition.tencent.codes import error_for
from kiosk.recognition.tencent.interface import Describing, decoder, judged
from kiosk.recognition.tencent.legacy_form import FilePart, Payload, encode_form
from kiosk.recognition.tencent.picture_header import read_header

MAX_BODY = 1_500_000
"""Bytes of a whole request; the documents say 1.5 MB, and the smaller reading is safe."""
Upload = Literal["multipart", "json"]
Target = tuple[tuple[str, str], ...]
"""Appid and, where there is one, bucket: the first fields of every request."""


AT_FAULT = {1: "imageA", 2: "imageB"}
"""What `fail_flag` says of a comparison that failed."""


class Data(Struct, frozen=True, kw_only=True):
    session_id: str = ""


D_co = TypeVar("D_co", bound=Data, covariant=True)
D = TypeVar("D", bound=Data)


class LegacyInterface(Describing[D_co], frozen=True):
    @classmethod
    def interface(cls) -> str:
        """The last part of the path."""
        return cls.__name__.lower()


class _Envelope(Struct, frozen=True):
    code: Annotated[int, Meta(ge=-(2**31), lt=2**31)]
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Failure(Struct, frozen=True):
    fail_flag: int | None = None


def payload_of(request: LegacyInterface[Any], target: Target, upload: Upload) -> Payload:
    """JSON, unless there are pictures that go as file parts.

    Raises ProbeRejected `request_out_of_bounds` where the body exceeds what the vendor takes.
    """
    given: list[tuple[str, Any]] = [*target, *request.given()]
    flat = list(_flat(given))
    pictures = [(name, value) for name, value in flat if isinstance(value, bytes)]
    if upload == "multipart" and pictures:
        texts = [(name, value) for name, value in flat if isinstance(value, str)]
        payload = encode_form(texts, *(_file(name, picture) for name, picture in pictures))
    else:
        payload = Payload("application/json", json.dumps(dict(given), default=_base64).encode("ascii"))
    if len(payload.body) > MAX_BODY:
        size = sum(len(picture) for _, picture in pictures)
        found = f"a request of {len(payload.body)} bytes, {size} of them pictures"
        bounds.refuse(request.interface(), found, f"{MAX_BODY} bytes")
    return payload


def read(body: bytes, kind: type[D]) -> D:
    """The answer's `data`.

    Raises the code's RecogniserError – its `field` is imageA or imageB where `fail_flag` says which failed – or
    ContractViolation `answer_makes_no_sense`.
    """
    with judged(body):
        envelope: _Envelope = decoder(_Envelope).decode(body)
        if envelope.code == 0:
            return decoder(kind).decode(envelope.data)  # type: ignore[no-any-return]  # what it decodes is `kind`
        failure: _Failure | None = decoder(_Failure | None).decode(envelope.data)
    refused = error_for(envelope.code, envelope.message)
    at_fault = AT_FAULT.get(failure.fail_flag or 0, "") if failure else ""
    if at_fault:
        raise type(refused)(refused.slug, f"{refused.detail}: {at_fault}", code=refused.code, field=at_fault)
    raise refused


def _flat(given: list[tuple[str, Any]]) -> Iterator[tuple[str, str | bytes]]:
    """Lists become `name[0]`, `name[1]`, …"""
    for name, value in given:
        if isinstance(value, tuple | list):
            yield from ((f"{name}[{index}]", item) for index, item in enumerate(value))
        else:
            yield name, value


def _file(name: str, picture: bytes) -> FilePart:
    form = read_header(picture).format
    return FilePart(name, f"{name}.{form}", picture, f"image/{form}")


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")
