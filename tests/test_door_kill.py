"""kill -9 at any instant: the lock is safe within the pulse, and the journal knows all that moved it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk.demo.stage import Stage
from kiosk.hardware.relay import RelayState, read_state
from kiosk.journal.log import Row, tail, verify
from tests.kill_stage import PULSE

ROOT = Path(__file__).parent.parent
KILLS, LANES = 100, 4
"""Kills in all, and boxes that are killed at the same time."""
READY_WITHIN = 10.0
SLACK = 1.0
"""Seconds that a busy machine may take to run a process whose time has come."""


class Lane:
    """One folder's doors, of which one runs at a time."""

    def __init__(self, folder: Path, channel: socket.socket) -> None:
        self.folder = folder
        self._channel = channel
        self._lines = channel.makefile()
        self.acknowledged: dict[int, str] = {}
        self.pid = 0

    def start(self) -> float:
        """Starts a door; seconds until it is locked and grants."""
        begun = time.monotonic()
        self._channel.sendall(b"start\n")
        self._read_until("ready")
        return time.monotonic() - begun

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._read_until("gone")
        self.pid = 0

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        self._lines.close()
        self._channel.close()

    def _read_until(self, word: str) -> None:
        for line in self._lines:
            verb, *values = line.split()
            if verb == "pid":
                self.pid = int(values[0])
            elif verb == "row":
                self.acknowledged[int(values[0])] = values[1]
            if verb == word:
                return
        raise AssertionError("the server ended")


@contextmanager
def server(folders: list[Path]) -> Iterator[list[Lane]]:
    """It and its doors end when the lanes are closed."""
    pairs = [socket.socketpair() for _ in folders]
    theirs = [their.fileno() for _, their in pairs]
    arguments = [str(one) for pair in zip(theirs, folders, strict=True) for one in pair]
    with subprocess.Popen([sys.executable, "-m", "tests.kill_stage", *arguments], cwd=ROOT, pass_fds=theirs):
        for _, their in pairs:
            their.close()
        lanes = [Lane(folder, ours) for folder, (ours, _) in zip(folders, pairs, strict=True)]
        try:
            yield lanes
        finally:
            for lane in lanes:
                lane.close()


def safe_again(folder: Path, within: float) -> RelayState:
    deadline = time.monotonic() + within
    while (state := read_state(folder, "door")).energised:
        assert time.monotonic() < deadline, "the relay is still energised"
        time.sleep(0.002)
    return state


def kill_often(lane: Lane, times: int, chance: random.Random) -> int:
    """How many of the kills hit a pulse."""
    during, seen, rows = 0, 0, list[Row]()
    for _ in range(times):
        assert lane.start() < READY_WITHIN
        time.sleep(chance.uniform(0.0, 1.5 * PULSE))
        during += read_state(lane.folder, "door").energised
        lane.kill()
        state = safe_again(lane.folder, PULSE + SLACK)
        rows = tail(lane.folder / "journal.sqlite", 10_000)
        grants = sum(row.kind == "granted" and '"shared"' not in row.body for row in rows[seen:])
        seen = len(rows)
        assert state.pulses <= grants, "a pulse without its row"
        assert {row.seq: row.hash for row in rows}.items() >= lane.acknowledged.items(), "a row was lost"
    assert verify(lane.folder / "journal.sqlite").ok
    assert sum(row.kind == "armed" for row in rows) == times
    assert any('"shared"' in row.body for row in rows), "some of them came together"
    return during


@pytest.mark.slow
def test_kill_at_a_hundred_instants(tmp_path: Path) -> None:
    folders = [tmp_path / f"box-{number}" for number in range(LANES)]
    for folder in folders:
        folder.mkdir()
    with server(folders) as lanes, ThreadPoolExecutor(LANES) as pool:
        killed = [pool.submit(kill_often, lane, KILLS // LANES, random.Random(number)) for number, lane in enumerate(lanes)]
        assert sum(one.result() for one in killed) > KILLS // 4, "most of them were to hit a pulse"


@pytest.mark.slow
async def test_a_killed_daemon_is_ready_again_within_ten_seconds(tmp_path: Path) -> None:
    async with Stage("scene:demo", page=False, keep=tmp_path) as stage:
        await stage.start_daemon()
        for _ in range(3):
            assert stage.daemon is not None
            stage.daemon.kill()
            await stage.daemon.wait()
            await stage.start_daemon(rewrite=False)
            assert stage.ready_seconds < READY_WITHIN
            door = (await stage.health())["portals"]["door"]
            assert (door["state"], door["mode"]) == ("locked", "normal")
    kinds = [row.kind for row in tail(stage.journal, 10_000)]
    assert kinds.count("armed") == 4
    assert verify(stage.journal).ok
