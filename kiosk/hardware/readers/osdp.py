"""OSDP readers on RS-485 (IEC 60839-11-5): libosdp talks to them in a thread of its own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import termios
import time
import tty
from collections.abc import Mapping
from pathlib import Path

import osdp

from kiosk import configuration
from kiosk.access import wiegand
from kiosk.errors import ConfigurationError, HardwareError
from kiosk.hardware.readers.keys import Keys
from kiosk.hardware.readers.reader import OnFault, OnValue, number, options

_ONLINE_WITHIN = 5.0
"""Seconds until a reader that is there has answered; with a secure channel it was seen to take a quarter of one."""
_LOOK_EVERY = 0.5
"""Seconds between looks whether it still answers. libosdp itself waits eight for the last answer."""
_PIN_PAUSE = 5.0
_OPTIONS = {"address": "0", "baud": "9600", "key_file": ""}
_CLEAR, _ENTER = "\x7f*", "\r#"
"""`*` and `#` of a keypad, by the standard and as some send them."""


class OsdpReader:
    """See Reader. `osdp:/dev/ttyUSB0?address=0&baud=9600&key_file=FILE`.

    The file has the reader's secure channel base key, 32 hexadecimal digits; without one the bus is open to whoever is on
    the wire, and with one nothing is heard in the clear.
    """

    def __init__(self, url: str, state_dir: Path, on_value: OnValue, on_fault: OnFault) -> None:
        place, given = options(url, _OPTIONS)
        self._url = url
        self._on_value = on_value
        self._on_fault = on_fault
        self._keys = Keys(_PIN_PAUSE)
        self._address = number(url, "address", given["address"], 0, 126)
        key = _key(url, given["key_file"], state_dir)
        self._line = _Line(url, place, given["baud"])
        self._loop = asyncio.get_running_loop()
        flags = [osdp.LibFlag.EnforceSecure] if key else []
        wanted = osdp.PDInfo(self._address, self._line, scbk=key, flags=flags)
        # Its own log would go to standard error, and an exception in its callback is only printed.
        self._panel = osdp.ControlPanel([wanted], log_level=osdp.LogLevel.Emergency, event_handler=self._on_event)
        self._panel.start()
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str, state_dir: Path, on_value: OnValue, on_fault: OnFault) -> OsdpReader:
        """Raises HardwareError `reader_missing` where nobody answers, or not under this key."""
        reader = cls(url, state_dir, on_value, on_fault)
        try:
            async with asyncio.timeout(_ONLINE_WITHIN):
                await reader._until(answers=True, every=_LOOK_EVERY / 10)
        except TimeoutError as error:
            await reader.close()
            raise HardwareError("reader_missing", f"{url}: no answer within {_ONLINE_WITHIN:g} s") from error
        reader._watch = asyncio.create_task(reader._look(), name=f"reader {url}")
        return reader

    async def close(self) -> None:
        if self._watch is not None and self._watch is not asyncio.current_task():
            self._watch.cancel()
        await self._shut()

    async def _shut(self) -> None:
        if not self._line.closed:
            await asyncio.to_thread(self._panel.stop)
            self._line.close()

    def _answers(self) -> bool:
        return not self._line.failed and bool(self._panel.is_online(self._address))

    async def _until(self, *, answers: bool, every: float) -> None:
        while self._answers() is not answers:  # noqa: ASYNC110 (the library has nothing to wait for)
            await asyncio.sleep(every)

    async def _look(self) -> None:
        await self._until(answers=False, every=_LOOK_EVERY)
        await self._shut()
        self._on_fault(time.monotonic(), "reader_lost")

    def _on_event(self, _reader: int, event: Mapping[str, object]) -> int:
        """In libosdp's thread."""
        self._loop.call_soon_threadsafe(self._hear, time.monotonic(), dict(event))
        return 0

    def _hear(self, at: float, event: Mapping[str, object]) -> None:
        data = event.get("data")
        if self._line.closed or not isinstance(data, bytes):
            return
        if event["event"] == osdp.Event.KeyPress:
            self._press(at, data.decode("ascii", "replace"))
        elif event["event"] == osdp.Event.CardRead:
            card = text_of(data, int(str(event.get("length", 8 * len(data)))), is_text=event["format"] == osdp.CardFormat.ASCII)
            if card in {"wiegand_parity", "wiegand_length"}:
                self._on_fault(at, card)
            else:
                self._on_value(at, "card", card)

    def _press(self, at: float, pressed: str) -> None:
        for key in pressed:
            if key in _CLEAR:
                self._keys.clear()
                continue
            value = self._keys.key(at, "KEY_ENTER" if key in _ENTER else f"KEY_{key}", down=True)
            if value:
                self._on_value(at, "pin", value)


def text_of(data: bytes, length: int, *, is_text: bool) -> str:
    """A card as settings.people has it: text as it is, 26 and 34 bits as Wiegand's, others as `BITS:HEX`.

    The slug `wiegand_parity` or `wiegand_length` where it cannot be told.
    """
    if is_text:
        text = data.decode("ascii", "replace").strip("\0\r\n ")
        return text or "wiegand_length"
    if not 0 < length <= 8 * len(data):
        return "wiegand_length"
    bits = [byte >> place & 1 for byte in data for place in range(7, -1, -1)][:length]
    if length in wiegand.LENGTHS:
        return wiegand.card(bits)
    return f"{length}:{int(''.join(map(str, bits)), 2):X}"


class _Line(osdp.Channel):  # type: ignore[misc]  # the library is untyped
    """A serial line as libosdp wants it; read and written in its thread."""

    def __init__(self, url: str, path: str, baud: str) -> None:
        super().__init__()
        self.failed = False
        self.closed = False
        speed = getattr(termios, f"B{baud}", None)
        if speed is None or not baud.isdigit():
            raise ConfigurationError("configuration_invalid", f"{url}: baud is '{baud}', no speed of a serial line")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise HardwareError("reader_missing", f"{url}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as programs agree among themselves
            tty.setraw(self._fd)
            modes = termios.tcgetattr(self._fd)
            modes[4] = modes[5] = speed
            termios.tcsetattr(self._fd, termios.TCSANOW, modes)
        except (OSError, termios.error) as error:
            os.close(self._fd)
            raise HardwareError("reader_missing", f"{url}: no serial line, or another program has it") from error

    def read(self, max_bytes: int) -> bytes:
        try:
            return os.read(self._fd, max_bytes)
        except BlockingIOError:
            return b""
        except OSError:
            self.failed = True
            return b""

    def write(self, buf: bytes) -> int:
        try:
            return os.write(self._fd, bytes(buf))
        except BlockingIOError:
            return 0
        except OSError:
            self.failed = True
            return 0

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True
        os.close(self._fd)


def _key(url: str, file: str, state_dir: Path) -> bytes | None:
    if not file:
        return None
    path = Path(file)
    held = state_dir / path
    text = configuration.secret(held if held.is_file() else path)
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 16:
        raise ConfigurationError("key_unusable", f"{url}: key_file does not hold 32 hexadecimal digits")
    return key
