"""Opens a camera by its URL."""

from __future__ import annotations

from kiosk.capture.frame import Frame, Source
from kiosk.capture.opencv import open_file, open_stream
from kiosk.capture.pictures import open_folder
from kiosk.capture.scene import open_scene
from kiosk.capture.v4l2 import open_v4l2
from kiosk.capture.view import viewed
from kiosk.errors import CameraError
from kiosk.settings import CAMERA_SCHEMES, CameraSettings

__all__ = ["Frame", "Source", "open_source"]


def open_source(name: str, settings: CameraSettings, origin: float | None = None) -> Source:
    """Opens the camera that `settings.url` names; `name` is what its frames are called.

    Its pictures are made as the settings' region, rotation and mirror say.
    `origin`: monotonic seconds at which this camera was first opened, None for now. A file, folder or
    scene goes on where it would be now, as a live camera does; for a live camera it means nothing.
    Raises CameraError: `camera_missing` where it cannot be opened, `source_invalid` where it cannot be played.
    """
    return viewed(_opened(name, settings, origin), settings)


def _opened(name: str, settings: CameraSettings, origin: float | None) -> Source:
    scheme, _, rest = settings.url.partition(":")
    match scheme:
        case "v4l2":
            return open_v4l2(name, rest, settings)
        case "rtsp" | "rtsps" | "http" | "https":
            return open_stream(name, settings)
        case "file":
            return open_file(name, rest, settings, origin)
        case "dir":
            return open_folder(name, rest, settings, origin)
        case "scene":
            return open_scene(name, rest, settings, origin)
    raise CameraError("source_invalid", f"no camera is called {scheme}:…; write one of {', '.join(CAMERA_SCHEMES)}")
