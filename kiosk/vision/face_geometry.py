"""Where a face stands before the camera, from its landmarks: MediaPipe's canonical face fitted to them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

VERTICES = 468
"""Of the canonical face; the ten points of the irises are not part of it."""
FIELD_OF_VIEW = 63.0
"""Degrees from the crop's lower to its upper edge: the camera MediaPipe's FaceLandmarker assumes."""

_POSITION_AND_TEXTURE = 5
_LEAST = 1e-9
_MIRROR_DEPTH = np.array([1.0, 1.0, -1.0])
"""Landmarks count depth away from the camera, the canonical face towards it."""
_MESH, _BASIS = 1, 2
_VERTEX_BUFFER = 3
_LANDMARK, _WEIGHT = 1, 2
"""Fields of MediaPipe's geometry_pipeline_metadata.proto, and of the two messages inside it."""

Floats = NDArray[np.floating[Any]]


class CanonicalFace(NamedTuple):
    """The vertices that count when the pose is fitted.

    `indices`: which landmarks they are; `points`: [n, 3] in centimetres, x to the picture's right, y up, z towards the
    camera; `weights`: [n], all above 0.
    """

    indices: NDArray[np.intp]
    points: Floats
    weights: Floats

    @classmethod
    def read(cls, metadata: bytes) -> Self:
        """From the member `geometry_pipeline_metadata_landmarks.binarypb` of the model's file."""
        fields = [(number, value) for number, value in _fields(metadata) if isinstance(value, bytes)]
        (mesh,) = (value for number, value in fields if number == _MESH)
        buffer = b"".join(value for number, value in _fields(mesh) if number == _VERTEX_BUFFER and isinstance(value, bytes))
        vertices = np.frombuffer(buffer, "<f4").reshape(VERTICES, _POSITION_AND_TEXTURE)[:, :3].astype(float)
        basis = [dict(_fields(value)) for number, value in fields if number == _BASIS]
        # A field that holds zero is left out of the message.
        indices = np.array([entry.get(_LANDMARK, 0) for entry in basis], np.intp)
        weights = np.frombuffer(b"".join(bytes(entry[_WEIGHT]) for entry in basis), "<f4").astype(float)
        return cls(indices, vertices[indices], weights)


def matrix_of(points: Floats, aspect: float, face: CanonicalFace) -> Floats | None:
    """The 4 × 4 matrix that turns, scales and moves the canonical face onto the landmarks; None where they give none.

    `points`: [478, 3] as in `landmarks.Mesh`; `aspect`: width of the crop over its height. The depths of landmarks are
    relative, so the face's distance is found in two steps: from its size without perspective, then with.
    """
    height = 2 * np.tan(np.radians(FIELD_OF_VIEW) / 2)
    unit = np.array([aspect * height, height, aspect * height])
    # On the plane one unit before the camera, x to the right and y up from its axis.
    seen = (points[face.indices] * (1, -1, 1) + (-0.5, 0.5, 0)) * unit
    depth = seen[:, 2] - points[:VERTICES, 2].mean() * unit[2] + 1
    flat = _fit(face, seen * _MIRROR_DEPTH)
    if flat is None:
        return None
    first = _scale(flat)
    near = _fit(face, _unprojected(seen, depth / first))
    if near is None:
        return None
    return _fit(face, _unprojected(seen, depth / (first * _scale(near))))


def _unprojected(seen: Floats, depth: Floats) -> Floats:
    return np.column_stack([seen[:, 0] * depth, seen[:, 1] * depth, -depth])


def _scale(matrix: Floats) -> float:
    return float(np.linalg.norm(matrix[:3, 0]))


def _fit(face: CanonicalFace, targets: Floats) -> Floats | None:
    """Weighted orthogonal Procrustes fit with scale (D. Akca, Generalized Procrustes analysis, 2003, § 2.4)."""
    share = (face.weights / face.weights.sum())[:, None]
    middle, middle_of_targets = (share * face.points).sum(axis=0), (share * targets).sum(axis=0)
    centred = face.points - middle
    design = (share * (targets - middle_of_targets)).T @ centred
    if not np.linalg.norm(design) > _LEAST:
        return None
    left, _, right = np.linalg.svd(design)
    # A reflection would fit a face turned inside out.
    left[:, 2] *= np.sign(np.linalg.det(left) * np.linalg.det(right))
    rotation = left @ right
    scale = (rotation * design).sum() / (share * centred**2).sum()
    if not scale > _LEAST:
        return None
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = middle_of_targets - matrix[:3, :3] @ middle
    return matrix


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a protobuf message, as far as this one needs: varints, 32 bits, and bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(message, at)
        elif kind == 5:
            length = 4
        else:
            raise ValueError(f"field {number} is of kind {kind}, which this message does not have")
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
