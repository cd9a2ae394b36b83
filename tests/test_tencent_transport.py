"""Calls of the vendor's interfaces over real sockets.

Every way they can fail ends in time with its error, and nothing is sent twice that must not be.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.utils import formatdate
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import (
    ClockRejected,
    ConfigurationError,
    ContractViolation,
    ProbeRejected,
    RecogniserError,
    Throttled,
    Transient,
    Unauthorised,
)
from kiosk.recognition.tencent import breaker, calls, limiter, network, repeats
from kiosk.recognition.tencent.breaker import OPENS_AFTER, Breaker
from kiosk.recognition.tencent.calls import Attempt, Caller, Outgoing, Request
from kiosk.recognition.tencent.clock import ServerClock
from kiosk.recognition.tencent.codes import iai_error
from kiosk.recognition.tencent.events import Asked, CallEvent, Circuit, Repeated, Retiring, SkewLearnt, Slowed
from kiosk.recognition.tencent.limiter import WINDOW, Limiter, Pace
from kiosk.recognition.tencent.transport import MAX_ANSWER, Transport
from tests.tencent_stage import (
    HTML,
    Behaviour,
    Cloud,
    certificate_in,
    drips,
    resets,
    says,
    sends,
    silent,
    soon,
    without_proxies,
)

NOW = 1_700_000_000
FACE = b"\xff\xd8 a face"

# --- a cloud that answers {"ok": …} ---------------------------------------------------------------------------------------


def times(cloud: Cloud) -> list[int]:
    """What X-Time said, request by request."""
    return [int(re.findall(rb"X-Time: (\d+)", request)[0]) for request in cloud.requests]


async def echoes(_: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
    content = json.dumps({"ok": body.decode("latin-1")}).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)


def refuses(code: str, **headers: str) -> Behaviour:
    return says({"code": code}, **headers)


OK = says({"ok": "yes"})
LONG = b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"ok": "yes"}'


def read(body: bytes) -> str:
    """An interface of its own: `{"ok": …}`, or `{"code": …}`."""
    try:
        answer = json.loads(body)
        code, value = answer.get("code"), answer.get("ok")
    except (ValueError, AttributeError) as error:
        raise ContractViolation("answer_makes_no_sense", str(error)) from error
    if code is not None:
        raise iai_error(code, "no")
    if not isinstance(value, str):
        raise ContractViolation("answer_makes_no_sense", "no ok")
    return value


def asking(body: bytes = FACE, *, write: bool = False, settled: dict[str, str] | None = None) -> Request[str]:
    def build(attempt: Attempt) -> Outgoing:
        return Outgoing("/", (("X-Time", str(attempt.now)), ("X-Signed-Host", attempt.host)), body)

    return Request("Ask", "comparison", build, read, write=write, settled=settled or {})


@asynccontextmanager
async def caller_of(*endpoints: str, wall: Callable[[], float] = time.time, **options: Any) -> AsyncIterator[Caller]:
    async with asyncio.timeout(30):
        transports = [Transport(endpoint) for endpoint in endpoints]
        caller = Caller(transports, options.pop("limiter", None), ServerClock(wall), **options)
        try:
            yield caller
        finally:
            await caller.close()


async def error_of(call: Awaitable[str]) -> RecogniserError:
    with pytest.raises(RecogniserError) as caught:
        await call
    return caught.value


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    monkeypatch.setattr(repeats, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(limiter, "BACK_OFF", 0.05)


@pytest.fixture
def port() -> int:
    """One on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def black_hole(address: str, port: int = 0) -> Iterator[int]:
    """Never completes a handshake, as an address behind a dead router: the queue of a listener that accepts nobody is full."""
    with socket.socket() as listener:
        listener.bind((address, port))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        try:
            yield int(listener.getsockname()[1])
        finally:
            for each in waiting:
                each.close()


