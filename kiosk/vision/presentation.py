"""Makes presentations out of frames: who is there, and who of them may be sent. Pure.

A presentation is one person's unbroken appearance before the camera. Time comes in with every call.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from kiosk.domain import Box, Embedding, Face, QualityReport
from kiosk.settings import PresentationSettings
from kiosk.vision.appearance import Action, Appearance, Drop, Keep, Seen, Send
from kiosk.vision.liveness import LivenessJudge
from kiosk.vision.tracking import SURE_OVERLAP, Sighting, Trail, follow, same

__all__ = ["Action", "Drop", "Keep", "PresentationTracker", "Seen", "Send", "Sighting", "Step"]

MATTERS_FROM = 0.25
"""Of the largest face's area: a smaller face is in the background and nobody at the door."""
CENTRE_COUNTS = 0.5
"""Share of its area that a face in the picture's corner loses when the primary face is chosen."""
CLEARLY = 1.2
"""Times as much as the primary face another must weigh to take its place: two alike must not take turns."""
CLOSE_LOOKS = 2
"""Faces a frame that are looked at closely: the primary one, and where all are asked those that have waited longest."""
_NOT_LOOKED_AT = ((), ("landmarks_missing",))
"""The defects of a face whose geometry is right: what a look from afar finds, and cannot say more."""


class Step(NamedTuple):
    """What one frame brought; `seen` in the order of the sightings."""

    actions: list[Action]
    seen: tuple[Seen, ...]


