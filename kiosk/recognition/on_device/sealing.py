"""Encryption of what the gallery keeps secret: AES-256-GCM, each value bound to the place it lies at."""

from __future__ import annotations

import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kiosk.recognition.on_device.keys import KeyFile, key_id
from kiosk.recognition.on_device.refusal import GalleryError

_NONCE = 12
"""Bytes: NIST SP 800-38D recommends 96 bits; drawn at random, good for 2**32 values under one key (its § 8.3)."""


class Seal:
    """One gallery's key. A value sealed for one place opens nowhere else, nor in another gallery."""

    def __init__(self, source: bytes | KeyFile, gallery: str) -> None:
        self._source = source
        self._gallery = gallery
        self.key_id = ""

    def follow(self, wanted: str | None) -> None:
        """Goes over to the key that the gallery is under. Raises GalleryError `gallery_key_missing`, `gallery_key_wrong`."""
        if wanted == self.key_id or wanted is None:
            return
        if isinstance(self._source, KeyFile):
            self.use(self._source.key(wanted))
        elif key_id(self._source) == wanted:
            self.use(self._source)
        else:
            raise GalleryError("gallery_key_wrong", f"this is key {key_id(self._source)}, the gallery is under {wanted}")

    def use(self, key: bytes) -> None:
        self.key_id = key_id(key)
        self._cipher = AESGCM(key)

    def close(self, plain: bytes, what: str, number: int = 0, owner: str = "") -> bytes:
        """`what`, `number` and `owner` are the place."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, self._place(what, number, owner))

    def open(self, sealed: bytes, what: str, number: int = 0, owner: str = "") -> bytes:
        """Raises GalleryError `gallery_unreadable` where it was changed, or sealed for another place or under another key."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._place(what, number, owner))
        except (InvalidTag, ValueError) as error:
            why = f"{what} {number} does not open: it was changed, or moved here from elsewhere"
            raise GalleryError("gallery_unreadable", why) from error

    def _place(self, what: str, number: int, owner: str) -> bytes:
        return msgspec.json.encode((self._gallery, what, number, owner))
