"""The lock and its relay: what was ordered, what was confirmed, what waits for its row. Pure; one thread."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from kiosk.access.admission import Opening
from kiosk.access.doorway import AFTER_LOCKING
from kiosk.access.events import RELAY, Action, Hold, Release, Unlock
from kiosk.access.modes import Reason

RELEASE_GRACE = 0.5
"""Seconds past the pulse's end after which a relay that has not confirmed its release is an alarm."""

CONFIRM_WITHIN = 3.0
"""Seconds in which a relay has to confirm that it is energised."""


class Cause(Struct, frozen=True):
    """Why the lock is to move, from the row that says so (`ticket`) to the relay's word.

    `seconds` of a pulse; 0 to hold. `number` of the command to be answered.
    """

    ticket: int
    since: float
    seconds: float
    outputs: tuple[str, ...] = (RELAY,)
    opening: Opening | None = None
    reason: Reason | Literal["exit", "unlock_once", ""] = ""
    number: int = 0

    @property
    def egress(self) -> bool:
        """People inside get out, whether or not it can be recorded."""
        return self.reason in {"fire", "emergency", "exit"}

    @property
    def presentation(self) -> int | None:
        return self.opening.presentation if self.opening else None


class Bolt:
    """`moved`: the outputs that are energised, as far as anyone knows."""

    def __init__(self) -> None:
        self.state: Literal["disarmed", "safe", "pulse", "hold"] = "disarmed"
        self.moved: frozenset[str] = frozenset()
        self.until = 0.0
        self._energised_at = float("-inf")
        self._released_at = float("-inf")
        self._ordered_at = float("-inf")
        self.ordered: Cause | None = None
        """Given to the relay and not confirmed yet."""
        self.cause: Cause | None = None
        """Why it moves, from the order to the release."""

    @property
    def moving(self) -> bool:
        return self.state in {"pulse", "hold"}

    def order(self, at: float, cause: Cause) -> Action:
        self.ordered, self._ordered_at, self.moved = cause, at, self.moved.union(cause.outputs)
        self.cause = cause
        outputs = () if cause.outputs == (RELAY,) else cause.outputs
        if not cause.seconds:
            self.state = "hold"
            return Hold(outputs)
        self.state, self.until = "pulse", at + cause.seconds
        return Unlock(cause.presentation, cause.seconds, outputs)

    def energised(self, at: float) -> Cause | None:
        """What has thereby happened."""
        if self.ordered is None or not self.moving:
            return None
        cause, self.ordered = self.ordered, None
        self._energised_at = at
        if self.state == "pulse":
            self.until = at + cause.seconds
        return cause

    def let_go(self, at: float) -> Action:
        """Stays `pulse` until the relay confirms it."""
        self.until = min(self.until, at) if self.state == "pulse" else at
        self.state = "pulse"
        return Release()

    def released(self, at: float) -> bool:
        """False for a confirmation that is older than the last order, or that nobody waits for."""
        stale = at < self._energised_at or (self.ordered is not None and at < self._ordered_at)
        if not self.moving or stale:
            return False
        self._to("safe", at)
        return True

    def failed(self, at: float) -> Cause | None:
        """Nobody knows the lock's state any more. What was ordered and never confirmed."""
        cause = self.ordered
        self._to("disarmed", at)
        return cause

    def _to(self, state: Literal["safe", "disarmed"], at: float) -> None:
        if RELAY in self.moved:
            self._released_at = at
        self.state, self.moved, self.ordered, self.cause = state, frozenset(), None, None

    def overdue(self, at: float) -> bool:
        """Whether the relay owes a word."""
        if self.ordered and at > self._ordered_at + CONFIRM_WITHIN:
            return True
        return self.state == "pulse" and at > self.until + RELEASE_GRACE

    def lets_through(self, at: float) -> bool:
        """Whether a door that opens now was opened by the lock."""
        return RELAY in self.moved or at <= self._released_at + AFTER_LOCKING

    def just_locked(self, at: float) -> bool:
        return not self.moving and at <= self._released_at + AFTER_LOCKING
