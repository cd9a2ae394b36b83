"""Simulated attacks before a challenge: whoever holds the picture tilts it when asked to turn or to nod."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from rich.progress import track

from kiosk.bench import attacks
from kiosk.bench.attacks import Asked
from kiosk.bench.report import Report
from kiosk.capture import held, script
from kiosk.capture.movements import Understanding
from kiosk.capture.scene import Stage
from kiosk.domain import Embedding, Face
from kiosk.settings import LivenessSettings
from kiosk.vision.challenge import FORWARD, TURNS, Challenge, looks_ahead, order
from kiosk.vision.embedding import Embedder
from kiosk.vision.finder import Finder
from kiosk.vision.landmarks import Landmarker
from kiosk.vision.live_sample import LiveSample
from kiosk.vision.liveness import COMPARED_EVERY
from kiosk.vision.pixels import Image
from kiosk.vision.tracking import cosine

SETTINGS = LivenessSettings(task_within=2.0)
"""Less than the usual time, to save the bench's: an answer begins 0.6 seconds after the question, and is held for 0.7."""
STEP = 0.125
"""Seconds from frame to frame."""
_FRAMES = 120
_STANDS = 1.5
"""Seconds after the beginning of an act in which the person has come."""

Shown = Callable[[Asked], Iterator[Image]]


class Onlooker:
    """Makes samples of frames as an eye does while a challenge runs; one for each presentation."""

    def __init__(self, finder: Finder, landmarker: Landmarker, embedder: Embedder) -> None:
        self._finder, self._landmarker, self._embedder = finder, landmarker, embedder
        self._origin: Embedding | None = None
        self._compared_at = 0.0

    def look(self, image: Image, at: float) -> LiveSample | None:
        """None where no face is found."""
        found = self._finder.find(image)
        located = self._landmarker.locate(image, found[0].box) if found else None
        if located is None:
            return LiveSample(at, found[0].box) if found else None
        likeness = None
        if looks_ahead(located.pose) and (self._origin is None or at - self._compared_at >= COMPARED_EVERY):
            likeness, self._compared_at = self._likeness(image, found[0]), at
        return LiveSample(at, found[0].box, pose=located.pose, blendshapes=located.blendshapes, likeness=likeness)

    def _likeness(self, image: Image, face: Face) -> float | None:
        embedding = self._embedder.embed(image, face)
        if self._origin is None:
            self._origin = embedding
            return None
        return cosine(self._origin, embedding)


def report(
    to: Report, pictures: Sequence[tuple[Image, Face, int]], finder: Finder, landmarker: Landmarker, embedder: Embedder
) -> None:
    """Each species with each of the pictures, and as many times the scene's person who does what is asked."""

    def outcome(shown: Shown, seed: int) -> Outcome:
        return challenged(shown, Onlooker(finder, landmarker, embedder), seed)

    rows = []
    for name in track(attacks.NAMES, description="challenges", transient=True):
        told = [outcome(partial(_attack, name, photo, face, seed), seed) for photo, face, seed in pictures]
        rows.append(_row(name, told))
    obedient = [outcome(_obedient, seed) for _, _, seed in pictures]
    to.add(
        "simulated attacks before a challenge",
        f"passed: presentations that did both movements asked for, of five, one of them a turn of the head, each within "
        f"{SETTINGS.task_within:g} seconds; causes of the others; which movements were taken for what was asked: turns are asked "
        "for last, so that those before them are seen. The challenge alone: the votes of the first table come on top. "
        "SIMULATED, and so is whoever holds the picture: asked for a movement, "
        "they tilt it by what comes nearest, "
        + ", ".join(f"{name} {max(map(abs, tilt)):g}" for name, tilt in held.TILTS.items())
        + " degrees; holes for eyes blink. No picture here is animated while it is asked: what answers like that passes every "
        "challenge. The last row is the person of scene:challenge, from pictures of one person, to show that it can be passed.",
        [*rows, _row("a person who does what is asked", obedient)],
    )


class Outcome(NamedTuple):
    """`cause`: empty where the challenge was passed, else why not: of `Challenge`, `no_face`, or `running` where the frames did
    not last. `taken`: the movements that were taken for what was asked.
    """

    cause: str
    taken: tuple[str, ...]


def challenged(shown: Shown, onlooker: Onlooker, seed: int) -> Outcome:
    """One presentation before the challenge that `seed` makes, but for its order: turns come last.

    So everything else that is asked for is asked for, before a turn ends it.
    """
    tasks = sorted(order(SETTINGS, seed), key=lambda task: task in TURNS)
    challenge, understanding = Challenge(SETTINGS, tasks), Understanding()
    clock = 0.0
    cause, told, taken = "no_face", "", []
    for number, image in enumerate(shown(lambda: understanding.movement(clock)), 1):
        sample = onlooker.look(image, clock := number * STEP)
        if sample is None:
            continue
        challenge.look(sample)
        cause = challenge.cause if challenge.progress != "running" else "running"
        if challenge.prompt == told:
            continue
        if told and told != FORWARD:
            taken += [told.removeprefix("challenge_")] if challenge.progress != "failed" else []
        told = challenge.prompt or ""
        understanding.hear(told, clock)
        if challenge.progress != "running":
            break
    return Outcome(cause, tuple(taken))


def _attack(name: str, photo: Image, face: Face, seed: int, asked: Asked) -> Iterator[Image]:
    return attacks.shown(name, photo, face, np.random.default_rng(seed), _FRAMES, asked)


def _obedient(asked: Asked) -> Iterator[Image]:
    scene = script.load("challenge")
    act = next(act for act in scene.acts if act.granted)
    stage = Stage(scene, *attacks.FRAME)
    for number in itertools.count():
        t = _STANDS + number * STEP
        if t >= act.lasts - 1:
            return
        yield stage.render(act.at + t, number, asked())


def _row(name: str, outcomes: Sequence[Outcome]) -> dict[str, object]:
    passed = sum(not outcome.cause for outcome in outcomes)
    return {
        "species": name,
        "passed": f"{passed} of {len(outcomes)}",
        "causes": _counted(outcome.cause for outcome in outcomes if outcome.cause),
        "taken for a movement": _counted(movement for outcome in outcomes for movement in outcome.taken),
    }


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(names).most_common()) or "–"
