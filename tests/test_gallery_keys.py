"""The gallery's key: where it is looked for, and its change, whatever happens meanwhile."""

from __future__ import annotations

import base64
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile, create_key, key_id, read_key
from kiosk.recognition.on_device.refusal import GalleryError
from tests.gallery_stage import KEY, PHOTO, add, best, bytes_of, embedding, enrol, sealed

ROTATOR = """
import sys
from pathlib import Path
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile

with Gallery.open(Path(sys.argv[1]), KeyFile(Path("gallery-key"), Path(sys.argv[2]))) as gallery:
    print("open", flush=True)
    while True:
        gallery.rotate_key()
        print("rotated", flush=True)
"""


@pytest.fixture
def place(tmp_path: Path) -> KeyFile:
    """A key in the state directory."""
    create_key(tmp_path / "gallery-key")
    return KeyFile(Path("gallery-key"), tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gallery.sqlite"


def fails(slug: str, told: str = ".") -> pytest.RaisesExc[GalleryError]:
    return pytest.raises(GalleryError, match=told, check=lambda error: error.slug == slug)


def test_a_new_key_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "gallery-key"
    key = create_key(file)
    assert (len(key), file.stat().st_mode & 0o777) == (32, 0o600)
    assert (
        base64.b64decode(file.read_bytes()) == key == read_key(Path("gallery-key"), tmp_path / "deep") == read_key(file, tmp_path)
    )
    with fails("gallery_unwritable"):
        create_key(file)
    assert create_key(tmp_path / "other") != key


def test_a_bare_name_is_a_credential_first(place: KeyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = create_key(tmp_path / "credentials" / "gallery-key")
    assert place.read() != other
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert place.read() == other
    assert KeyFile(tmp_path / "gallery-key", tmp_path).read() != other
    (tmp_path / "credentials" / "gallery-key").unlink()
    assert place.read() != other


def test_keys_that_are_none(place: KeyFile, file: Path) -> None:
    for content in (b"", b"short", b"no base64 at all: ###", base64.b64encode(bytes(31))):
        place.path.write_bytes(content)
        with fails("gallery_key_wrong"):
            place.read()
    place.path.unlink()
    with fails("gallery_key_missing", "gallery-key"):
        place.read()
    with fails("gallery_key_missing"):
        Gallery.open(file, place)
    with fails("gallery_key_missing"):
        Gallery.open(file)
    assert not file.exists()


def test_a_key_is_made_only_where_there_is_no_gallery(place: KeyFile, file: Path) -> None:
    key = place.read()
    assert place.read_or_create(file) == key
    place.path.unlink()
    made = place.read_or_create(file)
    assert place.read() == made != key
    Gallery.open(file, place).close()
    place.path.unlink()
    with fails("gallery_key_missing"):
        place.read_or_create(file)
    assert not place.path.exists()


def test_the_wrong_key_opens_nothing(file: Path, place: KeyFile) -> None:
    with Gallery.open(file, KEY) as gallery:
        enrol(gallery, "ann", 1)
    before = bytes_of(file)
    for wrong in (bytes(32), place):
        with fails("gallery_key_wrong", key_id(KEY)):
            Gallery.open(file, wrong)
    assert bytes_of(file) == before


def test_everything_is_under_the_new_key_and_nothing_under_the_old(file: Path, place: KeyFile) -> None:
    with Gallery.open(file, place, keep_photos=True) as gallery:
        face = enrol(gallery, "ann", 1, upper=2).faces[0]
        enrol(gallery, "ben", 3)
        gallery.delete_person("ben")
        old, ciphers, public_key = place.read(), sealed(gallery, "ann"), gallery.public_key
        assert gallery.rotate_key() == place.path
        new, raw = place.read(), bytes_of(file)
        assert new != old
        assert len(ciphers) == 3
        assert not any(cipher[:16] in raw or cipher[-16:] in raw for cipher in ciphers)
        enrol(gallery, "eve", 4)
    with fails("gallery_key_wrong"):
        Gallery.open(file, old)
    with Gallery.open(file, new) as gallery:
        gallery.check()
        assert gallery.photo(face.face_id) == PHOTO
        assert best(gallery, 1) == ("ann", 1.0)
        assert gallery.likeness("ann", embedding(2), upper=True) == pytest.approx(1, abs=1e-5)
        assert gallery.deletions()[0].verify(public_key)
        assert gallery.public_key == public_key
    assert sorted(part.name for part in file.parent.iterdir()) == ["gallery-key", "gallery.sqlite"]
    assert place.path.stat().st_mode & 0o777 == 0o600


def test_who_has_it_open_goes_over_too(file: Path, place: KeyFile) -> None:
    with Gallery.open(file, place) as here, Gallery.open(file, place) as there, Gallery.open(file, place.read()) as poor:
        enrol(here, "ann", 1)
        assert best(there, 1) == best(poor, 1) == ("ann", 1.0)
        here.rotate_key()
        add(there, "ann", 2)
        enrol(there, "ben", 3)
        assert best(here, 2) == ("ann", 1.0)
        there.rotate_key()
        assert best(here, 3) == ("ben", 1.0)
        here.check()
        with fails("gallery_key_wrong"):
            enrol(poor, "eve", 4)
        with fails("gallery_key_wrong"):
            best(poor, 1)
        assert here.person_count == 2


def test_a_read_only_credential_is_changed_by_the_operator(
    file: Path, place: KeyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    create_key(credentials / "gallery-key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    with Gallery.open(file, place) as gallery:
        enrol(gallery, "ann", 1)
        old = place.read()
        with fails("gallery_unwritable", "name a file"):
            gallery.rotate_key()
        with fails("gallery_unwritable", "is there already"):
            gallery.rotate_key(place.state_dir / "gallery-key")
        assert best(gallery, 1) == ("ann", 1.0)
        assert gallery.rotate_key(tmp_path / "new-key") == tmp_path / "new-key"
        enrol(gallery, "ben", 2)
    assert place.read() == old
    with fails("gallery_key_wrong"):
        Gallery.open(file, place)
    with Gallery.open(file, read_key(tmp_path / "new-key", tmp_path)) as gallery:
        gallery.check()
        assert best(gallery, 2) == ("ben", 1.0)


def test_a_change_that_fails_changes_nothing(file: Path, place: KeyFile) -> None:
    with Gallery.open(file, place) as gallery:
        for number in range(30):
            enrol(gallery, f"p{number}", number)
        old = place.read()
        last, kept = gallery._store.rows("SELECT number, embedding FROM faces ORDER BY number DESC LIMIT 1")[0]
        gallery._store.write("UPDATE faces SET embedding = zeroblob(540) WHERE number = ?", last)
        with fails("gallery_unreadable"):
            gallery.rotate_key()
        gallery._store.write("UPDATE faces SET embedding = ? WHERE number = ?", kept, last)
        assert place.read() == old
        gallery.check()
        assert best(gallery, 7) == ("p7", 1.0)
        gallery.rotate_key()
        gallery.check()
    assert sorted(part.name for part in file.parent.iterdir()) == ["gallery-key", "gallery.sqlite"]


def test_a_key_left_beside_is_found_or_thrown_away(file: Path, place: KeyFile) -> None:
    """As a crash leaves them: after the gallery went over, and before."""
    with Gallery.open(file, place) as gallery:
        enrol(gallery, "ann", 1)
        old = place.path.read_bytes()
        gallery.rotate_key()
    new = place.read()
    place.path.rename(place.path.with_name(f"gallery-key.{key_id(new)}"))
    place.path.write_bytes(old)
    stale = place.path.with_name(f"gallery-key.{'0' * 16}")
    create_key(stale)
    with Gallery.open(file, place) as gallery:
        assert best(gallery, 1) == ("ann", 1.0)
        assert place.read() == new
        gallery.rotate_key()
        gallery.check()
    assert sorted(part.name for part in file.parent.iterdir()) == ["gallery-key", "gallery.sqlite"]


@pytest.mark.slow
def test_kill_9_at_any_moment_of_a_change_leaves_a_key_that_fits(file: Path, place: KeyFile) -> None:
    with Gallery.open(file, place, keep_photos=True) as gallery, gallery.together():
        for number in range(200):
            enrol(gallery, f"p{number}", number, upper=number + 1_000)
    chance, cut_short = random.Random(time.time_ns()), 0
    while cut_short < 2:
        rotator = subprocess.Popen(
            [sys.executable, "-c", ROTATOR, str(file), str(place.state_dir)], stdout=subprocess.PIPE, text=True
        )
        assert rotator.stdout is not None
        assert rotator.stdout.readline() == "open\n"
        for _ in range(chance.randrange(3)):
            assert rotator.stdout.readline() == "rotated\n"
        time.sleep(chance.random() / 10)
        os.kill(rotator.pid, signal.SIGKILL)
        rotator.communicate()
        cut_short += any(part.name.startswith("gallery-key.") for part in file.parent.iterdir())
        with Gallery.open(file, place) as gallery:
            gallery.check()
            assert gallery.person_count == 200
            assert best(gallery, 199) == ("p199", 1.0)
            assert gallery.photo(gallery.person("p7").faces[0].face_id) == PHOTO
    with Gallery.open(file, place) as gallery:
        gallery.rotate_key()
    assert sorted(part.name for part in file.parent.iterdir()) == ["gallery-key", "gallery.sqlite"]
