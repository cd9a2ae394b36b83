"""All that a rule may ask about, typed; and the plain names under which it asks.

Pure: time comes in with the facts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.domain import (
    UNCHECKED,
    AttackPresentation,
    Count,
    Credential,
    Inconclusive,
    Liveness,
    Match,
    Name,
    NonMatch,
    QualityReport,
    Verdict,
)

KINDS = {Match: "match", NonMatch: "non_match", AttackPresentation: "attack", Inconclusive: "inconclusive"}
Mode = Literal["normal", "held_open", "lockdown", "emergency", "fire"]
Variables = dict[str, dict[str, object]]


class LocalTime(Struct, frozen=True):
    """The site's time of day, and what the calendar says of it.

    `weekday`: 0 is Monday; `minute`: of the day; `date`: as `2026-12-24`. `schedules`: open now; `holidays`: of today.
    `trusted`: whether the clock is known to be right; where not, a rule that asks for anything else denies.
    """

    weekday: Annotated[int, Meta(ge=0, le=6)]
    minute: Annotated[int, Meta(ge=0, le=1439)]
    trusted: bool
    date: str = ""
    schedules: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()


class Subject(Struct, frozen=True):
    """Whom the verdict names, as the box knows them. `valid`: today is within the person's dates; False while nobody knows."""

    person: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    valid: bool = True


class PortalFacts(Struct, frozen=True):
    """`occupancy`: people in the area behind it."""

    name: Name
    state: str = "locked"
    mode: Mode = "normal"
    occupancy: Count = 0
    outside: bool = True


class Facts(Struct, frozen=True):
    """`faces`: in view; `attempt`: probes of this presentation so far, from 1; `credential`: the newest one still good."""

    portal: PortalFacts
    verdict: Verdict
    subject: Subject
    quality: QualityReport
    faces: Count
    attempt: Annotated[int, Meta(ge=1)]
    time: LocalTime
    liveness: Liveness = UNCHECKED
    masked: bool = False
    credential: Credential | None = None
    site: str = ""


def variables(facts: Facts) -> Variables:
    """Every name exists for every verdict, empty or 0 where it says nothing; only an untrusted hour is left out.

    CEL does not mix whole and fractional numbers in sums, so scores are always fractional. What comes out is plain JSON.
    """
    match, credential = facts.verdict if isinstance(facts.verdict, Match) else None, facts.credential
    return {
        "subject": {
            "person": facts.subject.person,
            "tag": match.tag if match else "",
            "groups": list(facts.subject.groups),
            "tags": list(facts.subject.tags),
            "valid": facts.subject.valid,
        },
        "verdict": _verdict_variables(facts),
        "quality": {"grade": facts.quality.grade},
        "liveness": {"state": facts.liveness.state, "score": float(facts.liveness.score), "cause": facts.liveness.cause},
        "presentation": {"faces": facts.faces, "attempt": facts.attempt},
        "credential": {
            "kind": credential.kind if credential else "none",
            "person": credential.person if credential else "",
            "duress": bool(credential and credential.duress),
        },
        "portal": {
            "name": facts.portal.name,
            "state": facts.portal.state,
            "mode": facts.portal.mode,
            "occupancy": facts.portal.occupancy,
            "outside": facts.portal.outside,
        },
        "time": time_variables(facts.time),
        "site": {"name": facts.site},
    }


def _verdict_variables(facts: Facts) -> dict[str, object]:
    verdict = facts.verdict
    match = verdict if isinstance(verdict, Match) else None
    return {
        "kind": KINDS[type(verdict)],
        "score": float(verdict.score) if isinstance(verdict, Match | NonMatch) else 0.0,
        "margin": float(match.margin) if match else 0.0,
        "false_match_rate": float(match.false_match_rate) if match else 1.0,
        "engine": verdict.engine,
        "cause": "" if isinstance(verdict, Match) else verdict.cause,
        "masked": facts.masked,
        "confirmed": bool(match and match.confirmed),
    }


def time_variables(time: LocalTime) -> dict[str, object]:
    """What rules may ask of the time: nothing, while the clock is not trusted."""
    if not time.trusted:
        return {"trusted": False}
    return {
        "trusted": True,
        "weekday": time.weekday,
        "minute": time.minute,
        "date": time.date,
        "schedules": list(time.schedules),
        "holidays": list(time.holidays),
    }