# --- faults -------------------------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Behaviour, type[RecogniserError], str, int]] = {
    "silence": (silent, Transient, "deadline_exceeded", 1),
    "slow headers": (drips(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1_000), Transient, "deadline_exceeded", 1),
    "slow body": (drips(LONG + b" " * 1_000), Transient, "deadline_exceeded", 1),
    "stalled body": (sends(LONG), Transient, "deadline_exceeded", 1),
    "dropped in the body": (sends(LONG, close=True), Transient, "cloud_unreachable", 3),
    "dropped before the head": (sends(b"", close=True), Transient, "cloud_unreachable", 3),
    "reset": (resets, Transient, "cloud_unreachable", 3),
    "no HTTP": (sends(b"220 smtp ready\r\n" * 2, close=True), Transient, "cloud_unreachable", 3),
    "redirect": (says(HTML, status="302 Found", Location="/elsewhere"), ContractViolation, "answer_makes_no_sense", 1),
    "captive portal": (says(HTML, Content_Type="application/json"), ContractViolation, "answer_makes_no_sense", 1),
    "not found": (says(HTML, status="404 Not Found"), ContractViolation, "answer_makes_no_sense", 1),
    "too many": (says(HTML, status="429 Too Many Requests"), Throttled, "cloud_busy", 2),
    "server error": (says(HTML, status="500 Internal Server Error"), Transient, "cloud_error", 3),
    "gateway error": (says(b"", status="503 Service Unavailable"), Transient, "cloud_error", 3),
    "bad JSON": (says(b'{"ok": '), ContractViolation, "answer_makes_no_sense", 1),
    "empty": (says(b""), ContractViolation, "answer_makes_no_sense", 1),
    "oversized": (says(b" " * (MAX_ANSWER + 1)), ContractViolation, "answer_too_large", 1),
}


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_ends_in_time_with_its_error(name: str, write: bool) -> None:
    behaviour, kind, slug, requests = FAULTS[name]
    async with Cloud(behaviour).running() as cloud, caller_of(cloud.url) as caller:
        error = await error_of(caller.call(asking(write=write), soon(0.4 if slug == "deadline_exceeded" else 15)))
    if write and slug in {"deadline_exceeded", "cloud_unreachable", "cloud_error"}:
        slug, requests = "outcome_unknown", 1
    assert (type(error), error.slug, error.code) == (kind, slug, "")
    assert len(cloud.requests) == requests


async def test_json_counts_whatever_the_status_says() -> None:
    script = (says({"ok": "yes"}, status="500 Oops"), refuses("InternalError"), OK)
    async with Cloud(*script).running() as cloud, caller_of(cloud.url) as caller:
        assert await caller.call(asking(), soon()) == "yes"
        assert await caller.call(asking(), soon()) == "yes"
    assert len(cloud.requests) == 3


async def test_nobody_listens(port: int) -> None:
    async with caller_of(f"http://127.0.0.1:{port}") as caller:
        for write in (False, True):
            error = await error_of(caller.call(asking(write=write), soon()))
            assert (type(error), error.slug) == (Transient, "cloud_unreachable"), "nothing was sent, so nothing is unknown"
        assert (await error_of(caller.call(asking(), time.monotonic()))).slug == "deadline_exceeded"


async def test_an_address_that_never_answers_ends_in_time() -> None:
    with black_hole("127.0.0.1") as port:
        async with caller_of(f"http://127.0.0.1:{port}") as caller:
            error = await error_of(caller.call(asking(write=True), soon(0.3)))
    assert (type(error), error.slug) == (Transient, "deadline_exceeded")


