"""The gallery's file: who may read it, what stands in it, what is left of the deleted, and what a crash leaves."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.recognition.on_device import store
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryError
from tests.gallery_stage import KEY, PHOTO, add, best, bytes_of, embedding, enrol, sealed

IMPORTER = """
import sys
from pathlib import Path
from tests.gallery_stage import KEY, enrol
from kiosk.recognition.on_device.gallery import Gallery

with Gallery.open(Path(sys.argv[1]), KEY, keep_photos=True) as gallery:
    for number in range(gallery.person_count, 300):
        enrol(gallery, f"p{number}", number, "staff", f"g{number}", upper=number + 5_000)
        print(number, flush=True)
"""
OF_ONE_PERSON = """
UPDATE faces SET embedding = (SELECT embedding FROM faces o WHERE o.person = 1 AND o.number <> faces.number) WHERE person = 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gallery.sqlite"


def fails(slug: str) -> pytest.RaisesExc[GalleryError]:
    return pytest.raises(GalleryError, check=lambda error: error.slug == slug)


def change(file: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute(statement, values).rowcount >= 1


# Who may read it


def test_only_its_owner_may_read_it(file: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1)
        modes = {part.name: part.stat().st_mode & 0o777 for part in file.parent.iterdir()}
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_faces_and_photos_are_nowhere_in_the_plain(file: Path) -> None:
    with Gallery.open(file, KEY, keep_photos=True) as gallery:
        enrol(gallery, "ann", 1, upper=2)
        raw = bytes_of(file)
    assert b"name of ann" in raw
    for secret in (embedding(1), embedding(2), embedding(1)[:16], embedding(1)[-16:], PHOTO, PHOTO[2:50], PHOTO[5_000:5_050]):
        assert secret not in raw


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE faces SET person = 3 - person",
        "UPDATE faces SET embedding = (SELECT embedding FROM faces o WHERE o.person <> faces.person)",
        OF_ONE_PERSON,
        "UPDATE faces SET embedding = upper",
        "UPDATE persons SET id = CASE id WHEN 'ann' THEN 'eve' ELSE id END",
        "UPDATE faces SET embedding = CAST(x'00' || substr(embedding, 2) AS BLOB)",
        "UPDATE faces SET embedding = substr(embedding, 1, 539)",
        "UPDATE faces SET embedding = x'00'",
    ],
)
def test_a_face_that_was_moved_or_changed_is_nobodys(file: Path, statement: str) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1, upper=3)
        add(gallery, "ann", 5, upper=6)
        enrol(gallery, "ben", 2, upper=4)
        gallery.follow()
        change(file, statement)
        with fails("gallery_unreadable"):
            gallery.check()
    with fails("gallery_unreadable"), Gallery.open(file, KEY) as gallery:
        gallery.search_all(embedding(1), 1)


def test_faces_of_another_gallery_under_the_same_key_are_nobodys(file: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1)
    change(file, "UPDATE meta SET value = ? WHERE name = 'gallery'", "0" * 32)
    with fails("gallery_unreadable"), Gallery.open(file, KEY) as gallery:
        gallery.search_all(embedding(1), 1)


# Strangers and faults


def test_what_is_no_gallery_is_left_as_it_is(file: Path) -> None:
    file.write_text("not a database, but long enough to be taken for one" * 20)
    with fails("gallery_unreadable"):
        Gallery.open(file, KEY)
    other = file.with_name("other.sqlite")
    with closing(sqlite3.connect(other)) as database, database:
        database.execute("CREATE TABLE journal (seq INTEGER)")
    before = other.read_bytes()
    with fails("gallery_unreadable"):
        Gallery.open(other, KEY)
    assert other.read_bytes() == before


def test_a_later_schema_is_not_guessed_at(file: Path) -> None:
    Gallery.open(file, KEY).close()
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 2")
    with fails("gallery_unreadable"):
        Gallery.open(file, KEY)


