"""The time of day, and whether it can be believed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kiosk.errors import ConfigurationError, did_you_mean

JUMP = 2.0
"""Seconds by which the time of day may gain or lose on the clock that nobody sets, between two readings."""

_TIME_ERROR = 5
"""adjtimex(2): what it returns while the clock is not synchronised."""
_TIMEX_BYTES = 512
"""More than a struct timex takes anywhere; all zero, it asks and changes nothing."""
_ASK = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
_ANSWER_WITHIN = 5.0
_LOCALTIME = Path("/etc/localtime")


def synchronised() -> bool:
    """Whether the kernel says that something keeps the clock right: timesyncd, chrony and ntpd all tell it. May take seconds."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    if state >= 0:
        return state < _TIME_ERROR
    # A service that may not set the clock (ProtectClock=) may not ask for its state either; systemd tells.
    try:
        said = subprocess.run(_ASK, capture_output=True, text=True, timeout=_ANSWER_WITHIN, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.stdout.strip() == "yes"


class TrustedClock:
    """`now` on one thread. Before the first `refresh` a clock that should be synchronised is not believed."""

    def __init__(
        self,
        manner: Literal["synchronised", "trusted"],
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        kernel: Callable[[], bool] = synchronised,
    ) -> None:
        self._synchronised = manner == "synchronised"
        self._wall = wall
        self._steady = steady
        self._kernel = kernel
        self._offset = wall() - steady()
        self._kept_right = False
        self.jumped = False
        """Whether somebody set the clock since the start, without its being synchronised afterwards."""

    def refresh(self) -> None:
        """Asks whether the clock is kept right; `now` goes by the last answer. Blocks: any thread, every few seconds."""
        if self._synchronised:
            self._kept_right = self._kernel()

    def now(self) -> tuple[float, bool]:
        """Unix seconds, and whether to believe them.

        A clock that nothing synchronises is not believed any more once it was set: the daemon's next start believes it again.
        """
        moment = self._wall()
        offset = moment - self._steady()
        trusted = self._kept_right or not self._synchronised
        if abs(offset - self._offset) > JUMP:
            self.jumped = True
        self._offset = offset
        if self._synchronised and trusted:
            self.jumped = False
        return moment, trusted and not self.jumped


def zone(name: str) -> tzinfo:
    """The time zone `name`; `local`: the system's. Raises ConfigurationError `calendar_invalid`."""
    if name == "local":
        return _local()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        from zoneinfo import available_timezones  # noqa: PLC0415 (reads hundreds of files)

        near = did_you_mean(name, sorted(available_timezones()))
        raise ConfigurationError("calendar_invalid", f"site.timezone: there is no time zone '{name}'{near}") from error


def _local() -> tzinfo:
    named = os.environ.get("TZ", "").lstrip(":")
    if named:
        return zone(named)
    try:
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        # Without a zone of its own a system shows universal time.
        return ZoneInfo("UTC")
