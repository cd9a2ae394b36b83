"""A small picture of one face, for sheets that show many people."""

from __future__ import annotations

import cv2
import numpy as np

from kiosk.domain import Box
from kiosk.vision.finder import turned
from kiosk.vision.photo import decode, read_header
from kiosk.vision.pixels import cut, encode_jpeg

MARGIN = 0.4
"""Of the face's longer side, on each side of it: hair and shoulders tell people apart for people."""
_QUALITY = 85


def thumbnail(photo: bytes, box: Box, turns: int, side: int) -> bytes:
    """A JPEG without EXIF, at most `side` pixels a side: the face in `box` of the photo after so many quarter turns.

    Square but where the photo ends. Raises PhotoRejected as `kiosk.vision.photo.decode` does.
    """
    image = turned(decode(photo, read_header(photo)), turns)
    longer = max(box.width, box.height)
    x, y = box.centre
    part, _ = cut(image, Box(x - longer / 2, y - longer / 2, longer, longer).grown(MARGIN))
    if part.size == 0:
        part = image
    factor = min(1.0, side / max(part.shape[:2]))
    size = (max(round(part.shape[1] * factor), 1), max(round(part.shape[0] * factor), 1))
    return encode_jpeg(np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), _QUALITY)
