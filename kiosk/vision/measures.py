"""What was measured of a face, as scores by the names of OFIQ and of the vendor. Pure.

The numbers follow OFIQ's names, scales and where noted its formulas; they are not conformant with it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from msgspec import Struct

from kiosk.domain import Face, Masking

NOT_ASSESSED = -1.0
OCCLUDED: Mapping[str, float] = {"Eyebrow": 80, "Eye": 80, "Nose": 60, "Cheek": 70, "Mouth": 50, "Chin": 70}
"""The parts whose Completeness the vendor gives, 0–100, and its limits: a part with no more than that is occluded."""

_LUMA_TO_BRIGHTNESS = ((0.0, 0.0), (60.0, 30.0), (170.0, 70.0), (255.0, 100.0))
"""Mean luma of a face to the vendor's Brightness, whose normal range is 30–70.

Well lit faces measured 103–166, at a quarter of the exposure ≤ 41, at double ≥ 174.
"""
_BLURRED_DETAIL = 1.2
"""The detail that gets Sharpness 40, at and below which the vendor calls a picture very blurry; see `sharpness.detail_of`."""
_BLURRED_SCORE, _POINTS_FOR_DOUBLE_DETAIL = 40.0, 40.0
_HEAD_FILLS = 0.45
"""Of the picture's height: the head of a passport photo, OFIQ's ideal HeadSize."""
_SCORED = ("Sharpness", "InterEyeDistance", "HeadPoseYaw", "HeadPosePitch")


class Exposure(Struct, frozen=True):
    """Light on a face: shares 0–1 of `dark` and `clipped` pixels, `entropy` of its luma in bits, `evenness` 0–1 of its halves."""

    dark: float
    clipped: float
    entropy: float
    evenness: float


class Cover(Struct, frozen=True):
    """How much of each part of a face is to be seen: 0–100 as the vendor's Completeness, −1 where it cannot be told."""

    eyebrow: float = NOT_ASSESSED
    eye: float = NOT_ASSESSED
    nose: float = NOT_ASSESSED
    cheek: float = NOT_ASSESSED
    mouth: float = NOT_ASSESSED
    chin: float = NOT_ASSESSED

    def of(self, part: str) -> float:
        """`part`: as OCCLUDED names it."""
        return float(getattr(self, part.lower()))

    def lacks(self, part: str) -> bool:
        """Whether the part is covered; what cannot be told is not called so."""
        return NOT_ASSESSED < self.of(part) <= OCCLUDED[part]


class Signals(Struct, frozen=True):
    """What was measured of one face.

    `frame`: width and height in pixels. `luma` (0–255) and `detail` are those of `sharpness.measure`,
    None where not measured; `face.pose` is None where landmarks were not found or not looked for.
    `second`: area of the largest other face in parts of this one's.
    """

    face: Face
    frame: tuple[int, int]
    luma: float | None = None
    detail: float | None = None
    exposure: Exposure | None = None
    cover: Cover = Cover()
    mask: Masking = "unknown"
    second: float = 0.0


def measure(signals: Signals) -> dict[str, float]:
    """Every measure, 0–100 or −1."""
    measures = {**_seen(signals), **_light(signals), **_geometry(signals), **_expression(signals.face), **_cover(signals.cover)}
    return {**measures, "Score": _score(measures)}


def _seen(signals: Signals) -> dict[str, float]:
    return {
        "Sharpness": NOT_ASSESSED if signals.detail is None else _sharpness(signals.detail),
        "Brightness": NOT_ASSESSED if signals.luma is None else _brightness(signals.luma),
        "LuminanceMean": NOT_ASSESSED if signals.luma is None else _luminance(signals.luma / 255),
        "SingleFacePresent": 100 * (1 - min(signals.second, 1.0)),
    }


def _light(signals: Signals) -> dict[str, float]:
    light = signals.exposure
    if light is None:
        names = ("IlluminationUniformity", "UnderExposurePrevention", "OverExposurePrevention", "DynamicRange")
        return dict.fromkeys(names, NOT_ASSESSED)
    return {
        "IlluminationUniformity": _clamp(100 * light.evenness),
        "UnderExposurePrevention": _clamp(120 * (0.832 - _sigmoid(light.dark, 0.92, 0.05))),
        "OverExposurePrevention": _clamp(1 / (light.clipped + 0.01)),
        # 8 bits, every grey equally often, is the most there can be.
        "DynamicRange": _clamp(12.5 * light.entropy),
    }


