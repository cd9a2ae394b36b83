"""The books that are kept of portals: who is in view, what is on disk, what each relay does, who is where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from kiosk.access import portal as door
from kiosk.access.portal import RELAY
from kiosk.domain import Credential, Grant
from kiosk.settings import PortalSettings

TTL, PRESENCE, WITHIN, LONGEST, EXIT = 1.5, 0.6, 15.0, 5.0, 4.0
FAILURES, LOCKED_OUT = 4, 30.0
COMMON: dict[str, Any] = {
    "presence_within": PRESENCE,
    "verdict_ttl": TTL,
    "claim_within": WITHIN,
    "max_unlock": LONGEST,
    "exit_seconds": EXIT,
    "lock_out_after": FAILURES,
    "lock_out_seconds": LOCKED_OUT,
    "interlock": "trap",
    "fire": "sim:fire",
}
FITTED: dict[str, Any] = {"contact": "sim:contact", "request_to_exit": "sim:button", "tamper": "sim:case"}
CROWD: dict[str, Any] = COMMON | {"interlock": "", "strategy": "crowd"}
SETTINGS = {
    "outer": PortalSettings(**COMMON, **FITTED, area_to="hall", open_during="day", first_person_in=True, strategy="crowd"),
    "inner": PortalSettings(
        **COMMON, **FITTED, area_from="hall", area_to="vault", anti_passback="hard", occupancy_limit=2, relock_on_open=False
    ),
    "plain": PortalSettings(
        **COMMON, request_to_exit="sim:button", outputs={"locker": "sim:locker"}, area_from="vault", open_during="day"
    ),
    "wide": PortalSettings(
        **CROWD, **FITTED, outputs={"locker": "sim:locker"}, area_to="hall", occupancy_limit=2, relock_on_open=False
    ),
    "gate": PortalSettings(
        **CROWD, request_to_exit="sim:button", area_to="yard", anti_passback="hard", occupancy_limit=3, open_during="day"
    ),
}
INTERLOCKED = tuple(name for name, its in SETTINGS.items() if its.interlock)
STEP = 0.25
"""Seconds between the ticks that a portal is given while it wants them."""

LATEST = 1.0
"""Seconds after its cause within which an alarm must have come."""

PATIENCE = 0.5
"""Seconds for which the way out waits for its row, and a portal for the word of a relay whose pulse is over."""

COMMAND_WITHIN = 5.0
CONFIRM_WITHIN = 3.0
AGAIN_AFTER = 1.0
RELEASING = {"fire", "emergency"}
COUNTED = {"not_recognised", "credential_rejected", "credential_of_another"}
"""Of the refusals in these tests, those that a stranger causes."""

Relay = Literal["good", "slow", "deaf", "mute", "busy"]
"""`slow` to confirm; `deaf`: moves and never says so; `mute`: never says that it let go; `busy`: refuses."""


@dataclass
class Given:
    """A grant that somebody was given; its rule has a name of its own, by which rows tell of it."""

    at: float
    presentation: int
    grant: Grant


@dataclass
class Row:
    """One that is waited for. `moved`: whether the lock has moved on it."""

    record: door.Record
    at: float
    state: Literal["waiting", "committed", "failed"] = "waiting"
    moved: bool = False


@dataclass
class Books:
    """What is true of one portal. `until`: when its pulse ends, infinite where it is held."""

    settings: PortalSettings
    seen: tuple[float, tuple[int, ...]] = (float("-inf"), ())
    stays: bool = False
    given: dict[str, Given] = field(default_factory=dict)
    unanswered: set[int] = field(default_factory=set)
    opened: set[int] = field(default_factory=set)
    shown: list[Credential] = field(default_factory=list)
    failures: dict[object, float] = field(default_factory=dict)
    locked_out_until: float = float("-inf")
    rows: dict[int, Row] = field(default_factory=dict)
    disk: tuple[float, bool] = (0.02, False)
    commands: dict[int, str] = field(default_factory=dict)
    obeyed: set[int] = field(default_factory=set)
    emergency: bool = False
    lockdown: bool = False
    held: set[str] = field(default_factory=set)
    scheduled: bool | None = False
    closed_early: bool = False
    somebody_came: bool = False
    armed: bool = False
    relay: Relay = "good"
    energised: set[str] = field(default_factory=set)
    until: float = float("-inf")
    owed: float = float("-inf")
    ordered: float = float("-inf")
    lets_through_until: float = float("-inf")
    released_since: float = float("-inf")
    flapped: float = float("-inf")
    unconfirmed: bool = False
    spent: dict[str, int] = field(default_factory=dict)
    word_after: float = 0.02
    inputs: dict[str, bool | None] = field(default_factory=dict)
    asked_out: float = float("-inf")
    leaving_until: float = float("-inf")
    open_since: float | None = None
    told_of_open: bool = True
    passing: list[str] = field(default_factory=list)
    coming: list[tuple[float, door.Event]] = field(default_factory=list)

    @property
    def fire(self) -> bool:
        return not self.inputs.get("fire", True)

    @property
    def released(self) -> bool:
        return self.fire or self.emergency

    @property
    def by_schedule(self) -> bool:
        came = self.somebody_came or not self.settings.first_person_in
        return bool(self.scheduled) and came and not self.closed_early and not self.lockdown

    @property
    def causes(self) -> dict[str, set[str]]:
        """Why the portal may be held now, and which outputs."""
        held = set() if self.lockdown else self.held
        every = {RELAY, *held} | self.energised
        found = {"fire": every if self.fire else set(), "emergency": every if self.emergency else set()}
        found |= {"command": held | ({RELAY} if held and self.by_schedule else set())}
        return found | {"schedule": {RELAY} if self.by_schedule else set()}

    @property
    def counts(self) -> bool:
        return bool(self.settings.area_from or self.settings.area_to)

    @property
    def asking(self) -> bool:
        """Whether a grant waits for its row."""
        waiting = [row for row in self.rows.values() if row.state == "waiting" and not row.moved]
        return any(row.record.presentation in self.unanswered for row in waiting)

    def host_of(self, row: Row) -> Row:
        """Whose opening this one shares."""
        alone = [one for one in self.rows.values() if one.record.kind == "granted" and "shared" not in one.record.body]
        return next(one for one in reversed(alone) if one.record.presentation == row.record.body["shared"])

    def expected(self) -> set[str]:
        """Who was let through and has not passed, or is about to be."""
        newest = {row.record.presentation: row for row in self.rows.values() if row.record.kind == "granted"}
        rows = [row for presentation, row in newest.items() if presentation in self.unanswered and row.state != "failed"]
        grants = [self.given[str(row.record.body["rule"])].grant for row in rows]
        return {*self.passing, *(grant.person for grant in grants if RELAY in (grant.unlock or (RELAY,)))}

    @property
    def shut(self) -> bool:
        closed = not self.settings.contact or self.inputs.get("contact") is True
        return self.armed and not self.energised and closed

    @property
    def mode(self) -> str:
        if self.released:
            return "fire" if self.fire else "emergency"
        return "lockdown" if self.lockdown else "held_open" if self.held or self.by_schedule else "normal"
