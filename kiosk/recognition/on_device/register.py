"""Groups, persons and faces as the store has them. The rules are in `enrolment`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from kiosk.domain import Box
from kiosk.recognition.on_device.enrolled import Consent, Descriptions, EnrolledFace, Group, NewFace, Person
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Row, Store

_GROUP = "SELECT id, name, created, tag, fields, consent, persons FROM groups"
_FACE = "SELECT person, number, x, y, width, height, tag, grade, created FROM faces"
_AT_ONCE = 500


class Register:
    """Numbers are the store's own; ids are the world's. One thread at a time. Raises GalleryError."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    # Groups

    def groups(self) -> list[Group]:
        return [_group(row) for row in self._store.rows(f"{_GROUP} ORDER BY number")]

    def group(self, group_id: str) -> Group | None:
        row = self._store.row(f"{_GROUP} WHERE id = ?", group_id)
        return _group(row) if row else None

    def group_number(self, group_id: str) -> int | None:
        return _number(self._store.value("SELECT number FROM groups WHERE id = ?", group_id))

    def has_group_named(self, name: str) -> bool:
        return self._store.row("SELECT 1 FROM groups WHERE name = ?", name) is not None

    def count_groups(self) -> int:
        return int(self._store.value("SELECT count(*) FROM groups"))

    def add_group(self, group: Group) -> int:
        return self._store.write(
            "INSERT INTO groups (id, name, tag, fields, consent, created) VALUES (?, ?, ?, ?, ?, ?)",
            *(group.group_id, group.name, group.tag, json.dumps(group.fields), group.consent, group.created),
        )

    def change_group(self, group: Group) -> None:
        self._store.write(
            "UPDATE groups SET name = ?, tag = ?, consent = ? WHERE id = ?", group.name, group.tag, group.consent, group.group_id
        )

    def drop_group(self, group: int) -> None:
        self._store.drop("DELETE FROM groups WHERE number = ?", group)

    # Persons

    def person_number(self, person_id: str) -> int | None:
        return _number(self._store.value("SELECT number FROM persons WHERE id = ?", person_id))

    def person_id(self, number: int) -> str | None:
        found = self._store.value("SELECT id FROM persons WHERE number = ?", number)
        return None if found is None else str(found)

    def count_persons(self) -> int:
        return int(self._store.value("SELECT count(*) FROM persons"))

    def everybody(self) -> list[int]:
        return _numbers(self._store.rows("SELECT number FROM persons ORDER BY number"))

    def persons(self, numbers: Sequence[int]) -> Iterator[Person]:
        """In the order of `numbers`; who is not there is passed over."""
        for low in range(0, len(numbers), _AT_ONCE):
            with self._store.snapshot():
                some = self._some(numbers[low : low + _AT_ONCE])
            yield from some

    def _some(self, numbers: Sequence[int]) -> list[Person]:
        among = json.dumps(numbers)
        groups: dict[int, dict[str, Descriptions]] = {}
        for person, group_id, written in self._store.rows(
            "SELECT m.person, g.id, m.descriptions FROM memberships m JOIN groups g ON g.number = m.grp "
            "WHERE m.person IN (SELECT value FROM json_each(?)) ORDER BY m.number",
            among,
        ):
            groups.setdefault(person, {})[group_id] = _descriptions(written)
        faces: dict[int, list[EnrolledFace]] = {}
        for person, *face in self._store.rows(
            f"{_FACE} WHERE person IN (SELECT value FROM json_each(?)) ORDER BY person, place",  # noqa: S608 (constants)
            among,
        ):
            faces.setdefault(person, []).append(_face(face))
        persons = {
            number: Person(
                person_id, name, created, tag, gender, _consent(consent), groups.get(number, {}), tuple(faces.get(number, ()))
            )
            for number, person_id, name, created, tag, gender, consent in self._store.rows(
                "SELECT number, id, name, created, tag, gender, consent FROM persons "
                "WHERE number IN (SELECT value FROM json_each(?))",
                among,
            )
        }
        return [persons[number] for number in numbers if number in persons]

    def add_person(self, person: Person) -> int:
        return self._store.write(
            "INSERT INTO persons (id, name, tag, gender, consent, created) VALUES (?, ?, ?, ?, ?, ?)",
            *(person.person_id, person.name, person.tag, person.gender, person.consent, person.created),
        )

    def change_person(self, person: Person) -> None:
        self._store.write(
            "UPDATE persons SET name = ?, tag = ?, gender = ?, consent = ? WHERE id = ?",
            *(person.name, person.tag, person.gender, person.consent, person.person_id),
        )

    def faceless(self) -> list[int]:
        return _numbers(
            self._store.rows("SELECT number FROM persons p WHERE NOT EXISTS (SELECT 1 FROM faces f WHERE f.person = p.number)")
        )

    def drop_persons(self, numbers: Iterable[int]) -> None:
        self._store.drop("DELETE FROM persons WHERE number IN (SELECT value FROM json_each(?))", json.dumps(list(numbers)))

    # Memberships

    def members(self, group: int) -> list[int]:
        """In the order in which they joined."""
        return _numbers(self._store.rows("SELECT person FROM memberships WHERE grp = ? ORDER BY number", group))

    def only_members(self, group: int) -> list[int]:
        """Those who are in no other group."""
        return _numbers(
            self._store.rows(
                "SELECT person FROM memberships m WHERE grp = ? "
                "AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.person = m.person AND o.grp <> m.grp) ORDER BY number",
                group,
            )
        )

    def put(self, person: int, group: int) -> None:
        self._store.write("INSERT INTO memberships (grp, person) VALUES (?, ?)", group, person)

    def take(self, person: int, group: int) -> None:
        self._store.write("DELETE FROM memberships WHERE grp = ? AND person = ?", group, person)

    def describe(self, person: int, group: int, descriptions: Descriptions) -> None:
        known = self._store.value("SELECT descriptions FROM memberships WHERE grp = ? AND person = ?", group, person)
        written = msgspec.json.encode({**_descriptions(known), **descriptions}).decode()
        self._store.write("UPDATE memberships SET descriptions = ? WHERE grp = ? AND person = ?", written, group, person)

    def consents(self, person: int) -> list[Consent]:
        """What the person's groups say."""
        rows = self._store.rows(
            "SELECT g.consent FROM memberships m JOIN groups g ON g.number = m.grp WHERE m.person = ?", person
        )
        return [_consent(value) for (value,) in rows]

    # Faces

    def count_faces(self) -> int:
        return int(self._store.value("SELECT count(*) FROM faces"))

    def face(self, face_id: str) -> EnrolledFace | None:
        row = self._store.row(f"{_FACE} WHERE number = ?", _face_number(face_id))
        return _face(row[1:]) if row else None

    def embeddings(self, person_id: str, part: Literal["embedding", "upper"] = "embedding") -> list[bytes]:
        """Of all the person's faces that have one."""
        rows = self._store.rows(
            f"SELECT f.number, f.{part} FROM faces f JOIN persons p ON p.number = f.person WHERE p.id = ? ORDER BY f.place",  # noqa: S608 (constants)
            person_id,
        )
        return [self._seal.open(sealed, part, number, person_id) for number, sealed in rows if sealed is not None]

    def photo(self, face_id: str) -> bytes | None:
        row = self._store.row(
            "SELECT o.photo, o.face, p.id FROM photos o JOIN faces f ON f.number = o.face JOIN persons p ON p.number = f.person "
            "WHERE o.face = ?",
            _face_number(face_id),
        )
        return self._seal.open(row[0], "photo", row[1], row[2]) if row else None

    def add_face(self, person: int, person_id: str, face: NewFace) -> None:
        number, box = int(face.face_id), face.box
        self._store.write(
            "INSERT INTO faces (number, person, place, x, y, width, height, grade, tag, created, embedding, upper) "
            "VALUES (?, ?, (SELECT coalesce(max(place), 0) + 1 FROM faces WHERE person = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(number, person, person, box.x, box.y, box.width, box.height, face.grade, face.tag, face.created),
            self._seal.close(face.embedding, "embedding", number, person_id),
            None if face.upper is None else self._seal.close(face.upper, "upper", number, person_id),
        )
        if face.photo is not None:
            sealed = self._seal.close(face.photo, "photo", number, person_id)
            self._store.write("INSERT INTO photos VALUES (?, ?)", number, sealed)

    def drop_faces(self, face_ids: Iterable[str]) -> None:
        numbers = json.dumps([_face_number(face_id) for face_id in face_ids])
        self._store.drop("DELETE FROM faces WHERE number IN (SELECT value FROM json_each(?))", numbers)


def _group(row: Row) -> Group:
    group_id, name, created, tag, fields, consent, persons = row
    return Group(group_id, name, created, tag, tuple(json.loads(fields)), _consent(consent), persons)


def _face(row: Sequence[Any]) -> EnrolledFace:
    number, x, y, width, height, tag, grade, created = row
    return EnrolledFace(face_id=str(number), box=Box(x, y, width, height), tag=tag, grade=grade, created=created)


def _face_number(face_id: str) -> int:
    """−1, which is no face's, for what cannot be one's id."""
    return int(face_id) if face_id.isascii() and face_id.isdecimal() and len(face_id) < 20 and int(face_id) < 2**63 else -1


def _descriptions(written: str) -> dict[int, str]:
    return msgspec.json.decode(written, type=dict[int, str])


def _consent(value: int | None) -> Consent:
    return None if value is None else bool(value)


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _numbers(rows: Iterable[Row]) -> list[int]:
    return [int(number) for (number,) in rows]
