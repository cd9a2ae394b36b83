"""What a camera gives, and what every camera is."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kiosk.errors import CameraError

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of one camera.

    `captured_at`: monotonic seconds, taken when the picture existed and before it was decoded.
    `sequence` grows from frame to frame; a replayed source leaves out the numbers of frames it skipped.
    `image`: BGR, (height, width, 3). It may be shared with later frames: copy before drawing on it.
    `unsound`: the slug of why the camera's pictures cannot be believed now; None where they can, or nobody judged.
    """

    camera: str
    sequence: int
    captured_at: float
    image: Image
    unsound: str | None = None

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"Frame({self.camera} #{self.sequence}, {width}×{height})"


class Source(Protocol):
    """A camera that is open, or something that plays its part.

    Threads: `read` belongs to one thread; `close` may be called from any, and more than once.
    """

    @property
    def opened_at(self) -> float:
        """Monotonic seconds; of a replayed source, when it was opened first of all."""

    @property
    def width(self) -> int:
        """Pixels of the frames it gives."""

    @property
    def height(self) -> int: ...

    @property
    def fps(self) -> float:
        """Frames a second it gives at most; 0 where a stream does not say."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should know of how it was opened."""

    def read(self) -> Frame:
        """Blocks until the next frame is there, and leaves out frames that nobody came for in time.

        Raises CameraError: `camera_lost` where a device stopped, `source_ended` at the end or after
        `close`, `source_invalid` where a picture cannot be read.
        """

    def close(self) -> None:
        """Gives the device back; a `read` that waits for its time ends at once."""


class Pacer:
    """When the frames of a replayed source are due: frame i at `origin` + i ÷ `fps`.

    The origin may lie in the past: then the source goes on where it would be now.
    Threads: as for Source.
    """

    def __init__(self, origin: float | None, fps: float) -> None:
        self.origin = time.monotonic() if origin is None else origin
        self.fps = fps
        self._last = -1
        self._closed = threading.Event()

    def wait(self) -> tuple[int, float]:
        """Sleeps until the next frame is due; its number, and when it was due (monotonic seconds).

        Raises CameraError `source_ended` once closed.
        """
        now = time.monotonic()
        index = max(math.floor((now - self.origin) * self.fps), self._last + 1)
        due = self.origin + index / self.fps
        if self._closed.wait(max(due - now, 0.0)):
            raise CameraError("source_ended", "closed")
        self._last = index
        return index, due

    def close(self) -> None:
        self._closed.set()
