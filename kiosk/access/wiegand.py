"""Wiegand cards: from pulses on two lines to a facility and a number.

A reader pulls DATA0 low for a 0 and DATA1 for a 1. By the SIA's standard (AC-01) a pulse is 20–100 µs wide and the next one
follows after 0.2–20 ms. Pure: times come in with the edges, in monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SHORTEST_PULSE, LONGEST_PULSE = 5e-6, 1e-3
"""Seconds; wider than the standard on both sides, since a kernel's timestamps come some microseconds late."""
SHORTEST_GAP = 150e-6
"""Seconds from one pulse's beginning to the next one's; less is noise."""
SILENCE = 0.025
"""Seconds without a pulse after which the frame is over."""
LENGTHS = {26: 8, 34: 16}
"""Bits of a frame, and those of them that are the facility."""


class Read(NamedTuple):
    """A whole frame at monotonic seconds `at`: `card` as settings.people has it, or the `slug` of why it is none."""

    at: float
    card: str = ""
    slug: str = ""


class Decoder:
    """Takes edges in the order they came; one frame at a time."""

    def __init__(self) -> None:
        self._bits: list[int] = []
        self._fault = ""
        self._fell: list[float | None] = [None, None]
        self._last: float | None = None

    @property
    def due(self) -> float | None:
        """When `silence` should be told the time, None outside a frame."""
        return None if self._last is None else self._last + SILENCE

    def edge(self, at: float, line: int, *, low: bool) -> Read | None:
        """DATA`line` (0 or 1) has fallen (`low`) or risen; the frame before, where this edge begins another."""
        ended = self.silence(at) if low else None
        if low:
            self._fall(at, line)
        else:
            self._rise(at, line)
        return ended

    def silence(self, at: float) -> Read | None:
        """It is `at` now: the frame that is over, if one is."""
        if self._last is None or at - self._last < SILENCE:
            return None
        slug = self._fault
        if any(fell is not None for fell in self._fell):
            slug = slug or "wiegand_noise"  # a line that stays low is no reader's
        found = "" if slug else card(self._bits)
        if not slug and found in _SLUGS:
            slug, found = found, ""
        read = Read(self._last, found, slug)
        self.__init__()  # type: ignore[misc]  # all of it starts anew
        return read

    def _fall(self, at: float, line: int) -> None:
        if self._fell[1 - line] is not None:
            self._spoil("wiegand_both_lines")
        elif self._last is not None and at - self._last < SHORTEST_GAP:
            self._spoil("wiegand_noise")
        self._fell[line] = self._last = at
        if len(self._bits) > max(LENGTHS):
            return  # too long already; more need not be remembered
        self._bits.append(line)

    def _rise(self, at: float, line: int) -> None:
        fell, self._fell[line] = self._fell[line], None
        if fell is not None and not SHORTEST_PULSE <= at - fell <= LONGEST_PULSE:
            self._spoil("wiegand_noise")

    def _spoil(self, slug: str) -> None:
        self._fault = self._fault or slug


_SLUGS = ("wiegand_length", "wiegand_parity")


def card(bits: Sequence[int]) -> str:
    """`26:FACILITY:NUMBER` or `34:…`; the slug `wiegand_length` or `wiegand_parity` where the bits are no such card.

    The first bit makes the first half's ones even, the last one makes the second half's odd.
    """
    length = len(bits)
    if length not in LENGTHS:
        return "wiegand_length"
    half = length // 2
    if sum(bits[:half]) % 2 != 0 or sum(bits[half:]) % 2 != 1:
        return "wiegand_parity"
    split = 1 + LENGTHS[length]
    return f"{length}:{_number(bits[1:split])}:{_number(bits[split:-1])}"


def frame(length: int, facility: int, number: int) -> tuple[int, ...]:
    """The bits a reader sends for a card, parity and all. Raises ValueError where they do not fit."""
    wide = LENGTHS[length]
    if not 0 <= facility < 1 << wide or not 0 <= number < 1 << 16:
        raise ValueError(f"{length} bits hold no facility {facility} with number {number}")
    data = [int(digit) for digit in f"{facility:0{wide}b}{number:016b}"]
    half = length // 2 - 1
    return (sum(data[:half]) % 2, *data, 1 - sum(data[half:]) % 2)


def _number(bits: Sequence[int]) -> int:
    return int("".join(map(str, bits)), 2)
