"""The way to the vendor's hosts. No other module knows the HTTP library."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from kiosk import __version__
from kiosk.errors import ConfigurationError, ContractViolation, Transient
from kiosk.ports import Clock
from kiosk.settings import is_loopback

MAX_ANSWER = 1_000_000
"""Bytes; a real answer has a few hundred."""
KEEP_ALIVE = 55.0
"""Seconds an idle connection is kept: under the 60 s after which many gateways drop it."""
UNACKNOWLEDGED = 2_000
"""Milliseconds the kernel waits for an acknowledgement of what was sent. A connection that a router forgot while idle
then fails at once instead of eating the whole deadline; a server that takes its time to answer is not affected."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A request's body. It may hold a face, so its repr does not show it."""

    content_type: str
    body: bytes = field(repr=False)


class Answer(NamedTuple):
    """`date` is the header of that name, empty where there was none."""

    status: int
    body: bytes
    date: str


Part = tuple[str | None, bytes | str, str | None]


class FilePart(NamedTuple):
    name: str
    filename: str
    content: bytes
    media_type: str


def encode_form(fields: Sequence[tuple[str, str]], file: FilePart) -> Payload:
    """multipart/form-data: `fields` as plain parts in their order, then the file."""
    plain: list[tuple[str, Part]] = [(name, (None, value, None)) for name, value in fields]
    parts = [*plain, (file.name, (file.filename, file.content, file.media_type))]
    request = httpx.Request("POST", "http://form/", files=parts)
    return Payload(request.headers["Content-Type"], request.read())


class Transport:
    """Kept-alive HTTP/1.1 to one endpoint. Redirects are never followed: a captive portal's would carry the picture along.

    Proxies come from the environment, except for loopback. Certificates are checked against the
    system's store, or `ca_file` alone. Event loop only. Raises ConfigurationError `configuration_invalid`
    for a bad `ca_file` or proxy.
    """

    def __init__(self, endpoint: str, ca_file: Path | None = None, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._host = urlsplit(endpoint).hostname or ""
        trust = _trust(ca_file)
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=2, keepalive_expiry=KEEP_ALIVE)
        straight = is_loopback(self._host) or not getproxies()
        options = [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)]
        try:
            self._client = httpx.AsyncClient(
                headers={
                    "User-Agent": f"kiosk/{__version__}",
                    "Accept": "application/json",
                    # Unpacking is a way to get more than the cap out of fewer bytes.
                    "Accept-Encoding": "identity",
                },
                transport=httpx.AsyncHTTPTransport(verify=trust, limits=limits, socket_options=options) if straight else None,
                verify=trust,
                limits=limits,
                timeout=None,  # noqa: S113 – the deadline bounds everything at once
                follow_redirects=False,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise ConfigurationError("configuration_invalid", f"the environment's proxy cannot be used: {error}") from error

    async def post(self, path: str, payload: Payload, *, authorization: str, deadline: float) -> Answer:
        """One exchange, ended by `deadline` (monotonic seconds) wherever it is.

        Raises Transient `cloud_unreachable` or `deadline_exceeded`, ContractViolation `answer_too_large`.
        """
        headers = {"Content-Type": payload.content_type, "Authorization": authorization}
        request = self._client.build_request("POST", self._endpoint + path, headers=headers, content=payload.body)
        return await self._within(deadline, request)

    async def warm(self, deadline: float) -> None:
        """Opens the connection. Raises as `post` does."""
        await self._within(deadline, self._client.build_request("HEAD", self._endpoint + "/"))

    async def close(self) -> None:
        await self._client.aclose()

    async def _within(self, deadline: float, request: httpx.Request) -> Answer:
        left = deadline - self._clock()
        if left <= 0:
            raise Transient("deadline_exceeded", f"{self._host}: no time left to ask")
        try:
            async with asyncio.timeout(left):
                return await self._exchange(request)
        except TimeoutError as error:
            raise Transient("deadline_exceeded", f"{self._host}: no answer within {left:.1f} s") from error

    async def _exchange(self, request: httpx.Request) -> Answer:
        try:
            response = await self._client.send(request, stream=True)
            try:
                return Answer(response.status_code, await _body(response), response.headers.get("Date", ""))
            finally:
                await response.aclose()
        except (httpx.HTTPError, OSError) as error:
            raise Transient("cloud_unreachable", f"{self._host}: {error.__class__.__name__} {error}".rstrip()) from error


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise ContractViolation("answer_too_large", f"HTTP {response.status_code}, more than {MAX_ANSWER} bytes")
    return bytes(body)


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("configuration_invalid", f"ca_file {ca_file}: not a readable PEM file: {error}") from error
