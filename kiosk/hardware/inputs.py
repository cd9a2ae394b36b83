"""Contacts and buttons: the kernel's edge events on the event loop, and a simulated twin."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from kiosk.errors import HardwareError
from kiosk.hardware import keeper
from kiosk.ports import Input
from kiosk.settings.lines import LineAddress, parse

OnChange = Callable[[float, bool], None]
OnLost = Callable[[float, str], None]

_TORN = b"x"
_LEVELS = {b"0": False, b"1": True}


class InputState(msgspec.Struct, frozen=True):
    """A simulated input as anyone may look at it; `at`: monotonic seconds of the last change."""

    active: bool
    at: float
    pid: int


async def open_input(url: str, state_dir: Path, on_change: OnChange, on_lost: OnLost) -> Input:
    """Its state is known on return. `on_change` hears of every further change (monotonic time of the edge, whether active),
    `on_lost` once, of a line that is gone (monotonic time, slug `line_lost`); after that nothing more is heard.

    Raises HardwareError `line_missing`, `line_busy`, `line_forbidden`, `line_unsupported`.
    """
    try:
        address = parse(url, "input")
    except ValueError as error:
        raise HardwareError("line_missing", str(error)) from error
    if address.scheme == "sim":
        return SimulatedInput(address, state_dir, on_change, on_lost)
    from kiosk.hardware.lines import GpiodInput  # noqa: PLC0415 (boxes without lines do not load the library)

    return GpiodInput(address, on_change, on_lost)


def set_sim(state_dir: Path, name: str, active: bool | None) -> None:
    """Sets the simulated input `sim:NAME`, whether a daemon has it open or not; None tears its cable off.

    A torn one is whole again when it is opened the next time. Raises HardwareError `line_missing` for a name that is none.
    """
    places = _Places(state_dir, name)
    level = _TORN if active is None else b"01"[active : active + 1]
    if active is not None:
        fresh = places.level.with_suffix(".fresh")
        fresh.write_bytes(level)
        fresh.replace(places.level)
    try:
        pipe = os.open(places.pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENXIO}:
            return  # Nobody has it open.
        raise
    with os.fdopen(pipe, "wb", buffering=0) as opened:
        opened.write(level)


class _Places:
    """`state`: what it is; `level`: what it was set to; `pipe`: where whoever has it open hears of changes."""

    def __init__(self, state_dir: Path, name: str) -> None:
        try:
            parse(f"sim:{name}", "input")
        except ValueError as error:
            raise HardwareError("line_missing", str(error)) from error
        folder = state_dir / "sim"
        folder.mkdir(parents=True, exist_ok=True)
        self.state = folder / f"{name}.json"
        self.lock = folder / f"{name}.lock"
        self.level = folder / f"{name}.level"
        self.pipe = folder / f"{name}.pipe"


class SimulatedInput:
    """A ports.Input whose levels come through a pipe, bounces and all. Event loop only."""

    def __init__(self, address: LineAddress, state_dir: Path, on_change: OnChange, on_lost: OnLost) -> None:
        self._places = places = _Places(state_dir, address.line)
        self._lock = self._claim(address.url)
        self._debounce = address.debounce
        self._on_change, self._on_lost = on_change, on_lost
        self._settling: asyncio.TimerHandle | None = None
        places.pipe.unlink(missing_ok=True)
        os.mkfifo(places.pipe, 0o600)
        # Also for writing, so that it never ends.
        self._pipe: int | None = os.open(places.pipe, os.O_RDWR | os.O_NONBLOCK)
        level = places.level.read_bytes() if places.level.exists() else b""
        self._raw = self._active = _LEVELS.get(level, address.initial)
        self._show()
        asyncio.get_running_loop().add_reader(self._pipe, self._hear)

    @property
    def active(self) -> bool:
        return self._active

    async def close(self) -> None:
        """See ports.Input."""
        if self._pipe is not None:
            self._shut(self._pipe)

    def _shut(self, pipe: int) -> None:
        asyncio.get_running_loop().remove_reader(pipe)
        if self._settling is not None:
            self._settling.cancel()
        os.close(pipe)
        self._pipe = None
        self._places.pipe.unlink(missing_ok=True)
        self._lock.close()

    def _claim(self, url: str) -> IO[bytes]:
        lock = self._places.lock.open("ab")
        try:
            keeper.claim(lock)
        except OSError as error:
            lock.close()
            raise HardwareError("line_busy", f"{url} is open already, or another line has its name") from error
        return lock

    def _hear(self) -> None:
        assert self._pipe is not None
        for level in os.read(self._pipe, 1000):
            if bytes([level]) == _TORN:
                self._active = False
                at = self._show()
                self._shut(self._pipe)
                self._on_lost(at, "line_lost")
                return
            self._raw = bytes([level]) == b"1"
            self._settle()

    def _settle(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
        if self._debounce:
            self._settling = asyncio.get_running_loop().call_later(self._debounce, self._settled)
        else:
            self._settled()

    def _settled(self) -> None:
        if self._raw != self._active:
            self._active = self._raw
            at = self._show()
            self._on_change(at, self._active)

    def _show(self) -> float:
        state = InputState(self._active, time.monotonic(), os.getpid())
        fresh = self._places.state.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(self._places.state)
        return state.at
