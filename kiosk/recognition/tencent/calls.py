"""How an interface is called: one deadline, limits, retries, the clock, the circuit, the second endpoint.

An interface module describes a call as a `Request` – how its bytes are built for an attempt and how an answer is
read – and hands it to the account's `Caller`, which does everything in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from msgspec import Struct

from kiosk.errors import ClockRejected, ContractViolation, RecogniserError, Throttled, Transient
from kiosk.ports import Clock
from kiosk.recognition.tencent import codes
from kiosk.recognition.tencent.clock import ServerClock
from kiosk.recognition.tencent.events import Asked, Repeated, Retiring, SkewLearnt, Slowed, Watch, unwatched
from kiosk.recognition.tencent.limiter import Limiter
from kiosk.recognition.tencent.lines import Line, Lines
from kiosk.recognition.tencent.network import Trace
from kiosk.recognition.tencent.repeats import Run, SkewTaken
from kiosk.recognition.tencent.transport import KEEP_ALIVE, Answer, Transport

CONNECT_WITHIN = 1.0
"""Seconds for TCP, and again for TLS, where another endpoint could be asked instead; half the time left if that is less."""
WARM_WITHIN = 5.0
"""Seconds that opening a connection ahead of need may take."""
LOOK_EVERY = 10.0
PING_AFTER = KEEP_ALIVE - 1.5 * LOOK_EVERY
"""Seconds after which an idle connection is used, lest it expire."""

T = TypeVar("T")

Group = Literal[
    "detection",
    "five_sense",
    "comparison",
    "verification",
    "library",
    "search",
    "liveness",
    "liveness_accurate",
    "legacy",
]
"""The vendor's groups of interfaces that share a rate (protocol: QPS)."""


class Attempt(NamedTuple):
    """What a signature depends on: `host` as the Host header says it (with the port where it is not the scheme's),
    `now` in Unix seconds by the server's clock as far as it is known.
    """

    host: str
    now: int


class Outgoing(Struct, frozen=True):
    """One signed HTTP request. `path` starts with `/` and holds the query; Host and Content-Length are added when sent.

    Its repr shows neither headers (signature, token) nor body (face).
    """

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    method: Literal["POST", "GET"] = "POST"

    def __repr__(self) -> str:
        return f"Outgoing({self.method} {self.path}, {len(self.body)} bytes)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("path", self.path)]


class Request(Struct, Generic[T], frozen=True):
    """One call of an interface.

    `interface`: its name in metrics and errors ("CompareFace", "identify").
    `group`: whose share of the rate it takes.
    `build`: signs and returns the bytes; called afresh for every attempt. Encode and hash the body once, outside.
    `read`: turns an answer's body into the result. It raises the code's error (`codes.iai_error`, `codes.error_for`)
        or ContractViolation `answer_makes_no_sense`, and nothing else; HTTP status and headers do not count.
    `write`: changes something at the vendor's. An attempt whose answer was lost may have worked, so it is repeated only
        where `settled` says how the vendor would refuse the repeat.
    `settled`: for writes: code → the result, where a repeat's refusal with that code (exists already, does not exist
        any more) proves that the lost attempt worked. Such a code on the first attempt stays an error.
    """

    interface: str
    group: Group
    build: Callable[[Attempt], Outgoing]
    read: Callable[[bytes], T]
    write: bool = False
    settled: Mapping[str, T] = {}

    def __repr__(self) -> str:
        return f"Request({self.interface})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("interface", self.interface)]


