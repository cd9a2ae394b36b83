"""The gallery's key: 32 random bytes, as base64 in a file of its own.

A key is changed so that a crash at any moment leaves one that fits: the new key is on disk, in a file beside that is named
by its id, before the gallery goes over to it, all at once; the gallery says which key it is under, and whoever finds that
one still beside moves it to its place.
"""

from __future__ import annotations

import base64
import binascii
import glob
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from kiosk.recognition.on_device.refusal import GalleryError

LENGTH = 32
"""Bytes: AES-256."""


def key_id(key: bytes) -> str:
    """16 hex digits by which a key is known; they tell nothing of it."""
    return hashlib.sha256(b"kiosk gallery key" + key).hexdigest()[:16]


def read_key(file: Path, state_dir: Path) -> bytes:
    """As `KeyFile` finds it. Raises GalleryError `gallery_key_missing`, `gallery_key_wrong` where it is no key."""
    return KeyFile(file, state_dir).read()


def create_key(file: Path) -> bytes:
    """A new one in a new file, readable by its owner only. Raises GalleryError `gallery_unwritable`, also where there is one."""
    key = secrets.token_bytes(LENGTH)
    _write(file, key)
    return key


@dataclass(frozen=True)
class KeyFile:
    """Where a gallery's key is. A bare `name` is looked for among systemd's credentials first, then in `state_dir`."""

    name: Path
    state_dir: Path

    @property
    def path(self) -> Path:
        if str(self.name) != self.name.name:
            return self.name
        credential = _credentials() / self.name
        return credential if credential.is_file() else self.state_dir / self.name

    def read(self) -> bytes:
        """Raises GalleryError `gallery_key_missing`, `gallery_key_wrong` where it is no key."""
        return _read(self.path)

    def read_or_create(self, gallery: Path) -> bytes:
        """Creates one where neither it nor the `gallery` is there. Raises as `read` and `create_key` do."""
        return self.read() if self.path.exists() or gallery.exists() else create_key(self.path)

    def key(self, wanted: str) -> bytes:
        """The key with this id; moves it to its place where a change of keys was cut short.

        Raises GalleryError `gallery_key_missing`, `gallery_key_wrong`.
        """
        if self._beside(wanted).is_file():
            self.promote(wanted)
        key = self.read()
        if key_id(key) != wanted:
            raise GalleryError("gallery_key_wrong", f"{self.path} holds key {key_id(key)}, the gallery is under {wanted}")
        return key

    def put_beside(self, key: bytes, present: str) -> None:
        """Makes the next key ready; only with the gallery locked, which is under the `present` one now.

        Raises GalleryError `gallery_unwritable`.
        """
        if self.path.parent == _credentials() or not os.access(self.path.parent, os.W_OK):
            raise GalleryError("gallery_unwritable", f"{self.path} cannot be replaced: name a file for the new key")
        for stale in self.path.parent.glob(f"{glob.escape(self.path.name)}.{'[0-9a-f]' * 16}"):
            if stale != self._beside(present):
                stale.unlink()  # of a change that was cut short before the gallery went over
        _write(self._beside(key_id(key)), key)

    def promote(self, wanted: str) -> None:
        """The key beside becomes the key; nothing where another process was faster."""
        try:
            self._beside(wanted).replace(self.path)
            sync(self.path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise GalleryError("gallery_unwritable", f"{self.path}: {error.strerror}") from error

    def _beside(self, wanted: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{wanted}")


def _credentials() -> Path:
    return Path(os.environ.get("CREDENTIALS_DIRECTORY") or "/nowhere")


def _read(file: Path) -> bytes:
    try:
        key = base64.b64decode(file.read_bytes().strip(), validate=True)
    except OSError as error:
        raise GalleryError("gallery_key_missing", f"{file}: {error.strerror}") from error
    except binascii.Error as error:
        raise GalleryError("gallery_key_wrong", f"{file} is not base64") from error
    if len(key) != LENGTH:
        raise GalleryError("gallery_key_wrong", f"{file} holds {len(key)} bytes instead of {LENGTH}")
    return key


def _write(file: Path, key: bytes) -> None:
    """On disk when this returns. The file has no name until it is whole, so that a kill leaves all of a key or nothing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file.parent, os.O_WRONLY | os.O_TMPFILE, 0o600), "wb") as stream:
            stream.write(base64.b64encode(key) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
            # A link, unlike a renaming, fails where there is a key already. Without a directory, Python links the link itself.
            os.link(f"/proc/self/fd/{stream.fileno()}", file, src_dir_fd=stream.fileno())
        sync(file.parent)
    except OSError as error:
        raise GalleryError("gallery_unwritable", f"{file}: {error.strerror}") from error


def sync(directory: Path) -> None:
    """Puts its entries on disk: without that, a new or renamed file may be gone after a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
