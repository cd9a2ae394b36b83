"""The audit journal: hash-chained rows in SQLite, on disk before anything they allow happens.

Changing, removing or reordering rows breaks the chain from there on. Cutting off the newest rows
does not: that shows only against a head hash noted elsewhere.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from kiosk.errors import JournalError

GENESIS = "0" * 64
"""What the first row names as its predecessor."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY,
    wall TEXT NOT NULL,
    monotonic REAL NOT NULL,
    boot TEXT NOT NULL,
    kind TEXT NOT NULL,
    portal TEXT NOT NULL,
    presentation INTEGER,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT
"""
_COLUMNS = "seq, wall, monotonic, boot, kind, portal, presentation, body, previous, hash"


class Row(msgspec.Struct, frozen=True):
    """`wall`: ISO 8601 UTC; `monotonic`: seconds since `boot`; `body`: canonical JSON; `hash`: over all else."""

    seq: int
    wall: str
    monotonic: float
    boot: str
    kind: str
    portal: str
    presentation: int | None
    body: str
    previous: str
    hash: str

    def computed_hash(self) -> str:
        """SHA-256 in hex over the canonical JSON array of every field before `hash`."""
        fields = msgspec.structs.astuple(self)[:-1]
        return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


class Verification(msgspec.Struct, frozen=True):
    """`head`: the newest row's hash, worth noting elsewhere; `bad_seq` and `why` name the first break."""

    rows: int
    ok: bool
    head: str
    bad_seq: int | None = None
    why: str = ""


class Journal:
    """One writer. Event loop only; SQLite runs in a thread of its own, so a slow card never stalls the loop."""

    def __init__(self, path: Path, lock: IO[bytes], thread: ThreadPoolExecutor) -> None:
        self._path = path
        self._lock = lock
        self._thread = thread
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        self._database: sqlite3.Connection | None = None
        self._last_seq = 0
        self._head = GENESIS

    @classmethod
    async def open(cls, path: Path) -> Journal:
        """Creates what is missing.

        Raises JournalError `journal_unwritable`, or `journal_broken` where the newest row is false.
        """
        lock = _claim(path)
        journal = cls(path, lock, ThreadPoolExecutor(1, thread_name_prefix="journal"))
        try:
            await journal._in_thread(journal._connect)
        except JournalError:
            await journal.close()
            raise
        return journal

    @property
    def boot(self) -> str:
        """The boot that `monotonic` of new rows counts from."""
        return self._boot

    @property
    def head(self) -> str:
        return self._head

    async def append(self, kind: str, portal: str, presentation: int | None, body: Mapping[str, object]) -> Row:
        """Returns once the row is committed and synced. Raises JournalError `journal_unwritable`."""
        text = msgspec.json.encode(body, order="sorted").decode()
        row: Row = await self._in_thread(self._append, kind, portal, presentation, text)
        return row

    async def close(self) -> None:
        if self._database is not None:
            await self._in_thread(self._database.close)
            self._database = None
        self._thread.shutdown()
        self._lock.close()

    async def _in_thread(self, work: Any, *arguments: object) -> Any:
        try:
            # A commit under way is never abandoned half: the caller may be cancelled, the row is not.
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments))
        except sqlite3.Error as error:
            raise JournalError("journal_unwritable", f"{self._path}: {error}") from error

    def _connect(self) -> None:
        self._database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise JournalError("journal_broken", f"{self._path}: {error}") from error
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(_SCHEMA)
        newest = self._database.execute(f"SELECT {_COLUMNS} FROM journal ORDER BY seq DESC LIMIT 1").fetchone()  # noqa: S608 (constants)
        if newest is not None:
            row = Row(*newest)
            if row.hash != row.computed_hash():
                raise JournalError(
                    "journal_broken", f"{self._path}: row {row.seq} does not have its hash; `kiosk journal verify`"
                )
            self._last_seq, self._head = row.seq, row.hash

    def _append(self, kind: str, portal: str, presentation: int | None, body: str) -> Row:
        assert self._database is not None
        wall = datetime.now(UTC).isoformat(timespec="milliseconds")
        unsigned = Row(self._last_seq + 1, wall, time.monotonic(), self._boot, kind, portal, presentation, body, self._head, "")
        row = msgspec.structs.replace(unsigned, hash=unsigned.computed_hash())
        places = ", ".join("?" * len(Row.__struct_fields__))
        self._database.execute(f"INSERT INTO journal VALUES ({places})", msgspec.structs.astuple(row))  # noqa: S608 (constants)
        self._last_seq, self._head = row.seq, row.hash
        return row


