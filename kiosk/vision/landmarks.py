"""Landmarks, blendshapes and head pose of a face."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box, Pose
from kiosk.errors import CameraError
from kiosk.vision.pixels import Image, cut, shrink

MARGIN = 0.35
"""Of the face's box on each side. From 0.15 to 0.8 every one of 20 faces was found; 0.35 moved the points least
(0.2 % of the face's width on faces of 80 to 130 px) and leaves room for a box that misses the chin."""
LONG_SIDE = 256
"""Pixels of the crop; against the full-size one, points move by at most 0.6 % of the face's width."""
LEVEL_PITCH = -4.0
"""Degrees MediaPipe reports for a head held level: the median of 216 faces of openpeople, nearly all of them level, is −3.8."""


class Landmarks(NamedTuple):
    """`points`: float32[478, 3] in pixels of the frame, z like x and smaller towards the camera; `blendshapes`: 52 names, 0–1."""

    points: NDArray[np.float32]
    blendshapes: dict[str, float]
    pose: Pose


class Landmarker:
    """MediaPipe's FaceLandmarker, fed one crop at a time. Its own finder sees only near faces, hence the crop.

    Use as a context manager or call `close`. Threads: one at a time.
    """

    def __init__(self, model: Path) -> None:
        """Raises CameraError `system_incomplete` where the system lacks a library MediaPipe needs (libegl1, libgles2)."""
        _do_without_matplotlib()
        try:
            self._images, self._task = _create(model)
        except OSError as error:
            raise CameraError("system_incomplete", f"MediaPipe does not load: {error}") from error

    def locate(self, image: Image, box: Box) -> Landmarks | None:
        """The landmarks of the face in `box` of the picture (BGR); None where the model sees no face there."""
        region, (left, top) = cut(image, box.grown(MARGIN))
        if region.size == 0:
            return None
        height, width = region.shape[:2]
        small = np.ascontiguousarray(cv2.cvtColor(shrink(region, LONG_SIDE / max(height, width)), cv2.COLOR_BGR2RGB))
        found = self._task.detect(self._images.Image(image_format=self._images.ImageFormat.SRGB, data=small))
        if not found.face_landmarks:
            return None
        points = [(left + point.x * width, top + point.y * height, point.z * width) for point in found.face_landmarks[0]]
        return Landmarks(
            points=np.array(points, dtype=np.float32),
            blendshapes={shape.category_name: min(max(float(shape.score), 0.0), 1.0) for shape in found.face_blendshapes[0]},
            pose=pose_of(found.facial_transformation_matrixes[0]),
        )

    def close(self) -> None:
        """Gives the model back. Left to the interpreter's exit, MediaPipe complains about its own order of tear-down."""
        self._task.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pose_of(matrix: NDArray[np.floating[Any]]) -> Pose:
    """From MediaPipe's 4 × 4 matrix of the canonical face: x to the picture's right, y up, z towards the camera."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    ahead = axes[:, 2]
    yaw = np.arctan2(ahead[0], ahead[2])
    pitch = np.arctan2(ahead[1], np.hypot(ahead[0], ahead[2]))
    roll = np.arctan2(axes[1, 0], axes[1, 1])
    return Pose(float(np.degrees(yaw)), float(np.degrees(pitch)) - LEVEL_PITCH, float(np.degrees(roll)))


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


def _do_without_matplotlib() -> None:
    """MediaPipe imports matplotlib for a drawing helper that is never called here: 36 MB and 0.6 s for nothing.

    Empty stand-ins satisfy the import; where matplotlib is loaded already, it stays.
    """
    if "matplotlib" not in sys.modules:
        stand_in, plotting = types.ModuleType("matplotlib"), types.ModuleType("matplotlib.pyplot")
        vars(stand_in)["pyplot"] = plotting
        sys.modules |= {"matplotlib": stand_in, "matplotlib.pyplot": plotting}
