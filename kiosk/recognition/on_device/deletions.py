"""What was deleted, for the record: numbered, chained and signed, so that no record can be changed, made up or taken away."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.recognition.on_device.refusal import GalleryError
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Store

GENESIS = "0" * 64
"""What the first record names as its predecessor."""

_SIGNING = "signing_key"
_HEAD = "last_deletion"
SEALED = (_SIGNING, _HEAD)
"""What the store's meta table holds sealed."""

What = Literal["person", "faces"]


class Deletion(msgspec.Struct, frozen=True):
    """`at`: Unix milliseconds; `what`: a person with all their faces, or faces only; `whose`: the person's id;
    `previous`: hash of the record before. `public_key` and `signature` (Ed25519, in hex) are the gallery's.
    """

    number: int
    at: int
    what: What
    whose: str
    face_ids: tuple[str, ...]
    why: str
    previous: str
    public_key: str
    signature: str = ""

    @property
    def faces(self) -> int:
        """How many went."""
        return len(self.face_ids)

    @property
    def hash(self) -> str:
        """SHA-256 in hex over all of it."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    def signed(self, key: Ed25519PrivateKey) -> Deletion:
        return msgspec.structs.replace(self, signature=key.sign(self._content()).hex())

    def verify(self, public_key: str | None = None) -> bool:
        """Whether it is as it was signed: by `public_key` (hex), or without one by the key that it names itself."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key or self.public_key))
            key.verify(bytes.fromhex(self.signature), self._content())
        except (InvalidSignature, ValueError):
            return False
        return True

    def _content(self) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(self, signature=""))


class Head(msgspec.Struct, frozen=True):
    """The newest record's; kept sealed, so that taking records off the end shows too."""

    number: int = 0
    hash: str = GENESIS


def fault(records: Sequence[Deletion], public_key: str, head: Head) -> str:
    """What is wrong with all the records of a gallery; empty where nothing is."""
    known = Head()
    for record in records:
        if record.number != known.number + 1:
            return f"record {known.number + 1} is missing"
        if record.previous != known.hash:
            return f"record {record.number} does not follow the one before it"
        if not record.verify(public_key):
            return f"record {record.number} was changed, or is not this gallery's"
        known = Head(record.number, record.hash)
    return "" if known == head else f"{head.number} records were made, and the last one there is {known.number}"


class Ledger:
    """A gallery's records. Writes inside the caller's transaction. Raises GalleryError."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    def record(self, at: int, what: What, gone: Sequence[tuple[str, Sequence[str]]], why: str) -> None:
        """`gone`: persons' ids, and those of the faces that go."""
        key, head = self._key(), self._head()
        public_key = key.public_key().public_bytes_raw().hex()
        for whose, face_ids in gone:
            unsigned = Deletion(head.number + 1, at, what, whose, tuple(face_ids), why, head.hash, public_key)
            record = unsigned.signed(key)
            self._insert(record)
            head = Head(record.number, record.hash)
        self._keep(_HEAD, msgspec.json.encode(head))

    def records(self) -> list[Deletion]:
        rows = self._store.rows("SELECT record FROM deletions ORDER BY number")
        try:
            return [msgspec.json.decode(text, type=Deletion) for (text,) in rows]
        except msgspec.DecodeError as error:
            raise GalleryError("gallery_unreadable", f"a record of deletion: {error}") from error

    def fault(self) -> str:
        """As `fault` has it."""
        return fault(self.records(), self.public_key, self._head())

    @property
    def public_key(self) -> str:
        """In hex; worth noting elsewhere."""
        return self._key().public_key().public_bytes_raw().hex()

    def create(self) -> None:
        """For a new gallery."""
        self._keep(_SIGNING, Ed25519PrivateKey.generate().private_bytes_raw())
        self._keep(_HEAD, msgspec.json.encode(Head()))

    def take_over(self, records: Sequence[Deletion]) -> None:
        """Puts records after those there are, which they must follow."""
        for record in records:
            self._insert(record)
        if records:
            self._keep(_HEAD, msgspec.json.encode(Head(records[-1].number, records[-1].hash)))

    def _insert(self, record: Deletion) -> None:
        self._store.write("INSERT INTO deletions VALUES (?, ?)", record.number, msgspec.json.encode(record).decode())

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._kept(_SIGNING))

    def _head(self) -> Head:
        return msgspec.json.decode(self._kept(_HEAD), type=Head)

    def _kept(self, name: str) -> bytes:
        return self._seal.open(bytes.fromhex(self._store.meta(name) or ""), name)

    def _keep(self, name: str, plain: bytes) -> None:
        self._store.set_meta(name, self._seal.close(plain, name).hex())
