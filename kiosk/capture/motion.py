"""How the people of a scene move: pure geometry, in shares of the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kiosk.capture.script import Act

DOOR = (0.38, 0.10, 0.62, 0.757)
"""Left, top, right, bottom of the opening in the hall's back wall."""
HALL = (0.07, 0.0, 0.93, 1.0)
"""What the door jambs beside the camera leave of the view."""
DOOR_FACE = 0.0725
"""Height of a face in the back door, as a share of the picture's height."""

_OPEN = 0.25
_COME = 0.6
_GO = 0.85
_HIDDEN_AFTER = 0.85
"""Share of the way out after which the face is behind the jamb and only a shoulder is left to see."""
_STEPS = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is: the middle of the face, the face's height, and the opening they are seen through."""

    x: float
    y: float
    face: float
    seen_through: tuple[float, float, float, float]


def places(act: Act, t: float) -> list[Place]:
    """Where the people of `act` are `t` seconds after it began, in the order of `act.people`."""
    move = _across if act.move == "across" else _approach
    right = 1 if act.x >= 0.5 else -1
    count = len(act.people)
    if count == 1:
        return [move(act, t, act.x, 0.5, right)]
    width = 0.17 if count == 2 else 0.25
    sides = [2 * number / (count - 1) - 1 for number in range(count)]
    return [move(act, t, act.x + side * width, 0.5 + side * 0.055, round(side) or right) for side in sides]


def _across(act: Act, t: float, _x: float, _door_x: float, _side: int) -> Place:
    return _place(1.10 - 1.20 * t / act.lasts, act.face, t, walking=1.0)


def _approach(act: Act, t: float, x: float, door_x: float, side: int) -> Place:
    """The back door opens, they come forward, stand and go off to `side` (1 is right, −1 left) or back."""
    left = act.lasts - t
    if left < _GO and act.leave == "past":
        return _place(_way_out(x, side, 1 - left / _GO), act.face, t, walking=1.0)
    inside = min(t, left) if act.leave == "back" else t
    if inside < _OPEN:
        return _place(door_x, DOOR_FACE, t, walking=0.0, seen_through=_opening(inside / _OPEN))
    near = _smooth((inside - _OPEN) / _COME)
    return _place(door_x + (x - door_x) * near, DOOR_FACE + (act.face - DOOR_FACE) * near, t, walking=1 - near)


def _way_out(x: float, side: int, gone: float) -> float:
    """Slowly while the face is seen, so that it can be followed; then out of sight."""
    hidden, away = 0.5 + 0.52 * side, 0.5 + 0.65 * side
    if gone < _HIDDEN_AFTER:
        return x + (hidden - x) * gone / _HIDDEN_AFTER
    return hidden + (away - hidden) * (gone - _HIDDEN_AFTER) / (1 - _HIDDEN_AFTER)


def _opening(share: float) -> tuple[float, float, float, float]:
    """The gap between the two leaves of the back door."""
    left, top, right, bottom = DOOR
    middle, half = (left + right) / 2, (right - left) / 2 * share
    return middle - half, top, middle + half, bottom


def _place(x: float, face: float, t: float, *, walking: float, seen_through: tuple[float, float, float, float] = HALL) -> Place:
    """The camera hangs a little above the eyes and looks down, so that faces sink as they come near."""
    breath = math.sin(2 * math.pi * 0.45 * t)
    step = math.sin(2 * math.pi * _STEPS * t)
    sway = math.sin(2 * math.pi * 0.31 * t)
    x += face * (0.006 * sway + 0.02 * walking * math.sin(math.pi * _STEPS * t))
    y = 0.14 + 0.69 * face + face * (0.005 * breath + 0.04 * walking * abs(step))
    return Place(x, y, face, seen_through)


def _smooth(u: float) -> float:
    u = min(max(u, 0.0), 1.0)
    return u * u * (3 - 2 * u)
