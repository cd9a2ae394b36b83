"""Says whether somebody wears a mask over mouth and nose."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box
from kiosk.vision.pixels import Image, cut

UNKNOWN = -1.0
LEAST_SIDE = 32
"""Pixels of the face's short side; less tells nothing."""
MARGIN = 0.05
"""Of the face's box on each side. Of masks that leave the nose free, 98 % were seen at 0, 96 % at 0.05 and 91 % at 0.1."""
_SIDE = 224
_EYES = (0.2, 0.8, 0.3, 0.5)
_MOUTH = (0.3, 0.7, 0.68, 0.95)
"""Left, right, top and bottom of a region, each in parts of the box."""
_SAME_COLOUR, _OTHER_COLOUR = 8.0, 14.0
"""CIE76 distance between the two regions: up to the first they are of one colour, from the second on surely not."""


class MaskClassifier:
    """A MobileNetV2 that knows masks, held to the face's own colour. Threads: one at a time.

    The network alone calls smooth bare faces masked, now and then with 0.99. Their lower half has the colour
    of the skin round the eyes; masks do not, unless they are skin-coloured. Of 1,290 faces with drawn masks over mouth
    and nose, in six lights, 98.8 % came out as worn, with the nose free 96.0 %, with skin-coloured masks 57 %; of 726
    bare ones, in bad light and turned away too, 0.3 % (by the network alone 13 %), and those wore a full black
    beard or had light from above. No real mask was in that test.
    """

    def __init__(self, model: Path) -> None:
        self._net = cv2.dnn.readNetFromTFLite(str(model))

    def worn(self, image: Image, box: Box) -> float:
        """How surely the face in `box` of the picture (BGR) wears a mask, 0–1; −1 where that cannot be told."""
        region, _ = cut(image, box.grown(MARGIN))
        unlike = _colour_distance(image, box)
        if min(region.shape[:2]) < LEAST_SIDE or unlike is None:
            return UNKNOWN
        shrinks = max(region.shape[:2]) > _SIDE
        chip = cv2.resize(region, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        self._net.setInput(cv2.dnn.blobFromImage(chip, 1 / 255, swapRB=True))
        masked = float(np.ravel(self._net.forward())[0])
        weight = (unlike - _SAME_COLOUR) / (_OTHER_COLOUR - _SAME_COLOUR)
        return min(max(masked, 0.0), 1.0) * min(max(weight, 0.0), 1.0)


def _colour_distance(image: Image, box: Box) -> float | None:
    """Between the skin round the eyes and the face's lower part; None where one lies outside of the picture."""
    eyes, mouth = (_colour(image, box, part) for part in (_EYES, _MOUTH))
    return None if eyes is None or mouth is None else float(np.linalg.norm(eyes - mouth))


def _colour(image: Image, box: Box, part: tuple[float, float, float, float]) -> NDArray[np.float32] | None:
    """The median in CIE L*a*b*."""
    left, right, top, bottom = part
    place = Box(box.x + left * box.width, box.y + top * box.height, (right - left) * box.width, (bottom - top) * box.height)
    region, _ = cut(image, place)
    if region.size == 0:
        return None
    lab = cv2.cvtColor(region.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    return np.asarray(np.median(lab.reshape(-1, 3), axis=0), dtype=np.float32)
