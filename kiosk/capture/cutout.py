"""People cut out of studio pictures: from a uniform grey background to sprites for a scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.capture import lids, masks, script
from kiosk.capture.frame import Image
from kiosk.capture.held import hold_up, put_on
from kiosk.capture.movements import Movement, performers
from kiosk.capture.script import Act, assets
from kiosk.errors import CameraError

Grey = NDArray[np.float32]

FACE_HEIGHT = {"front": 290.0, "profile": 245.0}
"""Pixels from hairline to chin in the pictures: found by YuNet on ten people, ± 8 %."""
_HAIR = 0.776
"""From the top of the hair to the middle of the face, in face heights."""
_PICTURE = {"front": "studio_posture.jpg", "profile": "character_sheet.jpg"}
_PART = {"front": (290, 0, 1246, 2752), "profile": (668, 144, 1138, 638)}
"""Left, top, right, bottom: where people stand, and the sheet's `Left View` inside its white frame."""
_CLEAR, _SOLID = 8, 60
"""Grey levels from the background: under the first nothing of the person shows, over the second nothing else does."""
_BESIDE = 60
"""Pixels of the picture around a mask that are drawn anew with it: its light is the light of the whole face."""
_NOT_CLOTH = 30
"""Grey levels from the usual colour of somebody's chest."""
_ROUGH_WIDTH = 120
"""Pixels; wide enough to see between the legs, small enough to be quick."""
_LEVELS = 3


@dataclass(frozen=True, slots=True)
class Level:
    """A sprite at one size. `scale`: its size by the original picture's.

    `pixels`: (h, w, 4): BGR multiplied by coverage, and how much of the background shows through, 0–255.
    `anchor`: x, y of the middle of the face in it.
    """

    scale: float
    pixels: Image
    anchor: tuple[float, float]


@dataclass(frozen=True, slots=True)
class CutOut:
    """A person at falling sizes, each half the one before; `face`: height of the face at scale 1, in pixels."""

    face: float
    levels: tuple[Level, ...]

    def level(self, scale: float) -> Level:
        """The smallest level that need not be enlarged to `scale`."""
        return next((level for level in reversed(self.levels) if level.scale >= scale * 0.999), self.levels[0])


def cut_out(act: Act, person: str, height: int, movement: Movement = "look_ahead") -> CutOut:
    """Makes `person` as `act` shows them in frames of `height` pixels; whoever obeys makes the `movement`.

    Raises CameraError `source_invalid` where the pictures are missing.
    """
    if person == act.person and act.performed:
        return _performed(act, height, movement)
    face = FACE_HEIGHT[act.view]
    scale = min(act.face * height / face, 1.0)
    picture = _picture(person, _PICTURE[act.view], _PART[act.view], scale)
    sprite, _ = _cut(_masked(picture, person, scale) if person in act.masked and act.view == "front" else picture)
    if act.view == "profile":
        sprite = _longer(sprite)
    sprite = _affected(sprite, act, face * scale)
    middle = _middle(sprite, face * scale)
    if act.shows is not None and person == act.person:
        sprite, middle = hold_up(sprite, act, middle, face * scale)
    return CutOut(face, _pyramid(sprite, scale, middle, height))


def _performed(act: Act, height: int, movement: Movement) -> CutOut:
    """Of somebody with pictures of their movements; what they hold moves in their place, but for the eyes behind it."""
    performer = performers()[act.person]
    taken = performer.taken("look_ahead" if act.shows and movement != "blink" else movement)
    scale = min(act.face * height / taken.face, 1.0)
    picture = _picture(act.person, taken.file, taken.part, scale)
    if movement == "blink":
        shut = performer.taken("nod")
        picture = lids.drawn(picture, _picture(act.person, shut.file, shut.part, scale), performer, scale)
    picture = np.asarray(cv2.flip(picture, 1), np.uint8) if taken.mirrored else picture
    sprite, (left, top) = _cut(picture)
    x = taken.part[2] - taken.middle[0] if taken.mirrored else taken.middle[0] - taken.part[0]
    middle = x * scale - left, (taken.middle[1] - taken.part[1]) * scale - top
    sprite = _longer(sprite)
    if act.on == "cutout" and act.shows:
        right_eye, left_eye = (((x - taken.part[0]) * scale - left, (y - taken.part[1]) * scale - top) for x, y in performer.eyes)
        sprite, middle = put_on(sprite, act, middle, (right_eye, left_eye), movement)
    elif act.shows:
        sprite, middle = hold_up(sprite, act, middle, taken.face * scale, movement)
    affected = _affected(sprite, act, taken.face * scale)
    room = (affected.shape[0] - sprite.shape[0]) / 2
    return CutOut(taken.face, _pyramid(affected, scale, (middle[0] + room, middle[1] + room), height))


