"""Cameras, network streams and video files through OpenCV's VideoCapture."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kiosk.capture.frame import Frame, Image, Pacer, Source
from kiosk.capture.pictures import Pictures
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings

OPEN_WITHIN = 10.0
"""Seconds a network stream has to open."""
READ_WITHIN = 1.5
"""Seconds without a frame after which a network stream is lost; less than an eye may be silent."""
CLOSE_WITHIN = 1.0
"""Seconds `close` waits for a read in progress; a device that hangs longer is given back by the process's end."""
SPOILT_AT_MOST = 5
"""Undecodable frames in a row before a camera counts as lost; USB cameras spoil single MJPEG frames."""
SEEK_FROM = 64
"""Frames; over shorter distances, grabbing is cheaper than seeking to a key frame and decoding from there."""


class LiveCamera:
    """A device or stream that sets the pace itself. Threads: as for Source."""

    def __init__(self, name: str, shown: str, capture: cv2.VideoCapture, within: float = math.inf) -> None:
        """`within`: seconds in which a frame that comes later is no new one."""
        self.opened_at = time.monotonic()
        self.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.fps = _rate(capture)
        self.notes: tuple[str, ...] = ()
        self._name = name
        self._shown = shown
        self._capture = capture
        self._within = within
        self._lock = threading.Lock()
        self._closed = False
        self._sequence = -1

    def read(self) -> Frame:
        with self._lock:
            for _ in range(SPOILT_AT_MOST):
                if self._closed:
                    raise CameraError("source_ended", f"{self._shown} was closed")
                begun = time.monotonic()
                grabbed = self._capture.grab()
                captured_at = time.monotonic()
                # A stalled stream makes FFmpeg's time-out hand out what is left in the decoder as if it were new.
                if not grabbed or captured_at - begun >= self._within:
                    break
                decoded, image = self._capture.retrieve()
                self._sequence += 1
                if decoded:
                    return Frame(self._name, self._sequence, captured_at, _bgr(image))
        raise CameraError("camera_lost", f"{self._shown} gives no more frames; is it plugged in and reachable?")

    def close(self) -> None:
        self._closed = True
        _release(self._capture, self._lock)


class VideoFile:
    """A video file, played in real time from `origin` on; its rate is taken as constant. Threads: as for Source."""

    notes = ()

    def __init__(self, name: str, path: Path, capture: cv2.VideoCapture, settings: CameraSettings, origin: float | None) -> None:
        self._rate = _rate(capture)
        self._frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if self._rate <= 0 or self._frames <= 0:
            raise CameraError("source_invalid", f"{path} says neither how long nor how fast it is; repack it as MP4 or AVI")
        self._pacer = Pacer(origin, min(settings.fps, self._rate))
        self.opened_at = self._pacer.origin
        self.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.fps = self._pacer.fps
        self._name = name
        self._path = path
        self._capture = capture
        self._loop = settings.loop
        self._lock = threading.Lock()
        self._at = -1

    def read(self) -> Frame:
        index, due = self._pacer.wait()
        # The small addition keeps 2.9999… frames from being frame 2.
        elapsed = int((due - self._pacer.origin) * self._rate + 1e-3)
        with self._lock:
            if not self._reach(elapsed):
                # Containers guess their length; the file ends where its last frame was.
                self._frames = self._at + 1
                self._seek(0)
                if self._frames == 0 or not self._reach(elapsed):
                    raise CameraError("source_invalid", f"{self._path} holds no frame that can be decoded")
            decoded, image = self._capture.retrieve()
        if not decoded:
            raise CameraError("source_invalid", f"{self._path}: frame {self._at} cannot be decoded")
        return Frame(self._name, index, due, _bgr(image))

    def _reach(self, elapsed: int) -> bool:
        """Makes the frame due after `elapsed` frames the current one; False where the file broke off before it."""
        if elapsed >= self._frames and not self._loop:
            raise CameraError("source_ended", f"{self._path} is over")
        target = elapsed % self._frames
        if target < self._at:
            self._seek(0)
        if target - self._at > SEEK_FROM:
            self._seek(target)
        while self._at < target:
            if not self._capture.grab():
                return False
            self._at += 1
        return True

    def _seek(self, frame: int) -> None:
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
        # Asked for a frame behind the end, it goes to the last one.
        self._at = int(self._capture.get(cv2.CAP_PROP_POS_FRAMES)) - 1

    def close(self) -> None:
        self._pacer.close()
        _release(self._capture, self._lock)


def open_stream(name: str, settings: CameraSettings) -> LiveCamera:
    """Opens a network camera; RTSP runs over TCP. Raises CameraError `camera_missing`."""
    shown = settings.shown
    if settings.url.startswith("rtsp"):
        # OpenCV takes FFmpeg's options from nowhere else (docs.opencv.org, "Video I/O", FFmpeg backend).
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    capture = _ffmpeg(
        settings.url,
        (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(OPEN_WITHIN * 1000), cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(READ_WITHIN * 1000)),
    )
    if not capture.isOpened():
        raise CameraError("camera_missing", f"{shown} gives no video; check address, login and network")
    return LiveCamera(name, shown, capture, READ_WITHIN)


def open_file(name: str, file: str, settings: CameraSettings, origin: float | None) -> Source:
    """Opens a video file, or a single picture as a folder of one.

    Raises CameraError: `camera_missing` where there is no such file, `source_invalid` where it is no video.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise CameraError("camera_missing", f"{path} is no file; write file: and the path of a video or picture")
    if cv2.haveImageReader(str(path)):
        return Pictures(name, (path,), settings, origin)
    capture = _ffmpeg(str(path), ())
    if not capture.isOpened():
        raise CameraError("source_invalid", f"{path} is no video or picture that can be decoded")
    return VideoFile(name, path, capture, settings, origin)


def _ffmpeg(url: str, options: Sequence[int]) -> cv2.VideoCapture:
    return cv2.VideoCapture(url, cv2.CAP_FFMPEG, options)


def _rate(capture: cv2.VideoCapture) -> float:
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if 0 < rate <= 1000 else 0.0


def _bgr(image: object) -> Image:
    return np.asarray(image, dtype=np.uint8)


def _release(capture: cv2.VideoCapture, lock: threading.Lock) -> None:
    # Releasing under a running read would free what it reads into.
    if lock.acquire(timeout=CLOSE_WITHIN):
        try:
            capture.release()
        finally:
            lock.release()
