"""Simulated pictures of people that somebody holds up: on paper, or on a telephone's screen. None was made before a camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.capture.frame import Image
from kiosk.capture.movements import Movement, portraits
from kiosk.capture.script import Act, assets
from kiosk.errors import CameraError

Floats = NDArray[np.floating[Any]]

RIM = 0.05
"""Of a sheet's width: the white around a print."""
FACE, CENTRE = 1045 / 2048, (1012 / 2048, 880 / 2048)
"""Height and middle of the face in the portraits, in parts of their side: found by YuNet on ten people, ± 12 %."""
_AROUND = {"paper": 0.45, "phone": 0.35}
"""Of the face's height, what is shown above and below it; beside it three quarters of that."""
_CUT, _BELOW_EYES = (1.15, 1.5), 0.48
"""Half of a cutout across and down, and how far its middle lies below the eyes, in distances of the eyes; four people's faces are
2.2 to 2.4 wide and 2.7 to 3.0 high."""
HOLE = 0.26, 0.17
"""Half of a hole for an eye, in distances of the eyes."""
TILTS: dict[Movement, tuple[float, float]] = {
    "turn_left": (-35.0, 0.0),
    "turn_right": (35.0, 0.0),
    "nod": (0.0, 55.0),
    "open_mouth": (50.0, 0.0),
}
"""Degrees round the upright axis and the level one by which a sheet is tilted for a movement: what comes nearest to it.

On sheets of three faces tilted so, MediaPipe saw nods of 7 to 11 degrees, and wide open mouths, since the tilt makes them narrow.
A turn of the head by more than 5 degrees it saw at no tilt.
"""
_ROOM = 0.15
"""Of a sheet's longer side, the room around it in which it is tilted."""
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


def hold_up(
    sprite: Image, act: Act, middle: tuple[float, float], face: float, movement: Movement = "look_ahead"
) -> tuple[Image, tuple[float, float]]:
    """The person of `sprite` (BGR times coverage, and what shows through) with the picture that `act` shows before their face.

    `middle`: of the face, whose height is `face` pixels. Also gives where that is in the new sprite. The picture is tilted as
    comes nearest to the `movement`.
    Raises CameraError `source_invalid` where the pictures are missing.
    """
    portrait = _portrait(act, _SIZE * face)
    dice = np.random.default_rng(act.shows.encode()[-1] if act.shows else 0)
    sheet = np.clip(printed(portrait) if act.on == "paper" else on_screen(portrait, dice), 0, 255).astype(np.uint8)
    whole = cv2.merge([*cv2.split(sheet), np.full(sheet.shape[:2], 255, np.uint8)])
    return _before(sprite, _moved(np.asarray(whole, np.uint8), movement), middle)


def put_on(
    sprite: Image,
    act: Act,
    middle: tuple[float, float],
    eyes: tuple[tuple[float, float], tuple[float, float]],
    movement: Movement,
) -> tuple[Image, tuple[float, float]]:
    """The person of `sprite` behind a cutout of whom `act` shows, whose holes are where their own `eyes` are.

    `eyes`: right and left one, in pixels of the sprite. The rest as for `hold_up`.
    """
    whose = act.shows or act.person
    right, left = (np.array(eye) for eye in portraits()[whose])
    apart = math.dist(left, right)
    factor = math.dist(*eyes) / apart
    x, y = (right + left) / 2 + (0, _BELOW_EYES * apart)
    wide, high = (reach * apart for reach in _CUT)
    part = _decoded(whose)[round((y - high) / 2) : round((y + high) / 2), round((x - wide) / 2) : round((x + wide) / 2)]
    face = cv2.resize(part, None, fx=2 * factor, fy=2 * factor, interpolation=cv2.INTER_AREA).astype(np.float32)
    sheet = np.clip(printed(face, 0.0), 0, 255).astype(np.uint8)
    here = [((eye - (x - wide, y - high)) * factor) for eye in (right, left)]
    cut = _moved(np.asarray(cv2.merge([*cv2.split(sheet), _outline(sheet, here, apart * factor)]), np.uint8), movement)
    sheet_x, sheet_y = (float(sum(ends) / 2) for ends in zip(*eyes, strict=True))
    sheet_y += _BELOW_EYES * apart * factor
    roomy, (new_x, new_y) = _before(sprite, cut, (sheet_x, sheet_y))
    return roomy, (middle[0] + new_x - sheet_x, middle[1] + new_y - sheet_y)


