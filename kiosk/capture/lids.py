"""Shut eyes drawn into a face that looks ahead, from another picture of the same person."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.capture.frame import Image
from kiosk.capture.movements import Performer, Triangle

_REACH = 0.68, 0.6
"""Half of what is drawn across and down, in widths of the eye."""
_SOFT = 3.0
"""Standard deviation of the rim, in pixels of the original picture."""


def drawn(ahead: Image, down: Image, performer: Performer, scale: float) -> Image:
    """`ahead` and `down`: what is cut out of the pictures that look ahead and that nod, both at `scale`."""
    face = ahead.astype(np.float32)
    for shut, onto in zip(performer.lids.shut, performer.lids.onto, strict=True):
        here, there = _inside(onto, performer.look_ahead.part, scale), _inside(shut, performer.nod.part, scale)
        size = face.shape[1], face.shape[0]
        lid = cv2.warpAffine(down, cv2.getAffineTransform(there, here), size, flags=cv2.INTER_LINEAR)
        share = _patch(size, here, _SOFT * scale)
        face = face * (1 - share) + lid.astype(np.float32) * share
    return np.clip(face, 0, 255).astype(np.uint8)


def _inside(points: Triangle, part: tuple[int, int, int, int], scale: float) -> NDArray[np.float32]:
    return ((np.asarray(points, np.float32) - part[:2]) * scale).astype(np.float32)


def _patch(size: tuple[int, int], eye: NDArray[np.float32], soft: float) -> NDArray[np.float32]:
    """float32[h, w, 1]: 1 over the eye, 0 away from it."""
    outer, inner, _ = eye
    (x, y), wide = (outer + inner) / 2, float(np.linalg.norm(outer - inner))
    share = np.zeros(size[::-1], np.float32)
    axes = round(16 * wide * _REACH[0]), round(16 * wide * _REACH[1])
    cv2.ellipse(share, (round(16 * x), round(16 * y)), axes, 0, 0, 360, 1.0, cv2.FILLED, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(share, (0, 0), soft), np.float32)[..., None]
