"""Readers to test on: each with somebody who can hold a credential to it, and unplug it."""

from __future__ import annotations

import asyncio
import os
import pty
import time
import tty
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import osdp
import pytest

from kiosk.access import wiegand
from kiosk.domain import CredentialKind
from kiosk.hardware.readers import simulated
from kiosk.hardware.readers.opening import open_reader
from kiosk.hardware.readers.reader import Reader

GPIO_SIM = Path("/sys/kernel/config/gpio-sim")
UINPUT = Path("/dev/uinput")
IN_UML = "; scripts/uml runs these tests in a kernel that has it"
CARD = "26:12:3456"


class Ear:
    """What a reader said."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[tuple[float, CredentialKind, str]] = asyncio.Queue()
        self.faults: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    async def value(self) -> tuple[CredentialKind, str]:
        async with asyncio.timeout(20):
            return (await self.values.get())[1:]

    async def fault(self) -> str:
        async with asyncio.timeout(20):
            return (await self.faults.get())[1]

    async def open(self, url: str, state_dir: Path) -> Reader:
        return await open_reader(
            url, state_dir, lambda *value: self.values.put_nowait(value), lambda *fault: self.faults.put_nowait(fault)
        )


class Bench(Protocol):
    """A reader's device. `hold` holds the card 26:12:3456 to it, `spoil` something it cannot read."""

    url: str
    card: str

    def hold(self) -> None: ...
    def spoil(self) -> str | None: ...
    def unplug(self) -> None: ...
    def plug(self) -> None: ...
    def close(self) -> None: ...


class SimBench:
    url = "sim:front"
    card = CARD

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    def hold(self) -> None:
        simulated.present(self._state_dir, "front", "card", CARD)

    def spoil(self) -> str | None:
        simulated.break_off(self._state_dir, "front", "wiegand_parity")
        return "wiegand_parity"

    def unplug(self) -> None:
        simulated.break_off(self._state_dir, "front")

    def plug(self) -> None: ...

    def close(self) -> None: ...


