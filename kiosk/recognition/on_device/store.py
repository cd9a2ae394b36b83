"""The gallery's SQLite file: its schema, its transactions, and what is wrong with it in the house's words."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kiosk.recognition.on_device.refusal import GalleryError

APPLICATION = 0x6B696F73
"""In the file's header: what kind of database this is ("kios")."""
SCHEMA_VERSION = 1
WAIT = 5.0
"""Seconds another writer is waited for."""
_REMEMBERED = 65_536
"""Changes kept for those who follow; who is farther behind starts afresh."""

_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE groups (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, tag TEXT NOT NULL,
    fields TEXT NOT NULL, consent INTEGER, created INTEGER NOT NULL, persons INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX groups_by_name ON groups (name);
CREATE TABLE persons (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, tag TEXT NOT NULL,
    gender INTEGER NOT NULL, consent INTEGER, created INTEGER NOT NULL
) STRICT;
CREATE TABLE memberships (
    number INTEGER PRIMARY KEY, grp INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES persons ON DELETE CASCADE, descriptions TEXT NOT NULL DEFAULT '{{}}', UNIQUE (grp, person)
) STRICT;
CREATE INDEX memberships_by_person ON memberships (person);
CREATE TABLE faces (
    number INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES persons ON DELETE CASCADE, place INTEGER NOT NULL,
    x REAL NOT NULL, y REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL, grade INTEGER NOT NULL, tag TEXT NOT NULL,
    created INTEGER NOT NULL, embedding BLOB NOT NULL, upper BLOB
) STRICT;
CREATE INDEX faces_by_person ON faces (person);
CREATE TABLE photos (face INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE, sealed BLOB NOT NULL) STRICT;
CREATE TABLE deletions (number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, signature BLOB NOT NULL) STRICT;
CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL, faces INTEGER NOT NULL) STRICT;
CREATE TRIGGER changes_stay_few AFTER INSERT ON changes WHEN new.seq % 1024 = 0
    BEGIN DELETE FROM changes WHERE seq <= new.seq - {_REMEMBERED}; END;
CREATE TRIGGER face_added AFTER INSERT ON faces
    BEGIN INSERT INTO changes (person, faces) VALUES (new.person, 1); END;
CREATE TRIGGER face_gone AFTER DELETE ON faces
    BEGIN INSERT INTO changes (person, faces) VALUES (old.person, 1); END;
CREATE TRIGGER person_joined AFTER INSERT ON memberships BEGIN
    INSERT INTO changes (person, faces) VALUES (new.person, 0);
    UPDATE groups SET persons = persons + 1 WHERE number = new.grp;
END;
CREATE TRIGGER person_left AFTER DELETE ON memberships BEGIN
    INSERT INTO changes (person, faces) VALUES (old.person, 0);
    UPDATE groups SET persons = persons - 1 WHERE number = old.grp;
END;
"""


Row = tuple[Any, ...]

_SLUGS = {
    sqlite3.SQLITE_BUSY: "gallery_locked",
    sqlite3.SQLITE_LOCKED: "gallery_locked",
    sqlite3.SQLITE_READONLY: "gallery_unwritable",
    sqlite3.SQLITE_FULL: "gallery_unwritable",
    sqlite3.SQLITE_IOERR: "gallery_unwritable",
    sqlite3.SQLITE_CANTOPEN: "gallery_unwritable",
}
"""By SQLite's primary result code; anything else means that the file is damaged or no gallery."""


class Store:
    """One connection. One thread at a time. Everything raises GalleryError."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._depth = 0
        with self._understood():
            self._database = _connect(file)
            self._prepare()

    def close(self) -> None:
        self._database.close()

    def rows(self, statement: str, *values: Any) -> list[Row]:
        with self._understood():
            return self._database.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> Row | None:
        return next(iter(self.rows(statement, *values)), None)

    def value(self, statement: str, *values: Any) -> Any:
        """The first column of the first row; None where there is none."""
        return next(iter(self.row(statement, *values) or ()), None)

    def batches(self, statement: str, *values: Any, size: int = 2_048) -> Iterator[list[Row]]:
        with self._understood():
            cursor = self._database.execute(statement, values)
            while batch := cursor.fetchmany(size):
                yield batch

    def write(self, statement: str, *values: Any) -> int:
        """The number of the row it added, if it did."""
        with self._understood():
            return self._database.execute(statement, values).lastrowid or 0

    def meta(self, name: str) -> Any:
        return self.value("SELECT value FROM meta WHERE name = ?", name)

    def set_meta(self, name: str, value: str | bytes) -> None:
        self.write("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name, value)

    @property
    def version(self) -> int:
        """Another number whenever another connection has changed the file."""
        return int(self.value("PRAGMA data_version"))

    @property
    def writing(self) -> bool:
        """Whether a transaction of this connection is open."""
        return self._depth > 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one inside another is part of it, and can fail alone."""
        begin, commit, undo = (
            ("SAVEPOINT inner", "RELEASE inner", ("ROLLBACK TO inner", "RELEASE inner"))
            if self._depth
            else ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
        )
        self.write(begin)
        self._depth += 1
        try:
            yield
            self.write(commit)
        except BaseException:
            for statement in undo:
                if self._database.in_transaction:
                    self.write(statement)
            raise
        finally:
            self._depth -= 1

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one state."""
        if self._database.in_transaction:
            yield
            return
        self.write("BEGIN")
        try:
            yield
        finally:
            self.write("COMMIT")

    def _prepare(self) -> None:
        for pragma in ("foreign_keys = ON", "secure_delete = ON", "journal_mode = WAL", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        if self._is_new():
            with self.transaction():
                if self._is_new():  # another process may have been faster
                    for statement in _statements(_SCHEMA):
                        self._database.execute(statement)
                    self._database.execute(f"PRAGMA application_id = {APPLICATION}")
                    self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                    self.set_meta("gallery", secrets.token_hex(16))
                    self.set_meta("generation", secrets.token_hex(16))
        if self.value("PRAGMA application_id") != APPLICATION:
            raise GalleryError("gallery_unreadable", f"{self.file} is another kind of database")
        found = self.value("PRAGMA user_version")
        if found != SCHEMA_VERSION:
            raise GalleryError("gallery_unreadable", f"{self.file}: schema {found}, this kiosk knows {SCHEMA_VERSION}")

    def _is_new(self) -> bool:
        return self.value("PRAGMA application_id") == 0 and not self.value("SELECT count(*) FROM sqlite_schema")

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            raise GalleryError(_SLUGS.get(code, "gallery_unreadable"), f"{self.file or 'in memory'}: {error}") from error


def _connect(file: Path | None) -> sqlite3.Connection:
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
        except OSError as error:
            raise GalleryError("gallery_unwritable", f"{file}: {error.strerror}") from error
    return sqlite3.connect(file or ":memory:", timeout=WAIT, isolation_level=None, check_same_thread=False)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
