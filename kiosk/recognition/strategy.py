"""Which engines are asked about a probe, in which order, for how long – and what their answers come to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kiosk.domain import Inconclusive, Match, Probe, Verdict
from kiosk.errors import ClockRejected, RecogniserError, Throttled, Transient, Unauthorised
from kiosk.ports import Clock, Recogniser
from kiosk.recognition.judging import agree

DEVICE = "on-device"
"""The engine that sends nothing anywhere."""
DEVICE_SHARE = 0.2
"""Seconds kept for an engine on the device that may be asked yet: a search takes hundredths of that."""
_BY_A_STRANGER = frozenset({"answer_makes_no_sense", "answer_too_large"})


@dataclass(frozen=True, slots=True)
class Engine:
    """`seconds`: what one identification may take at most; `cloud`: whether the probe leaves the device for it."""

    recogniser: Recogniser
    seconds: float
    cloud: bool

    @property
    def name(self) -> str:
        return self.recogniser.name


class Plan(NamedTuple):
    """`fallback` is asked while `first` is out of reach, `second` about every match of whichever of them answered."""

    first: Engine
    fallback: Engine | None = None
    second: Engine | None = None

    @property
    def engines(self) -> tuple[Engine, ...]:
        return tuple(engine for engine in self if engine is not None)

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

    `may_leave` says of a probe whether the cloud may see it; it is asked once for each probe, and only where an engine of the
    cloud could be. It may raise RecogniserError: then nothing leaves, and nobody is let in.
    """

    def __init__(self, plan: Plan, may_leave: Callable[[Probe], bool], clock: Clock = time.monotonic) -> None:
        self._plan = plan
        self._may_leave = may_leave
        self._clock = clock

    @property
    def seconds(self) -> float:
        """What an answer may take at most."""
        return max(engine.seconds for engine in self._plan.engines)

    async def answer(self, probe: Probe, deadline: float) -> Answer:
        """Ends before `deadline` (monotonic seconds). An engine's error becomes Inconclusive, and stands in its opinion.

        Raises nothing of the error tree.
        """
        try:
            plan = self._permitted(probe)
        except RecogniserError as error:
            unclear = Inconclusive(error.slug, DEVICE)
            return Answer(unclear, (Opinion(DEVICE, unclear, 0.0, error),))
        if plan is None:
            return Answer(Inconclusive("consent_missing", self._plan.first.name))
        return await self._carry_out(plan, probe, deadline)

    async def _carry_out(self, plan: Plan, probe: Probe, deadline: float) -> Answer:
        opinions = [await self._ask(plan.first, probe, deadline, plan.engines[1:])]
        if plan.fallback and out_of_reach(opinions[0].error):
            opinions.append(await self._ask(plan.fallback, probe, deadline, plan.engines[2:]))
        verdict = opinions[-1].verdict
        if plan.second and isinstance(verdict, Match):
            opinions.append(await self._ask(plan.second, probe, deadline, ()))
            verdict = agree(verdict, opinions[-1].verdict)
        return Answer(verdict, tuple(opinions))

    def _permitted(self, probe: Probe) -> Plan | None:
        if any(engine.cloud for engine in self._plan.engines) and not self._may_leave(probe):
            return self._plan.at_home()
        return self._plan

    async def _ask(self, engine: Engine, probe: Probe, deadline: float, later: Sequence[Engine]) -> Opinion:
        begun = self._clock()
        try:
            verdict = await engine.recogniser.identify(probe, turn_ends(begun, deadline, engine, later))
        except RecogniserError as error:
            return Opinion(engine.name, Inconclusive(error.slug, engine.name), self._clock() - begun, error)
        return Opinion(engine.name, verdict, self._clock() - begun)
