"""Holds cards to the door's reader when the scene says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from kiosk.capture.script import Scene
from kiosk.demo.equipment import READER, card_of
from kiosk.demo.stage import Stage
from kiosk.hardware.readers.simulated import present

_LOOK_EVERY = 0.05


async def present_cards(scene: Scene, stage: Stage, origin: Callable[[], float | None]) -> None:
    """Until cancelled. `origin`: when the scene began, in monotonic seconds; None until that is known."""
    seen = time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        begun, now = origin(), time.monotonic()
        if begun is None:
            continue
        for card in cards_between(scene, seen - begun, now - begun):
            present(stage.state_dir, READER, "card", card_of(card))
        seen = now


def cards_between(scene: Scene, after: float, until: float) -> list[str]:
    """Whose cards are presented in these seconds of a scene that repeats."""
    claims = [(act.at + act.claim_at, act.claim) for act in scene.acts if act.claim is not None]
    rounds = range(int(max(after, 0) // scene.seconds), int(max(until, 0) // scene.seconds) + 1)
    return [person for number in rounds for at, person in claims if after < at + number * scene.seconds <= until]
