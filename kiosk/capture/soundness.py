"""Whether a camera's pictures can be believed: frozen, looped, black, white and flickering ones are not.

A sensor's noise makes every picture of a live camera differ from all before it. One that comes again bit
for bit is an old one: a hung driver, a stalled server, or a recording in the camera's place. What was
recorded and encoded anew differs again and is not found here; that is the matter of liveness.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Literal, NamedTuple

import cv2
import numpy as np

from kiosk.capture.frame import Image
from kiosk.settings import LIVE_SCHEMES, STREAM_SCHEMES, CameraSettings

Unsound = Literal["camera_dark", "camera_saturated", "camera_flickers", "camera_frozen", "camera_looped"]

ROWS = 90
"""Rows of pixels taken out of a picture for its mark."""
BLOCKS = (20, 11)
"""Columns and rows of blocks whose brightness is looked at."""
DARK = 20.0
"""Grey value, 0–255; darker than this in every block, there is nothing to be seen."""
EVEN = 1.5
"""Standard deviation of the blocks' grey values under which something covers the lens; a bare wall has more."""
CLIPPED, WHITE = 250.0, 0.7
"""A block at this grey value or above is clipped; a picture is saturated with this share of them."""
HOLDS = 1.0
"""Seconds a picture is black or white before that counts, and sound before it is believed again: exposure adapts."""
STREAMS_LONGER = 10.0
"""How many times longer a network camera may repeat a picture: encoders do between key frames while nothing moves."""
REMEMBERED = 20_000
"""Pictures: 22 minutes at 15 a second; a longer loop is not found."""
LOOP_AT_LEAST = 1.0
"""Seconds; what comes again sooner may be a repeated buffer."""
LOOP_WINDOW, LOOP_PICTURES, LOOP_SHARE = 3.0, 12, 0.8
"""A loop: of the last seconds' changes of picture, this many different ones and this share had been seen before."""
SWING = 12.0
"""Grey values between a lit and an unlit picture of a flickering lamp; people and clouds change the middle block less fast."""
FLICKER_WINDOW, FLICKER_TURNS = 2.0, 8
"""So many turns of brightness within so many seconds: two full cycles a second. Exposure that hunts is slower."""


class Sample(NamedTuple):
    """What is kept of one picture. `mark`: equal for equal pictures; grey values 0–255, `clipped` a share 0–1."""

    mark: int
    middle: float
    spread: float
    brightest: float
    clipped: float


def sample(image: Image) -> Sample:
    """`image`: BGR; it is neither changed nor held. 0.1 ms at 1280 × 720."""
    step = max(image.shape[0] // ROWS, 1)
    part = np.ascontiguousarray(image[::step, ::step])
    blocks = np.asarray(cv2.resize(part[:, :, 1], BLOCKS, interpolation=cv2.INTER_AREA), dtype=np.float32)
    return Sample(
        mark=hash(part.tobytes()),
        middle=float(np.median(blocks)),
        spread=float(blocks.std()),
        brightest=float(blocks.max()),
        clipped=float((blocks >= CLIPPED).mean()),
    )


class Soundness:
    """Judges a camera's pictures in their order. `frozen_after`: seconds. Pure; threads: one at a time."""

    def __init__(self, frozen_after: float) -> None:
        self._frozen_after = frozen_after
        self._light = _Light()
        self._flicker = _Flicker()
        self._repeats = _Repeats()
        self._told: Unsound | None = None
        self._wrong_at = 0.0

    def look(self, at: float, seen: Sample) -> Unsound | None:
        """What is wrong with the camera's pictures, None where nothing is. `at`: capture time, rising, seconds.

        The word stays for `HOLDS` seconds after the last picture it was true of.
        """
        light, flickers = self._light.look(at, seen), self._flicker.look(at, seen.middle)
        unchanged, looped = self._repeats.look(at, seen.mark)
        wrong: Unsound | None = light
        if wrong is None and flickers:
            wrong = "camera_flickers"
        if wrong is None and unchanged >= self._frozen_after:
            wrong = "camera_frozen"
        if wrong is None and looped:
            wrong = "camera_looped"
        if wrong is not None:
            self._told, self._wrong_at = wrong, at
        elif self._told is not None and at - self._wrong_at >= HOLDS:
            self._told = None
        return self._told


class _Light:
    """Black, covered or white for long enough."""

    def __init__(self) -> None:
        self._state: Unsound | None = None
        self._since = 0.0

    def look(self, at: float, seen: Sample) -> Unsound | None:
        state: Unsound | None = None
        if seen.clipped >= WHITE:
            state = "camera_saturated"
        elif seen.brightest < DARK or seen.spread < EVEN:
            state = "camera_dark"
        if state != self._state:
            self._state, self._since = state, at
        return state if at - self._since >= HOLDS else None


class _Flicker:
    """Counts the turns of the brightness that are deeper than `SWING`."""

    def __init__(self) -> None:
        self._low = self._high = -1.0
        self._rising = True
        self._turns: deque[float] = deque()

    def look(self, at: float, level: float) -> bool:
        if self._low < 0:
            self._low = self._high = level
        self._low, self._high = min(self._low, level), max(self._high, level)
        if self._rising and level <= self._high - SWING:
            self._turn(at, level, rising=False)
        elif not self._rising and level >= self._low + SWING:
            self._turn(at, level, rising=True)
        while self._turns and self._turns[0] < at - FLICKER_WINDOW:
            self._turns.popleft()
        return len(self._turns) >= FLICKER_TURNS

    def _turn(self, at: float, level: float, *, rising: bool) -> None:
        self._rising = rising
        self._low = self._high = level
        self._turns.append(at)


class _Repeats:
    """Remembers pictures by their marks, and when each was seen last."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, float] = OrderedDict()
        self._shown: int | None = None
        self._since = 0.0
        self._changes: deque[tuple[float, int, bool]] = deque()

    def look(self, at: float, mark: int) -> tuple[float, bool]:
        """Seconds since the picture changed, and whether what changes is a loop."""
        if mark != self._shown:
            before = self._seen.get(mark)
            self._changes.append((at, mark, before is not None and at - before >= LOOP_AT_LEAST))
            self._shown, self._since = mark, at
        self._remember(at, mark)
        while self._changes and self._changes[0][0] < at - LOOP_WINDOW:
            self._changes.popleft()
        return at - self._since, self._is_loop()

    def _remember(self, at: float, mark: int) -> None:
        self._seen[mark] = at
        self._seen.move_to_end(mark)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _is_loop(self) -> bool:
        again = [mark for _, mark, repeated in self._changes if repeated]
        return len(set(again)) >= LOOP_PICTURES and len(again) >= LOOP_SHARE * len(self._changes)


def judge(settings: CameraSettings) -> Soundness | None:
    """Who judges this camera's pictures; None where they repeat by nature, or the settings say nobody shall."""
    scheme = settings.url.partition(":")[0]
    if settings.soundness == "never" or (settings.soundness == "live" and scheme not in LIVE_SCHEMES):
        return None
    return Soundness(settings.frozen_after * (STREAMS_LONGER if scheme in STREAM_SCHEMES else 1.0))
