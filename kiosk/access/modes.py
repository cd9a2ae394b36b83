"""What keeps a portal open or shut beyond one opening. Pure; one thread."""

from __future__ import annotations

from typing import Literal

from kiosk.access.events import RELAY
from kiosk.access.facts import Mode

Reason = Literal["fire", "emergency", "command", "schedule"]


class Modes:
    """Fire before emergency release before lockdown before held open."""

    def __init__(self, *, first_person_in: bool) -> None:
        self.fire = False
        self.emergency = False
        self.lockdown = False
        self.held: tuple[str, ...] = ()
        """Outputs that a command or a rule holds."""
        self._first_person_in = first_person_in
        self._scheduled: bool | None = False
        self._somebody_came = False
        self._closed_early = False

    @property
    def mode(self) -> Mode:
        if self.fire:
            return "fire"
        if self.emergency:
            return "emergency"
        if self.lockdown:
            return "lockdown"
        return "held_open" if self.held or self._by_schedule else "normal"

    @property
    def released(self) -> bool:
        """Whether people's safety holds it open, whatever else is asked."""
        return self.fire or self.emergency

    @property
    def wanted(self) -> tuple[Reason, tuple[str, ...]] | None:
        """Why the portal should be held open now, and which outputs."""
        match self.mode:
            case "fire":
                return "fire", (RELAY,)
            case "emergency":
                return "emergency", (RELAY,)
            case "held_open":
                scheduled = (RELAY,) if self._by_schedule else ()
                return ("command" if self.held else "schedule"), tuple(dict.fromkeys((*self.held, *scheduled)))
            case _:
                return None

    @property
    def _by_schedule(self) -> bool:
        return bool(self._scheduled) and not self._closed_early and (self._somebody_came or not self._first_person_in)

    def schedule(self, is_open: bool | None) -> bool:
        """Whether the clock has just lost its trust. Each opening waits for its own first person."""
        lost = is_open is None and self._scheduled is not None
        if not is_open:
            self._somebody_came = self._closed_early = False
        self._scheduled = is_open
        return lost

    def somebody_came(self) -> None:
        """Somebody was let in."""
        self._somebody_came = bool(self._scheduled)

    def lock_down(self) -> None:
        """What was held by command or rule is not held again afterwards; a schedule is."""
        self.lockdown, self.held = True, ()

    def close(self) -> None:
        """Nobody holds it any more; a schedule will again when it opens the next time."""
        self.held, self._closed_early = (), bool(self._scheduled)
