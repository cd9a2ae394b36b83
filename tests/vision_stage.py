"""Pictures for tests of the eye: synthetic people, frames they stand in, masks drawn on them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.vision.pixels import Image, shrink

NAMES = [f"P{number:03}" for number in range(1, 11)]
TOLD_APART = ["P002", "P003", "P005", "P006", "P008"]
GREY = 120
COLOURS = {"blue": (200, 160, 90), "white": (235, 235, 235), "black": (25, 25, 25), "red": (50, 40, 180), "green": (120, 160, 90)}
_JAW = [132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361]
_WORN = {"full": [93, *_JAW, 323, 330, 349, 197, 120, 101], "nose free": [*_JAW, 425, 2, 205]}
"""MediaPipe's numbers of the points a mask's edge runs through."""


@lru_cache(maxsize=40)
def _read(file: Path) -> Image:
    image = cv2.imread(str(file), cv2.IMREAD_REDUCED_COLOR_2)
    return np.asarray(image, dtype=np.uint8)


def picture(people: Path, name: str, kind: str, height: int) -> Image:
    image = _read(people / name / "assets" / f"{kind}.jpg")
    return shrink(image, height / image.shape[0])


def scene(*portraits: Image, width: int = 1280, height: int = 720) -> Image:
    """A grey frame with pictures side by side, standing on its lower edge."""
    frame = np.full((height, width, 3), GREY, np.uint8)
    left = (width - sum(each.shape[1] for each in portraits)) // 2
    for each in portraits:
        frame[height - each.shape[0] :, left : left + each.shape[1]] = each
        left += each.shape[1]
    return frame


def encoded(image: Image, suffix: str = ".jpg", *options: int) -> bytes:
    done, buffer = cv2.imencode(suffix, image, options)
    assert done
    return buffer.tobytes()


def wearing(image: Image, points: NDArray[np.float32], worn: str, colour: str) -> Image:
    """The picture with a mask drawn over the face whose 478 landmarks are given, shaded as the face beneath it."""
    edge = [points[_WORN[worn], :2].astype(np.int32)]
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, edge, 255)
    reach = image.shape[1] // 20
    light = cv2.blur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (reach, reach)).astype(np.float32)
    shade = np.clip(light / max(float(light[mask > 0].mean()), 1.0), 0.5, 1.4)[:, :, None]
    weave = np.random.default_rng(1).normal(0, 4, image.shape)
    cloth = np.clip(np.array(COLOURS[colour]) * shade + weave, 0, 255)
    soft = cv2.GaussianBlur(mask, (0, 0), max(image.shape[1] / 400, 0.6))[:, :, None] / 255
    return np.asarray(image * (1 - soft) + cloth * soft, dtype=np.uint8)
