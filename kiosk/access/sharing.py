"""People who come together: whoever is granted while an opening for somebody else is under way joins it. Pure; one thread.

Each has a row of their own, which must be on disk before they are told. The lock does not move for it: the pulse is the first
one's, and ends when it would have ended anyway. Whoever comes too late for it is refused as by a busy relay and may ask again:
a row that speaks of one opening never begins another.
"""

from __future__ import annotations

from kiosk.access.admission import Opening
from kiosk.access.bolt import Cause
from kiosk.access.core import Core
from kiosk.access.events import Action, Alarm, Committed, Decided, Record, RecordFailed
from kiosk.access.lock import ENOUGH, Lock
from kiosk.domain import Grant, Slug


class Sharing:
    """`host`: the opening that was joined last; `people`: who joined it, or is about to."""

    def __init__(self, core: Core, lock: Lock) -> None:
        self._core = core
        self._lock = lock
        self._host: Cause | None = None
        self._people: set[str] = set()
        self._on_disk: set[int] = set()

    def join(self, event: Decided, grant: Grant) -> list[Action] | None:
        """Asks for the row of somebody who may join; None where there is nothing to join."""
        core, opening = self._core, Opening(event.presentation, grant, event.evidence, grant.expires_at)
        host = core.pending or core.bolt.cause
        if host is None or not self._open_to(event.at, opening, host):
            return None
        if slug := core.admission.no_room(event.at, opening, (*core.under_way, *core.passing)):
            return core.refuse(event.at, event.presentation, slug, grant.rule, dict(event.evidence))
        if host is not self._host:
            self._host, self._people = host, set()
        self._people.add(grant.person)
        core.admission.factors.use_up(grant.person)
        cause = Cause(core.ticket(), event.at, 0.0, opening.outputs, opening)
        core.joining[cause.ticket] = cause
        body = core.grounds(event.at, opening) | {"shared": host.presentation}
        return [Record("granted", event.presentation, body, cause.ticket)]

    def _open_to(self, at: float, opening: Opening, host: Cause) -> bool:
        """Whether it may be joined.

        Only where people are looked for together, and only what is plain on both sides: a pulse on the same outputs for a
        grant of somebody else, where nobody has to show anything more and no two are needed. An interlock parts people, so
        its portals let in one after the other.
        """
        core = self._core
        if core.settings.strategy != "crowd" or core.settings.interlock or core.admission.factors.any:
            return False
        if host.opening is None or set(host.outputs) != set(opening.outputs):
            return False
        if any(grant.require or grant.hold != "none" for _, grant, _ in (*host.opening.parties, *opening.parties)):
            return False
        known = {*host.opening.people, *(self._people if host is self._host else ())}
        return opening.grant.person not in known and self._lasts(at, host)

    def committed(self, event: Committed) -> list[Action]:
        """Noted; `settle` does the rest."""
        self._on_disk.add(event.ticket)
        return []

    def record_failed(self, event: RecordFailed) -> list[Action]:
        cause = self._core.joining.pop(event.ticket, None)
        if cause is None:
            return []
        self._forget(cause)
        return [*self._core.give_up(event.at, cause, event.slug, recorded=False), Alarm(event.slug)]

    def settle(self, at: float) -> list[Action]:
        """After each event: lets in whose row is on disk once the lock has moved, and refuses who cannot join any more."""
        core, actions = self._core, list[Action]()
        self._on_disk &= core.joining.keys()
        for ticket, cause in list(core.joining.items()):
            assert cause.opening is not None
            slug = self._obstacle(at, cause.opening)
            if slug:
                del core.joining[ticket]
                self._forget(cause)
                actions += core.give_up(at, cause, slug)
            elif ticket in self._on_disk and core.bolt.cause is self._host and core.bolt.ordered is None:
                del core.joining[ticket]
                core.admission.used(cause.opening)
                actions += self._lock.let_in(at, cause.opening)
        return actions

    def _obstacle(self, at: float, opening: Opening) -> Slug | None:
        slug = self._core.closed(at) or self._core.admission.too_late(at, opening)
        return slug or (None if self._host and self._lasts(at, self._host) else "relay_busy")

    def _lasts(self, at: float, host: Cause) -> bool:
        """Whether this opening is there, and long enough to come through: a second of it, or half of what is shorter.

        Once the door has opened nobody knows whom it lets through.
        """
        core = self._core
        if not core.inputs.doorway.shut:
            return False
        if core.pending is host:
            return True
        return core.bolt.cause is host and core.bolt.until >= at + min(ENOUGH, host.seconds / 2)

    def _forget(self, cause: Cause) -> None:
        """Whoever did not join may come again."""
        if cause.opening:
            self._people.difference_update(cause.opening.people)
