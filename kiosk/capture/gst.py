"""A GStreamer pipeline as a camera, for what OpenCV from PyPI cannot open, such as a Jetson's own.

`gst-launch-1.0` runs it in a process of its own and hands raw pictures over a pipe.
"""

from __future__ import annotations

import ctypes
import os
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from typing import IO

import cv2
import numpy as np

from kiosk.capture.frame import Frame, Image
from kiosk.capture.opencv import CLOSE_WITHIN, OPEN_WITHIN, READ_WITHIN
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings

_LAUNCH = "gst-launch-1.0"
_PR_SET_PDEATHSIG = 1


class Pipeline:
    """The pictures of a running pipeline. Threads: as for Source."""

    def __init__(self, name: str, settings: CameraSettings, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self.opened_at = time.monotonic()
        self.width = settings.width
        self.height = settings.height
        self.fps = 0.0
        self.notes = ("GStreamer was asked for I420, whatever the camera gives",)
        self._name = name
        assert process.stdout is not None
        self._pipe = process.stdout
        self._process = process
        self._errors = errors
        self._lock = threading.Lock()
        self._closed = False
        self._sequence = -1

    def wait(self) -> None:
        """For the first picture. Raises CameraError `camera_missing` with what GStreamer says."""
        try:
            self._frame(OPEN_WITHIN)
        except CameraError as error:
            self.close()
            raise CameraError("camera_missing", error.detail) from error

    def read(self) -> Frame:
        with self._lock:
            if self._closed:
                raise CameraError("source_ended", "the pipeline was closed")
            raw = self._frame(READ_WITHIN)
        captured_at = time.monotonic()
        self._sequence += 1
        planes = np.frombuffer(raw, np.uint8).reshape(self.height * 3 // 2, self.width)
        image: Image = np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), dtype=np.uint8)
        return Frame(self._name, self._sequence, captured_at, image)

    def close(self) -> None:
        self._closed = True
        self._process.kill()
        # A read in progress sees the pipe's end.
        if self._lock.acquire(timeout=CLOSE_WITHIN):
            self._pipe.close()
            self._errors.close()
            self._lock.release()
        self._process.wait()

    def _frame(self, within: float) -> bytearray:
        raw = bytearray(self.width * self.height * 3 // 2)
        at, view, until = 0, memoryview(raw), time.monotonic() + within
        while at < len(raw):
            if not self._readable(until - time.monotonic()):
                raise CameraError("camera_lost", f"the pipeline gave no picture for {within:g} s")
            got = os.readv(self._pipe.fileno(), [view[at:]])
            if not got:
                raise CameraError("camera_lost", f"the pipeline ended: {self._last_words()}")
            at += got
        return raw

    def _readable(self, within: float) -> bool:
        return bool(select.select([self._pipe], [], [], max(within, 0.0))[0])

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(4000).decode(errors="replace").splitlines()
        told = [line.strip() for line in lines if line.startswith(("ERROR", "WARNING"))]
        return " ".join(told)[:300] or "it says nothing"


def open_pipeline(name: str, pipeline: str, settings: CameraSettings) -> Pipeline:
    """Starts a pipeline, written as for gst-launch-1.0 and without its sink; its pictures are scaled to the settings' size.

    Not after the eye is confined: that forbids to start programs.
    Raises CameraError: `source_invalid` for a size it cannot have, `camera_missing` where it gives no picture.
    """
    if settings.width % 8 or settings.height % 2:
        raise CameraError(
            "source_invalid", f"gst: cameras are a multiple of 8 wide and of 2 high, not {settings.width}×{settings.height}"
        )
    launch = shutil.which(_LAUNCH)
    if launch is None:
        raise CameraError("camera_missing", f"gst: cameras need {_LAUNCH}; apt-get install gstreamer1.0-tools")
    caps = f"video/x-raw,format=I420,width={settings.width},height={settings.height},pixel-aspect-ratio=1/1"
    sink = ["!", "videoconvert", "!", "videoscale", "!", caps, "!", "fdsink", "fd=1", "sync=false"]
    command = [launch, "-q", *_words(pipeline), *sink]
    errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the pipeline)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        bufsize=0,
        preexec_fn=_ends_with_its_parent,  # noqa: PLW1509 (before the eye starts any thread)
    )
    camera = Pipeline(name, settings, process, errors)
    camera.wait()
    return camera


def _words(pipeline: str) -> list[str]:
    try:
        return shlex.split(pipeline)
    except ValueError as error:
        raise CameraError("source_invalid", f"gst: {error}") from error


def _ends_with_its_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
