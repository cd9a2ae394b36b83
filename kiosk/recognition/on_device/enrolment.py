"""The rules of enrolment: groups, persons and faces as the vendor's interfaces define them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.deletions import Ledger
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
from kiosk.recognition.on_device.matching import cosine_of, unit_vector
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why
from kiosk.recognition.on_device.register import Register
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Store

SAME = 0.999
"""Cosine from which a person's new face counts as one they have; the vendor names no number."""


class Enrolment:
    """What a Gallery keeps. Refuses by GalleryRefusal, saying why, and then nothing has changed."""

    def __init__(self, store: Store, seal: Seal, wall: Callable[[], float], *, keep_photos: bool) -> None:
        self._store = store
        self._seal = seal
        self._wall = wall
        self._keep_photos = keep_photos
        self._register = Register(store, seal)
        self._ledger = Ledger(store, seal)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All changes inside are one transaction, or none; others wait meanwhile, so never await inside."""
        with self._store.transaction():
            self._seal.follow(self._store.meta("key"))
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._store.snapshot():
            self._seal.follow(self._store.meta("key"))
            yield

    # Groups

    @property
    def groups(self) -> list[Group]:
        return self._register.groups()

    def group(self, group_id: str) -> Group:
        group = self._register.group(group_id)
        if group is None:
            raise GalleryRefusal(Why.GROUP_UNKNOWN)
        return group

    def create_group(
        self, group_id: str, name: str, limits: Limits, tag: str = "", fields: Sequence[str] = (), *, consent: Consent = None
    ) -> Group:
        with self.together():
            if self._register.group(group_id):
                raise GalleryRefusal(Why.GROUP_EXISTS)
            self._check_name(name)
            if self._register.count_groups() >= limits.groups:
                raise GalleryRefusal(Why.TOO_MANY_GROUPS)
            group = Group(group_id, name, self._now(), tag, tuple(fields), consent)
            self._register.add_group(group)
        return group

    def rename_group(self, group_id: str, name: str) -> None:
        with self.together():
            group = self.group(group_id)
            if group.name != name:
                self._check_name(name)
                self._register.change_group(replace(group, name=name))

    def update_group(self, group_id: str, *, tag: str | None = None, consent: Consent | Unchanged = UNCHANGED) -> None:
        """A tag of None stays as it is."""
        with self.together():
            self._register.change_group(replace(self.group(group_id), **_given(tag=tag, consent=consent)))

    def delete_group(self, group_id: str, why: str = "") -> None:
        """Persons who are in no other group go with it."""
        with self.together():
            group = self._group_number(group_id)
            self._forget(self._register.only_members(group), why)
            self._register.drop_group(group)

    def members(self, group_ids: Iterable[str], offset: int = 0, limit: int | None = None) -> list[Person]:
        """Each person once, group by group in the order of joining; from `offset` on, `limit` of them."""
        with self._reading():
            numbers = list(dict.fromkeys(n for g in group_ids for n in self._register.members(self._group_number(g))))
            return list(self._register.persons(numbers[offset:][:limit]))

    def everybody(self) -> Iterator[Person]:
        """In the order of enrolment; whoever is deleted meanwhile may be missing."""
        return self._register.persons(self._register.everybody())

    # Persons

    def person(self, person_id: str) -> Person:
        with self._reading():
            return next(self._register.persons([self._person_number(person_id)]))

    def check_new(self, person_id: str, group_ids: Sequence[str], limits: Limits) -> None:
        """Raises GalleryRefusal where such a person could not be created in these groups, missing ones being created."""
        if self._register.person_number(person_id) is not None:
            raise GalleryRefusal(Why.PERSON_EXISTS)
        groups = [self._register.group(group_id) for group_id in dict.fromkeys(group_ids)]
        if self._register.count_groups() + groups.count(None) > limits.groups:
            raise GalleryRefusal(Why.TOO_MANY_GROUPS)
        if any(group.persons >= limits.persons for group in groups if group):
            raise GalleryRefusal(Why.TOO_MANY_PERSONS)

    def create_person(self, person: Person, group_ids: Sequence[str], face: NewFace, limits: Limits) -> Person:
        """Groups that do not exist come into being. `person` comes without groups and faces."""
        with self.together():
            self.check_new(person.person_id, group_ids, limits)
            number = self._register.add_person(person)
            for group_id in dict.fromkeys(group_ids):
                group = self._register.group_number(group_id)
                if group is None:
                    group = self._register.add_group(Group(group_id, group_id, self._now()))
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
        """A name, tag or gender of None stays as it is."""
        with self.together():
            changes = _given(name=name, tag=tag, gender=gender, consent=consent)
            self._register.change_person(replace(self.person(person_id), **changes))

    def delete_person(self, person_id: str, why: str = "") -> None:
        with self.together():
            self._forget([self._person_number(person_id)], why)

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
                self._register.put(self._person_number(person_id), self._group_number(group.group_id))

    def leave(self, person_id: str, group_id: str, why: str = "") -> None:
        """Whoever leaves their last group is deleted."""
        with self.together():
            person, group = self.person(person_id), self._group_number(group_id)
            if group_id not in person.groups:
                raise GalleryRefusal(Why.NOT_IN_GROUP)
            if len(person.groups) == 1:
                self.delete_person(person_id, why)
            else:
                self._register.take(self._person_number(person_id), group)

    def describe(self, person_id: str, group_id: str, descriptions: Descriptions) -> None:
        """Writes into a group's fields of a person."""
        with self.together():
            person, group = self.person(person_id), self.group(group_id)
            if group_id not in person.groups:
                raise GalleryRefusal(Why.NOT_IN_GROUP)
            self.check_descriptions(group, descriptions)
            self._register.describe(self._person_number(person_id), self._group_number(group_id), descriptions)

    def check_descriptions(self, group: Group, descriptions: Descriptions) -> None:
        if any(number >= len(group.fields) for number in descriptions):
            raise GalleryRefusal(Why.NO_SUCH_FIELD)

    def consent(self, person_id: str) -> Consent:
        """Whether this person's probe may leave the device: their own word; else no if one of their groups says no,
        yes if one says yes, and None if none says anything.
        """
        with self._reading():
            own = self.person(person_id).consent
            said = [own] if own is not None else self._register.consents(self._person_number(person_id))
            return False if False in said else True if True in said else None

    # Faces

    def new_face(self, seen: AnalysedFace, tag: str = "", photo: bytes | None = None) -> NewFace:
        """One with an id of its own, not yet anybody's; keeps `photo` only if photos are kept.

        Raises ContractViolation where it has no embedding.
        """
        return NewFace(
            face_id=str(10**18 + secrets.randbelow(8 * 10**18)),  # 19 digits, as the vendor's, within 63 bits
            box=seen.face.box,
            tag=tag,
            grade=seen.quality.grade,
            created=self._now(),
            embedding=_unit(seen.embedding),
            upper=None if seen.upper is None else _unit(seen.upper),
            photo=photo if self._keep_photos else None,
        )

    def add_face(self, person_id: str, face: NewFace, limits: Limits, *, allow_same: bool) -> None:
        with self.together():
            number = self._person_number(person_id)
            known = self._register.embeddings(person_id)
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
                self._ledger.record(self._now(), "faces", [(person_id, going)], why)
                self._register.drop_faces(going)
            return going

    def face(self, face_id: str) -> EnrolledFace:
        face = self._register.face(face_id)
        if face is None:
            raise GalleryRefusal(Why.FACE_UNKNOWN)
        return face

    def photo(self, face_id: str) -> bytes | None:
        """None where none was kept."""
        with self._reading():
            self.face(face_id)
            return self._register.photo(face_id)

    def _forget(self, numbers: Sequence[int], why: str) -> None:
        gone = [(person.person_id, [face.face_id for face in person.faces]) for person in self._register.persons(numbers)]
        if gone:
            self._ledger.record(self._now(), "person", gone, why)
            self._register.drop_persons(numbers)

    def _person_number(self, person_id: str) -> int:
        number = self._register.person_number(person_id)
        if number is None:
            raise GalleryRefusal(Why.PERSON_UNKNOWN)
        return number

    def _group_number(self, group_id: str) -> int:
        number = self._register.group_number(group_id)
        if number is None:
            raise GalleryRefusal(Why.GROUP_UNKNOWN)
        return number

    def _check_name(self, name: str) -> None:
        if self._register.has_group_named(name):
            raise GalleryRefusal(Why.GROUP_NAME_EXISTS)

    def _now(self) -> int:
        """Unix milliseconds."""
        return round(1000 * self._wall())


def _given(*, consent: Consent | Unchanged, **values: object) -> dict[str, Any]:
    given = {name: value for name, value in values.items() if value is not None}
    return given if consent is UNCHANGED else {**given, "consent": consent}


def _unit(embedding: bytes | None) -> bytes:
    return unit_vector(embedding).astype("<f4").tobytes()
