"""The landmark engine of LiteRT: the same networks out of the same file as MediaPipe's, without MediaPipe.

What happens between the networks, and every number in it, is what MediaPipe's graphs do (mediapipe/tasks/cc/vision:
face_detector_graph.cc, face_landmarks_detector_graph.cc, face_blendshapes_graph.cc), because the networks are trained
for it and the thresholds on pose and blendshapes were measured with it.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.errors import CameraError
from kiosk.vision.face_geometry import CanonicalFace, matrix_of
from kiosk.vision.landmarks import Mesh
from kiosk.vision.pixels import Image

LEAST_LOGIT = 0.0
"""Of the detector and of the landmark network: a probability of 0.5, MediaPipe's default for both."""
SAME_FACE = 0.5
"""Overlap (intersection over union) from which two detections are of one face."""
GROWN = 1.5
"""The landmark network's region, over the detector's box."""
POINTS = 478

_DETECTOR_SIDE, _MESH_SIDE = 128, 256
"""Pixels of the networks' square inputs."""
_ANCHORS = ((16, 2), (8, 6))
"""Of the detector: cells a side of each grid, and anchors a cell."""
_RIGHT_EYE, _LEFT_EYE = slice(4, 6), slice(6, 8)
"""Of a detection, after its box."""

Floats = NDArray[np.floating[Any]]