# --- repeats ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "requests", "outcome"),
    [
        ([refuses("InternalError"), refuses("FailedOperation.RpcFail"), OK], 3, None),
        ([refuses("InternalError")], 3, Transient),
        ([refuses("FailedOperation.CompareFail"), OK], 2, None),
        ([refuses("FailedOperation.CompareFail")], 2, Transient),
        ([refuses("RequestLimitExceeded"), OK], 2, None),
        ([refuses("RequestLimitExceeded")], 2, Throttled),
        ([resets, OK], 2, None),
        ([resets, refuses("InternalError"), OK], 3, None),
        ([refuses("ResourceInsufficient")], 1, Transient),
        ([refuses("InvalidParameterValue.NoFaceInPhoto")], 1, ProbeRejected),
        ([refuses("AuthFailure.SignatureFailure")], 1, Unauthorised),
        ([refuses("InvalidParameter")], 1, ContractViolation),
        ([refuses("InvalidParameterValue.PersonIdNotExist")], 1, ContractViolation),
        ([refuses("Unheard.Of")], 1, ContractViolation),
    ],
)
async def test_the_table_says_what_is_repeated(
    script: list[Behaviour], requests: int, outcome: type[RecogniserError] | None
) -> None:
    async with Cloud(*script).running() as cloud, caller_of(cloud.url) as caller:
        if outcome is None:
            assert await caller.call(asking(), soon()) == "yes"
        else:
            assert type(await error_of(caller.call(asking(), soon()))) is outcome
    assert len(cloud.requests) == requests


async def test_a_pause_never_reaches_over_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "FIRST_PAUSE", 1_000.0)
    async with Cloud(refuses("InternalError")).running() as cloud, caller_of(cloud.url) as caller:
        assert (await error_of(caller.call(asking(), soon()))).code == "InternalError"
    assert len(cloud.requests) == 1


EXISTS = {"InvalidParameterValue.PersonIdAlreadyExist": "made before"}


async def test_a_lost_write_that_exists_has_worked() -> None:
    exists = refuses("InvalidParameterValue.PersonIdAlreadyExist")
    for lost in (resets, sends(LONG, close=True), says(HTML, status="502 Bad Gateway")):
        async with Cloud(lost, exists).running() as cloud, caller_of(cloud.url) as caller:
            assert await caller.call(asking(write=True, settled=EXISTS), soon()) == "made before"
            error = await error_of(caller.call(asking(write=True, settled=EXISTS), soon()))
        assert (type(error), error.slug) == (ContractViolation, "state_conflict"), "it was there before this call"
        assert len(cloud.requests) == 3


async def test_a_lost_write_that_does_not_exist_is_made_again() -> None:
    async with Cloud(resets, OK).running() as cloud, caller_of(cloud.url) as caller:
        assert await caller.call(asking(write=True, settled=EXISTS), soon()) == "yes"
    async with Cloud(resets).running() as cloud, caller_of(cloud.url) as caller:
        error = await error_of(caller.call(asking(write=True, settled=EXISTS), soon()))
    assert (error.slug, len(cloud.requests)) == ("outcome_unknown", 3)


async def test_a_write_that_the_vendor_says_failed_is_repeated() -> None:
    async with Cloud(refuses("FailedOperation.ConflictOperation"), OK).running() as cloud, caller_of(cloud.url) as caller:
        assert await caller.call(asking(write=True), soon()) == "yes"
    assert len(cloud.requests) == 2


async def test_a_stale_connection_is_replaced_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "FIRST_PAUSE", 1_000.0)
    async with Cloud(OK, resets, OK).running() as cloud, caller_of(cloud.url) as caller:
        for _ in range(2):
            assert await caller.call(asking(), soon()) == "yes"
    assert (len(cloud.requests), cloud.connections) == (3, 2)


# --- the rate -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [refuses("RequestLimitExceeded"), says(HTML, status="429 Too Many Requests")])
async def test_a_refusal_for_the_rate_slows_the_group_down(refusal: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "BACK_OFF", 0.5)
    seen: list[CallEvent] = []
    async with Cloud(refusal, OK).running() as cloud, caller_of(cloud.url, watch=seen.append) as caller:
        error = await error_of(caller.call(asking(), soon(0.3)))
        assert (type(error), error.slug, len(cloud.requests)) == (Throttled, "cloud_busy", 1)
        assert (await error_of(caller.call(asking(), soon(0.01)))).slug == "cloud_busy"
        assert len(cloud.requests) == 1
        assert await caller.call(asking(), soon()) == "yes"
    assert [event for event in seen if isinstance(event, Slowed)] == [Slowed("comparison", 25)]


