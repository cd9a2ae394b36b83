"""What the gallery on this box can say of a person to an engine that keeps nobody itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Reference(NamedTuple):
    """`photo`: as it was enrolled, None where none was kept (on_device.keep_photos); `groups`, `tag`: as the gallery has them."""

    photo: bytes | None
    groups: tuple[str, ...] = ()
    tag: str = ""

    def __repr__(self) -> str:
        return f"Reference({'no photo' if self.photo is None else f'{len(self.photo)} bytes'})"


NOBODY = Reference(None)
References = Callable[[str], Reference]
"""By the person's id; NOBODY where the box does not know them. Raises Transient where the gallery fails."""


def no_references(_person: str) -> Reference:
    """Of a box without a gallery."""
    return NOBODY
