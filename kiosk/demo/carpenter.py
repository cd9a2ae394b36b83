"""Opens the doors that were unlocked and lets them fall shut again, by their simulated contacts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiosk.hardware.inputs import set_sim
from kiosk.settings import PortalSettings
from kiosk.settings.lines import parse

OPENS_AFTER, SHUT_AFTER = 0.4, 2.6
"""Seconds from the lock's move until somebody pushes the door, and until it is shut behind them."""
_LOOK_EVERY = 0.05


class Carpenter:
    """`portals`: those whose doors are hung; the ones without a simulated contact stand still. Event loop only."""

    def __init__(self, state_dir: Path, portals: Mapping[str, PortalSettings]) -> None:
        self._state_dir = state_dir
        self._contacts = {
            name: parse(portal.contact, "input").line for name, portal in portals.items() if portal.contact.startswith("sim:")
        }
        self._moves: list[tuple[float, str, bool]] = []

    def hear(self, event: Mapping[str, Any]) -> None:
        """Of the daemon's events the relays' count. A door that stands open is not opened again."""
        contact = self._contacts.get(event.get("portal", ""))
        if contact is None or event["event"] != "relay" or not event["energised"]:
            return
        if not any(moved == contact for _, moved, _ in self._moves):
            self._moves += [(event["at"] + OPENS_AFTER, contact, False), (event["at"] + SHUT_AFTER, contact, True)]

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = time.monotonic()
            due = [move for move in self._moves if move[0] <= now]
            self._moves = [move for move in self._moves if move[0] > now]
            for _, contact, shut in due:
                set_sim(self._state_dir, contact, shut)
