"""Exact 1:N matching of face embeddings by cosine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kiosk.errors import ContractViolation

DIMENSIONS = 128
"""Of an SFace embedding."""
_FIRST_ROOM = 64
_NO_DIRECTION = 1e-3
"""A sum of embeddings shorter than this points nowhere."""

Vector = npt.NDArray[np.float32]


class Hit(NamedTuple):
    """A person by the best of its faces; `cosine` −1…1."""

    person: str
    cosine: float
    face: str


def unit_vector(embedding: bytes | None) -> Vector:
    """128 float32, little endian, of length 1 (give or take 0.001).

    Raises ContractViolation `eye_contract` for anything else, None too: NaN would compare as nobody, a long vector as everybody.
    """
    embedding = embedding or b""
    vector = np.frombuffer(embedding, dtype="<f4").astype(np.float32) if len(embedding) == 4 * DIMENSIONS else np.zeros(0)
    length = float(np.linalg.norm(vector))
    if not abs(length - 1.0) <= 1e-3:
        raise ContractViolation("eye_contract", f"an embedding of {len(embedding)} bytes and length {length:.3f}")
    return np.asarray(vector / length, dtype=np.float32)


def mean_vector(embeddings: Sequence[bytes]) -> bytes:
    """One embedding that stands for several of the same person: the direction of their sum. Raises as `unit_vector` does."""
    total = np.sum([unit_vector(embedding) for embedding in embeddings], axis=0)
    length = float(np.linalg.norm(total))
    return (total / length).astype("<f4").tobytes() if length > _NO_DIRECTION else embeddings[0]


def cosine_of(one: bytes | None, other: bytes | None) -> float:
    """Raises as `unit_vector` does."""
    return float(unit_vector(one) @ unit_vector(other))


class Index:
    """Groups hold persons, persons hold faces; a person may be in several groups.

    Rows lie in one float32[n, 128] that grows by doubling, so that a search is one product. Event loop only.
    """

    def __init__(self) -> None:
        self._rows: Vector = np.empty((_FIRST_ROOM, DIMENSIONS), dtype=np.float32)
        self._owners: npt.NDArray[np.intp] = np.empty(_FIRST_ROOM, dtype=np.intp)
        self._faces: list[str] = []
        self._persons: list[str] = []
        self._numbers: dict[str, int] = {}
        self._groups: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """How many faces there are."""
        return len(self._faces)

    def group_size(self, group: str) -> int:
        return len(self._groups.get(group, ()))

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(self._groups)

    def add(self, person: str, groups: Iterable[str], face: str, embedding: bytes) -> None:
        """Adds a face to `person` and `person` to `groups`; either comes into being. Raises as `unit_vector` does."""
        vector = unit_vector(embedding)
        if person not in self._numbers:
            self._numbers[person] = len(self._persons)
            self._persons.append(person)
        for group in groups:
            self._groups.setdefault(group, set()).add(person)
        at = len(self._faces)
        if at == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
            self._owners = np.concatenate([self._owners, np.empty_like(self._owners)])
        self._rows[at] = vector
        self._owners[at] = self._numbers[person]
        self._faces.append(face)

    def join(self, person: str, group: str) -> None:
        """Adds a person that has faces to a group, which comes into being."""
        self._groups.setdefault(group, set()).add(person)

    def leave(self, person: str, group: str) -> None:
        """The opposite; faces stay."""
        self._groups.get(group, set()).discard(person)

    def forget_group(self, group: str) -> None:
        """The group goes, its persons stay."""
        self._groups.pop(group, None)

    def remove(self, person: str) -> int:
        """Forgets the person in all groups; says how many faces went."""
        number = self._numbers.get(person)
        if number is None:
            return 0
        used = len(self._faces)
        kept = self._owners[:used] != number
        rows, owners = self._rows[:used][kept], self._owners[:used][kept]
        owners[owners > number] -= 1  # those behind move up
        self._rows[: len(rows)], self._owners[: len(rows)] = rows, owners
        self._faces = [face for face, keep in zip(self._faces, kept, strict=True) if keep]
        del self._persons[number]
        self._numbers = {name: place for place, name in enumerate(self._persons)}
        for members in self._groups.values():
            members.discard(person)
        return used - len(rows)

    def search(self, embedding: bytes | None, groups: Iterable[str], top: int = 5) -> list[Hit]:
        """The `top` persons of the union of `groups`, the most alike first, each by its best face.

        Every face is compared. Groups that do not exist hold nobody. Raises as `unit_vector` does.
        """
        vector = unit_vector(embedding)
        members: set[str] = set().union(*(self._groups.get(group, ()) for group in groups))
        allowed = np.fromiter((person in members for person in self._persons), dtype=bool, count=len(self._persons))
        used = len(self._faces)
        rows = np.flatnonzero(allowed[self._owners[:used]])
        cosines = self._rows[rows] @ vector
        hits: dict[int, Hit] = {}
        for place in np.argsort(-cosines, kind="stable"):
            row = int(rows[place])
            owner = int(self._owners[row])
            if owner not in hits:
                hits[owner] = Hit(self._persons[owner], float(cosines[place]), self._faces[row])
            if len(hits) == top:
                break
        return list(hits.values())
