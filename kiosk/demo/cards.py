"""Holds cards to a portal's reader when its scene says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from kiosk.capture.script import Scene
from kiosk.demo.watching import Sight
from kiosk.hardware.readers.simulated import present

_LOOK_EVERY = 0.05


async def present_cards(sight: Sight, scene: Scene, state_dir: Path, origin: Callable[[], float | None]) -> None:
    """Until cancelled. `origin`: when the scene began, in monotonic seconds; None until that is known."""
    seen = time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        begun, now = origin(), time.monotonic()
        if begun is None:
            continue
        for person in cards_between(scene, seen - begun, now - begun):
            present(state_dir, sight.reader, "card", sight.card_of(person))
        seen = now


def cards_between(scene: Scene, after: float, until: float) -> list[str]:
    """Whose cards are presented in these seconds of a scene that repeats."""
    claims = [(act.at + act.claim_at, act.claim) for act in scene.acts if act.claim is not None]
    rounds = range(int(max(after, 0) // scene.seconds), int(max(until, 0) // scene.seconds) + 1)
    return [person for number in rounds for at, person in claims if after < at + number * scene.seconds <= until]
