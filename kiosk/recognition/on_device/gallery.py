"""Who is enrolled: groups, persons and faces as the vendor's interfaces define them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.deletions import Deletion
from kiosk.recognition.on_device.enrolled import (
    MOST_GROUPS_OF_PERSON,
    UNCHANGED,
    Consent,
    Descriptions,
    EnrolledFace,
    Group,
    Limits,
    NewFace,
    Person,
    Unchanged,
)
from kiosk.recognition.on_device.keys import LENGTH, KeyFile, key_id
from kiosk.recognition.on_device.likeness import Likeness
from kiosk.recognition.on_device.matching import Hit, cosine_of, mean_vector, unit_vector
from kiosk.recognition.on_device.refusal import GalleryError, GalleryRefusal, Why
from kiosk.recognition.on_device.register import Register
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Store

SAME = 0.999
"""Cosine from which a person's new face counts as one they have; the vendor names no number."""


class Gallery:
    """One thread at a time. Refuses by GalleryRefusal, saying why; the file's faults are GalleryError. `wall`: Unix seconds.

    `Gallery(wall)` is in memory; `open` is for files.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        store: Store | None = None,
        key: bytes | KeyFile | None = None,
        *,
        keep_photos: bool = False,
    ) -> None:
        self._wall = wall
        self._keep_photos = keep_photos
        self._store = store or Store(None)
        key = _key(self._store, key or secrets.token_bytes(LENGTH))
        self._seal = Seal(key, self._store.meta("gallery"))
        self._register = Register(self._store, self._seal)
        self._likeness = Likeness(self._store, self._seal)
        self._signing = self._signing_key()

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        key: bytes | KeyFile | None = None,
        wall: Callable[[], float] = time.time,
        *,
        keep_photos: bool = False,
    ) -> Self:
        """In memory without a `path`; a file that is not there comes into being.

        Raises GalleryError `gallery_unreadable`, `gallery_unwritable`, `gallery_locked`, `gallery_key_missing`,
        `gallery_key_wrong`.
        """
        store = Store(path)
        try:
            return cls(wall, store, key, keep_photos=keep_photos)
        except BaseException:
            store.close()
            raise

    @property
    def file(self) -> Path | None:
        return self._store.file

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """All changes inside are one transaction, or none. Never await inside."""
        self._likeness.stale = True
        try:
            with self._store.transaction():
                yield
        except BaseException:
            self._likeness.undo()
            raise

    # Groups

    @property
    def groups(self) -> list[Group]:
        return self._register.groups()

    @property
    def group_count(self) -> int:
        return self._register.count_groups()

    def group(self, group_id: str) -> Group:
        group = self._register.group(group_id)
        if group is None:
            raise GalleryRefusal(Why.GROUP_UNKNOWN)
        return group

    def create_group(
        self,
        group_id: str,
        name: str,
        limits: Limits,
        tag: str = "",
        fields: Sequence[str] = (),
        *,
        consent: Consent = None,
    ) -> Group:
        with self.together():
            if self._register.group(group_id):
                raise GalleryRefusal(Why.GROUP_EXISTS)
            self._check_name(name)
            if self.group_count >= limits.groups:
                raise GalleryRefusal(Why.TOO_MANY_GROUPS)
            self._register.add_group(Group(group_id, name, self._now(), tag, tuple(fields), consent))
            return self.group(group_id)

    def rename_group(self, group_id: str, name: str) -> None:
        with self.together():
            if self.group(group_id).name != name:
                self._check_name(name)
                self._register.set_group(group_id, name=name)

    def update_group(self, group_id: str, *, tag: str | None = None, consent: Consent | Unchanged = UNCHANGED) -> None:
        """None leaves the tag as it is."""
        with self.together():
            self.group(group_id)
            self._register.set_group(group_id, **_given(tag=tag, consent=consent))

    def delete_group(self, group_id: str, why: str = "") -> None:
        """Persons who are in no other group go with it."""
        with self.together():
            for number in self._register.members(self._group(group_id), only_here=True):
                self._delete(number, why)
            self._register.drop_group(group_id)

    def members(self, group_ids: Iterable[str], offset: int = 0, limit: int | None = None) -> list[Person]:
        """Each person once, in the order in which they joined; `limit` of them from `offset` on."""
        numbers = dict.fromkeys(n for group_id in group_ids for n in self._register.members(self._group(group_id)))
        return self._register.persons(list(numbers)[offset:][:limit])

    def everybody(self) -> Iterator[Person]:
        numbers = self._register.everybody()
        for low in range(0, len(numbers), 500):
            yield from self._register.persons(numbers[low : low + 500])

    # Persons

    @property
    def person_count(self) -> int:
        return self._register.count_persons()

    def person(self, person_id: str) -> Person:
        return self._register.persons([self._person(person_id)])[0]

    def check_new(self, person_id: str, group_ids: Sequence[str], limits: Limits) -> None:
        """Raises GalleryRefusal where such a person could not be created in these groups, missing ones being created."""
        if self._register.person_number(person_id) is not None:
            raise GalleryRefusal(Why.PERSON_EXISTS)
        groups = {group_id: self._register.group(group_id) for group_id in group_ids}
        if self.group_count + sum(group is None for group in groups.values()) > limits.groups:
            raise GalleryRefusal(Why.TOO_MANY_GROUPS)
        if any(group.persons >= limits.persons for group in groups.values() if group):
            raise GalleryRefusal(Why.TOO_MANY_PERSONS)

    def create_person(self, person: Person, group_ids: Sequence[str], face: NewFace, limits: Limits) -> Person:
        """Groups that do not exist come into being. `person` comes without groups and faces."""
        with self.together():
            self.check_new(person.person_id, group_ids, limits)
            number = self._register.add_person(person)
            for group_id in dict.fromkeys(group_ids):
                known = self._register.group_number(group_id)
                group = known or self._register.add_group(Group(group_id, group_id, self._now()))
                self._register.put(number, group)
            self._register.add_face(number, person.person_id, face)
        return self.person(person.person_id)

    def new_person(self, person_id: str, name: str, *, tag: str = "", gender: int = 0, consent: Consent = None) -> Person:
        """One for `create_person`."""
        return Person(person_id, name, self._now(), tag, gender, consent)

    def update_person(
        self,
        person_id: str,
        *,
        name: str | None = None,
        tag: str | None = None,
        gender: int | None = None,
        consent: Consent | Unchanged = UNCHANGED,
    ) -> None:
        """None leaves name, tag and gender as they are."""
        with self.together():
            self._person(person_id)
            self._register.set_person(person_id, **_given(name=name, tag=tag, gender=gender, consent=consent))

    def delete_person(self, person_id: str, why: str = "") -> None:
        with self.together():
            self._delete(self._person(person_id), why)

    def join(self, person_id: str, group_ids: Sequence[str], limits: Limits) -> None:
        """All of the groups or none."""
        with self.together():
            person = self.person(person_id)
            groups = [self.group(group_id) for group_id in dict.fromkeys(group_ids)]
            if any(group.group_id in person.groups for group in groups):
                raise GalleryRefusal(Why.IN_GROUP)
            if len(person.groups) + len(groups) > MOST_GROUPS_OF_PERSON:
                raise GalleryRefusal(Why.TOO_MANY_GROUPS_OF_PERSON)
            if any(group.persons >= limits.persons for group in groups):
                raise GalleryRefusal(Why.TOO_MANY_PERSONS)
            for group in groups:
                self._register.put(self._person(person_id), self._group(group.group_id))

    def leave(self, person_id: str, group_id: str, why: str = "") -> None:
        """Whoever leaves their last group is deleted."""
        with self.together():
            person, group = self.person(person_id), self._group(group_id)
            if group_id not in person.groups:
                raise GalleryRefusal(Why.NOT_IN_GROUP)
            if len(person.groups) == 1:
                self.delete_person(person_id, why)
            else:
                self._register.take(self._person(person_id), group)

    def describe(self, person_id: str, group_id: str, descriptions: Descriptions) -> None:
        """Writes into a group's fields of a person."""
        with self.together():
            person, group = self.person(person_id), self.group(group_id)
            if group_id not in person.groups:
                raise GalleryRefusal(Why.NOT_IN_GROUP)
            self.check_descriptions(group, descriptions)
            self._register.describe(self._person(person_id), self._group(group_id), descriptions)

    def check_descriptions(self, group: Group, descriptions: Descriptions) -> None:
        if any(number >= len(group.fields) for number in descriptions):
            raise GalleryRefusal(Why.NO_SUCH_FIELD)

    def consent(self, person_id: str) -> Consent:
        """Whether this person's probe may leave the device: by their own flag; else no if any of their groups says no,
        else yes if one says yes, else None.
        """
        own = self.person(person_id).consent
        said = self._register.consents(self._person(person_id))
        return own if own is not None else False if False in said else True if True in said else None

    # Faces

    def __len__(self) -> int:
        """How many faces there are."""
        return int(self._store.value("SELECT count(*) FROM faces"))

    def new_face(self, seen: AnalysedFace, tag: str = "", photo: bytes | None = None) -> NewFace:
        """One with an id of its own, not yet anybody's. Raises ContractViolation where it has no embedding."""
        return NewFace(
            face_id=str(10**18 + secrets.randbelow(8 * 10**18)),
            box=seen.face.box,
            tag=tag,
            grade=seen.quality.grade,
            created=self._now(),
            embedding=_kept(seen.embedding),
            upper=None if seen.upper is None else _kept(seen.upper),
            photo=photo if self._keep_photos else None,
        )

    def add_face(self, person_id: str, face: NewFace, limits: Limits, *, allow_same: bool) -> None:
        with self.together():
            number = self._person(person_id)
            known = self._register.embeddings(number, person_id)
            if len(known) >= limits.faces:
                raise GalleryRefusal(Why.TOO_MANY_FACES)
            if not allow_same and any(cosine_of(face.embedding, other) >= SAME for other in known):
                raise GalleryRefusal(Why.SAME_FACE)
            self._register.add_face(number, person_id, face)

    def delete_faces(self, person_id: str, face_ids: Iterable[str], why: str = "") -> list[str]:
        """Says which of them were the person's; at least one face must stay."""
        with self.together():
            known = {face.face_id for face in self.person(person_id).faces}
            going = [face_id for face_id in dict.fromkeys(face_ids) if face_id in known]
            if len(going) == len(known):
                raise GalleryRefusal(Why.LAST_FACE)
            if going:
                self._record("faces", person_id, going, why)
                self._register.drop_faces(going)
        return going

    def face(self, face_id: str) -> EnrolledFace:
        face = self._register.face(face_id)
        if face is None:
            raise GalleryRefusal(Why.FACE_UNKNOWN)
        return face

    def photo(self, face_id: str) -> bytes | None:
        """None where none was kept."""
        self.face(face_id)
        return self._register.photo(face_id)

    # Likeness

    def search(
        self, embedding: bytes | None, group_ids: Sequence[str], top: int, *, merged: bool = False, upper: bool = False
    ) -> list[Hit]:
        """Persons, the most alike first: by the best of their faces, or `merged`, by all of their faces as one."""
        return self._search(embedding, [self._group(group_id) for group_id in group_ids], top, merged=merged, upper=upper)

    def search_all(self, embedding: bytes | None, top: int, *, merged: bool = False, upper: bool = False) -> list[Hit]:
        """Among everybody."""
        return self._search(embedding, None, top, merged=merged, upper=upper)

    def _search(self, embedding: bytes | None, groups: list[int] | None, top: int, *, merged: bool, upper: bool) -> list[Hit]:
        vector = unit_vector(embedding)
        with self._store.snapshot():
            self._likeness.follow()
            found = self._likeness.search(vector, top, groups, "upper" if upper else "embedding", merged=merged)
            return [Hit(self._name(hit.owner), hit.cosine, str(hit.face or "")) for hit in found]

    def likeness(self, person_id: str, embedding: bytes | None, *, merged: bool = False, upper: bool = False) -> float:
        """The cosine to one person, as `search` has it."""
        faces = self._register.embeddings(self._person(person_id), person_id, "upper" if upper else "embedding")
        return max(cosine_of(embedding, face) for face in ([mean_vector(faces)] if merged else faces))

    def population(self, group_ids: Sequence[str]) -> tuple[int, int]:
        """Persons and faces in the union of these groups."""
        groups = [self._group(group_id) for group_id in group_ids]
        with self._store.snapshot():
            self._likeness.follow()
            return self._likeness.count(groups)

    def pairs(self, least: float) -> Iterator[tuple[str, str, float]]:
        """Pairs of persons whose best cosine is at least `least`."""
        self._likeness.follow()
        for one, other, cosine in self._likeness.pairs(least):
            yield self._name(one), self._name(other), cosine

    # The file

    def backup(self, to: Path) -> None:
        """A copy in a file of its own, under the same key."""
        raise NotImplementedError

    @classmethod
    def restore(cls, path: Path, key: bytes | KeyFile, backup: Path) -> None:
        """Puts a backup in the place of the gallery at `path`, after checking it; whoever has that open follows."""
        raise NotImplementedError

    def vacuum(self) -> None:
        """Rewrites the file, so that nothing deleted is left in it."""
        raise NotImplementedError

    # Deletions

    def deletions(self) -> list[Deletion]:
        return []

    def _record(self, what: str, whose: str, face_ids: Sequence[str], why: str) -> None:
        pass

    def _delete(self, number: int, why: str) -> None:
        (person,) = self._register.persons([number])
        self._record("person", person.person_id, [face.face_id for face in person.faces], why)
        self._register.drop_person(number)

    def _signing_key(self) -> Ed25519PrivateKey | None:
        return None

    def _person(self, person_id: str) -> int:
        number = self._register.person_number(person_id)
        if number is None:
            raise GalleryRefusal(Why.PERSON_UNKNOWN)
        return number

    def _name(self, number: int) -> str:
        name = self._register.person_id(number)
        assert name is not None
        return name

    def _group(self, group_id: str) -> int:
        number = self._register.group_number(group_id)
        if number is None:
            raise GalleryRefusal(Why.GROUP_UNKNOWN)
        return number

    def _check_name(self, name: str) -> None:
        if self._register.has_group_named(name):
            raise GalleryRefusal(Why.GROUP_NAME_EXISTS)

    def _now(self) -> int:
        return round(1000 * self._wall())


def _kept(embedding: bytes | None) -> bytes:
    return unit_vector(embedding).astype("<f4").tobytes()


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not UNCHANGED and (value is not None or name == "consent")}


def _key(store: Store, key: bytes | KeyFile) -> bytes:
    known = store.meta("key")
    if known is None:
        key = key if isinstance(key, bytes) else key.read()
        store.set_meta("key", key_id(key))
        return key
    if isinstance(key, KeyFile):
        return key.key(known)
    if key_id(key) != known:
        raise GalleryError("gallery_key_wrong", f"key {key_id(key)} was given, the gallery is under {known}")
    return key
