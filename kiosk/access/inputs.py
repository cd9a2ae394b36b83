"""What the contacts and buttons of a portal say, and what follows at once. Pure; one thread."""

from __future__ import annotations

from kiosk.access.bolt import Bolt
from kiosk.access.doorway import Doorway
from kiosk.access.events import Action, Alarm, Part, Record, Sensed, Tick
from kiosk.access.modes import Modes
from kiosk.settings import PortalSettings


class Inputs:
    """A line that is lost is an alarm, and counts as what is worse: the case open, the fire alarm on, the door not shut."""

    def __init__(self, settings: PortalSettings, modes: Modes, bolt: Bolt) -> None:
        self._settings = settings
        self._modes = modes
        self._bolt = bolt
        self._lost: set[Part] = set()
        self._leaving = float("-inf")
        self._button = False
        self.doorway = Doorway(present=bool(settings.contact), open_too_long_after=settings.held_open_after)
        self.tampered = False
        self.exit_asked = float("-inf")
        """When somebody inside last asked for the lock to move, and it has not yet."""

    @property
    def alarmed(self) -> bool:
        return self.tampered or self.doorway.alarmed

    def sensed(self, event: Sensed) -> list[Action]:
        lost = self._watch(event.part, lost=event.active is None)
        match event.part:
            case "contact":
                return [*lost, *self.doorway.sensed(event.at, event.active, may_open=self._may_open(event.at))]
            case "request_to_exit":
                return [*lost, *self._exit(event.at, pressed=bool(event.active))]
            case "tamper":
                return [*lost, *self._tamper(is_open=not event.active)]
            case "fire":
                return [*lost, *self._fire(on=not event.active)]

    def tick(self, event: Tick) -> list[Action]:
        return self.doorway.tick(event.at, may_stay=self._bolt.state == "hold")

    def _may_open(self, at: float) -> bool:
        leaving = self._button or at <= self._leaving + self._settings.exit_seconds
        return leaving or self._bolt.lets_through(at)

    def _watch(self, part: Part, *, lost: bool) -> list[Action]:
        if lost and part not in self._lost:
            self._lost.add(part)
            return [Alarm("input_lost"), Record("input_lost", None, {"part": part})]
        if not lost and part in self._lost:
            self._lost.remove(part)
            return [Record("input_back", None, {"part": part})]
        return []

    def _exit(self, at: float, *, pressed: bool) -> list[Action]:
        # The way out is masked from the press on until a while after the release: sensors see people come.
        if pressed or self._button:
            self._leaving = at
        if pressed and not self._button and self._settings.request_to_exit_unlocks:
            self.exit_asked = at
        self._button = pressed
        return []

    def _tamper(self, *, is_open: bool) -> list[Action]:
        if is_open == self.tampered:
            return []
        self.tampered = is_open
        return [Alarm("tampered")] if is_open else [Record("tamper_ended", None, {})]

    def _fire(self, *, on: bool) -> list[Action]:
        if on == self._modes.fire:
            return []
        self._modes.fire = on
        return [Alarm("fire_release")] if on else [Record("fire_ended", None, {})]
