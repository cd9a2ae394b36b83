"""The kernel's lines, by libgpiod: which chips and lines there are, and what to do where one is not to be had."""

from __future__ import annotations

import asyncio
import grp
import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import gpiod
from gpiod import EdgeEvent
from gpiod.line import Bias, Direction, Edge

from kiosk.errors import HardwareError, did_you_mean
from kiosk.hardware.keeper import CONSUMER, constant, request_output, slug_of
from kiosk.settings.lines import LineAddress

_DEVICES = Path("/dev")

BOARDS = {
    "pinctrl-bcm2835": "Raspberry Pi up to 3",
    "pinctrl-bcm2711": "Raspberry Pi 4",
    "pinctrl-rp1": "Raspberry Pi 5",
    "tegra194-gpio": "Jetson Xavier",
    "tegra194-gpio-aon": "Jetson Xavier, always on",
    "tegra234-gpio": "Jetson Orin",
    "tegra234-gpio-aon": "Jetson Orin, always on",
    "tegra-gpio": "Jetson Nano, TX1, TX2",
}
"""The labels the kernel's drivers give to the chips of the header's pins."""


@dataclass(frozen=True, slots=True)
class LineSeen:
    offset: int
    name: str
    consumer: str
    used: bool
    output: bool
    active_low: bool


@dataclass(frozen=True, slots=True)
class ChipSeen:
    """`path`: the device; `name` and `label`: what the kernel and the driver call it. `closed`: this user may not look inside."""

    path: str
    name: str
    label: str
    lines: tuple[LineSeen, ...]
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    chip: ChipSeen
    line: LineSeen


def chips(devices: Path = _DEVICES) -> list[ChipSeen]:
    """Every chip, in the kernel's order."""
    found = {str(path.resolve()) for path in devices.glob("gpiochip*")}
    return [chip for path in sorted(found, key=_number) for chip in _look(path)]


def locate(address: LineAddress) -> Place:
    """Raises HardwareError `line_missing` where there is no such chip or line, or several; `line_forbidden`."""
    there = chips()
    if not there:
        raise HardwareError("line_missing", f"{address.url}: this box has no /dev/gpiochip")
    among = [chip for chip in there if not address.chip or address.chip in {chip.path, chip.name, chip.label}]
    # A link such as a rule of udev's, or the old number of a Raspberry Pi 5's chip.
    if not among and address.chip:
        linked = str(Path("/dev", address.chip).resolve())
        among = [chip for chip in there if chip.path == linked]
    if len(among) != 1 and address.chip:
        known = [name for chip in there for name in (chip.name, chip.label)]
        why = f"several chips are called {address.chip}; use the device" if among else f"no chip {address.chip}"
        raise HardwareError("line_missing", f"{address.url}: {why}{did_you_mean(address.chip, known)}")
    return _the_only(address, among)


def _the_only(address: LineAddress, among: list[ChipSeen]) -> Place:
    by_number = address.chip and address.line.isdigit()
    places = [
        Place(chip, line)
        for chip in among
        for line in chip.lines
        if (str(line.offset) if by_number else line.name) == address.line
    ]
    if len(places) == 1:
        return places[0]
    closed = next((chip for chip in among if chip.closed), None)
    if closed is not None and not places:
        raise HardwareError("line_forbidden", f"{address.url}: {_grant(closed.path)}")
    if places:
        named = ", ".join(f"gpiod:{place.chip.name}/{place.line.offset}" for place in places)
        raise HardwareError("line_missing", f"{address.url}: several lines are called {address.line}; write one of {named}")
    if by_number:
        raise HardwareError("line_missing", f"{address.url}: {among[0].name} has the lines 0 to {len(among[0].lines) - 1}")
    near = did_you_mean(address.line, [line.name for chip in among for line in chip.lines if line.name])
    raise HardwareError("line_missing", f"{address.url}: no line is called {address.line}{near}; `kiosk gpio list` shows them")


def wiring(address: LineAddress, place: Place) -> dict[str, Any]:
    """What a keeper is told of an output."""
    return {
        "chip": place.chip.path,
        "offset": place.line.offset,
        "active_low": address.active_low,
        "bias": address.bias,
        "drive": address.drive,
    }


def folder_of_gpiod() -> str:
    """Where a process without site packages finds the library."""
    found = importlib.util.find_spec("gpiod")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent.parent)


def keepers_of_levels(modules: Path = Path("/sys/module")) -> list[str]:
    """The drivers that leave a released output as it was, as those of the Raspberry Pi's own kernel do unless told otherwise."""
    asked = sorted(modules.glob("pinctrl_*/parameters/persist_gpio_outputs"))
    return [file.parent.parent.name for file in asked if file.read_text().strip() == "Y"]


