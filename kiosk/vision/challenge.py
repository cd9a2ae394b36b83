"""The challenge: a few movements asked for in an order nobody can know before. Pure.

It stops photos and most recordings. It does not stop a face that is animated while it is asked, nor a mask somebody wears.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from typing import Literal

from kiosk.domain import Pose
from kiosk.settings import LivenessSettings, Task
from kiosk.vision.live_sample import LiveSample

Progress = Literal["running", "passed", "failed"]

TURNS: frozenset[Task] = frozenset({"turn_left", "turn_right"})
FORWARD = "challenge_look_ahead"
"""What is told before each task: every one begins from a neutral face."""
REACTION = 0.15
"""Seconds. People take 0.2 and more to begin an answer to what they see; what comes sooner was no answer."""
NEUTRAL_LOOKS = 2
"""Neutral samples in a row before a task is asked."""
LEVEL_YAW, LEVEL_PITCH = 10.0, 15.0
"""Degrees up to which a face counts as looking ahead."""
TURN, NOD = 15.0, 8.0
"""Degrees from where the neutral face looked."""
CLOSED, OPEN_EYES = 0.5, 0.35
"""Blendshape of the less closed eye: from the first on both are shut, up to the second open."""
WIDE, SHUT_MOUTH = 0.4, 0.15
"""Blendshape jawOpen: from the first on the mouth is open, up to the second it is shut."""
_HAPPENS = ("blink", "nod")
"""What people do unasked, and what therefore does not spoil another task."""
LEAST_OVERLAP = 0.2
"""Intersection over union of the box with that of the sample before; less is a jump, not a movement."""


def order(settings: LivenessSettings, seed: int) -> tuple[Task, ...]:
    """The tasks of one challenge, all different, one of them a turn of the head. `seed` must come from the system's chance.

    A print with holes for eyes and mouth blinks and nods as well as anybody, but shows no other side of a head.
    """
    chance = random.Random(seed)  # noqa: S311 (the seed is what must be secret)
    while True:
        tasks = tuple(chance.sample(settings.tasks, settings.asked))
        if TURNS & set(tasks):
            return tasks


class Challenge:
    """Feed it every sample of the track from the moment it begins. Once it has passed or failed it stays so."""

    def __init__(self, settings: LivenessSettings, tasks: Sequence[Task]) -> None:
        self._settings = settings
        self._left = list(tasks)
        self._before: LiveSample | None = None
        self._neutral: list[LiveSample] = []
        self._phase_at = 0.0
        self._asked_at: float | None = None
        self._done = False
        self._compared = False
        self.progress: Progress = "running"
        self.cause = ""

    @property
    def prompt(self) -> str | None:
        """Slug of what to tell the person now; None once it is over."""
        if self.progress != "running":
            return None
        return FORWARD if self._asked_at is None or self._done else f"challenge_{self._left[0]}"

    def look(self, sample: LiveSample) -> None:
        """One frame; the times must rise."""
        if self.progress != "running":
            return
        if self._before is None:
            self._phase_at = sample.at
        broken = self._broken(sample)
        self._before = sample
        if broken:
            self._fail(broken)
            return
        self._compared = self._compared or sample.likeness is not None
        if sample.at - self._phase_at > self._settings.task_within:
            self._fail("identity_not_held" if self._done and not self._compared else "challenge_timed_out")
        elif self._asked_at is None:
            self._await_neutral(sample)
        else:
            self._await_task(sample, self._asked_at)

    def _broken(self, sample: LiveSample) -> str:
        """Why this is no longer one person seen without a break; empty where it is."""
        before = self._before
        if sample.likeness is not None and sample.likeness < self._settings.same_person:
            return "person_changed"
        if before is None:
            return ""
        if not 0 < sample.at - before.at <= self._settings.gap or sample.box.overlap(before.box) < LEAST_OVERLAP:
            return "track_broken"
        return ""

    def _await_neutral(self, sample: LiveSample) -> None:
        if not is_neutral(sample):
            self._neutral.clear()
            return
        self._neutral.append(sample)
        if len(self._neutral) >= NEUTRAL_LOOKS:
            self._asked_at = self._phase_at = sample.at
            self._done = self._compared = False

    def _await_task(self, sample: LiveSample, asked_at: float) -> None:
        task, level = self._left[0], self._level()
        if self._done:
            if is_neutral(sample) and self._compared:
                self._next(sample)
            return
        seen = movements(sample, level)
        if seen and sample.at - asked_at < REACTION and task in seen:
            self._fail("challenge_too_early")
        elif seen - {task, *_HAPPENS}:
            self._fail("challenge_wrong")
        elif task in seen:
            self._done = True

    def _next(self, sample: LiveSample) -> None:
        self._left.pop(0)
        self._neutral.clear()
        self._asked_at, self._phase_at = None, sample.at
        if not self._left:
            self.progress = "passed"

    def _level(self) -> Pose:
        poses = [sample.pose for sample in self._neutral if sample.pose is not None]
        return Pose(statistics.median(p.yaw for p in poses), statistics.median(p.pitch for p in poses), 0.0)

    def _fail(self, cause: str) -> None:
        self.progress, self.cause = "failed", cause


def looks_ahead(pose: Pose) -> bool:
    return abs(pose.yaw) <= LEVEL_YAW and abs(pose.pitch) <= LEVEL_PITCH


def is_neutral(sample: LiveSample) -> bool:
    """Looking ahead, eyes open, mouth shut; False where that is not known."""
    pose, shapes = sample.pose, sample.blendshapes
    if pose is None or not shapes:
        return False
    return looks_ahead(pose) and _shut_eyes(sample) <= OPEN_EYES and shapes.get("jawOpen", 1.0) <= SHUT_MOUTH


def movements(sample: LiveSample, level: Pose) -> set[Task]:
    """What the person is doing, against the pose `level` of their neutral face."""
    seen: set[Task] = set()
    if sample.pose is not None:
        yaw = sample.pose.yaw - level.yaw
        if yaw >= TURN:
            seen.add("turn_left")
        if yaw <= -TURN:
            seen.add("turn_right")
        if sample.pose.pitch - level.pitch <= -NOD and abs(yaw) < TURN:
            seen.add("nod")
    if sample.blendshapes.get("jawOpen", 0.0) >= WIDE:
        seen.add("open_mouth")
    # Who looks down lowers the lids too.
    if not seen and _shut_eyes(sample) >= CLOSED:
        seen.add("blink")
    return seen


def _shut_eyes(sample: LiveSample) -> float:
    return min(sample.blendshapes.get("eyeBlinkLeft", 0.0), sample.blendshapes.get("eyeBlinkRight", 0.0))
