"""A web server inside a process that keeps its own signal handling."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette

from kiosk.errors import KioskError


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


async def serve(app: Starlette, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serves until cancelled; calls `ready` with the port once it listens (`port` 0: any free one).

    Raises KioskError `address_in_use`: no mistake of the configuration's for sure, so systemd may try again.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
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
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(100)
    except OSError as error:
        listener.close()
        raise KioskError("address_in_use", f"{host} port {port}: {error.strerror}") from error
    return listener
