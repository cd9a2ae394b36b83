"""The shell around one portal: the only writer of its relay and of its journal rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kiosk.access import portal as access
from kiosk.access.facts import PortalFacts
from kiosk.domain import Deny, Grant
from kiosk.errors import HardwareError, JournalError
from kiosk.hardware.relay import open_relay
from kiosk.journal.log import Journal
from kiosk.ports import Relay
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings

_TICK = 0.25
"""Seconds between looks at the clock while the portal is unlocked."""

_REOPEN_FIRST, _REOPEN_MOST = 1.0, 30.0
"""Seconds between attempts to get a lost relay back."""

_MAY_TRY_AGAIN = frozenset(
    {"not_recognised", "ambiguous", "opinions_differ", "deadline_exceeded", "cloud_unreachable", "cloud_busy", "cloud_error"}
)
_MAY_TRY_AGAIN |= {"answer_makes_no_sense", "face_not_found", "picture_rejected", "verdict_expired", "person_left", "relay_busy"}
_MAY_TRY_AGAIN |= {"not_confirmed", "face_not_matched"}


@dataclass(frozen=True, slots=True)
class Settled:
    """How a decision ended at the door. `face_to_relay`: seconds from the first usable frame to the energised relay."""

    presentation: int
    outcome: Literal["granted", "denied"]
    reason: str
    rule: str
    face_to_relay: float | None = None

    @property
    def result(self) -> str:
        """What the eye is told: see messages.Outcome."""
        if self.outcome == "granted":
            return "granted"
        return "refused" if self.reason in _MAY_TRY_AGAIN else "final"


@dataclass(frozen=True, slots=True)
class _Case:
    decision: Grant | Deny
    evidence: Mapping[str, object]
    usable_at: float


class Door:
    """Event loop only. Events are handled one after the other, in the order they were posted."""

    def __init__(self, name: str, settings: PortalSettings, state_dir: Path, journal: Journal, tally: Tally) -> None:
        self._name = name
        self._settings = settings
        self._state_dir = state_dir
        self._portal = access.Portal(name, settings)
        self._relay: Relay | None = None
        self._backoff = _REOPEN_FIRST
        self._journal = journal
        self._tally = tally
        self._events: asyncio.Queue[access.Event] = asyncio.Queue()
        self._cases: dict[int, _Case] = {}
        self.settled: Callable[[Settled], None] = lambda _: None

    @property
    def state(self) -> str:
        return self._portal.state

    def facts(self) -> PortalFacts:
        return PortalFacts(self._name, self._portal.state, outside=self._settings.outside)

    def post(self, event: access.Event, evidence: Mapping[str, object] | None = None, usable_at: float | None = None) -> None:
        if isinstance(event, access.Present):
            # Leads to no action and must not wait: a row that is being committed is followed by another look at who is here.
            self._portal.step(event)
            return
        if isinstance(event, access.Decided):
            self._cases[event.presentation] = _Case(event.decision, evidence or {}, usable_at or event.at)
        if self._events.empty():
            self._tally.heartbeat.pending(f"portal {self._name}", time.monotonic())
        self._events.put_nowait(event)

    async def open(self) -> None:
        """Takes the relay and arms the portal. Raises HardwareError `relay_missing`."""
        self._relay = await open_relay(self._settings.relay, self._state_dir, self._on_release, self._on_relay_lost)
        self._backoff = _REOPEN_FIRST
        self._events.put_nowait(access.Armed(time.monotonic()))

    def _on_release(self, at: float, _why: str) -> None:
        self._tally.relay(self._name, energised=False, at=at)
        self.post(access.Released(at))

    def _on_relay_lost(self, at: float, slug: str) -> None:
        self.post(access.RelayFailed(at, slug))

    async def record(self, kind: str, presentation: int | None, body: Mapping[str, object]) -> None:
        """Raises JournalError `journal_unwritable`."""
        self._tally.heartbeat.pending("journal", begun := time.monotonic())
        try:
            await self._journal.append(kind, self._name, presentation, body)
        finally:
            self._tally.heartbeat.completed("journal")
        self._tally.totals["journal_rows"] += 1
        self._tally.metrics.journal_row(time.monotonic() - begun)

    async def run(self) -> None:
        """Until cancelled; leaves the relay in its safe state."""
        try:
            while True:
                await self._handle(await self._next())
        finally:
            await asyncio.shield(self._give_back())

    async def _next(self) -> access.Event:
        if self._events.empty():
            self._tally.heartbeat.completed(f"portal {self._name}")
        patience = {"unlocked": _TICK, "disarmed": self._backoff}.get(self._portal.state)
        try:
            return await asyncio.wait_for(self._events.get(), patience)
        except TimeoutError:
            if self._portal.state == "disarmed":
                await self._reopen()
            return access.Tick(time.monotonic())

    async def _reopen(self) -> None:
        await self._give_back()
        self._backoff = min(2 * self._backoff, _REOPEN_MOST)
        try:
            await self.open()
        except HardwareError as error:
            self._tally.error(error)

    async def _give_back(self) -> None:
        if self._relay is not None:
            await self._relay.close()
            self._relay = None

    async def _handle(self, event: access.Event) -> None:
        for action in self._portal.step(event):
            match action:
                case access.Record():
                    await self._record(action)
                case access.Unlock(presentation=presentation, seconds=seconds):
                    await self._unlock(presentation, seconds)
                case access.Release():
                    await self._release()
                case access.Prompt(presentation=presentation, slug=slug):
                    self._settle(presentation, slug)
                case access.Alarm(slug=slug):
                    self._tally.alarm(self._name, slug)

    async def _record(self, record: access.Record) -> None:
        case = self._cases.get(record.presentation) if record.presentation else None
        body = {**(case.evidence if case else {}), **record.body}
        try:
            await self.record(record.kind, record.presentation, body)
        except JournalError as error:
            self._tally.error(error)
            await self._handle(access.RecordFailed(time.monotonic(), record.presentation, error.slug))
            return
        if record.kind == "granted" and record.presentation is not None:
            await self._handle(access.Committed(time.monotonic(), record.presentation))

    async def _unlock(self, presentation: int, seconds: float) -> None:
        assert self._relay is not None, "only an armed portal unlocks"
        try:
            at = await self._relay.pulse(seconds)
        except HardwareError as error:
            self._tally.error(error)
            await self._handle(access.RelayFailed(time.monotonic(), error.slug))
            self._settle(presentation, error.slug)
            return
        case = self._cases[presentation]
        self._tally.relay(self._name, energised=True, at=at)
        self._tally.metrics.face_to_relay(at - case.usable_at)
        self._settle(presentation, "granted", at - case.usable_at)
        await self._handle(access.Energised(at))

    async def _release(self) -> None:
        assert self._relay is not None, "only an armed portal was unlocked"
        try:
            await self._relay.release()
        except HardwareError as error:
            self._tally.error(error)
            await self._handle(access.RelayFailed(time.monotonic(), error.slug))

    def _settle(self, presentation: int, slug: str, face_to_relay: float | None = None) -> None:
        case = self._cases.pop(presentation, None)
        if case is not None:
            outcome: Literal["granted", "denied"] = "granted" if slug == "granted" else "denied"
            self.settled(Settled(presentation, outcome, slug, case.decision.rule, face_to_relay))
