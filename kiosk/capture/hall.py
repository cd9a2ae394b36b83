"""The empty entrance hall a scene plays in, and the sensor noise over it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.capture.frame import Image
from kiosk.capture.motion import DOOR, HALL

NOISE_DEPTH = 6
"""Largest value the noise adds; the hall is painted darker by half of it."""

NOISE_ROOM = 64
"""Pixels the noise is larger than the frame: so many different corners, squared."""

_BACK = (0.22, 0.757, 0.78)
"""Left, floor line, right of the back wall, as shares of the picture."""
_WALL, _BACK_WALL, _FLOOR = (158, 168, 173), (172, 183, 188), (104, 114, 124)
_BEYOND, _FRAME, _JAMB = (196, 206, 210), (84, 90, 96), (58, 60, 64)
_SHIFT = 4
_ONE = 1 << _SHIFT


def paint(width: int, height: int) -> Image:
    """A hall with side walls, a back door and the jambs of the camera's own door; (height, width, 3) BGR."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = _WALL
    left, floor, right = _BACK
    _area(picture, [(left, 0), (right, 0), (right, floor), (left, floor)], _BACK_WALL)
    _area(picture, [(left, floor), (right, floor), (0.89, 1), (0.11, 1)], _FLOOR)
    _area(picture, [(0.10, 0.18), (0.18, 0.19), (0.18, 0.50), (0.10, 0.56)], (140, 138, 118))
    _back_door(picture)
    for foot in (0.25, 0.75):
        _line(picture, (foot * 0.56 + 0.22, floor), (foot * 0.78 + 0.11, 1.0), (96, 106, 115))
    _line(picture, (left, 0), (left, floor), (142, 151, 156))
    _line(picture, (right, 0), (right, floor), (142, 151, 156))
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), height / 480), dtype=np.uint8)
    return _jambs(_lit(soft))


def noise(width: int, height: int, seed: int = 7) -> Image:
    """Smooth-grained sensor noise, larger than the frame by `NOISE_ROOM`, to be added from a new corner each time."""
    size = (height + NOISE_ROOM, width + NOISE_ROOM)
    grain = np.random.default_rng(seed).standard_normal(size, np.float32)
    soft = cv2.GaussianBlur(grain, (0, 0), 1.0)
    steps = cv2.convertScaleAbs(soft, alpha=0.8 / float(soft.std()), beta=NOISE_DEPTH / 2)
    one = np.minimum(steps, NOISE_DEPTH)
    # Colours must not be noisy together; shifted copies of one grain are cheaper than three grains.
    return np.asarray(cv2.merge([one, np.roll(one, 211, axis=1), np.roll(one, 97, axis=0)]), dtype=np.uint8)


def _back_door(picture: Image) -> None:
    left, top, right, bottom = DOOR
    margin = 0.012
    _area(
        picture,
        [(left - margin, top - 0.02), (right + margin, top - 0.02), (right + margin, bottom), (left - margin, bottom)],
        _FRAME,
    )
    _area(picture, [(left, top), (right, top), (right, bottom), (left, bottom)], _BEYOND)
    _area(picture, [(left, 0.70), (right, 0.70), (right, bottom), (left, bottom)], (126, 136, 145))
    _line(picture, (0.5, 0.16), (0.5, 0.70), (184, 194, 198))


def _lit(picture: Image) -> Image:
    """Light from above the door, falling off towards the corners."""
    height, width = picture.shape[:2]
    y, x = np.ogrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    light = (1.06 - 0.34 * ((x - 0.5) ** 2 * 1.6 + (y - 0.25) ** 2)).astype(np.float32)
    lit = cv2.multiply(picture, cv2.merge([light] * 3), dtype=cv2.CV_32F)
    return np.asarray(cv2.convertScaleAbs(lit, beta=-NOISE_DEPTH / 2), dtype=np.uint8)


def _jambs(picture: Image) -> Image:
    width = picture.shape[1]
    left, right = round(HALL[0] * width), round(HALL[2] * width)
    shade = np.linspace(0.75, 1.1, max(left, width - right))[None, :, None]
    jamb = np.clip(np.array(_JAMB) * shade, 0, 255).astype(np.uint8)
    picture[:, :left] = jamb[:, :left]
    picture[:, right:] = jamb[:, ::-1][:, : width - right]
    return picture


def _area(picture: Image, corners: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
    cv2.fillPoly(picture, [_pixels(picture, corners)], colour, cv2.LINE_AA, _SHIFT)


def _line(picture: Image, a: tuple[float, float], b: tuple[float, float], colour: tuple[int, int, int]) -> None:
    start, end = _pixels(picture, [a, b]).tolist()
    cv2.line(picture, start, end, colour, max(picture.shape[0] // 360, 1), cv2.LINE_AA, _SHIFT)


def _pixels(picture: Image, points: list[tuple[float, float]]) -> NDArray[np.int32]:
    height, width = picture.shape[:2]
    return np.asarray(np.rint(np.array(points) * (width * _ONE, height * _ONE)), dtype=np.int32)
