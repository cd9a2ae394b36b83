"""The faces of the gallery's file as numbers in RAM, following it whoever changes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from kiosk.recognition.on_device.matching import DIMENSIONS, Found, Index, Mask, Numbers, Vector
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Store, Version

Part = Literal["embedding", "upper"]


class _Kind(NamedTuple):
    """`merged`: one row a person."""

    part: Part
    merged: bool


class Mirror:
    """Everything is read when it is first asked for, and from then on only what changes; own changes and those of others go
    the same way. Ask inside one `Store.snapshot`, after `follow`. One thread at a time. Raises GalleryError.
    """

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal
        self._forget()

    def _forget(self) -> None:
        self._indices: dict[_Kind, Index] = {}
        self._members: dict[int, Numbers] = {}
        self._seen = -1
        self._version: Version | None = None
        self._generation: str | None = None
        self._unsure_since: int | None = None

    def follow(self) -> None:
        """Takes in what has changed since the last time, what is not yet committed too."""
        version = self._store.version()
        if version == self._version:
            return
        if self._unsure_since not in (None, version.rollbacks):
            self._forget()  # of what was read before it was committed, something was taken back
        generation = self._store.meta("generation")
        oldest = self._store.value("SELECT min(seq) FROM changes") or 0  # asked for together, SQLite would read all of them
        newest = self._store.value("SELECT max(seq) FROM changes") or 0
        if generation != self._generation or newest < self._seen or oldest > self._seen + 1:
            self._forget()
        elif newest > self._seen:
            self._take_in()
        self._seen, self._version, self._generation = newest, version, generation
        self._unsure_since = version.rollbacks if self._store.uncommitted else None

    def load(self, part: Part) -> None:
        self._index(part, merged=False)

    def search(self, vector: Vector, top: int, groups: Iterable[int] | None, part: Part, *, merged: bool) -> list[Found]:
        """`groups`: None is everybody."""
        index = self._index(part, merged=merged)
        return index.search(vector, top, None if groups is None else self._allowed(groups, index))

    def population(self, groups: Iterable[int]) -> tuple[int, int]:
        """Persons and faces in the union of these groups."""
        index = self._index("embedding", merged=False)
        allowed = self._allowed(groups, index)
        return int(np.count_nonzero(allowed)), int(index.counts[allowed[: len(index.counts)]].sum())

    def pairs(self, least: float) -> Iterator[tuple[int, int, float]]:
        return self._index("embedding", merged=False).pairs(least)

    def _allowed(self, groups: Iterable[int], index: Index) -> Mask:
        members = [self._group(group) for group in groups]
        allowed = np.zeros(max([len(index.counts), *(int(part.max(initial=-1)) + 1 for part in members)]), dtype=np.bool_)
        for part in members:
            allowed[part] = True
        return allowed

    def _group(self, group: int) -> Numbers:
        if group not in self._members:
            self._members[group] = _numbers(
                person for (person,) in self._store.rows("SELECT person FROM memberships WHERE grp = ?", group)
            )
        return self._members[group]

    def _index(self, part: Part, *, merged: bool) -> Index:
        kind = _Kind(part, merged)
        if kind not in self._indices:
            index = Index()
            if merged:
                _add_means(index, self._index(part, merged=False))
            else:
                self._load(index, part)
            self._indices[kind] = index
        return self._indices[kind]

    def _load(self, index: Index, part: Part, persons: Iterable[int] | None = None) -> None:
        """The faces of all, or of `persons`."""
        among = "" if persons is None else " AND f.person IN (SELECT value FROM json_each(?))"
        values = () if persons is None else (json.dumps(list(persons)),)
        for batch in self._store.batches(
            f"SELECT f.number, f.person, p.id, f.{part} FROM faces f JOIN persons p ON p.number = f.person "  # noqa: S608 (constants)
            f"WHERE f.{part} IS NOT NULL{among}",
            *values,
        ):
            plain = b"".join(self._seal.open(sealed, part, face, owner) for face, _, owner, sealed in batch)
            vectors = np.frombuffer(plain, dtype="<f4").reshape(-1, DIMENSIONS)
            index.add(_numbers(row[1] for row in batch), _numbers(row[0] for row in batch), vectors)

    def _take_in(self) -> None:
        changed = self._store.rows("SELECT person, max(faces) FROM changes WHERE seq > ? GROUP BY person", self._seen)
        self._move([person for person, _ in changed])
        persons = [person for person, faces in changed if faces]
        # The plain indices first: the merged ones are made of them.
        for kind, index in sorted(self._indices.items(), key=lambda item: item[0].merged):
            index.remove(_numbers(persons))
            if kind.merged:
                _add_means(index, self._index(kind.part, merged=False), persons)
            else:
                self._load(index, kind.part, persons)

    def _move(self, persons: Sequence[int]) -> None:
        """In and out of the groups that are known."""
        now: dict[int, list[int]] = {}
        for group, person in self._store.rows(
            "SELECT grp, person FROM memberships WHERE person IN (SELECT value FROM json_each(?))", json.dumps(persons)
        ):
            now.setdefault(group, []).append(person)
        for group, members in self._members.items():
            staying = members[~np.isin(members, _numbers(persons))]
            self._members[group] = np.concatenate([staying, _numbers(now.get(group, ()))])


def _add_means(index: Index, faces: Index, persons: Iterable[int] | None = None) -> None:
    for owners, means in faces.means(persons):
        index.add(owners, np.zeros(len(owners), dtype=np.int64), means)


def _numbers(numbers: Iterable[int]) -> Numbers:
    return np.fromiter(numbers, dtype=np.int64)
