"""What one frame says about a face being alive: a network, the edges of a sheet or a screen, and the pixels' fingerprint.

The network judges a picture by its surroundings as well: simulated prints and telephones before a plain wall it saw through,
the same ones held up by somebody in a scene it took for alive (0.8 and 0.99). The edges saw all of those, and no cut-out.
For the same reason it doubts some people whose head a doorway frames: one of ten in the demo's scene, 0.3–0.7, but 0.96 and more
with the doorway painted over. A face's size is no reason: 18 of 18 real ones came out alive at 130 px of height as at 300.

Two more signals were tried and left out. Periodic energy in the face's spectrum (moiré) was no higher on simulated phone
screens than on real webcam clips, where the compression's blocks make it. Clipped highlights told screens from nothing.
Parallax has no measure of its own either, since pose holds it: a flat portrait tilted by 50° turns by 5° at most.

Against cut-outs nothing sound was found. With INTER_AREA 1 of 20 passed instead of 9, but of 116 pieces of two webcam clips 20
were refused instead of 5; with a crop of 2.35, asked once, 5 passed instead of 12, but 6 of 74 were refused instead of 1. In a
vote's time the landmarks of people moved as much like a plane as a cut-out's in 162 of 277 pieces; in a second, those of a still
moved and coded like the clip came near them. Blinks were seen in 2 of 20 pieces of 3 s.
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
from kiosk.vision.border import framed
from kiosk.vision.live_sample import LiveSample
from kiosk.vision.pixels import Image, cut

SURROUNDINGS = 2.7
"""Times the face's box: what the network was trained on."""
LEAST_SIDE = 48
"""Pixels of the face's short side; of a smaller one the network sees only what enlarging makes."""
BORDER = "border_suspected"
_SIDE = 80
_ANSWERS = "print_suspected", "live", "screen_suspected"
"""What the network's three answers stand for. That the first are prints and the last screens is what simulated ones showed."""
UNTOLD = -1.0
"""Where the face is too small for the network."""

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

    def live(self, image: Image, box: Box) -> tuple[float, str]:
        """The probability that the face in `box` of the picture (BGR) is a living one, 0–1, and the slug of the likelier attack.

        The network is asked about the picture and its mirror image. Of clips it then refused 6 of 204 people, 9 without;
        of real photos at five sizes 7 of 139, not 16; and 9 of 20 cut-outs passed, not 12.
        UNTOLD and an empty slug where the face is too small. 3 ms.
        """
        region, _ = cut(image, box)
        return self._ask(image, box) if min(region.shape[:2]) >= LEAST_SIDE else (UNTOLD, "")

    def sample(self, image: Image, face: Face, at: float, likeness: float | None = None) -> LiveSample:
        """One look at `face` of the frame (BGR) captured at `at`.

        `likeness`: the cosine of its embedding to that of the track's first face, where somebody computed it.
        """
        live, kind = self.live(image, face.box)
        region, _ = cut(image, face.box)
        return LiveSample(
            at=at,
            box=face.box,
            live=live,
            kind=kind,
            pose=face.pose,
            blendshapes=face.blendshapes,
            suspicions={BORDER: float(framed(image, face.box))},
            fingerprint=hashlib.blake2b(region.tobytes(), digest_size=16).digest(),
            likeness=likeness,
        )

    def _ask(self, image: Image, box: Box) -> tuple[float, str]:
        region, _ = cut(image, surroundings(box, image.shape[1], image.shape[0]))
        chip = cv2.resize(region, (_SIDE, _SIDE)).astype(np.float32)
        logits = (self._logits(chip) + self._logits(chip[:, ::-1])) / 2
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        return float(shares[1]), _ANSWERS[0] if shares[0] > shares[2] else _ANSWERS[2]

    def _logits(self, chip: NDArray[np.float32]) -> Logits:
        self._interpreter.set_tensor(self._input, chip[np.newaxis])
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output)[0], dtype=float)


def surroundings(box: Box, width: int, height: int) -> Box:
    """The part of a frame of `width` × `height` the network wants to see, pushed into the frame and no larger than it."""
    factor = min(SURROUNDINGS, width / box.width, height / box.height)
    wide, high = box.width * factor, box.height * factor
    x, y = box.centre
    return Box(min(max(x - wide / 2, 0.0), width - wide), min(max(y - high / 2, 0.0), height - high), wide, high)
