"""The quality gate: every defect fires, and only when it should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import Box, Face, FivePoints, Pose
from kiosk.settings import QualitySettings
from kiosk.slugs import ADVICE
from kiosk.vision.quality import NOT_ASSESSED, Signals, geometry_holds, grade, worth

SETTINGS = QualitySettings()
FRAME = (1280, 720)
LEVEL = Pose(0, 0, 0)


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
) -> Signals:
    box = box or Box(500, 200, 160, 200)
    return Signals(Face(box=box, score=0.95, points=at or points(box), pose=pose), FRAME, luma, detail)


def test_a_good_face_has_grade_4_and_every_measure() -> None:
    report = grade(signals(), SETTINGS)
    assert report.usable
    assert report.grade == 4
    assert set(report.measures) == {
        "Sharpness", "Brightness", "InterEyeDistance", "HeadPoseYaw", "HeadPosePitch", "HeadPoseRoll", "HeadSize",
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
    ],
)
def test_what_is_just_good_enough_passes(fair: Signals) -> None:
    assert grade(fair, SETTINGS).defects == ()


@pytest.mark.parametrize(("detail", "level"), [(1.3, 2), (1.6, 2), (2.0, 3), (2.3, 3), (2.5, 4), (8.0, 4)])
def test_the_grade_follows_sharpness(detail: float, level: int) -> None:
    assert grade(signals(detail=detail), SETTINGS).grade == level


def test_a_looser_gate_lets_through_what_the_vendor_calls_level_1_and_3() -> None:
    loose = QualitySettings(min_sharpness=0, min_brightness=0, max_brightness=100)
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


angles = st.floats(-180, 180)
numbers = st.floats(0, 255) | st.none()


@given(
    box=st.builds(Box, st.floats(-200, 1400), st.floats(-200, 900), st.floats(1, 1500), st.floats(1, 1500)),
    pose=st.none() | st.builds(Pose, angles, angles, angles),
    luma=numbers,
    detail=numbers,
)
def test_every_report_keeps_the_contract(box: Box, pose: Pose | None, luma: float | None, detail: float | None) -> None:
    measured = signals(box, pose, luma=luma, detail=detail)
    report = grade(measured, SETTINGS)
    assert report.usable == (report.grade > 0)
    assert all(value == NOT_ASSESSED or 0 <= value <= 100 for value in report.measures.values())
    assert list(report.defects) == sorted(set(report.defects), key=ADVICE.index)
    if report.usable:
        assert NOT_ASSESSED not in report.measures.values()
        assert geometry_holds(measured.face, FRAME, SETTINGS)
        assert pose is not None
        assert abs(pose.yaw) <= SETTINGS.max_yaw


@given(st.lists(st.floats(0, 300), min_size=2, max_size=20).map(sorted))
def test_sharpness_and_brightness_never_fall_as_their_signal_grows(values: list[float]) -> None:
    reports = [grade(signals(luma=value, detail=value / 30), SETTINGS) for value in values]
    for name in ("Sharpness", "Brightness"):
        scores = [report.measures[name] for report in reports]
        assert scores == sorted(scores)
