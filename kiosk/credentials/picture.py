"""A code as a picture: for a file, or for a terminal."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kiosk.capture.qr import modules
from kiosk.errors import ConfigurationError


def write_png(text: str, file: Path, scale: int = 8) -> None:
    """`scale`: pixels a module. Raises ConfigurationError `file_exists`, `file_unwritable`."""
    picture = np.kron(modules(text), np.ones((scale, scale), np.uint8))
    encoded = cv2.imencode(".png", picture)[1].tobytes()
    try:
        with file.open("xb") as stream:
            stream.write(encoded)
    except FileExistsError:
        raise ConfigurationError("file_exists", f"{file} is there already") from None
    except OSError as error:
        raise ConfigurationError("file_unwritable", f"{file}: {error.strerror}") from error


def for_terminal(text: str) -> str:
    """Two modules a character, black on white whatever the terminal's colours are."""
    dark = modules(text) == 0
    if len(dark) % 2:
        dark = np.vstack((dark, np.zeros((1, dark.shape[1]), np.bool_)))
    blocks = np.array([" ", "▄", "▀", "█"])[2 * dark[::2].astype(int) + dark[1::2].astype(int)]
    return "\n".join(f"\x1b[30;107m{''.join(row)}\x1b[0m" for row in blocks)
