"""A web server inside a process that keeps its own signal handling, and does not wait for ever for anybody's request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kiosk.errors import ConfigurationError, KioskError

REQUEST_WITHIN = 30.0
"""Seconds from a connection, or a request's first byte, to its last: what dribbles on is hung up on."""
MAX_HEAD = 64 * 1024
"""Bytes of a request's line and headers, give or take one read of the socket; the vendor's longest GET has 32 KB."""
MOST_CONNECTIONS = 500
"""At once; further ones are answered 503. Half of what a process may usually open."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The composition root owns SIGTERM and SIGINT: relays are made safe before anything closes.
        yield


class _Connection(HttpToolsProtocol):
    """The library bounds neither the size of a head nor the time of a request.

    An application finds its transport as `scope["state"]["transport"]`.
    """

    _impatience: asyncio.TimerHandle | None = None
    _head: int | None = None
    """Bytes of the head that is coming in; None where none is."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the library has it
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head is None or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > MAX_HEAD:
            self.send_400_response("The head is too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport
        self._head = 0
        self._wait()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def _wait(self) -> None:
        self._stop_waiting()
        self._impatience = self.loop.call_later(REQUEST_WITHIN, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    ready: Callable[[int], None],
    *,
    tls: ssl.SSLContext | None = None,
    date: bool = True,
) -> None:
    """Serves until cancelled; calls `ready` with the port once it listens (`port` 0: any free one).

    `date`: whether answers get a Date header; without, the application gives its own. Raises ConfigurationError for
    a host that is none of this machine's names, KioskError `address_in_use` for a taken port: no mistake of the
    configuration's for sure, so systemd may try again.
    """
    how: dict[str, Any] = {} if tls is None else {"ssl_context_factory": lambda *_: tls}
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=date,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
        **how,
    )
    with _listen(host, port) as listener:
        server = _Server(config, lambda: ready(listener.getsockname()[1]))
        try:
            await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            if server.started:
                await server.shutdown(sockets=[listener])
            raise


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise ConfigurationError("configuration_invalid", f"{host} is no address to listen on: {error.strerror}") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(100)
    except OSError as error:
        listener.close()
        raise KioskError("address_in_use", f"{host} port {port}: {error.strerror}") from error
    return listener
