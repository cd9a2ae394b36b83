"""Attacks on a camera, simulated from pictures of faces: prints, screens, a cut-out. None was ever held before a real camera.

Each function takes a photo of a person and gives the frames a camera might see of the attack made with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.capture import held, lids
from kiosk.capture.movements import Movement, Taken, performers
from kiosk.capture.script import assets
from kiosk.domain import Box, Face
from kiosk.vision.pixels import Image, cut

FRAME = (1280, 720)
FACE = 0.3
"""Height of the face as a share of the frame's."""
HOLDER = "P005"
_BACKDROP = (118, 124, 128)
"""A grey wall, lit from above."""

Floats = NDArray[np.floating[Any]]
Dice = np.random.Generator
Asked = Callable[[], Movement]
"""What whoever holds the picture is to do now."""


def nothing_asked() -> Movement:
    return "look_ahead"


def live(photo: Image, face: Box, dice: Dice, frames: int) -> Iterator[Image]:
    """The person of the photo themselves: the photo's own surroundings, a moving head, the camera's noise."""
    factor = FACE * FRAME[1] / face.height
    for shift in _wobble(dice, frames):
        (x, y) = face.centre
        matrix = np.array([[factor, 0, FRAME[0] / 2 - x * factor + shift[0]], [0, factor, FRAME[1] / 2 - y * factor + shift[1]]])
        yield _seen(_warp(photo, matrix, FRAME, cv2.BORDER_REPLICATE), dice)


