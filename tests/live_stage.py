"""A synthetic person before an Examiner who does what a challenge asks: real pictures, with a camera's noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from kiosk.domain import Ended, Shot, Told
from kiosk.settings import EyeSettings, LivenessPolicy, LivenessSettings, PresentationSettings, QualitySettings
from kiosk.vision.examiner import Examination, Examiner
from kiosk.vision.pixels import Image

FRAME = 1 / 15
CELL = 190
"""Pixels from the middle of a face on a sheet to where its cell still shows the person."""
SHEETS = {
    "challenge_look_ahead": ("emotions_sheet", (351, 238)),
    "challenge_open_mouth": ("emotions_sheet", (920, 1514)),
    "challenge_nod": ("emotions_sheet", (2051, 1103)),
    "challenge_turn_left": ("character_sheet", (961, 334)),
    "challenge_turn_right": ("character_sheet", (961, 334)),
}
"""What P005 does, and where on the sheets. The right turn is the left one's mirror image."""
ASKS = LivenessSettings(tasks=("turn_left", "turn_right", "open_mouth", "nod"))
NOISE = np.random.default_rng(5).normal(0, 2.5, (740, 1300, 3))


def watching(models_dir: Path, policy: LivenessPolicy, liveness: LivenessSettings = ASKS, **presentation: object) -> Examiner:
    return Examiner(
        "front",
        QualitySettings(),
        PresentationSettings.model_validate(presentation),
        EyeSettings(landmarker="litert"),
        models_dir,
        embed=False,
        first_presentation=1,
        policy=policy,
        liveness=liveness,
    )


@lru_cache(maxsize=10)
def doing(people: Path, prompt: str) -> Image:
    sheet, (x, y) = SHEETS[prompt]
    image = cv2.imread(str(people / "P005" / "assets" / f"{sheet}.jpg"))
    assert image is not None
    cell = image[y - CELL : y + CELL, x - CELL : x + CELL]
    if prompt == "challenge_turn_right":
        cell = cell[:, ::-1]
    large = cv2.resize(cell, (560, 560), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.copyMakeBorder(large, 100, 60, 360, 360, cv2.BORDER_REPLICATE), np.uint8)


def standing(people: Path, person: str) -> Image:
    """Somebody else, as large, in the same place."""
    image = cv2.imread(str(people / person / "assets" / "studio_portrait.jpg"), cv2.IMREAD_REDUCED_COLOR_4)
    assert image is not None
    large = cv2.resize(image, (560, 560), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(large, 100, 60, 360, 360, cv2.BORDER_REPLICATE), np.uint8)


class Play:
    """Shows frames, half a second late after each new prompt, and remembers what came of them."""

    def __init__(self, eye: Examiner) -> None:
        self.eye = eye
        self.at = 100.0
        self.number = 0
        self.prompt = "looking"
        self.prompted_at = self.at
        self.seen: list[Examination] = []

    def show(self, act: Callable[[str], Image], seconds: float) -> None:
        """`act` gives the picture for the prompt somebody has had time to read."""
        for _ in range(round(seconds / FRAME)):
            self.at += FRAME
            self.number += 1
            read = self.prompt if self.at - self.prompted_at > 0.4 else "challenge_look_ahead"
            down, right = divmod(self.number, 20)
            frame = np.clip(act(read) + NOISE[down : down + 720, right : right + 1280], 0, 255).astype(np.uint8)
            self.seen.append(seen := self.eye.examine(frame, self.at))
            for event in seen.events:
                if isinstance(event, Told):
                    self.prompt, self.prompted_at = event.slug, self.at

    def told(self) -> list[str]:
        return [event.slug for each in self.seen for event in each.events if isinstance(event, Told)]

    def shots(self) -> list[Shot]:
        return [event for each in self.seen for event in each.events if isinstance(event, Shot)]

    def ended(self) -> list[Ended]:
        return [event for each in self.seen for event in each.events if isinstance(event, Ended)]


def obedient(people: Path) -> Callable[[str], Image]:
    return lambda prompt: doing(people, prompt if prompt in SHEETS else "challenge_look_ahead")
