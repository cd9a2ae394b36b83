"""Says which parts of a face are covered: by contrast that is missing, and by colour unlike the person's own skin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box, Masking
from kiosk.ports import WORN
from kiosk.vision.measures import NOT_ASSESSED, OCCLUDED, Cover
from kiosk.vision.pixels import Image, cut, shrink

CHIP = 96
FACE = 78.0
"""Pixels: side of the chip, and of the face in it from forehead to chin. Upright, so that distance and roll do not matter."""
_NOSE_IN_THE_OPEN = 80.0
"""Completeness of a nose over whose tip no mask reaches."""

_ROOM = 2.0
"""Pixels cut out beyond the chip on each side, for what is between pixels."""
_FOREHEAD, _CHIN_TIP, _RIGHT_CORNER, _LEFT_CORNER = 10, 152, 33, 263
# Polygons of MediaPipe's 478 points, the person's right first.
_EYES = (
    (113, 225, 224, 223, 222, 221, 189, 244, 233, 232, 231, 230, 229, 228, 31),
    (342, 445, 444, 443, 442, 441, 413, 464, 453, 452, 451, 450, 449, 448, 261),
)
_LIDS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
_FOREHEADS = ((104, 69, 108, 151, 337, 299, 333, 332, 297, 338, 10, 109, 67, 103),)
_UNDER_EYES = ((117, 118, 119, 100, 101, 50), (346, 347, 348, 329, 330, 280))
_SKIN = (*_FOREHEADS, (107, 9, 336, 285, 168, 55), *_UNDER_EYES)
"""Forehead, between the brows, and under the eyes: no single cover hides all of them."""
_NOSE = ((197, 420, 279, 294, 327, 2, 98, 64, 49, 198),)
_MOUTH = ((164, 167, 165, 92, 186, 57, 43, 106, 182, 83, 18, 313, 406, 335, 273, 287, 410, 322, 391, 393),)
_LIPS = ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),)
_CHIN = ((18, 313, 406, 424, 431, 395, 369, 396, 175, 171, 140, 170, 211, 204, 182, 83),)
_CHEEKS = ((117, 118, 101, 36, 206, 216, 214, 192, 147, 123), (346, 347, 330, 266, 426, 436, 434, 416, 376, 352))

PLACES: Mapping[str, tuple[Sequence[Sequence[int]], float]] = {
    "Eyebrow": (_BROWS, 0.04),
    "Eye": (_EYES, 0.04),
    "Nose": (_NOSE, 0.02),
    "Cheek": (_CHEEKS, 0.0),
    "Mouth": (_MOUTH, 0.02),
    "Chin": (_CHIN, 0.03),
}
"""Where each part lies, and what must be added round it, in widths of the face, to hide all of it."""

_HUES, _CHROMAS = (15.0, 85.0), (0.1, 0.7)
"""Degrees, and what `_Chip.colour` is long: skin measured 53–64 and 0.22–0.51; wider, for lamps of other colours."""
_LIKE, _AS_BRIGHT = 0.12, 30.0
"""A pixel is skin within this distance of the person's colour and this many L* of its lightness."""
_LIT = 0.6
_BRIGHTNESS_WEIGHT = 1 / 200

Curve = Sequence[tuple[float, float]]
# Signals to Completeness, each with the vendor's limit where bare faces end. On 180 bare faces of 10 people, and on 260
# with white, black, blue and striped covers. Share of skin round the eyes ≥ 0.08, covered 0; on the nose ≥ 0.19, covered
# ≤ 0.03; on the cheeks ≥ 0.25, covered ≤ 0.12; about the mouth ≥ 0.05, covered ≤ 0.11. Contrast (standard deviation of L*)
# of the eyes ≥ 8, covered 0; of the lips ≥ 11, covered ≤ 5.8; of the brows ≥ 8, covered 0–16: those are told least surely.
# Behind 60 drawn sunglasses the eyes lay ≥ 0.22 from skin, bare ones ≤ 0.23; between the lids contrast was 0–13, bare ≥ 5.
_EYE_SKIN: Curve = ((0, 0), (0.02, 80), (0.2, 100))
_EYE_UNLIKE: Curve = ((0.08, 100), (0.25, 80), (0.5, 0))
_EYE_CONTRAST: Curve = ((0, 0), (6, 80), (12, 100))
_LID_CONTRAST: Curve = ((0, 0), (4, 80), (8, 100))
_BROW_CONTRAST: Curve = ((0, 0), (5, 80), (10, 100))
_NOSE_SKIN: Curve = ((0, 0), (0.15, 60), (0.6, 80), (0.75, 100))
_NOSE_CONTRAST: Curve = ((0, 0), (7, 60), (14, 100))
_CHEEK_SKIN: Curve = ((0, 0), (0.15, 70), (0.6, 100))
_MOUTH_SKIN: Curve = ((0, 0), (0.01, 50), (0.2, 100))
_LIP_CONTRAST: Curve = ((0, 0), (7, 50), (12, 100))
_CHIN_UNLIKE: Curve = ((0, 100), (0.12, 90), (0.22, 70), (0.5, 0))
_TEXTURED = 6.0
"""Contrast of a chin from which a beard and a patterned scarf cannot be told apart."""
_BARE_FOREHEAD = 0.1
"""Share of skin on a forehead; with less, hair or a hat reaches down, and what has contrast may not be brows."""


