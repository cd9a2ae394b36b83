"""Exchanges with the vendor, recorded for tests: without keys, signatures and pictures.

One JSON line for each. Ids and names of people and groups stay, so record with people made up for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from kiosk.errors import ConfigurationError, RecogniserError, Transient
from kiosk.recognition.tencent.network import Trace
from kiosk.recognition.tencent.transport import Answer, Transport

_SECRET_HEADERS = frozenset({"authorization", "x-tc-token"})
_HIDDEN = "(hidden)"
_LONGEST = 500
"""Characters of a text that is kept; whatever is longer is treated as a picture."""


class Exchange(Struct, frozen=True, omit_defaults=True):
    """One request and what came of it.

    `sent`: `{"json": …}`, `{"form": [[name, value], …]}` or `{"other": …}`, with every picture replaced by its `bytes`
    (a count) and `sha256`. `encoding`: how `body`'s text becomes the answer's bytes. `fault`: the slug, where there was
    no answer.
    """

    endpoint: str
    method: str
    path: str
    headers: dict[str, str]
    sent: dict[str, Any]
    status: int = 0
    date: str = ""
    body: str = ""
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    fault: str = ""

    def answer(self) -> Answer:
        """Raises Transient with the recorded fault."""
        if self.fault:
            raise Transient(self.fault, "as recorded")
        return Answer(self.status, self.body.encode(self.encoding), self.date)


def load(file: Path) -> list[Exchange]:
    """Raises ConfigurationError `configuration_missing` or `configuration_invalid`."""
    try:
        lines = file.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Exchange) for line in lines]
    except OSError as error:
        raise ConfigurationError("configuration_missing", f"{file}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("configuration_invalid", f"{file} is no recording: {error}") from error


class Tape:
    """A file that exchanges are added to. Use as a context manager."""

    def __init__(self, file: Path) -> None:
        """Raises ConfigurationError `configuration_missing` where the file cannot be written."""
        try:
            self._file = file.open("ab")
        except OSError as error:
            raise ConfigurationError("configuration_missing", f"{file}: {error.strerror}") from error
        self.count = 0

    def add(self, exchange: Exchange) -> None:
        self._file.write(msgspec.json.encode(exchange) + b"\n")
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


class Recording(Transport):
    """A transport whose exchanges go onto a tape as well."""

    def __init__(self, tape: Tape, endpoint: str, ca_file: Path | None = None, *, http2: bool = False) -> None:
        super().__init__(endpoint, ca_file, http2=http2)
        self._tape = tape

    async def exchange(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        deadline: float,
        connect_within: float | None = None,
        trace: Trace | None = None,
    ) -> Answer:
        kept = Exchange(self.endpoint, method, path, dict(_without_secrets(headers)), _without_pictures(headers, body))
        try:
            answer = await super().exchange(
                method, path, headers, body, deadline=deadline, connect_within=connect_within, trace=trace
            )
        except RecogniserError as error:
            self._tape.add(msgspec.structs.replace(kept, fault=error.slug))
            raise
        self._tape.add(_with_answer(kept, answer))
        return answer


class Replay(Transport):
    """A transport that gives recorded answers, in their order, to requests equal to the recorded ones but for what was
    left out. It never connects.
    """

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        """Raises ConfigurationError `configuration_invalid` where nothing was recorded."""
        if not exchanges:
            raise ConfigurationError("configuration_invalid", "the recording is empty")
        super().__init__(exchanges[0].endpoint)
        self._left = list(exchanges)

    async def exchange(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        deadline: float,  # noqa: ARG002 (nothing here takes time)
        connect_within: float | None = None,  # noqa: ARG002
        trace: Trace | None = None,  # noqa: ARG002
    ) -> Answer:
        """Raises the recorded fault, or Transient `cloud_unreachable` for a request that was not recorded."""
        action = dict(headers).get("X-TC-Action", "")
        sent = _without_pictures(headers, body)
        for index, one in enumerate(self._left):
            if (one.method, one.path, one.headers.get("X-TC-Action", ""), one.sent) == (method, path, action, sent):
                return self._left.pop(index).answer()
        raise Transient("cloud_unreachable", f"no such request was recorded, or not so often: {path} {action}".rstrip())


def _without_secrets(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        yield name, _HIDDEN if name.lower() in _SECRET_HEADERS else value.partition("; boundary=")[0]


def _without_pictures(headers: Sequence[tuple[str, str]], body: bytes) -> dict[str, Any]:
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    if kind.startswith("multipart/form-data"):
        return {"form": [list(part) for part in _parts(body, kind.partition("boundary=")[2].encode())]}
    try:
        return {"json": _stripped("", msgspec.json.decode(body))}
    except msgspec.DecodeError:
        return {"other": _summary(body)}


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, Any]]:
    """The fields of a form that we wrote ourselves."""
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        value = value.removesuffix(b"\r\n")
        yield name, _summary(value) if b"filename=" in head else _stripped(name, value.decode())


def _stripped(name: str, value: Any) -> Any:
    """Pictures become summaries, and addresses lose their query, which may be a signature."""
    if isinstance(value, dict):
        return {key: _stripped(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stripped(name, item) for item in value]
    if not isinstance(value, str):
        return value
    if name.lower().startswith("url"):
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    return _summary(_decoded(value)) if name.lower().startswith("image") or len(value) > _LONGEST else value


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "replace")


def _summary(picture: bytes) -> dict[str, Any]:
    return {"bytes": len(picture), "sha256": hashlib.sha256(picture).hexdigest()}


def _with_answer(kept: Exchange, answer: Answer) -> Exchange:
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    try:
        body = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        encoding, body = "latin-1", answer.body.decode("latin-1")
    return msgspec.structs.replace(kept, status=answer.status, date=answer.date, body=body, encoding=encoding)
