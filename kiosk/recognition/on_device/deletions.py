"""What was deleted, for the record: numbered, chained and signed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

GENESIS = "0" * 64
"""What the first record names as its predecessor."""


class Deletion(msgspec.Struct, frozen=True):
    """`at`: Unix milliseconds; `whose`: the person's id; `face_ids`: what went; `previous`: hash of the record before;
    `public_key` and `signature` in hex (Ed25519), over all else.
    """

    number: int
    at: int
    what: Literal["person", "faces"]
    whose: str
    face_ids: tuple[str, ...]
    why: str
    previous: str
    public_key: str
    signature: str = ""

    @property
    def faces(self) -> int:
        """How many."""
        return len(self.face_ids)

    @property
    def hash(self) -> str:
        """SHA-256 in hex over all of it."""
        return hashlib.sha256(self.signed + self.signature.encode()).hexdigest()

    @property
    def signed(self) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(self, signature=""))

    def signed_by(self, key: Ed25519PrivateKey) -> Deletion:
        return msgspec.structs.replace(self, signature=key.sign(self.signed).hex())

    def verify(self, public_key: str | None = None) -> bool:
        """Whether it is as it was signed, by `public_key` (hex) or, without one, by the key that it names itself."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key or self.public_key))
            key.verify(bytes.fromhex(self.signature), self.signed)
        except (InvalidSignature, ValueError):
            return False
        return public_key in (None, self.public_key)


def fault(records: Sequence[Deletion], public_key: str, count: int) -> str:
    """What is wrong with a gallery's records, which must be all `count` of them; empty where nothing is."""
    previous = GENESIS
    for number, record in enumerate(records, 1):
        if record.number != number or record.previous != previous:
            return f"record {number} is missing or does not follow the one before"
        if not record.verify(public_key):
            return f"record {number} was changed after it was signed"
        previous = record.hash
    return "" if len(records) == count else f"{count} records were made and {len(records)} are there"