async def test_what_the_vendor_said_counts_more_than_that_there_is_no_turn_for_a_repeat() -> None:
    seen: list[CallEvent] = []
    options: dict[str, Any] = {"watch": seen.append, "limiter": Limiter(rate=1)}
    async with Cloud(refuses("InternalError")).running() as cloud, caller_of(cloud.url, **options) as caller:
        assert (await error_of(caller.call(asking(), soon(0.8)))).code == "InternalError"
    assert (len(cloud.requests), len([event for event in seen if isinstance(event, Repeated)])) == (1, 1)


async def test_turns_come_in_order_and_in_time() -> None:
    share = Limiter({"a": 2}, rate=1)
    order: list[int] = []

    async def take(number: int, patience: float) -> None:
        await share.turn("a", soon(patience))
        order.append(number)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(take(number, 10))
        await asyncio.sleep(0)
        with pytest.raises(Throttled):
            await share.turn("a", soon(1.5))
        await share.turn("b", soon(0.5))
    assert order == [0, 1, 2, 3]


@given(
    rate=st.integers(1, 8),
    steps=st.lists(st.tuples(st.floats(0, 1.5), st.floats(0, 3), st.booleans()), max_size=60),
)
def test_no_window_holds_more_starts_than_the_rate(rate: int, steps: list[tuple[float, float, bool]]) -> None:
    pace, now, starts = Pace(rate), 100.0, []
    for passed, patience, slow in steps:
        now += passed
        if slow:
            pace.slow_down(now)
        start = pace.reserve(now, now + patience)
        if start is not None:
            assert now <= start <= now + patience
            starts.append(start)
    assert all(a <= b for a, b in pairwise(starts)), "first come, first served"
    assert all(b - a >= WINDOW - 1e-9 for a, b in zip(starts, starts[rate:], strict=False))


@given(st.integers(1, 100), st.floats(0, 1_000))
def test_a_slowed_rate_is_halved_and_comes_back(rate: int, at: float) -> None:
    pace = Pace(rate)
    slowed = pace.slow_down(at)
    assert slowed == max(1, rate // 2)
    assert pace.slow_down(at + limiter.BACK_OFF / 2) is None
    assert pace.reserve(at, at + limiter.BACK_OFF / 2) is None
    assert pace.rate(at + limiter.DOUBLING * 8) == rate


# --- the circuit --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["ask", "succeed", "fail"]), st.floats(0, 40)), max_size=80))
def test_a_breaker_opens_probes_and_closes(events: list[tuple[str, float]]) -> None:
    gate, now, in_a_row, blocked_until = Breaker(), 0.0, 0, 0.0
    for event, passed in events:
        now += passed
        if event == "ask":
            allowed = gate.allows(now)
            assert allowed == (in_a_row < OPENS_AFTER or now >= blocked_until)
            if allowed and in_a_row >= OPENS_AFTER:
                assert gate.state(now) == "half-open"
                assert not gate.allows(now), "one probe at a time"
                blocked_until = now + gate.pause(now)
        elif event == "succeed":
            assert gate.succeeded() == (in_a_row >= OPENS_AFTER)
            in_a_row, blocked_until = 0, 0.0
            assert gate.state(now) == "closed"
        else:
            in_a_row += 1
            if gate.failed(now):
                blocked_until = now + gate.pause(now)
                assert gate.state(now) == "open"
                assert breaker.FIRST_PAUSE - 1e-6 <= gate.pause(now) <= breaker.LONGEST_PAUSE + 1e-6
        assert (gate.state(now) == "closed") == (in_a_row < OPENS_AFTER)


async def test_an_endpoint_that_fails_is_left_alone_and_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.3)
    seen: list[CallEvent] = []
    async with Cloud(says(HTML)).running() as cloud, caller_of(cloud.url, watch=seen.append) as caller:
        for _ in range(OPENS_AFTER + 2):
            error = await error_of(caller.call(asking(), soon()))
            assert (type(error), error.slug) == (ContractViolation, "answer_makes_no_sense")
        assert len(cloud.requests) == OPENS_AFTER
        cloud.script = [OK]
        await asyncio.sleep(0.35)
        for _ in range(3):
            assert await caller.call(asking(), soon()) == "yes"
    assert [round(event.seconds, 1) for event in seen if isinstance(event, Circuit)] == [0.3, 0.0]


