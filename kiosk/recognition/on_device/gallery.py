"""Who is enrolled: groups, persons and faces as the vendor's interfaces define them."""

from __future__ import annotations

import pickle
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from kiosk.domain import Box
from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.keys import KeyFile
from kiosk.recognition.on_device.matching import Hit, Index, cosine_of, mean_vector, unit_vector
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why

MOST_GROUPS_OF_PERSON = 100
SAME = 0.999
"""Cosine from which a person's new face counts as one they have; the vendor names no number."""

Descriptions = Mapping[int, str]
"""What is written of a person in a group's fields, by the field's number from 0."""


class Limits(NamedTuple):
    """Groups of an account, persons of a group, faces of a person."""

    groups: int
    persons: int
    faces: int


OLD = Limits(groups=5_000, persons=20_000, faces=20)
"""By the documents of the older interfaces."""
CURRENT = Limits(groups=100_000, persons=3_000_000, faces=5)
"""By those of iai 2020-03-03."""


@dataclass(slots=True)
class Group:
    """`fields`: names of what may be written of each person; `created`: Unix milliseconds."""

    group_id: str
    name: str
    created: int
    tag: str = ""
    fields: tuple[str, ...] = ()
    consent: bool | None = None
    members: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    face_id: str
    embedding: bytes = field(repr=False)
    box: Box
    tag: str = ""
    upper: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class Person:
    """`groups`: what is written of the person in each. `gender`: 0 unset, 1 male, 2 female."""

    person_id: str
    name: str
    created: int
    tag: str = ""
    gender: int = 0
    consent: bool | None = None
    groups: dict[str, dict[int, str]] = field(default_factory=dict)
    faces: list[EnrolledFace] = field(default_factory=list)


