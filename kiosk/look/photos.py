"""Photos on disk, as far as they may be read at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kiosk.errors import PhotoRejected
from kiosk.eye.messages import MAX_PHOTO


def read_photo(file: Path) -> bytes:
    """Its bytes; what is no plain file, or too large, is refused before any is read.

    Raises PhotoRejected `photo_unreadable` or `image_too_large`.
    """
    try:
        with open(file, "rb", opener=_without_waiting) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PhotoRejected("photo_unreadable", "no plain file")
            _check(status.st_size)
            photo = stream.read(MAX_PHOTO + 1)
    except (OSError, ValueError) as error:
        raise PhotoRejected("photo_unreadable", _why(error)) from error
    _check(len(photo))
    return photo


def shown(path: Path) -> str:
    """The path as text, whatever bytes it is made of."""
    return os.fsencode(path).decode(errors="replace")


def files_in(folder: Path) -> list[Path]:
    """Every file in it and its sub-folders, by path; hidden ones and links to folders are passed over.

    Raises PhotoRejected `photo_unreadable` where the folder, or one in it, cannot be listed.
    """
    found: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in files if not name.startswith(".")]
    return sorted(found)


def _without_waiting(file: str, flags: int) -> int:
    """A pipe that nobody writes to opens all the same."""
    return os.open(file, flags | os.O_NONBLOCK)


def _check(size: int) -> None:
    if size > MAX_PHOTO:
        raise PhotoRejected("image_too_large", f"{size} bytes; {MAX_PHOTO} are allowed")


def _why(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _refuse(error: OSError) -> None:
    raise PhotoRejected("photo_unreadable", f"{shown(Path(error.filename))}: {error.strerror}") from error
