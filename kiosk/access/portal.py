"""One portal's state machine. Pure: events carry the time, actions are carried out by whoever holds the relay.

    disarmed ──Armed──► locked ──Decided(grant)──► [waiting ──Presented──►] pending ──Committed──► unlocked ──Released──► locked
                          │                                                    │
                          └─ schedule, command, fire ──► pending ──Committed──► held ──its cause ends──► locked

Nothing moves the lock but a row on disk; what lets people in also needs its cause to be alive when the row is there.
Where several things meet, the first in this table decides:

| what           | from                                   | the lock    | grants        | without a journal |
|----------------|----------------------------------------|-------------|---------------|-------------------|
| fire           | input `fire` open or cut               | held open   | not needed    | opens, alarm      |
| emergency      | commands release … end_release         | held open   | not needed    | opens, alarm      |
| exit           | input `request_to_exit`                | a pulse     | as before     | opens, alarm      |
| lockdown       | commands lockdown … end_lockdown       | locked      | refused       | locks             |
| held open      | commands hold_open … close, rule, schedule | held open | not needed  | stays shut        |
| grant          | rule, command unlock_once              | a pulse     | one at a time | stays shut        |

Where people are looked for together a grant may share the pulse of another: see `sharing`.

Fire and emergency do not ask the interlock; everything else does. A request to exit also works in lockdown: that keeps people
out, not in. RelayFailed leads back to disarmed from anywhere. The way out of a room must never depend on any of this: locks
are wired so that people can leave with the box dead.
"""

from __future__ import annotations

from typing import Literal

from kiosk.access.areas import Areas
from kiosk.access.core import Core
from kiosk.access.entry import Entry
from kiosk.access.events import (
    COMMANDS,
    RELAY,
    Action,
    Alarm,
    Answer,
    Armed,
    Command,
    Commanded,
    Committed,
    Decided,
    Energised,
    Event,
    Hold,
    Notify,
    Part,
    Pattern,
    Present,
    Presented,
    Prompt,
    Record,
    RecordFailed,
    RelayFailed,
    Release,
    Released,
    Scheduled,
    Sensed,
    Signal,
    StartCheckout,
    Tick,
    Unlock,
)
from kiosk.access.facts import Mode, PortalFacts
from kiosk.access.interlock import Interlock
from kiosk.access.lock import Lock
from kiosk.access.orders import Orders
from kiosk.access.sharing import Sharing
from kiosk.domain import Deny, Grant
from kiosk.settings import PortalSettings

__all__ = [
    "COMMANDS",
    "RELAY",
    "Action",
    "Alarm",
    "Answer",
    "Armed",
    "Command",
    "Commanded",
    "Committed",
    "Decided",
    "Energised",
    "Event",
    "Hold",
    "Notify",
    "Part",
    "Portal",
    "Present",
    "Presented",
    "Prompt",
    "Record",
    "RecordFailed",
    "RelayFailed",
    "Release",
    "Released",
    "Scheduled",
    "Sensed",
    "Signal",
    "StartCheckout",
    "Tick",
    "Unlock",
]

State = Literal["disarmed", "locked", "waiting", "pending", "unlocked", "held"]

_SHOWN = 2.0
"""Seconds for which a refusal is signalled."""


class Portal:
    """Feed events to `step` in the order they happened and carry out its actions in order. One thread.

    Portals of one interlock share an `interlock`, all of a box share its `areas`.
    """

    def __init__(
        self, name: str, settings: PortalSettings, interlock: Interlock | None = None, areas: Areas | None = None
    ) -> None:
        self.name = name
        self._settings = settings
        self._core = core = Core(name, settings, interlock or Interlock(), areas or Areas())
        self._lock = Lock(core)
        self._sharing = Sharing(core, self._lock)
        self._entry = Entry(core, self._sharing)
        self._orders = Orders(core, self._entry, self._lock)
        self._pattern: Pattern = "idle"
        core.interlock.tell(name, occupies=True)

    @property
    def state(self) -> State:
        core = self._core
        match core.bolt.state:
            case "disarmed":
                return "disarmed"
            case "pulse":
                return "unlocked"
            case "hold":
                return "held"
            case "safe":
                return "pending" if core.pending else "waiting" if core.admission.factors.any else "locked"

    @property
    def mode(self) -> Mode:
        return self._core.modes.mode

    @property
    def timed(self) -> bool:
        """Whether a Tick may lead to something; without, none need come."""
        core = self._core
        wants = core.modes.wanted is not None and core.bolt.state == "safe"
        waits = core.pending or core.passing or core.bolt.ordered or core.admission.factors.any
        shown = self._pattern == "denied" or core.inputs.doorway.timed
        return bool(waits or wants or shown or core.bolt.state == "pulse")

    @property
    def awaited(self) -> str:
        """Whose PIN is waited for; empty where nobody's."""
        waits = reversed(self._core.admission.factors.unfinished)
        return next((wait.grant.person for wait in waits if "pin" in wait.missing), "")

    def facts(self) -> PortalFacts:
        occupancy = self._core.admission.areas.occupancy(self._settings.area_to)
        return PortalFacts(self.name, self.state, self.mode, occupancy, self._settings.outside)

    def step(self, event: Event) -> list[Action]:
        """The actions this event leads to."""
        if isinstance(event, Present):
            self._core.admission.present = event
            return []
        actions = self._handle(event) + self._lock.pursue(event.at) + self._sharing.settle(event.at)
        self._core.admission.expect((*self._core.under_way, *self._core.passing))
        self._core.interlock.tell(self.name, occupies=not self._core.shut)
        return actions + self._signal(event.at)

    def _handle(self, event: Event) -> list[Action]:  # noqa: C901, PLR0911, PLR0912 (one arm for each event)
        match event:
            case Armed():
                return self._lock.armed()
            case Decided(decision=Grant() as grant):
                return self._entry.granted(event, grant)
            case Decided(decision=Deny() as deny):
                return self._entry.denied(event, deny)
            case Presented():
                return self._entry.presented(event)
            case Committed():
                return self._lock.committed(event) + self._sharing.committed(event)
            case RecordFailed():
                return self._lock.record_failed(event) + self._sharing.record_failed(event)
            case Energised():
                return self._lock.energised(event.at)
            case Released():
                return self._lock.released(event.at)
            case RelayFailed():
                return self._lock.failed(event.at, event.slug) + self._entry.clear(event.at, event.slug)
            case Sensed():
                return self._lock.sensed(event)
            case Scheduled():
                return [Alarm("time_untrusted")] if self._core.modes.schedule(event.open) else []
            case Commanded():
                return self._orders.given(event)
            case Tick():
                return self._lock.tick(event.at) + self._entry.tick(event.at) + self._core.inputs.tick(event)
            case _:
                return []

    def _signal(self, at: float) -> list[Action]:
        pattern = self._show(at)
        if pattern == self._pattern:
            return []
        self._pattern = pattern
        return [Signal(pattern)]

    def _show(self, at: float) -> Pattern:
        core = self._core
        if core.modes.fire:
            return "fire"
        if core.inputs.alarmed:
            return "alarm"
        if core.modes.lockdown and not core.modes.emergency:
            return "lockdown"
        if core.bolt.moving:
            return "granted"
        if at < core.refused_at + _SHOWN or core.admission.lock_out.holds(at):
            return "denied"
        return "wait" if core.admission.factors.any else "idle"
