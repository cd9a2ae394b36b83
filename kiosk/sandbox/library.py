"""Where the sandbox's people are kept."""

from __future__ import annotations

import time
from pathlib import Path

from kiosk.errors import ConfigurationError
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile


def open_gallery(folder: Path | None) -> Gallery:
    """In memory, or with its key in this folder, which comes into being. Raises ConfigurationError, GalleryError."""
    if folder is None:
        return Gallery(time.time)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError("configuration_invalid", f"--data {folder}: {error.strerror}") from error
    file, key = folder / "gallery.sqlite", KeyFile(Path("gallery-key"), folder)
    key.read_or_create(file)
    return Gallery.open(file, key, time.time)
