"""What several vision modules do to pictures. A picture is ``uint8[height, width, 3]``, BGR."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box

Image = NDArray[np.uint8]
Grey = NDArray[np.uint8]
"""``uint8[height, width]``: luma."""


def shrink(image: Image, factor: float) -> Image:
    """The picture at `factor` of its size, at least one pixel each way; itself where `factor` ≥ 1.

    INTER_AREA: a faster filter aliases, which moved landmarks by as much as 9 px.
    """
    if factor >= 1:
        return image
    height, width = image.shape[:2]
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def cut(image: Image, box: Box) -> tuple[Image, tuple[int, int]]:
    """A view of the part of the picture inside `box`, and the view's top left corner; empty where the box lies outside."""
    height, width = image.shape[:2]
    left, top, right, bottom = box.pixels(width, height)
    return image[top:bottom, left:right], (left, top)


def grey(image: Image) -> Grey:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def encode_jpeg(image: Image, quality: int) -> bytes:
    """Without EXIF. `quality`: 0–100."""
    done, buffer = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "a picture in memory always encodes"
    return buffer.tobytes()
