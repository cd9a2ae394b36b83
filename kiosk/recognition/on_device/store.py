"""The gallery's SQLite file: its connection, its transactions, and what is wrong with it in the house's words."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from kiosk.recognition.on_device.keys import sync
from kiosk.recognition.on_device.refusal import GalleryError

APPLICATION = 0x6B696F73
"""In the file's header, "kios": what kind of database this is."""
SCHEMA = 1
WAIT = 5.0
"""Seconds another writer is waited for."""
_FREE = 0.25
"""Share of free pages from which rewriting the file is worth its while."""
_BATCH = 2_048

_log = structlog.get_logger()

Row = tuple[Any, ...]


class Version(NamedTuple):
    """Changes of others, changes of ours, and how often ours were taken back."""

    theirs: int
    ours: int
    rollbacks: int


_SLUGS = {
    sqlite3.SQLITE_BUSY: "gallery_locked",
    sqlite3.SQLITE_LOCKED: "gallery_locked",
    sqlite3.SQLITE_PERM: "gallery_unwritable",
    sqlite3.SQLITE_READONLY: "gallery_unwritable",
    sqlite3.SQLITE_FULL: "gallery_unwritable",
    sqlite3.SQLITE_IOERR: "gallery_unwritable",
    sqlite3.SQLITE_CANTOPEN: "gallery_unwritable",
}
"""By SQLite's primary result code; anything else means that the file is damaged or no gallery."""


