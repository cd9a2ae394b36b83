"""The vendor's hosts on this machine: same paths, signatures, forms, envelopes and codes.

One port serves both generations: the older interfaces below `/face/`, the current ones at `/`.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Mapping
from functools import partial

from starlette.types import Receive, Scope, Send

from kiosk import http_server
from kiosk.errors import ConfigurationError
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.census import Census, census
from kiosk.sandbox.clock import Clock
from kiosk.sandbox.doors import UNKNOWN, Door, Trouble, doors
from kiosk.sandbox.exchange import Exchange, Headers, Room
from kiosk.sandbox.faults import (
    NOTHING,
    Arrears,
    Drop,
    End,
    HalfJson,
    Html,
    Lost,
    Met,
    Offline,
    Reset,
    Script,
    Slow,
    Status,
    Truncated,
)
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.iai.desk import Desk as CurrentDesk
from kiosk.sandbox.legacy.desk import Desk as OldDesk
from kiosk.sandbox.legacy.desk import envelope
from kiosk.sandbox.legacy.gate import Gate
from kiosk.sandbox.pace import Pace
from kiosk.sandbox.records import Call, Records, request_id
from kiosk.sandbox.wire import Said, Sent
from kiosk.settings import is_loopback

ANSWER_WITHIN = 20.0
"""Seconds of work on one call, waiting for a free eye included."""
Span = tuple[float, float]
WORK_PER_EYE = 16
"""Calls worked on at the same time; whoever comes then is told to slow down."""
MOST_HELD = 256_000_000
"""Bytes of all requests in hand."""
_JSON = b"application/json"
"""Without a charset: with one, the vendor's own packages take a failure for a success."""
_HTML = b"text/html; charset=utf-8"
_PORTAL = b"<!doctype html><title>Welcome</title><p>Please sign in to use this network.</p>"


def create_app(
    analyser: PhotoAnalyser,
    credentials: Credentials,
    appid: str,
    bucket: str,
    wall: Callable[[], float] = time.time,
    fetcher: Fetcher | None = None,
    *,
    gallery: Gallery | None = None,
    latency: Span = (0.0, 0.0),
    qps: int | None = None,
    at_work: int = 4 * WORK_PER_EYE,
) -> Sandbox:
    """Both generations of interfaces for one account, over one gallery: by default one in memory.

    An empty `bucket` accepts every bucket. `wall`: Unix seconds that signatures are held to. Credentials with a
    token accept calls with that token only, of the current interfaces. `latency`: seconds that answers take longer,
    from – to; `qps`: calls of each interface in a second.
    """
    clock = Clock(wall)
    gallery = Gallery(wall) if gallery is None else gallery
    fetcher = fetcher or Fetcher(())
    old = OldDesk(analyser, gallery, Gate(credentials, appid, bucket, clock.now), fetcher)
    current = CurrentDesk(analyser, gallery, credentials, clock.now, fetcher)
    return Sandbox(doors(old, current), gallery, clock, latency, Pace(qps), at_work)


async def serve(app: Sandbox, host: str, port: int, ready: Callable[[int], None], tls: ssl.SSLContext | None = None) -> None:
    """Serves until cancelled; calls `ready` with the port once it listens (`port` 0: any free one).

    Without `tls` on loopback only. Raises ConfigurationError `configuration_invalid`, KioskError `address_in_use`.
    """
    check_host(host, tls=tls is not None)
    await http_server.serve(app, host, port, ready, tls=tls, date=False)


def check_host(host: str, *, tls: bool) -> None:
    """Raises ConfigurationError where faces would travel unencrypted."""
    if not tls and not is_loopback(host):
        raise ConfigurationError("configuration_invalid", f"without --tls faces come unencrypted: loopback only, not '{host}'")