async def test_a_short_deadline_is_not_held_against_the_endpoint() -> None:
    async with Cloud(silent).running() as cloud, caller_of(cloud.url) as caller:
        for _ in range(OPENS_AFTER + 1):
            assert (await error_of(caller.call(asking(), soon(0.05)))).slug == "deadline_exceeded"
        cloud.script = [OK]
        assert await caller.call(asking(), soon()) == "yes"


async def test_a_network_that_comes_back_needs_no_face_to_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(calls, "PING_AFTER", 0.0)
    closed = asyncio.Event()
    async with Cloud(resets).running() as cloud:

        def watch(event: CallEvent) -> None:
            if isinstance(event, Circuit) and not event.seconds:
                closed.set()

        async with caller_of(cloud.url, watch=watch) as caller:
            await caller.warm()
            assert (await error_of(caller.call(asking(), soon()))).slug == "cloud_unreachable"
            cloud.script = [says(b"", status="404 Not Found")]
            await closed.wait()
            cloud.script = [OK]
            assert await caller.call(asking(), soon()) == "yes"


async def test_an_account_that_is_refused_is_not_asked_on_and_on() -> None:
    seen: list[CallEvent] = []
    code = "ResourceUnavailable.InArrears"
    async with Cloud(refuses(code)).running() as cloud, caller_of(cloud.url, watch=seen.append) as caller:
        for _ in range(OPENS_AFTER + 2):
            error = await error_of(caller.call(asking(), soon()))
            assert (type(error), error.slug, error.code) == (Unauthorised, "account_in_arrears", code)
    assert len(cloud.requests) == OPENS_AFTER
    assert [event.name for event in seen if isinstance(event, Circuit)] == ["account"]


async def test_the_second_endpoint_takes_over(port: int) -> None:
    async with Cloud(OK).running() as cloud, caller_of(f"http://127.0.0.1:{port}", cloud.url) as caller:
        for _ in range(OPENS_AFTER + 1):
            assert await caller.call(asking(write=True), soon()) == "yes"
    assert len(cloud.requests) == OPENS_AFTER + 1
    assert f"X-Signed-Host: 127.0.0.1:{cloud.port}".encode() in cloud.requests[0], "signed for the host that is asked"


async def test_a_first_endpoint_that_never_connects_leaves_time_for_the_second() -> None:
    with black_hole("127.0.0.1") as dead:
        async with Cloud(OK).running() as cloud, caller_of(f"http://127.0.0.1:{dead}", cloud.url) as caller:
            assert await caller.call(asking(write=True), soon(1.5)) == "yes"
    assert len(cloud.requests) == 1


async def test_a_write_is_not_sent_to_the_second_endpoint_too() -> None:
    async with Cloud(resets).running() as first, Cloud(OK).running() as second, caller_of(first.url, second.url) as caller:
        error = await error_of(caller.call(asking(write=True), soon()))
        assert (error.slug, len(first.requests), len(second.requests)) == ("outcome_unknown", 1, 0)
        assert await caller.call(asking(), soon()) == "yes"


# --- the clock ----------------------------------------------------------------------------------------------------------

YEAR = 365 * 86_400


def late(seconds: float, code: str = "AuthFailure.SignatureExpire") -> Behaviour:
    return refuses(code, Date=formatdate(NOW + seconds, usegmt=True))


@pytest.mark.parametrize("off", [10 * YEAR, -10 * YEAR, 600, -600])
async def test_the_servers_clock_is_learnt_and_kept_for_signatures(off: int) -> None:
    seen: list[CallEvent] = []
    options: dict[str, Any] = {"wall": lambda: float(NOW), "watch": seen.append}
    async with Cloud(late(off), OK).running() as cloud, caller_of(cloud.url, **options) as caller:
        for _ in range(2):
            assert await caller.call(asking(write=True), soon()) == "yes"
    assert [moment - NOW for moment in times(cloud)] == [0, off, off]
    assert [round(event.seconds) for event in seen if isinstance(event, SkewLearnt)] == [off]


