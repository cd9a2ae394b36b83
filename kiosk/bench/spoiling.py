"""Ways to spoil a picture of a face by a known amount: what the quality measures are measured by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.vision import occlusion
from kiosk.vision.pixels import Image, shrink

Pixels = NDArray[np.floating]
CLOTHS: Mapping[str, tuple[int, int, int]] = {
    "white": (235, 238, 238),
    "black": (35, 33, 32),
    "grey": (130, 128, 128),
    "blue": (200, 150, 80),
    "red": (50, 40, 190),
}
"""Blue, green, red."""
TEXTURES = (*CLOTHS, "stripes", "skin")
PARTS: Mapping[str, tuple[Sequence[Sequence[int]], float]] = occlusion.PLACES
_CHEEKS = (50, 280, 101, 330, 205, 425)
_EAR_TO_EAR = (234, 454)
_LENSES = (
    (46, 53, 52, 65, 55, 193, 122, 232, 231, 230, 229, 228, 31, 35),
    (276, 283, 282, 295, 285, 417, 351, 452, 451, 450, 449, 448, 261, 265),
)
_BAND = (127, 70, 63, 105, 66, 107, 9, 336, 296, 334, 293, 300, 356)
_AXIS = (10, 152)


class Face(NamedTuple):
    """A picture with one face; `points`: MediaPipe's 478 landmarks in its pixels, with depth."""

    label: str
    image: Image
    points: NDArray[np.float32]


def blur(face: Face, sigma: float) -> Image:
    return _image(cv2.GaussianBlur(face.image, (0, 0), sigma)) if sigma > 0 else face.image


def gamma(face: Face, exponent: float) -> Image:
    return _image((face.image / 255.0) ** exponent * 255)


def scale(face: Face, across: float) -> Image:
    """The face so many pixels wide."""
    return shrink(face.image, across / width_of(face))


