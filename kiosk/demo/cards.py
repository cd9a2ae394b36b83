"""Holds cards to the door's reader when the scene says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from kiosk.capture.script import Scene
from kiosk.demo.stage import READER, Stage, card_of
from kiosk.hardware.readers.simulated import present

_LOOK_EVERY = 0.05


async def present_cards(scene: Scene, stage: Stage, origin: Callable[[], float]) -> None:
    """Until cancelled. `origin`: when the scene began, in monotonic seconds, as far as is known by then."""
    seen = time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        now = time.monotonic()
        for act in scene.acts:
            if act.claim is None:
                continue
            due = origin() + act.at + act.claim_at
            due += max(0, (now - due) // scene.seconds) * scene.seconds
            if seen < due <= now:
                present(stage.state_dir, READER, "card", card_of(act.claim))
        seen = now
