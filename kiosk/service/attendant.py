"""Follows each presentation before one camera from the first sight to the decision.

The eye's word is checked for form by its messages and believed only as far as a stranger's: it can
ask for recognition and say who is in view; it cannot grant anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from kiosk.access import alive
from kiosk.access.policy import Policy
from kiosk.access.portal import Decided, Present, Presented
from kiosk.domain import Began, Credential, Crowd, Ended, Inconclusive, Shot, Told
from kiosk.errors import JournalError
from kiosk.eye import messages
from kiosk.eye.supervisor import EyeSupervisor
from kiosk.recognition.build import Vote
from kiosk.recognition.strategy import Answer, Strategy
from kiosk.service.account import evidence, main_defect
from kiosk.service.claims import Claims
from kiosk.service.door import Door, Settled
from kiosk.service.facts import Moment, Surroundings
from kiosk.service.inquiry import Inquiry
from kiosk.service.sight import Sight
from kiosk.service.tally import Tally
from kiosk.service.visits import Visit, Visits
from kiosk.settings import PortalSettings


class Attendant:
    """One per camera and its portal. Event loop only; `hear` never blocks. `vote`: the cloud's on liveness, where it has one."""

    def __init__(
        self,
        name: str,
        settings: PortalSettings,
        strategy: Strategy,
        policy: Callable[[], Policy],
        door: Door,
        tally: Tally,
        surroundings: Surroundings,
        vote: Vote | None = None,
    ) -> None:
        """`policy`: gives the present one; each decision is made by one of them."""
        self._settings = settings
        self._inquiry = Inquiry(settings, strategy, vote, tally)
        self._policy = policy
        self._door = door
        self._tally = tally
        self._surroundings = surroundings
        self._claims = Claims(settings.claim_within, claiming=settings.strategy == "claim+compare")
        self._tasks: asyncio.TaskGroup | None = None
        self._visits = Visits(name, settings.camera, tally)
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
            case Began():
                self._visits.begin(message)
            case Told(presentation=presentation, slug=slug):
                self._visits.tell(presentation, slug)
            case Shot():
                self._on_shot(message)
            case Crowd():
                self._on_crowd(message)
            case Ended():
                self._on_ended(message)
            case _:
                pass

    def presented(self, credential: Credential) -> None:
        """A card, code or PIN: whom it claims is compared with, else it is the door's to judge."""
        if not self._claims.take(credential):
            self._door.post(Presented(credential.at, credential))
            return
        for visit in self._visits:
            if visit.waits_for and visit.shot is not None:
                self._resume(visit, visit.shot)

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
        for visit in self._visits:
            visit.gone = True
            self._visits.finish(visit, reason)

    def _on_shot(self, shot: Shot) -> None:
        visit = self._visits.open_for(shot)
        if visit is None:
            return
        if self._claims.claiming and not self._claims.claimed(time.monotonic()) and not self._inquiry.refusal(shot):
            visit.waits_for = "credential_wanted"
            self._visits.tell(visit.presentation, visit.waits_for)
            return
        self._ask(visit, shot)

    def _on_crowd(self, crowd: Crowd) -> None:
        visits = [visit for shot in crowd.shots if (visit := self._visits.open_for(shot))]
        if len(visits) == len(crowd.shots) and self._inquiry.is_of_all(crowd):
            for visit in visits:
                visit.asked = True
            self._spawn(self._tell_apart(crowd))
            return
        for shot in crowd.shots:
            self._on_shot(shot)

    def _resume(self, visit: Visit, shot: Shot) -> None:
        """What was waited for has come; a shot that has become too old for a verdict is taken again."""
        visit.waits_for = ""
        if self._inquiry.is_fresh(shot, time.monotonic()):
            self._ask(visit, shot)
        elif self._eye is not None:
            self._eye.tell(messages.Outcome(visit.presentation, "unasked"))

    def _ask(self, visit: Visit, shot: Shot) -> None:
        now = time.monotonic()
        visit.asked, visit.credential = True, self._claims.newest(now)
        self._spawn(self._recognise(visit, shot, self._claims.claimed(now)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            work.close()
            raise RuntimeError("run() holds the recognitions; it is not running")
        self._tasks.create_task(work)

    async def _recognise(self, visit: Visit, shot: Shot, claimed: str) -> None:
        self._decide(visit, shot, *await self._inquiry.about(shot, claimed))

    async def _tell_apart(self, crowd: Crowd) -> None:
        answers = await self._inquiry.about_all(crowd)
        for shot in crowd.shots:
            visit = self._visits.get(shot.probe.presentation)
            if visit is not None:
                self._decide(visit, shot, answers[shot.probe.presentation])

    def _decide(self, visit: Visit, shot: Shot, answer: Answer, vote: float | Inconclusive | None = None) -> None:
        visit.answer = answer
        now, policy = time.monotonic(), self._policy()
        moment = Moment(self._door.facts(), self._faces, self._claims.newest(now) or visit.credential)
        facts = self._surroundings.facts(answer.verdict, shot, moment)
        decision = policy.decide(facts, self._inquiry.expiry(shot))
        self._door.post(Decided(now, visit.presentation, decision), evidence(answer, shot, policy, facts, vote), shot.usable_at)

    def _on_settled(self, settled: Settled) -> None:
        visit = self._visits.get(settled.presentation)
        if visit is None:
            return
        visit.settled = settled
        if visit.granted:
            self._claims.spend()
        visit.told = settled.reason
        self._tally.told(visit.presentation, settled.reason)
        if self._eye is not None:
            self._eye.tell(messages.Outcome(visit.presentation, settled.result))
        if visit.granted or visit.gone:
            self._visits.finish(visit, settled.reason)

    def _on_ended(self, ended: Ended) -> None:
        visit = self._visits.get(ended.presentation)
        if visit is None:
            return
        visit.gone = True
        if visit.settled is not None:
            self._visits.finish(visit, visit.settled.reason)
        elif not visit.asked:
            self._spawn(self._record_glimpse(visit, ended))

    async def _record_glimpse(self, visit: Visit, ended: Ended) -> None:
        """Somebody came and went without a picture worth asking about: that is a refusal too, with its reason."""
        reason = (objection := alive.objection(ended.liveness)) or visit.waits_for or main_defect(ended.defects)
        why = {"liveness": msgspec.structs.asdict(ended.liveness)} if objection else {}
        await self._write("denied", visit.presentation, {"reason": reason, "frames": ended.frames, **why})
        self._visits.finish(visit, reason, grade=ended.best.grade if ended.best else 0)

    def _record_sight(self, kind: str, body: Mapping[str, object]) -> None:
        self._spawn(self._write(kind, None, body))

    async def _write(self, kind: str, presentation: int | None, body: Mapping[str, object]) -> None:
        try:
            await self._door.record(kind, presentation, body)
        except JournalError as error:
            self._tally.error(error)
