"""The sandbox's time of day, which may be made wrong on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from email.utils import formatdate

_of_this_call: ContextVar[float] = ContextVar("_of_this_call", default=0.0)
"""Each request is a task of its own, so what one is told of the time no other hears."""


class Clock:
    """What signatures are held to, and what the answers' Date header says. `shift`: seconds added to `wall` (Unix seconds)."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.shift = 0.0
        self._dated = (-1, b"")

    def now(self) -> float:
        return self._wall() + self.shift + _of_this_call.get()

    def shift_this_call(self, seconds: float) -> None:
        """For the present task only, on top of `shift`."""
        _of_this_call.set(seconds)

    def date(self) -> bytes:
        """As HTTP writes it; remembered for a second."""
        now = int(self.now())
        if self._dated[0] != now:
            self._dated = now, formatdate(now, usegmt=True).encode()
        return self._dated[1]