@pytest.mark.parametrize(
    ("script", "requests"),
    [
        ([late(3_600), late(7_200)], 2),
        ([late(0)], 1),
        ([refuses("AuthFailure.SignatureExpire")], 1),
        ([refuses("AuthFailure.SignatureExpire", Date="Mon, 99 Foo")], 1),
        ([refuses("AuthFailure.SignatureExpire", Date="Fri, 31 Dec 9999 23:59:59 -2359")], 1),
    ],
)
async def test_a_clock_that_cannot_be_learnt_is_an_error(script: list[Behaviour], requests: int) -> None:
    async with Cloud(*script).running() as cloud, caller_of(cloud.url, wall=lambda: float(NOW)) as caller:
        error = await error_of(caller.call(asking(), soon()))
    assert (type(error), error.slug, error.code) == (ClockRejected, "clock_rejected", "AuthFailure.SignatureExpire")
    assert len(cloud.requests) == requests


def test_setting_the_wall_clock_right_does_not_count_twice() -> None:
    wall, monotonic = [1_000.0], [50.0]
    clock = ServerClock(lambda: wall[0], lambda: monotonic[0])
    assert (clock.now(), clock.skew) == (1_000.0, 0.0)
    assert clock.learn(formatdate(NOW, usegmt=True))
    assert (clock.now(), clock.skew) == (NOW, NOW - 1_000)
    wall[0] = NOW + 7.0
    monotonic[0] += 7.0
    assert (clock.now(), clock.skew) == (NOW + 7, 0.0)
    assert not clock.learn(formatdate(NOW + 8, usegmt=True)), "as good as known"


# --- connections --------------------------------------------------------------------------------------------------------


async def test_sixteen_callers_lose_nothing() -> None:
    async with Cloud(echoes).running() as cloud, caller_of(cloud.url, limiter=Limiter(rate=10_000)) as caller:

        async def many(number: int) -> list[str]:
            return [await caller.call(asking(b"%d/%d" % (number, turn)), soon(25)) for turn in range(12)]

        answers = await asyncio.gather(*map(many, range(16)))
    assert answers == [[f"{number}/{turn}" for turn in range(12)] for number in range(16)]
    assert len(cloud.requests) == 16 * 12
    assert cloud.connections <= 16


async def test_a_cancelled_call_leaves_no_connection_behind_that_another_could_read_from() -> None:
    async with Cloud(silent, echoes).running() as cloud, caller_of(cloud.url) as caller:
        task = asyncio.create_task(caller.call(asking(b"first"), soon()))
        while not cloud.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
        assert await caller.call(asking(b"second"), soon()) == "second"


async def test_warming_opens_the_connection_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "LOOK_EVERY", 0.005)
    monkeypatch.setattr(calls, "PING_AFTER", 0.02)
    async with Cloud(says(b"", status="404 Not Found")).running() as cloud, caller_of(cloud.url) as caller:
        await caller.warm()
        assert [request.split()[0] for request in cloud.requests] == [b"HEAD"]
        while len(cloud.requests) < 3:
            await asyncio.sleep(0.005)
        cloud.script = [OK]
        assert await caller.call(asking(), soon()) == "yes"
        await caller.warm()
    assert cloud.connections == 1


async def test_warming_leaves_faults_to_the_first_call(port: int) -> None:
    async with caller_of(f"http://127.0.0.1:{port}") as caller:
        await caller.warm()


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> Iterator[None]:
    """What the name of every test host stands for."""

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if not addresses and not host[0].isdigit():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = addresses if host.endswith(".test") else [host]
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", look_up)
        yield


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    with names(monkeypatch):
        async with caller_of("http://faces.test") as caller:
            error = await error_of(caller.call(asking(write=True), soon()))
    assert (type(error), error.slug) == (Transient, "cloud_unreachable")
    assert "faces.test" in error.detail


