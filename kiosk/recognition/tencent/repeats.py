"""Whether a call that failed is made again, and when."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from kiosk.errors import ClockRejected, RecogniserError, Throttled, Transient
from kiosk.recognition.tencent import codes
from kiosk.recognition.tencent.codes import Handling
from kiosk.recognition.tencent.lines import Line
from kiosk.recognition.tencent.network import Trace

FIRST_PAUSE = 0.15
"""Seconds before the first repeat, twice that before the second, each drawn between half and one and a half of that."""
UNREACHABLE_RETRIES = 2
LOST = frozenset({"cloud_unreachable", "cloud_error", "deadline_exceeded"})
"""How an attempt ends that may have worked although nobody said so."""

_random = secrets.SystemRandom()


class SkewTaken(ClockRejected):
    """Signing again, by the server's clock, may help."""


class Run:
    """What became of one call's attempts so far, and whether there is to be another. Knows no time."""

    def __init__(self, interface: str, *, write: bool, settled: Collection[str]) -> None:
        self._interface = interface
        self._write = write
        self._settled = settled
        self._repeats = 0
        self._signed_anew = False
        self._doubtful = False
        self._stale = False
        self.error: RecogniserError | None = None
        self.failed: list[Line] = []
        self.over = False
        self.lost = False
        """An earlier attempt of a write may have worked."""

    def ended(self, line: Line, error: RecogniserError, trace: Trace) -> None:
        self.error = error
        self._doubtful = trace.sent and not error.code and error.slug in LOST
        self._stale = trace.sent and not trace.connected and not trace.answered
        if not error.code:
            self.failed.append(line)

    def pause_after(self, error: RecogniserError) -> float | None:
        """Seconds until the next attempt, None where there is none."""
        if isinstance(error, SkewTaken):
            again, self._signed_anew = not self._signed_anew, True
            return 0.0 if again else None
        if error is not self.error or self.over or self._repeats >= _repeats_after(error):
            return None
        if self._write and self._doubtful:
            if not self._settled:
                return None
            self.lost = True
        self._repeats += 1
        if self._stale or isinstance(error, Throttled):
            return 0.0  # A connection that had gone stale says nothing of the server; and the limiter makes the other pause.
        return FIRST_PAUSE * self._repeats * _random.uniform(0.5, 1.5)

    def last_word(self, error: RecogniserError) -> RecogniserError:
        if self._write and not error.code and (self.lost or self._doubtful):
            return Transient("outcome_unknown", f"{self._interface}: {error}")
        return ClockRejected(error.slug, error.detail, code=error.code) if isinstance(error, SkewTaken) else error


def _repeats_after(error: RecogniserError) -> int:
    if error.code:
        return codes.RETRIES.get(codes.entry_for(error.code).handling, 0)
    if isinstance(error, Throttled):
        return codes.RETRIES[Handling.THROTTLE]
    return UNREACHABLE_RETRIES if error.slug in {"cloud_unreachable", "cloud_error"} else 0
