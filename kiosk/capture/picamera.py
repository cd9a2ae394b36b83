"""A Raspberry Pi's camera through libcamera: `picamera2` comes with Raspberry Pi OS, not from PyPI."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from kiosk.capture.frame import Frame
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings


class PiCamera:
    """Threads: as for Source."""

    def __init__(self, name: str, camera: Any, settings: CameraSettings) -> None:
        self.opened_at = time.monotonic()
        self.width, self.height = camera.camera_configuration()["main"]["size"]
        self.fps = settings.fps
        self.notes = (f"asked for {settings.width}×{settings.height}; got {self.width}×{self.height}",)
        self._name = name
        self._camera = camera
        self._lock = threading.Lock()
        self._closed = False
        self._sequence = -1

    def read(self) -> Frame:
        with self._lock:
            if self._closed:
                raise CameraError("source_ended", "the camera was closed")
            try:
                image = self._camera.capture_array("main")
            except RuntimeError as error:
                raise CameraError("camera_lost", str(error)) from error
        self._sequence += 1
        return Frame(self._name, self._sequence, time.monotonic(), np.asarray(image, dtype=np.uint8))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._camera.stop()


def open_picamera(name: str, number: str, settings: CameraSettings) -> PiCamera:
    """Opens the camera of that number, from 0. Not after the eye is confined: libcamera looks for devices over netlink.

    Raises CameraError `camera_missing`.
    """
    if not number.isdecimal():
        raise CameraError("camera_missing", f"picamera2:{number} is no camera; write picamera2: and its number, from 0")
    try:
        from picamera2 import Picamera2  # noqa: PLC0415 (only on a Raspberry Pi)
    except ImportError as error:
        raise CameraError(
            "camera_missing",
            f"picamera2: cameras need Raspberry Pi OS and its package: apt-get install python3-picamera2, "
            f"and an environment made with --system-site-packages ({error})",
        ) from error
    try:
        camera = Picamera2(int(number))
        # What libcamera calls RGB888 lies in memory as blue, green, red.
        wanted = {"size": (settings.width, settings.height), "format": "RGB888"}
        camera.configure(camera.create_video_configuration(main=wanted, controls={"FrameRate": settings.fps}))
        camera.start()
    except (RuntimeError, IndexError) as error:
        raise CameraError("camera_missing", f"picamera2:{number} cannot be opened: {error}") from error
    return PiCamera(name, camera, settings)
