"""What journal and observers are told of a visit: all that a decision rested on, and never a picture. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from kiosk import slugs
from kiosk.access.facts import Facts, variables
from kiosk.access.policy import Policy
from kiosk.domain import Inconclusive, Match, NonMatch, Shot
from kiosk.recognition.strategy import Answer, Opinion
from kiosk.service.door import Settled


class Visited(Protocol):
    """What has become of one presentation."""

    presentation: int
    began_at: float
    told: str
    shot: Shot | None
    shot_at: float
    answer: Answer | None
    settled: Settled | None


def main_defect(defects: Mapping[str, int]) -> str:
    """What was wrong most of the time; where that ties, what helps most to mend."""
    known = [slug for slug in slugs.ADVICE if slug in defects]
    return max(known, key=lambda slug: defects[slug], default="person_left")


def summary(visit: Visited, reason: str, grade: int | None) -> dict[str, object]:
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
        "confirmed": isinstance(verdict, Match) and verdict.confirmed,
        "opinions": _several(answer) if answer else None,
        "rule": settled.rule if settled else None,
        "attempts": shot.attempt if shot else 0,
        "face_to_probe_ms": round(1000 * (visit.shot_at - shot.usable_at), 1) if shot else None,
        "face_to_relay_ms": round(1000 * settled.face_to_relay, 1) if settled and settled.face_to_relay is not None else None,
    }


def evidence(answer: Answer, shot: Shot, policy: Policy, facts: Facts, vote: float | Inconclusive | None) -> dict[str, object]:
    """What the journal keeps of a decision: everything it rested on but the picture."""
    verdict = answer.verdict
    body: dict[str, object] = {
        "verdict": type(verdict).__struct_config__.tag,
        "engine": verdict.engine,
        "grade": shot.probe.quality.grade,
        "masked": shot.probe.masked,
        "attempt": shot.attempt,
        "policy": policy.sha256,
        "facts": variables(facts),
    }
    if shot.liveness.state != "unchecked":
        body["liveness"] = msgspec.structs.asdict(shot.liveness)
    if vote is not None:
        body["liveness_vote"] = vote.cause if isinstance(vote, Inconclusive) else round(vote, 2)
    if isinstance(verdict, Match | NonMatch):
        body["score"] = round(verdict.score, 2)
    if isinstance(verdict, Match):
        body["margin"] = round(verdict.margin, 2)
    if several := _several(answer):
        body["opinions"] = several
    return body


def _several(answer: Answer) -> list[dict[str, object]] | None:
    """What each engine said, where more than one was asked."""
    return [_told_by(opinion) for opinion in answer.opinions] if len(answer.opinions) > 1 else None


def _told_by(opinion: Opinion) -> dict[str, object]:
    verdict = opinion.verdict
    said: dict[str, object] = {"engine": opinion.engine, "asked": opinion.asked, "verdict": type(verdict).__struct_config__.tag}
    if isinstance(verdict, Match | NonMatch):
        said["score"] = round(verdict.score, 2)
    if not isinstance(verdict, Match):
        said["cause"] = verdict.cause
    return said
