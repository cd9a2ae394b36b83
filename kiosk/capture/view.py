"""The picture as it is looked at: a region of the camera's, turned upright, mirrored."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from kiosk.capture.frame import Frame, Image, Source
from kiosk.settings import CameraSettings

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class View:
    """A source whose frames are all made so; every coordinate further on is of these. Threads: as for Source."""

    def __init__(self, source: Source, settings: CameraSettings) -> None:
        self.source = source
        self._region = settings.region
        self._rotate = settings.rotate
        self._mirror = settings.mirror
        self.opened_at = source.opened_at
        self.fps = source.fps
        self.notes = source.notes
        left, top, right, bottom = self._pixels(source.width, source.height)
        size = right - left, bottom - top
        self.width, self.height = size if settings.rotate in (0, 180) else size[::-1]

    def read(self) -> Frame:
        frame = self.source.read()
        return dataclasses.replace(frame, image=self.seen(frame.image))

    def close(self) -> None:
        self.source.close()

    def seen(self, image: Image) -> Image:
        """The region is of the picture as the camera gives it; then it is turned, then mirrored."""
        left, top, right, bottom = self._pixels(image.shape[1], image.shape[0])
        image = image[top:bottom, left:right]
        if self._rotate:
            image = np.asarray(cv2.rotate(image, _TURNS[self._rotate]), dtype=np.uint8)
        if self._mirror:
            image = np.asarray(cv2.flip(image, 1), dtype=np.uint8)
        # What comes after reads whole rows.
        return np.ascontiguousarray(image)

    def _pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        left, top, right, bottom = self._region
        return round(left * width), round(top * height), round(right * width), round(bottom * height)


def viewed(source: Source, settings: CameraSettings) -> Source:
    """The source itself where the settings change nothing."""
    whole = settings.region == (0.0, 0.0, 1.0, 1.0)
    return source if whole and not settings.rotate and not settings.mirror else View(source, settings)
