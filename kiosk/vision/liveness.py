"""Whether a living person stands before the camera: the votes of a presentation's frames, and the challenge. Pure.

What decides is decided once: the first frames vote, and waiting gives no second draw. Later frames can only make it worse.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, deque

from kiosk.domain import Liveness
from kiosk.settings import LivenessPolicy, LivenessSettings
from kiosk.vision.challenge import Challenge, order
from kiosk.vision.live_sample import LiveSample, Wanted

__all__ = ["LiveSample", "LivenessJudge"]

SUSPECT = 0.5
"""A suspicion from here on counts as one; half of the votes make it an attack."""
COMPARED_EVERY = 0.3
"""Seconds between two comparisons of faces during a challenge: each takes as long as ten votes."""
STILL_FOR = 2.0
"""Seconds without a picture that was not there before, to the bit, that make it static: the noise of a sensor never repeats.
Encoders repeat a face that hardly moves, for tenths of a second. A repeated picture has no vote: a static one is never alive."""
REMEMBERED = 600
"""Pictures: half a minute of them."""


class LivenessJudge:
    """One per presentation. Feed it samples of that one track, with rising times."""

    def __init__(self, settings: LivenessSettings, policy: LivenessPolicy = "passive", seed: int = 0) -> None:
        """`seed` decides what the challenge asks; take it from `secrets.randbits`."""
        self._settings = settings
        self._policy = policy
        self._challenge = Challenge(settings, order(settings, seed))
        self._votes: deque[LiveSample] = deque(maxlen=settings.votes)
        self._first_at: float | None = None
        self._voted_at = self._compared_at = -math.inf
        self._known: deque[bytes] = deque(maxlen=REMEMBERED)
        self._new_at = -math.inf
        self._frames = 0
        self._passive = Liveness(-1, "unchecked", "", 0)

    @property
    def begun(self) -> bool:
        """Whether it has seen anything yet: from the first sample on, time runs."""
        return self._first_at is not None

    @property
    def asks_at_once(self) -> bool:
        """Whether the first sample begins a challenge."""
        return self._policy == "challenge"

    def wanted(self, at: float, *, usable: bool) -> Wanted | None:
        """What to look for in the frame of `at`; None where nothing. Only `usable` pictures vote: no others are ever sent.

        A challenge wants every frame: a blink is short.
        """
        moves = self.prompt() is not None
        wanted = Wanted(
            vote=usable and self._passive.state != "attack" and at - self._voted_at >= self._settings.every,
            moves=moves,
            likeness=moves and at - self._compared_at >= COMPARED_EVERY,
        )
        return wanted if self._policy != "off" and (wanted.vote or moves) else None

    def look(self, sample: LiveSample) -> None:
        """One frame."""
        if sample.fingerprint:
            self._voted_at = sample.at
        if sample.likeness is not None:
            self._compared_at = sample.at
        if self._policy == "off" or self._passive.state == "attack":
            return
        if self._first_at is None:
            self._first_at = sample.at
        if self._challenges:
            self._challenge.look(sample)
        repeated = sample.fingerprint in self._known
        if sample.fingerprint and not repeated:
            self._known.append(sample.fingerprint)
            self._new_at = sample.at
        if repeated and sample.at - self._new_at >= STILL_FOR:
            self._passive = Liveness(0, "attack", "picture_static", self._frames)
        elif sample.live >= 0 and not repeated:
            self._frames += 1
            self._votes.append(sample)
            self._vote()
        if self._passive.state == "unchecked" and sample.at - self._first_at > self._settings.within:
            self._passive = Liveness(-1, "doubt", "liveness_not_told", self._frames)

    def state(self) -> Liveness:
        """`live` and `attack` as far as is known now; `unchecked` while votes or the challenge are still to come."""
        passive = self._passive
        if passive.state in ("attack", "unchecked") or not self._challenges:
            return passive
        score, frames = passive.score, passive.frames
        match self._challenge.progress:
            case "running":
                return Liveness(score, "unchecked", "", frames)
            case "passed":
                return Liveness(score, "live", "", frames)
            case _:
                return Liveness(score, "doubt", self._challenge.cause, frames)

    def prompt(self) -> str | None:
        """Slug of what the person should do now; None where nothing is asked."""
        asks = self._challenges and self._passive.state != "attack"
        return self._challenge.prompt if asks else None

    @property
    def _challenges(self) -> bool:
        if self._policy == "challenge":
            return True
        return self._policy == "passive+challenge" and self._passive.state == "doubt"

    def _vote(self) -> None:
        if len(self._votes) < self._settings.votes:
            return
        # In whole numbers, as it is reported: what the journal says is what was compared.
        score = round(100 * statistics.median(sample.live for sample in self._votes))
        cause = self._suspected() or (self._likeliest() if score <= self._settings.attack_below else "")
        if cause:
            self._passive = Liveness(score, "attack", cause, self._frames)
        elif self._passive.state == "unchecked":
            told = score >= self._settings.live_from
            self._passive = Liveness(score, "live" if told else "doubt", "" if told else "liveness_doubtful", self._frames)

    def _likeliest(self) -> str:
        return Counter(sample.kind for sample in self._votes).most_common(1)[0][0]

    def _suspected(self) -> str:
        """The kind of attack that at least half of the votes look like; empty where there is none."""
        seen = Counter(slug for sample in self._votes for slug, strength in sample.suspicions.items() if strength >= SUSPECT)
        slug, count = max(seen.items(), key=lambda item: item[1], default=("", 0))
        return slug if 2 * count >= len(self._votes) else ""
