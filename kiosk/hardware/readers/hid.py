"""USB readers that pose as a keyboard: taken for ourselves alone, so that nothing they type reaches a console."""

from __future__ import annotations

import asyncio
import time

import evdev
from evdev import ecodes

from kiosk.errors import HardwareError
from kiosk.hardware.readers.keys import Keys
from kiosk.hardware.readers.reader import OnFault, OnValue, kind_of, options

_PAUSE = {"card": 0.5, "qr": 0.5, "pin": 5.0}
"""Seconds between two keys at most: a reader types by itself, a person takes their time."""


class HidReader:
    """See Reader. `evdev:/dev/input/by-id/…?kind=card`, `qr` for a scanner of codes, `pin` for a keypad."""

    def __init__(self, url: str, on_value: OnValue, on_fault: OnFault) -> None:
        place, given = options(url, {"kind": "card"})
        self._kind = kind_of(url, given["kind"])
        self._on_value = on_value
        self._on_fault = on_fault
        self._keys = Keys(_PAUSE[self._kind])
        try:
            self._device = evdev.InputDevice(place)
        except OSError as error:
            raise HardwareError("reader_missing", f"{url}: {error.strerror}") from error
        try:
            self._device.grab()
        except OSError as error:
            self._device.close()
            raise HardwareError("reader_missing", f"{url}: {error.strerror}; another program has taken it") from error
        self._open = True
        asyncio.get_running_loop().add_reader(self._device.fd, self._hear)

    async def close(self) -> None:
        self._shut()

    def _shut(self) -> None:
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_reader(self._device.fd)
            self._device.close()  # closing gives up the grab

    def _hear(self) -> None:
        now = time.monotonic()
        try:
            events = list(self._device.read())
        except OSError:
            self._shut()
            self._on_fault(now, "reader_lost")
            return
        for event in events:
            if event.type == ecodes.EV_KEY and event.value in (0, 1):  # 2 is a key that repeats while it is held
                value = self._keys.key(now, _name(event.code), down=event.value == 1)
                if value:
                    self._on_value(now, self._kind, value)


def _name(code: int) -> str:
    """Some codes have several names; the first is the usual one."""
    name = ecodes.KEY.get(code, "")
    return str(name if isinstance(name, str) else name[0])
