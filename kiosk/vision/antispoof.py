"""What one frame says about a face being alive: a network, straight edges round the face, and the pixels' fingerprint.

Two more signals were tried and left out. Periodic energy in the face's spectrum (moiré) was no higher on simulated phone
screens than on real webcam clips, where the compression's blocks make it. Clipped highlights told screens from nothing.
Parallax has no measure of its own either, since pose holds it: a flat portrait tilted by 50° turns by 5° at most.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain import Box, Face
from kiosk.errors import CameraError
from kiosk.vision.live_sample import LiveSample
from kiosk.vision.pixels import Image, cut, shrink

SURROUNDINGS = 2.7
"""Times the face's box: what the network was trained on."""
LEAST_SIDE = 48
"""Pixels of the face's short side; of a smaller one the network sees only what enlarging makes."""
BORDER = "border_suspected"
_SIDE = 80
_ANSWERS = "print_suspected", "live", "screen_suspected"
"""What the network's three answers stand for. That the first are prints and the last screens is what simulated ones showed."""
_AROUND, _FACE_HEIGHT = 1.3, 160
"""Border: how far round the face it is looked for, in parts of the box, and how high the face is then in pixels."""
_STRAIGHT, _LEVEL = 130, 15.0
"""Least length of an edge in those pixels; degrees it may lean."""

Logits = NDArray[np.floating[Any]]


class AntiSpoof:
    """MiniFASNetV2 of Minivision's Silent-Face-Anti-Spoofing, through LiteRT. Threads: one at a time."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        """Raises CameraError `system_incomplete` where LiteRT does not load."""
        try:
            # Imported here, because doors that do not ask for liveness need no LiteRT.
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415
        except ImportError as error:
            raise CameraError("system_incomplete", f"LiteRT does not load: {error}") from error
        self._interpreter = Interpreter(model_path=str(model), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def sample(self, image: Image, face: Face, at: float, likeness: float | None = None) -> LiveSample:
        """One look at `face` of the frame (BGR) captured at `at`.

        `likeness`: the cosine of its embedding to that of the track's first face, where somebody computed it.
        """
        region, _ = cut(image, face.box)
        live, kind = self._ask(image, face.box) if min(region.shape[:2]) >= LEAST_SIDE else (-1.0, "")
        return LiveSample(
            at=at,
            box=face.box,
            live=live,
            kind=kind,
            pose=face.pose,
            blendshapes=face.blendshapes,
            suspicions={BORDER: border(image, face.box)},
            fingerprint=hashlib.blake2b(region.tobytes(), digest_size=16).digest(),
            likeness=likeness,
        )

    def _ask(self, image: Image, box: Box) -> tuple[float, str]:
        """The probability of a living face, and the likelier kind of attack."""
        region, _ = cut(image, surroundings(box, image.shape[1], image.shape[0]))
        chip = cv2.resize(region, (_SIDE, _SIDE)).astype(np.float32)
        self._interpreter.set_tensor(self._input, chip[np.newaxis])
        self._interpreter.invoke()
        logits = self._interpreter.get_tensor(self._output)[0].astype(float)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        return float(shares[1]), _ANSWERS[0] if shares[0] > shares[2] else _ANSWERS[2]


def surroundings(box: Box, width: int, height: int) -> Box:
    """The part of a frame of `width` × `height` the network wants to see, pushed into the frame and no larger than it."""
    factor = min(SURROUNDINGS, width / box.width, height / box.height)
    wide, high = box.width * factor, box.height * factor
    x, y = box.centre
    return Box(min(max(x - wide / 2, 0.0), width - wide), min(max(y - high / 2, 0.0), height - high), wide, high)


def border(image: Image, box: Box) -> float:
    """How many of the face's four sides have a long straight edge beside them, 0–1: a sheet or a screen has all four.

    Weak and dear: of ten simulated attacks each it saw 3 flat prints, no bent one and 4 tablets, and no live face, in 14 ms.
    Over a face half as high it took 7 ms and saw 8, 7 and 8 – and 2 of 10 live faces, which is too many.
    """
    region, (left, top) = cut(image, box.grown(_AROUND))
    if region.size == 0:
        return 0.0
    factor = min(_FACE_HEIGHT / box.height, 1.0)
    edges = cv2.Canny(cv2.cvtColor(shrink(region, factor), cv2.COLOR_BGR2GRAY), 40, 120)
    length = _STRAIGHT / _FACE_HEIGHT * box.height * factor
    lines = cv2.HoughLinesP(edges, 1, np.pi / 360, 60, minLineLength=length, maxLineGap=6)
    if lines is None:
        return 0.0
    inside = box.moved(-left, -top).scaled(factor)
    sides = {_side(x0, y0, x1, y1, inside) for x0, y0, x1, y1 in lines.reshape(-1, 4).astype(float)} - {""}
    # Three sides are a door's frame; only all four say that the face is in a frame of its own.
    return 1.0 if len(sides) == 4 else len(sides) / 10


def _side(x0: float, y0: float, x1: float, y1: float, face: Box) -> str:
    """The side of the face that the edge runs along; empty where it runs along none."""
    lean = np.degrees(np.arctan2(abs(y1 - y0), abs(x1 - x0)))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    if lean >= 90 - _LEVEL and min(y0, y1) < face.bottom and max(y0, y1) > face.y:
        return "left" if x <= face.x else "right" if x >= face.right else ""
    if lean <= _LEVEL and min(x0, x1) < face.right and max(x0, x1) > face.x:
        return "top" if y <= face.y else "bottom" if y >= face.bottom else ""
    return ""
