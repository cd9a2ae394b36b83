"""Says whether a picture of a face may be shown to a recogniser, why not, and how good it is. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from msgspec import Struct

from kiosk.domain import Box, Face, QualityReport
from kiosk.settings import QualitySettings
from kiosk.slugs import ADVICE

NOT_ASSESSED = -1.0

_LUMA_TO_BRIGHTNESS = ((0.0, 0.0), (60.0, 30.0), (170.0, 70.0), (255.0, 100.0))
"""Mean luma of a face to the vendor's Brightness, whose normal range is 30–70.

Well lit faces measured 103–166, at a quarter of the exposure ≤ 41, at double ≥ 174.
"""
_BLURRED_DETAIL = 1.2
"""The detail that gets Sharpness 40, at and below which the vendor calls a picture very blurry; see `sharpness.detail_of`."""
_POINTS_FOR_DOUBLE_DETAIL = 40.0
_HEAD_FILLS = 0.45
"""Of the picture's height: the head of a passport photo, OFIQ's ideal HeadSize."""
_DARK, _BRIGHT = 30.0, 70.0
_VERY_BLURRY, _BLURRY, _AVERAGE = 40.0, 60.0, 80.0
_WORTH_OF_A_PICTURE = ("Sharpness", "InterEyeDistance", "HeadPoseYaw", "HeadPosePitch")


class Signals(Struct, frozen=True):
    """What was measured of one face.

    `frame`: width and height in pixels. `luma` (0–255) and `detail` are those of `sharpness.measure`,
    None where not measured; `face.pose` is None where landmarks were not found or not looked for.
    """

    face: Face
    frame: tuple[int, int]
    luma: float | None = None
    detail: float | None = None


def grade(signals: Signals, settings: QualitySettings) -> QualityReport:
    """Measures by the names of OFIQ and the vendor, defects most helpful first, and the vendor's level as grade.

    A face without defects of which something could not be assessed has the defect `landmarks_missing`:
    doubt does not pass. The numbers follow OFIQ's names and scales but are not conformant with it.
    """
    measures = _measures(signals)
    defects = tuple(sorted(_defects(signals, measures, settings), key=ADVICE.index))
    return QualityReport(measures=measures, defects=defects, grade=0 if defects else _level(measures))


def geometry_holds(face: Face, frame: tuple[int, int], settings: QualitySettings) -> bool:
    """Whether the face is large and whole enough to be worth a closer look."""
    return not any(_geometric_defects(face, frame, settings))


def worth(report: QualityReport) -> tuple[bool, int, float]:
    """Orders reports of one person: the larger, the better the picture."""
    assessed = [report.measures[name] for name in _WORTH_OF_A_PICTURE if report.measures.get(name, NOT_ASSESSED) >= 0]
    return report.usable, report.grade, sum(assessed) / len(_WORTH_OF_A_PICTURE)


def _measures(signals: Signals) -> dict[str, float]:
    pose = signals.face.pose
    return {
        "Sharpness": NOT_ASSESSED if signals.detail is None else _sharpness(signals.detail),
        "Brightness": NOT_ASSESSED if signals.luma is None else _brightness(signals.luma),
        # OFIQ's sigmoid: 50 at 70 px.
        "InterEyeDistance": 100 / (1 + math.exp((70 - signals.face.inter_eye) / 20)),
        "HeadPoseYaw": NOT_ASSESSED if pose is None else _frontal(pose.yaw),
        "HeadPosePitch": NOT_ASSESSED if pose is None else _frontal(pose.pitch),
        "HeadPoseRoll": NOT_ASSESSED if pose is None else _frontal(pose.roll),
        "HeadSize": 100 * min(signals.face.box.height / signals.frame[1] / _HEAD_FILLS, 1.0),
    }


def _defects(signals: Signals, measures: dict[str, float], settings: QualitySettings) -> Iterator[str]:
    found = {
        *_geometric_defects(signals.face, signals.frame, settings),
        *_pose_defects(signals.face, settings),
        *_pixel_defects(measures, settings),
    }
    if "turned_away" in found:
        # In a head seen from the side the eyes are close together however near it is.
        found.discard("eyes_too_close")
    yield from found
    if not found and NOT_ASSESSED in measures.values():
        yield "landmarks_missing"


def _geometric_defects(face: Face, frame: tuple[int, int], settings: QualitySettings) -> Iterator[str]:
    if _reaches_out(face.box, frame):
        yield "face_cut_off"
    if face.box.short_side < settings.min_face_side:
        yield "face_too_small"
    if face.inter_eye < settings.min_inter_eye:
        yield "eyes_too_close"


def _pose_defects(face: Face, settings: QualitySettings) -> Iterator[str]:
    pose = face.pose
    if pose is None:
        if _seen_from_the_side(face):
            yield "turned_away"
        return
    if abs(pose.yaw) > settings.max_yaw:
        yield "turned_away"
    if abs(pose.pitch) > settings.max_pitch:
        yield "looking_up_or_down"
    if abs(pose.roll) > settings.max_roll:
        yield "head_tilted"


def _pixel_defects(measures: dict[str, float], settings: QualitySettings) -> Iterator[str]:
    brightness, sharpness = measures["Brightness"], measures["Sharpness"]
    if NOT_ASSESSED < brightness < settings.min_brightness:
        yield "too_dark"
    if brightness > settings.max_brightness:
        yield "too_bright"
    if NOT_ASSESSED < sharpness <= settings.min_sharpness:
        yield "blurred"


def _level(measures: dict[str, float]) -> int:
    """The vendor's QualityControl level, 1–4, from what is measured so far: Sharpness and Brightness.

    Completeness is not assessed yet: eyes, nose and mouth (whose cover makes a picture level 1) and
    brows, cheeks and chin (each one more issue) count as uncovered.
    """
    sharpness, brightness = measures["Sharpness"], measures["Brightness"]
    if sharpness <= _VERY_BLURRY:
        return 1
    if sharpness <= _BLURRY:
        return 2
    issues = (brightness < _DARK) + (brightness > _BRIGHT) + (sharpness <= _AVERAGE)
    return 3 if issues else 4


def _reaches_out(box: Box, frame: tuple[int, int]) -> bool:
    return box.x < 0 or box.y < 0 or box.right > frame[0] or box.bottom > frame[1]


def _seen_from_the_side(face: Face) -> bool:
    """Whether the nose lies outside of the eyes: it tells a profile, in which no landmarks are found, from a far face."""
    (right, _), (left, _), (nose, _), *_ = face.points
    return not min(right, left) <= nose <= max(right, left)


def _sharpness(detail: float) -> float:
    """40 points for each doubling of detail, 40 at the border to blur: 0 at half of it, 100 from 3.4 on."""
    if detail <= 0:
        return 0.0
    return _clamp(_VERY_BLURRY + _POINTS_FOR_DOUBLE_DETAIL * math.log2(detail / _BLURRED_DETAIL))


def _brightness(luma: float) -> float:
    for (dark, low), (light, high) in itertools.pairwise(_LUMA_TO_BRIGHTNESS):
        if luma <= light:
            return low + (high - low) * (max(luma, 0.0) - dark) / (light - dark)
    return 100.0


def _frontal(angle: float) -> float:
    return 100 * max(0.0, math.cos(math.radians(angle))) ** 2


def _clamp(score: float) -> float:
    return min(max(score, 0.0), 100.0)