class PresentationTracker:
    """Follows every face, and for each chooses, sends and asks again within the settings' bounds.

    What is sent shows the person who is there then: the embedding of each picture kept, and at last of the face before the
    camera, is compared with the one before. Without embeddings, a face that never left its place is one person's.
    Presentations are numbered from `first` upwards; `judge` makes the one who says whether a presentation's person is alive,
    None where nobody asks. Threads: one at a time.
    """

    def __init__(
        self, settings: PresentationSettings, first: int = 1, judge: Callable[[], LivenessJudge | None] = lambda: None
    ) -> None:
        self._settings = settings
        self._judge = judge
        self._numbers = itertools.count(first)
        self._open: list[Appearance] = []
        self._primary = 0
        self._last_at = -math.inf
        self._resting: list[tuple[float, Embedding]] = []

    @property
    def following(self) -> bool:
        """Whether any presentation is open: while one is, no frame may be left out."""
        return bool(self._open)

    def step(self, at: float, sightings: Sequence[Sighting], frame: tuple[int, int]) -> Step:
        """One frame of `frame` pixels (width, height), captured at `at` (later than the last), with every face found in it."""
        self._resting = [(until, person) for until, person in self._resting if until > at]
        lost = [each for each in self._open if each.trail.seen_at < at - self._settings.lost_after]
        actions: list[Action] = []
        self._end(at, lost, actions)
        found = self._follow(at, sightings, actions)
        boxes = [sighting.face.box for sighting in sightings]
        primary = self._choose_primary([each for each, _ in found], boxes, frame)
        crowded = self._settings.several == "one_at_a_time" and _several_matter(boxes)
        close = () if crowded else self._looked_at_closely(at, [each for each, _ in found], primary)
        seen = []
        for number, (each, certain) in enumerate(found):
            sighting = sightings[number]
            face, report, spare = _looked(at, sighting, each, closely=number in close, crowded=crowded)
            eligible = certain and not crowded and (number == primary or self._settings.several == "all")
            if eligible and (wanted := each.wanted(at, report)):
                each.witness(sighting.sample(at, face, wanted, each.origin))
            if eligible and each.acts(at, report):
                each = self._compared(at, sighting, each, report, actions)  # noqa: PLW2901 (somebody else stands there)
            actions += each.look(at, msgspec.structs.replace(face, track=each.number), report, spare, eligible)
            seen.append(each.last)
        self._last_at = at
        return Step(actions, tuple(seen))

    def outcome(self, presentation: int, result: str, at: float) -> None:
        """How a probe fared: `refused` allows another attempt after `retry_after`, `unasked` one at once that does not count as
        another, anything else allows none.

        Whoever was `granted` is not asked in another presentation either before `cool_down` is over.
        A presentation that is over is passed by.
        """
        for each in self._open:
            if each.number == presentation:
                each.answered(result, at)
                if result == "granted" and each.trail.reference is not None:
                    self._resting.append((at + self._settings.cool_down, each.trail.reference))

    def _follow(self, at: float, sightings: Sequence[Sighting], actions: list[Action]) -> list[tuple[Appearance, bool]]:
        """The presentation of each sighting, and whether it is certain enough for what was kept of it to be sent."""
        claims = follow([each.trail for each in self._open], sightings, at, self._last_at)
        of_trail = {each.trail: each for each in self._open}
        missing = [each for each in self._open if each.trail not in {claim.trail for claim in claims.values()}]
        found = []
        for number, sighting in enumerate(sightings):
            box = sighting.face.box
            if number not in claims:
                # Who stands where somebody else stood has taken that one's place.
                gone = [each for each in missing if each in self._open and each.trail.overlap(at, box) >= SURE_OVERLAP]
                self._end(at, gone, actions)
                found.append((self._begin(at, box), True))
                continue
            trail = claims[number].trail
            # After a gap the face may be somebody else's: what was kept before it is not sent.
            found.append((of_trail[trail], claims[number].confirmed or trail.seen_at == self._last_at))
            if claims[number].confirmed:
                trail.compared_at = at
            trail.move(at, box)
        return found

    def _compared(
        self, at: float, sighting: Sighting, each: Appearance, report: QualityReport | None, actions: list[Action]
    ) -> Appearance:
        """The presentation of the face that is really there: a new one where the embedding says that it is somebody else's."""
        embedding = sighting.embedding()
        if embedding is None:
            return each
        if not all(same(known, embedding) for known in (each.trail.reference, each.origin) if known is not None):
            self._end(at, [each], actions)
            each = self._begin(at, sighting.face.box)
        if each.acts(at, report):
            rests = [until for until, person in self._resting if same(person, embedding)]
            each.adopt(at, embedding, max(rests, default=at))
        return each

    def _begin(self, at: float, box: Box) -> Appearance:
        self._open.append(Appearance(next(self._numbers), Trail(at, box), self._settings, self._judge()))
        return self._open[-1]

    def _end(self, at: float, ended: Sequence[Appearance], actions: list[Action]) -> None:
        actions += [each.ended(at) for each in ended]
        self._open = [each for each in self._open if each not in ended]

    def _choose_primary(self, found: Sequence[Appearance], boxes: Sequence[Box], frame: tuple[int, int]) -> int | None:
        """The sighting that counts most by size and centrality; the primary presentation stays it until one is clearly ahead."""
        if not found:
            return None
        held = [CLEARLY if each.number == self._primary else 1.0 for each in found]
        weights = [_weight(box, frame) * held[number] for number, box in enumerate(boxes)]
        number = weights.index(max(weights))
        self._primary = found[number].number
        return number

    def _looked_at_closely(self, at: float, found: Sequence[Appearance], primary: int | None) -> tuple[int, ...]:
        curious = [number for number, each in enumerate(found) if each.curious(at)]
        if self._settings.several != "all":
            return tuple(number for number in curious if number == primary)
        waited = sorted(curious, key=lambda number: (number != primary, found[number].looked_at))
        return tuple(waited[:CLOSE_LOOKS])


def _looked(
    at: float, sighting: Sighting, each: Appearance, *, closely: bool, crowded: bool
) -> tuple[Face, QualityReport | None, QualityReport]:
    """The face, its report where it says something new, and one to show where none was there before."""
    if not each.curious(at):
        return sighting.face, None, each.last.report
    face, report = sighting.graded(closely=closely)
    if crowded:
        report = _with_several(report)
    says = closely or report.defects not in _NOT_LOOKED_AT
    return face, report if says else None, report


def _weight(box: Box, frame: tuple[int, int]) -> float:
    half = frame[0] / 2, frame[1] / 2
    away = math.hypot(box.centre[0] - half[0], box.centre[1] - half[1]) / math.hypot(*half)
    return box.area * (1 - CENTRE_COUNTS * min(away, 1.0))


def _several_matter(boxes: Sequence[Box]) -> bool:
    areas = sorted((box.area for box in boxes), reverse=True)
    return len(areas) > 1 and areas[1] >= MATTERS_FROM * areas[0]


def _with_several(report: QualityReport) -> QualityReport:
    others = (defect for defect in report.defects if defect != "landmarks_missing")
    return QualityReport(report.measures, ("several_faces", *others), 0)
