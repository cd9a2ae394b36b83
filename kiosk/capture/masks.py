"""Masks drawn on pictures of bare faces: for scenes, and to measure how well people are recognised who wear one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.capture.frame import Image

Shape = Literal["high", "middle", "low", "chin"]
Pixels = NDArray[np.floating]
Light = NDArray[np.float32]

SHAPES: tuple[Shape, ...] = ("high", "high", "middle", "middle", "low")
"""As often as they are drawn: up to the bridge of the nose, to its tip, and over mouth and chin alone; `chin` where asked for."""
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "white": (235, 238, 238),
    "blue": (215, 185, 140),
    "green": (150, 180, 110),
    "black": (35, 33, 32),
    "grey": (130, 128, 128),
    "navy": (90, 50, 30),
    "pink": (190, 170, 230),
}
"""Blue, green, red. The first three have the pleats of surgical masks."""
TEXTURES = (*COLOURS, "skin", "stripes", "blobs")
PLEATED = ("white", "blue", "green")

# Of MediaPipe's 478 points, from the person's right ear along the jaw to the left one, and back along the upper edge.
_JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
_CHIN = _JAW[2:-2]
_EDGES: Mapping[Shape, tuple[int, ...]] = {
    "high": (447, 346, 349, 197, 120, 117, 227),
    "middle": (352, 280, 279, 4, 49, 50, 123),
    "low": (435, 436, 391, 164, 165, 216, 215),
    "chin": (434, 432, 406, 18, 182, 212, 214),
}
_CHEEKS = (50, 280, 101, 330, 205, 425)
_RIGHT_EAR, _LEFT_EAR, _CHIN_TIP, _BRIDGE, _NOSE_TIP, _LIP = 234, 454, 152, 6, 4, 164
_HANGING: tuple[Shape, ...] = ("low", "chin")
_LOOPS = ((127, 132), (356, 361))
OVERHANG = 0.04
"""How far a mask stands out beyond the jaw, as a share of the way from the upper lip."""


def draw(image: Image, points: Pixels, seed: int, shapes: Sequence[Shape] = SHAPES, textures: Sequence[str] = TEXTURES) -> Image:
    """The picture with a mask on the face, of a shape and texture that `seed` chooses among those given.

    `points`: MediaPipe's 478 landmarks as x, y in pixels of the picture. The mask takes the light that falls on the face.
    """
    dice = np.random.default_rng(seed)
    shape, texture = shapes[int(dice.integers(len(shapes)))], textures[int(dice.integers(len(textures)))]
    width = float(np.linalg.norm(points[_LEFT_EAR] - points[_RIGHT_EAR]))
    cover = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(cover, [np.round(_outline(points, shape) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    share = cv2.GaussianBlur(cover, (0, 0), max(0.6, width / 150))[..., None] / 255
    cloth = _cloth(image, points, texture, dice) * _shade(image, points, width, cover, pleated=texture in PLEATED)[..., None]
    worn = np.clip(image * (1 - share) + np.clip(cloth, 0, 255) * share, 0, 255).astype(np.uint8)
    if shape not in _HANGING:
        for ear, jaw in _LOOPS:
            begin, end = points[ear].astype(int).tolist(), points[jaw].astype(int).tolist()
            cv2.line(
                worn, begin, end, COLOURS["black" if texture == "black" else "white"], max(1, round(width / 90)), cv2.LINE_AA
            )
    return np.asarray(worn, np.uint8)


def _outline(points: Pixels, shape: Shape) -> Pixels:
    jaw = points[list(_CHIN if shape in _HANGING else _JAW)]
    return np.concatenate((jaw + (jaw - points[_LIP]) * OVERHANG, points[list(_EDGES[shape])]))


def _cloth(image: Image, points: Pixels, texture: str, dice: np.random.Generator) -> Light:
    height, width = image.shape[:2]
    if texture == "stripes":
        down, across = np.mgrid[:height, :width]
        first = ((across + 1.6 * down) // max(4, width // dice.integers(10, 20)) % 2)[..., None]
        return np.asarray(first * dice.uniform(0, 255, 3) + (1 - first) * dice.uniform(0, 255, 3), np.float32)
    if texture == "blobs":
        patches = dice.uniform(0, 255, (12, 12, 3)).astype(np.float32)
        return np.asarray(cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    if texture == "skin":
        spots = points[list(_CHEEKS)].astype(int).clip(0, (width - 1, height - 1))
        colour = np.median(image[spots[:, 1], spots[:, 0]], axis=0) * dice.uniform(0.9, 1.1)
    else:
        colour = np.array(COLOURS[texture])
    return np.broadcast_to(colour.astype(np.float32), image.shape)


def _shade(image: Image, points: Pixels, width: float, cover: NDArray[np.uint8], *, pleated: bool) -> Light:
    """Brightness of the mask: darker towards the ears, and as bright as the face is there."""
    light = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32), (0, 0), width / 5)
    usual = max(float(light[cover > 0].mean()), 1.0) if cover.any() else 1.0
    axis = points[_CHIN_TIP] - points[_BRIDGE]
    axis = axis / np.linalg.norm(axis)
    down, across = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    right, low = (across - points[_NOSE_TIP][0]) / width, (down - points[_NOSE_TIP][1]) / width
    shade = 1 - 0.5 * np.clip(np.abs(low * axis[0] - right * axis[1]), 0, 0.6) ** 1.5
    shade *= np.clip(light / usual, 0.6, 1.3) * np.clip(usual / 150, 0.45, 1.15)
    if pleated:
        shade *= 1 + 0.05 * np.sin((right * axis[0] + low * axis[1]) * 2 * np.pi * 9)
    return np.asarray(shade, np.float32)
