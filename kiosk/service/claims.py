"""What was presented at one portal besides faces, and for how long it counts. Pure: time comes in."""

from __future__ import annotations

from kiosk.domain import Credential


class Claims:
    """`within`: seconds for which a credential counts; `claiming`: whether it claims a person, or only goes with a face."""

    def __init__(self, within: float, *, claiming: bool) -> None:
        self.claiming = claiming
        self._within = within
        self._newest: Credential | None = None
        self._claim: Credential | None = None

    def take(self, credential: Credential) -> bool:
        """Whether it claims a person; else it is a second factor, or nobody's.

        Another kind of credential of a person who is claimed already is their second factor.
        """
        self._newest = credential
        claim = self._good(self._claim, credential.at)
        seconds = claim is not None and claim.person == credential.person and claim.kind != credential.kind
        if not self.claiming or not credential.person or seconds:
            return False
        self._claim = credential
        return True

    def newest(self, now: float) -> Credential | None:
        """The last one presented, where it is still good at monotonic seconds `now`."""
        return self._good(self._newest, now)

    def claimed(self, now: float) -> str:
        """Who is claimed to stand there, empty where nobody is."""
        claim = self._good(self._claim, now)
        return claim.person if claim else ""

    def spend(self) -> None:
        """Somebody was let in: whoever comes next presents their own."""
        self._newest = self._claim = None

    def _good(self, credential: Credential | None, now: float) -> Credential | None:
        return credential if credential and 0 <= now - credential.at <= self._within else None
