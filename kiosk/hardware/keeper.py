"""The relay's keeper: a tiny process that holds one line and ends every pulse on its own timer.

It goes to the safe state when its pulse is over, when it is told to, when the daemon is gone
(killed, stopped or crashed: the channel closes or the timer runs out) and when it ends itself.
It imports the standard library only and runs by its file name, so that it starts in a few
hundredths of a second and needs nothing else to work.

    keeper.py CHANNEL_FD sim STATE_FILE

Commands, one a datagram: `pulse SECONDS`, `release`. Answers: `ready`, `held PID`, `energised AT`,
`busy`, `refused`, `released AT WHY`; times are monotonic seconds.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import IO, Protocol

MOST_SECONDS = 60.0
"""No pulse is longer, whoever asks; the settings know the same bound."""

FLOCK = "@hhqqi0q"
"""struct flock of 64-bit Linux, for F_GETLK."""


class Line(Protocol):
    """An output with a safe (inactive) state. `close` leaves it there and gives it back."""

    def set(self, energised: bool, why: str) -> None: ...
    def close(self) -> None: ...


class SimulatedLine:
    """A line whose state stands in a file; it counts only while this process holds the lock beside it."""

    def __init__(self, state: Path, lock: IO[bytes]) -> None:
        self._state = state
        self._lock = lock
        self._pulses = 0
        self._energised = False
        self.set(energised=False, why="opened")

    def set(self, energised: bool, why: str) -> None:
        self._energised = energised
        self._pulses += energised
        seen = {"energised": energised, "at": time.monotonic(), "why": why, "pulses": self._pulses, "pid": os.getpid()}
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(seen), encoding="utf-8")
        fresh.replace(self._state)

    def close(self) -> None:
        if self._energised:
            self.set(energised=False, why="closed")
        self._lock.close()


def holder(lock: IO[bytes]) -> int:
    """The process that holds the lock, 0 where none does."""
    question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, question))
    return 0 if kind == fcntl.F_UNLCK else int(pid)


def keep(line: Line, channel: socket.socket) -> None:
    """Serves the channel until it closes; the line is in its safe state afterwards."""
    until: float | None = None
    try:
        while True:
            patience = None if until is None else max(0.0, until - time.monotonic())
            readable, _, _ = select.select([channel], [], [], patience)
            if until is not None and time.monotonic() >= until:
                _release(line, channel, "timer")
                until = None
            elif readable:
                command = channel.recv(100).decode()
                if not command:
                    return
                until = _obey(line, channel, command, until)
    except (BrokenPipeError, ConnectionError):
        return
    finally:
        line.close()


def _obey(line: Line, channel: socket.socket, command: str, until: float | None) -> float | None:
    verb, _, number = command.partition(" ")
    if verb != "pulse":
        _release(line, channel, "asked")
        return None
    if until is not None:
        channel.send(b"busy")
        return until
    seconds = float(number)
    if not 0 < seconds <= MOST_SECONDS:
        channel.send(b"refused")
        return None
    line.set(energised=True, why="pulse")
    now = time.monotonic()
    channel.send(f"energised {now!r}".encode())
    return now + seconds


def _release(line: Line, channel: socket.socket, why: str) -> None:
    line.set(energised=False, why=why)
    channel.send(f"released {time.monotonic()!r} {why}".encode())


def _open(state: Path, channel: socket.socket) -> Line | None:
    state.parent.mkdir(parents=True, exist_ok=True)
    lock = state.with_suffix(".lock").open("ab")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        channel.send(f"held {holder(lock)}".encode())
        lock.close()
        return None
    return SimulatedLine(state, lock)


def main(arguments: list[str]) -> int:
    fd, _, state = arguments
    # An interrupt is the daemon's to make sense of; its end closes the channel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(fileno=int(fd)) as channel:
        line = _open(Path(state), channel)
        if line is None:
            return 1
        channel.send(b"ready")
        keep(line, channel)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
