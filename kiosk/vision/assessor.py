"""Finds and grades every face of a picture: what watching and photos have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec

from kiosk.domain import Face, QualityReport
from kiosk.ports import Stage
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision import landmarks, models
from kiosk.vision.antispoof import AntiSpoof
from kiosk.vision.embedding import Embedder
from kiosk.vision.finder import Finder
from kiosk.vision.landmarks import Landmarker, Landmarks
from kiosk.vision.light import exposure
from kiosk.vision.mask import UNKNOWN, MaskClassifier
from kiosk.vision.measures import Signals
from kiosk.vision.occlusion import cover_of, how_masked, may_be_masked
from kiosk.vision.pixels import Image, cut, grey
from kiosk.vision.quality import geometry_holds, grade
from kiosk.vision.sharpness import measure

MOST_FACES = 20
"""Faces of one picture that are looked at; the largest ones."""


_ABOUT_COVERS = frozenset({"eyes_closed", "mask_off", "parts_unseen"})
"""What may turn out otherwise once the face's covers have been looked at."""


class Stopwatch:
    """Seconds spent in each stage since the last `reset`."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {}

    def reset(self) -> None:
        self.seconds = {}

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


class Networks(NamedTuple):
    finder: Finder
    landmarker: Landmarker
    embedder: Embedder | None
    masks: MaskClassifier | None
    antispoof: AntiSpoof | None = None


def load(
    models_dir: Path, eye: EyeSettings, find_widths: tuple[int, ...], *, embed: bool, mask: bool = False, live: bool = False
) -> Networks:
    """Loads the models side by side. Raises CameraError `model_missing`, `model_invalid` or `system_incomplete`."""
    cv2.setNumThreads(eye.threads)
    # Before the threads begin: where two of them make msgspec look at the same new types at once, it crashes.
    models.manifest()
    with ThreadPoolExecutor() as pool:
        landmarker = pool.submit(lambda: landmarks.load(models.path(models_dir, "landmarks"), eye.landmarker, eye.threads))
        embedder = pool.submit(lambda: Embedder(models.path(models_dir, "embedding"))) if embed else None
        masks = pool.submit(lambda: MaskClassifier(models.path(models_dir, "mask"))) if mask else None
        antispoof = pool.submit(lambda: AntiSpoof(models.path(models_dir, "antispoof"), eye.threads)) if live else None
        finder = Finder(models.path(models_dir, "finder"), *find_widths)
        return Networks(
            finder=finder,
            landmarker=landmarker.result(),
            embedder=embedder.result() if embedder else None,
            masks=masks.result() if masks else None,
            antispoof=antispoof.result() if antispoof else None,
        )


class Assessed(NamedTuple):
    """`face` has pose and blendshapes where landmarks were looked for and found; `landmarks` are those."""

    face: Face
    report: QualityReport
    landmarks: Landmarks | None = None


class Assessor:
    """Looks more closely only at faces for which it can change the answer. Threads: one at a time."""

    def __init__(
        self,
        networks: Networks,
        settings: QualitySettings,
        closely: int = MOST_FACES,
        masks: Callable[[], MaskClassifier | None] | None = None,
    ) -> None:
        """`closely`: at most so many faces of a picture, the largest, are measured and get landmarks.

        `masks` is called when a face may wear one; by default it gives the networks' own classifier. Without one, a covered mouth
        is never known to be under a mask.
        """
        self._networks = networks
        self._settings = settings
        self._closely = closely
        self._masks = masks or (lambda: networks.masks)
        self.watch = Stopwatch()

    def assess(self, image: Image) -> list[tuple[Face, QualityReport]]:
        """The faces of the picture (BGR) by falling area, at most `MOST_FACES`, with pose and blendshapes where known."""
        self.watch.reset()
        with self.watch.stage("find"):
            faces = self._networks.finder.find(image)[:MOST_FACES]
        return [self.grade(image, face, n < self._closely, others(faces, n))[:2] for n, face in enumerate(faces)]

    def closely(self, image: Image, face: Face, second: float = 0.0) -> Assessed:
        """All that can be known of one face, whatever its defects: for whoever wants figures rather than an answer."""
        light, (face, found) = self._light(image, face), self.locate(image, face)
        signals = self._covered(image, msgspec.structs.replace(light, face=face, second=second), found)
        return Assessed(face, grade(signals, self._settings), found)

    def grade(self, image: Image, face: Face, closely: bool = True, second: float = 0.0) -> Assessed:
        """How good the picture of one face is. `second`: area of the largest other face in parts of this one's."""
        frame = image.shape[1], image.shape[0]
        if not closely or not geometry_holds(face, frame, self._settings):
            return Assessed(face, grade(Signals(face, frame, second=second), self._settings))
        signals = msgspec.structs.replace(self._light(image, face), second=second)
        report = grade(signals, self._settings)
        if report.defects != ("landmarks_missing",):
            # Too dark or blurred: no pose can make this picture usable.
            return Assessed(face, report)
        face, found = self.locate(image, face)
        if found is None:
            return Assessed(face, report)
        signals = msgspec.structs.replace(signals, face=face)
        report = grade(signals, self._settings)
        if report.defects and not set(report.defects) & _ABOUT_COVERS:
            return Assessed(face, report, found)
        return Assessed(face, grade(self._covered(image, signals, found), self._settings), found)

    def _light(self, image: Image, face: Face) -> Signals:
        with self.watch.stage("quality"):
            frame = image.shape[1], image.shape[0]
            region, _ = cut(image, face.box)
            if region.size == 0:
                return Signals(face, frame)
            inside = grey(region)
            luma, detail = measure(inside)
            return Signals(face, frame, luma, detail, exposure(inside))

    def _covered(self, image: Image, signals: Signals, found: Landmarks | None) -> Signals:
        if found is None:
            return signals
        with self.watch.stage("quality"):
            cover = cover_of(image, found.points)
        worn = UNKNOWN
        if may_be_masked(cover) and (masks := self._masks()) is not None:
            with self.watch.stage("mask"):
                worn = masks.worn(image, signals.face.box)
        return msgspec.structs.replace(signals, cover=cover, mask=how_masked(cover, worn))

    def locate(self, image: Image, face: Face) -> tuple[Face, Landmarks | None]:
        """The face with pose and blendshapes, and its landmarks; as it was, and None, where no landmarks are found."""
        with self.watch.stage("landmarks"):
            found = self._networks.landmarker.locate(image, face.box)
        if found is None:
            return face, None
        return msgspec.structs.replace(face, pose=found.pose, blendshapes=found.blendshapes), found


def others(faces: Sequence[Face], number: int) -> float:
    """Area of the largest of the other faces in parts of that of face `number`; 0 where it is alone."""
    return max((face.box.area / faces[number].box.area for n, face in enumerate(faces) if n != number), default=0.0)