class Wire(osdp.Channel):  # type: ignore[misc]  # the library is untyped
    """The reader's end of the bus."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        os.set_blocking(fd, False)

    def read(self, max_bytes: int) -> bytes:
        try:
            return os.read(self._fd, max_bytes)
        except OSError:
            return b""

    def write(self, buf: bytes) -> int:
        try:
            return os.write(self._fd, bytes(buf))
        except OSError:
            return 0

    def flush(self) -> None: ...


class OsdpBench:
    """libosdp's own reader at the other end of a pseudo-terminal."""

    card = CARD

    def __init__(self, state_dir: Path, key: bytes | None = None) -> None:
        self._link = state_dir / "bus"
        self._key = key
        self.url = f"osdp:{self._link}?address=9&baud=115200"
        if key:
            (state_dir / "osdp-key").write_text(key.hex())
            self.url += "&key_file=osdp-key"
        self._device: Any = None
        self.plug()

    def plug(self) -> None:
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self._theirs))
        can = [(osdp.Capability.CardDataFormat, 1, 1), (osdp.Capability.CommunicationSecurity, 1, 1)]
        flags = [osdp.LibFlag.EnforceSecure] if self._key else []
        info = osdp.PDInfo(9, Wire(self._ours), scbk=self._key, flags=flags)
        self._device = osdp.PeripheralDevice(info, osdp.PDCapabilities(can), log_level=osdp.LogLevel.Emergency)
        self._device.start()

    def unplug(self) -> None:
        if self._device is not None:
            self._device.stop()
            self._device = None
            os.close(self._ours)
            os.close(self._theirs)

    def send(self, event: Mapping[str, object]) -> None:
        self._device.submit_event({"reader_no": 0, "direction": 0, **event})

    def card_of(self, bits: tuple[int, ...]) -> None:
        text = "".join(map(str, bits)).ljust(-(-len(bits) // 8) * 8, "0")
        data = int(text, 2).to_bytes(len(text) // 8, "big")
        self.send({"event": osdp.Event.CardRead, "format": osdp.CardFormat.Wiegand, "length": len(bits), "data": data})

    def type(self, keys: bytes) -> None:
        self.send({"event": osdp.Event.KeyPress, "data": keys})

    def hold(self) -> None:
        self.card_of(wiegand.frame(26, 12, 3456))

    def spoil(self) -> str | None:
        self.card_of((*wiegand.frame(26, 12, 3456)[:-1], 1 - wiegand.frame(26, 12, 3456)[-1]))
        return "wiegand_parity"

    def close(self) -> None:
        self.unplug()


class WiegandBench:
    """Two lines of a chip of the kernel's gpio-sim, pulled by a reader's hand.

    It tells of one edge a tick, 10 ms here, where a reader takes 50 µs: for once, a reader may be slow.
    """

    card = CARD
    _tick = 0.015
    _slow: ClassVar = {"LONGEST_PULSE": 0.2, "SILENCE": 0.5}

    def __init__(self) -> None:
        self._usual = {name: getattr(wiegand, name) for name in self._slow}
        vars(wiegand).update(self._slow)
        self._folder = GPIO_SIM / f"kiosk-readers-{os.getpid()}"
        (self._folder / "bank0").mkdir(parents=True)
        (self._folder / "bank0" / "num_lines").write_text("4")
        self.plug()

    def plug(self) -> None:
        (self._folder / "live").write_text("1")
        chip = (self._folder / "bank0" / "chip_name").read_text().strip()
        device = (self._folder / "dev_name").read_text().strip()
        self._lines = Path("/sys/devices/platform") / device / chip
        self.url = f"wiegand:{chip}/2/3"
        for line in (0, 1):
            self._pull(line, up=True)

    def unplug(self) -> None:
        (self._folder / "live").write_text("0")

    def send(self, bits: tuple[int, ...]) -> None:
        for bit in bits:
            for up in (False, True):
                self._pull(bit, up=up)
                time.sleep(self._tick)

    def hold(self) -> None:
        self.send(wiegand.frame(26, 12, 3456))

    def spoil(self) -> str | None:
        self.send(wiegand.frame(26, 12, 3456)[:-2])
        return "wiegand_length"

    def close(self) -> None:
        vars(wiegand).update(self._usual)
        if (self._folder / "live").read_text().strip() == "1":
            self.unplug()
        (self._folder / "bank0").rmdir()
        self._folder.rmdir()

    def _pull(self, line: int, *, up: bool) -> None:
        (self._lines / f"sim_gpio{line + 2}" / "pull").write_text("pull-up" if up else "pull-down")


class HidBench:
    """A keyboard of the kernel's uinput."""

    card = "0012345678"

    def __init__(self) -> None:
        self.plug()

    def plug(self) -> None:
        import evdev  # noqa: PLC0415 (only where there is a device to open)

        self._ecodes = evdev.ecodes
        self._board = evdev.UInput(name="kiosk test reader")
        self.url = f"evdev:{os.fsdecode(self._board.device.path)}"

    def type(self, *names: str) -> None:
        for name in names:
            for value in (1, 0):
                self._board.write(self._ecodes.EV_KEY, self._ecodes.ecodes[name], value)
            self._board.syn()

    def hold(self) -> None:
        self.type(*(f"KEY_{digit}" for digit in self.card), "KEY_ENTER")

    def spoil(self) -> str | None:
        self.type("KEY_F1", "KEY_ENTER")
        return None

    def unplug(self) -> None:
        self._board.close()

    def close(self) -> None:
        self._board.close()


BENCHES: list[object] = [
    pytest.param(SimBench, id="sim"),
    pytest.param(OsdpBench, id="osdp"),
    pytest.param(lambda state_dir: OsdpBench(state_dir, bytes(range(16))), id="osdp under a key"),
    pytest.param(
        lambda _: WiegandBench(),
        id="wiegand",
        marks=[pytest.mark.gpio_sim, pytest.mark.skipif(not os.access(GPIO_SIM, os.W_OK), reason="no gpio-sim" + IN_UML)],
    ),
    pytest.param(
        lambda _: HidBench(),
        id="evdev",
        marks=[pytest.mark.gpio_sim, pytest.mark.skipif(not os.access(UINPUT, os.W_OK), reason="no uinput" + IN_UML)],
    ),
]


@asynccontextmanager
async def opened(bench: Bench, state_dir: Path) -> AsyncIterator[tuple[Ear, Reader]]:
    ear = Ear()
    reader = await ear.open(bench.url, state_dir)
    try:
        yield ear, reader
    finally:
        await reader.close()
