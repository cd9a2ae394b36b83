"""What the demo sees of a daemon: its events, gathered by portal and camera."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kiosk.capture.script import Scene
from kiosk.demo.equipment import READER, card_of
from kiosk.demo.judge import Run
from kiosk.demo.stage import Stage
from kiosk.errors import Transient


@dataclass(frozen=True, slots=True)
class Sight:
    """One portal and what its camera shows. `scene`: None for a real camera; `reader`: the simulated one cards are held to."""

    portal: str
    camera: str
    scene: Scene | None
    reader: str = READER
    card_of: Callable[[str], str] = card_of


class Watcher:
    """Collects events until the time is up, Ctrl-C, or the stream ends."""

    def __init__(self, tell: Sequence[Callable[[Mapping[str, Any]], None]]) -> None:
        """`tell`: who else hears of each event."""
        self._tell = tell
        self._presentations: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        self._outages: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._opened: dict[str, float] = {}
        self._lost_at: dict[str, float] = {}
        self._begun = self._ended = time.monotonic()
        self.curtain: float | None = None
        """When all scenes began together, monotonic seconds; None where each began with its camera."""

    @property
    def presentations(self) -> list[Mapping[str, Any]]:
        return [presentation for several in self._presentations.values() for presentation in several]

    def origin(self, camera: str) -> float | None:
        """When this camera's scene began; None while that is not known."""
        return self._opened.get(camera) if self.curtain is None else self.curtain

    def run(self, sight: Sight) -> Run:
        """What was seen there."""
        origin = self.origin(sight.camera)
        outages = list(self._outages[sight.camera])
        if (lost_at := self._lost_at.get(sight.camera)) is not None:
            outages.append((lost_at, float("inf")))
        since = self._begun if origin is None else origin
        return Run(since, self._begun, self._ended, self._presentations[sight.portal], outages)

    async def watch(self, stage: Stage, seconds: float | None) -> None:
        """Raises Transient where the daemon ends before its time."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        self._begun = time.monotonic()
        until = self._begun + seconds if seconds else float("inf")
        async for event in stage.events():
            self._ended = time.monotonic()
            if event is not None:
                self._note(event)
                for tell in self._tell:
                    tell(event)
            if self._ended >= until or stop.is_set():
                return
        raise Transient("cloud_unreachable", f"the daemon ended early:\n{stage.last_words('daemon')}")

    def _note(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "presentation":
                self._presentations[event["portal"]].append(event)
            case "eye_lost":
                # The eye may have been gone for as long as its silence took to be noticed.
                self._lost_at[event["camera"]] = event["at"] - 3.0
            case "eye_started":
                if (lost_at := self._lost_at.pop(event["camera"], None)) is not None:
                    self._outages[event["camera"]].append((lost_at, event["at"]))
                self._opened[event["camera"]] = event["opened_at"]
