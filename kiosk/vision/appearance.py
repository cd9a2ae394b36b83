"""One presentation from its first face to its end: what the person is told, which picture is kept, when it is sent. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from kiosk.domain import UNCHECKED, Began, Embedding, Ended, Face, Liveness, QualityReport, Told
from kiosk.settings import PresentationSettings
from kiosk.slugs import ADVICE
from kiosk.vision.live_sample import LiveSample, Wanted
from kiosk.vision.liveness import LivenessJudge
from kiosk.vision.quality import worth
from kiosk.vision.tracking import Trail

STEADY_FRAMES = 2
"""Frames for which a face must have been there, alone, before anything is sent: one frame may be a glitch."""
ADVICE_HOLDS = 0.3
"""Seconds for which new advice must stay the same before it is given, so that it can be read."""
ADVISED_EVERY = 0.15
"""Seconds between two looks at the quality of a face that may not be asked about yet: each costs as much as all the rest."""
IN_VAIN = 0.5
"""Seconds of looks with landmarks, none of them usable, after which such a face is looked at less often."""
IN_VAIN_EVERY = 0.1
"""Seconds between two looks then: at 15 frames a second every other one is left out, and whoever turns to the camera waits one
frame at most."""
COMPARED_EVERY = 1.0
"""Seconds after which a face that never left its place is compared with its reference all the same."""
COMPARED_EVERY_IN_FLIGHT = 0.25
"""Likewise while an answer is awaited, which may open the door for whoever is there then."""
FRESH_FOR = 0.5
"""Seconds after which a picture is too old to be sent, where liveness was still to be told: a verdict on it would come late."""


class Seen(NamedTuple):
    """One face of this frame, with its presentation as `face.track`, its latest report, and what it was told last."""

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
    liveness: Liveness = UNCHECKED


class Drop(NamedTuple):
    """What was kept of the presentation must not be sent any more."""

    presentation: int


Action = Began | Told | Keep | Send | Drop | Ended


class Appearance:
    """What one presentation has come to. `trail`: where its face is, and what it is known by.

    With a `judge`, nothing is sent while it does not know whether the person is alive.
    """

    def __init__(self, number: int, trail: Trail, settings: PresentationSettings, judge: LivenessJudge | None = None) -> None:
        self.number = number
        self.trail = trail
        self.last: Seen
        self.looked_at = trail.seen_at
        """When its report was last a fresh one."""
        self.origin: Embedding | None = None
        """Of the first picture kept, where there is a judge: one person must be seen from there to the end."""
        self._judge = judge
        self._began_at = trail.seen_at
        self._settings = settings
        self._frames = 0
        self._defects: Counter[str] = Counter()
        self._best: QualityReport | None = None
        self._usable_at: float | None = None
        self._advice = _Advice()
        self._steady = 0
        self._kept: QualityReport | None = None
        self._kept_at = self._began_at
        self._collecting_since = self._began_at
        self._in_vain_since = math.inf
        self._shots = 0
        self._in_flight = False
        self._may_send_from = self._began_at
        self._closed = False
        trail.patience = COMPARED_EVERY

    @property
    def asks(self) -> bool:
        """Whether it may ask, now or later: not while an answer is awaited, nor after the last."""
        return not (self._in_flight or self._closed or self._shots >= self._settings.attempts)

    def curious(self, at: float) -> bool:
        """Whether a look at the face's quality can change anything now: in every frame while it may be sent, else for advice."""
        if not self.asks:
            return False
        if at < self._may_send_from:
            return at - self.looked_at >= ADVISED_EVERY
        return at - self._in_vain_since < IN_VAIN or at - self.looked_at >= IN_VAIN_EVERY

    def acts(self, at: float, report: QualityReport | None) -> bool:
        """Whether it would keep or send a picture now, were it eligible."""
        if not self.asks or at < self._may_send_from:
            return False
        better = self._betters(at, report)
        since = self._collecting_since if self._kept else at
        return better or (self._kept is not None and self._ready(at, self._kept, since, self._steady + 1))

    @property
    def liveness(self) -> Liveness:
        return UNCHECKED if self._judge is None else self._judge.state()

    def wanted(self, at: float, report: QualityReport | None) -> Wanted | None:
        """What this frame should tell about the person being alive; None where nothing."""
        judge = self._judge
        if judge is None or not self.asks:
            return None
        usable = report is not None and report.usable
        # Whoever was let in a moment ago is asked for nothing: with a picture kept, that is known not to be so.
        waits = at < self._may_send_from or not usable or (judge.asks_at_once and self._kept is None)
        return None if waits and not judge.begun else judge.wanted(at, usable=usable)

    def witness(self, sample: LiveSample) -> None:
        """What this frame told of it; before `look`."""
        if self._judge is not None:
            self._judge.look(sample)

    def look(self, at: float, face: Face, report: QualityReport | None, spare: QualityReport, eligible: bool) -> Iterator[Action]:
        """One frame with this face in it.

        `report`: None where nobody looked, then `spare` stands in until somebody does; `eligible`: nothing stands in the way of
        sending it.
        """
        if not self._frames:
            yield Began(self.number, at)
        self._frames += 1
        shown = report or (self.last.report if self._frames > 1 else spare)
        prompt = self._judge.prompt() if self._judge is not None and self._judge.begun and self.asks and eligible else None
        if report is not None and (prompt is None or report.usable):
            self._count(at, report)
        if report is not None:
            in_vain = prompt is None and face.pose is not None and not report.usable
            self._in_vain_since = min(self._in_vain_since, at) if in_vain else math.inf
        if prompt is not None:
            # Who does what a challenge asks for is not told to stop it, and has no defect.
            yield from self._tell(at, self._advice.give(prompt))
        elif report is not None:
            # While an answer is awaited or final, what the person reads is about that answer.
            yield from self._tell(at, self._advice.heed(at, report))
        elif self._frames == 1:
            yield from self._tell(at, self._advice.give("looking"))
        self.last = Seen(face, shown, self._advice.told)
        if self._closed or not eligible:
            yield from self._discard()
        elif self.asks and at >= self._may_send_from:
            self._steady += 1
            yield from self._choose(at, report)
            yield from self._send(at)

    def adopt(self, at: float, embedding: Embedding, rest_until: float) -> None:
        """The face before the camera now is the person that the presentation is of; ask nothing before `rest_until`."""
        self.trail.reference, self.trail.compared_at = embedding, at
        if self._judge is not None and self.origin is None:
            self.origin = embedding
        self._may_send_from = max(self._may_send_from, rest_until)

    def answered(self, result: str, at: float) -> None:
        if result == "unasked":
            if self._in_flight:
                self._shots -= 1
                self._may_send_from = at
        elif result != "refused":
            self._closed = True
        elif self._in_flight:
            self._may_send_from = at + self._settings.retry_after
        self._in_flight = False
        self.trail.patience = COMPARED_EVERY

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
            liveness=self.liveness,
        )

    def _count(self, at: float, report: QualityReport) -> None:
        self.looked_at = at
        self._defects.update(report.defects)
        if self._best is None or worth(report) > worth(self._best):
            self._best = report
        if report.usable and self._usable_at is None:
            self._usable_at = at

    def _betters(self, at: float, report: QualityReport | None) -> bool:
        if report is None or not report.usable:
            return False
        return self._kept is None or self._is_stale(at) or worth(report) > worth(self._kept)

    def _is_stale(self, at: float) -> bool:
        return self._judge is not None and at - self._kept_at > max(self._settings.settle, FRESH_FOR)

    def _ready(self, at: float, kept: QualityReport, since: float, steady: int) -> bool:
        if self._judge is not None and (self.liveness.state == "unchecked" or self._is_stale(at)):
            return False
        settled = kept.grade >= self._settings.good_enough or at - since >= self._settings.settle
        return settled and steady >= STEADY_FRAMES

    def _choose(self, at: float, report: QualityReport | None) -> Iterator[Action]:
        if report is not None and self._betters(at, report):
            if self._kept is None:
                self._collecting_since = at
            self._kept, self._kept_at = report, at
            yield Keep(self.number, self.last)

    def _send(self, at: float) -> Iterator[Action]:
        kept = self._kept
        if kept is None or self._usable_at is None or not self._ready(at, kept, self._collecting_since, self._steady):
            return
        self._shots += 1
        self._in_flight = True
        self.trail.patience = COMPARED_EVERY_IN_FLIGHT
        self._kept = None
        yield Send(self.number, kept, self._shots, self._usable_at, self.liveness)
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
