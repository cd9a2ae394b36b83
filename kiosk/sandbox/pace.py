"""How many calls an account may make in a second."""

from __future__ import annotations

from collections import defaultdict, deque
from functools import partial

SECOND = 1.0


class Pace:
    """`most` calls of each interface in any second; None: no limit."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._past: defaultdict[str, deque[float]] = defaultdict(partial(deque, maxlen=most))

    def admits(self, interface: str, now: float) -> bool:
        """Whether this call is within the limit; one that is not does not count. `now`: monotonic seconds."""
        if self._most is None:
            return True
        past = self._past[interface]
        if len(past) == self._most and now - past[0] < SECOND:
            return False
        past.append(now)
        return True
