"""QR codes that somebody shows to the camera."""

from __future__ import annotations

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.vision.pixels import Image

EVERY = 0.25
"""Seconds between two looks at least."""
SHARE = 0.1
"""Of the processor's time that looks may take: after a dear one, the next one waits for longer."""
LONGEST = 500
"""Characters; a longer text is no credential."""
_WIDTH = 800
"""Codes are looked for in a copy of this width. The one found is read as the camera shows it, with `_MARGIN` of its side
around it."""
_MARGIN = 0.15
_SIDE = 560
"""Pixels of what is read at most: the largest code that is a credential has some 90 modules with its edge."""
_PATIENCE = 0.03
"""Seconds of the processor's time; after them no further size is tried."""
_SIZES = (0.7, 1.4)
"""One code in a hundred, however clear, is not read in its own size, and is in another one."""


class CodeReader:
    """Not thread-safe.

    OpenCV has three detectors of QR codes. The oldest one writes past its memory on pictures of some heights (4.14, 540
    lines); the one by markers finds, and WeChat's reads, more than either does alone.
    """

    def __init__(self) -> None:
        self._finder = cv2.QRCodeDetectorAruco()
        self._reader = cv2.wechat_qrcode.WeChatQRCode()
        self._next = 0.0

    def look(self, image: Image, at: float) -> str:
        """The text of a code in a frame captured `at` monotonic seconds; empty where there is none, or it is not time yet."""
        if at < self._next:
            return ""
        begun = time.thread_time()
        text = self._read(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8))
        self._next = at + max(EVERY, (time.thread_time() - begun) / SHARE)
        return text

    def _read(self, grey: Image) -> str:
        factor = min(_WIDTH / grey.shape[1], 1.0)
        small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else grey
        try:
            found, corners = self._finder.detect(small)
            if not found:
                return ""
            code = _around(grey, np.asarray(corners, dtype=np.float64).reshape(-1, 2) / factor)
            begun = time.thread_time()
            return self._text_of(code) or self._in_another_size(code, begun)
        except (cv2.error, UnicodeDecodeError):
            return ""  # what only looks like a code, or holds no text

    def _in_another_size(self, code: Image, begun: float) -> str:
        for size in _SIZES:
            if time.thread_time() - begun > _PATIENCE:
                break
            text = self._text_of(np.asarray(cv2.resize(code, None, fx=size, fy=size, interpolation=cv2.INTER_AREA), np.uint8))
            if text:
                return text
        return ""

    def _text_of(self, code: Image) -> str:
        texts, _ = self._reader.detectAndDecode(code)
        return next((text for text in texts if text and len(text) <= LONGEST), "")


def _around(grey: Image, corners: NDArray[np.float64]) -> Image:
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = _MARGIN * float((high - low).max())
    left, top = np.maximum(low - margin, 0).astype(int)
    right, bottom = np.ceil(high + margin).astype(int)
    code = np.ascontiguousarray(grey[top:bottom, left:right])
    factor = _SIDE / max(code.shape)
    return (
        code if factor >= 1 else np.asarray(cv2.resize(code, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    )
