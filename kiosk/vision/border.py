"""Whether a face is inside a frame of its own: a sheet's or a screen's edges, straight and unbroken on all four sides of it.

Under a living chin there is a neck and a collar, not a straight line. In 1 ms, it was seen in all of 146 frames of
simulated flat and bent prints, telephones and pictures held up in a scene, in 36 of 40 tablets, and in no cut-out; in none of
774 frames of living people from seven webcam and other clips, 77 of the demo's scene, 23 press photos and 80 of openpeople.

A card with a code, held right under the chin by somebody in a door frame, gives all four as well. It has the edges of a portrait
with a code below it, and counts like one: whoever could excuse an edge by a code would print one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box
from kiosk.vision.pixels import Image, cut

AROUND = 1.0
"""How far round the face it is looked for, in parts of the box."""
HIGH = 48
"""Pixels of the face in the small copy that is looked at."""
STEP = 12
"""Grey levels between the two neighbours of a pixel that make an edge of it."""
_LEANS = np.arange(-7, 8, 2)
"""Pixels an edge may lean over its length, one more or less to either side: 9° at most."""
_ROOM = 7


def framed(image: Image, box: Box) -> bool:
    """Whether all four sides of the face in `box` of the picture (BGR) have an edge beside them, as long as the face."""
    region, (left, top) = cut(image, box.grown(AROUND))
    factor = HIGH / box.height
    skip = max(int(0.5 / factor), 1)
    green = np.ascontiguousarray(region[::skip, ::skip, 1])
    if min(green.shape) * factor * skip < 1:
        return False
    small = cv2.resize(green, None, fx=factor * skip, fy=factor * skip, interpolation=cv2.INTER_AREA).astype(np.int16)
    upright, level = _edges(small)
    face = box.moved(-left, -top).scaled(factor)
    x0, y0, x1, y1 = face.pixels(small.shape[1], small.shape[0])
    # A living face has none under its chin, so that is looked for first.
    sides = (level[y1:, x0:x1].T, level[:y0, x0:x1].T, upright[y0:y1, :x0], upright[y0:y1, x1:])
    return all(_has_line(side) for side in sides)


def _edges(grey: NDArray[np.int16]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Where upright and where level edges are."""
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, 1:-1] = np.abs(grey[:, 2:] - grey[:, :-2])
    down[1:-1] = np.abs(grey[2:] - grey[:-2])
    return ((across >= STEP) & (across > down)).astype(np.uint8), ((down >= STEP) & (down > across)).astype(np.uint8)


def _has_line(edges: NDArray[np.uint8]) -> bool:
    """Whether a straight line runs through all rows, each of its pixels on an edge or next to one."""
    long, wide = edges.shape
    # Cut short by the picture's border, it says little.
    if long < HIGH / 2 or wide < 2:
        return False
    near = np.pad(cv2.dilate(np.ascontiguousarray(edges), np.ones((1, 3), np.uint8)), ((0, 0), (_ROOM, _ROOM)))
    along = np.round(np.linspace(-0.5, 0.5, long) * _LEANS[:, None]).astype(np.intp)
    columns = np.arange(wide)[:, None] + _ROOM + along[:, None, :]
    return bool(near[np.arange(long), columns].all(axis=2).any())