def _picture(person: str, file: str, part: tuple[int, int, int, int], scale: float) -> Image:
    path = assets(person) / file
    # JPEG halves for next to nothing.
    reduce = scale <= 0.5
    image = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2 if reduce else cv2.IMREAD_COLOR)
    if image is None:
        raise CameraError("source_invalid", f"{path} is missing or cannot be decoded; install kiosk[demo] again")
    full = 2 if reduce else 1
    left, top, right, bottom = (edge // full for edge in part)
    factor = scale * full
    way = cv2.INTER_AREA if factor < 0.6 else cv2.INTER_LINEAR
    resized = cv2.resize(image[top:bottom, left:right], None, fx=factor, fy=factor, interpolation=way)
    return np.asarray(resized, dtype=np.uint8)


def _masked(picture: Image, person: str, scale: float) -> Image:
    """With a surgical mask up to the tip of the nose, as CompareMaskFace is made for."""
    places = script.mask_places()[person]
    points = np.full((478, 2), np.nan)
    points[list(places)] = (np.array(list(places.values())) - _PART["front"][:2]) * scale
    left, top = (np.nanmin(points, axis=0) - _BESIDE * scale).astype(int).clip(0)
    right, bottom = (np.nanmax(points, axis=0) + _BESIDE * scale).astype(int)
    head = picture[top:bottom, left:right]  # the rest would only cost time
    picture[top:bottom, left:right] = masks.draw(head, points - (left, top), 1, ["middle"], ["blue"])
    return picture


def _cut(picture: Image) -> tuple[Image, tuple[int, int]]:
    """The person alone: background subtracted in proportion to how much of it shows through, so no grey rim stays.

    Also gives where the sprite's left upper corner was.
    """
    behind = _background(picture)
    coverage = _coverage(_apart(picture, behind))
    left, top, wide, high = cv2.boundingRect(coverage)
    where = np.s_[top : top + high, left : left + wide]
    through = cv2.cvtColor(cv2.bitwise_not(coverage[where]), cv2.COLOR_GRAY2BGR)
    alone = cv2.subtract(picture[where], cv2.multiply(behind[where], through, scale=1 / 255))
    alone = cv2.min(alone, cv2.bitwise_not(through))
    return np.asarray(cv2.merge([*cv2.split(alone), cv2.extractChannel(through, 0)]), dtype=np.uint8), (left, top)


def _apart(picture: Image, behind: Image) -> Image:
    """How far each pixel is from the background, in brightness or in colour; skin is sometimes as bright as the studio."""
    blue, green, red = cv2.split(cv2.absdiff(picture, behind))
    brightness = cv2.max(cv2.max(blue, green), red)
    blue, green, red = cv2.split(picture)
    colour = cv2.subtract(cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red))
    return np.asarray(cv2.max(brightness, cv2.addWeighted(colour, 1.5, colour, 0, -12)), dtype=np.uint8)


