"""A camera and no network: in which order an eye comes to both."""

from __future__ import annotations

from kiosk.capture.source import OPENED_FIRST, Source, open_source
from kiosk.eye.confinement import confine
from kiosk.settings import CameraSettings, EyeSettings


def open_confined(
    name: str, camera: CameraSettings, eye: EyeSettings, origin: float | None = None
) -> tuple[Source, tuple[str, ...]]:
    """Opens the camera and confines this process, whichever has to come first; what is refused is as `confine` tells.

    `origin` is as for `open_source`. Raises CameraError as `open_source` and `confine` do.
    """
    opened_first = camera.url.partition(":")[0] in OPENED_FIRST
    source = open_source(name, camera, origin) if opened_first else None
    refused = confine(required=eye.confinement == "required")
    return source or open_source(name, camera, origin), refused
