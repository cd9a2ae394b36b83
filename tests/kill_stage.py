"""A server that starts doors to be killed, in several folders at once.

    python -m tests.kill_stage FD FOLDER [FD FOLDER ...]

Of each folder's socket FD one line starts a door in it, in a process of its own, which lets in two people at a time without
end. It says `ready`, then `row SEQ HASH` for each row that the journal confirmed. The server has imported everything before,
so that a door is there in a fraction of a second.
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

PULSE = 0.15
"""Seconds."""


class ToldJournal(Journal):
    """Says of each row that it is on disk, before anybody else may act on it."""

    told = 1

    async def append(self, kind: str, portal: str, presentation: int | None, body: Mapping[str, object]) -> Row:
        row = await super().append(kind, portal, presentation, body)
        say(self.told, f"row {row.seq} {row.hash}")
        return row


def say(told: int, line: str) -> None:
    os.write(told, f"{line}\n".encode())


async def grant_without_end(folder: Path, told: int) -> None:
    journal = await ToldJournal.open(folder / "journal.sqlite")
    ToldJournal.told = told
    heartbeat = Heartbeat()
    heartbeat.register("journal", 0.0)
    door = Door(
        "door",
        PortalSettings(exit_seconds=PULSE, strategy="crowd"),
        folder,
        journal,
        Tally(Settings.model_construct(), Metrics("test"), heartbeat),
    )
    settled: asyncio.Queue[Settled] = asyncio.Queue()
    door.settled = settled.put_nowait
    await door.open()
    running = asyncio.create_task(door.run())
    while door.state != "locked":
        await asyncio.sleep(0.005)
    say(told, "ready")
    for presentation in itertools.count(1, 2):
        now = time.monotonic()
        door.post(Present(now, (presentation, presentation + 1)))
        for one, person in ((presentation, "alice"), (presentation + 1, "bob")):
            door.post(Decided(now, one, Grant(person, "staff", PULSE, now + 1.0)))
        for _ in range(2):
            await settled.get()
        while door.state != "locked":
            await asyncio.sleep(0.005)
    running.cancel()


def serve(folder: Path, told: int) -> None:
    """One door after the other, until nobody asks for another."""
    with os.fdopen(told, closefd=False) as orders:
        for _ in orders:
            child = os.fork()
            if child == 0:
                asyncio.run(grant_without_end(folder, told))
                os._exit(1)
            say(told, f"pid {child}")
            os.waitpid(child, 0)
            say(told, "gone")


def main(*arguments: str) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    lanes = [(int(told), Path(folder)) for told, folder in zip(arguments[::2], arguments[1::2], strict=True)]
    for mine, folder in lanes:
        if os.fork() == 0:
            # A lane ends with its own socket, which nobody else may keep open.
            for other, _ in lanes:
                if other != mine:
                    os.close(other)
            serve(folder, mine)
            os._exit(0)
    for told, _ in lanes:
        os.close(told)
    for _ in lanes:
        os.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
