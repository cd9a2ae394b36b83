"""`kiosk cloud doctor`: every step between this box and the vendor's account, tried one by one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from kiosk.cloud.reach import State, Step, reach, way_to
from kiosk.cloud.session import Session
from kiosk.errors import ClockRejected, ConfigurationError, ContractViolation, RecogniserError
from kiosk.recognition.build import TencentSettings, account_of, legacy_of
from kiosk.recognition.tencent.calls import Attempt, Caller, Request
from kiosk.recognition.tencent.iai.client import IaiClient
from kiosk.recognition.tencent.iai.groups import GetGroupList
from kiosk.recognition.tencent.legacy_library import GetGroupIds
from kiosk.recognition.tencent.transport import Answer, Transport
from kiosk.settings import TencentIaiSettings

T = TypeVar("T")
ALLOWED = 300.0
"""Seconds by which clocks may differ; beyond them the vendor refuses today's signatures (protocol: Timestamp)."""
WORTH_A_WORD = 5.0
"""Seconds."""
ADVICE = {
    "dns": "Is this box online? See that the endpoint is spelt right, and which resolver /etc/resolv.conf names.",
    "tcp": "This address and port must be reachable from here: is a firewall in between, or the service not running?",
    "tls": "Something answers whose certificate this box does not trust: a proxy that inspects TLS (then give its CA as "
    "ca_file), a captive portal, missing system certificates (package ca-certificates), or a wrong clock.",
    "http": "What answers here is not the vendor: log in to the network's portal, take the proxy out of the way, or mend "
    "the endpoint.",
    "clock": "Set this box's clock: `timedatectl set-ntp true`, and let it reach a time server.",
    "keys": "Make a key for this account in the vendor's console; put SecretId and SecretKey into their files, mode 0600.",
    "signature": "SecretId and SecretKey do not belong together or not to this account: put both in anew. The older host "
    "takes keys of the main account only.",
    "account": "See in the vendor's console: is the service activated and in credit, and may this key call it (CAM)?",
    "groups": "Create them with `kiosk cloud groups create`, or mend group_ids: in a wrong group nobody is recognised.",
}
ABOUT_KEYS = frozenset({"4", "5", "6", "9", "10", "11", "12", "13", "14", "16"})
"""The older host's codes about key and signature; any other refusal proves that these were right."""


@dataclass(frozen=True, slots=True)
class Examination:
    name: str
    endpoint: str
    steps: tuple[Step, ...]

    @property
    def healthy(self) -> bool:
        return all(step.state != "failed" for step in self.steps)

    @property
    def advice(self) -> str:
        """What to do about the first step that failed; empty where none did."""
        return next((ADVICE[step.name] for step in self.steps if step.state == "failed"), "")


async def examine(session: Session, section: TencentSettings, wall: Callable[[], float] = time.time) -> Examination:
    """Never raises for what it finds. `wall`: Unix seconds, as this box believes; it decides nothing but what is said."""
    steps = await reach(way_to(section.endpoint), section.ca_file, section.deadline, wall)
    if steps[-1].state != "failed":
        steps += await _ask(session, section, wall)
    name = "today's interfaces" if isinstance(section, TencentIaiSettings) else "the older host"
    return Examination(name, section.endpoint, tuple(steps))


class _Once(Caller):
    """Makes one attempt of a call, and keeps what came back. `ahead`: seconds to add to our clock when signing."""

    def __init__(self, transport: Transport, wall: Callable[[], float]) -> None:
        super().__init__([transport])
        self._transport = transport
        self._wall = wall
        self.ahead = 0.0
        self.answer: Answer | None = None
        self.milliseconds = 0.0

    async def call(self, request: Request[T], deadline: float) -> T:
        outgoing = request.build(Attempt(self._transport.host, int(self._wall() + self.ahead)))
        started = time.perf_counter()
        try:
            self.answer = await self._transport.exchange(
                outgoing.method, outgoing.path, outgoing.headers, outgoing.body, deadline=deadline
            )
        finally:
            self.milliseconds = (time.perf_counter() - started) * 1000
        return request.read(self.answer.body)


