"""From a recogniser's candidates to a verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.domain import Candidate, Match, NonMatch


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
