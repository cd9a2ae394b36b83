"""Puts the shots of people who are there together into one picture, so that one question asks about all of them.

The picture shows the very crops that passed the gate, side by side, and nobody else who happens to be in view.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from kiosk.domain import MOST_TOGETHER, Box, Crowd, Ended, PresentationEvent, Probe, Shot
from kiosk.vision.pixels import Image, encode_jpeg, shrink
from kiosk.vision.probe import MARGIN, MAX_BYTES

GATHER = 0.4
"""Seconds that the first shot waits for the others at most: their faces are found good within some frames of each other."""
LONG_SIDE = 2000
"""Pixels of the picture: the vendor takes 4000, in more time."""
GAP = 16
"""Pixels between the crops, so that no finder takes two for one."""
_GREY = 128
_QUALITIES = (90, 80, 70, 60, 50)


class Gathering:
    """Holds shots until everybody in view has one, or the first has waited for `GATHER`. Threads: one at a time."""

    def __init__(self) -> None:
        self._held: list[Shot] = []
        self._since = 0.0
        self._asked: set[int] = set()

    def take(
        self, events: Iterable[PresentationEvent], present: Iterable[int], at: float, frame: tuple[int, int]
    ) -> tuple[PresentationEvent, ...]:
        """The events of one frame of `frame` pixels (width, height), captured at `at`, with shots held back or put together."""
        passed = [event for event in events if not self._holds(event, at)]
        waited = at - self._since >= GATHER or len(self._held) == MOST_TOGETHER
        if self._held and (waited or self._asked.issuperset(present)):
            passed += _together(self._held, frame)
            self._held = []
        return tuple(passed)

    def _holds(self, event: PresentationEvent, at: float) -> bool:
        if isinstance(event, Shot):
            self._since = self._since if self._held else at
            self._held.append(event)
            self._asked.add(event.probe.presentation)
            return True
        if isinstance(event, Ended):
            self._held = [shot for shot in self._held if shot.probe.presentation != event.presentation]
            self._asked.discard(event.presentation)
        return False


def _together(shots: list[Shot], frame: tuple[int, int]) -> Iterator[PresentationEvent]:
    """Ten at a time; who is left alone is a shot like any other."""
    for start in range(0, len(shots), MOST_TOGETHER):
        some = tuple(shots[start : start + MOST_TOGETHER])
        yield some[0] if len(some) == 1 else group(some, frame)


def group(shots: tuple[Shot, ...], frame: tuple[int, int]) -> Crowd:
    """One picture of the probes in rows, as square as may be, with where each face is in it."""
    tiles = [_decoded(shot.probe) for shot in shots]
    across = math.ceil(math.sqrt(len(tiles)))
    wide = max(tile.shape[1] for tile in tiles) + GAP
    high = max(tile.shape[0] for tile in tiles) + GAP
    canvas = np.full((high * math.ceil(len(tiles) / across) + GAP, wide * across + GAP, 3), _GREY, np.uint8)
    boxes = []
    for number, (tile, shot) in enumerate(zip(tiles, shots, strict=True)):
        row, column = divmod(number, across)
        top, left = GAP + row * high, GAP + column * wide
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
        boxes.append(face_in(shot.probe, frame).moved(left, top))
    picture = shrink(canvas, LONG_SIDE / max(canvas.shape[:2]))
    factor = picture.shape[1] / canvas.shape[1]
    size = picture.shape[1], picture.shape[0]
    return Crowd(shots, _encoded(picture), size, tuple(box.scaled(factor) for box in boxes))


def face_in(probe: Probe, frame: tuple[int, int]) -> Box:
    """The face's box in pixels of the probe's own picture, which is the grown box as far as it lies in the frame."""
    face = probe.face.box
    left, top, right, bottom = face.grown(MARGIN).pixels(*frame)
    across, down = probe.size[0] / max(right - left, 1), probe.size[1] / max(bottom - top, 1)
    x, y = max(face.x - left, 0) * across, max(face.y - top, 0) * down
    wide, high = min((face.right - left) * across, probe.size[0]) - x, min((face.bottom - top) * down, probe.size[1]) - y
    return Box(x, y, max(wide, 1), max(high, 1))


def _decoded(probe: Probe) -> Image:
    tile = cv2.imdecode(np.frombuffer(probe.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert tile is not None, "the eye's own JPEG"
    return np.asarray(tile, dtype=np.uint8)


def _encoded(picture: Image) -> bytes:
    """Within what every interface takes; at the lowest quality whatever it comes to, which the engine may refuse."""
    jpeg = b""
    for quality in _QUALITIES:
        jpeg = encode_jpeg(picture, quality)
        if len(jpeg) <= MAX_BYTES:
            break
    return jpeg
