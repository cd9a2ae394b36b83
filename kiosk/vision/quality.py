"""Says whether a picture of a face may be shown to a recogniser, why not, and how good it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiosk.domain import Box, Face, Masking, QualityReport
from kiosk.settings import QualitySettings
from kiosk.slugs import ADVICE
from kiosk.vision.measures import NOT_ASSESSED, OCCLUDED, Signals, measure

_DARK, _BRIGHT = 30.0, 70.0
_VERY_BLURRY, _BLURRY, _AVERAGE = 40.0, 60.0, 80.0
_VITAL = frozenset({"Eye", "Nose", "Mouth"})
"""Parts without which a picture is of level 1."""
_UNDER_A_MASK = frozenset({"Nose", "Mouth"})
_COVERED: Mapping[str, str] = {
    "Eyebrow": "brows_covered",
    "Eye": "eyes_covered",
    "Nose": "nose_covered",
    "Cheek": "cheeks_covered",
    "Mouth": "mouth_covered",
    "Chin": "chin_covered",
}
_MANY = 3
"""Covered parts from which on the whole face is spoken of; and issues that make a picture level 2."""
_MASKED: frozenset[Masking] = frozenset({"on_chin", "mouth_only", "worn"})
_NEEDED = ("Sharpness", "Brightness", "HeadPoseYaw", "HeadPosePitch", "HeadPoseRoll")
_WORTH_OF_A_PICTURE = ("Sharpness", "InterEyeDistance", "HeadPoseYaw", "HeadPosePitch", "EyesOpen")


def grade(signals: Signals, settings: QualitySettings) -> QualityReport:
    """Measures by the names of OFIQ and the vendor, defects most helpful first, and the vendor's level as grade.

    A picture whose level is under `settings.level` has the defects that keep it there. A face without defects whose
    light, sharpness or pose could not be assessed has the defect `landmarks_missing`: doubt does not pass.
    """
    measures = measure(signals)
    defects = tuple(sorted(_defects(signals, measures, settings), key=ADVICE.index))
    return QualityReport(measures, defects, 0 if defects else level(measures, signals.mask, settings), signals.mask)


def geometry_holds(face: Face, frame: tuple[int, int], settings: QualitySettings) -> bool:
    """Whether the face is large and whole enough to be worth a closer look."""
    return not any(_geometric_defects(face, frame, settings))


def worth(report: QualityReport) -> tuple[bool, int, float]:
    """Orders reports of one person: the larger, the better the picture."""
    assessed = [report.measures[name] for name in _WORTH_OF_A_PICTURE if report.measures.get(name, NOT_ASSESSED) >= 0]
    return report.usable, report.grade, sum(assessed) / len(_WORTH_OF_A_PICTURE)


def level(measures: Mapping[str, float], mask: Masking, settings: QualitySettings) -> int:
    """The vendor's QualityControl level, 1–4, by its text and its numbers for each measure.

    1: very blurry, or eyes, nose or mouth covered. 2: blurry, or three or more of: too dark, too bright, less than sharp, brows,
    cheeks, chin covered. 3: one or two of these. 4: none. A part of which nobody can tell counts as one of these. Under a
    mask that is allowed, nose and mouth count for nothing: a mask worn rightly then makes level 3, as in the vendor's example.
    """
    sharpness = measures["Sharpness"]
    if sharpness <= _VERY_BLURRY or any(part in _VITAL for part in _covered(measures, mask, settings)):
        return 1
    issues = len(list(_issues(measures, mask, settings)))
    if issues >= _MANY or sharpness <= _BLURRY:
        return 2
    return 3 if issues else 4


def _defects(signals: Signals, measures: Mapping[str, float], settings: QualitySettings) -> set[str]:
    found = {
        *_geometric_defects(signals.face, signals.frame, settings),
        *_pose_defects(signals.face, settings),
        *_pixel_defects(measures, settings),
    }
    if "turned_away" in found:
        # In a head seen from the side the eyes are close together however near it is.
        found.discard("eyes_too_close")
    if found:
        return found
    if any(measures[name] == NOT_ASSESSED for name in _NEEDED):
        return {"landmarks_missing"}
    found = {*_mask_defects(signals.mask, settings), *_level_defects(measures, signals.mask, settings)}
    # What a network says of eyes behind dark glasses is not known to be so.
    if NOT_ASSESSED < measures["EyesOpen"] < settings.min_eyes_open and not signals.cover.lacks("Eye"):
        found.add("eyes_closed")
    return found


def _geometric_defects(face: Face, frame: tuple[int, int], settings: QualitySettings) -> Iterator[str]:
    if _reaches_out(face.box, frame):
        yield "face_cut_off"
    if face.box.height > settings.max_head * frame[1]:
        yield "too_near"
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


def _pixel_defects(measures: Mapping[str, float], settings: QualitySettings) -> Iterator[str]:
    brightness, sharpness = measures["Brightness"], measures["Sharpness"]
    if NOT_ASSESSED < brightness < settings.min_brightness:
        yield "too_dark"
    elif brightness > settings.max_brightness:
        yield "too_bright"
    elif NOT_ASSESSED < measures["IlluminationUniformity"] < settings.min_uniformity:
        yield "uneven_light"
    elif NOT_ASSESSED < measures["DynamicRange"] < settings.min_dynamic_range:
        yield "low_contrast"
    if NOT_ASSESSED < sharpness <= settings.min_sharpness:
        yield "blurred"


def _mask_defects(mask: Masking, settings: QualitySettings) -> Iterator[str]:
    if settings.mask == "refused" and mask in _MASKED:
        yield "mask_on"
    if settings.mask == "required" and mask != "worn":
        yield "mask_off"


def _level_defects(measures: Mapping[str, float], mask: Masking, settings: QualitySettings) -> Iterator[str]:
    """What keeps the picture under the level asked for."""
    reached = level(measures, mask, settings)
    if reached >= settings.level:
        return
    covered = _covered(measures, mask, settings)
    if reached == 1:
        covered = [part for part in covered if part in _VITAL] or covered
    else:
        yield from (issue for issue in _issues(measures, mask, settings) if issue not in _COVERED.values())
    if len(_covered(measures, mask, settings)) >= _MANY:
        yield "face_covered"
    else:
        yield from (_COVERED[part] for part in covered)
    if measures["Sharpness"] <= (_VERY_BLURRY if reached == 1 else _BLURRY):
        yield "blurred"


def _issues(measures: Mapping[str, float], mask: Masking, settings: QualitySettings) -> Iterator[str]:
    """What the vendor's text counts for the levels 2 and 3, by our slugs."""
    if measures["Brightness"] < _DARK:
        yield "too_dark"
    if measures["Brightness"] > _BRIGHT:
        yield "too_bright"
    if measures["Sharpness"] <= _AVERAGE:
        yield "blurred"
    yield from (_COVERED[part] for part in _covered(measures, mask, settings) if part not in _VITAL)
    yield from ("parts_unseen" for part in _counted(mask, settings) if measures[f"Completeness{part}"] == NOT_ASSESSED)


def _covered(measures: Mapping[str, float], mask: Masking, settings: QualitySettings) -> list[str]:
    return [part for part in _counted(mask, settings) if NOT_ASSESSED < measures[f"Completeness{part}"] <= OCCLUDED[part]]


def _counted(mask: Masking, settings: QualitySettings) -> list[str]:
    """The parts that must be free."""
    hidden = _UNDER_A_MASK if mask in _MASKED and settings.mask != "refused" else frozenset()
    return [part for part in OCCLUDED if part not in hidden]


def _reaches_out(box: Box, frame: tuple[int, int]) -> bool:
    return box.x < 0 or box.y < 0 or box.right > frame[0] or box.bottom > frame[1]


def _seen_from_the_side(face: Face) -> bool:
    """Whether the nose lies outside of the eyes: it tells a profile, in which no landmarks are found, from a far face."""
    (right, _), (left, _), (nose, _), *_ = face.points
    return not min(right, left) <= nose <= max(right, left)
