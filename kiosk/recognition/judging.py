"""From a recogniser's candidates to a verdict, and from two verdicts to one. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.domain import AttackPresentation, Candidate, Inconclusive, Match, NonMatch, Verdict


def judge(candidates: Iterable[Candidate], *, threshold: float, margin: float, engine: str) -> Match | NonMatch:
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
    return Match(first.person, first.score, lead, engine, first.tag)


def agree(first: Match, second: Verdict) -> Verdict:
    """A match only where `second`, asked about the same probe, names the same person; else `opinions_differ`.

    Score and margin are the lower of the two, each for itself: engines count on scales of their own, so no mean of them means
    anything, but a rule that asks for at least so much then holds only where it holds for both. The tag is the first
    engine's, which the portal is set up for. A fault or an attack stays what it is.
    """
    engine = f"{first.engine}+{second.engine}"
    match second:
        case Match(person=first.person):
            return Match(first.person, min(first.score, second.score), min(first.margin, second.margin), engine, first.tag)
        case Match(score=score) | NonMatch(score=score):
            return NonMatch("opinions_differ", min(first.score, score), engine)
        case AttackPresentation(cause=cause):
            return AttackPresentation(cause, engine)
        case Inconclusive(cause=cause):
            return Inconclusive(cause, engine)