async def _ask(session: Session, section: TencentSettings, wall: Callable[[], float]) -> list[Step]:
    """One signed request that changes nothing; what it is refused for says how far it came."""
    try:
        caller = _Once(session.transport(section, section.endpoint), wall)
    except ConfigurationError as error:
        return [Step("http", "failed", error.detail)]
    try:
        groups = _groups(section, caller)
        return await _judged(section, caller, groups, wall)
    except ConfigurationError as error:
        return [Step("keys", "failed", error.detail)]
    finally:
        await caller.close()


async def _judged(
    section: TencentSettings, caller: _Once, groups: Callable[[], Awaitable[list[str]]], wall: Callable[[], float]
) -> list[Step]:
    there, refusal = await _attempt(groups)
    answer = caller.answer
    if answer is None or (refusal is not None and not refusal.code):
        return [Step("http", "failed", _of_nothing(answer, refusal), caller.milliseconds)]
    clock, ahead = _clock(answer, wall())
    http = Step("http", "ok", f"HTTP {answer.status}, the vendor's JSON", caller.milliseconds)
    if isinstance(refusal, ClockRejected) and abs(ahead) > WORTH_A_WORD:
        clock = replace(clock, state="failed")
        # By the server's clock instead of ours, the rest can be tried all the same.
        caller.ahead = ahead
        there, refusal = await _attempt(groups)
    return [http, clock, *(_account(there, section) if refusal is None else _refused(refusal))]


async def _attempt(groups: Callable[[], Awaitable[list[str]]]) -> tuple[list[str], RecogniserError | None]:
    try:
        return await groups(), None
    except RecogniserError as error:
        return [], error


def _groups(section: TencentSettings, caller: Caller) -> Callable[[], Awaitable[list[str]]]:
    """Asks for the account's groups. Raises ConfigurationError where the keys are not there."""
    if isinstance(section, TencentIaiSettings):
        now = IaiClient(caller, account_of(section))

        async def ask_now() -> list[str]:
            found = await now.call(GetGroupList(limit=1000), time.monotonic() + section.deadline)
            return [group.group_id for group in found.group_infos]

        return ask_now
    old = legacy_of(section, caller)

    async def ask_old() -> list[str]:
        return (await old.call(GetGroupIds(), time.monotonic() + section.deadline)).group_ids

    return ask_old


def _clock(answer: Answer, now: float) -> tuple[Step, float]:
    """The step, and by how many seconds the server is ahead."""
    try:
        there = datetime.strptime(answer.date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return Step("clock", "skipped", "the server does not say its time"), 0.0
    ahead = there - now
    state: State = "failed" if abs(ahead) > ALLOWED else "ok"
    size = f"{abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} the server's"
    return Step("clock", state, f"this box's clock is {size}" if abs(ahead) > WORTH_A_WORD else "agrees with the server's"), ahead


def _refused(refusal: RecogniserError) -> list[Step]:
    about_keys = refusal.code.startswith("AuthFailure") or refusal.code in ABOUT_KEYS
    if about_keys and refusal.code != "AuthFailure.UnauthorizedOperation":
        return [Step("signature", "failed", refusal.detail)]
    return [Step("signature", "ok", "accepted"), Step("account", "failed", refusal.detail)]


def _account(there: list[str], section: TencentSettings) -> list[Step]:
    missing = [group for group in section.group_ids if group not in there]
    if not section.group_ids:
        groups = Step("groups", "skipped", "none are configured")
    elif missing:
        groups = Step("groups", "failed", f"not in this account: {', '.join(missing)}")
    else:
        groups = Step("groups", "ok", f"{', '.join(section.group_ids)}")
    number = f"{len(there)} group{'s' if len(there) != 1 else ''}"
    return [Step("signature", "ok", "accepted"), Step("account", "ok", f"in service, {number}"), groups]


def _of_nothing(answer: Answer | None, refusal: RecogniserError | None) -> str:
    if answer is not None and isinstance(refusal, ContractViolation):
        kind = "a web page" if answer.body.lstrip()[:1] == b"<" else "something else than the vendor's JSON"
        return f"HTTP {answer.status} with {kind}, {len(answer.body)} bytes"
    return refusal.detail if refusal else "no answer"