class Patch(NamedTuple):
    """`skin`: share of its pixels that have the colour of the person's skin; `unlike`: median distance from that colour.

    Both are None where that colour is not known. `contrast`: standard deviation of L*.
    """

    skin: float | None
    unlike: float | None
    contrast: float


class _Chip:
    """The face upright and of one size, in CIE L*a*b*. `colour`: a* and b* over L* + 16, which shading does not change."""

    def __init__(self, image: Image, points: NDArray[np.float32]) -> None:
        upright, self._points = _upright(image, points[:, :2].astype(np.float64))
        lab = cv2.cvtColor(upright, cv2.COLOR_BGR2LAB).astype(np.float32)
        self._light = lab[..., 0] * (100 / 255)
        self._colour = (lab[..., 1:] - 128) / (self._light[..., None] + 16)
        self._skin = self._skin_colour()

    def patches(self, polygons: Sequence[Sequence[int]]) -> list[Patch]:
        return [self._patch(polygon) for polygon in polygons]

    def _patch(self, polygon: Sequence[int]) -> Patch:
        light, colour = self._inside(polygon)
        contrast = float(light.std())
        if self._skin is None:
            return Patch(None, None, contrast)
        apart = np.hypot(*(colour - self._skin[1:]).T)
        skin = (apart < _LIKE) & (np.abs(light - self._skin[0]) < _AS_BRIGHT)
        return Patch(float(skin.mean()), float(np.median(apart)), contrast)

    def _inside(self, polygon: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Lightness and colour of its pixels, at least one."""
        corners = np.clip(np.round(self._points[list(polygon)]), 0, CHIP - 1).astype(np.int32)
        left, top, width, height = cv2.boundingRect(corners)
        inside = np.zeros((height, width), np.uint8)
        cv2.fillPoly(inside, [corners - (left, top)], 1)
        there = inside.view(bool)
        part = slice(top, top + height), slice(left, left + width)
        return self._light[part][there], self._colour[part][there]

    def _skin_colour(self) -> NDArray[np.float32] | None:
        """L* and colour of the place that is most like the others, of those that may be skin at all; None where there is none."""
        places = []
        for polygon in _SKIN:
            light, colour = self._inside(polygon)
            places.append(np.array([np.median(light), *np.median(colour, axis=0)], np.float32))
        skins = list(filter(_may_be_skin, places))
        # What is far darker than the rest is hair, or a black cover.
        least = _LIT * max((skin[0] for skin in skins), default=0.0)
        lit = [skin for skin in skins if skin[0] >= least]
        return min(lit, key=lambda one: sum(_apart(one, other) for other in lit), default=None)


def cover_of(image: Image, points: NDArray[np.float32]) -> Cover:
    """What is to be seen of the face with these landmarks (float32[478, 3]) in the picture (BGR).

    Colour is what gives most covers away: where no skin is found, in a grey or strongly tinted picture, most is −1. A cover of
    the colour of the skin, a hand above all, is seen over eyes and mouth only, and only where it is smooth.
    """
    chip = _Chip(image, points)
    (nose,), (mouth,), (lips,), (chin,) = (chip.patches(part) for part in (_NOSE, _MOUTH, _LIPS, _CHIN))
    (forehead,) = chip.patches(_FOREHEADS)
    return Cover(
        eyebrow=min(_brow(brow, forehead) for brow in chip.patches(_BROWS)),
        eye=_eyes(chip.patches(_EYES), chip.patches(_LIDS)),
        nose=_nose(nose),
        cheek=min(_least((_CHEEK_SKIN, cheek.skin)) for cheek in chip.patches(_CHEEKS)),
        mouth=_least((_MOUTH_SKIN, mouth.skin), (_LIP_CONTRAST, lips.contrast)),
        chin=_chin(chin),
    )


def may_be_masked(cover: Cover) -> bool:
    """Whether the face is worth the mask classifier: bare ones need none."""
    return any(cover.of(part) <= OCCLUDED[part] for part in ("Nose", "Mouth", "Chin"))


def how_masked(cover: Cover, worn: float) -> Masking:
    """How a mask is worn; `worn`: what the classifier says, 0–1, −1 where it was not asked or cannot tell."""
    mouth, nose, chin = map(cover.lacks, ("Mouth", "Nose", "Chin"))
    if mouth and worn >= WORN:
        return "mouth_only" if cover.nose >= _NOSE_IN_THE_OPEN else "worn"
    if mouth or nose:
        return "unknown" if worn < 0 else "other_cover"
    if NOT_ASSESSED in (cover.mouth, cover.nose):
        return "unknown"
    return "on_chin" if chin else "none"


def _brow(brow: Patch, forehead: Patch) -> float:
    seen = _least((_BROW_CONTRAST, brow.contrast))
    hidden = forehead.skin is None or forehead.skin < _BARE_FOREHEAD
    return NOT_ASSESSED if hidden and seen > OCCLUDED["Eyebrow"] else seen


def _eyes(sockets: Sequence[Patch], lids: Sequence[Patch]) -> float:
    """By the colour of both together, because light from one side leaves one of them in the dark; dark glasses are another."""
    skins = [socket.skin for socket in sockets if socket.skin is not None]
    unlikes = [socket.unlike for socket in sockets if socket.unlike is not None]
    return _least(
        (_EYE_SKIN, sum(skins) / len(skins) if skins else None),
        (_EYE_UNLIKE, sum(unlikes) / len(unlikes) if unlikes else None),
        (_EYE_CONTRAST, min(socket.contrast for socket in sockets)),
        (_LID_CONTRAST, min(lid.contrast for lid in lids)),
    )


def _nose(nose: Patch) -> float:
    seen = _least((_NOSE_SKIN, nose.skin), (_NOSE_CONTRAST, nose.contrast))
    return NOT_ASSESSED if nose.skin is None and seen > OCCLUDED["Nose"] else seen


def _chin(chin: Patch) -> float:
    """A chin may be as plain as a cloth: without its colour nothing is known."""
    seen = _least((_CHIN_UNLIKE, chin.unlike))
    return NOT_ASSESSED if seen <= OCCLUDED["Chin"] and chin.contrast >= _TEXTURED else seen


def _least(*signals: tuple[Curve, float | None]) -> float:
    """The least Completeness that a known signal says; −1 where none is known."""
    return min((_on(curve, value) for curve, value in signals if value is not None), default=NOT_ASSESSED)


def _on(curve: Curve, value: float) -> float:
    xs, ys = np.array(curve, float).T
    return float(np.interp(value, xs, ys))


def _may_be_skin(place: NDArray[np.float32]) -> bool:
    _, red, yellow = place
    hue, chroma = np.degrees(np.arctan2(yellow, red)), np.hypot(red, yellow)
    return bool(_HUES[0] <= hue <= _HUES[1] and _CHROMAS[0] <= chroma <= _CHROMAS[1])


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.hypot(*(one - other)[1:]) + abs(one[0] - other[0]) * _BRIGHTNESS_WEIGHT)


def _upright(image: Image, points: NDArray[np.float64]) -> tuple[Image, NDArray[np.float64]]:
    """The chip, and the points in its pixels."""
    length = max(float(np.linalg.norm(points[_CHIN_TIP] - points[_FOREHEAD])), 1.0)
    across = points[_LEFT_CORNER] - points[_RIGHT_CORNER]
    angle = float(np.arctan2(across[1], across[0]))
    middle = (points[_CHIN_TIP] + points[_FOREHEAD]) / 2
    # Shrunk first: a warp that makes a picture smaller aliases.
    reach = length * CHIP / FACE / 2 * (abs(np.cos(angle)) + abs(np.sin(angle))) + _ROOM
    left, top = (middle - reach).tolist()
    part, corner = cut(image, Box(left, top, 2 * reach, 2 * reach))
    if part.size == 0:
        return np.zeros((CHIP, CHIP, 3), np.uint8), np.full_like(points, CHIP / 2)
    origin, scaled = np.array(corner, float), min(FACE / length, 1.0)
    part = shrink(part, scaled)
    factor = FACE / length / scaled
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * factor
    shift = CHIP / 2 - turn @ ((middle - origin) * scaled)
    matrix, size = np.column_stack([turn, shift]), (CHIP, CHIP)
    chip = cv2.warpAffine(part, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(chip, dtype=np.uint8), (points - origin) * scaled @ turn.T + shift
