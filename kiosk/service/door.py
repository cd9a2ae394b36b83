"""The shell around one portal: the only writer of its relay and of its journal rows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from kiosk.access import portal as access
from kiosk.access.areas import Areas
from kiosk.access.facts import Mode, PortalFacts
from kiosk.access.interlock import Interlock
from kiosk.errors import HardwareError
from kiosk.journal.log import Journal
from kiosk.service.fittings import Fittings
from kiosk.service.rows import Rows
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings

_TICK = 0.25
"""Seconds between looks at the clock while the portal waits for something."""

_MIND_EVERY = 1.0
"""Seconds between looks at the schedule, and at inputs that are lost."""

_REOPEN_FIRST, _REOPEN_MOST = 1.0, 30.0
"""Seconds between attempts to get a lost relay back."""

_ANSWER_WITHIN = 8.0
"""Seconds for a command; the portal gives up sooner."""

_MAY_TRY_AGAIN = frozenset(
    {"not_recognised", "ambiguous", "opinions_differ", "deadline_exceeded", "cloud_unreachable", "cloud_busy", "cloud_error"}
)
_MAY_TRY_AGAIN |= {"answer_makes_no_sense", "face_not_found", "picture_rejected", "verdict_expired", "person_left", "relay_busy"}
_MAY_TRY_AGAIN |= {"interlocked", "second_factor_missing", "second_person_missing", "portal_open", "locked_out"}
_MAY_TRY_AGAIN |= {"not_confirmed", "face_not_matched"}


@dataclass(frozen=True, slots=True)
class Settled:
    """How a decision ended at the door. `face_to_relay`: seconds from the first usable frame to a lock that moved for them."""

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


class Door:
    """Event loop only. Events are handled one after the other, in the order they were posted.

    `schedule` says whether `open_during` is open now, None where the clock is not to be trusted. `recall`: commands that
    were in force when the box last ended.
    """

    def __init__(
        self,
        name: str,
        settings: PortalSettings,
        state_dir: Path,
        journal: Journal,
        tally: Tally,
        *,
        interlock: Interlock | None = None,
        areas: Areas | None = None,
        schedule: Callable[[], bool | None] | None = None,
        recall: Iterable[access.Command] = (),
    ) -> None:
        self._name = name
        self._portal = access.Portal(name, settings, interlock, areas)
        self._fittings = Fittings(settings, state_dir, self._on_released, self._on_relay_lost, self._on_sensed)
        self._schedule = schedule
        self._scheduled: bool | None = False
        self._recall = tuple(recall)
        self._tally = tally
        self._arming, self._backoff, self._reopen_at = False, _REOPEN_FIRST, 0.0
        self._events: asyncio.Queue[access.Event] = asyncio.Queue()
        self._ticked_at = 0.0
        self._usable_at: dict[int, float] = {}
        self._rows = Rows(name, journal, tally, self.post)
        self._answers: dict[int, asyncio.Future[str]] = {}
        self._commands = 0
        self._shown: tuple[str, str] = "", ""
        self.settled: Callable[[Settled], None] = lambda _: None

    @property
    def state(self) -> str:
        return self._portal.state

    @property
    def mode(self) -> Mode:
        return self._portal.mode

    def awaited(self) -> str:
        """Whose PIN is waited for; empty where nobody's."""
        return self._portal.awaited

    def facts(self) -> PortalFacts:
        """What rules may ask about the portal."""
        return self._portal.facts()

    def post(self, event: access.Event, evidence: Mapping[str, object] | None = None, usable_at: float | None = None) -> None:
        if isinstance(event, access.Present):
            # Leads to no action and must not wait: a row that is being committed is followed by another look at who is here.
            self._portal.step(event)
            return
        if isinstance(event, access.Decided):
            self._usable_at.setdefault(event.presentation, usable_at or event.at)
            event = msgspec.structs.replace(event, evidence=evidence) if evidence else event
        if self._events.empty():
            self._tally.heartbeat.pending(f"portal {self._name}", time.monotonic())
        self._events.put_nowait(event)

    async def command(self, command: access.Command, by: str) -> str:
        """Carries it out: `command_done`, or the slug of why not. `by`: who gave it, for the journal."""
        self._commands += 1
        number, answer = self._commands, asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self.post(access.Commanded(time.monotonic(), command, by, number))
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                slug: str = await answer
        except TimeoutError:
            return "command_too_late"
        finally:
            del self._answers[number]
        return slug

    async def open(self) -> None:
        """Takes all parts and arms the portal. Raises HardwareError where one cannot be had: see `hardware`."""
        await self._fittings.open_rest(self._tally.error)
        try:
            await self._open_lock()
        except HardwareError:
            await self._fittings.close()
            raise

    async def _open_lock(self) -> None:
        await self._fittings.open_lock()
        self._arming, now = True, time.monotonic()
        for command in self._recall:
            self.post(access.Commanded(now, command, "restart"))
        self._recall = ()
        self.post(access.Armed(now))
        self._backoff = _REOPEN_FIRST

    def _on_released(self, at: float) -> None:
        self._tally.relay(self._name, energised=False, at=at)
        self.post(access.Released(at))

    def _on_relay_lost(self, at: float, slug: str) -> None:
        self.post(access.RelayFailed(at, slug))

    def _on_sensed(self, at: float, part: access.Part, active: bool | None) -> None:
        self.post(access.Sensed(at, part, active))

    async def record(self, kind: str, presentation: int | None, body: Mapping[str, object]) -> None:
        """Raises JournalError `journal_unwritable`."""
        await self._rows.record(kind, presentation, body)

    async def run(self) -> None:
        """Until cancelled; leaves the relay in its safe state."""
        minding = asyncio.create_task(self._mind(), name=f"schedule and inputs of {self._name}")
        try:
            while True:
                event = await self._next()
                await self._handle(event)
                await self._after(event)
        finally:
            minding.cancel()
            await asyncio.shield(self._end())

    async def _end(self) -> None:
        await self._fittings.close()
        await self._rows.finish()

    async def _mind(self) -> None:
        while True:
            if self._schedule is not None and (now_open := self._schedule()) is not self._scheduled:
                self._scheduled = now_open
                self.post(access.Scheduled(time.monotonic(), now_open))
            if not self._fittings.whole:
                with contextlib.suppress(HardwareError):  # its alarm was raised when it was lost
                    await self._fittings.mend()
            await asyncio.sleep(_MIND_EVERY)

    async def _next(self) -> access.Event:
        if self._events.empty():
            self._tally.heartbeat.completed(f"portal {self._name}")
        due = self._due()
        # What is due is not put off by events that keep coming.
        if due is None or time.monotonic() < due:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    return await self._events.get()
        self._ticked_at = time.monotonic()
        return access.Tick(self._ticked_at)

    def _due(self) -> float | None:
        dues = [self._ticked_at + _TICK] if self._portal.timed else []
        if self._portal.state == "disarmed" and not self._fittings.has_lock:
            dues.append(self._reopen_at)
        return min(dues, default=None)

    async def _after(self, event: access.Event) -> None:
        """What nobody knows the state of is made safe, and taken back after a while."""
        if isinstance(event, access.Armed):
            self._arming = False
        if self._portal.state == "disarmed" and not self._arming:
            if self._fittings.has_lock:
                await self._fittings.close_lock()
                self._reopen_at = time.monotonic() + self._backoff
            elif time.monotonic() >= self._reopen_at:
                await self._reopen()
        if (shown := (self._portal.state, self._portal.mode)) != self._shown:
            self._shown = shown
            self._tally.portal(self._name, *shown)

    async def _reopen(self) -> None:
        try:
            await self._open_lock()
        except HardwareError as error:
            self._tally.error(error)
            self._backoff = min(2 * self._backoff, _REOPEN_MOST)
            self._reopen_at = time.monotonic() + self._backoff

    async def _handle(self, event: access.Event) -> None:
        for action in self._portal.step(event):
            match action:
                case access.Record(kind=kind, presentation=presentation, body=body, ticket=ticket):
                    await self._rows.write(kind, presentation, body, ticket)
                case access.Unlock() | access.Hold() | access.Release():
                    await self._move(action)
                case access.Prompt():
                    self._prompt(action, event.at)
                case access.Alarm(slug=slug, silent=silent):
                    self._tally.alarm(self._name, slug, silent=silent)
                    await self._rows.write("alarm", None, {"slug": slug, "silent": silent})
                case _:
                    await self._pass_on(action)

    async def _pass_on(self, action: access.Answer | access.Signal | access.Notify | access.StartCheckout) -> None:
        match action:
            case access.Answer(number=number, slug=slug):
                if (answer := self._answers.get(number)) and not answer.done():
                    answer.set_result(slug)
            case access.Signal(pattern=pattern):
                self._fittings.show(pattern)
            case access.Notify(names=names, slug=slug, person=person):
                await self._tell("notify", {"names": list(names), "slug": slug, "person": person})
            case access.StartCheckout(name=checkout, person=person):
                await self._tell("checkout", {"checkout": checkout, "person": person})

    async def _tell(self, kind: str, body: Mapping[str, object]) -> None:
        self._tally.publish(kind, portal=self._name, **body)
        await self._rows.write(kind, None, body)

    async def _move(self, action: access.Unlock | access.Hold | access.Release) -> None:
        try:
            match action:
                case access.Unlock(seconds=seconds, outputs=outputs):
                    at = await self._fittings.pulse(seconds, outputs or (access.RELAY,))
                case access.Hold(outputs=outputs):
                    at = await self._fittings.hold(outputs or (access.RELAY,))
                case access.Release():
                    await self._fittings.release()
                    return
        except HardwareError as error:
            self._tally.error(error)
            await self._handle(access.RelayFailed(time.monotonic(), error.slug))
            return
        self._tally.relay(self._name, energised=True, at=at)
        await self._handle(access.Energised(at))

    def _prompt(self, prompt: access.Prompt, at: float) -> None:
        presentation, slug = prompt.presentation, prompt.slug
        if not prompt.final:
            self._tally.told(presentation, slug)
            return
        usable_at = self._usable_at.pop(presentation, None)
        if slug != "granted" or usable_at is None:
            self.settled(Settled(presentation, "granted" if slug == "granted" else "denied", slug, prompt.rule))
            return
        seconds = at - usable_at
        self._tally.metrics.face_to_relay(seconds)
        self.settled(Settled(presentation, "granted", slug, prompt.rule, seconds))