class Region(NamedTuple):
    """A turned rectangle in pixels of the crop: its centre, its size, and its turn clockwise in radians."""

    x: float
    y: float
    width: float
    height: float
    turn: float

    def transform(self, side: int) -> Floats:
        """float[2, 3]: from a picture of the region, `side` pixels square, to the crop."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        axes = np.array([[cos * self.width, -sin * self.height], [sin * self.width, cos * self.height]]) / side
        return np.column_stack([axes, (self.x, self.y) - axes.sum(axis=1) * side / 2])

    def picture(self, crop: Image, side: int, border: int) -> Image:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(crop, self.transform(side), (side, side), flags=flags, borderMode=border)
        return np.asarray(warped, dtype=np.uint8)


class LiteRtEngine:
    """Threads: one at a time."""

    def __init__(self, model: Path, threads: int) -> None:
        """`threads`: how many each network may use. Raises CameraError `system_incomplete` where LiteRT does not load."""
        with zipfile.ZipFile(model) as task:
            self._detector = _Network(task.read("face_detector.tflite"), threads)
            self._mesh = _Network(task.read("face_landmarks_detector.tflite"), threads)
            self._blendshapes = _Network(task.read("face_blendshapes.tflite"), threads)
            self._canonical = CanonicalFace.read(task.read("geometry_pipeline_metadata_landmarks.binarypb"))
        self._anchors = _anchors()

    def look(self, crop: Image) -> Mesh | None:
        region = self._find(crop)
        if region is None:
            return None
        points = self._locate(crop, region)
        if points is None:
            return None
        height, width = crop.shape[:2]
        in_crop = points / (width, height, width)
        matrix = matrix_of(in_crop, width / height, self._canonical)
        if matrix is None:
            return None
        (scores,) = self._blendshapes(points[_EXPRESSIVE, :2].astype(np.float32))
        return Mesh(in_crop, dict(zip(BLENDSHAPES, scores.ravel().tolist(), strict=True)), matrix)

    def close(self) -> None:
        """LiteRT gives everything back with the engine itself."""

    def _find(self, crop: Image) -> Region | None:
        """Where the surest face of the crop is."""
        height, width = crop.shape[:2]
        side = max(height, width)
        whole = Region(width / 2, height / 2, side, side, 0)
        picture = whole.picture(crop, _DETECTOR_SIDE, cv2.BORDER_CONSTANT)
        boxes, logits = self._detector(np.multiply(picture, 1 / 127.5, dtype=np.float32) - np.float32(1))
        found = _surest(boxes[0], logits[0, :, 0], self._anchors)
        if found is None:
            return None
        to_crop = whole.transform(_DETECTOR_SIDE)
        x, y = to_crop[:, :2] @ found[:2] + to_crop[:, 2]
        across, down = found[_LEFT_EYE] - found[_RIGHT_EYE]
        grown = GROWN * side / _DETECTOR_SIDE
        return Region(float(x), float(y), float(found[2] * grown), float(found[3] * grown), float(np.arctan2(down, across)))

    def _locate(self, crop: Image, region: Region) -> Floats | None:
        """float64[478, 3] in pixels of the crop."""
        picture = region.picture(crop, _MESH_SIDE, cv2.BORDER_REPLICATE)
        mesh, presence, _ = self._mesh(np.multiply(picture, 1 / 255, dtype=np.float32))
        if not presence.item() > LEAST_LOGIT or not np.isfinite(mesh).all():
            return None
        points = mesh.reshape(POINTS, 3).astype(float)
        to_crop = region.transform(_MESH_SIDE)
        # MediaPipe measures depth along the region's upper edge, as a share of the crop's width across and of its height down.
        aspect = crop.shape[1] / crop.shape[0]
        stretch = np.hypot(np.cos(region.turn), np.sin(region.turn) * aspect) * region.width / _MESH_SIDE
        return np.column_stack([points[:, :2] @ to_crop[:, :2].T + to_crop[:, 2], points[:, 2] * stretch])


class _Network:
    """A TFLite model of one input, on LiteRT's interpreter with XNNPACK."""

    def __init__(self, model: bytes, threads: int) -> None:
        try:
            # Imported here, because the engine may be looked at where its library is not.
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415
        except ImportError as error:
            raise CameraError("system_incomplete", f"LiteRT does not load: {error}") from error
        self._interpreter = Interpreter(model_content=model, num_threads=threads)
        self._interpreter.allocate_tensors()
        (given,) = self._interpreter.get_input_details()
        self._input = given["index"]
        self._outputs = [each["index"] for each in self._interpreter.get_output_details()]

    def __call__(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Copies of all outputs. LiteRT itself refuses `values` of another shape or type with ValueError."""
        self._interpreter.set_tensor(self._input, values[np.newaxis])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _anchors() -> Floats:
    """float[896, 2]: the centres of the detector's anchors in pixels of its input."""
    grids = []
    for cells, each in _ANCHORS:
        centres = (np.arange(cells) + 0.5) * _DETECTOR_SIDE / cells
        down, across = np.meshgrid(centres, centres, indexing="ij")
        grids.append(np.repeat(np.column_stack([across.ravel(), down.ravel()]), each, axis=0))
    return np.concatenate(grids)


def _surest(boxes: NDArray[np.float32], logits: NDArray[np.float32], anchors: Floats) -> Floats | None:
    """The likeliest detection, averaged with those that overlap it: centre, size and six points, in pixels of the input."""
    sure = np.flatnonzero(logits >= LEAST_LOGIT)
    sure = sure[(boxes[sure, 2:4] > 0).all(axis=1) & np.isfinite(boxes[sure]).all(axis=1)]
    if sure.size == 0:
        return None
    found, scores = boxes[sure].astype(float), 1 / (1 + np.exp(-logits[sure].astype(float)))
    found.reshape(len(found), -1, 2)[:, [0, 2, 3, 4, 5, 6, 7]] += anchors[sure, np.newaxis]
    low, high = found[:, :2] - found[:, 2:4] / 2, found[:, :2] + found[:, 2:4] / 2
    best = scores.argmax()
    shared = np.clip(np.minimum(high, high[best]) - np.maximum(low, low[best]), 0, None).prod(axis=1)
    areas = found[:, 2:4].prod(axis=1)
    same = shared / (areas + areas[best] - shared) > SAME_FACE
    return np.average(found[same], axis=0, weights=scores[same])


_EXPRESSIVE = np.array(
    [
        *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80, 81),
        *(82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154),
        *(155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263),
        *(267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321),
        *(323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387),
        *(388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, *range(468, 478)),
    ]
)
"""The landmarks the blendshapes are computed from, in the network's order."""

BLENDSHAPES = (
    "_neutral",
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight"),
    *("eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight"),
    *("eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight"),
    *("jawForward", "jawLeft", "jawOpen", "jawRight"),
    *("mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel"),
    *("mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker"),
    *("mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
"""The blendshapes in the network's order, by the names of Apple's ARKit."""
