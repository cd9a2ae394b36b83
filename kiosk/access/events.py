"""What a portal is told, and what it orders. Times are monotonic seconds, and of the event, not of the reader's clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from kiosk.domain import Credential, Decision, PresentationId, Slug

Part = Literal["contact", "request_to_exit", "tamper", "fire"]
Command = Literal[
    "lockdown", "end_lockdown", "release", "end_release", "hold_open", "close", "unlock_once", "clear_area"
]  # fmt: skip
COMMANDS: tuple[Command, ...] = (
    *("lockdown", "end_lockdown", "release", "end_release"),
    *("hold_open", "close", "unlock_once", "clear_area"),
)
Pattern = Literal["granted", "denied", "wait", "alarm", "fire", "lockdown", "idle"]

RELAY = "relay"
"""What rules call the portal's own relay, beside its further outputs."""


class Armed(Struct, frozen=True):
    """The relay answers and is in its safe state."""

    at: float


class Present(Struct, frozen=True):
    """Who is in view, as of the frame captured at `at`."""

    at: float
    presentations: tuple[PresentationId, ...]


class Decided(Struct, frozen=True):
    """`evidence`: what the decision rests on, for its row in the journal."""

    at: float
    presentation: PresentationId
    decision: Decision
    evidence: Mapping[str, object] = {}


class Presented(Struct, frozen=True):
    """A second factor, or one that is nobody's."""

    at: float
    credential: Credential


class Committed(Struct, frozen=True):
    """The row with this ticket is on disk."""

    at: float
    ticket: int


class RecordFailed(Struct, frozen=True):
    """The row with this ticket could not be written."""

    at: float
    ticket: int
    slug: Slug


class Energised(Struct, frozen=True):
    """The relay confirmed it, at `at` by its own clock, which is this machine's."""

    at: float


class Released(Struct, frozen=True):
    """All outputs that were energised are back in their safe state."""

    at: float


class RelayFailed(Struct, frozen=True):
    at: float
    slug: Slug


class Sensed(Struct, frozen=True):
    """An input changed. `active` None: its line is lost."""

    at: float
    part: Part
    active: bool | None


class Scheduled(Struct, frozen=True):
    """Whether the portal's schedule is open now; None while the clock is not to be trusted."""

    at: float
    open: bool | None


class Commanded(Struct, frozen=True):
    """`by`: who gave it, for the journal; `number`: what Answer names."""

    at: float
    command: Command
    by: str
    number: int = 0


class Tick(Struct, frozen=True):
    at: float


Event = (
    Armed
    | Present
    | Decided
    | Presented
    | Committed
    | RecordFailed
    | Energised
    | Released
    | RelayFailed
    | Sensed
    | Scheduled
    | Commanded
    | Tick
)


class Record(Struct, frozen=True):
    """A journal row; one with a ticket is answered by Committed or RecordFailed."""

    kind: str
    presentation: PresentationId | None
    body: Mapping[str, object]
    ticket: int = 0


class Unlock(Struct, frozen=True):
    """A pulse on `outputs` by name; empty for the portal's relay."""

    presentation: PresentationId | None
    seconds: float
    outputs: tuple[str, ...] = ()


class Hold(Struct, frozen=True):
    """Energised until Release."""

    outputs: tuple[str, ...] = ()


class Release(Struct, frozen=True):
    """Everything back to the safe state now."""


class Prompt(Struct, frozen=True):
    """What the person is told; `final`: how the presentation's decision ended besides."""

    presentation: PresentationId
    slug: Slug
    rule: str = ""
    final: bool = True


class Answer(Struct, frozen=True):
    """How a command ended."""

    number: int
    slug: Slug


class Alarm(Struct, frozen=True):
    """`silent`: nothing may show it where the person can see."""

    slug: Slug
    silent: bool = False


class Notify(Struct, frozen=True):
    """`person`: whom a grant is about, empty for a refusal."""

    names: tuple[str, ...]
    slug: Slug
    person: str = ""


class StartCheckout(Struct, frozen=True):
    name: str
    person: str


class Signal(Struct, frozen=True):
    pattern: Pattern


Action = Record | Unlock | Hold | Release | Prompt | Answer | Alarm | Notify | StartCheckout | Signal
