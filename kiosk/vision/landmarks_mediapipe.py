"""The landmark engine of MediaPipe: its FaceLandmarker, as it comes."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kiosk.errors import CameraError
from kiosk.vision.landmarks import Mesh
from kiosk.vision.pixels import Image


class MediaPipeEngine:
    """Threads: one at a time."""

    def __init__(self, model: Path) -> None:
        """Raises CameraError `system_incomplete` where the system lacks a library MediaPipe needs (libegl1, libgles2)."""
        try:
            with _without_matplotlib():
                self._images, self._task = _create(model)
        except OSError as error:
            raise CameraError("system_incomplete", f"MediaPipe does not load: {error}") from error

    def look(self, crop: Image) -> Mesh | None:
        found = self._task.detect(self._images.Image(image_format=self._images.ImageFormat.SRGB, data=crop))
        # A face all of whose points fall together has landmarks and no matrix.
        if not found.face_landmarks or not found.facial_transformation_matrixes:
            return None
        return Mesh(
            points=np.array([(point.x, point.y, point.z) for point in found.face_landmarks[0]]),
            blendshapes={shape.category_name: shape.score for shape in found.face_blendshapes[0]},
            matrix=found.facial_transformation_matrixes[0],
        )

    def close(self) -> None:
        """Gives the model back. Left to the interpreter's exit, MediaPipe complains about its own order of tear-down."""
        self._task.close()


def _create(model: Path) -> tuple[Any, Any]:
    """MediaPipe's module of pictures, and the task."""
    # Imported here: it takes 0.3 s and 70 MB, which only the eye should pay, and only when it looks.
    from mediapipe.tasks.python.core.base_options import BaseOptions  # noqa: PLC0415
    from mediapipe.tasks.python.vision.core import image as images  # noqa: PLC0415
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions  # noqa: PLC0415

    options = FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    return images, FaceLandmarker.create_from_options(options)


@contextmanager
def _without_matplotlib() -> Iterator[None]:
    """MediaPipe imports matplotlib for a drawing helper that is never called here: 36 MB and 0.6 s for nothing.

    Empty stand-ins satisfy the import; where matplotlib is loaded already, it stays, and it can be loaded afterwards.
    """
    names = ("matplotlib", "matplotlib.pyplot")
    if names[0] in sys.modules:
        yield
        return
    stand_in, plotting = (types.ModuleType(name) for name in names)
    vars(stand_in)["pyplot"] = plotting
    sys.modules |= dict(zip(names, (stand_in, plotting), strict=True))
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
