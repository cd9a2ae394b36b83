"""How many requests a second an account may send to each group of interfaces, shared out in order of arrival."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Mapping

from kiosk.errors import Throttled
from kiosk.ports import Clock

RATE = 50
"""Requests a second to one group; the vendor's documents (product news of 2023-02-27)."""
RATES: Mapping[str, int] = {"liveness_accurate": 5}
"""The groups that have a rate of their own."""
WINDOW = 1.0
"""Seconds over which the vendor counts."""
BACK_OFF = 1.0
"""Seconds in which nothing is sent after the vendor asked to slow down."""
DOUBLING = 10.0
"""Seconds in which a rate that was slowed down doubles again, up to the full one."""


class Pace:
    """Never more than `rate` starts within any WINDOW. Pure: times come in, in any one clock's seconds, never falling."""

    def __init__(self, rate: int) -> None:
        self._full = rate
        self._slowed = float(rate)
        self._slowed_at = -math.inf
        self._not_before = -math.inf
        self._starts: deque[float] = deque(maxlen=rate)

    def rate(self, now: float) -> int:
        """Starts a second as of `now`: halved by each `slow_down`, doubled again every DOUBLING seconds."""
        return int(min(self._full, self._slowed * 2 ** min((now - self._slowed_at) / DOUBLING, 64)))

    def reserve(self, now: float, latest: float) -> float | None:
        """The time of the next start that is free, now reserved; None, and nothing reserved, where that is after `latest`.

        Starts are given out in the order they are asked for.
        """
        rate = self.rate(now)
        start = max(now, self._not_before, self._starts[-1] if self._starts else now)
        if len(self._starts) >= rate:
            start = max(start, self._starts[-rate] + WINDOW)
        if start > latest:
            return None
        self._starts.append(start)
        return start

    def slow_down(self, now: float) -> int | None:
        """Halves the rate and stops for BACK_OFF; gives the new rate. Refusals that come together count once (None)."""
        if now - self._slowed_at < BACK_OFF:
            return None
        self._slowed = max(1.0, self.rate(now) / 2)
        self._slowed_at = now
        self._not_before = now + BACK_OFF
        return self.rate(now)


class Limiter:
    """One account's paces, one for each group. Share it between all that use the account. Event loop only."""

    def __init__(self, rates: Mapping[str, int] = RATES, *, rate: int = RATE, clock: Clock = time.monotonic) -> None:
        self._rates = rates
        self._rate = rate
        self._clock = clock
        self._paces: dict[str, Pace] = {}

    async def turn(self, group: str, deadline: float) -> None:
        """Waits for the group's next free start. Raises Throttled `cloud_busy` at once where there is none before `deadline`."""
        pace, now = self._pace(group), self._clock()
        start = pace.reserve(now, deadline)
        if start is None:
            raise Throttled("cloud_busy", f"{group}: no turn in time at {pace.rate(now)} requests a second")
        if start > now:
            await asyncio.sleep(start - now)

    def slow_down(self, group: str) -> int | None:
        """The vendor asked for it. Gives the new rate, None where it was slowed down just now."""
        return self._pace(group).slow_down(self._clock())

    def _pace(self, group: str) -> Pace:
        return self._paces.setdefault(group, Pace(self._rates.get(group, self._rate)))