class Gallery:
    """Event loop only. Everything raises GalleryRefusal, saying why. `wall`: Unix seconds."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._groups: dict[str, Group] = {}
        self._persons: dict[str, Person] = {}
        self._owners: dict[str, str] = {}
        self._faces = Index()
        self._merged = Index()
        self._upper = Index()
        self._path: Path | None = None

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        key: bytes | KeyFile | None = None,
        wall: Callable[[], float] = time.time,
        *,
        keep_photos: bool = False,
    ) -> Self:
        """Stand-in: in the clear, written when it is closed."""
        _ = keep_photos
        if isinstance(key, KeyFile):
            key.read()
        made = cls(wall)
        if path is not None and path.exists():
            made.__dict__.update(pickle.loads(path.read_bytes()))  # noqa: S301 (a stand-in)
        made._path = path
        return made

    def close(self) -> None:
        """Stand-in."""
        if self._path is not None:
            kept = {name: value for name, value in self.__dict__.items() if name not in {"_wall", "_path"}}
            self._path.write_bytes(pickle.dumps(kept))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._faces)

    def follow(self, *, upper: bool = False) -> None:
        """Stand-in."""

    @property
    def person_count(self) -> int:
        return len(self._persons)

    def update_group(self, group_id: str, *, consent: bool | None) -> None:
        self.group(group_id).consent = consent

    def update_person(self, person_id: str, *, consent: bool | None) -> None:
        self.person(person_id).consent = consent

    def consent(self, person_id: str) -> bool | None:
        """May this person's probe leave the device: the person's own flag, else False if any of the groups says no, else True if
        one says yes, else None.
        """
        person = self.person(person_id)
        flags = {self._groups[group_id].consent for group_id in person.groups}
        if person.consent is not None:
            return person.consent
        return False if False in flags else True if True in flags else None

    # Groups

    @property
    def groups(self) -> list[Group]:
        return list(self._groups.values())

    def group(self, group_id: str) -> Group:
        if group_id not in self._groups:
            raise GalleryRefusal(Why.GROUP_UNKNOWN)
        return self._groups[group_id]

    def create_group(self, group_id: str, name: str, limits: Limits, tag: str = "", fields: Sequence[str] = ()) -> Group:
        if group_id in self._groups:
            raise GalleryRefusal(Why.GROUP_EXISTS)
        self._check_name(name)
        if len(self._groups) >= limits.groups:
            raise GalleryRefusal(Why.TOO_MANY_GROUPS)
        self._groups[group_id] = Group(group_id, name, self._now(), tag, tuple(fields))
        return self._groups[group_id]

    def rename_group(self, group_id: str, name: str) -> None:
        group = self.group(group_id)
        if group.name != name:
            self._check_name(name)
            group.name = name

    def delete_group(self, group_id: str) -> None:
        """Persons who are in no other group go with it."""
        for person_id in list(self.group(group_id).members):
            self.leave(person_id, group_id)
        self._faces.forget_group(group_id)
        self._merged.forget_group(group_id)
        del self._groups[group_id]

    def members(self, group_ids: Iterable[str]) -> list[Person]:
        """Each person once."""
        ids = dict.fromkeys(person_id for group_id in group_ids for person_id in self.group(group_id).members)
        return [self._persons[person_id] for person_id in ids]

    # Persons

    def person(self, person_id: str) -> Person:
        if person_id not in self._persons:
            raise GalleryRefusal(Why.PERSON_UNKNOWN)
        return self._persons[person_id]

    def check_new(self, person_id: str, group_ids: Sequence[str], limits: Limits) -> None:
        """Raises GalleryRefusal where such a person could not be created in these groups, missing ones being created."""
        if person_id in self._persons:
            raise GalleryRefusal(Why.PERSON_EXISTS)
        if len(self._groups.keys() | set(group_ids)) > limits.groups:
            raise GalleryRefusal(Why.TOO_MANY_GROUPS)
        if any(len(self._groups[g].members) >= limits.persons for g in group_ids if g in self._groups):
            raise GalleryRefusal(Why.TOO_MANY_PERSONS)

    def create_person(self, person: Person, group_ids: Sequence[str], face: EnrolledFace, limits: Limits) -> Person:
        """Groups that do not exist come into being. `person` comes without groups and faces."""
        self.check_new(person.person_id, group_ids, limits)
        for group_id in group_ids:
            if group_id not in self._groups:
                self._groups[group_id] = Group(group_id, group_id, self._now())
        self._persons[person.person_id] = person
        self._keep(person, face)
        for group_id in group_ids:
            self._put(person, group_id)
        return person

    def new_person(self, person_id: str, name: str, *, tag: str = "", gender: int = 0) -> Person:
        """One for `create_person`."""
        return Person(person_id, name, self._now(), tag, gender)

    def delete_person(self, person_id: str) -> None:
        person = self.person(person_id)
        for face in person.faces:
            del self._owners[face.face_id]
        for group_id in person.groups:
            del self._groups[group_id].members[person_id]
        self._faces.remove(person_id)
        self._merged.remove(person_id)
        self._upper.remove(person_id)
        del self._persons[person_id]

    def join(self, person_id: str, group_ids: Sequence[str], limits: Limits) -> None:
        """All of the groups or none."""
        person = self.person(person_id)
        groups = [self.group(group_id) for group_id in dict.fromkeys(group_ids)]
        if any(group.group_id in person.groups for group in groups):
            raise GalleryRefusal(Why.IN_GROUP)
        if len(person.groups) + len(groups) > MOST_GROUPS_OF_PERSON:
            raise GalleryRefusal(Why.TOO_MANY_GROUPS_OF_PERSON)
        if any(len(group.members) >= limits.persons for group in groups):
            raise GalleryRefusal(Why.TOO_MANY_PERSONS)
        for group in groups:
            self._put(person, group.group_id)

    def leave(self, person_id: str, group_id: str) -> None:
        """Whoever leaves their last group is deleted."""
        person, group = self.person(person_id), self.group(group_id)
        if group_id not in person.groups:
            raise GalleryRefusal(Why.NOT_IN_GROUP)
        if len(person.groups) == 1:
            self.delete_person(person_id)
            return
        del person.groups[group_id], group.members[person_id]
        self._faces.leave(person_id, group_id)
        self._merged.leave(person_id, group_id)

    def describe(self, person_id: str, group_id: str, descriptions: Descriptions) -> None:
        """Writes into a group's fields of a person."""
        person, group = self.person(person_id), self.group(group_id)
        if group_id not in person.groups:
            raise GalleryRefusal(Why.NOT_IN_GROUP)
        self.check_descriptions(group, descriptions)
        person.groups[group_id].update(descriptions)

    def check_descriptions(self, group: Group, descriptions: Descriptions) -> None:
        if any(number >= len(group.fields) for number in descriptions):
            raise GalleryRefusal(Why.NO_SUCH_FIELD)

    # Faces

    def new_face(self, embedding: bytes | AnalysedFace | None, box: Box | None = None, tag: str = "") -> EnrolledFace:
        """One with an id of its own, not yet anybody's. Raises ContractViolation where this is no embedding."""
        if isinstance(embedding, AnalysedFace):
            seen = embedding
            made = self.new_face(seen.embedding, seen.face.box, tag)
            return EnrolledFace(made.face_id, made.embedding, made.box, tag, seen.upper)
        assert box is not None
        vector = unit_vector(embedding)
        return EnrolledFace(str(10**18 + secrets.randbelow(9 * 10**18)), vector.astype("<f4").tobytes(), box, tag)

    def add_face(self, person_id: str, face: EnrolledFace, limits: Limits, *, allow_same: bool) -> None:
        person = self.person(person_id)
        if len(person.faces) >= limits.faces:
            raise GalleryRefusal(Why.TOO_MANY_FACES)
        if not allow_same and any(cosine_of(face.embedding, known.embedding) >= SAME for known in person.faces):
            raise GalleryRefusal(Why.SAME_FACE)
        self._keep(person, face)

    def delete_faces(self, person_id: str, face_ids: Iterable[str]) -> list[str]:
        """Says which of them were the person's; at least one face must stay."""
        person = self.person(person_id)
        going = {face.face_id for face in person.faces} & set(face_ids)
        if len(going) == len(person.faces):
            raise GalleryRefusal(Why.LAST_FACE)
        staying = [face for face in person.faces if face.face_id not in going]
        person.faces.clear()
        self._faces.remove(person_id)
        for face in staying:
            self._keep(person, face)
        for face_id in going:
            del self._owners[face_id]
        return [face_id for face_id in dict.fromkeys(face_ids) if face_id in going]

    def face(self, face_id: str) -> EnrolledFace:
        if face_id not in self._owners:
            raise GalleryRefusal(Why.FACE_UNKNOWN)
        return next(face for face in self._persons[self._owners[face_id]].faces if face.face_id == face_id)

    # Likeness

    def search(
        self, embedding: bytes | None, group_ids: Sequence[str], top: int, *, merged: bool = False, upper: bool = False
    ) -> list[Hit]:
        """Persons, the most alike first: by the best of their faces, or `merged`, by all of their faces as one."""
        for group_id in group_ids:
            self.group(group_id)
        return (self._upper if upper else self._merged if merged else self._faces).search(embedding, group_ids, top)

    def search_all(self, embedding: bytes | None, top: int, *, upper: bool = False) -> list[Hit]:
        return self.search(embedding, list(self._groups), top, upper=upper)

    def likeness(self, person_id: str, embedding: bytes | None, *, merged: bool = False) -> float:
        """The cosine to one person, as `search` has it."""
        faces = [face.embedding for face in self.person(person_id).faces]
        return max(cosine_of(embedding, face) for face in ([mean_vector(faces)] if merged else faces))

    def _keep(self, person: Person, face: EnrolledFace) -> None:
        self._faces.add(person.person_id, person.groups, face.face_id, face.embedding)
        if face.upper is not None:
            self._upper.add(person.person_id, person.groups, face.face_id, face.upper)
        person.faces.append(face)
        self._owners[face.face_id] = person.person_id
        self._merged.remove(person.person_id)
        self._merged.add(person.person_id, person.groups, "", mean_vector([known.embedding for known in person.faces]))

    def _put(self, person: Person, group_id: str) -> None:
        person.groups.setdefault(group_id, {})
        self._groups[group_id].members[person.person_id] = None
        self._faces.join(person.person_id, group_id)
        self._merged.join(person.person_id, group_id)
        self._upper.join(person.person_id, group_id)

    def _check_name(self, name: str) -> None:
        if any(group.name == name for group in self._groups.values()):
            raise GalleryRefusal(Why.GROUP_NAME_EXISTS)

    def _now(self) -> int:
        return round(1000 * self._wall())
