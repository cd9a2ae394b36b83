"""Commands from outside, each with its row. Pure; one thread."""

from __future__ import annotations

from kiosk.access.bolt import Cause
from kiosk.access.core import Core
from kiosk.access.entry import Entry
from kiosk.access.events import RELAY, Action, Answer, Commanded, Record
from kiosk.access.lock import Lock
from kiosk.domain import Slug

DONE = "command_done"


class Orders:
    """What is allowed is recorded, and answered where it is done at once; what moves the lock is answered when it has moved."""

    def __init__(self, core: Core, entry: Entry, lock: Lock) -> None:
        self._core = core
        self._entry = entry
        self._lock = lock

    def given(self, event: Commanded) -> list[Action]:
        body: dict[str, object] = {"command": event.command, "by": event.by}
        if slug := self._refusal(event):
            return [
                Record("command_refused", None, {**body, "reason": slug}),
                *([Answer(event.number, slug)] if event.number else []),
            ]
        if event.command == "unlock_once":
            return [self._unlock_once(event, body)]
        actions = [Record("commanded", None, body), *self._obey(event)]
        if event.command in {"release", "hold_open"}:
            self._lock.answer_when_held(event.number)
        elif event.number:
            actions.append(Answer(event.number, DONE))
        return actions

    def _refusal(self, event: Commanded) -> Slug | None:
        core = self._core
        if event.command == "close":
            return "portal_released" if core.modes.released else None
        if event.command not in {"unlock_once", "hold_open"}:
            return None
        holds = event.command == "hold_open" and core.bolt.state == "hold"
        return core.shut_to_all or (None if holds else core.busy())

    def _obey(self, event: Commanded) -> list[Action]:
        modes = self._core.modes
        match event.command:
            case "lockdown":
                modes.lock_down()
                return self._shut(event.at, "lockdown")
            case "end_lockdown":
                modes.lockdown = False
            case "release":
                modes.emergency = True
            case "end_release":
                modes.emergency = False
            case "hold_open":
                modes.held = (RELAY,)
            case "close":
                modes.close()
                return self._shut(event.at, "portal_closed")
            case "clear_area":
                self._core.admission.areas.clear(self._core.settings.area_to)
            case "unlock_once":
                raise AssertionError("has its own row")
        return []

    def _unlock_once(self, event: Commanded, body: dict[str, object]) -> Record:
        core = self._core
        seconds = min(core.settings.exit_seconds, core.settings.max_unlock)
        core.pending = cause = Cause(core.ticket(), event.at, seconds, reason="unlock_once", number=event.number)
        return Record("commanded", None, {**body, "seconds": seconds}, cause.ticket)

    def _shut(self, at: float, slug: Slug) -> list[Action]:
        """Ends what is on its way in, and a pulse that runs."""
        core = self._core
        actions = self._entry.clear(at, slug)
        if core.pending and not core.pending.egress:
            cause, core.pending = core.pending, None
            actions += core.give_up(at, cause, slug)
        actions += core.leave_out(at, slug)
        if core.bolt.state == "pulse" and not core.modes.released:
            actions.append(core.bolt.let_go(at))
        return actions
