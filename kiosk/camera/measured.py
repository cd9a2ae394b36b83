"""What a probe of a camera finds, and what follows from it for faces. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

FACE = 0.16
"""Metres: the width of an adult's face."""
DISTANCES = (0.5, 1.0, 2.0)
"""Metres."""
FIELD = 70.0
"""Degrees from the left to the right edge of the picture: what most webcams have."""


class Orders(Struct, frozen=True):
    """What the probing child is told. `camera`: a CameraSettings as a JSON object; `parent`: the asker's process id."""

    camera: dict[str, object]
    seconds: float
    parent: int


class Measured(Struct, frozen=True):
    """`told_fps`: what the camera says, 0 where it does not; `fps`, `frames`: what came in `seconds`.

    `interval_ms`: between frames, of the median, the 95th percentile and the longest; `brightness`: grey value of the middle
    of the picture, 0–255; `clipped`: the share of it that is white; `unsound`: slugs, None where recordings are not judged.
    """

    width: int
    height: int
    told_fps: float
    frames: int
    seconds: float
    fps: float
    interval_ms: dict[str, float]
    brightness: float
    clipped: float
    unsound: tuple[str, ...] | None
    notes: tuple[str, ...]


class Failed(Struct, frozen=True):
    slug: str
    detail: str


def face_pixels(width: int, distance: float, field: float = FIELD) -> float:
    """How many pixels wide a face at `distance` metres is, in a picture `width` pixels and `field` degrees wide."""
    return width * FACE / (2 * distance * math.tan(math.radians(field) / 2))


def intervals(times: Sequence[float]) -> dict[str, float]:
    """Milliseconds between frames; empty with fewer than two."""
    if len(times) < 2:
        return {}
    steps = 1000 * np.diff(times)
    median, late = np.percentile(steps, (50, 95))
    return {"median": round(float(median), 1), "p95": round(float(late), 1), "longest": round(float(steps.max()), 1)}
