"""The relay's keeper: a tiny process that holds one line and ends every pulse on its own timer.

It goes to the safe state when its pulse is over, when it is told to, when the daemon is gone
(killed, stopped or crashed: the channel closes or the timer runs out) and when it ends itself.
It imports the standard library only – for a line of the kernel's gpiod besides, from the folder it is
told – and runs by its file name, so that it starts in a few hundredths of a second and needs nothing else to work.

    keeper.py CHANNEL_FD sim STATE_FILE
    keeper.py CHANNEL_FD gpiod FOLDER_OF_GPIOD WIRING_AS_JSON

Commands, one a datagram: `pulse SECONDS`, `hold`, `renew`, `release`. Answers: `ready`, `held PID`, `failed SLUG`,
`energised AT`, `busy`, `refused`, `released AT WHY`; times are monotonic seconds. `renew` has no answer.
"""

from __future__ import annotations

import contextlib
import errno
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
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gpiod import LineRequest

MOST_SECONDS = 60.0
"""No pulse is longer, whoever asks; the settings know the same bound."""

LEASE = 2.5
"""Seconds for which a `hold` lasts unless it is renewed."""

CONSUMER = "kiosk"
"""What the kernel calls the holder of a line."""

_ENOTSUPP = 524
"""The kernel's own, which some drivers let out."""

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


class GpiodLine:
    """A line of the kernel's. Raises OSError, or ValueError for an offset the chip does not have, as gpiod does."""

    def __init__(self, wiring: dict[str, Any]) -> None:
        self._request, self._offset = request_output(wiring), int(wiring["offset"])

    def set(self, energised: bool, why: str) -> None:  # noqa: ARG002 (the kernel does not ask)
        from gpiod.line import Value  # noqa: PLC0415 (see the module's docstring)

        self._request.set_value(self._offset, Value.ACTIVE if energised else Value.INACTIVE)

    def close(self) -> None:
        # First driven, then let go: some drivers keep a released line as it was, others turn it into an input.
        with contextlib.suppress(OSError):
            self.set(energised=False, why="closed")
        self._request.release()


def request_output(wiring: dict[str, Any]) -> LineRequest:
    """Takes the line, inactive. `wiring`: `chip`, `offset`, `active_low`, `bias` and `drive` as in the settings.

    Raises OSError, or ValueError for an offset the chip does not have.
    """
    import gpiod  # noqa: PLC0415 (see the module's docstring)
    from gpiod.line import Bias, Direction, Drive, Value  # noqa: PLC0415

    settings = gpiod.LineSettings(
        direction=Direction.OUTPUT,
        output_value=Value.INACTIVE,
        active_low=wiring["active_low"],
        bias=Bias[constant(wiring["bias"])],
        drive=Drive[constant(wiring["drive"])],
    )
    return gpiod.request_lines(wiring["chip"], consumer=CONSUMER, config={int(wiring["offset"]): settings})


def constant(word: str) -> str:
    """The settings' word as gpiod spells it."""
    return word.upper().replace("-", "_")


def slug_of(error: OSError | ValueError) -> str:
    """Why a line was not to be had."""
    if isinstance(error, ValueError):
        return "line_missing"
    known = {
        errno.EBUSY: "line_busy",
        errno.EACCES: "line_forbidden",
        errno.EPERM: "line_forbidden",
        errno.EINVAL: "line_unsupported",
        errno.EOPNOTSUPP: "line_unsupported",
        errno.ENXIO: "line_unsupported",
        _ENOTSUPP: "line_unsupported",
    }
    return known.get(error.errno or 0, "line_missing")


def claim(lock: IO[bytes]) -> None:
    """Locks it for this open file, not for this process: a daemon may have several lines and look at them all.

    Raises OSError where another has it.
    """
    fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))


def holder(lock: IO[bytes]) -> int:
    """The process that holds the lock, −1 where an open file does, 0 where none."""
    question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(lock, fcntl.F_OFD_GETLK, question))
    return 0 if kind == fcntl.F_UNLCK else int(pid)


class Keeper:
    """Serves the channel; knows until when the line is energised, and whether by a hold that may be renewed."""

    def __init__(self, line: Line, channel: socket.socket) -> None:
        self._line = line
        self._channel = channel
        self._until: float | None = None
        self._holding = False

    def serve(self) -> None:
        """Until the channel closes; the line is in its safe state afterwards."""
        try:
            while self._turn():
                pass
        except (BrokenPipeError, ConnectionError):
            return
        finally:
            self._line.close()

    def _turn(self) -> bool:
        patience = None if self._until is None else max(0.0, self._until - time.monotonic())
        readable, _, _ = select.select([self._channel], [], [], patience)
        if self._until is not None and time.monotonic() >= self._until:
            self._release("lease" if self._holding else "timer")
        elif readable:
            command = self._channel.recv(100).decode()
            if not command:
                return False
            self._obey(*command.partition(" ")[::2])
        return True

    def _obey(self, verb: str, number: str) -> None:
        if verb == "pulse":
            self._pulse(float(number))
        elif verb == "hold":
            self._energise(LEASE, "hold")
        elif verb != "renew":
            self._release("asked")
        elif self._holding:
            self._until = time.monotonic() + LEASE

    def _pulse(self, seconds: float) -> None:
        if self._until is not None:
            self._channel.send(b"busy")
        elif not 0 < seconds <= MOST_SECONDS:
            self._channel.send(b"refused")
        else:
            self._energise(seconds, "pulse")

    def _energise(self, seconds: float, why: str) -> None:
        # Noted first: were it slow to answer, it would still be ended in time.
        self._until, self._holding = time.monotonic() + seconds, why == "hold"
        self._line.set(energised=True, why=why)
        now = time.monotonic()
        self._until = now + seconds
        self._channel.send(f"energised {now!r}".encode())

    def _release(self, why: str) -> None:
        self._line.set(energised=False, why=why)
        self._until, self._holding = None, False
        self._channel.send(f"released {time.monotonic()!r} {why}".encode())


def _open(arguments: list[str], channel: socket.socket) -> Line | None:
    kind, *rest = arguments
    if kind == "gpiod":
        folder, wiring = rest
        # At the end: nothing there may stand in for the standard library.
        sys.path.append(folder)
        try:
            return GpiodLine(json.loads(wiring))
        except (OSError, ValueError) as error:
            channel.send(f"failed {slug_of(error)}".encode())
            return None
    return _open_simulated(Path(rest[0]), channel)


def _open_simulated(state: Path, channel: socket.socket) -> Line | None:
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
    fd, *line_arguments = arguments
    # An interrupt is the daemon's to make sense of; its end closes the channel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(fileno=int(fd)) as channel:
        line = _open(line_arguments, channel)
        if line is None:
            return 1
        channel.send(b"ready")
        Keeper(line, channel).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