def _background(picture: Image) -> Image:
    """What the studio would look like without the person: known at the sides, spread from what surely is background."""
    factor = min(_ROUGH_WIDTH / picture.shape[1], 1.0)
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.float32)
    wide = small.shape[1]
    margin = max(wide // 16, 2)
    rows = np.concatenate((small[:, :margin], small[:, -margin:]), axis=1).mean(axis=1, keepdims=True)
    usual = np.median(rows, axis=0, keepdims=True)
    rows = np.where(np.abs(rows - usual).max(axis=2, keepdims=True) > 40, usual, rows)
    apart = small - rows
    # Skin may be as bright as the studio's grey, but never as colourless.
    person = ((np.abs(apart).max(axis=2) > 22) | (np.ptp(apart, axis=2) > 12)) & ~_shadow(small, rows)
    sure = 1 - cv2.dilate(person.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    near = cv2.GaussianBlur(small * sure[..., None], (0, 0), wide / 40)
    weight = cv2.GaussianBlur(sure, (0, 0), wide / 40)[..., None]
    spread = (near + rows * 0.02) / (weight + 0.02)
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.resize(cv2.convertScaleAbs(spread), size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _shadow(small: Grey, rows: Grey) -> NDArray[np.bool_]:
    """Where a person's shadow lies on the studio's floor: below the hips, darker than the sides, and as grey."""
    grey, usual = small.mean(axis=2), rows.mean(axis=2)
    shadow = np.asarray((np.ptp(small, axis=2) < 16) & (grey < usual) & (grey > 0.45 * usual), dtype=np.bool_)
    shadow[: round(0.5 * len(shadow))] = False
    return shadow


def _coverage(apart: Image) -> Image:
    """0 (background) to 255 (person) from the distance to the background."""
    person = _silhouette(apart)
    radius = max(person.shape[1] // 250, 1)
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    ramp = np.clip((np.arange(256) - _CLEAR) * 255.0 / (_SOLID - _CLEAR), 0, 255).astype(np.uint8)
    coverage = cv2.LUT(apart, ramp)
    coverage[cv2.dilate(person, ball, iterations=4) == 0] = 0
    coverage[cv2.erode(person, ball, iterations=2) > 0] = 255
    return np.asarray(cv2.GaussianBlur(coverage, (3, 3), 0), dtype=np.uint8)


def _silhouette(apart: Image) -> Image:
    """The largest thing that stands out, small holes filled (a shirt's grey folds are no background)."""
    apart_enough = (apart > 24).astype(np.uint8)
    mask = cv2.morphologyEx(apart_enough, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    areas = [cv2.contourArea(contour) for contour in contours]
    largest = int(np.argmax(areas))
    person = np.zeros_like(apart)
    cv2.drawContours(person, contours, largest, 255, cv2.FILLED)
    for index, area in enumerate(areas):
        if tree[0][index][3] == largest and area > 0.001 * areas[largest]:
            cv2.drawContours(person, contours, index, 0, cv2.FILLED)
    return person


def _longer(bust: Image) -> Image:
    """The sheet ends at the chest, the frame lower down: more of the shirt, as plain as it is."""
    rows = bust.shape[0]
    shirt = cv2.resize(bust[-rows // 16 :], (bust.shape[1], 1), interpolation=cv2.INTER_AREA)
    solid = shirt[..., 3] == 0
    usual = np.median(shirt[solid], axis=0)
    # Where the collar is open there is skin, but not down to the belt.
    shirt[solid & (np.abs(shirt - usual).max(axis=2) > _NOT_CLOTH)] = usual
    shirt = cv2.GaussianBlur(shirt, (0, 0), rows / 80)
    below = np.repeat(shirt, rows, axis=0)
    blend = np.linspace(0, 1, rows // 10)[:, None, None]
    bust[-len(blend) :] = bust[-len(blend) :] * (1 - blend) + shirt * blend
    return np.concatenate((bust, below))


def _affected(sprite: Image, act: Act, face: float) -> Image:
    if act.blur:
        room = math.ceil(act.blur * face * 3)
        roomy = cv2.copyMakeBorder(sprite, room, room, room, room, cv2.BORDER_CONSTANT, value=(0, 0, 0, 255))
        sprite = np.asarray(cv2.GaussianBlur(roomy, (0, 0), act.blur * face), dtype=np.uint8)
    if act.brightness != 1:
        sprite[..., :3] = np.minimum(cv2.convertScaleAbs(sprite[..., :3], alpha=act.brightness), 255 - sprite[..., 3:])
    return sprite


def _middle(sprite: Image, face: float) -> tuple[float, float]:
    """Of the face, which is `face` pixels high."""
    covered = np.flatnonzero(sprite[..., 3].min(axis=1) < 128)
    return sprite.shape[1] / 2, covered[0] + _HAIR * face


def _pyramid(sprite: Image, scale: float, middle: tuple[float, float], height: int) -> tuple[Level, ...]:
    """`middle`: of the face in the sprite; `height`: the frame's."""
    x, y = middle
    levels = []
    for _ in range(_LEVELS):
        # Drawn at half size or larger: what lies lower is never inside the frame.
        levels.append(Level(scale, np.ascontiguousarray(sprite[: math.ceil(y + 1.75 * height)]), (x, y)))
        sprite = np.asarray(cv2.resize(sprite, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        scale, x, y = scale / 2, x / 2, y / 2
    return tuple(levels)
