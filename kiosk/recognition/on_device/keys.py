"""The gallery's key: 32 random bytes, as base64 in a file of its own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from kiosk.recognition.on_device.refusal import GalleryError

LENGTH = 32
"""Bytes: AES-256."""


def key_id(key: bytes) -> str:
    """What the gallery's file says it is under; tells nothing of the key."""
    return hashlib.sha256(b"kiosk gallery key id\0" + key).hexdigest()[:16]


@dataclass(frozen=True)
class KeyFile:
    """A bare name is looked for among systemd's credentials first, then in `state_dir`."""

    name: Path
    state_dir: Path

    @property
    def path(self) -> Path:
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if str(self.name) != self.name.name:
            return self.name
        if credentials and (Path(credentials) / self.name).is_file():
            return Path(credentials) / self.name
        return self.state_dir / self.name

    def read(self) -> bytes:
        """Raises GalleryError `gallery_key_missing`."""
        return _read(self.path)

    def key(self, wanted: str) -> bytes:
        """The key with this id. Raises GalleryError `gallery_key_missing` or `gallery_key_wrong`."""
        key = self.read()
        if key_id(key) != wanted:
            raise GalleryError("gallery_key_wrong", f"{self.path} has key {key_id(key)}, the gallery is under {wanted}")
        return key


def read_key(file: Path, state_dir: Path) -> bytes:
    """Raises GalleryError `gallery_key_missing`."""
    return KeyFile(file, state_dir).read()


def create_key(file: Path) -> bytes:
    """A new one in a new file, readable by its owner only. Raises GalleryError `gallery_unwritable`."""
    key = secrets.token_bytes(LENGTH)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(base64.b64encode(key) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise GalleryError("gallery_unwritable", f"{file}: {error.strerror}") from error
    return key


def _read(file: Path) -> bytes:
    try:
        key = base64.b64decode(file.read_bytes().strip(), validate=True)
    except OSError as error:
        raise GalleryError(
            "gallery_key_missing", f"{file}: {error.strerror}; make one with `kiosk gallery create-key`"
        ) from error
    except binascii.Error as error:
        raise GalleryError("gallery_key_wrong", f"{file} is no base64") from error
    if len(key) != LENGTH:
        raise GalleryError("gallery_key_wrong", f"{file} holds {len(key)} bytes, not {LENGTH}")
    return key