class Store:
    """One connection; without a `file`, in memory. One thread at a time. Everything raises GalleryError."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file = file and file.absolute()
        self._depth = 0
        self._changes_before = 0
        self._rollbacks = 0
        self.traces = False
        """Whether what was dropped may still stand in the file: another process's reading was in the way of sweeping."""
        if file is not None:
            _make(file)
        with self._understood():
            self._database = sqlite3.connect(file or ":memory:", timeout=WAIT, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise
        self._inode = file.stat().st_ino if file else 0

    def close(self) -> None:
        with self._understood():
            try:
                if self.traces:
                    self._clean()
            finally:
                self._database.close()

    # Reading

    def rows(self, statement: str, *values: Any) -> list[Row]:
        with self._understood():
            return self._database.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> Row | None:
        return next(iter(self.rows(statement, *values)), None)

    def value(self, statement: str, *values: Any) -> Any:
        """The first column of the first row; None where there is none."""
        return next(iter(self.row(statement, *values) or ()), None)

    def batches(self, statement: str, *values: Any) -> Iterator[list[Row]]:
        """For more rows than should be held at once; to be read to its end."""
        with self._understood():
            cursor = self._database.execute(statement, values)
            while batch := cursor.fetchmany(_BATCH):
                yield batch

    def meta(self, name: str) -> str | None:
        found = self.value("SELECT value FROM meta WHERE name = ?", name)
        return None if found is None else str(found)

    def version(self) -> Version:
        """Another one after every change. Raises where the file is no longer in its place."""
        if self.file is not None and not (self.file.exists() and self.file.stat().st_ino == self._inode):
            raise GalleryError("gallery_unreadable", f"{self.file} was moved, deleted or replaced while it was open")
        return Version(self.value("PRAGMA data_version"), self._database.total_changes, self._rollbacks)

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

    # Writing

    def write(self, statement: str, *values: Any) -> int:
        """The number of the row it added, if it did."""
        with self._understood():
            return self._database.execute(statement, values).lastrowid or 0

    def write_many(self, statement: str, values: Iterable[Row]) -> None:
        with self._understood():
            self._database.executemany(statement, values)

    def drop(self, statement: str, *values: Any) -> None:
        """For what is to leave no trace: once the transaction is committed, the file is swept."""
        self.write(statement, *values)
        self.traces = True

    def set_meta(self, name: str, value: str) -> None:
        self.write("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name, value)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one inside another is part of it, and can fail alone."""
        inner = self._depth > 0
        self.write("SAVEPOINT inside" if inner else "BEGIN IMMEDIATE")
        if not inner:
            self._changes_before = self._database.total_changes
        self._depth += 1
        try:
            yield
            self.write("RELEASE inside" if inner else "COMMIT")
        except BaseException:
            self._rollbacks += 1
            if self._database.in_transaction:  # SQLite itself may have rolled back, on a full disk for one
                for statement in ("ROLLBACK TO inside", "RELEASE inside") if inner else ("ROLLBACK",):
                    self.write(statement)
            raise
        finally:
            self._depth -= 1
        if self.traces and not inner:
            self._clean()

    @property
    def uncommitted(self) -> bool:
        """Whether what is read now may be taken back."""
        return self._depth > 0 and self._database.total_changes > self._changes_before

    # Care of the file

    def sweep(self) -> None:
        """Takes what was dropped out of the write-ahead log too, unless another process reads for longer than `WAIT`."""
        with self._understood():
            busy, _, _ = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self.traces = bool(busy)

    def vacuum(self) -> None:
        """Rewrites the file from what it holds, then sweeps."""
        self.write("VACUUM")
        self.sweep()

    def _clean(self) -> None:
        """What is dropped is committed by now: that the file cannot be swept is told, but is no failure of the dropping."""
        why = "another process reads it"
        try:
            free, pages = self.value("PRAGMA freelist_count"), self.value("PRAGMA page_count")
            self.vacuum() if free > _FREE * pages else self.sweep()
        except GalleryError as error:
            why = str(error)
        if self.traces:
            _log.warning("gallery_not_swept", file=str(self.file), why=why)

    def take(self, source: Store | Path) -> None:
        """The source's content, in one transaction, in the place of all there is; a file is only read."""
        if isinstance(source, Store):
            source.give(self._database)
        else:
            with self._understood(), closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as database:
                _pour(database, self._database)
        self._recognise()

    def give(self, target: sqlite3.Connection) -> None:
        with self._understood():
            _pour(self._database, target)

    def settle(self) -> None:
        """Everything into the one file, for one that is to be carried away."""
        self.write("PRAGMA journal_mode = DELETE")

    def check(self) -> None:
        """Raises `gallery_unreadable` where SQLite finds the file damaged."""
        found = self.value("PRAGMA integrity_check")
        if found != "ok" or self.rows("PRAGMA foreign_key_check"):
            raise GalleryError("gallery_unreadable", f"{self.file}: {found}")

    def _prepare(self) -> None:
        if not self._is_empty():
            self._recognise()  # before anything is set that would stay in a stranger's file
        for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
            self.write(f"PRAGMA {pragma}")
        self._use_log()
        if self._is_empty():
            with self.transaction():
                if self._is_empty():  # another process may have been faster
                    self._create()
        self._recognise()

    def _use_log(self) -> None:
        """Unlike all else, this does not wait by itself for another process that does the same."""
        deadline = time.monotonic() + WAIT
        while True:
            try:
                self.write("PRAGMA journal_mode = WAL")
            except GalleryError as error:
                if error.slug != "gallery_locked" or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _recognise(self) -> None:
        if self.value("PRAGMA application_id") != APPLICATION:
            raise GalleryError("gallery_unreadable", f"{self.file} is another kind of database")
        found = self.value("PRAGMA user_version")
        if found != SCHEMA:
            raise GalleryError("gallery_unreadable", f"{self.file} has schema {found}, and this kiosk knows {SCHEMA}")

    def _is_empty(self) -> bool:
        return not self.value("SELECT count(*) FROM sqlite_schema")

    def _create(self) -> None:
        for statement in _statements(files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")):
            self.write(statement)
        self.write(f"PRAGMA application_id = {APPLICATION}")
        self.write(f"PRAGMA user_version = {SCHEMA}")
        for name in ("gallery", "generation"):
            self.set_meta(name, secrets.token_hex(16))

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            slug = _SLUGS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "gallery_unreadable")
            raise GalleryError(slug, f"{self.file or 'in memory'}: {error}") from error


def _make(file: Path) -> None:
    """Where it is not there yet; readable by its owner only."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            sync(file.parent)
    except OSError as error:
        raise GalleryError("gallery_unwritable", f"{file}: {error.strerror}") from error


def _pour(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Raises GalleryError `gallery_locked` where another process is in the way for longer than `WAIT`."""
    deadline = time.monotonic() + WAIT

    def check(status: int, _remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise GalleryError("gallery_locked", f"busy for {WAIT:g} s")

    source.backup(target, progress=check, sleep=0.05)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
