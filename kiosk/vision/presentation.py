"""Makes presentations out of frames: who is there, what to tell them, which picture to send and when. Pure.

A presentation is one person's unbroken appearance before the camera. Time comes in with every call.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from kiosk.domain import Began, Box, Ended, Face, QualityReport, Told
from kiosk.settings import PresentationSettings
from kiosk.slugs import ADVICE
from kiosk.vision.quality import worth

MIN_OVERLAP = 0.1
"""Intersection over union of one face in two frames. At 15 frames a second somebody walking across still has 0.2."""
MATTERS_FROM = 0.25
"""Of the largest face's area: a smaller face is in the background and nobody at the door."""
STEADY_FRAMES = 2
"""Frames for which a face must have been there, alone, before anything is sent: one frame may be a glitch."""
ADVICE_HOLDS = 0.3
"""Seconds for which new advice must stay the same before it is given, so that it can be read."""


class Sighting(NamedTuple):
    face: Face
    report: QualityReport


class Seen(NamedTuple):
    """One face of this frame, with its presentation as `face.track`, what is wrong with it here, and what it was told last."""

    face: Face
    report: QualityReport
    told: str


class Keep(NamedTuple):
    """Keep a copy of this frame's face: it is the presentation's best so far."""

    presentation: int
    seen: Seen


class Send(NamedTuple):
    """Encode the face kept last. `usable_at`: capture time of the presentation's first usable frame."""

    presentation: int
    report: QualityReport
    attempt: int
    usable_at: float


class Drop(NamedTuple):
    """What was kept of the presentation must not be sent any more."""

    presentation: int


Action = Began | Told | Keep | Send | Drop | Ended


class Step(NamedTuple):
    """What one frame brought; `seen` in the order of the sightings."""

    actions: list[Action]
    seen: tuple[Seen, ...]


class PresentationTracker:
    """Follows every face, and for each chooses, sends and asks again within the settings' bounds.

    Presentations are numbered from `first` upwards. Threads: one at a time.
    """

    def __init__(self, settings: PresentationSettings, first: int = 1) -> None:
        self._settings = settings
        self._numbers = itertools.count(first)
        self._tracks: list[_Track] = []
        self._last_at = -math.inf

    def step(self, at: float, sightings: Sequence[Sighting]) -> Step:
        """One frame, captured at `at` (later than the last), with every face found in it."""
        lost_before = at - self._settings.lost_after
        actions: list[Action] = [track.ended(at) for track in self._tracks if track.seen_at < lost_before]
        self._tracks = [track for track in self._tracks if track.seen_at >= lost_before]
        crowded = self._settings.several == "one_at_a_time" and _several_matter(sightings)
        largest = max(range(len(sightings)), key=lambda number: sightings[number].face.box.area, default=None)
        seen = []
        for number, track in enumerate(self._follow(at, sightings)):
            face, report = sightings[number]
            # After a gap the face may be somebody else's: what was kept before it is not sent.
            unbroken = track.seen_at in (self._last_at, at)
            eligible = number == largest and not crowded and unbroken
            face = msgspec.structs.replace(face, track=track.number)
            actions += track.look(at, face, _with_several(report) if crowded else report, eligible)
            seen.append(track.last)
        self._last_at = at
        return Step(actions, tuple(seen))

    def outcome(self, presentation: int, result: str, at: float) -> None:
        """How a probe fared: `refused` allows another attempt after `retry_after`, anything else allows none.

        A presentation that is over is passed by.
        """
        for track in self._tracks:
            if track.number == presentation:
                track.answered(result, at)

    def _follow(self, at: float, sightings: Sequence[Sighting]) -> list[_Track]:
        """The track of each sighting, best overlap first; a face that overlaps none is somebody new."""
        overlaps = (
            (track.box.overlap(sighting.face.box), number, track)
            for track in self._tracks
            for number, sighting in enumerate(sightings)
        )
        found: dict[int, _Track] = {}
        for overlap, number, track in sorted(overlaps, key=lambda each: -each[0]):
            if overlap >= MIN_OVERLAP and number not in found and track not in found.values():
                found[number] = track
        for number, sighting in enumerate(sightings):
            if number not in found:
                found[number] = _Track(next(self._numbers), at, sighting.face.box, self._settings)
                self._tracks.append(found[number])
        return [found[number] for number in range(len(sightings))]


