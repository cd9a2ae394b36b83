"""Cameras."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from kiosk.errors import did_you_mean
from kiosk.settings.base import Section, Share

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
LIVE_SCHEMES = ("v4l2", "picamera2", "gst", *STREAM_SCHEMES)
"""Cameras that set the pace themselves; the others are recordings."""
CAMERA_SCHEMES = (*LIVE_SCHEMES, "file", "dir", "scene")
LEAST_REGION = 0.1
"""Share of a picture's width and height."""


class CameraSettings(Section):
    url: str = "v4l2:/dev/video0"
    """`v4l2:/dev/video0`, `rtsp://…`, `file:clip.mp4`, `dir:photos/`, `scene:demo` or `scene:FILE.toml`;
    `picamera2:0` on Raspberry Pi OS; `gst:` and a GStreamer pipeline without its sink, as for a Jetson's camera.
    `v4l2:serial=…` and `v4l2:path=…` find a camera again whatever its number; `kiosk camera list` shows them."""
    width: Annotated[int, Field(ge=160, le=4096)] = 1280
    """Pixels asked for; a camera that has another size keeps its own."""
    height: Annotated[int, Field(ge=120, le=4096)] = 720
    fps: Annotated[float, Field(ge=1, le=60)] = 15.0
    """Frames a second asked for; files, folders and scenes are played at this pace."""
    loop: bool = True
    """Whether a file, folder or scene starts again at its end."""
    pixels: Literal["auto", "mjpg", "yuyv"] = "auto"
    """What a `v4l2:` camera is asked to send: MJPEG reaches larger sizes and rates, YUYV spares the decoding."""
    exposure_ms: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Milliseconds; of a `v4l2:` camera, like the following. Without a value the camera decides, or keeps what was set."""
    gain: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """In the camera's own steps."""
    focus: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """In the camera's own steps."""
    white_balance: Annotated[int, Field(ge=1000, le=20_000)] | None = None
    """Kelvin."""
    power_line: Literal["unchanged", "off", "50", "60", "auto"] = "unchanged"
    """Hertz of the mains, against flickering lamps."""
    region: tuple[Share, Share, Share, Share] = (0.0, 0.0, 1.0, 1.0)
    """The part of the camera's picture that is looked at: left, top, right, bottom, as shares of its width and height."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees by which the region is turned clockwise, so that people stand upright."""
    mirror: bool = False
    """Whether left and right are exchanged, after turning."""
    soundness: Literal["live", "always", "never"] = "live"
    """Where frozen, looped, black, white and flickering pictures are refused; `live`: of cameras, since recordings repeat."""
    frozen_after: Annotated[float, Field(ge=0.5, le=60)] = 2.0
    """Seconds without any change of picture after which a camera is frozen; a network camera gets ten times as long."""

    @property
    def shown(self) -> str:
        """The URL as it may be shown: of an address, without login and query, which may hold a password or token."""
        if not self.url.startswith(STREAM_SCHEMES):
            return self.url
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme, _, rest = url.partition(":")
        if scheme not in CAMERA_SCHEMES or not rest:
            near = did_you_mean(scheme, CAMERA_SCHEMES)
            raise ValueError(f"'{url}' is no camera; write one of {', '.join(f'{s}:…' for s in CAMERA_SCHEMES)}{near}")
        return url

    @field_validator("region")
    @classmethod
    def _large_enough(cls, region: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, top, right, bottom = region
        if right - left < LEAST_REGION or bottom - top < LEAST_REGION:
            raise ValueError(f"region {list(region)} is left, top, right, bottom, at least {LEAST_REGION:g} wide and high")
        return region
