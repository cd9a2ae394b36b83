"""The pair of keys under which codes are signed: the private one stays with whoever issues, the box needs the public one."""

from __future__ import annotations

import os
from pathlib import Path

from joserfc.jwk import OKPKey

from kiosk.access import code
from kiosk.errors import ConfigurationError


def create(private: Path, public: Path) -> None:
    """Raises ConfigurationError `file_exists`, `file_unwritable`; nothing is ever overwritten."""
    key = OKPKey.generate_key("Ed25519")
    for file in (private, public):
        if file.exists():
            raise ConfigurationError("file_exists", f"{file} is there already")
    _write(private, key.as_pem(private=True), 0o600)
    _write(public, key.as_pem(private=False), 0o644)


def read_private(file: Path) -> OKPKey:
    """Raises ConfigurationError `secret_missing`, `key_unusable`."""
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise ConfigurationError("secret_missing", f"{file}: {error.strerror}; make one with `kiosk credentials key`") from error
    return code.import_key(pem, private=True)


def _write(file: Path, content: bytes, mode: int) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(content)
    except FileExistsError:
        raise ConfigurationError("file_exists", f"{file} is there already") from None
    except OSError as error:
        raise ConfigurationError("file_unwritable", f"{file}: {error.strerror}") from error
