"""A folder of pictures as a camera: each is shown for a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kiosk.capture.frame import Frame, Image, Pacer
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
SHOWN_FOR = 1.0
"""Seconds each picture is shown."""


class Pictures:
    """Pictures one after another, fitted into the frame with black borders. Threads: as for Source."""

    notes = ()

    def __init__(self, name: str, paths: Sequence[Path], settings: CameraSettings, origin: float | None) -> None:
        self._pacer = Pacer(origin, settings.fps)
        self.opened_at = self._pacer.origin
        self.width = settings.width
        self.height = settings.height
        self.fps = settings.fps
        self._name = name
        self._paths = tuple(paths)
        self._loop = settings.loop
        self._shown: tuple[Path, Image] | None = None

    def read(self) -> Frame:
        index, due = self._pacer.wait()
        turn = int((due - self._pacer.origin) / SHOWN_FOR + 1e-6)
        if turn >= len(self._paths) and not self._loop:
            raise CameraError("source_ended", f"all {len(self._paths)} pictures were shown")
        return Frame(self._name, index, due, self._picture(self._paths[turn % len(self._paths)]))

    def close(self) -> None:
        self._pacer.close()

    def _picture(self, path: Path) -> Image:
        if self._shown is None or self._shown[0] != path:
            self._shown = (path, _fitted(_decoded(path), self.width, self.height))
        return self._shown[1]


def open_folder(name: str, folder: str, settings: CameraSettings, origin: float | None) -> Pictures:
    """Opens a folder; its pictures are taken by name.

    Raises CameraError: `camera_missing` where there is no such folder, `source_invalid` where it has no pictures.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise CameraError("camera_missing", f"{path} is no folder; write dir: and a folder of pictures")
    pictures = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES and entry.is_file())
    if not pictures:
        raise CameraError("source_invalid", f"{path} holds no picture; put files there that end in {', '.join(SUFFIXES)}")
    return Pictures(name, pictures, settings, origin)


def _decoded(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise CameraError("source_invalid", f"{path} cannot be decoded; mend the picture or take it away")
    return np.asarray(image, dtype=np.uint8)


def _fitted(image: Image, width: int, height: int) -> Image:
    high, wide = image.shape[:2]
    factor = min(width / wide, height / high)
    size = max(round(wide * factor), 1), max(round(high * factor), 1)
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = scaled
    return canvas
