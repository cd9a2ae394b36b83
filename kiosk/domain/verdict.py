"""What a recogniser says of a probe."""

from __future__ import annotations

from msgspec import Struct

from kiosk.domain.bounds import Name, Percent, Ratio, Slug


class Candidate(Struct, frozen=True):
    """A person the recogniser proposes; `score` is a comparison score, 0–100."""

    person: Name
    score: Percent
    face: str = ""
    tag: str = ""
    groups: tuple[Name, ...] = ()


class Match(Struct, frozen=True, tag="match"):
    """The probe is this person's: score at or over the threshold and clear of the runner-up by the margin.

    `margin` is the distance to the best other person, 100 where there is none. `false_match_rate`: of strangers, the share that
    would reach this score, as far as the engine can tell; 1 where it cannot. `groups`: as the engine knows them.
    `confirmed`: whether a comparison one to one agreed.
    """

    person: Name
    score: Percent
    margin: Percent
    engine: Name
    tag: str = ""
    false_match_rate: Ratio = 1.0
    groups: tuple[Name, ...] = ()
    confirmed: bool = False


class NonMatch(Struct, frozen=True, tag="non_match"):
    """Nobody enrolled is this person, or two are too close to call (`cause` says which)."""

    cause: Slug
    score: Percent
    engine: Name


class AttackPresentation(Struct, frozen=True, tag="attack"):
    """Not a live person before the camera."""

    cause: Slug
    engine: Name


class Inconclusive(Struct, frozen=True, tag="inconclusive"):
    """No answer that means anything: a fault, a timeout, a refusal. Denies."""

    cause: Slug
    engine: Name


Verdict = Match | NonMatch | AttackPresentation | Inconclusive
