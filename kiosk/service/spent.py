"""What may be used once and was: ids of signed codes, nonces of claims and commands, until they expire, across restarts."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from msgspec import Struct

from kiosk.errors import HardwareError

ROOM = 100
"""Expired ones that stay listed: what comes after them is known from them, though a clock that was ahead is put right."""


class _Book(Struct, forbid_unknown_fields=True):
    """`until`: by id, when each expires, in Unix seconds; `forgotten`: what expired up to here is no longer listed."""

    until: dict[str, float] = {}
    forgotten: float = 0.0

    def forget(self, now: float) -> None:
        """Drops what expired, but for the last `ROOM`."""
        expired = sorted((until, one) for one, until in self.until.items() if until <= now)
        for until, one in expired[: max(len(expired) - ROOM, 0)]:
            del self.until[one]
            self.forgotten = max(self.forgotten, until)


class Spent:
    """Owns `file`. Event loop only; the file is written in a thread.

    Raises HardwareError `spent_unreadable` where the file is damaged: what was used can then not be told.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        # One thread: whoever no longer waits for a write leaves it to finish before the next one begins.
        self._pen = ThreadPoolExecutor(1, "spent")
        try:
            self._book = msgspec.json.decode(file.read_bytes(), type=_Book) if file.exists() else _Book()
        except (OSError, msgspec.MsgspecError) as error:
            hint = "once the newest of what was used has expired, the file may be removed"
            raise HardwareError("spent_unreadable", f"{file}: {error}; {hint}") from error

    async def spend(self, identity: str, expires_at: float, now: float) -> bool:
        """Whether `identity` is used for the first time; on disk when this returns. Times are Unix seconds.

        Raises HardwareError `spent_unwritable`; then it counts as used.
        """
        # A clock that was set back must not bring to life what is no longer listed.
        if identity in self._book.until or expires_at <= self._book.forgotten:
            return False
        self._book.until[identity] = expires_at
        self._book.forget(now)
        written = asyncio.get_running_loop().run_in_executor(self._pen, _write, self._file, msgspec.json.encode(self._book))
        try:
            await asyncio.shield(written)
        except OSError as error:
            raise HardwareError("spent_unwritable", f"{self._file}: {error.strerror}") from error
        return True


def _write(file: Path, content: bytes) -> None:
    """All of it or nothing, also after a power cut."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
