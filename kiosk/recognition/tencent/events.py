"""What the calls tell whoever watches them: for log, metrics and alarms. No event holds a face or a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct


class Asked(Struct, frozen=True):
    """One request was sent, or was to be. `outcome`: the vendor's code, "0" for success, else our slug.

    `stages`: milliseconds of dns, connect, tls, send, wait, receive – only those that took place.
    """

    interface: str
    endpoint: str
    outcome: str
    seconds: float
    stages: Mapping[str, float] = {}


class Repeated(Struct, frozen=True):
    """A request is about to be repeated after `pause` seconds."""

    interface: str
    slug: str
    code: str
    pause: float


class SkewLearnt(Struct, frozen=True):
    """From now on signatures follow the server's clock, which is `seconds` ahead of ours."""

    seconds: float


class Slowed(Struct, frozen=True):
    """The vendor asked to slow down: `group` now gets `rate` requests a second."""

    group: str
    rate: float


class Circuit(Struct, frozen=True):
    """`name` (an endpoint, or `account`) is asked again only after `seconds`; 0: it answers again."""

    name: str
    seconds: float


class Retiring(Struct, frozen=True):
    """The vendor says that this interface goes offline. Told once for each interface."""

    interface: str
    message: str


CallEvent = Asked | Repeated | SkewLearnt | Slowed | Circuit | Retiring
Watch = Callable[[CallEvent], None]


def unwatched(_: CallEvent) -> None:
    """Nobody listens."""