@pytest.mark.parametrize("first", ["127.0.0.2", "::1"])
async def test_a_dead_first_address_costs_little(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address swallows everything (or refuses, where it is IPv6); the second one answers."""
    monkeypatch.setattr(network, "STAGGER", 0.05)
    async with Cloud(OK).running() as cloud:
        with names(monkeypatch, first, "127.0.0.1"), black_hole("127.0.0.2", cloud.port):
            async with caller_of(f"http://faces.test:{cloud.port}") as caller:
                assert await caller.call(asking(), soon(10)) == "yes"
    assert (len(cloud.requests), cloud.connections) == (1, 1)
    assert f"Host: faces.test:{cloud.port}".encode() in cloud.requests[0]


async def test_all_addresses_dead(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    with names(monkeypatch, "127.0.0.2", "127.0.0.3"):
        async with caller_of(f"http://faces.test:{port}") as caller:
            assert (await error_of(caller.call(asking(), soon()))).slug == "cloud_unreachable"
    with names(monkeypatch, "127.0.0.2", "127.0.0.3"), black_hole("127.0.0.2") as dead, black_hole("127.0.0.3", dead):
        async with caller_of(f"http://faces.test:{dead}") as caller:
            assert (await error_of(caller.call(asking(), soon(0.5)))).slug == "deadline_exceeded"


async def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("needs IPv6")
    async with Cloud(OK).running(host="::1") as cloud, caller_of(f"http://[::1]:{cloud.port}") as caller:
        assert await caller.call(asking(), soon()) == "yes"
    assert f"Host: [::1]:{cloud.port}\r\n".encode() in cloud.requests[0]


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://iai.tencentcloudapi.com", "iai.tencentcloudapi.com"),
        ("https://iai.tencentcloudapi.com:443", "iai.tencentcloudapi.com"),
        ("http://127.0.0.1:18080", "127.0.0.1:18080"),
        ("http://[::1]", "[::1]"),
    ],
)
def test_the_host_is_signed_as_it_is_sent(endpoint: str, host: str) -> None:
    assert Transport(endpoint).host == host


# --- what lies between --------------------------------------------------------------------------------------------------


async def test_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Cloud(OK).running() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:pass%3Aword@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "exempt.example")
        async with caller_of("http://faces.example") as caller:
            assert await caller.call(asking(), soon()) == "yes"
        async with Cloud(OK).running() as cloud, caller_of(cloud.url) as caller:
            assert await caller.call(asking(), soon()) == "yes"
        with names(monkeypatch):
            async with caller_of("http://exempt.example") as caller:
                assert (await error_of(caller.call(asking(), soon()))).slug == "cloud_unreachable"
    (request,) = proxy.requests
    assert request.startswith(b"POST http://faces.example/ HTTP/1.1\r\n")
    assert b"Host: faces.example\r\n" in request
    assert b"Proxy-Authorization: Basic bWU6cGFzczp3b3Jk\r\n" in request


async def test_a_proxy_that_refuses_the_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Cloud(says(HTML, status="407 Proxy Authentication Required")).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with caller_of("https://faces.example") as caller:
            error = await error_of(caller.call(asking(), soon()))
    assert (type(error), error.slug) == (Transient, "cloud_unreachable")
    assert "407" in error.detail
    assert proxy.requests[0].startswith(b"CONNECT faces.example:443 HTTP/1.1\r\n")
    assert not any(FACE in request for request in proxy.requests)


def test_what_cannot_work_is_refused_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="ca_file"):
        Transport("https://faces.example", tmp_path / "missing.pem")
    if find_spec("h2") is None:
        with pytest.raises(ConfigurationError, match="h2"):
            Transport("https://faces.example", http2=True)
    monkeypatch.setenv("ALL_PROXY", "gopher://me:secret@proxy:1")
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        Transport("https://faces.example")
    assert "secret" not in str(caught.value)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certificate_in(tmp_path)


async def test_stages_are_timed(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    seen: list[CallEvent] = []
    async with Cloud(OK).running(tls) as cloud:
        caller = Caller([Transport(f"https://127.0.0.1:{cloud.port}", certificate)], watch=seen.append)
        for _ in range(2):
            assert await caller.call(asking(), soon()) == "yes"
        await caller.close()
    first, second = (event for event in seen if isinstance(event, Asked))
    assert set(first.stages) == {"dns", "connect", "tls", "send", "wait", "receive"}
    assert set(second.stages) == {"send", "wait", "receive"}
    assert all(took >= 0 for took in first.stages.values())
    assert sum(first.stages.values()) <= first.seconds * 1000


AUTHORITY = """
[ca]
default_ca = own
[own]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
subjectAltName = IP:127.0.0.1
basicConstraints = critical, CA:TRUE
"""


@pytest.fixture
def future_certificate(certificate: Path, tmp_path: Path) -> Path:
    """The same for 2090."""
    (tmp_path / "authority").write_text(AUTHORITY.format(folder=tmp_path))
    (tmp_path / "index").touch()
    (tmp_path / "serial").write_text("01")
    request = ["openssl", "req", "-new", "-key", str(certificate), "-subj", "/CN=test", "-out", str(tmp_path / "request")]
    issue = ["openssl", "ca", "-batch", "-selfsign", "-config", str(tmp_path / "authority"), "-keyfile", str(certificate)]
    years = ["-startdate", "20900101000000Z", "-enddate", "20910101000000Z"]
    files = ["-in", str(tmp_path / "request"), "-notext", "-out", str(tmp_path / "later")]
    subprocess.run(request, check=True, capture_output=True)
    subprocess.run([*issue, *years, *files], check=True, capture_output=True)
    file = tmp_path / "future.pem"
    file.write_bytes(certificate.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0] + (tmp_path / "later").read_bytes())
    return file


async def test_a_certificate_from_the_future_means_that_our_clock_is_wrong(future_certificate: Path, certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(future_certificate)
    async with Cloud(OK).running(tls) as cloud, asyncio.timeout(20):
        for trusted, kind, slug in (
            (future_certificate, ClockRejected, "clock_rejected"),
            (certificate, Transient, "cloud_unreachable"),
        ):
            caller = Caller([Transport(f"https://127.0.0.1:{cloud.port}", trusted)])
            error = await error_of(caller.call(asking(write=True), soon()))
            assert (type(error), error.slug) == (kind, slug)
            await caller.close()
    assert cloud.requests == []


# --- what is told -------------------------------------------------------------------------------------------------------


async def test_every_request_is_told_and_nothing_secret() -> None:
    seen: list[CallEvent] = []
    script = (refuses("InternalError"), resets, says(HTML), refuses("Made.Up.By.A.Stranger"), OK)
    async with Cloud(*script).running() as cloud, caller_of(cloud.url, watch=seen.append) as caller:
        assert (await error_of(caller.call(asking(), soon()))).slug == "answer_makes_no_sense"
        assert (await error_of(caller.call(asking(), soon()))).code == "Made.Up.By.A.Stranger"
        assert await caller.call(asking(), soon()) == "yes"
    asked = [event for event in seen if isinstance(event, Asked)]
    assert [event.outcome for event in asked] == [
        "InternalError", "cloud_unreachable", "answer_makes_no_sense", "answer_makes_no_sense", "0",
    ]  # fmt: skip
    assert {(event.interface, event.endpoint) for event in asked} == {("Ask", f"127.0.0.1:{cloud.port}")}
    assert [(event.slug, event.code) for event in seen if isinstance(event, Repeated)] == [
        ("cloud_error", "InternalError"), ("cloud_unreachable", ""),
    ]  # fmt: skip
    told = repr(seen) + repr(asking()) + repr(asking().build(Attempt("h", 1)))
    assert "a face" not in told
    assert "X-Time" not in told


async def test_an_interface_that_retires_is_told_once() -> None:
    seen: list[CallEvent] = []
    async with Cloud(refuses("ActionOffline")).running() as cloud, caller_of(cloud.url, watch=seen.append) as caller:
        for _ in range(3):
            assert (await error_of(caller.call(asking(), soon()))).slug == "interface_retired"
    assert [event.interface for event in seen if isinstance(event, Retiring)] == ["Ask"]
