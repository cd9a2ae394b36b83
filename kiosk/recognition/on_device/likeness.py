"""The store's faces as numbers in RAM, following the file whoever changes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from kiosk.recognition.on_device.matching import DIMENSIONS, Found, Index, Mask, Numbers, Vector
from kiosk.recognition.on_device.refusal import GalleryError
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Store


class _Kind(NamedTuple):
    column: str
    merged: bool


class Likeness:
    """Nothing is read before the first question. One thread at a time. Raises GalleryError."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self.seal = seal
        self.stale = True
        """Whether this connection has changed the store since it was last followed."""
        self._uncertain: set[int] = set()
        self._forget()

    def _forget(self) -> None:
        self._indices: dict[_Kind, Index] = {}
        self._members: dict[int, Numbers] = {}
        self._seen = self._version = -1
        self._generation = ""

    def follow(self) -> None:
        """Takes in what has changed since the last time, here or by another process."""
        version = self._store.version
        if not self.stale and version == self._version:
            return
        with self._store.snapshot():
            generation = self._store.meta("generation")
            newest = self._store.value("SELECT coalesce(max(seq), 0) FROM changes")
            oldest = self._store.value("SELECT min(seq) FROM changes")
            if generation != self._generation or newest < self._seen or (oldest or 0) > self._seen + 1:
                self._forget()
                self._generation = generation
            else:
                self._take_in(
                    self._store.rows("SELECT person, max(faces) FROM changes WHERE seq > ? GROUP BY person", self._seen)
                )
            self._seen = newest
        self._version, self.stale = version, self._store.writing

    def undo(self) -> None:
        """After a transaction that failed: what was taken in of it goes again."""
        self._forget()
        self.stale = True

    def search(self, vector: Vector, top: int, groups: Sequence[int] | None, kind: str, *, merged: bool) -> list[Found]:
        index = self._index(kind, merged=merged)
        return index.search(vector, top, None if groups is None else self._allowed(groups, index))

    def count(self, groups: Sequence[int]) -> tuple[int, int]:
        """Persons and faces."""
        index = self._index("embedding", merged=False)
        allowed = self._allowed(groups, index)
        return int(np.count_nonzero(allowed)), int(np.count_nonzero(allowed[index.owners]))

    def pairs(self, least: float) -> Iterable[tuple[int, int, float]]:
        return self._index("embedding", merged=False).pairs(least)

    def _allowed(self, groups: Iterable[int], index: Index) -> Mask:
        members = [self._group(group) for group in groups]
        highest = max([-1, *(int(part.max()) for part in (*members, index.owners) if len(part))])
        allowed = np.zeros(highest + 1, dtype=np.bool_)
        for part in members:
            allowed[part] = True
        return allowed

    def _group(self, group: int) -> Numbers:
        if group not in self._members:
            rows = self._store.rows("SELECT person FROM memberships WHERE grp = ?", group)
            self._members[group] = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        return self._members[group]

    def _index(self, column: str, *, merged: bool) -> Index:
        kind = _Kind(column, merged)
        if kind not in self._indices:
            if merged:
                self._indices[kind] = self._index(column, merged=False).merged()
            else:
                self._indices[kind] = Index()
                self._load(kind, None)
        return self._indices[kind]

    def _load(self, kind: _Kind, persons: Iterable[int] | None) -> None:
        """All faces, or those of `persons`."""
        among = "" if persons is None else "AND f.person IN (SELECT value FROM json_each(?))"
        values = () if persons is None else (json.dumps(list(persons)),)
        for batch in self._store.batches(
            f"SELECT f.number, f.person, p.id, f.{kind.column} FROM faces f JOIN persons p ON p.number = f.person "
            f"WHERE f.{kind.column} IS NOT NULL {among}",
            *values,
        ):
            plain = b"".join(self.seal.open(sealed, kind.column, face, owner) for face, _, owner, sealed in batch)
            vectors = np.frombuffer(plain, dtype="<f4").reshape(-1, DIMENSIONS)
            faces = np.array([row[0] for row in batch], dtype=np.int64)
            owners = np.array([row[1] for row in batch], dtype=np.int64)
            self._indices[kind].add(owners, faces, vectors)

    def _take_in(self, changed: Sequence[tuple[int, ...]]) -> None:
        persons = [person for person, _ in changed]
        faces_of = [person for person, faces in changed if faces]
        self._move(persons)
        for kind in [kind for kind in self._indices if not kind.merged]:
            self._indices[kind].remove(np.array(faces_of, dtype=np.int64))
            self._load(kind, faces_of)
        for kind in [kind for kind in self._indices if kind.merged]:
            del self._indices[kind]

    def _move(self, persons: Sequence[int]) -> None:
        """In and out of the groups that are known."""
        joined: dict[int, list[int]] = {}
        for group, person in self._store.rows(
            "SELECT grp, person FROM memberships WHERE person IN (SELECT value FROM json_each(?))", json.dumps(persons)
        ):
            joined.setdefault(group, []).append(person)
        moved = np.array(persons, dtype=np.int64)
        for group, members in self._members.items():
            staying = members[~np.isin(members, moved)]
            self._members[group] = np.concatenate([staying, np.array(joined.get(group, ()), dtype=np.int64)])


def _checked(vectors: Vector) -> Vector:
    if not np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1.0) <= 1e-3):
        raise GalleryError("gallery_unreadable", "a face's embedding has not length 1")
    return vectors
