"""Groups, persons and faces as the store has them. The rules are the gallery's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from kiosk.domain import Box
from kiosk.recognition.on_device.enrolled import Consent, Descriptions, EnrolledFace, Group, NewFace, Person
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Row, Store

_GROUP = "SELECT id, name, created, tag, fields, consent, persons FROM groups"
_FACE = "SELECT person, number, x, y, width, height, tag, grade, created FROM faces"


class Register:
    """`number`s are the store's own; ids are the world's."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self.seal = seal

    # Groups

    def groups(self) -> list[Group]:
        return [_group(row) for row in self._store.rows(f"{_GROUP} ORDER BY number")]

    def group(self, group_id: str) -> Group | None:
        row = self._store.row(f"{_GROUP} WHERE id = ?", group_id)
        return _group(row) if row else None

    def group_number(self, group_id: str) -> int | None:
        return self._number("SELECT number FROM groups WHERE id = ?", group_id)

    def has_group_named(self, name: str) -> bool:
        return self._store.row("SELECT 1 FROM groups WHERE name = ?", name) is not None

    def count_groups(self) -> int:
        return int(self._store.value("SELECT count(*) FROM groups"))

    def add_group(self, group: Group) -> int:
        values = group.group_id, group.name, group.tag, json.dumps(group.fields), group.consent, group.created
        return self._store.write(
            "INSERT INTO groups (id, name, tag, fields, consent, created) VALUES (?, ?, ?, ?, ?, ?)", *values
        )

    def set_group(self, group_id: str, **values: Any) -> None:
        self._set("groups", group_id, values)

    def drop_group(self, group_id: str) -> None:
        self._store.write("DELETE FROM groups WHERE id = ?", group_id)

    # Persons

    def person_number(self, person_id: str) -> int | None:
        return self._number("SELECT number FROM persons WHERE id = ?", person_id)

    def person_id(self, number: int) -> str | None:
        found = self._store.value("SELECT id FROM persons WHERE number = ?", number)
        return None if found is None else str(found)

    def count_persons(self) -> int:
        return int(self._store.value("SELECT count(*) FROM persons"))

    def members(self, group_number: int, *, only_here: bool = False) -> list[int]:
        """The numbers of a group's persons in the order in which they joined; `only_here`: those who are in no other."""
        alone = " AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.person = m.person AND o.grp <> m.grp)" if only_here else ""
        rows = self._store.rows(f"SELECT person FROM memberships m WHERE grp = ?{alone} ORDER BY number", group_number)
        return [int(number) for (number,) in rows]

    def everybody(self) -> list[int]:
        return [int(number) for (number,) in self._store.rows("SELECT number FROM persons ORDER BY number")]

    def persons(self, numbers: Sequence[int]) -> list[Person]:
        """In the order of `numbers`; those who are not there are passed over."""
        wanted = json.dumps(list(numbers))
        among = "IN (SELECT value FROM json_each(?))"
        groups: dict[int, dict[str, Descriptions]] = {}
        for person, group_id, written in self._store.rows(
            "SELECT m.person, g.id, m.descriptions FROM memberships m JOIN groups g ON g.number = m.grp "
            f"WHERE m.person {among} ORDER BY m.number",
            wanted,
        ):
            groups.setdefault(person, {})[group_id] = _descriptions(written)
        faces: dict[int, list[EnrolledFace]] = {}
        for person, *face in self._store.rows(f"{_FACE} WHERE person {among} ORDER BY person, place", wanted):
            faces.setdefault(person, []).append(_face(face))
        persons = {
            number: Person(*plain, _consent(consent), groups.get(number, {}), tuple(faces.get(number, ())))
            for number, *plain, consent in self._store.rows(
                f"SELECT number, id, name, created, tag, gender, consent FROM persons WHERE number {among}", wanted
            )
        }
        return [persons[number] for number in numbers if number in persons]

    def add_person(self, person: Person) -> int:
        return self._store.write(
            "INSERT INTO persons (id, name, tag, gender, consent, created) VALUES (?, ?, ?, ?, ?, ?)",
            *(person.person_id, person.name, person.tag, person.gender, person.consent, person.created),
        )

    def set_person(self, person_id: str, **values: Any) -> None:
        self._set("persons", person_id, values)

    def drop_person(self, number: int) -> None:
        self._store.write("DELETE FROM persons WHERE number = ?", number)

    # Memberships

    def put(self, person: int, group: int) -> None:
        self._store.write("INSERT OR IGNORE INTO memberships (grp, person) VALUES (?, ?)", group, person)

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

    def face(self, face_id: str) -> EnrolledFace | None:
        row = self._store.row(f"{_FACE} WHERE number = ?", _face_number(face_id))
        return _face(row[1:]) if row else None

    def embeddings(self, person: int, person_id: str, column: str = "embedding") -> list[bytes]:
        rows = self._store.rows(f"SELECT number, {column} FROM faces WHERE person = ? ORDER BY place", person)
        return [self.seal.open(sealed, column, number, person_id) for number, sealed in rows if sealed is not None]

    def add_face(self, person: int, person_id: str, face: NewFace) -> None:
        number = int(face.face_id)
        upper = None if face.upper is None else self.seal.close(face.upper, "upper", number, person_id)
        box = face.box
        self._store.write(
            "INSERT INTO faces VALUES (?, ?, (SELECT coalesce(max(place), 0) + 1 FROM faces WHERE person = ?), "
            "?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(number, person, person, box.x, box.y, box.width, box.height, face.grade, face.tag, face.created),
            *(self.seal.close(face.embedding, "embedding", number, person_id), upper),
        )
        if face.photo is not None:
            sealed = self.seal.close(face.photo, "photo", number, person_id)
            self._store.write("INSERT INTO photos VALUES (?, ?)", number, sealed)

    def drop_faces(self, face_ids: Iterable[str]) -> None:
        wanted = json.dumps([int(face_id) for face_id in face_ids])
        self._store.write("DELETE FROM faces WHERE number IN (SELECT value FROM json_each(?))", wanted)

    def photo(self, face_id: str) -> bytes | None:
        row = self._store.row(
            "SELECT o.face, o.sealed, p.id FROM photos o JOIN faces f ON f.number = o.face JOIN persons p ON p.number = f.person "
            "WHERE o.face = ?",
            _face_number(face_id),
        )
        return self.seal.open(row[1], "photo", row[0], row[2]) if row else None

    def _number(self, statement: str, value: str) -> int | None:
        found = self._store.value(statement, value)
        return None if found is None else int(found)

    def _set(self, table: str, key: str, values: dict[str, Any]) -> None:
        for column, value in values.items():
            self._store.write(f"UPDATE {table} SET {column} = ? WHERE id = ?", value, key)


def _group(row: Row) -> Group:
    group_id, name, created, tag, fields, consent, persons = row
    return Group(group_id, name, created, tag, tuple(json.loads(fields)), _consent(consent), persons)


def _face(row: Sequence[Any]) -> EnrolledFace:
    number, x, y, width, height, tag, grade, created = row
    return EnrolledFace(face_id=str(number), box=Box(x, y, width, height), tag=tag, grade=grade, created=created)


def _face_number(face_id: str) -> int:
    """−1, which is nobody's, for what is no face's id."""
    return int(face_id) if face_id.isascii() and face_id.isdecimal() and len(face_id) < 20 else -1


def _descriptions(written: str) -> dict[int, str]:
    return msgspec.json.decode(written, type=dict[int, str])


def _consent(value: int | None) -> Consent:
    return None if value is None else bool(value)
