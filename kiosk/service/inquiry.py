"""Who is asked about a shot, and for how long: the cloud for its vote on liveness, where that is wanted, then the recognisers."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeVar

from kiosk.access import alive
from kiosk.domain import AttackPresentation, Crowd, Inconclusive, Shot
from kiosk.recognition.build import Vote
from kiosk.recognition.strategy import Answer, Strategy
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings

T = TypeVar("T")

FRESH = 0.5
"""Of verdict_ttl that must be left of a shot which has waited for its claim; else another one is taken."""


class Heard(NamedTuple):
    """`vote`: the cloud's word on liveness; None where it was not asked."""

    answer: Answer
    vote: float | Inconclusive | None = None


class Inquiry:
    """One portal's. Event loop only. `vote`: the cloud's on liveness, where it has one."""

    def __init__(self, settings: PortalSettings, strategy: Strategy, vote: Vote | None, tally: Tally) -> None:
        self._settings = settings
        self._strategy = strategy
        self._vote = vote
        self._tally = tally

    def expiry(self, shot: Shot) -> float:
        """Monotonic seconds from which on no verdict about it counts."""
        return shot.probe.captured_at + self._settings.verdict_ttl

    def is_fresh(self, shot: Shot, now: float) -> bool:
        """Whether enough is left of it to ask; `now`: monotonic seconds."""
        return self.expiry(shot) - FRESH * self._settings.verdict_ttl > now

    def refusal(self, shot: Shot) -> AttackPresentation | Inconclusive | None:
        """Why nobody would be asked, as far as is known before the vote."""
        return None if self._wants_vote(shot) else alive.refusal(self._settings.liveness, shot.liveness)

    def is_of_all(self, crowd: Crowd) -> bool:
        """Whether they are asked about in one go: only where everybody may be, for the picture shows them all."""
        return self._settings.strategy == "crowd" and all(
            not self._wants_vote(shot) and not self.refusal(shot) for shot in crowd.shots
        )

    async def about(self, shot: Shot, claimed: str) -> Heard:
        """`claimed`: whom to compare with, empty where nobody is."""
        vote = await self._voted(shot, claimed)
        refused = alive.refusal(self._settings.liveness, shot.liveness, vote)
        if refused:
            return Heard(Answer(refused), vote)
        if claimed:
            answer = await self._timed(lambda until: self._strategy.verify(shot.probe, claimed, until), shot)
        else:
            answer = await self._timed(lambda until: self._strategy.answer(shot.probe, until), shot)
        self._count(answer)
        return Heard(answer, vote)

    async def about_all(self, crowd: Crowd) -> Mapping[int, Answer]:
        """By presentation."""
        answers = await self._timed(lambda until: self._strategy.answers(crowd, until), *crowd.shots)
        for shot in crowd.shots:
            self._count(answers[shot.probe.presentation])
        return answers

    async def _voted(self, shot: Shot, claimed: str) -> float | Inconclusive | None:
        vote = self._vote
        if vote is None or not self._wants_vote(shot):
            return None
        return await self._timed(lambda until: vote(shot.probe, claimed, until), shot)

    def _wants_vote(self, shot: Shot) -> bool:
        return self._vote is not None and alive.wants_vote(self._settings.liveness, shot.liveness)

    async def _timed(self, ask: Callable[[float], Awaitable[T]], *shots: Shot) -> T:
        now = time.monotonic()
        self._tally.heartbeat.pending("recognition", now)
        try:
            return await ask(min(now + self._strategy.seconds, *(self.expiry(shot) for shot in shots)))
        finally:
            self._tally.heartbeat.completed("recognition")

    def _count(self, answer: Answer) -> None:
        for opinion in answer.opinions:
            self._tally.opinion(opinion)
