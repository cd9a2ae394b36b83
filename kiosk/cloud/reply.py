"""What a command found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from kiosk.cloud.bar import Bar
from kiosk.errors import ConfigurationError


class Drawing(NamedTuple):
    """A PNG, and the file it is for."""

    file: Path
    png: bytes

    def save(self) -> None:
        """Raises ConfigurationError `configuration_invalid` where it cannot be written."""
        try:
            self.file.write_bytes(self.png)
        except OSError as error:
            raise ConfigurationError("configuration_invalid", f"{self.file}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Reply:
    """`interface`: the vendor's name of it; `bar`: for scores; `view`: what text shows instead of the answer; `drawn`:
    the answer on the photo.
    """

    interface: str
    answer: Struct | Sequence[Struct] = field(repr=False)
    bar: Bar | None = None
    view: Sequence[Struct] | None = field(default=None, repr=False)
    drawn: Drawing | None = field(default=None, repr=False)
