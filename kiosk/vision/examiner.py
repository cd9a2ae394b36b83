"""Examines one camera's frames: the whole of the eye's seeing behind one call."""

from __future__ import annotations

import secrets
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from kiosk.domain import Box, Embedding, Ended, Face, PresentationEvent, Probe, QualityReport, Shot
from kiosk.ports import Stage
from kiosk.settings import EyeSettings, LivenessPolicy, LivenessSettings, PresentationSettings, QualitySettings
from kiosk.vision.assessor import MOST_FACES, Assessor, Networks, load
from kiosk.vision.challenge import looks_ahead
from kiosk.vision.crowd import Gathering
from kiosk.vision.finder import SAME_OVERLAP, Finder
from kiosk.vision.live_sample import LiveSample, Wanted
from kiosk.vision.liveness import LivenessJudge
from kiosk.vision.pixels import Image
from kiosk.vision.presentation import Drop, Keep, PresentationTracker, Send, Step
from kiosk.vision.probe import crop, encode, moved, upright
from kiosk.vision.stillness import Stillness
from kiosk.vision.tracking import cosine

_WARM = 112
"""Pixels of the picture that warms the embedder up: what it takes."""


_MASKED = frozenset({"worn", "mouth_only"})
"""What leaves only the upper face to compare."""


class Examination(NamedTuple):
    """What one frame brought; nothing where nobody was there before it and nothing moved.

    `present`: presentations whose face is in this frame; `faces` by falling area, each with its presentation as
    `track`; `told`: what each of them was told last; `stage_seconds`: for each stage that ran.
    """

    events: tuple[PresentationEvent, ...]
    present: tuple[int, ...]
    faces: tuple[tuple[Face, QualityReport], ...]
    told: dict[int, str]
    stage_seconds: dict[Stage, float]


class _Kept(NamedTuple):
    """A copy of the best face so far, and the face in pixels of that copy and of its frame."""

    image: Image
    inside: Face
    face: Face
    captured_at: float


class _Sighting:
    """One face of the frame at hand: a `tracking.Sighting`."""

    def __init__(self, image: Image, face: Face, assessor: Assessor, networks: Networks) -> None:
        self.face = face
        self._image = image
        self._assessor = assessor
        self._networks = networks

    def graded(self, *, closely: bool) -> tuple[Face, QualityReport]:
        return self._assessor.grade(self._image, self.face, closely)[:2]

    def embedding(self) -> Embedding | None:
        return self._embedding

    def glance(self) -> Embedding | None:
        return self._glance

    @cached_property
    def _glance(self) -> Embedding | None:
        embedder = self._networks.embedder
        if embedder is None:
            return None
        with self._assessor.watch.stage("glance"):
            return embedder.glance(self._image, self.face)

    def sample(self, at: float, face: Face, wanted: Wanted, known: Embedding | None) -> LiveSample:
        if wanted.moves and face.pose is None:
            face, _ = self._assessor.locate(self._image, face)
        compares = known is not None and wanted.likeness and face.pose is not None and looks_ahead(face.pose)
        embedding = self._embedding if compares else None
        likeness = cosine(known, embedding) if known is not None and embedding is not None else None
        antispoof = self._networks.antispoof
        if antispoof is None or not wanted.vote:
            return LiveSample(at, face.box, pose=face.pose, blendshapes=face.blendshapes, likeness=likeness)
        with self._assessor.watch.stage("liveness"):
            return antispoof.sample(self._image, face, at, likeness)

    @cached_property
    def _embedding(self) -> Embedding | None:
        embedder = self._networks.embedder
        if embedder is None:
            return None
        with self._assessor.watch.stage("compare"):
            return embedder.embed(self._image, self.face)