def _geometry(signals: Signals) -> dict[str, float]:
    """OFIQ's sigmoids; its distance from eyes to chin is here that to the lower edge of the box."""
    face, (width, height), pose = signals.face, signals.frame, signals.face.pose
    (right, upper), (left, lower), *_ = face.points
    x, y = (right + left) / 2, (upper + lower) / 2
    apart, down = max(face.inter_eye, 1.0), max(face.box.bottom - y, 1.0)
    return {
        "InterEyeDistance": 100 * _sigmoid(face.inter_eye, 70, 20),
        "HeadSize": 100 * min(face.box.height / height / _HEAD_FILLS, 1.0),
        "LeftwardCropOfTheFaceImage": 100 * _sigmoid(x / apart, 0.9, 0.1),
        "RightwardCropOfTheFaceImage": 100 * _sigmoid((width - x) / apart, 0.9, 0.1),
        "MarginAboveOfTheFaceImage": 100 * _sigmoid(y / down, 1.4, 0.1),
        "MarginBelowOfTheFaceImage": 100 * _sigmoid((height - y) / down, 1.8, 0.1),
        "HeadPoseYaw": NOT_ASSESSED if pose is None else _frontal(pose.yaw),
        "HeadPosePitch": NOT_ASSESSED if pose is None else _frontal(pose.pitch),
        "HeadPoseRoll": NOT_ASSESSED if pose is None else _frontal(pose.roll),
    }


def _expression(face: Face) -> dict[str, float]:
    """By the eye that is closed most, as OFIQ does."""
    shapes = face.blendshapes
    blinks = [shapes[name] for name in ("eyeBlinkLeft", "eyeBlinkRight") if name in shapes]
    return {
        "EyesOpen": 100 * (1 - max(blinks)) if blinks else NOT_ASSESSED,
        "MouthClosed": 100 * (1 - shapes["jawOpen"]) if "jawOpen" in shapes else NOT_ASSESSED,
    }


def _cover(cover: Cover) -> dict[str, float]:
    by_part = {f"Completeness{part}": cover.of(part) for part in OCCLUDED}
    known = [value for value in by_part.values() if value != NOT_ASSESSED]
    return {
        "EyesVisible": cover.eye,
        "MouthOcclusionPrevention": cover.mouth,
        "FaceOcclusionPrevention": sum(known) / len(known) if known else NOT_ASSESSED,
        **by_part,
    }


def _score(measures: dict[str, float]) -> float:
    """The vendor's overall Score, whose formula is not public: here the mean of the worst and the average.

    Of sharpness, brightness, distance between the eyes, turn, tilt and the covered parts, as far as known.
    """
    names = (*_SCORED, *(f"Completeness{part}" for part in OCCLUDED))
    known = [measures[name] for name in names if measures[name] != NOT_ASSESSED]
    if measures["Brightness"] != NOT_ASSESSED:
        # 100 from 30 to 70, down to 0 at black and at white.
        known.append(_clamp(min(measures["Brightness"], 100 - measures["Brightness"]) * 100 / 30))
    return (min(known) + sum(known) / len(known)) / 2


def _sharpness(detail: float) -> float:
    """40 points for each doubling of detail, 40 at the border to blur: 0 at half of it, 100 from 3.4 on."""
    if detail <= 0:
        return 0.0
    return _clamp(_BLURRED_SCORE + _POINTS_FOR_DOUBLE_DETAIL * math.log2(detail / _BLURRED_DETAIL))


def _brightness(luma: float) -> float:
    for (dark, low), (light, high) in itertools.pairwise(_LUMA_TO_BRIGHTNESS):
        if luma <= light:
            return low + (high - low) * (max(luma, 0.0) - dark) / (light - dark)
    return 100.0


def _luminance(mean: float) -> float:
    return 100 * _sigmoid(mean, 0.2, 0.05) * (1 - _sigmoid(mean, 0.8, 0.05))


def _frontal(angle: float) -> float:
    return 100 * max(0.0, math.cos(math.radians(angle))) ** 2


def _sigmoid(value: float, middle: float, width: float) -> float:
    """Written with tanh, which cannot overflow."""
    return (1 + math.tanh((value - middle) / (2 * width))) / 2


def _clamp(score: float) -> float:
    return min(max(score, 0.0), 100.0)
