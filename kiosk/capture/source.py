"""Opens a camera by its URL."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.capture.frame import Frame, Source
from kiosk.capture.gst import open_pipeline
from kiosk.capture.opencv import open_file, open_stream
from kiosk.capture.picamera import open_picamera
from kiosk.capture.pictures import open_folder
from kiosk.capture.scene import SceneCamera, open_scene
from kiosk.capture.v4l2 import open_v4l2
from kiosk.capture.view import View, viewed
from kiosk.errors import CameraError
from kiosk.settings import CAMERA_SCHEMES, STREAM_SCHEMES, CameraSettings

__all__ = ["OPENED_FIRST", "Frame", "Source", "listener", "open_source"]

OPENED_FIRST = (*STREAM_SCHEMES, "gst", "picamera2")
"""Cameras that need the network, or to start a program: an eye opens them before it is confined."""


def open_source(name: str, settings: CameraSettings, origin: float | None = None) -> Source:
    """Opens the camera that `settings.url` names; `name` is what its frames are called.

    Its pictures are made as the settings' region, rotation and mirror say.
    `origin`: monotonic seconds at which this camera was first opened, None for now. A file, folder or
    scene goes on where it would be now, as a live camera does; for a live camera it means nothing.
    Raises CameraError: `camera_missing` where it cannot be opened, `source_invalid` where it cannot be played.
    """
    return viewed(_opened(name, settings, origin), settings)


def listener(source: Source) -> SceneCamera | None:
    """The scene behind an open source, whose people can be told what to do; None for everything else.

    By its class, not by what it can do: what a challenge asks must never reach a real camera, nor a picture of one.
    """
    opened = source.source if isinstance(source, View) else source
    return opened if isinstance(opened, SceneCamera) else None


def _opened(name: str, settings: CameraSettings, origin: float | None) -> Source:
    scheme, _, rest = settings.url.partition(":")
    if scheme in STREAM_SCHEMES:
        return open_stream(name, settings)
    if scheme in _DEVICES:
        return _DEVICES[scheme](name, rest, settings)
    if scheme in _RECORDINGS:
        return _RECORDINGS[scheme](name, rest, settings, origin)
    raise CameraError("source_invalid", f"no camera is called {scheme}:…; write one of {', '.join(CAMERA_SCHEMES)}")


_DEVICES: dict[str, Callable[[str, str, CameraSettings], Source]] = {
    "v4l2": open_v4l2,
    "picamera2": open_picamera,
    "gst": open_pipeline,
}
_RECORDINGS: dict[str, Callable[[str, str, CameraSettings, float | None], Source]] = {
    "file": open_file,
    "dir": open_folder,
    "scene": open_scene,
}