def print_flat(photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """A sheet with a white rim, held up and tilted a little."""
    yield from _held(_paper(photo, face), face, dice, frames, asked=asked, tilt=0.12)


def print_bent(photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """The same sheet rolled round an upright axis, darker towards its sides."""
    yield from _held(_bent(_paper(photo, face)), face, dice, frames, asked=asked, tilt=0.06)


def phone_replay(photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """A phone's screen: the head fills it, dark rim, pixels that beat with the camera's, a reflection."""
    yield from _held(_screen(photo, face, 0.35, dice), face, dice, frames, asked=asked, tilt=0.06, emits=True)


def tablet_replay(photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """A larger screen, with shoulders and surroundings on it."""
    yield from _held(_screen(photo, face, 0.9, dice), face, dice, frames, asked=asked, tilt=0.06, emits=True)


def print_in_hand(photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """The flat sheet before somebody's own face: the network goes by what surrounds a face, too."""
    yield from _held(_paper(photo, face), face, dice, frames, asked=asked, tilt=0.06, behind=_holder)


def phone_in_hand(photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """The telephone likewise."""
    yield from _held(_screen(photo, face, 0.35, dice), face, dice, frames, asked=asked, tilt=0.06, emits=True, behind=_holder)


def cut_out(photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """A printed head cut out along its outline, before the backdrop."""
    yield from _held(_cut_along(photo, face), face, dice, frames, asked=asked, tilt=0.06)


def static_loop(photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:  # noqa: ARG001 (nobody is there to hear it)
    """One picture fed in again and again in the camera's place."""
    still = next(live(photo, face, dice, 1))
    # Longer than the others: what takes two seconds to be seen is never alive before.
    for _ in range(4 * frames):
        yield still.copy()


def cut_out_with_eyes(photo: Image, face: Face, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """The cut-out with holes, through which the eyes of whoever wears it look, and blink."""
    (sheet, alpha), factor = _cut_along(photo, face.box), min(1.0, 400 / face.box.width)
    region = face.box.grown(0.7)
    eyes = [((x - max(region.x, 0)) * factor, (y - max(region.y, 0)) * factor) for x, y in face.points[:2]]
    apart = math.dist(*eyes)
    holes = np.ones(alpha.shape[:2], np.float32)
    for x, y in eyes:
        axes = round(held.HOLE[0] * apart), round(held.HOLE[1] * apart)
        cv2.ellipse(holes, (round(x), round(y)), axes, 0, 0, 360, 0.0, cv2.FILLED, cv2.LINE_AA)
    middle = np.array((sheet.shape[1], sheet.shape[0])) / 2
    scale = FACE * FRAME[1] / (face.box.height * factor)
    there = np.array([((x, y) - middle) * scale + (FRAME[0] / 2, FRAME[1] / 2) for x, y in eyes])
    wearer = {shut: _wearer(there, shut=shut) for shut in (False, True)}
    cut = sheet, alpha * holes[..., None]
    yield from _held(cut, face.box, dice, frames, tilt=0.03, asked=asked, behind=lambda: wearer[asked() == "blink"])


class Species(Protocol):
    """Frames of an attack with the face `face` of `photo`, whose holder tries what is `asked` as well as it can be done."""

    def __call__(self, photo: Image, face: Box, dice: Dice, frames: int, asked: Asked = ...) -> Iterator[Image]: ...


SPECIES: Mapping[str, Species] = {
    "print flat": print_flat,
    "print bent": print_bent,
    "phone replay": phone_replay,
    "tablet replay": tablet_replay,
    "print held by somebody": print_in_hand,
    "phone held by somebody": phone_in_hand,
    "cut-out": cut_out,
    "static picture on loop": static_loop,
}


EYES = "cut-out with holes for eyes"
NAMES = (*SPECIES, EYES)


def shown(name: str, photo: Image, face: Face, dice: Dice, frames: int, asked: Asked = nothing_asked) -> Iterator[Image]:
    """One of NAMES."""
    if name == EYES:
        return cut_out_with_eyes(photo, face, dice, frames, asked)
    return SPECIES[name](photo, face.box, dice, frames, asked)


def _cut_along(photo: Image, face: Box) -> tuple[Floats, Floats]:
    sheet, alpha = _paper(photo, face, rim=0.0)
    height, width = sheet.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (int(width * 0.34), int(height * 0.42)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return sheet, alpha * (mask[..., None] / 255)


def _paper(photo: Image, face: Box, rim: float = held.RIM) -> tuple[Floats, Floats]:
    sheet = held.printed(_portrait(photo, face, 0.7), rim)
    return sheet, np.ones((*sheet.shape[:2], 1))


def _bent(sheet: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    picture, alpha = sheet
    height, width = picture.shape[:2]
    across = np.linspace(-1, 1, width)
    reach = np.arcsin(np.clip(across * np.sin(1.0), -1, 1)) / 1.0
    source = np.broadcast_to((reach + 1) / 2 * (width - 1), (height, width)).astype(np.float32)
    rise = 0.02 * height * (1 - across**2)
    down = (np.arange(height)[:, None] + rise[None, :]).astype(np.float32)
    bent = cv2.remap(picture.astype(np.float32), source, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return bent * (0.65 + 0.35 * np.sqrt(1 - (0.8 * across) ** 2))[None, :, None], alpha


def _screen(photo: Image, face: Box, surroundings: float, dice: Dice) -> tuple[Floats, Floats]:
    framed = held.on_screen(_portrait(photo, face, surroundings), dice)
    return framed, np.ones((*framed.shape[:2], 1))


def _portrait(photo: Image, face: Box, surroundings: float) -> Floats:
    """The face with `surroundings` × its size on every side, about 400 pixels a face wide at most."""
    region, _ = cut(photo, face.grown(surroundings))
    factor = min(1.0, 400 / face.width)
    size = round(region.shape[1] * factor), round(region.shape[0] * factor)
    return cv2.resize(region, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _held(
    sheet: tuple[Floats, Floats],
    face: Box,
    dice: Dice,
    frames: int,
    *,
    tilt: float,
    asked: Asked,
    emits: bool = False,
    behind: Callable[[], Floats] | None = None,
) -> Iterator[Image]:
    """The sheet before a grey wall or what is `behind`, in a hand that is never quite still and tilts it as it is asked."""
    picture, alpha = sheet
    height, width = picture.shape[:2]
    scale = FACE * FRAME[1] / (face.height * min(1.0, 400 / face.width))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = dice.uniform(-tilt, tilt, 2)
    wall = np.linspace(1.15, 0.75, FRAME[1])[:, None, None] * np.array(_BACKDROP)
    light = 1.0 if emits else dice.uniform(0.85, 1.05)
    for number, shift in enumerate(_wobble(dice, frames)):
        sway = turn + 0.02 * np.sin(number / 3 + np.array([0, 1.5]))
        depth = 1 + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) @ sway * 0.5
        leaning = held.leaning(corners, *held.TILTS.get(asked(), (0.0, 0.0)))
        placed = (leaning - (width / 2, height / 2)) * scale / depth[:, None] + (FRAME[0] / 2, FRAME[1] / 2) + shift
        matrix = cv2.getPerspectiveTransform(corners, placed.astype(np.float32))
        warped = cv2.warpPerspective(picture.astype(np.float32), matrix, FRAME, flags=cv2.INTER_AREA)
        share = cv2.warpPerspective(alpha.astype(np.float32), matrix, FRAME)[..., None]
        before = wall if behind is None else behind()
        yield _seen(before * (1 - share) + light * warped * share, dice)


@cache
def _holder() -> Floats:
    """Somebody who holds it: their own face is behind the middle of the frame."""
    photo = np.asarray(cv2.imread(str(assets(HOLDER) / "studio_portrait.jpg")), np.uint8)
    side = photo.shape[0]
    factor = FACE * FRAME[1] / (held.FACE * side)
    x, y = (factor * share * side for share in held.CENTRE)
    matrix = np.array([[factor, 0, FRAME[0] / 2 - x], [0, factor, FRAME[1] / 2 - y]])
    return _warp(photo, matrix, FRAME, cv2.BORDER_REPLICATE)


def _wearer(eyes: Floats, *, shut: bool) -> Floats:
    """Somebody who wears a cut-out: their own eyes, right and left one, are at `eyes` in the frame."""
    performer = performers()[HOLDER]
    ahead, down = (_part(performer.taken(movement)) for movement in ("look_ahead", "nod"))
    face = lids.drawn(ahead, down, performer, 1.0) if shut else ahead
    own = np.subtract(performer.eyes, performer.look_ahead.part[:2])
    factor = math.dist(*eyes) / math.dist(*own)
    x, y = eyes.mean(axis=0) - factor * own.mean(axis=0)
    return _warp(face, np.array([[factor, 0, x], [0, factor, y]]), FRAME, cv2.BORDER_REPLICATE)


def _part(taken: Taken) -> Image:
    left, top, right, bottom = taken.part
    return np.asarray(cv2.imread(str(assets(HOLDER) / taken.file)), np.uint8)[top:bottom, left:right]


def _warp(photo: Image, matrix: Floats, size: tuple[int, int], border: int) -> Floats:
    factor = float(matrix[0, 0])
    # A wide filter first, or the warp aliases.
    soft = cv2.GaussianBlur(photo, (0, 0), 0.45 / factor) if factor < 1 else photo
    return np.asarray(cv2.warpAffine(soft, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border), np.float32)


def _wobble(dice: Dice, frames: int) -> Floats:
    """float[frames, 2]: where a head or a hand is from its place, in pixels."""
    return np.cumsum(dice.normal(0, 1.2, (frames, 2)), axis=0)


def _seen(scene: Floats, dice: Dice) -> Image:
    """Through a lens and a sensor."""
    blurred = cv2.GaussianBlur(scene.astype(np.float32), (0, 0), 0.6)
    return np.asarray(np.clip(blurred + dice.normal(0, 1.8, blurred.shape), 0, 255), np.uint8)
