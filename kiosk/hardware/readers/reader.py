"""What all readers have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, get_args
from urllib.parse import parse_qsl

from kiosk.domain import CredentialKind
from kiosk.errors import ConfigurationError, did_you_mean

OnValue = Callable[[float, CredentialKind, str], None]
"""Monotonic seconds, kind and value of what was presented."""
OnFault = Callable[[float, str], None]
"""Monotonic seconds and slug of something that was no credential, or of the reader's loss."""


class Reader(Protocol):
    """One reader that is open. Event loop only.

    It calls `on_value` for each credential, `on_fault` with a slug for what it could not read, and once with `reader_lost`
    where it is gone; then it is closed, and opened anew by whoever wants it back.
    """

    async def close(self) -> None:
        """Gives the device back; may be called more than once."""


def options(url: str, known: dict[str, str]) -> tuple[str, dict[str, str]]:
    """A reader's URL without scheme: its place, and the `known` options with their defaults.

    Raises ConfigurationError `configuration_invalid` for an option that is not known.
    """
    place, _, query = url.partition(":")[2].partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    for name in given:
        if name not in known:
            raise ConfigurationError("configuration_invalid", f"{url}: unknown option '{name}'{did_you_mean(name, known)}")
    return place, {**known, **given}


def number(url: str, name: str, text: str, least: int, most: int) -> int:
    """Raises ConfigurationError `configuration_invalid`."""
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise ConfigurationError("configuration_invalid", f"{url}: {name} is '{text}', not a number of {least} to {most}")
    return int(text)


def kind_of(url: str, kind: str) -> CredentialKind:
    """Raises ConfigurationError `configuration_invalid` where no reader gives such a kind."""
    for one in get_args(CredentialKind):
        if one == kind and one != "claim":
            found: CredentialKind = one
            return found
    raise ConfigurationError("configuration_invalid", f"{url}: kind is '{kind}', not card, qr or pin")
