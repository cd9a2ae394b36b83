"""Encodes the picture of one face that may leave the eye."""

from __future__ import annotations

import msgspec
import numpy as np

from kiosk.domain import Box, Face
from kiosk.errors import ProbeRejected
from kiosk.settings import PresentationSettings
from kiosk.vision.pixels import Image, cut, encode_jpeg, shrink

MARGIN = 0.4
"""Of the face's box on each side: hair and chin are in, and the vendor's finder has room."""
MIN_SIDE = 64
"""Pixels; the vendor refuses less."""
_LOWEST_QUALITY = 50
_QUALITY_STEP = 10
_SMALLER = 0.7


def crop(image: Image, box: Box) -> tuple[Image, tuple[int, int]]:
    """A copy of the face with its margin, clipped to the frame, and the copy's top left corner in the frame."""
    region, corner = cut(image, box.grown(MARGIN))
    return np.ascontiguousarray(region).copy(), corner


def moved(face: Face, dx: float, dy: float) -> Face:
    """The same face in a picture whose corner lies elsewhere."""
    right_eye, left_eye, nose, right_mouth, left_mouth = ((x + dx, y + dy) for x, y in face.points)
    points = right_eye, left_eye, nose, right_mouth, left_mouth
    return msgspec.structs.replace(face, box=face.box.moved(dx, dy), points=points)


def encode(image: Image, face: Face, settings: PresentationSettings, max_bytes: int = 1_000_000) -> tuple[bytes, tuple[int, int]]:
    """JPEG without EXIF of the face in `image` with its margin, and its width and height in pixels.

    Never enlarged; the long side at most `probe_long_side` unless that would make the short side less than 64 px.
    JPEG quality, and at last size, go down only as far as `max_bytes` asks. Raises ProbeRejected:
    `picture_rejected` where the crop's short side has under 64 px, `probe_too_large` where nothing fits.
    """
    picture, _ = cut(image, face.box.grown(MARGIN))
    short, long = sorted(picture.shape[:2])
    if short < MIN_SIDE:
        raise ProbeRejected("picture_rejected", f"the crop's short side has {short} px")
    picture = shrink(picture, max(settings.probe_long_side / long, MIN_SIDE / short))
    while min(picture.shape[:2]) >= MIN_SIDE:
        for quality in range(settings.probe_quality, _LOWEST_QUALITY - 1, -_QUALITY_STEP):
            jpeg = encode_jpeg(picture, quality)
            if len(jpeg) <= max_bytes:
                return jpeg, (picture.shape[1], picture.shape[0])
        picture = shrink(picture, _SMALLER)
    raise ProbeRejected("probe_too_large", f"no JPEG of the face has {max_bytes} bytes or less")
