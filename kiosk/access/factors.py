"""What a grant waits for: a PIN, a card or a code of the same person, or a second person. Pure; one thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from kiosk.domain import Credential, Factor, Grant, PresentationId, Slug

ASKS: tuple[tuple[Factor, Slug], ...] = (
    ("pin", "enter_pin"),
    ("card", "show_card"),
    ("qr", "show_code"),
    ("second_person", "second_person_needed"),
)
"""What the person is asked for, in this order."""


class Wait(Struct, frozen=True):
    """A grant that was good when it came, at `at`, and what it still lacks."""

    at: float
    presentation: PresentationId
    grant: Grant
    evidence: Mapping[str, object]
    missing: frozenset[Factor]

    @property
    def lacks_only_company(self) -> bool:
        return self.missing <= {"second_person"}

    @property
    def asks(self) -> Slug:
        return next((slug for factor, slug in ASKS if factor in self.missing), "granted")


class Factors:
    """Credentials and grants count for `within` seconds; a credential serves one opening."""

    def __init__(self, within: float) -> None:
        self._within = within
        self._shown: dict[str, list[Credential]] = {}
        self._waits: dict[PresentationId, Wait] = {}

    def waits(self, presentation: PresentationId) -> bool:
        return presentation in self._waits

    @property
    def any(self) -> bool:
        return bool(self._waits)

    @property
    def unfinished(self) -> list[Wait]:
        return [wait for wait in self._waits.values() if wait.missing]

    def shown(self, at: float, credential: Credential) -> Slug | None:
        """Notes a credential. What is wrong with it: nobody's, or not theirs whose grant waits for its kind."""
        if not credential.person:
            return "credential_rejected"
        waiting = [wait for wait in self._waits.values() if credential.kind in wait.missing]
        if waiting and all(wait.grant.person != credential.person for wait in waiting):
            return "credential_of_another"
        fresh = self._fresh(at, credential.person)
        self._shown[credential.person] = [*(one for one in fresh if one.kind != credential.kind), credential]
        for wait in waiting:
            if wait.grant.person == credential.person:
                self._waits[wait.presentation] = _with(wait, [credential])
        return None

    def hold(self, at: float, presentation: PresentationId, grant: Grant, evidence: Mapping[str, object]) -> Wait:
        """The grant begins to wait; what was shown before counts."""
        wait = Wait(at, presentation, grant, evidence, frozenset(grant.require))
        self._waits[presentation] = wait = _with(wait, self._fresh(at, grant.person))
        return wait

    def company(self, at: float, wait: Wait) -> Wait | None:
        """Another person whose own grant waits for nothing but company."""
        for other in self._waits.values():
            alike = other.presentation == wait.presentation or other.grant.person == wait.grant.person
            if not alike and other.lacks_only_company and at <= other.at + self._within:
                return other
        return None

    def ready(self, at: float) -> list[tuple[Wait, Wait | None]]:
        """The newest wait that lacks nothing any more, and its company where it needed some."""
        for wait in reversed(self._waits.values()):
            if not wait.missing:
                return [(wait, self.company(at, wait))]
            if wait.lacks_only_company and (other := self.company(at, wait)):
                return [(wait, other)]
        return []

    def drop(self, presentations: Iterable[PresentationId]) -> None:
        """They wait no longer, and what their people showed is used up."""
        for presentation in presentations:
            if wait := self._waits.pop(presentation, None):
                self.use_up(wait.grant.person)

    def use_up(self, person: str) -> None:
        """What they showed has served its opening."""
        self._shown.pop(person, None)

    def expired(self, at: float) -> list[Wait]:
        """Takes out what has waited too long, and credentials nobody asked for."""
        late = [wait for wait in self._waits.values() if at > wait.at + self._within]
        for wait in late:
            del self._waits[wait.presentation]
        self._shown = {person: fresh for person in self._shown if (fresh := self._fresh(at, person))}
        return late

    def clear(self) -> list[Wait]:
        """Takes out all that waits."""
        gone = list(self._waits.values())
        self._waits.clear()
        return gone

    def _fresh(self, at: float, person: str) -> list[Credential]:
        return [one for one in self._shown.get(person, ()) if abs(at - one.at) <= self._within]


def _with(wait: Wait, credentials: Iterable[Credential]) -> Wait:
    missing, grant, duress = wait.missing, wait.grant, wait.grant.duress
    for credential in credentials:
        missing = frozenset(factor for factor in missing if factor != credential.kind)
        duress = duress or credential.duress
    if duress and not grant.duress:
        grant = msgspec.structs.replace(grant, duress=True)
    return Wait(wait.at, wait.presentation, grant, wait.evidence, missing)
