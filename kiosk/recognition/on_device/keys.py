"""Stand-in: the key that the gallery's faces are encrypted with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from kiosk.errors import KioskError


@dataclass(frozen=True)
class KeyFile:
    """Where a gallery's key is."""

    name: Path
    state_dir: Path

    def read(self) -> bytes:
        """Raises KioskError `gallery_key_missing`."""
        path = self.state_dir / self.name
        if not path.is_file():
            raise KioskError("gallery_key_missing", f"{path}")
        return bytes.fromhex(path.read_text(encoding="utf-8"))


def create_key(file: Path) -> bytes:
    key = secrets.token_bytes(32)
    file.touch(mode=0o600)
    file.write_text(key.hex(), encoding="utf-8")
    return key
