"""The door itself, as its position switch tells: closed, open, open too long, forced. Pure; one thread."""

from __future__ import annotations

from typing import Literal

from kiosk.access.events import Action, Alarm, Record

AFTER_LOCKING = 0.5
"""Seconds after the lock's return to its safe state in which a door that opens was still being pushed, and is not forced."""


class Doorway:
    """`present`: whether there is a switch. Until it has said something, and while its line is lost, the door may be open."""

    def __init__(self, *, present: bool, open_too_long_after: float) -> None:
        self._present = present
        self._after = open_too_long_after
        self._position: Literal["unknown", "closed", "open"] = "unknown"
        self._since = 0.0
        self.alarmed = False

    @property
    def has_contact(self) -> bool:
        return self._present

    @property
    def shut(self) -> bool:
        """As far as anyone knows: without a switch nobody does, and the lock alone counts."""
        return not self._present or self._position == "closed"

    @property
    def timed(self) -> bool:
        return self._position == "open" and not self.alarmed

    def sensed(self, at: float, closed: bool | None, *, may_open: bool) -> list[Action]:
        """`may_open`: whether something lets people through just now."""
        before, self._position = self._position, _POSITIONS[closed]
        if self._position == before:
            return []
        if self._position == "open":
            self._since = at
            # What stood open when the switch first spoke was not forced now.
            self.alarmed = before == "closed" and not may_open
            return [Record("opened", None, {}), *([Alarm("door_forced")] if self.alarmed else [])]
        self.alarmed = False
        if before != "open":
            return []
        return [Record("closed", None, {"seconds": round(at - self._since, 1)})]

    def tick(self, at: float, *, may_stay: bool) -> list[Action]:
        """`may_stay`: whether the portal is held open; the time begins anew afterwards."""
        if may_stay:
            self._since = at
        if not self.timed or at < self._since + self._after:
            return []
        self.alarmed = True
        return [Alarm("door_open_too_long")]


_POSITIONS: dict[bool | None, Literal["unknown", "closed", "open"]] = {True: "closed", False: "open", None: "unknown"}
