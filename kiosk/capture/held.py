"""Simulated pictures of people that somebody holds up: on paper, or on a telephone's screen. None was made before a camera."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.capture.frame import Image
from kiosk.capture.script import Act, assets
from kiosk.errors import CameraError

Floats = NDArray[np.floating[Any]]

RIM = 0.05
"""Of a sheet's width: the white around a print."""
FACE, CENTRE = 1045 / 2048, (1012 / 2048, 880 / 2048)
"""Height and middle of the face in the portraits, in parts of their side: found by YuNet on ten people, ± 12 %."""
_AROUND = {"paper": 0.45, "phone": 0.35}
"""Of the face's height, what is shown above and below it; beside it three quarters of that."""
_SIZE = 0.95
"""Of the holder's face: a picture of a face a little smaller, and what surrounds it, hides the holder's own."""


def printed(picture: Floats, rim: float = RIM) -> Floats:
    """What a printer makes of a picture (BGR): fewer tones, ink that spreads, paper that is not quite white."""
    inked = cv2.GaussianBlur(picture, (0, 0), picture.shape[1] / 500)
    toned = 255 * np.clip(inked / 255, 0, 1) ** 1.1 * 0.82 + 24
    border = round(rim * picture.shape[1])
    return np.asarray(cv2.copyMakeBorder(toned, border, border, border, border, cv2.BORDER_CONSTANT, value=(228.0, 232.0, 232.0)))


def on_screen(picture: Floats, dice: np.random.Generator) -> Floats:
    """What a camera sees of it on a screen: a dark rim, pixels that beat with the camera's, a reflection."""
    height, width = picture.shape[:2]
    shown = 255 * np.clip(picture / 255, 0, 1) ** 1.15 * (0.95, 0.9, 0.86)
    down, across = np.mgrid[:height, :width]
    period, turn = dice.uniform(6, 14) * width / 400, dice.uniform(0.05, 0.4)
    beat = np.sin(2 * np.pi * (across * np.cos(turn) + down * np.sin(turn)) / period)
    beat += 0.6 * np.sin(2 * np.pi * (down * np.cos(turn) - across * np.sin(turn)) / (1.3 * period))
    shown *= 1 + 0.05 * beat[..., None] * (1.0, 0.8, 1.2)
    spot = np.hypot((across / width - dice.uniform(0.1, 0.9)), (down / height - dice.uniform(0.0, 0.4)))
    shown += 70 * np.exp(-((spot / 0.18) ** 2))[..., None]
    border = round(0.04 * width)
    return np.asarray(cv2.copyMakeBorder(shown, border, border, border, border, cv2.BORDER_CONSTANT, value=(18.0, 18.0, 18.0)))


def hold_up(sprite: Image, act: Act, middle: tuple[float, float], face: float) -> tuple[Image, tuple[float, float]]:
    """The person of `sprite` (BGR times coverage, and what shows through) with the picture that `act` shows before their face.

    `middle`: of the face, whose height is `face` pixels. Also gives where that is in the new sprite.
    Raises CameraError `source_invalid` where the pictures are missing.
    """
    portrait = _portrait(act, _SIZE * face)
    dice = np.random.default_rng(act.shows.encode()[-1] if act.shows else 0)
    sheet = np.clip(printed(portrait) if act.on == "paper" else on_screen(portrait, dice), 0, 255).astype(np.uint8)
    high, wide = sheet.shape[:2]
    left, top = round(middle[0] - wide / 2), round(middle[1] - high / 2)
    beside, above = max(-left, left + wide - sprite.shape[1], 0), max(-top, 0)
    roomy = cv2.copyMakeBorder(sprite, above, 0, beside, beside, cv2.BORDER_CONSTANT, value=(0, 0, 0, 255))
    left, top = left + beside, top + above
    roomy[top : top + high, left : left + wide, :3] = sheet
    roomy[top : top + high, left : left + wide, 3] = 0
    return np.asarray(roomy, dtype=np.uint8), (middle[0] + beside, middle[1] + above)


def _portrait(act: Act, face: float) -> Floats:
    """The face of whom `act` shows, `face` pixels high, with what surrounds it."""
    path = assets(act.shows or act.person) / "studio_portrait.jpg"
    image = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
    if image is None:
        raise CameraError("source_invalid", f"{path} is missing or cannot be decoded; install kiosk[demo] again")
    side = image.shape[0]
    tall = FACE * side * (0.5 + _AROUND[act.on])
    x, y = (part * side for part in CENTRE)
    top, bottom, left, right = max(y - tall, 0), min(y + tall, side), x - 0.75 * tall, x + 0.75 * tall
    part = image[round(top) : round(bottom), round(left) : round(right)]
    factor = face / (FACE * side)
    return np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.float32)
