"""Names to addresses to connections, and how long each took."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from itertools import chain, zip_longest
from typing import Any

import httpcore

STAGGER = 0.25
"""Seconds an address gets before the next is tried beside it (RFC 8305, Connection Attempt Delay)."""

_STAGES = {
    "connect_tcp": "connect",
    "start_tls": "tls",
    "send_request_headers": "send",
    "send_request_body": "send",
    "receive_response_headers": "wait",
    "receive_response_body": "receive",
}


class Trace:
    """What became of one request. `stages`: milliseconds of those of dns, connect, tls, send, wait, receive that took place.

    `connected`: it opened a connection of its own; `sent`: some of it may have reached the server; `answered`: a status came.
    """

    __slots__ = ("_begun", "answered", "connected", "sent", "stages")

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.connected = False
        self.sent = False
        self.answered = False
        self._begun = 0.0

    async def __call__(self, event: str, _: Any) -> None:
        """Called by httpcore with `<where>.<step>.<started|complete|failed>`; the steps follow each other."""
        _, step, phase = event.split(".")
        stage = _STAGES.get(step)
        if stage is None:
            return
        if phase == "started":
            self._begun = time.perf_counter()
            self.sent |= stage == "send"
            self.connected |= stage == "connect"
        else:
            self.took(stage, time.perf_counter() - self._begun)
            self.answered |= stage == "wait" and phase == "complete"

    def took(self, stage: str, seconds: float) -> None:
        self.stages[stage] = self.stages.get(stage, 0.0) + seconds * 1000

    def looked_up(self, seconds: float) -> None:
        """The time belongs to the name, not to the connection."""
        self.took("dns", seconds)
        self._begun += seconds


tracing: ContextVar[Trace | None] = ContextVar("tracing", default=None)
"""The trace of the request for which this task connects."""


class Network(httpcore.AnyIOBackend):
    """Looks names up itself, so that the time shows, and races their addresses, so that a dead one costs STAGGER only."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's interface)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        options = list(socket_options or ())
        one = super().connect_tcp

        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            return await one(address, port, None, local_address, options)

        try:
            async with asyncio.timeout(timeout):
                return await race(await _look_up(host, port), connect)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no connection within {timeout:.1f} s") from error


async def race(
    addresses: Sequence[str], connect: Callable[[str], Awaitable[httpcore.AsyncNetworkStream]]
) -> httpcore.AsyncNetworkStream:
    """The first connection that stands. Raises the last address's ConnectError where none does."""
    pending: set[asyncio.Task[httpcore.AsyncNetworkStream]] = set()
    error: BaseException | None = None
    try:
        for number in range(2 * len(addresses)):
            if number < len(addresses):
                pending.add(asyncio.ensure_future(connect(addresses[number])))
            if not pending:
                break
            patience = STAGGER if number + 1 < len(addresses) else None
            done, pending = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    pending |= done - {task}
                    return task.result()
    finally:
        await _give_up(pending)
    raise error or httpcore.ConnectError("the name has no address")


async def _give_up(losers: Iterable[asyncio.Task[httpcore.AsyncNetworkStream]]) -> None:
    for task in losers:
        task.cancel()
    for result in await asyncio.gather(*losers, return_exceptions=True):
        if isinstance(result, httpcore.AsyncNetworkStream):
            await result.aclose()


async def _look_up(host: str, port: int) -> list[str]:
    """The name's addresses, families taking turns. Raises ConnectError."""
    started = time.perf_counter()
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host}: {error}") from error
    finally:
        trace = tracing.get()
        if trace is not None:
            trace.looked_up(time.perf_counter() - started)
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append(str(address[0]))
    return [address for address in chain.from_iterable(zip_longest(*families.values())) if address]