class Caller:
    """One account's way to one family of hosts. Event loop only. Shared by all its interfaces.

    `endpoints`: in order of preference; it owns them. `limiter`: the account's; `server_clock`: the box's; both may be
    shared with other callers. `watch` hears of every request and of whatever an operator should know.
    """

    def __init__(
        self,
        endpoints: Sequence[Transport],
        limiter: Limiter | None = None,
        server_clock: ServerClock | None = None,
        *,
        watch: Watch = unwatched,
        clock: Clock = time.monotonic,
    ) -> None:
        self._lines = Lines(endpoints, watch, clock)
        self._limiter = limiter or Limiter(clock=clock)
        self._server_clock = server_clock or ServerClock(clock=clock)
        self._watch = watch
        self._clock = clock
        self._retiring: set[str] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def call(self, request: Request[T], deadline: float) -> T:
        """Ends before `deadline` (monotonic seconds) with a result, or raises:

        the code's RecogniserError; Transient `cloud_unreachable`, `cloud_error`, `deadline_exceeded` or – a write
        whose answer was lost – `outcome_unknown`; Throttled `cloud_busy` where the rate leaves no room in time;
        ClockRejected; ContractViolation `answer_makes_no_sense`, `answer_too_large`. While a circuit is open, the error
        that opened it.
        """
        if self._clock() >= deadline:
            raise Transient("deadline_exceeded", f"{request.interface}: no time left to ask")
        run = Run(request.interface, write=request.write, settled=request.settled)
        while True:
            try:
                return await self._attempt(request, run, deadline)
            except RecogniserError as error:
                if run.lost and error.code in request.settled:
                    return request.settled[error.code]
                pause = run.pause_after(error)
                if pause is None or self._clock() + pause >= deadline:
                    word = run.last_word(error)
                    if word is error:
                        raise
                    raise word from error
                self._watch(Repeated(request.interface, error.slug, error.code, pause))
            await asyncio.sleep(pause)

    def retiring(self, interface: str, notice: str) -> None:
        """The vendor lets us know, by an error or beside an answer, that an interface goes offline. Told once for each."""
        if interface not in self._retiring:
            self._retiring.add(interface)
            self._watch(Retiring(interface, notice))

    async def warm(self) -> None:
        """Opens the connections (DNS, TCP, TLS) and keeps them open until `close`. Faults are left for the first call."""
        await asyncio.gather(*map(self._ping, self._lines))
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_warm())

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        for line in self._lines:
            await line.transport.close()

    async def _attempt(self, request: Request[T], run: Run, deadline: float) -> T:
        line = self._lines.choose(run.failed)
        await self._take_turn(request, run, deadline)
        trace, started, outcome = Trace(), self._clock(), "cancelled"
        try:
            result = await self._exchange(request, line, trace, deadline)
            outcome = "0"
        except RecogniserError as error:
            outcome = error.code if error.code in codes.TABLE else error.slug
            self._lines.report(line, error, self._clock() - started)
            run.ended(line, error, trace)
            self._heed(request, error)
            raise
        else:
            self._lines.report(line, None, self._clock() - started)
            return result
        finally:
            seconds = self._clock() - started
            self._watch(Asked(request.interface, line.transport.host, outcome, seconds, trace.stages))

    async def _take_turn(self, request: Request[T], run: Run, deadline: float) -> None:
        """Raises what came before, if there is something, rather than that the time does not suffice for more."""
        try:
            await self._limiter.turn(request.group, deadline)
        except Throttled:
            if run.error is None:
                raise
            run.over = True
            raise run.error from None

    async def _exchange(self, request: Request[T], line: Line, trace: Trace, deadline: float) -> T:
        transport = line.transport
        attempt = Attempt(transport.host, int(self._server_clock.now()))
        outgoing = request.build(attempt)
        answer = await transport.exchange(
            outgoing.method,
            outgoing.path,
            outgoing.headers,
            outgoing.body,
            deadline=deadline,
            connect_within=self._patience(line, deadline),
            trace=trace,
        )
        try:
            return request.read(answer.body)
        except ClockRejected as error:
            raise self._learnt(answer, error) from error
        except ContractViolation as error:
            raise _by_status(answer, error) from error

    def _patience(self, line: Line, deadline: float) -> float | None:
        return min(CONNECT_WITHIN, (deadline - self._clock()) / 2) if self._lines.has_other(line) else None

    def _learnt(self, answer: Answer, error: ClockRejected) -> ClockRejected:
        if self._server_clock.learn(answer.date):
            self._watch(SkewLearnt(self._server_clock.skew))
            return SkewTaken(error.slug, f"{error.detail}; the server's clock is taken", code=error.code)
        return ClockRejected(error.slug, f"{error.detail}; the server says '{answer.date[:40]}'", code=error.code)

    def _heed(self, request: Request[T], error: RecogniserError) -> None:
        """What the vendor's refusal means for calls to come."""
        if isinstance(error, Throttled):
            rate = self._limiter.slow_down(request.group)
            if rate is not None:
                self._watch(Slowed(request.group, rate))
        if error.slug == "interface_retired":
            self.retiring(request.interface, error.detail)

    async def _ping(self, line: Line) -> None:
        with contextlib.suppress(RecogniserError):
            await line.transport.exchange("HEAD", "/", deadline=self._clock() + WARM_WITHIN)
            line.reachable()

    async def _keep_warm(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for line in self._lines:
                if self._clock() - line.transport.used_at > PING_AFTER:
                    await self._ping(line)


def _by_status(answer: Answer, error: ContractViolation) -> RecogniserError:
    """An answer that is none of the interface's own is the gateway's: then its status says what the body does not."""
    if error.code:
        return error
    detail = f"HTTP {answer.status}: {error.detail}"
    if answer.status == 429:
        return Throttled("cloud_busy", detail)
    return Transient("cloud_error", detail) if answer.status >= 500 else ContractViolation(error.slug, detail)
