"""Which engines are asked about a probe, in which order, for how long – and what their answers come to."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from kiosk.domain import Crowd, Inconclusive, Match, PresentationId, Probe, Verdict
from kiosk.errors import ClockRejected, RecogniserError, Throttled, Transient, Unauthorised
from kiosk.ports import Clock, Recogniser
from kiosk.recognition.judging import agree, confirm

DEVICE = "on-device"
"""The engine that sends nothing anywhere."""
DEVICE_SHARE = 0.2
"""Seconds kept for an engine on the device that may be asked yet: a search takes hundredths of that."""
Kind = Literal["identify", "identify+confirm", "claim+compare", "crowd"]
Asked = Literal["identify", "verify", "identify_many"]
"""What an engine was asked: one to many, one to one, or many at once."""
_BY_A_STRANGER = frozenset({"answer_makes_no_sense", "answer_too_large"})


@dataclass(frozen=True, slots=True)
class Engine:
    """`seconds`: what one answer may take at most; `cloud`: whether the probe leaves the device for it; `masks`: whether it
    compares masked faces one to one.
    """

    recogniser: Recogniser
    seconds: float
    cloud: bool
    masks: bool = True

    @property
    def name(self) -> str:
        return self.recogniser.name


class Plan(NamedTuple):
    """`fallback` is asked while `first` is out of reach, `second` about every match of whichever of them answered.

    `comparer`: who compares one to one; None: whoever searched.
    """

    first: Engine
    fallback: Engine | None = None
    second: Engine | None = None
    comparer: Engine | None = None

    @property
    def engines(self) -> tuple[Engine, ...]:
        return _distinct(self)

    @property
    def searchers(self) -> tuple[Engine, ...]:
        """Who is asked one to many, in order, until one is in reach."""
        return _distinct((self.first, self.fallback))

    def comparers(self, probe: Probe, answered: Engine | None = None) -> tuple[Engine, ...]:
        """Who is asked one to one, in order, until one is in reach. `answered`: who has searched for the same probe.

        About a masked face only those who compare such, unless there is none.
        """
        order = _distinct((self.comparer or answered or self.first, self.fallback))
        return tuple(engine for engine in order if engine.masks or not probe.masked) or order

    def at_home(self) -> Plan | None:
        """What is left of the plan for a probe that may not leave the device: its engine there, alone; None without one.

        Alone even where a second opinion is asked for otherwise. Consent that costs the entrance is not free, so who refuses
        the cloud must get a real answer, and the engine on the device gives one: by its own threshold, at the false match
        rate it was given for matches of its own. Where that is too little, a rule can ask for two opinions, since
        `verdict.engine` then names one engine only.
        """
        own = next((engine for engine in self.engines if not engine.cloud), None)
        return Plan(own) if own else None


class Opinion(NamedTuple):
    """What one engine said, and after how many `seconds`; `error` where it said nothing."""

    engine: str
    verdict: Verdict
    seconds: float
    error: RecogniserError | None = None
    asked: Asked = "identify"


class Answer(NamedTuple):
    """`opinions`: of every engine that was asked, in order; the verdict is what they come to."""

    verdict: Verdict
    opinions: tuple[Opinion, ...] = ()


def out_of_reach(error: RecogniserError | None) -> bool:
    """Whether the fallback is asked: the engine answers nobody now, whoever stands before the camera.

    So for Transient (no connection, its own fault, no answer in time), Throttled, Unauthorised (an unpaid bill or a revoked
    key must not shut a door that has a fallback; the alarm is raised all the same), ClockRejected, and answers that are not
    the engine's: a captive portal or a proxy stands between. Whoever could forge those could cut the line as well.

    Not so where the picture is at fault (ProbeRejected: asking on until somebody likes it would make the weakest engine
    decide) or the request (ContractViolation: it would be hidden), and never for a verdict.
    """
    if isinstance(error, Transient | Throttled | Unauthorised | ClockRejected):
        return True
    return error is not None and error.slug in _BY_A_STRANGER


def turn_ends(now: float, deadline: float, engine: Engine, later: Sequence[Engine]) -> float:
    """When `engine` must have answered, so that each of `later` still has its share until the one deadline.

    Engines of the cloud share evenly what those on the device leave. Times are monotonic seconds.
    """
    left = deadline - now - DEVICE_SHARE * sum(not other.cloud for other in later)
    share = left / (1 + sum(other.cloud for other in later)) if engine.cloud else left
    return now + min(max(share, 0.0), engine.seconds)


class Strategy:
    """One portal's way to a verdict. Event loop only; owns no engine.

    `may_leave` says of a probe, and of the person a credential claims it to be (else empty), whether the cloud may see it; it is
    asked once for each probe, and only where an engine of the cloud could be. It may raise RecogniserError: then nothing
    leaves, and nobody is let in.
    """

    def __init__(
        self, plan: Plan, may_leave: Callable[[Probe, str], bool], clock: Clock = time.monotonic, *, kind: Kind = "identify"
    ) -> None:
        self._plan = plan
        self._may_leave = may_leave
        self._clock = clock
        self._confirms = kind == "identify+confirm"

    @property
    def seconds(self) -> float:
        """What an answer may take at most."""
        return max(engine.seconds for engine in self._plan.engines)

    async def answer(self, probe: Probe, deadline: float) -> Answer:
        """1:N, and where the portal confirms, 1:1 with whoever was found. Ends before `deadline` (monotonic seconds).

        An engine's error becomes Inconclusive, and stands in its opinion. Raises nothing of the error tree.
        """
        plan = self._permitted(probe)
        return await self._identified(plan, probe, deadline) if isinstance(plan, Plan) else plan

    async def verify(self, probe: Probe, person: str, deadline: float) -> Answer:
        """1:1 with the person that a credential claims. Otherwise as `answer`."""
        plan = self._permitted(probe, person)
        if not isinstance(plan, Plan):
            return plan
        opinions = await self._compared(plan.comparers(probe), probe, person, deadline, _some(plan.second))
        verdict = opinions[-1].verdict
        if plan.second and isinstance(verdict, Match):
            opinions += await self._compared((plan.second,), probe, person, deadline)
            verdict = agree(verdict, opinions[-1].verdict)
        return Answer(verdict, tuple(opinions))

    async def answers(self, crowd: Crowd, deadline: float) -> Mapping[PresentationId, Answer]:
        """1:N for each of several in one go. Where one of them may not be shown to the cloud, the picture of all is not: then
        each is asked about alone. Otherwise as `answer`.
        """
        plans = [self._permitted(shot.probe) for shot in crowd.shots]
        if all(plan is self._plan for plan in plans):
            return await self._told_apart(crowd, deadline)
        answers = {}
        for shot, plan in zip(crowd.shots, plans, strict=True):
            alone = await self._identified(plan, shot.probe, deadline) if isinstance(plan, Plan) else plan
            answers[shot.probe.presentation] = alone
        return answers

    def _permitted(self, probe: Probe, claimed: str = "") -> Plan | Answer:
        """The plan, what is left of it for a face that may not leave, or why nobody can be asked."""
        if not any(engine.cloud for engine in self._plan.engines):
            return self._plan
        try:
            if self._may_leave(probe, claimed):
                return self._plan
        except RecogniserError as error:
            unclear = Inconclusive(error.slug, DEVICE)
            return Answer(unclear, (Opinion(DEVICE, unclear, 0.0, error),))
        return self._plan.at_home() or Answer(Inconclusive("consent_missing", self._plan.first.name))

    async def _identified(self, plan: Plan, probe: Probe, deadline: float) -> Answer:
        to_confirm = plan.comparers(probe)[:1] if self._confirms else ()
        opinions: list[Opinion] = []
        for number, engine in enumerate(plan.searchers):
            later = (*plan.searchers[number + 1 :], *_some(plan.second), *to_confirm)
            opinions.append(await self._ask(engine, _search(probe), deadline, later))
            if not out_of_reach(opinions[-1].error):
                break
        answered, verdict = plan.searchers[len(opinions) - 1], opinions[-1].verdict
        if plan.second and isinstance(verdict, Match):
            opinions.append(await self._ask(plan.second, _search(probe), deadline, to_confirm))
            verdict = agree(verdict, opinions[-1].verdict)
        if self._confirms and isinstance(verdict, Match):
            opinions += await self._compared(plan.comparers(probe, answered), probe, verdict.person, deadline)
            verdict = confirm(verdict, opinions[-1].verdict)
        return Answer(verdict, tuple(opinions))

    async def _compared(
        self, engines: Sequence[Engine], probe: Probe, person: str, deadline: float, later: Sequence[Engine] = ()
    ) -> list[Opinion]:
        opinions: list[Opinion] = []
        for number, engine in enumerate(engines):
            still = (*engines[number + 1 :], *later)
            opinion = await self._ask(engine, lambda who, until: who.verify(probe, person, until), deadline, still)
            opinions.append(opinion._replace(asked="verify"))
            if not out_of_reach(opinion.error):
                break
        return opinions

    async def _told_apart(self, crowd: Crowd, deadline: float) -> dict[PresentationId, Answer]:
        plan, said = self._plan, []
        for number, engine in enumerate(plan.searchers):
            later = (*plan.searchers[number + 1 :], *_some(plan.second))
            said.append(await self._ask_many(engine, crowd, deadline, later))
            if not any(out_of_reach(opinion.error) for opinion in said[-1].values()):
                break
        verdicts = {number: opinion.verdict for number, opinion in said[-1].items()}
        if plan.second and any(isinstance(verdict, Match) for verdict in verdicts.values()):
            seconds = await self._ask_many(plan.second, crowd, deadline, ())
            matches = {number: verdict for number, verdict in verdicts.items() if isinstance(verdict, Match)}
            verdicts |= {number: agree(first, seconds[number].verdict) for number, first in matches.items()}
            said.append({number: seconds[number] for number in matches})
        return {
            number: Answer(verdict, tuple(opinions[number] for opinions in said if number in opinions))
            for number, verdict in verdicts.items()
        }

    async def _ask(
        self,
        engine: Engine,
        question: Callable[[Recogniser, float], Awaitable[Verdict]],
        deadline: float,
        later: Sequence[Engine],
    ) -> Opinion:
        begun = self._clock()
        try:
            verdict = await question(engine.recogniser, turn_ends(begun, deadline, engine, later))
        except RecogniserError as error:
            return Opinion(engine.name, Inconclusive(error.slug, engine.name), self._clock() - begun, error)
        return Opinion(engine.name, verdict, self._clock() - begun)

    async def _ask_many(
        self, engine: Engine, crowd: Crowd, deadline: float, later: Sequence[Engine]
    ) -> dict[PresentationId, Opinion]:
        begun = self._clock()
        numbers = [shot.probe.presentation for shot in crowd.shots]
        try:
            verdicts = await engine.recogniser.identify_many(crowd, turn_ends(begun, deadline, engine, later))
        except RecogniserError as error:
            away = Inconclusive(error.slug, engine.name)
            return {number: Opinion(engine.name, away, self._clock() - begun, error, "identify_many") for number in numbers}
        spent = self._clock() - begun
        return {number: Opinion(engine.name, verdicts[number], spent, None, "identify_many") for number in numbers}


def _search(probe: Probe) -> Callable[[Recogniser, float], Awaitable[Verdict]]:
    return lambda engine, until: engine.identify(probe, until)


def _some(engine: Engine | None) -> tuple[Engine, ...]:
    return (engine,) if engine else ()


def _distinct(engines: Iterable[Engine | None]) -> tuple[Engine, ...]:
    found: list[Engine] = []
    for engine in engines:
        if engine is not None and not any(engine is other for other in found):
            found.append(engine)
    return tuple(found)
