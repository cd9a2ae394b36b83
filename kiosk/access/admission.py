"""From a decision to an opening that may begin: who still has to come, and why not now. Pure; one thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from kiosk.access.areas import Areas, Passage
from kiosk.access.events import RELAY, Present
from kiosk.access.factors import Factors, Wait
from kiosk.access.lock_out import FAILURES, LockOut
from kiosk.domain import Grant, PresentationId, Slug
from kiosk.settings import PortalSettings
from kiosk.settings.portal import SIGNALS

_REMEMBERED = 1000
"""Granted presentations kept, so that none is granted twice; far more than can be in view."""


class Opening(Struct, frozen=True):
    """One grant, or two, that may open the portal once. `deadline`: monotonic seconds by which the row must be on disk."""

    presentation: PresentationId
    grant: Grant
    evidence: Mapping[str, object]
    deadline: float
    company: Wait | None = None

    @property
    def people(self) -> tuple[str, ...]:
        return (self.grant.person, self.company.grant.person) if self.company else (self.grant.person,)

    @property
    def presentations(self) -> tuple[PresentationId, ...]:
        return (self.presentation, self.company.presentation) if self.company else (self.presentation,)

    @property
    def parties(self) -> list[tuple[PresentationId, Grant, Mapping[str, object]]]:
        mine = (self.presentation, self.grant, self.evidence)
        return [mine, (self.company.presentation, self.company.grant, self.company.evidence)] if self.company else [mine]

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.grant.unlock or (RELAY,)


class Admission:
    """Holds what one portal remembers of the people before it."""

    def __init__(self, name: str, settings: PortalSettings, areas: Areas) -> None:
        self._name = name
        self._settings = settings
        self.areas = areas
        self.passage = Passage(
            settings.area_from,
            settings.area_to,
            settings.anti_passback,
            settings.anti_passback_seconds,
            settings.occupancy_limit,
        )
        self.present = Present(float("-inf"), ())
        self.factors = Factors(settings.claim_within)
        self.lock_out = LockOut(settings.lock_out_after, settings.lock_out_seconds)
        self._granted: dict[PresentationId, None] = {}

    def refusal(self, at: float, presentation: PresentationId, grant: Grant) -> Slug | None:
        """Why this grant is worth nothing here and now, whatever the lock is doing."""
        if presentation in self._granted:
            return "already_granted"
        if not set(grant.unlock) <= {RELAY, *self._settings.outputs}.difference(SIGNALS):
            return "output_unknown"
        # Both times rest on the eye's word. One from the future, or no number at all, proves nothing.
        if not at <= grant.expires_at <= at + self._settings.verdict_ttl:
            return "verdict_expired"
        return self.absence(at, presentation)

    def absence(self, at: float, presentation: PresentationId) -> Slug | None:
        seen = abs(at - self.present.at) <= self._settings.presence_within
        return None if seen and presentation in self.present.presentations else "person_left"

    def opening(self, at: float, wait: Wait, company: Wait | None) -> Opening:
        """What has just waited is as good as a verdict of this moment; what never did is good for as long as it said."""
        deadline = wait.grant.expires_at if wait.at == at else at + self._settings.verdict_ttl
        return Opening(wait.presentation, wait.grant, wait.evidence, deadline, company)

    def too_late(self, at: float, opening: Opening) -> Slug | None:
        if not at <= opening.deadline:
            return "verdict_expired"
        return self.absence(at, opening.presentation)

    def no_room(self, at: float, opening: Opening, beside: Iterable[Opening] = ()) -> Slug | None:
        """`beside`: whom else the lock lets through with them."""
        if RELAY not in opening.outputs:
            return None
        return self.areas.refusal(self._name, self.passage, opening.people, at, _through(beside))

    def passed_back(self, at: float, opening: Opening) -> bool:
        """Of soft anti-passback: they may, and it is said."""
        if self.passage.anti_passback != "soft":
            return False
        return any(self.areas.passed_back(self._name, self.passage, person, at) for person in opening.people)

    @property
    def counts(self) -> bool:
        return bool(self.passage.come_from or self.passage.go_to)

    def expect(self, openings: Iterable[Opening]) -> None:
        """These, and no others, are let through or about to be, and have not passed yet."""
        if self.counts:
            self.areas.expect(self._name, self.passage, _through(openings))

    def pass_through(self, at: float, opening: Opening) -> None:
        for person in opening.people:
            self.areas.enter(person, self.passage.go_to, at)

    def used(self, opening: Opening) -> None:
        """These presentations have had their grant."""
        for presentation in opening.presentations:
            self._granted[presentation] = None
            if len(self._granted) > _REMEMBERED:
                del self._granted[next(iter(self._granted))]

    def failed(self, at: float, reason: Slug, who: object) -> bool:
        """Whether this refusal begins a lock-out."""
        return reason in FAILURES and self.lock_out.failed(at, who)


def _through(openings: Iterable[Opening]) -> list[str]:
    """Who comes through the door itself."""
    return [person for opening in openings if RELAY in opening.outputs for person in opening.people]
