"""Whether a demo did what its scene says it must. Pure: events in, judgements out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kiosk.capture.script import Act, Scene
from kiosk.slugs import ADVICE

_SLACK = 0.3
"""Seconds a presentation may begin before or after its act: finding takes a frame or two."""

Presentation = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`missed`: the eye was down during the act, so nothing can be said beyond that no wrong person was let in."""

    act: str
    expected: str
    happened: str
    outcome: Literal["met", "failed", "missed"]


@dataclass(frozen=True, slots=True)
class Run:
    """What a run showed. Times are monotonic seconds; `outages` are spans without an eye."""

    origin: float
    begun: float
    ended: float
    presentations: Sequence[Presentation]
    outages: Sequence[tuple[float, float]]


def judge(scene: Scene, run: Run) -> list[Judgement]:
    """One judgement for each performance of an act that lay wholly inside the run."""
    judgements = []
    for number in range(int((run.ended - run.origin) // scene.seconds) + 1):
        start = run.origin + number * scene.seconds
        for act in scene.acts:
            opened, closed = start + act.at, start + act.at + act.lasts
            if opened >= run.begun and closed + 1.0 <= run.ended:
                seen = [p for p in run.presentations if opened - _SLACK <= p["began_at"] <= closed + _SLACK]
                down = any(lost < closed and back > opened for lost, back in run.outages)
                judgements.append(_judge_act(act, seen, down=down))
    return judgements


def wrong_grants(scene: Scene, run: Run) -> int:
    """Grants of somebody the scene did not show, or showed in a way that must be denied."""
    return sum(1 for p in run.presentations if p["outcome"] == "granted" and not _may_enter(scene, run.origin, p))


def _may_enter(scene: Scene, origin: float, presentation: Presentation) -> bool:
    at = (presentation["began_at"] - origin) % scene.seconds
    acts = [act for act in scene.acts if act.at - _SLACK <= at <= act.at + act.lasts + _SLACK]
    return any(presentation["person"] in act.granted for act in acts)


def _judge_act(act: Act, seen: Sequence[Presentation], *, down: bool) -> Judgement:
    happened = ", ".join(_describe(p) for p in seen) or "nobody was noticed"
    wanted = [one for one in act.expected if one not in map(_describe, seen)]
    others = [p for p in seen if _describe(p) not in act.expected]
    if not wanted and all(_was_only_advised(p) or _was_let_in_once(act, p) for p in others):
        outcome: Literal["met", "failed", "missed"] = "met"
    elif down and not any(p["outcome"] == "granted" for p in seen):
        outcome = "missed"
    else:
        outcome = "failed"
    return Judgement(act.name, ", ".join(act.expected), happened, outcome)


def _was_only_advised(presentation: Presentation) -> bool:
    """Whether nobody was asked who this is: on a slow box one walk-up may fall into two presentations, the first too far away,
    or lost from sight before a picture was chosen.
    """
    lost = presentation["reason"] == "person_left" and presentation.get("attempts") == 0
    return presentation["outcome"] == "denied" and (lost or presentation["reason"] in ADVICE)


def _was_let_in_once(act: Act, presentation: Presentation) -> bool:
    """Whether this is the act's person, known again as they leave: the other half of such a walk-up, when the door is open."""
    return presentation["outcome"] == "denied" and presentation["person"] in act.granted


def _describe(presentation: Presentation) -> str:
    if presentation["outcome"] == "granted":
        return f"grant:{presentation['person']}"
    return f"deny:{presentation['reason']}"
