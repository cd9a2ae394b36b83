"""Copies of a gallery, and what comes back of them."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile, create_key
from kiosk.recognition.on_device.refusal import GalleryError
from tests.gallery_stage import KEY, PHOTO, add, best, bytes_of, embedding, enrol

RESTORER = """
import sys
from pathlib import Path
from tests.gallery_stage import KEY
from kiosk.recognition.on_device.gallery import Gallery

file, *backups = map(Path, sys.argv[1:])
print("ready", flush=True)
while True:
    for backup in backups:
        Gallery.restore(file, KEY, backup)
        print("restored", flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gallery.sqlite"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "away" / "monday.sqlite"


def fails(slug: str) -> pytest.RaisesExc[GalleryError]:
    return pytest.raises(GalleryError, check=lambda error: error.slug == slug)


def persons(gallery: Gallery) -> list[str]:
    return [person.person_id for person in gallery.everybody()]


def test_a_backup_is_one_file_whole_and_still_encrypted(file: Path, copy: Path) -> None:
    with Gallery.open(file, KEY, keep_photos=True) as gallery:
        for number in range(200):
            enrol(gallery, f"p{number}", number)
        gallery.backup(copy)
        enrol(gallery, "later", 500)
        gallery.backup(copy)
        enrol(gallery, "too late", 501)
    assert [part.name for part in copy.parent.iterdir()] == ["monday.sqlite"]
    assert copy.stat().st_mode & 0o777 == 0o600
    raw = copy.read_bytes()
    assert raw[18:20] == b"\1\1", "one that needs a log beside it cannot be read where nothing may be written"
    assert embedding(7) not in raw
    assert PHOTO not in raw
    with Gallery.open(copy, KEY) as gallery:
        gallery.check()
        assert persons(gallery) == [*(f"p{number}" for number in range(200)), "later"]


def test_a_backup_is_taken_while_others_enrol(file: Path, copy: Path) -> None:
    with Gallery.open(file, KEY) as gallery, Gallery.open(file, KEY) as other:
        enrol(gallery, "p0", 0)
        stop = threading.Event()

        def work() -> None:
            for number in range(1, 10_000):
                enrol(other, f"p{number}", number)
                if stop.is_set():
                    return

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for _ in range(5):
                gallery.backup(copy)
                with Gallery.open(copy, KEY) as taken:
                    taken.check()
                    assert persons(taken) == [f"p{number}" for number in range(taken.person_count)]
        finally:
            stop.set()
            worker.join()


def test_what_was_comes_back_and_who_has_it_open_follows(file: Path, copy: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1, upper=101)
        enrol(gallery, "ben", 2)
        gallery.backup(copy)
        enrol(gallery, "eve", 3)
        assert best(gallery, 3, "staff") == ("eve", 1.0)
        Gallery.restore(file, KEY, copy)
        assert best(gallery, 3, "staff") != ("eve", 1.0)
        assert persons(gallery) == ["ann", "ben"]
        enrol(gallery, "fay", 3)
        assert best(gallery, 3, "staff") == ("fay", 1.0)
        gallery.check()
    assert sorted(part.name for part in file.parent.iterdir()) == ["away", "gallery.sqlite"]


def test_who_follows_is_not_misled_by_another_past(file: Path, copy: Path) -> None:
    """The changes that it has not yet seen are not all that differs."""
    early = copy.with_name("early.sqlite")
    with Gallery.open(file, KEY) as gallery, Gallery.open(file, KEY) as other:
        enrol(gallery, "p0", 0)
        gallery.backup(early)
        for number in range(1, 5):
            enrol(gallery, f"p{number}", number)
        gallery.backup(copy)
        Gallery.restore(file, KEY, early)
        enrol(gallery, "q1", 11)
        assert best(other, 11, "staff") == ("q1", 1.0)
        Gallery.restore(file, KEY, copy)
        assert best(other, 1, "staff") == ("p1", 1.0)
        assert best(other, 11, "staff") != ("q1", 1.0)


def test_a_gallery_comes_back_where_none_is(file: Path, copy: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1)
        gallery.backup(copy)
    copy.chmod(0o400)
    copy.parent.chmod(0o500)
    other = file.with_name("other.sqlite")
    Gallery.restore(other, KEY, copy)
    copy.parent.chmod(0o700)
    with Gallery.open(other, KEY) as gallery:
        assert best(gallery, 1) == ("ann", 1.0)


def test_who_was_deleted_stays_deleted(file: Path, copy: Path) -> None:
    """Also faces, and also who would come back without any."""
    with Gallery.open(file, KEY, keep_photos=True) as gallery:
        for seed, person in enumerate(("ann", "ben", "eve", "fay")):
            enrol(gallery, person, seed)
        first = gallery.person("eve").faces[0].face_id
        second = add(gallery, "fay", 30).face_id
        gallery.delete_person("ann")
        gallery.backup(copy)
        gallery.delete_person("ben", "asked")
        add(gallery, "eve", 20)
        gallery.delete_faces("eve", [first])
        gallery.delete_faces("fay", [second])
        Gallery.restore(file, KEY, copy)
        assert persons(gallery) == ["fay"]
        assert [face.face_id for face in gallery.person("fay").faces] != [second]
        assert [(record.whose, record.what, record.why) for record in gallery.deletions()] == [
            ("ann", "person", ""),
            ("ben", "person", "asked"),
            ("eve", "faces", ""),
            ("fay", "faces", ""),
            ("eve", "person", "all faces deleted after the backup"),
        ]
        gallery.check()
        assert b"name of ben" not in bytes_of(file)
        gallery.delete_person("fay")
        Gallery.restore(file, KEY, copy)
        assert persons(gallery) == []
        gallery.check()


def test_a_backup_under_an_older_key_comes_back_under_the_present_one(file: Path, copy: Path) -> None:
    create_key(file.with_name("gallery-key"))
    place = KeyFile(Path("gallery-key"), file.parent)
    with Gallery.open(file, place) as gallery:
        enrol(gallery, "ann", 1)
        gallery.backup(copy)
        old = place.read()
        gallery.rotate_key()
        enrol(gallery, "ben", 2)
        with fails("gallery_key_wrong"):
            Gallery.restore(file, place, copy)
        assert persons(gallery) == ["ann", "ben"]
        Gallery.restore(file, place, copy, backup_key=old)
        assert persons(gallery) == ["ann"]
        assert best(gallery, 1) == ("ann", 1.0)
        gallery.check()
    Gallery.open(file, place).close()


def test_what_is_not_sound_is_not_restored(file: Path, copy: Path, tmp_path: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        for number in range(60):
            enrol(gallery, f"p{number}", number)
        gallery.delete_person("p59")
        gallery.backup(copy)
        before = persons(gallery)
        whole = copy.read_bytes()
        with fails("gallery_unreadable"):
            Gallery.restore(file, KEY, tmp_path / "nowhere")
        with fails("gallery_key_wrong"):
            Gallery.restore(file, bytes(32), copy)
        copy.write_bytes(whole[: len(whole) // 2])
        with fails("gallery_unreadable"):
            Gallery.restore(file, KEY, copy)
        for statement in (
            "UPDATE faces SET embedding = zeroblob(540) WHERE person = 30",
            "DELETE FROM deletions",
            "PRAGMA user_version = 7",
            "PRAGMA application_id = 7",
        ):
            copy.write_bytes(whole)
            with closing(sqlite3.connect(copy)) as database, database:
                database.execute(statement)
            with fails("gallery_unreadable"):
                Gallery.restore(file, KEY, copy)
        assert persons(gallery) == before
        gallery.check()
    assert sorted(part.name for part in file.parent.iterdir()) == ["away", "gallery.sqlite"]


def test_another_gallery_in_the_place_is_not_overwritten(file: Path, copy: Path) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1)
        gallery.backup(copy)
    other = file.with_name("other.sqlite")
    with Gallery.open(other, KEY) as gallery:
        enrol(gallery, "ben", 2)
        with fails("gallery_in_the_way"):
            Gallery.restore(other, KEY, copy)
        gallery.delete_person("ben")
        with fails("gallery_in_the_way"):
            Gallery.restore(other, KEY, copy)
        assert len(gallery.deletions()) == 1
    Gallery.open(file.with_name("empty.sqlite"), KEY).close()
    Gallery.restore(file.with_name("empty.sqlite"), KEY, copy)


@pytest.mark.slow
def test_kill_9_at_any_moment_of_a_restore_leaves_one_or_the_other(file: Path, copy: Path) -> None:
    other, chance = copy.with_name("tuesday.sqlite"), random.Random(time.time_ns())
    seen: set[int] = set()
    with Gallery.open(file, KEY) as gallery:
        with gallery.together():
            for number in range(200):
                enrol(gallery, f"p{number}", number)
        gallery.backup(copy)
        enrol(gallery, "eve", 900)
        gallery.backup(other)
    for count in itertools.count():
        if count > 5 and len(seen) == 2:
            break
        restorer = subprocess.Popen(
            [sys.executable, "-c", RESTORER, str(file), str(copy), str(other)], stdout=subprocess.PIPE, text=True
        )
        assert restorer.stdout is not None
        assert restorer.stdout.readline() == "ready\n"
        for _ in range(count % 3):
            restorer.stdout.readline()
        time.sleep(chance.random() / 10)
        os.kill(restorer.pid, signal.SIGKILL)
        restorer.communicate()
        with Gallery.open(file, KEY) as gallery:
            gallery.check()
            seen.add(gallery.person_count)
        assert seen <= {200, 201}
    Gallery.restore(file, KEY, copy)
    assert sorted(part.name for part in file.parent.iterdir()) == ["away", "gallery.sqlite"]
