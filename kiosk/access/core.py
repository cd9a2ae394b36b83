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
    """`pending`: what waits for its row; `joining`: by their tickets, grants that wait to share the opening that is under way;
    `passing`: who was let through and has not opened the door yet.
    """

    def __init__(self, name: str, settings: PortalSettings, interlock: Interlock, areas: Areas) -> None:
        self.name = name
        self.settings = settings
        self.interlock = interlock
        self.admission = Admission(name, settings, areas)
        self.modes = Modes(first_person_in=settings.first_person_in)
        self.bolt = Bolt()
        self.inputs = Inputs(settings, self.modes, self.bolt)
        self.pending: Cause | None = None
        self.joining: dict[int, Cause] = {}
        self.passing: list[Opening] = []
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
        waits = self.admission.factors.waits(presentation)
        return waits or any(presentation in opening.presentations for opening in self.under_way)

    @property
    def under_way(self) -> list[Opening]:
        """Grants that wait for their row or for the relay's word."""
        causes = (self.pending, self.bolt.ordered, *self.joining.values())
        return [cause.opening for cause in causes if cause and cause.opening]

    def grounds(self, at: float, opening: Opening) -> dict[str, object]:
        """What the row of a grant says, however it opens."""
        grant = opening.grant
        body: dict[str, object] = {**opening.evidence, "person": grant.person, "rule": grant.rule}
        if grant.hold != "none":
            body["hold"] = grant.hold
        if grant.unlock:
            body["outputs"] = list(grant.unlock)
        if opening.company:
            body["with"] = opening.company.grant.person
        if grant.duress or (opening.company and opening.company.grant.duress):
            body["duress"] = True
        if self.admission.passed_back(at, opening):
            body["passed_back"] = True
        return body

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
        for one, grant, evidence in cause.opening.parties:
            if recorded:
                actions += self.refuse(at, one, slug, grant.rule, dict(evidence))
            else:
                self.refused_at = at
                actions.append(Prompt(one, slug, grant.rule))
        return actions

    def leave_out(self, at: float, slug: Slug) -> list[Action]:
        """Nobody joins the opening any more."""
        causes = list(self.joining.values())
        self.joining.clear()
        return [action for cause in causes for action in self.give_up(at, cause, slug)]


def effects(decision: Grant | Deny, slug: Slug, person: str = "") -> list[Action]:
    """What the rule asked for besides, but for its prompt."""
    actions: list[Action] = []
    if decision.alarm:
        actions.append(Alarm(decision.alarm))
    if decision.notify:
        actions.append(Notify(decision.notify, slug, person))
    return actions
