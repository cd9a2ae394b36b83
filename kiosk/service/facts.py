"""Puts together what rules may ask: the verdict, the portal, the hour, and what the box knows of the person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kiosk.access.facts import Facts, LocalTime, PortalFacts, Subject
from kiosk.domain import Credential, Match, Shot, Verdict


class Timepiece(Protocol):
    def now(self) -> tuple[float, bool]:
        """Unix seconds, and whether they are to be believed."""


class Almanac(Protocol):
    def at(self, moment: float, *, trusted: bool) -> LocalTime:
        """What the site's calendar says of a moment in Unix seconds."""


class Register(Protocol):
    def subject(self, person: str, groups: Sequence[str], today: str | None, /) -> Subject:
        """A person as the box knows them; `today` as `2026-12-24`, None while nobody knows."""


class Moment(NamedTuple):
    """`faces`: in view; `credential`: the newest one still good."""

    portal: PortalFacts
    faces: int
    credential: Credential | None


class Surroundings(NamedTuple):
    """What facts need besides the face. Event loop only."""

    site: str
    clock: Timepiece
    calendar: Almanac
    people: Register

    def facts(self, verdict: Verdict, shot: Shot, moment: Moment) -> Facts:
        now, trusted = self.clock.now()
        hour = self.calendar.at(now, trusted=trusted)
        match = verdict if isinstance(verdict, Match) else None
        today = hour.date if trusted else None
        return Facts(
            portal=moment.portal,
            verdict=verdict,
            subject=self.people.subject(match.person, match.groups, today) if match else Subject(),
            quality=shot.probe.quality,
            faces=moment.faces,
            attempt=shot.attempt,
            time=hour,
            liveness=shot.liveness,
            masked=shot.probe.masked,
            credential=moment.credential,
            site=self.site,
        )