def tilted(image: Image, across: float, down: float = 0.0) -> Image:
    """A flat picture turned by degrees round its upright axis and its level one, from about two and a half widths away."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, leaning(corners, across, down).astype(np.float32))
    return np.asarray(cv2.warpPerspective(image, matrix, (width, height)), np.uint8)


def leaning(corners: Floats, across: float, down: float) -> Floats:
    """Where the corners of a sheet come to lie, whose first one is 0, 0 and whose third is its width and height."""
    middle = corners[2] / 2
    away = 5 * middle[0]
    centred = corners - middle
    turns = np.radians((across, down))
    nearer = away / (away + centred @ np.sin(turns))
    return np.asarray(centred * np.cos(turns) * nearer[:, None] + middle)


def _moved(sheet: Image, movement: Movement) -> Image:
    """A sheet (BGR and coverage) as somebody tilts it who is to make a movement that paper cannot make."""
    if movement not in TILTS:
        return sheet
    room = round(_ROOM * max(sheet.shape[:2]))
    return tilted(np.asarray(cv2.copyMakeBorder(sheet, room, room, room, room, cv2.BORDER_CONSTANT), np.uint8), *TILTS[movement])


def _before(sprite: Image, sheet: Image, middle: tuple[float, float]) -> tuple[Image, tuple[float, float]]:
    """The sheet (BGR and coverage) over the sprite, its middle there; the new sprite, and where `middle` is in it."""
    high, wide = sheet.shape[:2]
    left, top = round(middle[0] - wide / 2), round(middle[1] - high / 2)
    beside, above = max(-left, left + wide - sprite.shape[1], 0), max(-top, 0)
    roomy = cv2.copyMakeBorder(sprite, above, 0, beside, beside, cv2.BORDER_CONSTANT, value=(0, 0, 0, 255))
    left, top = left + beside, top + above
    under = roomy[top : top + high, left : left + wide].astype(np.float32)
    share = sheet[..., 3:].astype(np.float32) / 255
    over = np.concatenate((sheet[..., :3] * share, np.zeros_like(share)), axis=2)
    roomy[top : top + high, left : left + wide] = np.rint(under * (1 - share) + over).astype(np.uint8)
    return np.asarray(roomy, dtype=np.uint8), (middle[0] + beside, middle[1] + above)


def _outline(sheet: Image, eyes: Sequence[NDArray[Any]], apart: float) -> Image:
    """The face without its eyes, which are `apart`."""
    high, wide = sheet.shape[:2]
    kept = np.zeros((high, wide), np.uint8)
    cv2.ellipse(kept, (wide // 2, high // 2), (wide // 2 - 1, high // 2 - 1), 0, 0, 360, 255, cv2.FILLED, cv2.LINE_AA)
    for x, y in eyes:
        hole = round(HOLE[0] * apart), round(HOLE[1] * apart)
        cv2.ellipse(kept, (round(x), round(y)), hole, 0, 0, 360, 0, cv2.FILLED, cv2.LINE_AA)
    return kept


def _decoded(person: str) -> Image:
    """The portrait at half its size."""
    path = assets(person) / "studio_portrait.jpg"
    image = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
    if image is None:
        raise CameraError("source_invalid", f"{path} is missing or cannot be decoded; install kiosk[demo] again")
    return np.asarray(image, np.uint8)


def _portrait(act: Act, face: float) -> Floats:
    """The face of whom `act` shows, `face` pixels high, with what surrounds it."""
    image = _decoded(act.shows or act.person)
    side = image.shape[0]
    tall = FACE * side * (0.5 + _AROUND[act.on])
    x, y = (part * side for part in CENTRE)
    top, bottom, left, right = max(y - tall, 0), min(y + tall, side), x - 0.75 * tall, x + 0.75 * tall
    part = image[round(top) : round(bottom), round(left) : round(right)]
    factor = face / (FACE * side)
    return np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.float32)
