"""Says of a frame that nothing moved, so that nobody needs to be looked for in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.vision.pixels import Image

LOOK_WITHIN = 0.5
"""Seconds; so often somebody is looked for at least, however still it is."""
MOVED_FROM = 10.0
"""Grey levels by which one cell must differ from the others' difference. Sensor noise of σ = 4 moves a cell by one."""
_SAMPLES, _CELLS = 160, 40
"""Across the frame: pixels taken from it, and cells in which each four by four of them are averaged."""


class Stillness:
    """Compares each frame with the one that was looked at last, so that slow movement adds up. Threads: one at a time.

    A change of the whole picture's brightness is no movement.
    """

    def __init__(self) -> None:
        self._looked_at = self._last_at = -float("inf")
        self._known: NDArray[np.int16] | None = None

    def holds(self, image: Image, at: float) -> bool:
        """Whether the frame (BGR), captured at `at`, may be left out. If not, it counts as looked at."""
        cells = _cells(image)
        # The next frame may come too late.
        due = at - self._looked_at + at - self._last_at > LOOK_WITHIN
        self._last_at = at
        if not due and self._known is not None and self._known.shape == cells.shape and not _moved(self._known, cells):
            return True
        self._looked_at, self._known = at, cells
        return False


def _cells(image: Image) -> NDArray[np.int16]:
    height, width = image.shape[:2]
    tall = max(round(_CELLS * height / width), 1)
    each = _SAMPLES // _CELLS
    few = cv2.resize(image, (_SAMPLES, tall * each), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(cv2.cvtColor(few, cv2.COLOR_BGR2GRAY), (_CELLS, tall), interpolation=cv2.INTER_AREA).astype(np.int16)


def _moved(before: NDArray[np.int16], now: NDArray[np.int16]) -> bool:
    difference = now - before
    return bool(np.abs(difference - np.median(difference)).max() >= MOVED_FROM)
