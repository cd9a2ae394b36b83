"""One portal's state machine. Pure: events carry the time, actions are carried out by whoever holds the relay.

    Disarmed ──Armed──► Locked ──Decided(grant)──► Pending ──Committed──► Unlocked ──Released──► Locked

Nothing unlocks but a Committed for the presentation that is pending, and only while its grant is
fresh and its person is still in view. RelayFailed leads back to Disarmed from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from kiosk.domain import Credential, Decision, Grant, PresentationId, Slug
from kiosk.settings import PortalSettings

State = Literal["disarmed", "locked", "pending", "unlocked"]

RELEASE_GRACE = 0.5
"""Seconds past the pulse's end after which a relay that has not confirmed its release is an alarm."""

_REMEMBERED = 1000
"""Granted presentations kept, so that none is granted twice; far more than can be in view."""


class Armed(Struct, frozen=True):
    """The relay answers and is in its safe state."""

    at: float


class Present(Struct, frozen=True):
    """Who is in view, as of the frame captured at `at`."""

    at: float
    presentations: tuple[PresentationId, ...]


class Decided(Struct, frozen=True):
    at: float
    presentation: PresentationId
    decision: Decision


class Committed(Struct, frozen=True):
    """The row of the grant is on disk."""

    at: float
    presentation: PresentationId


class RecordFailed(Struct, frozen=True):
    """A row could not be written."""

    at: float
    presentation: PresentationId | None
    slug: Slug


class Energised(Struct, frozen=True):
    at: float


class Released(Struct, frozen=True):
    at: float


class RelayFailed(Struct, frozen=True):
    at: float
    slug: Slug


class Presented(Struct, frozen=True):
    """A second factor, or a credential that is nobody's."""

    at: float
    credential: Credential


class Tick(Struct, frozen=True):
    at: float


Event = Armed | Present | Decided | Committed | RecordFailed | Energised | Released | RelayFailed | Presented | Tick


class Record(Struct, frozen=True):
    """A journal row; one of kind `granted` is answered by Committed or RecordFailed."""

    kind: str
    presentation: PresentationId | None
    body: Mapping[str, object]


class Unlock(Struct, frozen=True):
    presentation: PresentationId
    seconds: float


class Release(Struct, frozen=True):
    """Back to the safe state now."""


class Prompt(Struct, frozen=True):
    """How the presentation's decision ended; also what the person is told."""

    presentation: PresentationId
    slug: Slug


class Alarm(Struct, frozen=True):
    slug: Slug


Action = Record | Unlock | Release | Prompt | Alarm


class Portal:
    """Feed events to `step` in the order they happened and carry out its actions in order. One thread."""

    def __init__(self, name: str, settings: PortalSettings) -> None:
        self.name = name
        self._settings = settings
        self._state: State = "disarmed"
        self._present = Present(float("-inf"), ())
        self._pending: tuple[PresentationId, Grant] | None = None
        self._until = 0.0
        self._granted: dict[PresentationId, None] = {}

    @property
    def state(self) -> State:
        return self._state

    def step(self, event: Event) -> list[Action]:  # noqa: C901, PLR0911 (one arm for each event)
        """The actions this event leads to."""
        match event:
            case Armed():
                return self._armed()
            case Present():
                self._present = event
                return []
            case Decided(decision=decision):
                if isinstance(decision, Grant):
                    return self._decided_grant(event.at, event.presentation, decision)
                return _refusal("denied", event.presentation, decision.reason, decision.rule)
            case Committed():
                return self._committed(event)
            case RecordFailed():
                return self._record_failed(event)
            case Energised() | Presented():
                return []
            case Released():
                return self._released()
            case RelayFailed():
                return self._relay_failed(event.slug)
            case Tick():
                return self._tick(event.at)

    def _armed(self) -> list[Action]:
        if self._state != "disarmed":
            return []
        self._state = "locked"
        return [Record("armed", None, {})]

    def _decided_grant(self, at: float, presentation: PresentationId, grant: Grant) -> list[Action]:
        slug = self._busy(presentation) or self._too_late(at, presentation, grant)
        if slug:
            return _refusal("withheld", presentation, slug, grant.rule)
        self._state, self._pending = "pending", (presentation, grant)
        return [Record("granted", presentation, {"person": grant.person, "rule": grant.rule, "seconds": self._seconds(grant)})]

    def _committed(self, event: Committed) -> list[Action]:
        if self._pending is None or self._pending[0] != event.presentation:
            return []
        presentation, grant = self._pending
        self._pending = None
        slug = self._too_late(event.at, presentation, grant)
        if slug:
            self._state = "locked"
            return _refusal("withheld", presentation, slug, grant.rule)
        self._state, self._until = "unlocked", event.at + self._seconds(grant)
        self._remember(presentation)
        return [Unlock(presentation, self._seconds(grant))]

    def _record_failed(self, event: RecordFailed) -> list[Action]:
        if self._pending is None or self._pending[0] != event.presentation:
            return [] if event.presentation is None else [Prompt(event.presentation, event.slug)]
        self._state, self._pending = "locked", None
        return [Prompt(event.presentation, event.slug), Alarm(event.slug)]

    def _released(self) -> list[Action]:
        if self._state != "unlocked":
            return []
        self._state = "locked"
        return [Record("locked", None, {})]

    def _relay_failed(self, slug: Slug) -> list[Action]:
        if self._state == "disarmed":
            return []
        refused = _refusal("withheld", self._pending[0], slug, self._pending[1].rule) if self._pending else []
        self._state, self._pending = "disarmed", None
        return [*refused, Alarm(slug), Record("disarmed", None, {"reason": slug})]

    def _tick(self, at: float) -> list[Action]:
        if self._state != "unlocked" or at <= self._until + RELEASE_GRACE:
            return []
        return [Release(), *self._relay_failed("relay_lost")]

    def _busy(self, presentation: PresentationId) -> Slug | None:
        if self._state == "disarmed":
            return "portal_closed"
        if presentation in self._granted:
            return "already_granted"
        return None if self._state == "locked" else "relay_busy"

    def _too_late(self, at: float, presentation: PresentationId, grant: Grant) -> Slug | None:
        # Both times rest on the eye's word. One from the future, or no number at all, proves nothing.
        if not at <= grant.expires_at <= at + self._settings.verdict_ttl:
            return "verdict_expired"
        seen = abs(at - self._present.at) <= self._settings.presence_within
        return None if seen and presentation in self._present.presentations else "person_left"

    def _seconds(self, grant: Grant) -> float:
        return min(grant.unlock_seconds, self._settings.max_unlock)

    def _remember(self, presentation: PresentationId) -> None:
        self._granted[presentation] = None
        if len(self._granted) > _REMEMBERED:
            del self._granted[next(iter(self._granted))]


def _refusal(kind: str, presentation: PresentationId, reason: Slug, rule: str) -> list[Action]:
    return [Record(kind, presentation, {"reason": reason, "rule": rule}), Prompt(presentation, reason)]