def jpeg(face: Face, quality: float) -> Image:
    _, data = cv2.imencode(".jpg", face.image, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    return _image(cv2.imdecode(data, cv2.IMREAD_COLOR))


def fog(face: Face, share: float) -> Image:
    return _image(face.image * (1 - share) + 150 * share)


def side_light(face: Face, stops: float) -> Image:
    """One half of the face lit, the other darker by so many stops."""
    across = (np.arange(face.image.shape[1]) - face.points[4][0]) / width_of(face)
    return _image(face.image * 2.0 ** (-stops / (1 + np.exp(-across * 12)))[None, :, None])


def roll(face: Face, degrees: float) -> Image:
    height, width = face.image.shape[:2]
    middle = float(face.points[4][0]), float(face.points[4][1])
    turn = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    return _image(cv2.warpAffine(face.image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))


def turn(face: Face, yaw: float = 0.0, pitch: float = 0.0) -> Image:
    """The landmarks' mesh with the picture on it, turned by so many degrees about the head's axis and seen from afar.

    What the picture does not show, the far cheek and the ears, is not there to be seen: beyond 40° the face is half a face.
    """
    a, b = np.radians(yaw), np.radians(pitch)
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    # The axis of the neck lies behind the face by about half its width.
    middle = face.points[:468].mean(axis=0) + np.array((0.0, 0.0, 0.4 * width_of(face)))
    turned = (face.points[:468].astype(float) - middle) @ (about_x @ about_y).T + middle
    canvas = _image(cv2.GaussianBlur(face.image, (0, 0), width_of(face) / 12))
    flat = np.ascontiguousarray(face.points[:468, :2])
    left, top, wide, high = cv2.boundingRect(flat)
    plane = cv2.Subdiv2D((left - 2, top - 2, wide + 4, high + 4))
    for x, y in flat.tolist():
        plane.insert((x, y))
    corners = np.array(plane.getTriangleList(), np.float32).reshape(-1, 3, 2)
    known = [np.linalg.norm(flat[None] - corner[:, None], axis=2).argmin(axis=1) for corner in corners if _inside(corner, flat)]
    for each in sorted(known, key=lambda one: -turned[one, 2].mean()):
        _patch(canvas, face.image, flat[each], turned[each, :2].astype(np.float32))
    return canvas


def cover(face: Face, part: str, texture: str) -> Image:
    places, growth = PARTS[part]
    reach = round(growth * width_of(face))
    return _dressed(face, [_hull(face, place) for place in places], texture, reach)


def sunglasses(face: Face, texture: str) -> Image:
    """Two lenses and a bridge; `clear` has a dark frame and no tint. A light is reflected in each."""
    lenses = [_hull(face, lens) for lens in _LENSES]
    line = max(2, round(width_of(face) / 45))
    worn = face.image.copy() if texture == "clear" else _dressed(face, lenses, texture, 0)
    cv2.polylines(worn, lenses, isClosed=True, color=(25, 25, 25), thickness=line, lineType=cv2.LINE_AA)
    if texture != "clear":
        for lens in lenses:
            x, y, wide, high = cv2.boundingRect(lens)
            glint = worn[y : y + high // 3, x + wide // 5 : x + wide // 2]
            glint[:] = _image(glint * 0.7 + 60)
    return worn


def hat(face: Face, texture: str) -> Image:
    """From the picture's upper edge down over the brows."""
    edge = _corners(face, _BAND)
    drop = round(0.08 * width_of(face))
    lower = edge + np.array((0, drop), np.int32)
    upper = np.array([(edge[-1][0] + drop, 0), (edge[0][0] - drop, 0)], np.int32)
    return _dressed(face, [np.concatenate((lower, upper))], texture, 0)


def width_of(face: Face) -> float:
    right, left = (face.points[index, :2] for index in _EAR_TO_EAR)
    return max(float(np.linalg.norm(left - right)), 1.0)


def _corners(face: Face, indices: Sequence[int]) -> NDArray[np.int32]:
    return np.round(face.points[list(indices), :2]).astype(np.int32)


def _hull(face: Face, indices: Sequence[int]) -> NDArray[np.int32]:
    return np.asarray(cv2.convexHull(_corners(face, indices)), np.int32)


def _dressed(face: Face, shapes: Sequence[NDArray[np.int32]], texture: str, reach: int) -> Image:
    hidden = np.zeros(face.image.shape[:2], np.uint8)
    cv2.fillPoly(hidden, list(shapes), 255)
    hidden = np.asarray(cv2.dilate(hidden, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)
    share = cv2.GaussianBlur(hidden, (0, 0), 1.0)[..., None] / 255
    noise = np.random.default_rng(len(face.label)).normal(0, 3, (*face.image.shape[:2], 1))
    return _image(face.image * (1 - share) + (_cloth(face, texture) + noise) * share)


def _cloth(face: Face, texture: str) -> NDArray[np.floating]:
    if texture == "skin":
        spots = _corners(face, _CHEEKS).clip(0, np.array(face.image.shape[1::-1]) - 1)
        return np.asarray(np.median(face.image[spots[:, 1], spots[:, 0]], axis=0), float)
    if texture == "stripes":
        down, across = np.mgrid[: face.image.shape[0], : face.image.shape[1]]
        first = ((across + down) // max(3, round(width_of(face) / 16)) % 2)[..., None]
        return np.asarray(first * np.array(CLOTHS["red"]) + (1 - first) * np.array(CLOTHS["white"]), float)
    return np.array(CLOTHS[texture], float)


def _inside(corners: NDArray[np.float32], flat: NDArray[np.float32]) -> bool:
    low, high = flat.min(axis=0) - 1, flat.max(axis=0) + 1
    return bool(((corners >= low) & (corners <= high)).all())


def _patch(canvas: Image, image: Image, source: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Draws one triangle of the picture where it has turned to, unless it is seen from behind."""
    (ax, ay), (bx, by) = source[1] - source[0], source[2] - source[0]
    (cx, cy), (dx, dy) = target[1] - target[0], target[2] - target[0]
    if (ax * by - ay * bx) * (cx * dy - cy * dx) <= 0:
        return
    x, y, wide, high = cv2.boundingRect(target)
    if x < 0 or y < 0 or x + wide > canvas.shape[1] or y + high > canvas.shape[0]:
        return
    matrix = cv2.getAffineTransform(source, target - np.array((x, y), np.float32))
    warped = cv2.warpAffine(image, matrix, (wide, high), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    inside = np.zeros((high, wide), np.uint8)
    cv2.fillConvexPoly(inside, np.round(target - (x, y)).astype(np.int32), 1)
    part = canvas[y : y + high, x : x + wide]
    part[inside.view(bool)] = warped[inside.view(bool)]


def _image(values: Any) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


Spoiler = Callable[[Face, float], Image]