class Sandbox:
    """An ASGI application for `kiosk.http_server`. Event loop only.

    No framework in between: there are two kinds of paths, and answers that are none have to reach the socket.
    """

    def __init__(
        self, doors: Mapping[str, Door], gallery: Gallery, clock: Clock, latency: Span, pace: Pace, at_work: int
    ) -> None:
        self._doors = doors
        self._latency = latency
        self._pace = pace
        self._most_at_work = at_work
        self._at_work = 0
        self._room = Room(MOST_HELD)
        self.gallery = gallery
        self.clock = clock
        self.script = Script()
        self.records = Records()
        self.records.watch("at_work", "Calls being worked on.", lambda: self._at_work)
        for name in Census._fields:
            self.records.watch(name, f"Enrolled {name}.", partial(_count, gallery, name))
        self.interfaces = tuple(name for door in doors.values() for name in door.interfaces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, self._room)
        door = self._doors.get(scope["path"])
        if door is None or scope["method"] not in door.methods:
            status = 404 if door is None else 405
            await exchange.answer(status, self._headers(_JSON), envelope(3, "no such interface", {}))
            self._note(UNKNOWN, Said(b"{}", UNKNOWN, f"http_{status}"), time.perf_counter(), exchange, NOTHING)
            return
        try:
            await self._serve(door, scope, exchange)
        except asyncio.CancelledError:
            # The server stops, and this task with it: whoever still waits is hung up on.
            await exchange.hang_up(reset=False)
        finally:
            exchange.let_go()

    async def _serve(self, door: Door, scope: Scope, exchange: Exchange) -> None:
        begun = time.perf_counter()
        sent, trouble = await _read(door, scope, exchange)
        name = door.interface(sent)
        met = self.script.meet(name) if trouble is None and name != UNKNOWN else NOTHING
        try:
            if trouble is None:
                told = await self._meet(door, sent, name, met, exchange)
            else:
                told = door.refuse(sent, trouble)
                await exchange.answer(200, self._headers(_JSON), told.body)
        except Exception:
            # The server under us logs what is unforeseen with its traceback; the caller is told nothing of it.
            told = door.refuse(sent, Trouble.BROKEN)
            if not exchange.begun:
                await exchange.answer(500, self._headers(_JSON), told.body)
            self._note(name, told, begun, exchange, met)
            raise
        self._note(name, told, begun, exchange, met)

    async def _meet(self, door: Door, sent: Sent, name: str, met: Met, exchange: Exchange) -> Said:
        """Gives the answer, or what comes of it."""
        self.clock.shift_this_call(met.shift)
        match met.end:
            case Drop() | Reset() | Status() | Html() as lost:
                if lost.carried_out:
                    await self._work(door, sent, name)
                await self._pause(met.delay)
                await self._lose(lost, exchange)
                return Said(b"{}", name, lost.outcome)
            case Arrears():
                said = door.refuse(sent, Trouble.ARREARS)
            case Offline():
                said = door.refuse(sent, Trouble.OFFLINE)
            case _:
                said = await self._work(door, sent, name)
        await self._pause(met.delay)
        await self._tell(said, met.end, exchange)
        return said

    async def _work(self, door: Door, sent: Sent, name: str) -> Said:
        if self._at_work >= self._most_at_work or not self._pace.admits(name, time.monotonic()):
            return door.refuse(sent, Trouble.BUSY)
        self._at_work += 1
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await door.answer(sent)
        except TimeoutError:
            return door.refuse(sent, Trouble.LATE)
        finally:
            self._at_work -= 1

    async def _pause(self, delay: float) -> None:
        seconds = delay + random.uniform(*self._latency)  # noqa: S311 (no secret)
        if seconds:
            await asyncio.sleep(seconds)

    async def _tell(self, said: Said, end: End | None, exchange: Exchange) -> None:
        headers = self._headers(_JSON)
        match end:
            case Truncated():
                await exchange.answer_half(headers, said.body)
            case HalfJson():
                await exchange.answer(200, headers, said.body[: len(said.body) // 2])
            case Slow(seconds=seconds):
                await exchange.answer_slowly(headers, said.body, seconds)
            case _:
                await exchange.answer(200, headers, said.body)

    async def _lose(self, lost: Lost, exchange: Exchange) -> None:
        match lost:
            case Status(status=status):
                await exchange.answer(status, self._headers(_HTML), b"<!doctype html><title>%d</title>" % status)
            case Html():
                await exchange.answer(200, self._headers(_HTML), _PORTAL)
            case _:
                await exchange.hang_up(reset=isinstance(lost, Reset))

    def _note(self, name: str, told: Said, begun: float, exchange: Exchange, met: Met) -> None:
        milliseconds = round(1000 * (time.perf_counter() - begun), 1)
        code, request = told.code or "0", request_id(told.body)
        self.records.note(Call(time.time(), name, code, milliseconds, request, exchange.received, exchange.sent, met.kinds))

    def _headers(self, kind: bytes) -> Headers:
        return (b"content-type", kind), (b"date", self.clock.date())


async def _read(door: Door, scope: Scope, exchange: Exchange) -> tuple[Sent, Trouble | None]:
    """What was sent, and what is wrong with how it came. Of a header that comes twice the first counts."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
    body, trouble = await exchange.body(door.most)
    return Sent(scope["method"], scope["query_string"].decode("latin-1"), headers, body), trouble


def _count(gallery: Gallery, name: str) -> int:
    return int(getattr(census(gallery), name))
