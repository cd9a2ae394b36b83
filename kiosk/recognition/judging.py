"""From a recogniser's candidates to a verdict, and from two verdicts to one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from kiosk.domain import AttackPresentation, Candidate, Inconclusive, Match, NonMatch, Verdict

Rates = Callable[[float], float]
"""From a score to the false match rate it stands for."""


def unknown_rate(_score: float) -> float:
    """Of an engine whose scores nobody has translated: anything may be."""
    return 1.0


def judge(
    candidates: Iterable[Candidate], *, threshold: float, margin: float, engine: str, rates: Rates = unknown_rate
) -> Match | NonMatch:
    """A match needs a score of at least `threshold` and a lead of at least `margin` over the best *other* person.

    Candidates may come in any order and name a person more than once. Two people with the same
    score are never told apart, whatever the margin.
    """
    best: dict[str, Candidate] = {}
    for candidate in candidates:
        known = best.get(candidate.person)
        if known is None or candidate.score > known.score:
            best[candidate.person] = candidate
    if not best:
        return NonMatch("nobody_enrolled", 0.0, engine)
    first, *others = sorted(best.values(), key=lambda candidate: candidate.score, reverse=True)
    lead = first.score - others[0].score if others else 100.0
    if first.score < threshold:
        return NonMatch("not_recognised", first.score, engine)
    if lead < margin or lead == 0:
        return NonMatch("ambiguous", first.score, engine)
    return Match(first.person, first.score, lead, engine, first.tag, rates(first.score), first.groups)


def judge_one(candidate: Candidate, *, threshold: float, engine: str, rates: Rates = unknown_rate) -> Match | NonMatch:
    """One to one: a match needs a score of at least `threshold`; nobody else was looked at, so the margin is 100."""
    if candidate.score < threshold:
        return NonMatch("not_confirmed", candidate.score, engine)
    rate = rates(candidate.score)
    return Match(candidate.person, candidate.score, 100.0, engine, candidate.tag, rate, candidate.groups, confirmed=True)


def confirm(first: Match, second: Verdict) -> Verdict:
    """A match only where `second`, a comparison one to one with its person, agrees; else `not_confirmed`.

    Score and margin stay the search's, which rules know. Whoever passes has passed both, so the rarer false match bounds it.
    """
    engine = first.engine if first.engine == second.engine else f"{first.engine}+{second.engine}"
    match second:
        case Match(person=first.person):
            rate = min(first.false_match_rate, second.false_match_rate)
            return replace(first, engine=engine, false_match_rate=rate, confirmed=True)
        case Match(score=score) | NonMatch(score=score):
            return NonMatch("not_confirmed", score, engine)
        case AttackPresentation(cause=cause):
            return AttackPresentation(cause, engine)
        case Inconclusive(cause=cause):
            return Inconclusive(cause, engine)


def agree(first: Match, second: Verdict) -> Verdict:
    """A match only where `second`, asked about the same probe, names the same person; else `opinions_differ`.

    Score and margin are the lower of the two, each for itself: engines count on scales of their own, so no mean of them means
    anything, but a rule that asks for at least so much then holds only where it holds for both. The tag is the first
    engine's, which the portal is set up for. A fault or an attack stays what it is.
    """
    engine = f"{first.engine}+{second.engine}"
    match second:
        case Match(person=first.person):
            return replace(
                first,
                score=min(first.score, second.score),
                margin=min(first.margin, second.margin),
                engine=engine,
                false_match_rate=min(first.false_match_rate, second.false_match_rate),
            )
        case Match(score=score) | NonMatch(score=score):
            return NonMatch("opinions_differ", min(first.score, score), engine)
        case AttackPresentation(cause=cause):
            return AttackPresentation(cause, engine)
        case Inconclusive(cause=cause):
            return Inconclusive(cause, engine)
