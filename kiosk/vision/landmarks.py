"""Landmarks, blendshapes and head pose of a face: the values, the choice of the engine, and what the engines share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box, Pose
from kiosk.errors import CameraError
from kiosk.processor import runs_mediapipe
from kiosk.vision.pixels import Image, cut, shrink

MARGIN = 0.35
"""Of the face's box on each side. From 0.15 to 0.8 every one of 20 faces was found; 0.35 moved the points least
(0.2 % of the face's width on faces of 80 to 130 px) and leaves room for a box that misses the chin."""
LONG_SIDE = 256
"""Pixels of the crop; against the full-size one, points move by at most 0.6 % of the face's width."""
LEVEL_PITCH = -4.0
"""Degrees MediaPipe reports for a head held level: the median of 216 faces of openpeople, nearly all of them level, is −3.8."""

EngineName = Literal["mediapipe", "litert"]


class Landmarks(NamedTuple):
    """`points`: float32[478, 3] in pixels of the frame, z like x and smaller towards the camera; `blendshapes`: 52 names, 0–1."""

    points: NDArray[np.float32]
    blendshapes: dict[str, float]
    pose: Pose


class Mesh(NamedTuple):
    """What an engine sees in a crop.

    `points`: float[478, 3], x in widths of the crop, y in its heights, z in widths; `blendshapes`: 52 names, about 0–1;
    `matrix`: float[4, 4], which turns, scales and moves MediaPipe's canonical face to where this one is.
    """

    points: NDArray[np.floating[Any]]
    blendshapes: Mapping[str, float]
    matrix: NDArray[np.floating[Any]]


class Engine(Protocol):
    """Threads: one at a time."""

    def look(self, crop: Image) -> Mesh | None:
        """The face in the crop (RGB, contiguous); None where there is none."""

    def close(self) -> None: ...


class Landmarker:
    """An engine fed one crop at a time. The networks see only near faces, hence the crop.

    Use as a context manager or call `close`. Threads: one at a time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def locate(self, image: Image, box: Box) -> Landmarks | None:
        """The landmarks of the face in `box` of the picture (BGR); None where the model sees no face there."""
        region, (left, top) = cut(image, box.grown(MARGIN))
        if region.size == 0:
            return None
        height, width = region.shape[:2]
        small = np.ascontiguousarray(cv2.cvtColor(shrink(region, LONG_SIDE / max(height, width)), cv2.COLOR_BGR2RGB))
        mesh = self._engine.look(np.asarray(small, dtype=np.uint8))
        if mesh is None:
            return None
        return Landmarks(
            points=(mesh.points * (width, height, width) + (left, top, 0)).astype(np.float32),
            blendshapes={name: min(max(float(score), 0.0), 1.0) for name, score in mesh.blendshapes.items()},
            pose=pose_of(mesh.matrix),
        )

    def close(self) -> None:
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(model: Path, landmarker: Literal["auto"] | EngineName, threads: int) -> Landmarker:
    """The landmarker on the engine the settings name; `model` is MediaPipe's `face_landmarker.task`.

    Raises CameraError `system_incomplete` where the processor or the system lacks what the engine needs.
    """
    # Imported here: only the chosen engine is loaded, because MediaPipe's import alone ends the process on some processors.
    if engine_for(landmarker) == "litert":
        from kiosk.vision.landmarks_litert import LiteRtEngine  # noqa: PLC0415

        return Landmarker(LiteRtEngine(model, threads))
    from kiosk.vision.landmarks_mediapipe import MediaPipeEngine  # noqa: PLC0415

    return Landmarker(MediaPipeEngine(model))


def engine_for(landmarker: Literal["auto"] | EngineName) -> EngineName:
    """`auto`: MediaPipe where the processor can run it. Raises CameraError `system_incomplete` where it is told to and cannot."""
    if landmarker == "auto":
        return "mediapipe" if runs_mediapipe() else "litert"
    if landmarker == "mediapipe" and not runs_mediapipe():
        raise CameraError("system_incomplete", "MediaPipe does not run on this processor; set eye.landmarker = 'auto'")
    return landmarker


def pose_of(matrix: NDArray[np.floating[Any]]) -> Pose:
    """From MediaPipe's 4 × 4 matrix of the canonical face: x to the picture's right, y up, z towards the camera."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    ahead = axes[:, 2]
    yaw = np.arctan2(ahead[0], ahead[2])
    pitch = np.arctan2(ahead[1], np.hypot(ahead[0], ahead[2]))
    roll = np.arctan2(axes[1, 0], axes[1, 1])
    return Pose(float(np.degrees(yaw)), float(np.degrees(pitch)) - LEVEL_PITCH, float(np.degrees(roll)))
