"""Seeing, on real pictures of synthetic people and with the real models."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.domain import Box, Ended, Face, Probe, Shot
from kiosk.errors import CameraError, PhotoRejected, ProbeRejected
from kiosk.eye import messages
from kiosk.settings import EyeSettings, PresentationSettings, QualitySettings
from kiosk.vision.annotate import draw
from kiosk.vision.assessor import Assessor, load
from kiosk.vision.examiner import Examination, Examiner
from kiosk.vision.photo import PhotoReader, read_header
from kiosk.vision.pixels import Image, shrink
from kiosk.vision.probe import crop, encode, moved

NAMES = [f"P{number:03}" for number in range(1, 11)]
GREY = 120


@pytest.fixture(scope="module")
def assessor(models_dir: Path) -> Iterator[Assessor]:
    networks = load(models_dir, EyeSettings(), (320,), embed=True)
    yield Assessor(networks, QualitySettings(), closely=2)
    networks.landmarker.close()


@pytest.fixture(scope="module")
def reader(models_dir: Path) -> Iterator[PhotoReader]:
    with PhotoReader(QualitySettings(), EyeSettings(), models_dir) as reader:
        yield reader


@pytest.fixture
def examiner(models_dir: Path) -> Iterator[Examiner]:
    with _examiner(models_dir) as examiner:
        yield examiner


def _examiner(models_dir: Path, **presentation: object) -> Examiner:
    return Examiner(
        "front",
        QualitySettings(),
        PresentationSettings.model_validate(presentation),
        EyeSettings(),
        models_dir,
        embed=True,
        first_presentation=5,
    )


@lru_cache(maxsize=40)
def _read(file: Path) -> Image:
    image = cv2.imread(str(file), cv2.IMREAD_REDUCED_COLOR_2)
    return np.asarray(image, dtype=np.uint8)


def picture(people: Path, name: str, kind: str, height: int) -> Image:
    image = _read(people / name / "assets" / f"{kind}.jpg")
    return shrink(image, height / image.shape[0])


def scene(*portraits: Image, width: int = 1280, height: int = 720) -> Image:
    """A grey frame with pictures side by side, standing on its lower edge."""
    frame = np.full((height, width, 3), GREY, np.uint8)
    left = (width - sum(each.shape[1] for each in portraits)) // 2
    for each in portraits:
        frame[height - each.shape[0] :, left : left + each.shape[1]] = each
        left += each.shape[1]
    return frame


def the_one(assessor: Assessor, image: Image) -> Face:
    ((face, _),) = assessor.assess(image)
    return face


# Finding and landmarks.


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (1920, 1080)])
def test_a_face_is_found_where_it_is(assessor: Assessor, people: Path, size: tuple[int, int]) -> None:
    portrait = picture(people, "P002", "studio_portrait", size[1] // 2)
    alone = the_one(assessor, portrait)
    face = the_one(assessor, scene(portrait, width=size[0], height=size[1]))
    expected = alone.box.moved((size[0] - portrait.shape[1]) // 2, size[1] - portrait.shape[0])
    assert face.box.overlap(expected) > 0.8
    (right_eye, _), (left_eye, _), *_ = face.points
    assert right_eye < left_eye
    assert len(face.blendshapes) == 52
    msgspec.convert(msgspec.to_builtins(face), Face)


def test_an_empty_frame_has_no_face(assessor: Assessor) -> None:
    assert assessor.assess(scene()) == []
    assert assessor.assess(np.zeros((1, 1, 3), np.uint8)) == []


def test_faces_come_by_falling_area(assessor: Assessor, people: Path) -> None:
    small, large = picture(people, "P003", "studio_portrait", 360), picture(people, "P005", "studio_portrait", 600)
    (first, _), (second, _) = assessor.assess(scene(small, large))
    assert first.box.area > second.box.area
    assert first.box.x > second.box.x


def test_landmarks_lie_on_the_face_in_pixels_of_the_frame(assessor: Assessor, people: Path) -> None:
    frame = scene(picture(people, "P008", "studio_portrait", 600))
    face = the_one(assessor, frame)
    found = assessor._networks.landmarker.locate(frame, face.box)
    assert found is not None
    assert found.points.shape == (478, 3)
    # MediaPipe's irises: 468 is the person's right one, 473 the left.
    for index, point in ((468, face.points[0]), (473, face.points[1])):
        assert np.hypot(*(found.points[index, :2] - point)) < 0.06 * face.box.width


def test_no_landmarks_beside_the_face_or_outside_of_the_frame(assessor: Assessor) -> None:
    assert assessor._networks.landmarker.locate(scene(), Box(10, 10, 200, 200)) is None
    assert assessor._networks.landmarker.locate(scene(), Box(5000, 10, 200, 200)) is None


def test_level_heads_measure_level(assessor: Assessor, people: Path) -> None:
    for name in NAMES:
        pose = the_one(assessor, picture(people, name, "studio_portrait", 500)).pose
        assert pose is not None
        assert max(abs(pose.yaw), abs(pose.pitch), abs(pose.roll)) < 9


@pytest.mark.parametrize(("towards_right_shoulder", "sign"), [(20, 1), (-20, -1)])
def test_roll_is_positive_towards_the_persons_right_shoulder(
    assessor: Assessor, people: Path, towards_right_shoulder: int, sign: int
) -> None:
    # OpenCV turns counter-clockwise for positive angles: the crown goes to the picture's left, the person's right.
    portrait = picture(people, "P002", "studio_portrait", 600)
    turn = cv2.getRotationMatrix2D((300, 300), towards_right_shoulder, 1)
    turned = np.asarray(cv2.warpAffine(portrait, turn, (600, 600)), dtype=np.uint8)
    pose = the_one(assessor, turned).pose
    assert pose is not None
    assert 15 < sign * pose.roll < 26


def test_yaw_is_positive_to_the_persons_left(assessor: Assessor, people: Path) -> None:
    # In these two tiles the head is turned to the picture's left: to the person's right.
    for name in ("P003", "P009"):
        sheet = picture(people, name, "character_sheet", 896)
        heads = [face for face, _ in assessor.assess(sheet[:360]) if face.pose and abs(face.pose.yaw) > 30]
        for image, sign in ((sheet[:360], 1), (np.ascontiguousarray(sheet[:360, ::-1]), -1)):
            poses = [_closer(assessor, image, face) for face, _ in assessor.assess(image)]
            turned = [(yaw, nose) for yaw, nose in poses if abs(yaw) > 30]
            assert all(np.sign(yaw) == np.sign(nose) for yaw, nose in turned)
            assert heads is not None
            assert sign
