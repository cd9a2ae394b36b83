"""Turns a face into the 128 numbers it is compared by on this device."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kiosk.domain import Face
from kiosk.vision.pixels import Image

UPPER_ROWS = 64
"""Of the 112 rows of the aligned face: the eyes lie in row 52, the tip of the nose in row 72. Where a mask begins."""
_FOREHEAD_ROWS = 16
"""Hair and hats, which a glance leaves out."""
_CELLS = (8, 16)
GREY = 127
"""Of what is covered. Its colour makes no difference that could be measured."""


class Embedder:
    """SFace on the face aligned to 112 × 112 px by its five points. Threads: one at a time."""

    def __init__(self, model: Path) -> None:
        self._net = cv2.FaceRecognizerSF.create(str(model), "")

    def embed(self, image: Image, face: Face) -> bytes:
        """128 float32, little endian, L2-normalised: the dot product of two is their cosine. `face` is in pixels of `image`."""
        return self._feature(self._aligned(image, face))

    def embed_upper(self, image: Image, face: Face) -> bytes:
        """The same of the part of the face that a mask leaves free; comparable with other such embeddings only.

        Covering bare and masked faces alike recognises people with masks on as well as drawing masks on references, or
        doing nothing, does: about 99 % at a false match rate of one in a hundred, whichever way. But only here does it not matter
        what a mask shows: of strangers whose mask bore the lower face of somebody enrolled, whole faces took 11 % for them at
        a threshold for one in a thousand, upper faces 0.4 %. A crop stretched to the network's input recognises hardly anybody.
        """
        chip = self._aligned(image, face).copy()
        chip[UPPER_ROWS:] = GREY
        return self._feature(chip)

    def glance(self, image: Image, face: Face) -> bytes:
        """128 float32 as of `embed`, of the aligned face's grey in as many cells: alike in two frames that follow each other."""
        luma = cv2.cvtColor(self._aligned(image, face)[_FOREHEAD_ROWS:], cv2.COLOR_BGR2GRAY)
        cells = np.asarray(cv2.resize(luma, _CELLS, interpolation=cv2.INTER_AREA), dtype=np.float32).ravel()
        cells -= cells.mean()
        return np.asarray(cells / max(float(np.linalg.norm(cells)), 1.0), "<f4").tobytes()

    def _aligned(self, image: Image, face: Face) -> Image:
        box = face.box
        row = np.array(
            [[box.x, box.y, box.width, box.height, *(v for point in face.points for v in point), face.score]], np.float32
        )
        return np.asarray(self._net.alignCrop(image, row), dtype=np.uint8)

    def _feature(self, chip: Image) -> bytes:
        feature = np.asarray(self._net.feature(chip), dtype=np.float64).reshape(128)
        length = float(np.linalg.norm(feature))
        assert length > 0, "SFace ends in a normalised layer: no picture gives a zero vector"
        return (feature / length).astype("<f4").tobytes()
