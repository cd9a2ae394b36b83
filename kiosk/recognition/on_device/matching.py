"""Exact 1:N matching of face embeddings by cosine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

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
_Int = TypeVar("_Int", np.int32, np.int64)


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
    vectors = np.array([unit_vector(embedding) for embedding in embeddings])
    return _directions(vectors, np.zeros(1, dtype=np.int64)).astype("<f4").tobytes()


def cosine_of(one: bytes | None, other: bytes | None) -> float:
    """Raises as `unit_vector` does."""
    return float(unit_vector(one) @ unit_vector(other))


class Index:
    """Faces as numbers: each row a unit vector, with its owner's number (0 and up, the smaller the leaner) and its own.

    Rows have no order: the last ones fill the holes of those that go. One thread at a time.
    """

    def __init__(self) -> None:
        self._blocks: list[Vector] = []
        self._owners = np.empty(0, dtype=np.int32)
        self._faces = np.empty(0, dtype=np.int64)
        self._used = 0
        self._counts = np.empty(0, dtype=np.int32)

    def __len__(self) -> int:
        """How many faces there are."""
        return self._used

    @property
    def owners(self) -> npt.NDArray[np.int32]:
        """Each row's; a view, good until the next change."""
        return self._owners[: self._used]

    @property
    def counts(self) -> npt.NDArray[np.int32]:
        """How many faces each owner has, by number; whoever is beyond has none. A view, good until the next change."""
        return self._counts

    def add(self, owners: Numbers, faces: Numbers, vectors: Vector) -> None:
        """As many rows as there are vectors, which must have length 1."""
        first, self._used = self._used, self._used + len(vectors)
        self._make_room(int(owners.max(initial=-1)) + 1)
        self._owners[first : self._used] = owners
        self._faces[first : self._used] = faces
        np.add.at(self._counts, owners, 1)
        self._put(np.arange(first, self._used), vectors)

    def remove(self, owners: Numbers) -> None:
        """All faces of these; owners who have none are passed over."""
        owners = owners[owners < len(self._counts)]
        owners = owners[self._counts[owners] > 0]
        if not len(owners):
            return
        going = np.isin(self.owners, owners)
        left = self._used - int(np.count_nonzero(going))
        holes, last = np.flatnonzero(going[:left]), left + np.flatnonzero(~going[left:])
        self._owners[holes], self._faces[holes] = self._owners[last], self._faces[last]
        self._put(holes, self._pick(last))
        self._used = left
        self._counts[owners] = 0
        del self._blocks[-(-left // _BLOCK) :]

    def search(self, vector: Vector, top: int, allowed: Mask | None = None) -> list[Found]:
        """The `top` owners, the most alike first, each by its best face; equals by their numbers. Every face is compared.

        `allowed`: by owner's number, at least as long as `counts`; None allows everybody.
        """
        rows, cosines = self._compare(vector, allowed)
        enough = top * int(self._counts.max(initial=0))  # so many rows are of at least `top` owners
        if enough < len(cosines):
            least = max(np.partition(cosines, -enough)[-enough], np.nextafter(_NOBODY, 0, dtype=np.float32))
            close = np.flatnonzero(cosines >= least)
            rows, cosines = rows[close] if rows is not None else close, cosines[close]
        elif rows is None:
            rows = np.arange(len(cosines))
        owners, faces = self._owners[rows], self._faces[rows]
        best: dict[int, Found] = {}
        for place in np.lexsort((faces, owners, -cosines)):
            found = Found(int(owners[place]), float(cosines[place]), int(faces[place]))
            if len(best) == top or found.cosine == _NOBODY:
                break
            best.setdefault(found.owner, found)
        return list(best.values())

    def means(self, owners: Iterable[int] | None = None) -> Iterator[tuple[Numbers, Vector]]:
        """One vector for each owner, or each of `owners` who has faces: the direction of them all."""
        for rows in self._parts(_BLOCK, None if owners is None else np.fromiter(owners, dtype=np.int64)):
            unique, starts = np.unique(self._owners[rows], return_index=True)
            yield unique.astype(np.int64), _directions(self._gather(rows), starts)

    def pairs(self, least: float, about: int = 2_048) -> Iterator[tuple[int, int, float]]:
        """Pairs of owners whose best cosine is at least `least`, the smaller number first; nothing may change meanwhile.

        `about`: rows compared at once; their cosines take 4 bytes × its square.
        """
        parts = list(self._parts(about))
        for number, part in enumerate(parts):
            rows, owners = self._gather(part), self._owners[part]
            best: dict[tuple[int, int], float] = {}
            for other in parts[number:]:
                cosines, others = rows @ self._gather(other).T, self._owners[other]
                row, column = np.nonzero(cosines >= least)
                differ = owners[row] < others[column]
                row, column = row[differ], column[differ]
                pairs = zip(owners[row].tolist(), others[column].tolist(), strict=True)
                for pair, cosine in zip(pairs, cosines[row, column].tolist(), strict=True):
                    best[pair] = max(best.get(pair, _NOBODY), cosine)
            yield from ((one, other, cosine) for (one, other), cosine in best.items())

    def _compare(self, vector: Vector, allowed: Mask | None) -> tuple[Numbers | None, Vector]:
        """Rows (None: all) and their cosines."""
        if allowed is None:
            return None, self._compare_all(vector)
        inside = allowed[self.owners]
        if np.count_nonzero(inside) * _FEW > self._used:
            return None, np.where(inside, self._compare_all(vector), np.float32(_NOBODY))
        rows = np.flatnonzero(inside)
        return rows, np.vecdot(self._pick(rows), vector)

    def _compare_all(self, vector: Vector) -> Vector:
        # Reads memory as fast as a matrix product, and on one thread: the BLAS's own, waiting for one another on busy cores,
        # have made the product fifty times slower.
        cosines = np.empty(self._used, dtype=np.float32)
        for number, block in enumerate(self._blocks):
            part = cosines[number * _BLOCK : (number + 1) * _BLOCK]
            np.vecdot(block[: len(part)], vector, out=part)
        return cosines

    def _parts(self, about: int, owners: Numbers | None = None) -> Iterator[Numbers]:
        """All rows, or those of `owners`, in the order of owners, in parts of about so many; an owner is never split."""
        rows = np.arange(self._used) if owners is None else np.flatnonzero(np.isin(self.owners, owners))
        rows = rows[np.argsort(self._owners[rows], kind="stable")]
        sorted_owners = self._owners[rows]
        low = 0
        while low < len(rows):
            high = int(np.searchsorted(sorted_owners, sorted_owners[min(low + about, len(rows)) - 1], side="right"))
            yield rows[low:high]
            low = high

    def _gather(self, rows: Numbers) -> Vector:
        """These rows, in any order."""
        order = np.argsort(rows)
        vectors = np.empty((len(rows), DIMENSIONS), dtype=np.float32)
        vectors[order] = self._pick(rows[order])
        return vectors

    def _pick(self, rows: Numbers) -> Vector:
        """These rows, which rise."""
        parts = [block[inside] for block, inside, _ in self._by_block(rows)]
        return np.concatenate(parts) if parts else np.empty((0, DIMENSIONS), dtype=np.float32)

    def _put(self, rows: Numbers, vectors: Vector) -> None:
        """Into these rows, which rise."""
        for block, inside, part in self._by_block(rows):
            block[inside] = vectors[part]

    def _by_block(self, rows: Numbers) -> Iterator[tuple[Vector, Numbers, slice]]:
        """The blocks that rising `rows` lie in: the block, the rows' places in it, and which of `rows` they are."""
        if not len(rows):
            return
        for number in range(int(rows[0]) // _BLOCK, int(rows[-1]) // _BLOCK + 1):
            low, high = np.searchsorted(rows, (number * _BLOCK, (number + 1) * _BLOCK))
            if low < high:
                yield self._blocks[number], rows[low:high] - number * _BLOCK, slice(int(low), int(high))

    def _make_room(self, owners: int) -> None:
        while len(self._blocks) * _BLOCK < self._used:
            self._blocks.append(np.empty((_BLOCK, DIMENSIONS), dtype=np.float32))
        self._owners = _longer(self._owners, self._used)
        self._faces = _longer(self._faces, self._used)
        if owners > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(owners + _BLOCK - len(self._counts), dtype=np.int32)])


def _longer(numbers: npt.NDArray[_Int], least: int) -> npt.NDArray[_Int]:
    """Room for at least so many, and a quarter more than there was."""
    if len(numbers) >= least:
        return numbers
    room = max(least, len(numbers) * 5 // 4, _BLOCK)
    return np.concatenate([numbers, np.empty(room - len(numbers), dtype=numbers.dtype)])


def _directions(vectors: Vector, starts: Numbers) -> Vector:
    """Of the sums of those from each start to the next; the first of them where the sum points nowhere."""
    sums = np.add.reduceat(vectors, starts, axis=0)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(np.where(lengths > _NO_DIRECTION, sums / np.maximum(lengths, _NO_DIRECTION), vectors[starts]), np.float32)
