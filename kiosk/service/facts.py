"""Puts together what rules may ask: the verdict, the portal, the hour, and what the box knows of the person."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
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


class PlainClock:
    """The system's, which nobody vouches for."""

    def now(self) -> tuple[float, bool]:
        return time.time(), False


class PlainCalendar:
    """Without schedules and holidays, in the system's time zone."""

    def at(self, moment: float, *, trusted: bool) -> LocalTime:
        local = datetime.fromtimestamp(moment).astimezone()
        return LocalTime(local.weekday(), local.hour * 60 + local.minute, trusted, f"{local:%Y-%m-%d}")


class Strangers:
    """Of people about whom nothing is set up."""

    def subject(self, person: str, groups: Sequence[str], today: str | None) -> Subject:  # noqa: ARG002 (nobody has dates)
        return Subject(person, tuple(groups))


class Moment(NamedTuple):
    """`faces`: in view; `credential`: the newest one still good."""

    portal: PortalFacts
    faces: int
    credential: Credential | None


class Surroundings(NamedTuple):
    """What facts need besides the face. Event loop only."""

    site: str = ""
    clock: Timepiece = PlainClock()
    calendar: Almanac = PlainCalendar()
    people: Register = Strangers()

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