async def put_safe(address: LineAddress) -> None:
    """Drives an output inactive and lets go of it. Raises HardwareError where it is not to be had."""
    await GpiodOutput(address).close()


def refuse(address: LineAddress, slug: str) -> NoReturn:
    """Raises HardwareError `slug` and says what can be done about it."""
    place = locate(address)
    where = f"{address.url} ({place.chip.name}, line {place.line.offset})"
    asked = f"bias={address.bias}, drive={address.drive}, debounce_ms={address.debounce * 1000:.0f}"
    remedy = {
        "line_busy": f"'{place.line.consumer or 'the kernel'}' uses it; stop that, or take another line",
        "line_forbidden": _grant(place.chip.path),
        "line_unsupported": f"the chip {place.chip.label} cannot do this ({asked}); leave the options out, or take another line",
    }
    raise HardwareError(slug, f"{where}: {remedy.get(slug, 'it went away while it was opened')}")


def _grant(path: str) -> str:
    group = grp.getgrgid(Path(path).stat().st_gid).gr_name
    if group == "root":
        return f"{path} belongs to root alone: let a rule of udev's give it to a group 'gpio', and add this user to that"
    return f"{path} may not be opened: add this user to the group '{group}'"


def _number(path: str) -> tuple[int, str]:
    digits = path.rpartition("gpiochip")[2]
    return (int(digits) if digits.isdigit() else 1 << 30, path)


def _look(path: str) -> Iterator[ChipSeen]:
    try:
        with gpiod.Chip(path) as chip:
            info = chip.get_info()
            lines = tuple(_line(chip.get_line_info(offset)) for offset in range(info.num_lines))
    except PermissionError:
        yield ChipSeen(path, Path(path).name, "", (), closed=True)
        return
    except OSError:
        # Unplugged just now, or no chip at all.
        return
    yield ChipSeen(path, info.name, info.label, lines)


def _line(info: gpiod.LineInfo) -> LineSeen:
    output = info.direction is Direction.OUTPUT
    return LineSeen(info.offset, info.name or "", info.consumer or "", info.used, output, info.active_low)


class GpiodOutput:
    """A ports.Output, held by this process."""

    def __init__(self, address: LineAddress) -> None:
        place = locate(address)
        self._url, self._offset = address.url, place.line.offset
        try:
            self._request = request_output(wiring(address, place))
        except (OSError, ValueError) as error:
            refuse(address, slug_of(error))

    def set(self, active: bool) -> None:
        """See ports.Output."""
        try:
            self._request.set_value(self._offset, gpiod.line.Value.ACTIVE if active else gpiod.line.Value.INACTIVE)
        except OSError as error:
            raise HardwareError("line_lost", f"{self._url}: {error.strerror}") from error

    async def close(self) -> None:
        """See ports.Output."""
        with suppress(HardwareError):
            self.set(active=False)
        self._request.release()


class GpiodInput:
    """A ports.Input on the kernel's edge events; it debounces."""

    def __init__(
        self, address: LineAddress, on_change: Callable[[float, bool], None], on_lost: Callable[[float, str], None]
    ) -> None:
        place = locate(address)
        self._on_change, self._on_lost = on_change, on_lost
        settings = gpiod.LineSettings(
            direction=Direction.INPUT,
            edge_detection=Edge.BOTH,
            bias=Bias[constant(address.bias)],
            active_low=address.active_low,
            debounce_period=timedelta(seconds=address.debounce),
        )
        offset = place.line.offset
        try:
            self._request = gpiod.request_lines(place.chip.path, consumer=CONSUMER, config={offset: settings})
            self._active = bool(self._request.get_value(offset).value)
        except (OSError, ValueError) as error:
            refuse(address, slug_of(error))
        self._open = True
        asyncio.get_running_loop().add_reader(self._request.fd, self._hear)

    @property
    def active(self) -> bool:
        return self._active

    async def close(self) -> None:
        """See ports.Input."""
        if self._open:
            self._shut()

    def _hear(self) -> None:
        try:
            # Asked for, since reading waits where there is nothing.
            events = self._request.read_edge_events() if self._request.wait_edge_events(0) else []
        except OSError:
            self._shut()
            self._active = False
            self._on_lost(time.monotonic(), "line_lost")
            return
        for event in events:
            active = event.event_type is EdgeEvent.Type.RISING_EDGE
            # Of a contact opened and closed between the request and the first look, only the end is news.
            if active != self._active and self._open:
                self._active = active
                self._on_change(event.timestamp_ns / 1e9, active)

    def _shut(self) -> None:
        self._open = False
        asyncio.get_running_loop().remove_reader(self._request.fd)
        self._request.release()
