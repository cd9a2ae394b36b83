"""A server that starts doors to be killed: one line of its input starts one, in a process of its own.

    python -m tests.kill_stage FOLDER

Each door grants without end. On its own descriptor it says `ready`, then `row SEQ HASH` for each row that the journal
confirmed. The server has imported everything before, so that a door is there in a fraction of a second.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from kiosk.access.portal import Decided, Present
from kiosk.domain import Grant
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import Journal, Row
from kiosk.metrics import Metrics
from kiosk.service.door import Door, Settled
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings, Settings

PULSE = 0.25
"""Seconds."""


class ToldJournal(Journal):
    """Says of each row that it is on disk, before anybody else may act on it."""

    async def append(self, kind: str, portal: str, presentation: int | None, body: Mapping[str, object]) -> Row:
        row = await super().append(kind, portal, presentation, body)
        say(f"row {row.seq} {row.hash}")
        return row


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def grant_without_end(folder: Path) -> None:
    journal = await ToldJournal.open(folder / "journal.sqlite")
    heartbeat = Heartbeat()
    heartbeat.register("journal", 0.0)
    door = Door(
        "door", PortalSettings(exit_seconds=PULSE), folder, journal, Tally(Settings.model_construct(), Metrics("test"), heartbeat)
    )
    settled: asyncio.Queue[Settled] = asyncio.Queue()
    door.settled = settled.put_nowait
    await door.open()
    running = asyncio.create_task(door.run())
    while door.state != "locked":
        await asyncio.sleep(0.005)
    say("ready")
    for presentation in itertools.count(1):
        now = time.monotonic()
        door.post(Present(now, (presentation,)))
        door.post(Decided(now, presentation, Grant("alice", "staff", PULSE, now + 1.0)))
        await settled.get()
        while door.state != "locked":
            await asyncio.sleep(0.005)
    running.cancel()


def serve(folder: Path) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(grant_without_end(folder / line.strip()))
            os._exit(1)
        say(f"pid {child}")
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
