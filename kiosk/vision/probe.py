"""Encodes the picture of one face that may leave the eye."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from kiosk.domain import Face
from kiosk.errors import ProbeRejected
from kiosk.settings import PresentationSettings
from kiosk.vision.pixels import Image, cut, encode_jpeg, shrink

MARGIN = 0.4
"""Of the face's box on each side: hair and chin are in, and the vendor's finder has room."""
MIN_SIDE = 64
"""Pixels; the vendor refuses less."""
MAX_BYTES = 1_000_000
"""What every interface takes, so that one probe may go to any of them in turn: with base64's third more, the body stays under the
1.5 MB of the older host; a picture of the current interfaces may have 5 MB in base64, a body of either 10 MB."""
UPRIGHT_WITHIN = 15.0
"""Degrees of roll that are left as they are. Recognisers level the eyes themselves, and turning softens the picture a little;
beyond this the crop would cut into the chin or hair, and further on finders begin to miss the face."""
_WIDE_MARGIN = 0.9
"""Kept around a face that will be turned, so that no corner of the probe is made up."""
_LOWEST_QUALITY = 50
_QUALITY_STEP = 10
_SMALLER = 0.7


def crop(image: Image, face: Face) -> tuple[Image, tuple[int, int]]:
    """A copy of the face with as much around it as `encode` needs, clipped to the frame, and its top left corner in the frame."""
    region, corner = cut(image, face.box.grown(MARGIN if _tilt(face) == 0 else _WIDE_MARGIN))
    return np.ascontiguousarray(region).copy(), corner


def moved(face: Face, dx: float, dy: float) -> Face:
    """The same face in a picture whose corner lies elsewhere."""
    right_eye, left_eye, nose, right_mouth, left_mouth = ((x + dx, y + dy) for x, y in face.points)
    points = right_eye, left_eye, nose, right_mouth, left_mouth
    return msgspec.structs.replace(face, box=face.box.moved(dx, dy), points=points)


def upright(image: Image, face: Face) -> Image:
    """The picture turned about the face's centre; what would come from outside repeats the picture's edge."""
    tilt = _tilt(face)
    if tilt == 0:
        return image
    turn = cv2.getRotationMatrix2D(face.box.centre, tilt, 1.0)
    size = image.shape[1], image.shape[0]
    turned = cv2.warpAffine(image, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


def encode(image: Image, face: Face, settings: PresentationSettings, max_bytes: int = MAX_BYTES) -> tuple[bytes, tuple[int, int]]:
    """JPEG without EXIF of the face in `image` with its margin, and its width and height in pixels.

    Turned upright where the head leans by more than UPRIGHT_WITHIN. Never enlarged; the long side at most `probe_long_side`
    unless that would make the short side less than 64 px.
    JPEG quality, and at last size, go down only as far as `max_bytes` asks. Raises ProbeRejected:
    `picture_rejected` where the crop's short side has under 64 px, `probe_too_large` where nothing fits.
    """
    image = upright(image, face)
    picture, _ = cut(image, face.box.grown(MARGIN))
    short, long = sorted(picture.shape[:2])
    if short < MIN_SIDE:
        raise ProbeRejected("picture_rejected", f"the crop's short side has {short} px")
    picture = shrink(picture, max(settings.probe_long_side / long, MIN_SIDE / short))
    while True:
        for quality in range(settings.probe_quality, _LOWEST_QUALITY - 1, -_QUALITY_STEP):
            jpeg = encode_jpeg(picture, quality)
            if len(jpeg) <= max_bytes:
                return jpeg, (picture.shape[1], picture.shape[0])
        short = min(picture.shape[:2])
        if short <= MIN_SIDE:
            break
        picture = shrink(picture, max(_SMALLER, MIN_SIDE / short))
    raise ProbeRejected("probe_too_large", f"no JPEG of the face has {max_bytes} bytes or less")


def _tilt(face: Face) -> float:
    """Degrees by which the head leans clockwise in the picture; 0 where that is left as it is or not known.

    From the landmarks: the five points of a face found in a small copy lean by a quarter of what the face does.
    """
    tilt = -face.pose.roll if face.pose else 0.0
    return tilt if abs(tilt) > UPRIGHT_WITHIN else 0.0
