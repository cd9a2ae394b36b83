"""May this face leave the device? Pure.

Who is enrolled on the device may have said so, or forbidden it; about everybody else the portal's setting decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kiosk.domain import Candidate, Match
from kiosk.recognition.judging import judge

DOUBT = 20.0
"""Points below the threshold from which a likeness to somebody who said no counts: a hundred times as many strangers come so
close. A picture kept home without need costs a question that is not asked; one sent without consent cannot be called back.
"""


class Likely(NamedTuple):
    """Somebody enrolled whom the probe looks like. `consent`: what they, or else their groups, say; None where nothing."""

    candidate: Candidate
    consent: bool | None


def may_leave(likely: Sequence[Likely], *, threshold: float, margin: float, portal_allows: bool) -> bool:
    """`likely`: of everybody enrolled, in whatever group, those whom the probe looks like most; `threshold` and `margin` are
    the device's own.

    A recognised person's word decides. Where nobody is recognised, a no of somebody who comes near does; then the portal's.
    """
    recognised = judge((one.candidate for one in likely), threshold=threshold, margin=margin, engine="consent")
    if isinstance(recognised, Match):
        said = next(one.consent for one in likely if one.candidate.person == recognised.person)
        return portal_allows if said is None else said
    if any(one.consent is False and one.candidate.score >= threshold - DOUBT for one in likely):
        return False
    return portal_allows
