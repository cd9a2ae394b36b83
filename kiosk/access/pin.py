"""PINs and their hashes: the same work for a right one, a wrong one and somebody who has none."""

from __future__ import annotations

from functools import cache
from typing import Literal

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from kiosk.errors import ConfigurationError

LONGEST = 12
"""Digits."""

# Argon2id with the smallest cost that OWASP's cheat sheet on storing passwords lists: a tenth of a second on a small box.
# Ten thousand PINs are soon tried on any hash; what keeps guessers out is that the portal rests after a few.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_MOST = {"time_cost": 10, "memory_cost": 131_072, "parallelism": 8}
"""What a hash may cost to check, memory in KiB: two of them must be, while somebody waits."""

_WITHIN = 60.0

Answer = Literal["right", "duress", "wrong"]


class Guesses:
    """Wrong PINs at one portal; times are monotonic seconds.

    The portal counts failures too, and then lets nobody through; but whoever guesses must not go on learning meanwhile which
    PIN is right, so that none is even looked at.
    """

    def __init__(self, most: int, rest: float) -> None:
        self._most = most
        self._rest = rest
        self._wrong: list[float] = []
        self._until = float("-inf")

    def may(self, at: float) -> bool:
        return at >= self._until

    def wrong(self, at: float) -> None:
        """`most` of them within a minute are followed by `rest` seconds."""
        self._wrong = [one for one in self._wrong if at - one < _WITHIN] + [at]
        if len(self._wrong) >= self._most:
            self._wrong.clear()
            self._until = at + self._rest


def is_pin(text: str, shortest: int) -> bool:
    """Whether it is made of ASCII digits, `shortest` of them at least."""
    return text.isascii() and text.isdigit() and shortest <= len(text) <= LONGEST


def hashed(pin: str) -> str:
    """For settings.people; a new salt each time. Takes 19 MiB and some 50 ms."""
    return _HASHER.hash(pin)


def answer(pin: str, hashes: tuple[str, str]) -> Answer:
    """Which of a person's two hashes `pin` fits: the usual one's, the one's under duress. An empty hash fits nothing.

    Takes as long as two checks, whatever the answer: call it outside the event loop.
    """
    right, duress = (_fits(one or _nobodys(), pin) and bool(one) for one in hashes)
    return "duress" if duress else "right" if right else "wrong"


def check_hash(setting: str, pin_hash: str) -> None:
    """Raises ConfigurationError `configuration_invalid` for a hash that is none, or costs too much to check."""
    if not pin_hash:
        return
    try:
        cost = argon2.extract_parameters(pin_hash)
    except InvalidHashError:
        raise ConfigurationError(
            "configuration_invalid", f"{setting} is no hash; make one with `kiosk credentials pin`"
        ) from None
    if cost.type is not argon2.Type.ID or any(getattr(cost, part) > most for part, most in _MOST.items()):
        raise ConfigurationError(
            "configuration_invalid", f"{setting} is not Argon2id, or too dear to check; make one with `kiosk credentials pin`"
        )


@cache
def _nobodys() -> str:
    """What stands in for a missing hash, so that nobody can tell by the clock who has a PIN."""
    return hashed("a PIN has no letters")


def _fits(pin_hash: str, pin: str) -> bool:
    try:
        return _HASHER.verify(pin_hash, pin)
    except VerificationError:
        return False
