"""Finds and grades every face of a picture: what watching and photos have in common."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec

from kiosk.domain import Face, QualityReport
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision import models
from kiosk.vision.embedding import Embedder
from kiosk.vision.finder import Finder
from kiosk.vision.landmarks import Landmarker, Landmarks
from kiosk.vision.mask import MaskClassifier
from kiosk.vision.pixels import Image
from kiosk.vision.quality import Signals, geometry_holds, grade
from kiosk.vision.sharpness import measure

MOST_FACES = 20
"""Faces of one picture that are looked at; the largest ones."""


class Stopwatch:
    """Seconds spent in each stage since the last `reset`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def reset(self) -> None:
        self.seconds = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
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


def load(models_dir: Path, eye: EyeSettings, find_widths: tuple[int, ...], *, embed: bool, mask: bool) -> Networks:
    """Loads the models side by side. Raises CameraError `model_missing` or `model_invalid`."""
    cv2.setNumThreads(eye.threads)
    with ThreadPoolExecutor() as pool:
        landmarker = pool.submit(lambda: Landmarker(models.path(models_dir, "landmarks")))
        embedder = pool.submit(lambda: Embedder(models.path(models_dir, "embedding"))) if embed else None
        masks = pool.submit(lambda: MaskClassifier(models.path(models_dir, "mask"))) if mask else None
        finder = Finder(models.path(models_dir, "finder"), *find_widths)
        return Networks(
            finder=finder,
            landmarker=landmarker.result(),
            embedder=embedder.result() if embedder else None,
            masks=masks.result() if masks else None,
        )


class Assessed(NamedTuple):
    """`face` has pose and blendshapes where landmarks were looked for and found; `landmarks` are those."""

    face: Face
    report: QualityReport
    landmarks: Landmarks | None = None


class Assessor:
    """Looks more closely only at faces for which it can change the answer. Threads: one at a time."""

    def __init__(self, networks: Networks, settings: QualitySettings, closely: int = MOST_FACES) -> None:
        """`closely`: at most so many faces of a picture, the largest, are measured and get landmarks."""
        self._networks = networks
        self._settings = settings
        self._closely = closely
        self.watch = Stopwatch()

    def assess(self, image: Image) -> list[tuple[Face, QualityReport]]:
        """The faces of the picture (BGR) by falling area, at most `MOST_FACES`, with pose and blendshapes where known."""
        self.watch.reset()
        with self.watch.stage("find"):
            faces = self._networks.finder.find(image)[:MOST_FACES]
        return [self.grade(image, face, number < self._closely)[:2] for number, face in enumerate(faces)]

    def grade(self, image: Image, face: Face, closely: bool = True) -> Assessed:
        """How good the picture of one face is."""
        frame = image.shape[1], image.shape[0]
        if not closely or not geometry_holds(face, frame, self._settings):
            return Assessed(face, grade(Signals(face, frame), self._settings))
        with self.watch.stage("quality"):
            light = measure(image, face.box)
            signals = Signals(face, frame, *(light or (None, None)))
            report = grade(signals, self._settings)
        if report.defects != ("landmarks_missing",):
            # Too dark or blurred: no pose can make this picture usable.
            return Assessed(face, report)
        face, found = self.locate(image, face)
        if found is None:
            return Assessed(face, report)
        with self.watch.stage("quality"):
            return Assessed(face, grade(msgspec.structs.replace(signals, face=face), self._settings), found)

    def locate(self, image: Image, face: Face) -> tuple[Face, Landmarks | None]:
        """The face with pose and blendshapes, and its landmarks; as it was, and None, where no landmarks are found."""
        with self.watch.stage("landmarks"):
            found = self._networks.landmarker.locate(image, face.box)
        if found is None:
            return face, None
        return msgspec.structs.replace(face, pose=found.pose, blendshapes=found.blendshapes), found
