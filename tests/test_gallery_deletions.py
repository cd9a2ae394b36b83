"""What a gallery leaves on record of whom it deletes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from kiosk.recognition.on_device import deletions
from kiosk.recognition.on_device.deletions import Deletion
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryError
from tests.gallery_stage import KEY, add, best, enrol


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gallery.sqlite"


def change(file: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute(statement, values).rowcount >= 1


def test_each_deletion_leaves_a_signed_record(file: Path) -> None:
    with Gallery.open(file, KEY, lambda: 1_700_000_000.5) as gallery:
        ann, ben = enrol(gallery, "ann", 1, "staff", "night"), enrol(gallery, "ben", 2, "night")
        face = add(gallery, "ann", 3)
        gallery.delete_faces("ann", [face.face_id], "blurred")
        gallery.leave("ann", "staff")
        gallery.delete_group("night", "closed")
    with Gallery.open(file, KEY) as gallery:
        gallery.check()
        records, key = gallery.deletions(), gallery.public_key
    told = [(record.number, record.what, record.whose, record.faces, record.face_ids, record.why) for record in records]
    assert told == [
        (1, "faces", "ann", 1, (face.face_id,), "blurred"),
        (2, "person", "ann", 1, (ann.faces[0].face_id,), "closed"),
        (3, "person", "ben", 1, (ben.faces[0].face_id,), "closed"),
    ]
    assert all(record.at == 1_700_000_000_500 and record.verify() and record.verify(key) for record in records)
    assert not records[0].verify("00" * 32)
    assert not records[0].verify("no key")


def test_what_fails_leaves_no_record() -> None:
    gallery = Gallery()
    enrol(gallery, "ann", 1)
    with suppress(ZeroDivisionError), gallery.together():
        gallery.delete_person("ann")
        assert len(gallery.deletions()) == 1
        raise ZeroDivisionError
    assert gallery.deletions() == []
    assert best(gallery, 1) == ("ann", 1.0)


def forged(record: str, field: str, value: object) -> str:
    return json.dumps(json.loads(record) | {field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("at", 0), ("what", "faces"), ("whose", "ben"), ("face_ids", []), ("why", "asked"), ("number", 3), ("previous", "0" * 64)],
)
def test_a_record_cannot_be_changed(file: Path, field: str, value: object) -> None:
    with deleted_three(file) as gallery:
        record = gallery.deletions()[1]
        fake = forged(gallery._store.value("SELECT record FROM deletions WHERE number = 2"), field, value)
        change(file, "UPDATE deletions SET record = ? WHERE number = 2", fake)
        assert gallery.deletions()[1] != record
        with pytest.raises(GalleryError, match=r"deletions: record [23]"):
            gallery.check()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_record_cannot_be_taken_away(file: Path, number: int) -> None:
    with deleted_three(file) as gallery:
        change(file, "DELETE FROM deletions WHERE number = ?", number)
        with pytest.raises(GalleryError, match=r"deletions: (record \d is missing|3 records were made)"):
            gallery.check()


def test_a_record_cannot_be_made_up(file: Path) -> None:
    with deleted_three(file) as gallery, deleted_three(file.with_name("other.sqlite"), people="defg") as other:
        assert deletions.fault(other.deletions(), other.public_key, deletions.Head(4, other.deletions()[-1].hash)) == ""
        for record in other.deletions()[3:]:
            change(file, "INSERT INTO deletions SELECT 4, ?", json.dumps(as_plain(record)))
        with pytest.raises(GalleryError, match="deletions: record 4"):
            gallery.check()


def test_another_gallerys_records_are_not_this_ones(file: Path) -> None:
    with deleted_three(file) as gallery, deleted_three(file.with_name("other.sqlite")) as other:
        theirs = other.deletions()
        head = deletions.Head(3, theirs[-1].hash)
        assert deletions.fault(theirs, other.public_key, head) == ""
        assert "record 1 was changed, or is not this gallery's" in deletions.fault(theirs, gallery.public_key, head)


def test_two_pasts_of_one_gallery_are_not_mixed(file: Path) -> None:
    fork = file.with_name("fork.sqlite")
    with deleted_three(file) as gallery:
        gallery.backup(fork)
        with Gallery.open(fork, KEY) as other:
            for hand, people in ((gallery, "de"), (other, "fg")):
                for person in people:
                    enrol(hand, person, 9)
                    hand.delete_person(person)
            ours, theirs = gallery.deletions(), other.deletions()
            assert ours[:3] == theirs[:3]
            head = deletions.Head(5, theirs[-1].hash)
            assert deletions.fault(theirs, gallery.public_key, head) == ""
            assert (
                deletions.fault([*ours[:4], theirs[4]], gallery.public_key, head) == "record 5 does not follow the one before it"
            )


def as_plain(record: Deletion) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def deleted_three(file: Path, people: str = "abc") -> Gallery:
    gallery = Gallery.open(file, KEY)
    for seed, person in enumerate(people):
        enrol(gallery, person, seed)
        gallery.delete_person(person)
    return gallery
