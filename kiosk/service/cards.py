"""Cards at simulated readers, until credentials are resolved by a room of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kiosk.domain import Credential, CredentialKind
from kiosk.settings import PersonSettings


def owner_of(
    people: Mapping[str, PersonSettings], presented: Callable[[Credential], None]
) -> Callable[[float, CredentialKind, str], None]:
    """Hands on whose a card is, never its number."""

    def on_value(at: float, kind: CredentialKind, value: str) -> None:
        person = next((name for name, known in people.items() if value in known.cards), "")
        presented(Credential(kind, at, person))

    return on_value


def ignored(_at: float, _slug: str) -> None:
    """A fault of a reader."""
