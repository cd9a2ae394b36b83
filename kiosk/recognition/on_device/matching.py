"""Exact 1:N matching of face embeddings by cosine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kiosk.errors import ContractViolation

DIMENSIONS = 128
"""Of an SFace embedding."""
_BLOCK = 8_192
"""Rows of a block, 4 MB: room for more never moves what is there."""
_FEW = 8
"""Up to this part of all rows, it is faster to pick the rows out than to compare all and mask."""
_NO_DIRECTION = 1e-3
"""A sum of embeddings shorter than this points nowhere."""
_NOBODY = -2.0
"""Under every cosine."""

Vector = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Hit(NamedTuple):
    """A person by the best of its faces; `cosine` −1…1."""

    person: str
    cosine: float
    face: str


class Found(NamedTuple):
    """What an index knows of a hit: the owner's and the face's number."""

    owner: int
    cosine: float
    face: int


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
    return _direction(np.array([unit_vector(embedding) for embedding in embeddings])).astype("<f4").tobytes()


def cosine_of(one: bytes | None, other: bytes | None) -> float:
    """Raises as `unit_vector` does."""
    return float(unit_vector(one) @ unit_vector(other))


def _direction(vectors: Vector) -> Vector:
    total = vectors.sum(axis=0)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length if length > _NO_DIRECTION else vectors[0], dtype=np.float32)


class Index:
    """Faces as numbers: each row a unit vector, its owner's number (small, 0 and up) and its own.

    Rows have no order: the last ones fill the holes of those that go. One thread at a time.
    """

    def __init__(self) -> None:
        self._blocks: list[Vector] = []
        self._owners: npt.NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._faces: Numbers = np.empty(0, dtype=np.int64)
        self._used = 0
        self._most = 1  # faces one owner has, or once had

    def __len__(self) -> int:
        """How many faces there are."""
        return self._used

    @property
    def owners(self) -> npt.NDArray[np.int32]:
        """Each row's; to be read before the next change."""
        return self._owners[: self._used]

    def add(self, owners: Numbers, faces: Numbers, vectors: Vector) -> None:
        """As many rows as there are vectors; they must be unit vectors."""
        first, self._used = self._used, self._used + len(vectors)
        self._make_room()
        self._owners[first : self._used] = owners
        self._faces[first : self._used] = faces
        rows = np.arange(first, self._used)
        for number in range(first // _BLOCK, -(-self._used // _BLOCK)):
            inside = rows // _BLOCK == number
            self._blocks[number][rows[inside] % _BLOCK] = vectors[inside]
        for owner in np.unique(owners):
            self._most = max(self._most, int(np.count_nonzero(self.owners == owner)))

    def _make_room(self) -> None:
        while len(self._blocks) * _BLOCK < self._used:
            self._blocks.append(np.empty((_BLOCK, DIMENSIONS), dtype=np.float32))
        room = len(self._blocks) * _BLOCK
        if room > len(self._owners):
            self._owners = np.concatenate([self._owners, np.empty(room - len(self._owners), dtype=np.int32)])
            self._faces = np.concatenate([self._faces, np.empty(room - len(self._faces), dtype=np.int64)])

    def remove(self, owners: Numbers) -> None:
        """All faces of these; owners who have none are passed over."""
        going = np.flatnonzero(np.isin(self.owners, owners))
        left = self._used - len(going)
        holes = going[going < left]
        last = np.setdiff1d(np.arange(left, self._used), going, assume_unique=True)
        self._owners[holes], self._faces[holes] = self._owners[last], self._faces[last]
        for hole, row in zip(holes.tolist(), last.tolist(), strict=True):
            self._blocks[hole // _BLOCK][hole % _BLOCK] = self._blocks[row // _BLOCK][row % _BLOCK]
        self._used = left
        del self._blocks[-(-left // _BLOCK) :]

    def search(self, vector: Vector, top: int, allowed: Mask | None = None) -> list[Found]:
        """The `top` owners, the most alike first, each by its best face; equals by their numbers.

        `allowed`: by owner's number; None is everybody. Every face is compared.
        """
        rows, cosines = self._compare(vector, allowed)
        enough = top * self._most
        if enough < len(cosines):
            close = np.flatnonzero(cosines >= np.partition(cosines, -enough)[-enough])
            rows, cosines = (close if rows is None else rows[close]), cosines[close]
        rows = np.arange(len(cosines)) if rows is None else rows
        owners, faces = self._owners[rows], self._faces[rows]
        best: dict[int, Found] = {}
        for place in np.lexsort((faces, owners, -cosines)):
            owner, cosine = int(owners[place]), float(cosines[place])
            if cosine == _NOBODY or len(best) == top:
                break
            best.setdefault(owner, Found(owner, cosine, int(faces[place])))
        return list(best.values())

    def _compare(self, vector: Vector, allowed: Mask | None) -> tuple[Numbers | None, Vector]:
        """Rows (None: all) and their cosines."""
        if allowed is None:
            return None, self._all(vector)
        inside = allowed[self.owners]
        if np.count_nonzero(inside) * _FEW > self._used:
            return None, np.where(inside, self._all(vector), np.float32(_NOBODY))
        rows = np.flatnonzero(inside)
        return rows, self._pick(rows) @ vector

    def _all(self, vector: Vector) -> Vector:
        cosines = np.empty(self._used, dtype=np.float32)
        for number, block in enumerate(self._blocks):
            part = cosines[number * _BLOCK : (number + 1) * _BLOCK]
            np.dot(block[: len(part)], vector, out=part)
        return cosines

    def _pick(self, rows: Numbers) -> Vector:
        """These rows, which rise."""
        bounds = np.searchsorted(rows, np.arange(len(self._blocks) + 1) * _BLOCK)
        parts = [
            block[rows[low:high] - number * _BLOCK]
            for number, (block, low, high) in enumerate(zip(self._blocks, bounds, bounds[1:], strict=False))
            if high > low
        ]
        return np.concatenate(parts) if parts else np.empty((0, DIMENSIONS), dtype=np.float32)

    def merged(self) -> Index:
        """One row for each owner, the direction of all its faces; its face's number is 0."""
        index = Index()
        for owners, vectors in self._by_owner(_BLOCK):
            unique, starts = np.unique(owners, return_index=True)
            means = np.array([_direction(part) for part in np.split(vectors, starts[1:])])
            index.add(unique.astype(np.int64), np.zeros(len(unique), dtype=np.int64), means)
        return index

    def of(self, owner: int) -> Vector:
        """The owner's rows."""
        return self._pick(np.flatnonzero(self.owners == owner))

    def _by_owner(self, about: int) -> Iterator[tuple[Numbers, Vector]]:
        """All owners and rows in the order of owners, in parts of about that many; an owner is never split."""
        order = np.argsort(self.owners, kind="stable")
        owners = self._owners[order].astype(np.int64)
        low = 0
        while low < len(order):
            high = int(np.searchsorted(owners, owners[min(low + about, len(order)) - 1], side="right"))
            back = np.argsort(order[low:high])
            rows = np.empty((high - low, DIMENSIONS), dtype=np.float32)
            rows[back] = self._pick(order[low:high][back])
            yield owners[low:high], rows
            low = high

    def pairs(self, least: float, about: int = 4_096) -> Iterator[tuple[int, int, float]]:
        """Pairs of owners whose best cosine is at least `least`, the smaller number first; nothing may change meanwhile."""
        for number, (owners, rows) in enumerate(self._by_owner(about)):
            best: dict[tuple[int, int], float] = {}
            for others, columns in list(self._by_owner(about))[number:]:
                cosines = rows @ columns.T
                for row, column in np.argwhere(cosines >= least):
                    pair = int(owners[row]), int(others[column])
                    if pair[0] < pair[1]:
                        best[pair] = max(best.get(pair, _NOBODY), float(cosines[row, column]))
            yield from ((one, other, cosine) for (one, other), cosine in best.items())
