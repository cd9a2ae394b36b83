"""When to leave an endpoint alone for a while. Pure: time comes in."""

from __future__ import annotations

import math
from typing import Literal

OPENS_AFTER = 3
"""Failures in a row."""
FIRST_PAUSE = 2.0
"""Seconds an open circuit stays open; doubled by each probe that fails."""
LONGEST_PAUSE = 15.0
"""Seconds that a door may stay shut after the network is back."""


class Breaker:
    """Closed → open after OPENS_AFTER failures in a row → half-open: one probe at a time, whose success closes it.

    `now` is any one clock's seconds, never falling.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._retry_at = -math.inf
        self._probing = False

    def state(self, now: float) -> Literal["closed", "open", "half-open"]:
        if self._failures < OPENS_AFTER:
            return "closed"
        return "half-open" if self._probing or now >= self._retry_at else "open"

    def pause(self, now: float) -> float:
        """Seconds until the next request is allowed; 0 where one is."""
        return 0.0 if self._failures < OPENS_AFTER else max(0.0, self._retry_at - now)

    def allows(self, now: float) -> bool:
        """Whether a request may be sent; in an open circuit whose pause is over, the one that asks first is the probe.

        A probe that never reports – cancelled, say – blocks no longer than a failed one.
        """
        if self._failures < OPENS_AFTER:
            return True
        if now < self._retry_at:
            return False
        self._probing = True
        self._retry_at = now + self._pause
        return True

    def succeeded(self) -> bool:
        """The endpoint answered. True where that closed the circuit."""
        was_open = self._failures >= OPENS_AFTER
        self._failures, self._pause, self._probing = 0, FIRST_PAUSE, False
        return was_open

    def failed(self, now: float) -> bool:
        """It did not. True where that opened the circuit, or kept it open after a probe."""
        self._failures += 1
        if self._failures == OPENS_AFTER:
            self._retry_at = now + self._pause
            return True
        if self._probing:
            self._probing = False
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._retry_at = now + self._pause
            return True
        return False
