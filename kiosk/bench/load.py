"""A load that costs its own core little: kept connections that ask with ready bytes and hardly look at the answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Ask(NamedTuple):
    """`request`: its bytes, for a port; `wanted`: what is in every answer that is right."""

    request: Callable[[int], bytes]
    wanted: bytes


async def pump(port: int, ask: Ask, connections: int, seconds: float) -> list[float]:
    """Asks on each connection as soon as the last answer is there; returns how many seconds each took.

    Raises ConnectionError where an answer is not the one wanted.
    """
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    opened = [await loop.create_connection(lambda: _Connection(port, ask, until), "127.0.0.1", port) for _ in range(connections)]
    return [wait for waits in await asyncio.gather(*(one.done for _, one in opened)) for wait in waits]


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used, to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Connection(asyncio.Protocol):
    def __init__(self, port: int, ask: Ask, until: float) -> None:
        self._port = port
        self._ask = ask
        self._until = until
        self._waits: list[float] = []
        self._got = b""
        self._wrong = b""
        self.done: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._begun = time.perf_counter()
        self._transport.write(self._ask.request(self._port))

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        now = time.perf_counter()
        self._got = b""
        self._waits.append(now - self._begun)
        if self._ask.wanted not in body:
            self._wrong = body
        if now < self._until and not self._wrong:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or self._wrong:
            self.done.set_exception(exc or ConnectionError(f"a wrong answer: {self._wrong[:300]!r}"))
        else:
            self.done.set_result(self._waits)
