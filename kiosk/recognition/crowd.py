"""Which face an engine found in a picture of several is whose. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.domain import Box

SAME_FACE = 0.25
"""Intersection over union from which two boxes may be of one face: finders differ in how much hair and chin they take in."""


def matched(ours: Sequence[Box], theirs: Sequence[Box]) -> list[int | None]:
    """For each of our boxes the number of theirs that is of the same face.

    Only where the two overlap each other and nothing else: who stands so close that it could be another's face gets nobody's.
    """
    of_ours = [[number for number, other in enumerate(theirs) if box.overlap(other) >= SAME_FACE] for box in ours]
    claims = [number for numbers in of_ours for number in numbers]
    return [numbers[0] if len(numbers) == 1 and claims.count(numbers[0]) == 1 else None for numbers in of_ours]