def _claim(path: Path) -> IO[bytes]:
    """Makes the file, readable by its owner only, and locks it against a second writer."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        lock = path.with_name(path.name + ".lock").open("wb")
    except OSError as error:
        raise JournalError("journal_unwritable", f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise JournalError("journal_unwritable", f"{path}: another kiosk is writing it") from error
    return lock


def tail(path: Path, count: int) -> list[Row]:
    """The newest `count` rows, oldest first, while a daemon may be writing. Raises JournalError
    `journal_missing`, `journal_broken`.
    """
    with closing(_reader(path, "backslashreplace")) as database:
        return list(_rows(path, database, "ORDER BY seq DESC LIMIT ?", count))[::-1]


def rows(path: Path, kinds: Sequence[str], since: str = "") -> Iterator[Row]:
    """Rows of these kinds from `since` on (as `Row.wall`), oldest first, while a daemon may be writing. Raises as `tail` does."""
    with closing(_reader(path, "backslashreplace")) as database:
        yield from _rows(path, database, f"WHERE {_among(kinds)} AND wall >= ? ORDER BY seq", *kinds, since)


def count(path: Path, kinds: Sequence[str], since: str = "") -> int:
    """How many rows `rows` would give now. Raises as `tail` does."""
    with closing(_reader(path, "backslashreplace")) as database:
        which = f"SELECT COUNT(*) FROM journal WHERE {_among(kinds)} AND wall >= ?"  # noqa: S608 (question marks)
        try:
            return int(database.execute(which, (*kinds, since)).fetchone()[0])
        except sqlite3.Error as error:
            raise JournalError("journal_broken", f"{path}: {error}") from error


def row(path: Path, seq: int) -> Row | None:
    """The row of this number, if there is one. Raises as `tail` does."""
    with closing(_reader(path, "backslashreplace")) as database:
        return next(_rows(path, database, "WHERE seq = ?", seq), None)


def of_kinds(path: Path, kinds: Sequence[str], count: int) -> list[Row]:
    """The newest `count` rows of these kinds, oldest first. Raises JournalError `journal_missing`, `journal_broken`."""
    with closing(_reader(path, "backslashreplace")) as database:
        return list(_rows(path, database, f"WHERE {_among(kinds)} ORDER BY seq DESC LIMIT ?", *kinds, count))[::-1]


def _among(kinds: Sequence[str]) -> str:
    """The condition, with a question mark for each of them."""
    return f"kind IN ({', '.join('?' * len(kinds))})"


def verify(path: Path) -> Verification:
    """Recomputes the whole chain, row by row.

    Raises JournalError `journal_missing`, or `journal_broken` where the file cannot be read at all.
    """
    previous, count = GENESIS, 0
    # Bytes that are no text are kept apart from any text, so that a row they were put into reads, and fails its hash.
    with closing(_reader(path, "surrogateescape")) as database:
        for row in _rows(path, database, "ORDER BY seq"):
            count += 1
            why = _fault(row, count, previous)
            if why:
                return Verification(count, ok=False, head=previous, bad_seq=row.seq, why=why)
            previous = row.hash
    return Verification(count, ok=True, head=previous)


def _fault(row: Row, number: int, previous: str) -> str:
    if row.seq != number:
        return f"row {number} is missing"
    if row.previous != previous:
        return "does not follow the row before it"
    try:
        is_genuine = row.hash == row.computed_hash()
    except UnicodeEncodeError:  # bytes that are no text were put into it
        is_genuine = False
    return "" if is_genuine else "was changed after it was written"


def _reader(path: Path, undecodable: str) -> sqlite3.Connection:
    if not path.is_file():
        raise JournalError("journal_missing", f"{path} is no file")
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    database.text_factory = lambda raw: raw.decode(errors=undecodable)
    return database


def _rows(path: Path, database: sqlite3.Connection, which: str, *values: object) -> Iterator[Row]:
    try:
        for fields in database.execute(f"SELECT {_COLUMNS} FROM journal {which}", values):  # noqa: S608 (constants)
            yield Row(*fields)
    except sqlite3.Error as error:
        raise JournalError("journal_broken", f"{path}: {error}") from error
