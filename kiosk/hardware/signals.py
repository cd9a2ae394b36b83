"""What the person at the door sees and hears: patterns of lamps and buzzer.

`granted` and `denied` are moments, after which the last state is shown again; the others are states.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from kiosk.errors import HardwareError
from kiosk.ports import Output

Pattern = Literal["granted", "denied", "wait", "alarm", "fire", "lockdown", "idle"]
Beat = tuple[bool, float]
"""Whether it is on, and for how many seconds."""

_STEADY = ((True, 3600.0),)
_BLINK = ((True, 0.5), (False, 0.5))
_FAST = ((True, 0.15), (False, 0.15))

PATTERNS: Mapping[Pattern, Mapping[str, tuple[Beat, ...]]] = {
    "idle": {"lamp_blue": ((True, 0.05), (False, 3.95))},
    "wait": {"lamp_blue": _BLINK},
    "granted": {"lamp_green": ((True, 2.0),), "buzzer": ((True, 0.1), (False, 0.1), (True, 0.1))},
    "denied": {"lamp_red": ((True, 2.0),), "buzzer": ((True, 0.6),)},
    "alarm": {"lamp_red": _FAST, "buzzer": _FAST},
    "fire": {"lamp_green": _FAST, "lamp_red": ((False, 0.15), (True, 0.15)), "buzzer": _BLINK},
    "lockdown": {"lamp_red": _STEADY},
}
"""By the name of the output; one that is not named is off. Moments are played once, states again and again."""

MOMENTS: frozenset[Pattern] = frozenset({"granted", "denied"})


class Signals:
    """Event loop only. Outputs that a portal does not have are left out; one that fails is left alone from then on."""

    def __init__(self, outputs: Mapping[str, Output], on_error: Callable[[HardwareError], None] = lambda _: None) -> None:
        """`outputs`: any of `lamp_red`, `lamp_green`, `lamp_blue`, `buzzer`; closed with this. `on_error` hears once of each."""
        self._outputs = dict(outputs)
        self._on_error = on_error
        self._lost: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._state: Pattern = "idle"
        self._moment: asyncio.TimerHandle | None = None

    def show(self, pattern: Pattern) -> None:
        """At once; a state that comes during a moment waits for its end, unless it is an alarm, a fire or a lockdown."""
        if pattern in MOMENTS:
            self._end_moment()
            length = max(sum(seconds for _, seconds in beats) for beats in PATTERNS[pattern].values())
            self._moment = asyncio.get_running_loop().call_later(length, self._resume)
            self._play(pattern)
            return
        self._state = pattern
        if self._moment is None or pattern in {"alarm", "fire", "lockdown"}:
            self._resume()

    async def close(self) -> None:
        """Everything off, and given back."""
        self._end_moment()
        for timer in self._timers.values():
            timer.cancel()
        for output in self._outputs.values():
            await output.close()

    def _end_moment(self) -> None:
        if self._moment is not None:
            self._moment.cancel()
            self._moment = None

    def _resume(self) -> None:
        self._end_moment()
        self._play(self._state)

    def _play(self, pattern: Pattern) -> None:
        for name in self._outputs:
            if name in self._timers:
                self._timers.pop(name).cancel()
            beats = PATTERNS[pattern].get(name, ())
            self._step(name, iter(beats) if pattern in MOMENTS else itertools.cycle(beats))

    def _step(self, name: str, beats: Iterator[Beat]) -> None:
        self._timers.pop(name, None)
        active, seconds = next(beats, (False, None))
        if name in self._lost:
            return
        try:
            self._outputs[name].set(active)
        except HardwareError as error:
            self._lost.add(name)
            self._on_error(error)
            return
        if seconds is not None:
            self._timers[name] = asyncio.get_running_loop().call_later(seconds, self._step, name, beats)
