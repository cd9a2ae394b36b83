"""What is done with a gallery's file as a whole: change of key, check, backup."""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kiosk.recognition.on_device.deletions import SEALED, Ledger
from kiosk.recognition.on_device.keys import KeyFile, key_id, sync
from kiosk.recognition.on_device.refusal import GalleryError
from kiosk.recognition.on_device.register import Register
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Row, Store

_FACES = (
    "SELECT f.number, p.id, f.embedding, f.upper FROM faces f JOIN persons p ON p.number = f.person "
    "WHERE f.number > ? ORDER BY f.number LIMIT 500"
)
_PHOTOS = (
    "SELECT o.face, p.id, o.photo FROM photos o JOIN faces f ON f.number = o.face JOIN persons p ON p.number = f.person "
    "WHERE o.face > ? ORDER BY o.face LIMIT 10"
)


def go_over(store: Store, seal: Seal, key: bytes) -> None:
    """To another key, inside the caller's transaction."""
    new = Seal(key, store.meta("gallery") or "")
    new.use(key)
    _reseal(store, seal, new)
    store.set_meta("key", new.key_id)
    seal.use(key)


def _reseal(store: Store, old: Seal, new: Seal) -> None:
    for name in SEALED:
        store.set_meta(name, new.close(old.open(bytes.fromhex(store.meta(name) or ""), name), name).hex())
    for batch in _all(store, _FACES):
        again = [
            (
                new.close(old.open(embedding, "embedding", face, owner), "embedding", face, owner),
                None if upper is None else new.close(old.open(upper, "upper", face, owner), "upper", face, owner),
                face,
            )
            for face, owner, embedding, upper in batch
        ]
        store.write_many("UPDATE faces SET embedding = ?, upper = ? WHERE number = ?", again)
    for batch in _all(store, _PHOTOS):
        photos = [(new.close(old.open(photo, "photo", face, owner), "photo", face, owner), face) for face, owner, photo in batch]
        store.write_many("UPDATE photos SET photo = ? WHERE face = ?", photos)


def check(store: Store, seal: Seal) -> None:
    """Raises GalleryError `gallery_unreadable` where the file is damaged, a sealed value does not open or a record is amiss."""
    store.check()
    for batch in _all(store, _FACES):
        for face, owner, embedding, upper in batch:
            seal.open(embedding, "embedding", face, owner)
            if upper is not None:
                seal.open(upper, "upper", face, owner)
    for batch in _all(store, _PHOTOS):
        for face, owner, photo in batch:
            seal.open(photo, "photo", face, owner)
    fault = Ledger(store, seal).fault()
    if fault:
        raise GalleryError("gallery_unreadable", f"{store.file}: deletions: {fault}")


def backup(store: Store, to: Path) -> None:
    """A file of its own, which is whole and on disk under its name, or not there at all."""
    with _scratch(to) as partial:
        with closing(Store(partial)) as copy:
            copy.take(store)
            copy.check()
            copy.settle()
        try:
            partial.replace(to)
            sync(to.parent)
        except OSError as error:
            raise GalleryError("gallery_unwritable", f"{to}: {error.strerror}") from error


def restore(path: Path, key: bytes | KeyFile, backup_file: Path, backup_key: bytes | KeyFile, now: int) -> None:
    """As `Gallery.restore` says. `now`: Unix milliseconds."""
    if not backup_file.is_file():
        raise GalleryError("gallery_unreadable", f"{backup_file} is no file")
    with _scratch(path) as work, closing(Store(work)) as copy:
        copy.take(backup_file)
        seal = _seal(copy, backup_key)
        check(copy, seal)
        with copy.transaction():
            if path.exists():
                with closing(Store(path)) as present:
                    _catch_up(copy, seal, present, key, now)
            wanted = key if isinstance(key, bytes) else key.read()
            if key_id(wanted) != seal.key_id:
                go_over(copy, seal, wanted)
            copy.set_meta("generation", secrets.token_hex(16))
        with closing(Store(path)) as store:
            store.take(copy)


def _catch_up(copy: Store, seal: Seal, present: Store, key: bytes | KeyFile, now: int) -> None:
    """Deletes from a backup's copy what the present gallery has deleted since, and takes over its records."""
    ledger, register = Ledger(copy, seal), Register(copy, seal)
    ours, theirs = ledger.records(), Ledger(present, _seal(present, key)).records()
    if not theirs and not present.value("SELECT count(*) FROM persons"):
        return
    if copy.meta("gallery") != present.meta("gallery") or ours[: len(theirs)] != theirs[: len(ours)]:
        raise GalleryError("gallery_in_the_way", f"{present.file} is not what this backup was made of")
    since = theirs[len(ours) :]
    register.drop_faces(face_id for record in since for face_id in record.face_ids)
    numbers = [register.person_number(record.whose) for record in since if record.what == "person"]
    register.drop_persons(number for number in numbers if number is not None)
    ledger.take_over(since)
    faceless = [person.person_id for person in register.persons(register.faceless())]
    if faceless:
        ledger.record(now, "person", [(person_id, ()) for person_id in faceless], "all faces deleted after the backup")
        register.drop_persons(register.faceless())


def _seal(store: Store, key: bytes | KeyFile) -> Seal:
    seal = Seal(key, store.meta("gallery") or "")
    seal.follow(store.meta("key"))
    return seal


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    """A file to work in, of which nothing stays, nor of those that a process now dead has left."""
    try:
        yield beside.with_name(f"{beside.name}.{os.getpid()}.partial")
    finally:
        for left in beside.parent.glob(f"{glob.escape(beside.name)}.*.partial*"):
            pid = left.name.removeprefix(f"{beside.name}.").partition(".")[0]
            if pid == str(os.getpid()) or not Path("/proc", pid).exists():
                left.unlink(missing_ok=True)


def _all(store: Store, statement: str) -> Iterator[list[Row]]:
    """By what comes after the last one, so that rows may be changed meanwhile."""
    last = -1
    while batch := store.rows(statement, last):
        yield batch
        last = batch[-1][0]
