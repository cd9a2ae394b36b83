"""What the parts of one portal share, and the questions all of them ask. Pure; one thread."""

from __future__ import annotations

from kiosk.access.admission import Admission, Opening
from kiosk.access.areas import Areas
from kiosk.access.bolt import Bolt, Cause
from kiosk.access.events import Action, Alarm, Answer, Notify, Prompt, Record
from kiosk.access.inputs import Inputs
from kiosk.access.interlock import Interlock
from kiosk.access.modes import Modes
from kiosk.domain import Deny, Grant, PresentationId, Slug
from kiosk.settings import PortalSettings


class Core:
    """`pending`: what waits for its row; `passing`: who was let through and has not opened the door yet."""

    def __init__(self, name: str, settings: PortalSettings, interlock: Interlock, areas: Areas) -> None:
        self.name = name
        self.settings = settings
        self.interlock = interlock
        self.admission = Admission(name, settings, areas)
        self.modes = Modes(first_person_in=settings.first_person_in)
        self.bolt = Bolt()
        self.inputs = Inputs(settings, self.modes, self.bolt)
        self.pending: Cause | None = None
        self.passing: Opening | None = None
        self.refused_at = float("-inf")
        self._tickets = 0

    def ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    @property
    def shut(self) -> bool:
        """Whether the interlock's other portals may open."""
        return self.bolt.state == "safe" and self.pending is None and self.inputs.doorway.shut

    @property
    def interlocked(self) -> bool:
        return not self.interlock.free_for(self.name)

    @property
    def shut_to_all(self) -> Slug | None:
        """Why not even a command opens it now."""
        if self.bolt.state == "disarmed":
            return "portal_closed"
        if self.modes.released:
            return "portal_released"
        return "lockdown" if self.modes.lockdown else None

    def closed(self, at: float) -> Slug | None:
        """Why nobody is let in now, whoever it is."""
        if slug := self.shut_to_all:
            return slug
        if self.inputs.tampered:
            return "tampered"
        return "locked_out" if self.admission.lock_out.holds(at) else None

    def busy(self, grant: Grant | None = None) -> Slug | None:
        """Why the lock cannot move for this one now."""
        if self.pending or self.bolt.state == "pulse" or self.bolt.ordered:
            return "relay_busy"
        if self.bolt.state == "hold":
            return None if grant and grant.hold == "toggle" else "portal_open"
        return "interlocked" if self.interlocked else None

    def in_hand(self, presentation: PresentationId) -> bool:
        """Whether a grant of this presentation is on its way to the lock."""
        opening = next((cause.opening for cause in (self.pending, self.bolt.ordered) if cause and cause.opening), None)
        return self.admission.factors.waits(presentation) or bool(opening and presentation in opening.presentations)

    def refuse(self, at: float, presentation: PresentationId, slug: Slug, rule: str, body: dict[str, object]) -> list[Action]:
        """A grant that opens nothing. What is on its way already is not ended by a second one of the same presentation."""
        self.refused_at = at
        record = Record("withheld", presentation, {**body, "reason": slug, "rule": rule})
        return [record] if self.in_hand(presentation) else [record, Prompt(presentation, slug, rule)]

    def give_up(self, at: float, cause: Cause, slug: Slug, *, recorded: bool = True) -> list[Action]:
        """The lock does not move for it after all. `recorded`: whether the journal can be told."""
        actions: list[Action] = []
        if cause.number:
            actions.append(Answer(cause.number, slug))
        if cause.opening is None:
            if cause.reason in {"unlock_once", "exit"} and recorded:
                actions.append(Record("withheld", None, {"reason": slug, "cause": cause.reason}))
            return actions
        self.admission.forget()
        opening = cause.opening
        for one, grant, evidence in opening.parties:
            if recorded:
                actions += self.refuse(at, one, slug, grant.rule, dict(evidence))
            else:
                self.refused_at = at
                actions.append(Prompt(one, slug, grant.rule))
        return actions


def effects(decision: Grant | Deny, slug: Slug, person: str = "") -> list[Action]:
    """What the rule asked for besides, but for its prompt."""
    actions: list[Action] = []
    if decision.alarm:
        actions.append(Alarm(decision.alarm))
    if decision.notify:
        actions.append(Notify(decision.notify, slug, person))
    return actions
