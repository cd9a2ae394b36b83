"""Stand-in: the key that the gallery's faces are encrypted with."""

from __future__ import annotations

import secrets
from pathlib import Path

from kiosk.configuration import secret
from kiosk.errors import ConfigurationError


def read_key(file: Path, state_dir: Path) -> bytes:
    """A bare name is looked for among systemd's credentials, then in `state_dir`. Raises ConfigurationError `secret_missing`."""
    bare = file.name == str(file)
    try:
        return bytes.fromhex(secret(file))
    except ConfigurationError:
        if not bare:
            raise
        return bytes.fromhex(secret(state_dir / file))


def create_key(file: Path) -> None:
    file.touch(mode=0o600)
    file.write_text(secrets.token_hex(32), encoding="utf-8")
