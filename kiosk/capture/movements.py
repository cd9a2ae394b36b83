"""What somebody in a scene does when the door tells them to: whose pictures show it, and when they have understood.

No OpenCV and no numpy here: whoever reads a script needs it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Literal, get_args

import msgspec
from msgspec import Struct

Movement = Literal["look_ahead", "blink", "turn_left", "turn_right", "nod", "open_mouth"]
MOVEMENTS: tuple[Movement, ...] = get_args(Movement)

SOONEST, SLOWEST = 0.4, 0.6
"""Seconds from a new sentence on the screen to the beginning of an answer: read, understood, done."""
HOLDS = 0.7
"""Seconds a movement is held, before the face looks ahead again of itself."""
AGAIN = 1.7
"""Seconds after its beginning in which who is still told the same does it once more."""
_GOLDEN = 0.618
"""Steps of this share of a span never come back to where they were: every answer takes its own time, in every run the same."""

Point = tuple[float, float]
Triangle = tuple[Point, Point, Point]


class Taken(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a picture of a movement is; all in pixels of `file`. `part`: left, top, right, bottom; `face`: its height."""

    file: str
    part: tuple[int, int, int, int]
    middle: Point
    face: float
    mirrored: bool = False


class Lids(Struct, frozen=True, forbid_unknown_fields=True):
    """Two shut eyes of one picture, and where they come to lie in the one that looks ahead."""

    shut: tuple[Triangle, Triangle]
    onto: tuple[Triangle, Triangle]


class Performer(Struct, frozen=True, forbid_unknown_fields=True):
    """The pictures of somebody who can do all that a challenge asks. `eyes`: right and left one where the face looks ahead."""

    look_ahead: Taken
    open_mouth: Taken
    nod: Taken
    turn_left: Taken
    turn_right: Taken
    eyes: tuple[Point, Point]
    lids: Lids

    def taken(self, movement: Movement) -> Taken:
        """A blink is the face that looks ahead, with other lids."""
        found: Taken = getattr(self, "look_ahead" if movement == "blink" else movement)
        return found


class _Sheets(Struct, frozen=True, forbid_unknown_fields=True):
    performers: dict[str, Performer]
    portraits: dict[str, tuple[Point, Point]]


@cache
def _sheets() -> _Sheets:
    text = resources.files("kiosk.capture").joinpath("scenes", "movements.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Sheets)


def performers() -> dict[str, Performer]:
    """Those of whom there are pictures of every movement."""
    return _sheets().performers


def portraits() -> dict[str, tuple[Point, Point]]:
    """Right and left eye of those of whom there may be a cutout, in pixels of their portrait."""
    return _sheets().portraits


class Understanding:
    """What somebody does who obeys. Threads: `hear` and `movement` may be called from any; no call waits."""

    def __init__(self) -> None:
        # One value, replaced as a whole: one thread hears while another draws.
        self._told: tuple[Movement, float, int] = ("look_ahead", 0.0, 0)

    def hear(self, slug: str, at: float) -> None:
        """What the screen says from `at` (monotonic seconds) on; empty where it says nothing any more."""
        asked = slug.removeprefix("challenge_")
        movement: Movement = next((one for one in MOVEMENTS if one == asked), "look_ahead")
        self._told = movement, at, self._told[2] + 1

    def movement(self, now: float) -> Movement:
        """What the person does at `now`, monotonic seconds."""
        told, at, count = self._told
        doing = now - at - (SOONEST + (SLOWEST - SOONEST) * (count * _GOLDEN % 1))
        return told if doing >= 0 and doing % AGAIN < HOLDS else "look_ahead"
