"""Wiegand readers on two GPIO lines: the kernel stamps each edge, the decoder does the rest."""

from __future__ import annotations

import asyncio
import time

import gpiod
from gpiod.line import Bias, Direction, Edge

from kiosk.access.wiegand import Decoder, Read
from kiosk.errors import ConfigurationError, HardwareError
from kiosk.hardware.readers.reader import OnFault, OnValue, options

_BIAS = {"pull-up": Bias.PULL_UP, "pull-down": Bias.PULL_DOWN, "disabled": Bias.DISABLED, "as-is": Bias.AS_IS}
_BUFFER = 256
"""Edges the kernel keeps: three frames."""


class WiegandReader:
    """See Reader. `wiegand:CHIP/D0/D1?bias=pull-up`; lines by offset or name.

    The lines rest high and are pulled low; 5 V readers need a level shifter before a board of 3.3 V.
    """

    def __init__(self, url: str, on_value: OnValue, on_fault: OnFault) -> None:
        place, given = options(url, {"bias": "pull-up"})
        chip, *names = place.removeprefix("/dev/").split("/")
        if len(names) != 2 or names[0] == names[1] or not all((chip, *names)) or given["bias"] not in _BIAS:
            raise ConfigurationError(
                "configuration_invalid", f"{url}: write wiegand:CHIP/D0/D1 with two different lines; bias is {', '.join(_BIAS)}"
            )
        self._url = url
        self._on_value = on_value
        self._on_fault = on_fault
        self._decoder = Decoder()
        self._timer: asyncio.TimerHandle | None = None
        lines = [int(name) if name.isdigit() else name for name in names]
        settings = gpiod.LineSettings(direction=Direction.INPUT, edge_detection=Edge.BOTH, bias=_BIAS[given["bias"]])
        try:
            self._request = gpiod.request_lines(
                f"/dev/{chip}", consumer="kiosk", config=dict.fromkeys(lines, settings), event_buffer_size=_BUFFER
            )
        except (OSError, ValueError) as error:
            raise HardwareError("reader_missing", f"{url}: {error}") from error
        self._offsets = list(self._request.offsets)
        self._open = True
        asyncio.get_running_loop().add_reader(self._request.fd, self._hear)

    async def close(self) -> None:
        self._shut()

    def _shut(self) -> None:
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_reader(self._request.fd)
            if self._timer is not None:
                self._timer.cancel()
            self._request.release()

    def _hear(self) -> None:
        try:
            events = self._request.read_edge_events()
        except OSError:
            self._shut()
            self._on_fault(time.monotonic(), "reader_lost")
            return
        for event in events:
            low = event.event_type is gpiod.EdgeEvent.Type.FALLING_EDGE
            self._tell(self._decoder.edge(event.timestamp_ns / 1e9, self._offsets.index(event.line_offset), low=low))
        self._wait()

    def _wait(self) -> None:
        """For the silence that ends the frame."""
        if self._timer is not None:
            self._timer.cancel()
        due = self._decoder.due
        self._timer = None if due is None else asyncio.get_running_loop().call_at(due, self._end)

    def _end(self) -> None:
        # The loop may be called a little before its time.
        self._tell(self._decoder.silence(time.monotonic()))
        self._wait()

    def _tell(self, read: Read | None) -> None:
        if read is None:
            return
        if read.slug:
            self._on_fault(read.at, read.slug)
        else:
            self._on_value(read.at, "card", read.card)
