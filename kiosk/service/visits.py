"""The people before one camera, one visit for each presentation: what is known of each, until it is told and over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from kiosk.domain import Began, Credential, Shot
from kiosk.recognition.strategy import Answer
from kiosk.service.account import summary
from kiosk.service.door import Settled
from kiosk.service.tally import Tally


@dataclass(slots=True)
class Visit:
    """What is known of one presentation so far.

    `asked`: recognisers were, about its last shot; `credential`: the newest one good at that time; `waits_for`: the slug of
    what must come first.
    """

    presentation: int
    began_at: float
    told: str = "looking"
    shot: Shot | None = None
    shot_at: float = 0.0
    answer: Answer | None = None
    settled: Settled | None = None
    asked: bool = False
    credential: Credential | None = None
    waits_for: str = ""
    gone: bool = False
    published: bool = False

    @property
    def granted(self) -> bool:
        return self.settled is not None and self.settled.outcome == "granted"


class Visits:
    """Event loop only."""

    def __init__(self, portal: str, camera: str, tally: Tally) -> None:
        self._portal = portal
        self._camera = camera
        self._tally = tally
        self._visits: dict[int, Visit] = {}

    def __iter__(self) -> Iterator[Visit]:
        """Those of now: they may be finished meanwhile."""
        return iter(list(self._visits.values()))

    def begin(self, began: Began) -> None:
        self._visits[began.presentation] = Visit(began.presentation, began.at)
        self._tally.presentation_began(self._camera, began.presentation, began.at)

    def get(self, presentation: int) -> Visit | None:
        return self._visits.get(presentation)

    def open_for(self, shot: Shot) -> Visit | None:
        """The visit that the shot is of, where it may still lead to anything."""
        visit = self.get(shot.probe.presentation)
        if visit is None or visit.granted:
            return None
        visit.shot, visit.shot_at = shot, time.monotonic()
        return visit

    def tell(self, presentation: int, slug: str) -> None:
        """What the person is told now."""
        visit = self.get(presentation)
        if visit is not None:
            visit.told = slug
            self._tally.told(presentation, slug)

    def finish(self, visit: Visit, reason: str, grade: int | None = None) -> None:
        """Tells observers, once; forgotten when the person is gone as well."""
        if not visit.published:
            visit.published = True
            self._tally.presentation_finished(self._portal, summary(visit, reason, grade))
        if visit.gone:
            self._visits.pop(visit.presentation, None)
