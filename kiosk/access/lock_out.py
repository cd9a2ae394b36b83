"""A rest after too many failures. Pure; time comes in with each call.

What counts is what a stranger or an attacker causes: nobody recognised, two people too close to tell apart, engines that
differ, somebody who is not alive, a credential that is nobody's or somebody else's. What does not: faults of ours, pictures
that were not good enough, and people who were recognised but may not pass.
"""

from __future__ import annotations

FAILURES = frozenset(
    {
        *("not_recognised", "ambiguous", "opinions_differ", "credential_rejected", "credential_of_another"),
        *("spoof_suspected", "print_suspected", "screen_suspected", "border_suspected", "picture_static"),
        *("challenge_wrong", "challenge_too_early", "person_changed", "liveness_rejected"),
    }
)
WITHIN = 60.0
"""Seconds in which failures are counted together."""


class LockOut:
    """`after` failures within a minute begin it; it lasts `seconds`. Failures during it count for nothing."""

    def __init__(self, after: int, seconds: float) -> None:
        self._after = after
        self._seconds = seconds
        self._failures: dict[object, float] = {}
        self._until = float("-inf")

    def holds(self, at: float) -> bool:
        return at < self._until

    @property
    def until(self) -> float:
        return self._until

    def failed(self, at: float, who: object) -> bool:
        """Whether this failure begins a lock-out. One presentation counts once, however often it tries."""
        if self.holds(at):
            return False
        self._failures = {key: when for key, when in self._failures.items() if at - when < WITHIN}
        self._failures[who] = at
        if len(self._failures) < self._after:
            return False
        self._failures.clear()
        self._until = at + self._seconds
        return True
