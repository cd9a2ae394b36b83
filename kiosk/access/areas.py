"""Who is in which area, as far as the portals of the box have seen: anti-passback and occupancy. Pure; one thread.

Whoever leaves without being recognised – by the button inside, through a door held open – stays counted: a site that counts
needs a portal on the way out as well. The command `clear_area` starts an area anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from kiosk.domain import Slug

OUTSIDE = ""
"""Where everybody is of whom nothing else is known."""


class Passage(Struct, frozen=True):
    """From one area to another; `limit`: people in the second at most."""

    come_from: str
    go_to: str
    anti_passback: Literal["off", "soft", "hard", "timed"] = "off"
    seconds: float = 0.0
    limit: int | None = None


class Areas:
    """Shared by the portals of a box. Whoever is let through counts as expected until the door opened, or did not."""

    def __init__(self) -> None:
        self._inside: dict[str, tuple[str, float]] = {}
        self._expected: dict[str, tuple[str, frozenset[str]]] = {}

    def occupancy(self, area: str) -> int:
        """People in the area. Nobody counts those outside."""
        return sum(where == area for where, _ in self._inside.values()) if area else 0

    def inside(self) -> Mapping[str, str]:
        return {person: area for person, (area, _) in self._inside.items()}

    def refusal(self, portal: str, passage: Passage, people: Iterable[str], at: float, beside: Iterable[str] = ()) -> Slug | None:
        """Why they may not pass now: `passed_back` or `area_full`.

        Other portals' expected people count as arrived, and so do those who pass `beside` them.
        """
        people = set(people)
        if passage.anti_passback in {"hard", "timed"} and any(self.passed_back(portal, passage, one, at) for one in people):
            return "passed_back"
        if passage.limit is None:
            return None
        there = {person for person, (area, _) in self._inside.items() if area == passage.go_to}.union(beside)
        for other, (area, coming) in self._expected.items():
            if other != portal and area == passage.go_to:
                there |= coming
        return "area_full" if len(there | people) > passage.limit else None

    def passed_back(self, portal: str, passage: Passage, person: str, at: float) -> bool:
        """Whether the box believes the person to be where the portal leads, or somewhere it does not lead from.

        For `timed` only the first counts, and only for its seconds.
        """
        for other, (area, coming) in self._expected.items():
            if other != portal and area == passage.go_to and person in coming:
                return True
        where, since = self._inside.get(person, (OUTSIDE, at))
        if where == OUTSIDE:
            return False
        if passage.anti_passback == "timed":
            return where == passage.go_to and at < since + passage.seconds
        return where != passage.come_from

    def expect(self, portal: str, passage: Passage, people: Iterable[str]) -> None:
        """They were let through here and have not passed yet; nobody else was."""
        self._expected[portal] = passage.go_to, frozenset(people)

    def enter(self, person: str, area: str, at: float) -> None:
        """The person is in the area now; in no other."""
        if area == OUTSIDE:
            self._inside.pop(person, None)
        else:
            self._inside[person] = area, at

    def clear(self, area: str) -> None:
        """Everybody in it counts as outside."""
        self._inside = {person: place for person, place in self._inside.items() if place[0] != area}