class Examiner:
    """Use as a context manager or call `close`. Threads: one at a time."""

    def __init__(
        self,
        camera: str,
        quality: QualitySettings,
        presentation: PresentationSettings,
        eye: EyeSettings,
        models_dir: Path,
        *,
        embed: bool,
        first_presentation: int,
        policy: LivenessPolicy = "off",
        liveness: LivenessSettings | None = None,
        crowd: bool = False,
    ) -> None:
        """`embed`: whether probes carry an embedding. The embeddings that tell whether somebody
        is still there, or did what a challenge asked, never leave the eye. `crowd`: shots of people who are there together come
        as one.

        Raises CameraError `model_missing` or `model_invalid`.
        """
        self._camera = camera
        self._settings = presentation
        # A challenge is of one person: that its place in the picture cannot tell.
        self._compares = presentation.identity == "embedding" or policy in ("passive+challenge", "challenge")
        self._networks = load(models_dir, eye, (eye.find_width,), embed=embed or self._compares, mask=True, live=policy != "off")
        self._embeds = embed
        self._assessor = Assessor(self._networks, quality)
        self._liveness, self._policy = liveness or LivenessSettings(), policy
        self._tracker = PresentationTracker(presentation, first_presentation, self._judge)
        self._gathering = Gathering() if crowd else None
        self._stillness = Stillness()
        self._kept: dict[int, _Kept] = {}
        if self._networks.embedder is not None:
            # The first call takes several times as long as the rest; nobody shall stand there for it.
            blank = np.zeros((_WARM, _WARM, 3), np.uint8)
            self._networks.embedder.embed(blank, _face_of(blank))

    def examine(self, image: Image, captured_at: float) -> Examination:
        """`image`: BGR; it is neither changed nor held. `captured_at`: monotonic seconds, rising from call to call."""
        watch = self._assessor.watch
        watch.reset()
        with watch.stage("motion"):
            still = self._stillness.holds(image, captured_at)
        if still and not self._tracker.following:
            return Examination((), (), (), {}, watch.seconds)
        with watch.stage("find"):
            faces = self._networks.finder.find(image)[:MOST_FACES]
        networks = self._networks if self._compares else self._networks._replace(embedder=None)
        sightings = [_Sighting(image, face, self._assessor, networks) for face in faces]
        step = self._tracker.step(captured_at, sightings, (image.shape[1], image.shape[0]))
        events = self._carry_out(step, image, captured_at)
        if self._gathering is not None:
            present = [seen.face.track for seen in step.seen]
            events = self._gathering.take(events, present, captured_at, (image.shape[1], image.shape[0]))
        return Examination(
            events=events,
            present=tuple(seen.face.track for seen in step.seen),
            faces=tuple((seen.face, seen.report) for seen in step.seen),
            told={seen.face.track: seen.told for seen in step.seen},
            stage_seconds=watch.seconds,
        )

    def outcome(self, presentation: int, result: str, at: float) -> None:
        """How the last probe of `presentation` fared, at monotonic seconds `at`.

        `refused` allows another one after `retry_after`; `granted`, `final` and anything else allow none.
        """
        self._tracker.outcome(presentation, result, at)

    def close(self) -> None:
        self._networks.landmarker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry_out(self, step: Step, image: Image, captured_at: float) -> tuple[PresentationEvent, ...]:
        events: list[PresentationEvent] = []
        for action in step.actions:
            match action:
                case Keep(presentation, seen):
                    self._kept[presentation] = self._keep(image, seen.face, captured_at)
                case Drop(presentation):
                    del self._kept[presentation]
                case Send():
                    events.append(self._shoot(action))
                case Ended(presentation):
                    self._kept.pop(presentation, None)
                    events.append(action)
                case event:
                    events.append(event)
        return tuple(events)

    def _keep(self, image: Image, face: Face, captured_at: float) -> _Kept:
        copy, (left, top) = crop(image, face)
        return _Kept(copy, moved(face, -left, -top), face, captured_at)

    def _shoot(self, send: Send) -> Shot:
        kept = self._kept.pop(send.presentation)
        watch = self._assessor.watch
        with watch.stage("encode"):
            jpeg, size = encode(kept.image, kept.inside, self._settings)
        masked = send.report.mask in _MASKED
        embedding, upper = self._compared_by(kept, masked=masked)
        probe = Probe(
            presentation=send.presentation,
            camera=self._camera,
            captured_at=kept.captured_at,
            jpeg=jpeg,
            size=size,
            face=kept.face,
            quality=send.report,
            embedding=embedding,
            upper=upper,
            masked=masked,
        )
        return Shot(probe=probe, usable_at=send.usable_at, attempt=send.attempt, liveness=send.liveness)

    def _judge(self) -> LivenessJudge | None:
        return None if self._policy == "off" else LivenessJudge(self._liveness, self._policy, secrets.randbits(64))

    def _compared_by(self, kept: _Kept, *, masked: bool) -> tuple[bytes | None, bytes | None]:
        """Embedding, and that of the upper face where a mask is worn; nothing where nobody asked."""
        watch, finder, embedder = self._assessor.watch, self._networks.finder, self._networks.embedder
        if embedder is None or not self._embeds:
            return None, None
        # As the probe shows it: the points found of a leaning head lean too little to align it by.
        kept = kept._replace(image=upright(kept.image, kept.inside))
        with watch.stage("find"):
            face = _closer(finder, kept)
        with watch.stage("embed"):
            return embedder.embed(kept.image, face), embedder.embed_upper(kept.image, face) if masked else None


def _face_of(image: Image) -> Face:
    """The whole picture taken for a face."""
    side = float(image.shape[0])
    eyes, mouth = ((0.3 * side, 0.4 * side), (0.7 * side, 0.4 * side)), ((0.35 * side, 0.8 * side), (0.65 * side, 0.8 * side))
    return Face(box=Box(0, 0, side, side), score=1.0, points=(*eyes, (0.5 * side, 0.6 * side), *mouth))


def _closer(finder: Finder, kept: _Kept) -> Face:
    """The kept face as it is found in its own crop, where a far one is many times as large as in the frame's small copy.

    Of faces that are 5 to 7 % as wide as the frame, the cosine to other pictures of the person rises by 0.04 to 0.06.
    """
    again = [face for face in finder.find(kept.image) if face.box.overlap(kept.inside.box) >= SAME_OVERLAP]
    return max(again, key=lambda face: face.box.overlap(kept.inside.box), default=kept.inside)