def test_a_damaged_page_is_found(file: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        for number in range(50):
            enrol(gallery, f"p{number}", number)
    raw = bytearray(file.read_bytes())
    raw[-4096:] = bytes(4096)
    file.write_bytes(raw)
    with fails("gallery_unreadable"), Gallery.open(file, KEY) as gallery:
        gallery.check()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with fails("gallery_unwritable"):
        Gallery.open(tmp_path / "file" / "gallery.sqlite", KEY)
    with fails("gallery_unwritable"):
        Gallery.open(tmp_path, KEY)


def test_a_file_taken_away_is_missed(file: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1)
        file.rename(file.with_name("elsewhere"))
        with fails("gallery_unreadable"):
            gallery.search_all(embedding(1), 1)
        file.touch()
        with fails("gallery_unreadable"):
            gallery.search_all(embedding(1), 1)


def test_a_file_is_the_same_from_another_directory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    with Gallery.open(Path(file.name), KEY) as gallery:
        enrol(gallery, "ann", 1)
        monkeypatch.chdir("/")
        assert best(gallery, 1) == ("ann", 1.0)


def test_a_second_writer_waits_and_then_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WAIT", 0.1)
    with Gallery.open(file, KEY) as here, Gallery.open(file, KEY) as there:
        enrol(here, "ann", 1)
        with here.together():
            enrol(here, "ben", 2)
            assert best(there, 2) != ("ben", 1.0)
            with fails("gallery_locked"):
                enrol(there, "eve", 3)
            with Gallery.open(file, KEY) as third:  # to read needs no waiting
                assert best(third, 1) == ("ann", 1.0)
        enrol(there, "eve", 3)
        assert best(here, 3) == ("eve", 1.0)


def test_many_processes_make_the_same_file_at_once(file: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.gallery_stage import KEY, enrol; "
        "from kiosk.recognition.on_device.gallery import Gallery; sys.stdin.read(1); "
        "enrol(Gallery.open(Path(sys.argv[1]), KEY), 'p' + sys.argv[2], int(sys.argv[2]))"
    )
    makers = [
        subprocess.Popen([sys.executable, "-c", script, str(file), str(number)], stdin=subprocess.PIPE) for number in range(4)
    ]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write(b"x")
        maker.stdin.close()
    assert [maker.wait(60) for maker in makers] == [0, 0, 0, 0]
    with Gallery.open(file, KEY) as gallery:
        gallery.check()
        assert {person.person_id for person in gallery.everybody()} == {"p0", "p1", "p2", "p3"}


# What is left of the deleted


def test_nothing_is_left_of_who_is_deleted(file: Path) -> None:
    with Gallery.open(file, KEY, keep_photos=True) as gallery:
        with gallery.together():
            for number in range(300):
                enrol(gallery, f"p{number}", number, name=f"unmistakable {number:04}" + "x" * (number % 90), upper=number + 1_000)
        chosen = random.Random(0).sample(range(300), 60)
        face = add(gallery, "p299", 999)
        ciphers = {number: sealed(gallery, f"p{number}") for number in chosen}
        before = bytes_of(file)
        for number in chosen:
            assert all(any(part in before for part in parts(cipher)) for cipher in ciphers[number])
            assert f"unmistakable {number:04}".encode() in before
            gallery.delete_person(f"p{number}")
        of_one = sealed(gallery, "p299")
        gallery.delete_faces("p299", [face.face_id])
        of_one = [cipher for cipher in of_one if cipher not in sealed(gallery, "p299")]
        assert len(of_one) == 2
        gallery.delete_group("staff")
        enrol(gallery, "new", 5)
        raw = bytes_of(file)
        assert not gallery.has_traces
    assert b"name of new" in raw
    assert b"unmistakable" not in raw
    for cipher in [*of_one, *(cipher for number in chosen for cipher in ciphers[number])]:
        assert not any(part in raw for part in parts(cipher))
    assert len(raw) < len(before) / 2


def parts(cipher: bytes) -> tuple[bytes, bytes, bytes]:
    """Long ones lie on several pages."""
    return cipher[:16], cipher[len(cipher) // 2 :][:16], cipher[-16:]


def test_while_another_reads_the_deleted_are_swept_later(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WAIT", 0.1)
    with Gallery.open(file, KEY) as gallery, closing(sqlite3.connect(file, isolation_level=None)) as reader:
        enrol(gallery, "ann", 1)
        enrol(gallery, "ben", 2)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM persons").fetchall()
        gallery.delete_person("ann")
        before = gallery.has_traces
        assert b"name of ann" in bytes_of(file)
        reader.execute("COMMIT")
        gallery.vacuum()
        assert (before, gallery.has_traces) == (True, False)
        assert b"name of ann" not in bytes_of(file)
        assert best(gallery, 2) == ("ben", 1.0)


# Crashes


@pytest.mark.slow
def test_nobody_is_half_enrolled_by_kill_9(file: Path) -> None:
    """An import of 300 persons is killed at random moments, again and again, until it is through."""
    chance, acknowledged, kills = random.Random(time.time_ns()), -1, 0
    while acknowledged < 299:
        importer = subprocess.Popen([sys.executable, "-c", IMPORTER, str(file)], stdout=subprocess.PIPE, text=True)
        assert importer.stdout is not None
        lines = [importer.stdout.readline() for _ in range(chance.randrange(1, 60))]
        time.sleep(chance.random() / 100)
        os.kill(importer.pid, signal.SIGKILL)
        lines += importer.communicate()[0].splitlines()
        acknowledged = max([acknowledged, *(int(line) for line in lines if line.strip())])
        kills += 1
        with Gallery.open(file, KEY) as gallery:
            persons = list(gallery.everybody())
            assert acknowledged < len(persons) <= acknowledged + 2
            for number, person in enumerate(persons):
                assert person.person_id == f"p{number}"
                assert list(person.groups) == ["staff", f"g{number}"]
                (face,) = person.faces
                assert number < acknowledged - 3 or gallery.photo(face.face_id) == PHOTO
            assert gallery.group("staff").persons == len(gallery) == len(persons)
            assert gallery._store.value("SELECT count(*) FROM photos") == len(persons)
            assert gallery.search_all(embedding(acknowledged), 1)[0].person == f"p{acknowledged}"
    assert kills > 3
    with Gallery.open(file, KEY) as gallery:
        gallery.check()
        assert gallery.search_all(embedding(5_070), 1, upper=True)[0].person == "p70"


def test_where_the_disk_is_full_nothing_is_half_done(file: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1)
        gallery._store.write(f"PRAGMA max_page_count = {gallery._store.value('PRAGMA page_count') + 3}")
        with fails("gallery_unwritable"), gallery.together():
            enrol_many(gallery)
        assert best(gallery, 1) == ("ann", 1.0)
        assert gallery.person_count == 1
        gallery.delete_person("ann")
        gallery.check()
        assert len(gallery) == 0


def enrol_many(gallery: Gallery) -> None:
    for number in range(100):
        enrol(gallery, f"p{number}", number)
