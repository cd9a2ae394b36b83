"""Follows each presentation before one camera from the first sight to the decision.

The eye's word is checked for form by its messages and believed only as far as a stranger's: it can
ask for recognition and say who is in view; it cannot grant anything.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any

import msgspec
import structlog

from kiosk import slugs
from kiosk.access import alive
from kiosk.access.facts import Facts, LocalTime, PortalFacts, Subject
from kiosk.access.policy import Policy
from kiosk.access.portal import Decided, Present
from kiosk.domain import Began, Ended, Inconclusive, Match, NonMatch, Shot, Told
from kiosk.errors import JournalError
from kiosk.eye import messages
from kiosk.eye.supervisor import EyeSupervisor
from kiosk.recognition.build import Vote
from kiosk.recognition.strategy import Answer, Opinion, Strategy
from kiosk.service.door import Door, Settled
from kiosk.service.rulebook import Rulebook
from kiosk.service.sight import Sight
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings

_log = structlog.get_logger()


@dataclasses.dataclass(slots=True)
class Visit:
    """What is known of one presentation so far."""

    presentation: int
    began_at: float
    told: str = "looking"
    shot: Shot | None = None
    shot_at: float = 0.0
    answer: Answer | None = None
    settled: Settled | None = None
    gone: bool = False
    published: bool = False


class Attendant:
    """One per camera and its portal. Event loop only; `hear` never blocks. `vote`: the cloud's on liveness, where it has one."""

    def __init__(
        self,
        name: str,
        settings: PortalSettings,
        strategy: Strategy,
        rulebook: Rulebook,
        door: Door,
        tally: Tally,
        vote: Vote | None = None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._strategy = strategy
        self._rulebook = rulebook
        self._door = door
        self._tally = tally
        self._vote = vote
        self._tasks: asyncio.TaskGroup | None = None
        self._visits: dict[int, Visit] = {}
        self._faces = 0
        self._eye: EyeSupervisor | None = None
        self._sight = Sight(settings.camera, tally, self._record_sight)
        door.settled = self._on_settled

    def watch(self, eye: EyeSupervisor) -> None:
        """The eye whose presentations these are; it hears how each probe fared."""
        self._eye = eye

    async def run(self) -> None:
        """Holds the recognitions in flight; cancelled, it cancels them."""
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.Event().wait()

    def hear(self, message: messages.FromEye) -> None:
        match message:
            case messages.Examined(at=at, present=present, faces=faces, unsound=unsound):
                self._faces = faces
                self._door.post(Present(at, present))
                if self._sight.look(at, unsound):
                    self._nobody_is_seen(at, unsound or "")
            case Began(presentation=presentation, at=at):
                self._visits[presentation] = Visit(presentation, at)
                self._tally.presentation_began(self._settings.camera, presentation, at)
            case Told(presentation=presentation, slug=slug):
                self._on_told(presentation, slug)
            case Shot():
                self._on_shot(message)
            case Ended():
                self._on_ended(message)
            case _:
                pass

    @property
    def unsound(self) -> str | None:
        """The slug of why the camera's pictures are refused now."""
        return self._sight.unsound

    def eye_lost(self, at: float) -> None:
        """Nobody is in view any more as far as anyone knows; every open presentation ends."""
        # Whatever was wrong with its pictures, the next eye will say again.
        self._sight.look(at, None)
        self._nobody_is_seen(at, "eye_lost")

    def _nobody_is_seen(self, at: float, reason: str) -> None:
        self._door.post(Present(at, ()))
        for visit in list(self._visits.values()):
            visit.gone = True
            self._finish(visit, reason)

    def _on_told(self, presentation: int, slug: str) -> None:
        visit = self._visits.get(presentation)
        if visit is not None and slug in slugs.TABLE:
            visit.told = slug
            self._tally.told(presentation, slug)

    def _on_shot(self, shot: Shot) -> None:
        visit = self._visits.get(shot.probe.presentation)
        if visit is None or (visit.settled is not None and visit.settled.outcome == "granted"):
            return
        visit.shot, visit.shot_at = shot, time.monotonic()
        self._spawn(self._recognise(visit, shot))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            work.close()
            raise RuntimeError("run() holds the recognitions; it is not running")
        self._tasks.create_task(work)

    async def _recognise(self, visit: Visit, shot: Shot) -> None:
        expires_at = shot.probe.captured_at + self._settings.verdict_ttl
        vote = await self._voted(shot, expires_at)
        refused = alive.refusal(self._settings.liveness, shot.liveness, vote)
        visit.answer = answer = Answer(refused) if refused else await self._answer(shot, expires_at)
        facts = Facts(
            portal=PortalFacts(self._name),
            verdict=answer.verdict,
            subject=Subject(answer.verdict.person if isinstance(answer.verdict, Match) else ""),
            liveness=shot.liveness,
            masked=shot.probe.masked,
            quality=shot.probe.quality,
            faces=self._faces,
            attempt=shot.attempt,
            time=_local_time(),
        )
        policy = self._rulebook.policy
        decision = policy.decide(facts, expires_at)
        evidence = _evidence(answer, shot, policy, vote)
        self._door.post(Decided(time.monotonic(), visit.presentation, decision), evidence, shot.usable_at)

    async def _voted(self, shot: Shot, deadline: float) -> float | Inconclusive | None:
        """The cloud's word on liveness; None where it is not asked."""
        if self._vote is None or not alive.wants_vote(self._settings.liveness, shot.liveness):
            return None
        self._tally.heartbeat.pending("recognition", time.monotonic())
        try:
            return await self._vote(shot.probe, deadline)
        finally:
            self._tally.heartbeat.completed("recognition")

    async def _answer(self, shot: Shot, expires_at: float) -> Answer:
        now = time.monotonic()
        self._tally.heartbeat.pending("recognition", now)
        try:
            answer = await self._strategy.answer(shot.probe, min(now + self._strategy.seconds, expires_at))
        finally:
            self._tally.heartbeat.completed("recognition")
        for opinion in answer.opinions:
            self._tally.opinion(opinion)
        return answer

    def _on_settled(self, settled: Settled) -> None:
        visit = self._visits.get(settled.presentation)
        if visit is None:
            return
        visit.settled = settled
        visit.told = settled.reason
        self._tally.told(visit.presentation, settled.reason)
        if self._eye is not None:
            self._eye.tell(messages.Outcome(visit.presentation, settled.result))
        if settled.outcome == "granted" or visit.gone:
            self._finish(visit, settled.reason)

    def _on_ended(self, ended: Ended) -> None:
        visit = self._visits.get(ended.presentation)
        if visit is None:
            return
        visit.gone = True
        if visit.settled is not None:
            self._finish(visit, visit.settled.reason)
        elif visit.shot is None:
            self._spawn(self._record_glimpse(visit, ended))

    async def _record_glimpse(self, visit: Visit, ended: Ended) -> None:
        """Somebody came and went without a picture worth asking about: that is a refusal too, with its reason."""
        reason = (objection := alive.objection(ended.liveness)) or _main_defect(ended.defects)
        why = {"liveness": msgspec.structs.asdict(ended.liveness)} if objection else {}
        await self._write("denied", visit.presentation, {"reason": reason, "frames": ended.frames, **why})
        self._finish(visit, reason, grade=ended.best.grade if ended.best else 0)

    def _record_sight(self, kind: str, body: Mapping[str, object]) -> None:
        self._spawn(self._write(kind, None, body))

    async def _write(self, kind: str, presentation: int | None, body: Mapping[str, object]) -> None:
        try:
            await self._door.record(kind, presentation, body)
        except JournalError as error:
            self._tally.error(error)

    def _finish(self, visit: Visit, reason: str, grade: int | None = None) -> None:
        if not visit.published:
            visit.published = True
            self._tally.presentation_finished(self._name, _summary(visit, reason, grade))
        if visit.gone:
            self._visits.pop(visit.presentation, None)


def _main_defect(defects: Mapping[str, int]) -> str:
    """What was wrong most of the time; where that ties, what helps most to mend."""
    known = [slug for slug in slugs.ADVICE if slug in defects]
    return max(known, key=lambda slug: defects[slug], default="person_left")


def _summary(visit: Visit, reason: str, grade: int | None) -> dict[str, object]:
    settled, shot, answer = visit.settled, visit.shot, visit.answer
    verdict = answer.verdict if answer else None
    granted = settled is not None and settled.outcome == "granted"
    return {
        "presentation": visit.presentation,
        "began_at": visit.began_at,
        "outcome": "granted" if granted else "denied",
        "reason": reason,
        "person": verdict.person if isinstance(verdict, Match) else None,
        "grade": shot.probe.quality.grade if shot else grade,
        "masked": shot.probe.masked if shot else None,
        "liveness": shot.liveness.state if shot else None,
        "told": visit.told,
        "verdict": type(verdict).__struct_config__.tag if verdict else None,
        "engine": verdict.engine if verdict else None,
        "score": round(verdict.score, 2) if isinstance(verdict, Match | NonMatch) else None,
        "opinions": _several(answer) if answer else None,
        "rule": settled.rule if settled else None,
        "attempts": shot.attempt if shot else 0,
        "face_to_probe_ms": round(1000 * (visit.shot_at - shot.usable_at), 1) if shot else None,
        "face_to_relay_ms": round(1000 * settled.face_to_relay, 1) if settled and settled.face_to_relay is not None else None,
    }


def _evidence(answer: Answer, shot: Shot, policy: Policy, vote: float | Inconclusive | None) -> dict[str, object]:
    """What the journal keeps of a decision: everything it rested on but the picture."""
    verdict = answer.verdict
    evidence: dict[str, object] = {
        "verdict": type(verdict).__struct_config__.tag,
        "engine": verdict.engine,
        "grade": shot.probe.quality.grade,
        "masked": shot.probe.masked,
        "attempt": shot.attempt,
        "policy": policy.sha256,
    }
    if shot.liveness.state != "unchecked":
        evidence["liveness"] = msgspec.structs.asdict(shot.liveness)
    if vote is not None:
        evidence["liveness_vote"] = vote.cause if isinstance(vote, Inconclusive) else round(vote, 2)
    if isinstance(verdict, Match | NonMatch):
        evidence["score"] = round(verdict.score, 2)
    if isinstance(verdict, Match):
        evidence["margin"] = round(verdict.margin, 2)
    if several := _several(answer):
        evidence["opinions"] = several
    return evidence


def _several(answer: Answer) -> list[dict[str, object]] | None:
    """What each engine said, where more than one was asked."""
    return [_told_by(opinion) for opinion in answer.opinions] if len(answer.opinions) > 1 else None


def _told_by(opinion: Opinion) -> dict[str, object]:
    verdict = opinion.verdict
    said: dict[str, object] = {"engine": opinion.engine, "verdict": type(verdict).__struct_config__.tag}
    if isinstance(verdict, Match | NonMatch):
        said["score"] = round(verdict.score, 2)
    if not isinstance(verdict, Match):
        said["cause"] = verdict.cause
    return said


def _local_time() -> LocalTime:
    now = datetime.now().astimezone()
    return LocalTime(weekday=now.weekday(), minute=now.hour * 60 + now.minute, trusted=False)