class _Track:
    """One presentation from its first face to its end."""

    def __init__(self, number: int, at: float, box: Box, settings: PresentationSettings) -> None:
        self.number = number
        self.seen_at = self._began_at = at
        self.box = box
        self.last: Seen
        self._settings = settings
        self._frames = 0
        self._defects: Counter[str] = Counter()
        self._best: QualityReport | None = None
        self._usable_at: float | None = None
        self._advice = _Advice()
        self._steady = 0
        self._kept: QualityReport | None = None
        self._collecting_since = at
        self._shots = 0
        self._in_flight = False
        self._may_send_from = at
        self._closed = False

    def look(self, at: float, face: Face, report: QualityReport, eligible: bool) -> Iterator[Action]:
        """One frame with this face in it. `eligible`: nobody else stands in the way of sending it."""
        if not self._frames:
            yield Began(self.number, at)
        self.seen_at, self.box = at, face.box
        self._count(at, report)
        # While an answer is awaited or final, what the person reads is about that answer.
        if not (self._in_flight or self._closed):
            yield from self._tell(at, self._advice.heed(at, report))
        self.last = Seen(face, report, self._advice.told)
        if self._closed or not eligible:
            yield from self._discard()
        elif not self._waits(at):
            self._steady += 1
            yield from self._choose(at, report)
            yield from self._send(at)

    def answered(self, result: str, at: float) -> None:
        if result != "refused":
            self._closed = True
        elif self._in_flight:
            self._may_send_from = at + self._settings.retry_after
        self._in_flight = False

    def ended(self, at: float) -> Ended:
        return Ended(
            presentation=self.number,
            at=at,
            began_at=self._began_at,
            usable_at=self._usable_at,
            frames=self._frames,
            shots=self._shots,
            defects=dict(self._defects),
            best=self._best,
        )

    def _count(self, at: float, report: QualityReport) -> None:
        self._frames += 1
        self._defects.update(report.defects)
        if self._best is None or worth(report) > worth(self._best):
            self._best = report
        if report.usable and self._usable_at is None:
            self._usable_at = at

    def _waits(self, at: float) -> bool:
        return self._in_flight or at < self._may_send_from or self._shots >= self._settings.attempts

    def _choose(self, at: float, report: QualityReport) -> Iterator[Action]:
        if report.usable and (self._kept is None or worth(report) > worth(self._kept)):
            if self._kept is None:
                self._collecting_since = at
            self._kept = report
            yield Keep(self.number, self.last)

    def _send(self, at: float) -> Iterator[Action]:
        kept = self._kept
        if kept is None or self._usable_at is None or self._steady < STEADY_FRAMES:
            return
        if kept.grade < self._settings.good_enough and at - self._collecting_since < self._settings.settle:
            return
        self._shots += 1
        self._in_flight = True
        self._kept = None
        yield Send(self.number, kept, self._shots, self._usable_at)
        # A picture was taken: that is said at once.
        yield from self._tell(at, self._advice.give("good"))

    def _tell(self, at: float, slug: str | None) -> Iterator[Action]:
        if slug is not None:
            yield Told(self.number, at, slug)

    def _discard(self) -> Iterator[Action]:
        self._steady = 0
        if self._kept is not None:
            self._kept = None
            yield Drop(self.number)


class _Advice:
    """Which of the slugs in `ADVICE` a person is told: at first `looking`, then the most helpful once it holds."""

    def __init__(self) -> None:
        self.told = ""
        self._next = ""
        self._since = 0.0

    def heed(self, at: float, report: QualityReport) -> str | None:
        """The slug to tell now, None where nothing changes."""
        if not self.told:
            return self.give("looking")
        slug = min(report.defects, key=ADVICE.index, default="good")
        if slug != self._next:
            self._next, self._since = slug, at
        return self.give(slug) if at - self._since >= ADVICE_HOLDS else None

    def give(self, slug: str) -> str | None:
        if slug == self.told:
            return None
        self.told = slug
        return slug


def _several_matter(sightings: Iterable[Sighting]) -> bool:
    areas = sorted((sighting.face.box.area for sighting in sightings), reverse=True)
    return len(areas) > 1 and areas[1] >= MATTERS_FROM * areas[0]


def _with_several(report: QualityReport) -> QualityReport:
    return QualityReport(report.measures, ("several_faces", *report.defects), 0)
