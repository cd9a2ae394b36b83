"""What else somebody presented, and what the rules made of it all."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.domain.bounds import Name, Seconds, Slug

CredentialKind = Literal["pin", "card", "qr", "claim"]
"""`claim`: by HTTP, from a system that identified the person itself."""


class Credential(Struct, frozen=True):
    """What somebody presented besides the face; never its value.

    `person`: whose it is, empty where nobody's; `duress`: it says that its owner is forced. `at`: monotonic seconds.
    """

    kind: CredentialKind
    at: float
    person: Annotated[str, Meta(max_length=64)] = ""
    duress: bool = False


Factor = Literal["pin", "card", "qr", "second_person"]


class Grant(Struct, frozen=True, tag="grant"):
    """`rule` lets `person` through; good until `expires_at` (monotonic seconds).

    `unlock`: the portal's outputs by name, empty for its relay. `require`: what has to come besides before anything moves.
    """

    person: Name
    rule: Name
    unlock_seconds: Seconds
    expires_at: float
    unlock: tuple[Name, ...] = ()
    hold: Literal["none", "open", "toggle"] = "none"
    require: tuple[Factor, ...] = ()
    prompt: str = ""
    alarm: str = ""
    notify: tuple[Name, ...] = ()
    checkout: str = ""
    duress: bool = False


class Deny(Struct, frozen=True, tag="deny"):
    reason: Slug
    rule: Name
    prompt: str = ""
    alarm: str = ""
    notify: tuple[Name, ...] = ()


Decision = Grant | Deny
