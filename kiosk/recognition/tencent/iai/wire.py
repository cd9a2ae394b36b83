"""How a request of the current interfaces becomes bytes, and an answer's bytes a value.

Every interface is one request struct, named after the vendor's action, with its fields in the vendor's order.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from kiosk.recognition.tencent import bounds
from kiosk.recognition.tencent.calls import Group
from kiosk.recognition.tencent.codes import iai_error
from kiosk.recognition.tencent.interface import Describing, decoder, judged

VERSION = "2020-03-03"
MODEL: Final = "3.0"
"""The face model asked for. Scores of two models mean different things, so nothing is left to the account's default."""

RequestId = Annotated[str, Meta(min_length=1, max_length=100)]
Version = Annotated[str, Meta(pattern=r"^[0-9]{1,3}\.[0-9]{1,3}$")]


class Answer(Struct, frozen=True, rename="pascal", kw_only=True):
    """What every interface answers. Fields that the vendor adds are ignored."""

    request_id: RequestId


class Done(Answer, frozen=True):
    """It worked; there is no more to say."""


A_co = TypeVar("A_co", bound=Answer, covariant=True)
A = TypeVar("A", bound=Answer)


class Interface(Describing[A_co], frozen=True, rename="pascal"):
    """`GROUP`: whose share of the rate it takes."""

    GROUP: ClassVar[Group]

    @classmethod
    def action(cls) -> str:
        """The vendor's name of the interface."""
        return cls.__name__


class _Fault(Struct, frozen=True, rename="pascal"):
    code: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,199}$")]
    message: str = ""


class _Head(Struct, frozen=True, rename="pascal"):
    request_id: RequestId
    error: _Fault | None = None
    deprecated_warning: Any = None


class _Envelope(Struct, frozen=True, rename="pascal"):
    response: msgspec.Raw


def body_of(request: Interface[Any]) -> bytes:
    """JSON as the vendor's SDK writes it: fields in their order, absent ones left out, ", " and ": " between, ASCII only.

    Pictures go from bytes to base64 straight into place. Raises ProbeRejected `request_out_of_bounds` where it exceeds
    what a POST may hold.
    """
    parts: list[bytes] = []
    for name, value in request.given():
        parts += (b', "' if parts else b'{"', name.encode("ascii"), b'": ', *_json(value))
    body = b"".join((*parts, b"}")) if parts else b"{}"
    if len(body) > bounds.MAX_POST:
        bounds.refuse(request.action(), f"a request of {len(body)} bytes", f"{bounds.MAX_POST} bytes")
    return body


def read(body: bytes, kind: type[A], retiring: Callable[[str], None]) -> A:
    """An answer's `Response`. `retiring` hears the vendor's notice that the interface goes offline, where there is one.

    Raises the code's RecogniserError, or ContractViolation `answer_makes_no_sense`.
    """
    with judged(body):
        raw = decoder(_Envelope).decode(body).response
        head: _Head = decoder(_Head).decode(raw)
        if head.deprecated_warning is not None:
            retiring(f"{head.deprecated_warning}"[:200])
        if head.error is None:
            return decoder(kind).decode(raw)  # type: ignore[no-any-return]  # what it decodes is `kind`
    raise iai_error(head.error.code, head.error.message, head.request_id)


def _json(value: Any) -> tuple[bytes, ...]:
    if isinstance(value, bytes):
        return b'"', base64.b64encode(value), b'"'
    if isinstance(value, bool):
        return (b"1" if value else b"0",)
    if isinstance(value, tuple | list) and value and isinstance(value[0], bytes):
        return b"[", b", ".join(b"".join(_json(item)) for item in value), b"]"
    return (json.dumps(msgspec.to_builtins(value)).encode("ascii"),)
