"""The way to one of the vendor's hosts.

No other module but `network` knows the HTTP library. It is httpcore, the engine of httpx, without httpx around it: that
would double the time to import and add a third of a millisecond to each call, for conveniences which are of no use here.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import httpcore

from kiosk import __version__
from kiosk.errors import ClockRejected, ConfigurationError, ContractViolation, RecogniserError, Transient
from kiosk.ports import Clock
from kiosk.recognition.tencent.network import Network, Trace, tracing

MAX_ANSWER = 1_000_000
"""Bytes; a real answer has a few hundred, 120 faces with all their attributes some hundred thousand."""
KEEP_ALIVE = 55.0
"""Seconds an idle connection is kept: under the 60 s after which many gateways drop it."""
CONNECTIONS = 16
"""At once; further calls wait for a free one."""
UNACKNOWLEDGED = 2_000
"""Milliseconds the kernel waits for an acknowledgement of what was sent. A connection that a router forgot while idle
then fails at once instead of eating the whole deadline; a server that takes its time to answer is not affected."""
NOT_YET_VALID = 9
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID: that a server's certificate starts in the future is the mark of a box whose
clock has fallen back."""
PORTS = {"http": 80, "https": 443}


class Answer(NamedTuple):
    """`date` is the header of that name, empty where there was none."""

    status: int
    body: bytes
    date: str


class Transport:
    """Kept-alive HTTP to one endpoint. Redirects are never followed: a captive portal's would carry the picture along.

    Proxies come from the environment, except for loopback. Certificates are checked against the system's store, or
    `ca_file` alone. `http2`: offer it where the extra is installed. Event loop only. Raises ConfigurationError
    `configuration_invalid` for a bad `ca_file` or proxy, or a missing extra.
    """

    def __init__(self, endpoint: str, ca_file: Path | None = None, *, http2: bool = False, clock: Clock = time.monotonic) -> None:
        parts = urlsplit(endpoint)
        self._clock = clock
        self._scheme = parts.scheme.encode("ascii")
        self._port = parts.port
        self.endpoint = endpoint
        self.host = parts.netloc.rpartition("@")[2].removesuffix(f":{PORTS.get(parts.scheme)}")
        """As the Host header says it: with the port where that is not the scheme's own."""
        self._name = (parts.hostname or "").encode("ascii")
        self._fixed = (
            (b"Host", self.host.encode("ascii")),
            (b"User-Agent", f"kiosk/{__version__}".encode("ascii")),
            (b"Accept", b"application/json"),
            # Unpacking is a way to get more than the cap out of fewer bytes.
            (b"Accept-Encoding", b"identity"),
        )
        if http2 and importlib.util.find_spec("h2") is None:
            raise ConfigurationError("configuration_invalid", "HTTP/2 needs the package h2; leave it off or install it")
        self._pool = _pool(endpoint, _trust(ca_file) if parts.scheme == "https" else None, http2=http2)
        self.used_at = -KEEP_ALIVE
        """When the last exchange ended well (monotonic seconds)."""

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
        """One request and its answer, ended by `deadline` (monotonic seconds) wherever it is.

        `connect_within`: seconds to stand connected, so that there is time left for another endpoint; `trace` is
        filled in as it goes. Raises Transient `cloud_unreachable` or `deadline_exceeded`, ClockRejected
        `clock_rejected` (a certificate from the future), ContractViolation `answer_too_large`.
        """
        left = deadline - self._clock()
        if left <= 0:
            raise Transient("deadline_exceeded", f"{self.host}: no time left to ask")
        token = tracing.set(trace)
        try:
            async with asyncio.timeout(left):
                answer = await self._exchange(self._request(method, path, headers, body, connect_within, trace))
        except TimeoutError as error:
            raise Transient("deadline_exceeded", f"{self.host}: no answer within {left:.1f} s") from error
        finally:
            tracing.reset(token)
        self.used_at = self._clock()
        return answer

    async def close(self) -> None:
        await self._pool.aclose()

    def _request(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        connect_within: float | None,
        trace: Trace | None,
    ) -> httpcore.Request:
        url = httpcore.URL(scheme=self._scheme, host=self._name, port=self._port, target=path.encode("ascii"))
        given = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
        if method == "POST":
            given.append((b"Content-Length", b"%d" % len(body)))
        extensions: dict[str, Any] = {"timeout": {"connect": connect_within}}
        if trace is not None:
            extensions["trace"] = trace
        return httpcore.Request(method, url, headers=[*self._fixed, *given], content=body or None, extensions=extensions)

    async def _exchange(self, request: httpcore.Request) -> Answer:
        try:
            response = await self._pool.handle_async_request(request)
            try:
                return Answer(response.status, await _body(response), _date(response))
            finally:
                await response.aclose()
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.ProxyError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> RecogniserError:
        detail = f"{self.host}: {error.__class__.__name__} {error}".rstrip()
        origin = error.args[0] if error.args else None  # httpcore hands the cause on there, and cuts it off elsewhere
        if isinstance(origin, ssl.SSLCertVerificationError) and origin.verify_code == NOT_YET_VALID:
            return ClockRejected("clock_rejected", f"{detail}; is this box's clock right?")
        return Transient("cloud_unreachable", detail)


async def _body(response: httpcore.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise ContractViolation("answer_too_large", f"HTTP {response.status}, more than {MAX_ANSWER} bytes")
    return bytes(body)


def _date(response: httpcore.Response) -> str:
    return next((value.decode("latin-1") for name, value in response.headers if name.lower() == b"date"), "")


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("configuration_invalid", f"ca_file {ca_file}: not a readable PEM file: {error}") from error


def _pool(endpoint: str, trust: ssl.SSLContext | None, *, http2: bool) -> httpcore.AsyncConnectionPool:
    options: dict[str, Any] = {
        "ssl_context": trust,
        "max_connections": CONNECTIONS,
        "keepalive_expiry": KEEP_ALIVE,
        "http2": http2,
        "network_backend": Network(),
    }
    address = _proxy(endpoint)
    if address is None:
        unacknowledged = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
        return httpcore.AsyncConnectionPool(socket_options=[unacknowledged], **options)
    parts = urlsplit(address)
    login = (unquote(parts.username or ""), unquote(parts.password or "")) if parts.username else None
    kinds: dict[str, type[httpcore.AsyncConnectionPool]] = {
        "http": httpcore.AsyncHTTPProxy,
        "https": httpcore.AsyncHTTPProxy,
        "socks5": httpcore.AsyncSOCKSProxy,
    }
    try:
        kind = kinds[parts.scheme]
        where = httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target="/")
        return kind(proxy_url=where, proxy_auth=login, **options)  # type: ignore[call-arg]  # of these two kinds
    except (KeyError, ValueError, RuntimeError, ImportError) as error:
        # The address may hold a password, so it is not quoted.
        detail = f"the environment's proxy ({parts.scheme}://{parts.hostname}) cannot be used: {error.__class__.__name__}"
        raise ConfigurationError("configuration_invalid", detail) from error


def _proxy(endpoint: str) -> str | None:
    """The proxy that the environment names for this endpoint, if any."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if is_loopback(host) or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 (slow, and rarely needed)

    if proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"
