"""The server's clock, for signatures alone: nothing else may believe it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from kiosk.ports import Clock

CLOSE = 2.0
"""Seconds within which two clocks agree: Date has whole seconds, and answers take their time."""


class ServerClock:
    """Unix time as the server sees it. Starts as our own wall clock; `learn` replaces it.

    A box without a battery may be years off, so any skew is learnt. From then on it runs by the monotonic clock: setting
    the wall clock right, as NTP will, does not count the skew twice.
    """

    def __init__(self, wall: Callable[[], float] = time.time, clock: Clock = time.monotonic) -> None:
        self._wall = wall
        self._clock = clock
        self._offset: float | None = None

    def now(self) -> float:
        return self._wall() if self._offset is None else self._clock() + self._offset

    @property
    def skew(self) -> float:
        """Seconds by which the server is ahead of our wall clock; 0 while nothing is learnt."""
        return 0.0 if self._offset is None else self.now() - self._wall()

    def learn(self, date: str) -> bool:
        """Takes a Date header's time. False where it says nothing, or what we believed already: signing again is no use then."""
        try:
            there = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return False
        if abs(there - self.now()) < CLOSE:
            return False
        self._offset = there - self._clock()
        return True
