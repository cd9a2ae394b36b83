"""QR codes as pictures: to be printed, or held up by somebody in a scene."""

from __future__ import annotations

import cv2
import numpy as np

from kiosk.capture.frame import Image
from kiosk.capture.motion import Place

QUIET = 4
"""Modules of white around a code (ISO/IEC 18004)."""
_BELOW, _SIDE = 0.62, 1.15
"""In heights of the face: from its middle to the code's upper edge, and the code's side."""
_LOWEST = 0.99
"""Of the picture's height: where a code must end, and is smaller for it."""


def modules(text: str) -> Image:
    """One pixel a module, 0 or 255, the quiet zone included; (n, n)."""
    bare = np.asarray(cv2.QRCodeEncoder.create().encode(text), dtype=np.uint8)
    dark = bare == 0
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    code = bare[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(np.pad(code, QUIET, constant_values=255), dtype=np.uint8)


def held_up(picture: Image, code: Image, place: Place) -> None:
    """Draws `code` under the face of whoever stands at `place`; nothing where it would not lie in the picture whole."""
    height, width = picture.shape[:2]
    top = place.y + _BELOW * place.face
    side = round(min(_SIDE * place.face, _LOWEST - top) * height)
    left, upper = round(place.x * width - side / 2), round(top * height)
    if side < len(code) or left < 0 or left + side > width:
        return
    sheet = cv2.resize(code, (side, side), interpolation=cv2.INTER_AREA if side < 4 * len(code) else cv2.INTER_NEAREST)
    # As bright as paper is in this hall, and room for the noise above it.
    grey = cv2.convertScaleAbs(sheet, alpha=0.8, beta=24)
    picture[upper : upper + side, left : left + side] = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
