"""What a reader types that poses as a keyboard: keys until Enter. Pure: times come in with the keys."""

from __future__ import annotations

LONGEST = 500
"""Characters; what is longer is no credential."""

_PLAIN = {f"KEY_{key}": key.lower() for key in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}
_PLAIN |= {f"KEY_KP{digit}": digit for digit in "0123456789"}
_PLAIN |= {"KEY_MINUS": "-", "KEY_EQUAL": "=", "KEY_DOT": ".", "KEY_COMMA": ",", "KEY_SLASH": "/", "KEY_SEMICOLON": ";"}
_PLAIN |= {"KEY_APOSTROPHE": "'", "KEY_LEFTBRACE": "[", "KEY_RIGHTBRACE": "]", "KEY_BACKSLASH": "\\", "KEY_GRAVE": "`"}
_PLAIN |= {"KEY_SPACE": " ", "KEY_KPMINUS": "-", "KEY_KPPLUS": "+", "KEY_KPDOT": ".", "KEY_KPASTERISK": "*", "KEY_KPSLASH": "/"}
_SHIFTED = dict(zip("1234567890-=,./;'[]\\`", '!@#$%^&*()_+<>?:"{}|~', strict=True))
_SHIFTS = frozenset({"KEY_LEFTSHIFT", "KEY_RIGHTSHIFT"})
_ENDS = frozenset({"KEY_ENTER", "KEY_KPENTER"})

KNOWN = frozenset({*_PLAIN, *_SHIFTS, *_ENDS})
"""The kernel's names of the keys that mean something, on a US keyboard: what readers pose as."""


class Keys:
    """Gathers one value. `pause`: seconds between two keys after which what was typed is forgotten."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._typed: list[str] = []
        self._at = 0.0
        self._shifts: set[str] = set()

    def clear(self) -> None:
        """Forgets what was typed."""
        self._typed.clear()

    def key(self, at: float, name: str, *, down: bool) -> str:
        """A key goes down or up; the value, where Enter ended one, else empty."""
        if name in _SHIFTS:
            (self._shifts.add if down else self._shifts.discard)(name)
            return ""
        if not down:
            return ""
        if at - self._at > self._pause:
            self._typed.clear()
        self._at = at
        if name in _ENDS:
            value = "".join(self._typed) if len(self._typed) <= LONGEST else ""
            self._typed.clear()
            return value
        if name in _PLAIN and len(self._typed) <= LONGEST:
            plain = _PLAIN[name]
            self._typed.append((_SHIFTED.get(plain) or plain.upper()) if self._shifts else plain)
        return ""
