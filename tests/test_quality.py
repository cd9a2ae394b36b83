"""The quality gate: every defect fires, and only when it should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import Box, Face, FivePoints, Masking, Pose
from kiosk.settings import EnrolmentSettings, QualitySettings
from kiosk.slugs import ADVICE
from kiosk.vision.measures import NOT_ASSESSED, OCCLUDED, Cover, Exposure, Signals
from kiosk.vision.quality import geometry_holds, grade, level, worth

SETTINGS = QualitySettings()
FRAME = (1280, 720)
LEVEL = Pose(0, 0, 0)
FREE = Cover(100, 100, 100, 100, 100, 100)
EVEN = Exposure(0.0, 0.0, 7.0, 0.8)
AWAKE = {"eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.2, "jawOpen": 0.05}
MASKED = Cover(100, 100, 10, 50, 0, 0)


def points(box: Box) -> FivePoints:
    """Where YuNet puts them on a face seen from the front."""
    x, y, w, h = box.x, box.y, box.width, box.height
    return (
        (x + 0.28 * w, y + 0.4 * h),
        (x + 0.72 * w, y + 0.4 * h),
        (x + 0.5 * w, y + 0.6 * h),
        (x + 0.33 * w, y + 0.78 * h),
        (x + 0.67 * w, y + 0.78 * h),
    )


def signals(
    box: Box | None = None,
    pose: Pose | None = LEVEL,
    *,
    luma: float | None = 120.0,
    detail: float | None = 4.0,
    at: FivePoints | None = None,
    exposure: Exposure | None = EVEN,
    cover: Cover = FREE,
    mask: Masking = "none",
    blink: float = 0.2,
) -> Signals:
    box = box or Box(500, 200, 160, 200)
    shapes = {**AWAKE, "eyeBlinkRight": blink}
    face = Face(box=box, score=0.95, points=at or points(box), pose=pose, blendshapes=shapes)
    return Signals(face, FRAME, luma, detail, exposure, cover, mask)


def test_a_good_face_has_grade_4_and_every_measure() -> None:
    report = grade(signals(), SETTINGS)
    assert report.usable
    assert report.grade == 4
    assert set(report.measures) == {
        "Sharpness", "Brightness", "LuminanceMean", "IlluminationUniformity", "UnderExposurePrevention", "OverExposurePrevention",
        "DynamicRange", "SingleFacePresent", "InterEyeDistance", "HeadPoseYaw", "HeadPosePitch", "HeadPoseRoll", "HeadSize",
        "LeftwardCropOfTheFaceImage", "RightwardCropOfTheFaceImage", "MarginAboveOfTheFaceImage", "MarginBelowOfTheFaceImage",
        "EyesOpen", "MouthClosed", "EyesVisible", "MouthOcclusionPrevention", "FaceOcclusionPrevention", "Score",
        *(f"Completeness{part}" for part in OCCLUDED),
    }  # fmt: skip
    assert all(0 <= value <= 100 for value in report.measures.values())


@pytest.mark.parametrize(
    ("bad", "defect"),
    [
        (signals(Box(-1, 200, 160, 200)), "face_cut_off"),
        (signals(Box(1121, 200, 160, 200)), "face_cut_off"),
        (signals(Box(500, 521, 160, 200)), "face_cut_off"),
        (signals(Box(500, 200, 60, 80)), "face_too_small"),
        (signals(Box(500, 200, 80, 100)), "eyes_too_close"),
        (signals(pose=Pose(26, 0, 0)), "turned_away"),
        (signals(pose=Pose(-26, 0, 0)), "turned_away"),
        (signals(pose=Pose(0, 26, 0)), "looking_up_or_down"),
        (signals(pose=Pose(0, -26, 0)), "looking_up_or_down"),
        (signals(pose=Pose(0, 0, 31)), "head_tilted"),
        (signals(pose=Pose(0, 0, -31)), "head_tilted"),
        (signals(luma=41), "too_dark"),
        (signals(luma=174), "too_bright"),
        (signals(detail=1.2), "blurred"),
        (signals(detail=0.0), "blurred"),
        (signals(Box(400, 20, 500, 655)), "too_near"),
        (signals(exposure=Exposure(0.0, 0.0, 7.0, 0.1)), "uneven_light"),
        (signals(exposure=Exposure(0.0, 0.0, 4.0, 0.8)), "low_contrast"),
        (signals(blink=0.75), "eyes_closed"),
        (signals(cover=Cover(100, 80, 100, 100, 100, 100)), "eyes_covered"),
        (signals(cover=Cover(100, 100, 60, 100, 100, 100)), "nose_covered"),
        (signals(cover=Cover(100, 100, 100, 100, 50, 100)), "mouth_covered"),
        (signals(cover=MASKED, mask="other_cover"), "face_covered"),
        (signals(cover=MASKED, mask="unknown"), "face_covered"),
        (signals(pose=None), "landmarks_missing"),
        (signals(luma=None), "landmarks_missing"),
        (signals(detail=None), "landmarks_missing"),
    ],
)
def test_each_defect_is_found(bad: Signals, defect: str) -> None:
    report = grade(bad, SETTINGS)
    assert defect in report.defects
    assert report.grade == 0


@pytest.mark.parametrize(
    "fair",
    [
        signals(Box(0, 0, 160, 200)),
        signals(Box(1120, 520, 160, 200)),
        signals(Box(500, 200, 92, 110)),
        signals(pose=Pose(25, -25, 30)),
        signals(luma=103),
        signals(luma=166),
        signals(detail=1.45),
        signals(blink=0.69),
        signals(cover=Cover(81, 81, 61, 71, 51, 71)),
        signals(cover=Cover(80, 100, 100, 70, 100, 70)),
        signals(cover=MASKED, mask="worn"),
        signals(cover=MASKED, mask="mouth_only"),
        signals(cover=Cover(), mask="unknown"),
    ],
)
def test_what_is_just_good_enough_passes(fair: Signals) -> None:
    assert grade(fair, SETTINGS).defects == ()


@pytest.mark.parametrize(("detail", "level"), [(1.3, 2), (1.6, 2), (2.0, 3), (2.3, 3), (2.5, 4), (8.0, 4)])
def test_the_grade_follows_sharpness(detail: float, level: int) -> None:
    assert grade(signals(detail=detail), SETTINGS).grade == level


def test_a_looser_gate_lets_through_what_the_vendor_calls_level_1_and_3() -> None:
    loose = QualitySettings(level=0, min_sharpness=0, min_brightness=0, max_brightness=100)
    assert grade(signals(detail=1.0), loose).grade == 1
    assert grade(signals(luma=41), loose).grade == 3
    assert grade(signals(luma=200), loose).grade == 3


def test_a_profile_is_told_to_turn_rather_than_to_come_closer() -> None:
    box = Box(500, 200, 160, 200)
    eyes_close = ((640.0, 280.0), (655.0, 280.0), (670.0, 320.0), (640.0, 350.0), (650.0, 350.0))
    assert grade(signals(box, None, at=eyes_close), SETTINGS).defects == ("turned_away",)


def test_eyes_too_close_is_not_forgotten_where_the_head_is_straight() -> None:
    box = Box(500, 200, 160, 200)
    eyes_close = ((560.0, 280.0), (590.0, 280.0), (600.0, 320.0), (560.0, 350.0), (590.0, 350.0))
    assert grade(signals(box, at=eyes_close), SETTINGS).defects == ("eyes_too_close",)


def test_inter_eye_distance_is_ofiqs() -> None:
    box = Box(500, 200, 70 / 0.44, 200)
    assert grade(signals(box), SETTINGS).measures["InterEyeDistance"] == pytest.approx(50)


def test_the_better_of_two_pictures_of_one_person() -> None:
    best, soft, turned = (grade(each, SETTINGS) for each in (signals(), signals(detail=1.6), signals(pose=Pose(20, 0, 0))))
    blurred = grade(signals(detail=1.0), SETTINGS)
    assert worth(best) > worth(turned) > worth(soft) > worth(blurred)


@pytest.mark.parametrize(
    ("cover", "mask", "reached"),
    [
        (FREE, "none", 4),
        (Cover(80, 100, 100, 100, 100, 100), "none", 3),
        (Cover(80, 100, 100, 70, 100, 100), "none", 3),
        (Cover(80, 100, 100, 70, 100, 70), "none", 2),
        (Cover(100, 80, 100, 100, 100, 100), "none", 1),
        (MASKED, "worn", 3),
        (MASKED, "other_cover", 1),
        (Cover(99, 99, 99, 52, 99, 47), "worn", 3),
        (Cover(-1, 100, 100, 100, 100, 100), "none", 3),
        (Cover(), "unknown", 2),
    ],
)
def test_the_level_follows_the_vendors_text(cover: Cover, mask: Masking, reached: int) -> None:
    lax = QualitySettings(level=0)
    report = grade(signals(cover=cover, mask=mask), lax)
    assert (report.grade, report.mask) == (reached, mask)
    assert level(report.measures, mask, lax) == reached
    for asked in range(5):
        assert grade(signals(cover=cover, mask=mask), QualitySettings(level=asked)).usable == (reached >= asked)


@pytest.mark.parametrize(
    ("cover", "defects"),
    [
        (Cover(80, 100, 100, 100, 100, 100), ("brows_covered",)),
        (Cover(100, 100, 100, 70, 100, 70), ("cheeks_covered", "chin_covered")),
        (Cover(80, 100, 100, 70, 100, 70), ("face_covered",)),
        (Cover(-1, 100, 100, 100, 100, 100), ("parts_unseen",)),
    ],
)
def test_what_keeps_a_picture_under_its_level_is_named(cover: Cover, defects: tuple[str, ...]) -> None:
    assert grade(signals(cover=cover), QualitySettings(level=4)).defects == defects


@pytest.mark.parametrize(
    ("rule", "mask", "defects"),
    [
        ("allowed", "worn", ()),
        ("refused", "worn", ("mask_on", "face_covered")),
        ("refused", "none", ()),
        ("required", "worn", ()),
        ("required", "mouth_only", ("mask_off",)),
        ("required", "none", ("mask_off",)),
        ("required", "unknown", ("mask_off",)),
    ],
)
def test_masks_are_allowed_refused_or_required(rule: str, mask: Masking, defects: tuple[str, ...]) -> None:
    cover = MASKED if mask in {"worn", "mouth_only"} else FREE
    assert grade(signals(cover=cover, mask=mask), QualitySettings.model_validate({"mask": rule})).defects == defects


def test_what_a_network_says_of_eyes_behind_dark_glasses_is_not_repeated() -> None:
    assert grade(signals(cover=Cover(100, 0, 100, 100, 100, 100), blink=0.9), SETTINGS).defects == ("eyes_covered",)


def test_enrolment_asks_for_more_than_the_door_in_nothing_for_less() -> None:
    strict = EnrolmentSettings()
    for name in ("level", "min_face_side", "min_inter_eye", "min_sharpness", "min_brightness", "min_eyes_open", "min_uniformity"):
        assert getattr(strict, name) >= getattr(SETTINGS, name)
    for name in ("max_yaw", "max_pitch", "max_roll", "max_brightness", "max_head"):
        assert getattr(strict, name) <= getattr(SETTINGS, name)


angles = st.floats(-180, 180)
numbers = st.floats(0, 255) | st.none()
completeness = st.just(NOT_ASSESSED) | st.floats(0, 100)
shares = st.floats(0, 1)
masks: tuple[Masking, ...] = ("unknown", "none", "on_chin", "mouth_only", "worn", "other_cover")


@given(
    box=st.builds(Box, st.floats(-200, 1400), st.floats(-200, 900), st.floats(1, 1500), st.floats(1, 1500)),
    pose=st.none() | st.builds(Pose, angles, angles, angles),
    luma=numbers,
    detail=numbers,
    exposure=st.none() | st.builds(Exposure, shares, shares, st.floats(0, 8), shares),
    cover=st.builds(Cover, *[completeness] * 6),
    mask=st.sampled_from(masks),
    blink=shares,
    asked=st.builds(QualitySettings, level=st.integers(0, 4), mask=st.sampled_from(("allowed", "refused", "required"))),
)
def test_every_report_keeps_the_contract(
    box: Box,
    pose: Pose | None,
    luma: float | None,
    detail: float | None,
    exposure: Exposure | None,
    cover: Cover,
    mask: Masking,
    blink: float,
    asked: QualitySettings,
) -> None:
    measured = signals(box, pose, luma=luma, detail=detail, exposure=exposure, cover=cover, mask=mask, blink=blink)
    report = grade(measured, asked)
    assert report == grade(measured, asked)
    assert report.usable == (report.grade > 0)
    assert all(value == NOT_ASSESSED or 0 <= value <= 100 for value in report.measures.values())
    assert list(report.defects) == sorted(set(report.defects), key=ADVICE.index)
    if report.usable:
        assert report.grade >= asked.level
        assert geometry_holds(measured.face, FRAME, asked)
        assert pose is not None
        assert abs(pose.yaw) <= asked.max_yaw
        assert mask == "worn" or asked.mask != "required"


@given(st.lists(st.floats(0, 100), min_size=6, max_size=6), st.integers(0, 5), st.floats(0, 100))
def test_covering_more_never_raises_the_level(parts: list[float], which: int, less: float) -> None:
    lax = QualitySettings(level=0)
    worse = [min(value, less) if number == which else value for number, value in enumerate(parts)]
    assert grade(signals(cover=Cover(*worse)), lax).grade <= grade(signals(cover=Cover(*parts)), lax).grade


@given(st.lists(st.floats(0, 300), min_size=2, max_size=20).map(sorted))
def test_sharpness_and_brightness_never_fall_as_their_signal_grows(values: list[float]) -> None:
    reports = [grade(signals(luma=value, detail=value / 30), SETTINGS) for value in values]
    for name in ("Sharpness", "Brightness"):
        scores = [report.measures[name] for report in reports]
        assert scores == sorted(scores)
