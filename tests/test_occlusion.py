"""Covered parts and light, on pictures of synthetic people with covers drawn on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.bench.spoiling import Face, blur, cover, fog, gamma, hat, scale, side_light, sunglasses, turn
from kiosk.capture import masks
from kiosk.domain import Masking, QualityReport
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision.assessor import Assessor, load
from kiosk.vision.measures import NOT_ASSESSED, OCCLUDED, Cover
from kiosk.vision.occlusion import cover_of, how_masked, may_be_masked
from kiosk.vision.pixels import Image, cut, shrink

NAMES = ("P002", "P005", "P008")
ACROSS = 160


@pytest.fixture(scope="module")
def assessor(models_dir: Path) -> Iterator[Assessor]:
    networks = load(models_dir, EyeSettings(landmarker="litert"), (320,), embed=False, mask=True)
    yield Assessor(networks, QualitySettings())
    networks.landmarker.close()


@pytest.fixture(scope="module")
def faces(assessor: Assessor, people: Path) -> list[Face]:
    return [_face(assessor, people / name / "assets" / "studio_portrait.jpg") for name in NAMES]


def _face(assessor: Assessor, file: Path) -> Face:
    image = np.asarray(cv2.imread(str(file), cv2.IMREAD_REDUCED_COLOR_2), np.uint8)
    (found, *_) = assessor._networks.finder.find(image)
    part, _ = cut(image, found.box.grown(0.6))
    part = shrink(part, ACROSS / found.box.width)
    _, landmarks = assessor.locate(part, assessor._networks.finder.find(part)[0])
    assert landmarks is not None
    return Face(file.parent.parent.name, part, landmarks.points)


def report(assessor: Assessor, image: Image) -> QualityReport:
    ((face, _),) = assessor.assess(image)
    return assessor.closely(image, face).report


def falls(assessor: Assessor, pictures: list[Image], name: str) -> None:
    values = [report(assessor, picture).measures[name] for picture in pictures]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_blur_lowers_sharpness(assessor: Assessor, faces: list[Face]) -> None:
    for face in faces:
        falls(assessor, [blur(face, sigma) for sigma in (0, 1, 2, 3)], "Sharpness")


def test_fewer_pixels_lower_the_distance_between_the_eyes(assessor: Assessor, faces: list[Face]) -> None:
    for face in faces:
        falls(assessor, [scale(face, across) for across in (160, 120, 80, 60)], "InterEyeDistance")


@pytest.mark.parametrize("name", ["Brightness", "LuminanceMean", "UnderExposurePrevention"])
def test_darkening_lowers_what_speaks_of_light(assessor: Assessor, faces: list[Face], name: str) -> None:
    for face in faces:
        falls(assessor, [gamma(face, exponent) for exponent in (1.0, 2.5, 4.0, 6.0)], name)


def test_light_from_one_side_and_fog_are_seen(assessor: Assessor, faces: list[Face]) -> None:
    for face in faces:
        falls(assessor, [side_light(face, stops) for stops in (0, 1, 3)], "IlluminationUniformity")
        falls(assessor, [fog(face, share) for share in (0, 0.5, 0.9)], "DynamicRange")


@pytest.mark.parametrize("angle", [-40, 40])
def test_a_turned_head_is_less_frontal(assessor: Assessor, faces: list[Face], angle: float) -> None:
    for face in faces:
        falls(assessor, [turn(face, yaw=share * angle) for share in (0, 0.5, 1)], "HeadPoseYaw")


def test_bare_faces_lack_nothing(assessor: Assessor, faces: list[Face]) -> None:
    for face in faces:
        seen = report(assessor, face.image)
        assert (seen.grade, seen.defects, seen.mask) == (4, (), "none")


@pytest.mark.parametrize("texture", ["white", "black", "blue"])
@pytest.mark.parametrize("part", ["Eye", "Nose", "Mouth", "Cheek", "Chin"])
def test_a_covered_part_is_found(assessor: Assessor, faces: list[Face], part: str, texture: str) -> None:
    for face in faces:
        seen = cover_of(cover(face, part, texture), face.points)
        assert [each for each in OCCLUDED if seen.lacks(each)] == [part]


def test_sunglasses_cover_the_eyes_and_clear_glasses_do_not(assessor: Assessor, faces: list[Face]) -> None:
    for face in faces:
        assert report(assessor, sunglasses(face, "black")).defects == ("eyes_covered",)
        assert not cover_of(sunglasses(face, "clear"), face.points).lacks("Eye")


def test_what_is_under_a_hat_is_not_called_free(faces: list[Face]) -> None:
    for face in faces:
        assert cover_of(hat(face, "blue"), face.points).eyebrow <= OCCLUDED["Eyebrow"]


def test_a_grey_picture_tells_nothing_of_colour(assessor: Assessor, faces: list[Face]) -> None:
    for face in faces:
        grey = np.asarray(cv2.cvtColor(cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
        seen = cover_of(grey, face.points)
        assert (seen.nose, seen.cheek, seen.chin, seen.eyebrow) == (NOT_ASSESSED,) * 4
        assert seen.eye > OCCLUDED["Eye"]
        assert report(assessor, grey).grade == 2


@pytest.mark.parametrize(("shape", "how"), [("high", "worn"), ("low", "mouth_only"), ("chin", "on_chin")])
def test_how_a_mask_is_worn(assessor: Assessor, faces: list[Face], shape: masks.Shape, how: Masking) -> None:
    for face in faces:
        seen = report(assessor, masks.draw(face.image, face.points[:, :2], 3, [shape], ["blue"]))
        assert (seen.mask, seen.defects) == (how, ())
        assert seen.grade in {2, 3}


def test_another_cover_is_no_mask(assessor: Assessor, faces: list[Face]) -> None:
    for face in faces:
        seen = report(assessor, cover(face, "Nose", "grey"))
        assert (seen.mask, seen.defects) == ("other_cover", ("nose_covered",))


def test_points_outside_of_the_picture_lack_everything_and_crash_nothing(faces: list[Face]) -> None:
    seen = cover_of(faces[0].image, faces[0].points + 10_000)
    assert may_be_masked(seen)
    assert how_masked(seen, NOT_ASSESSED) == "unknown"


def test_without_a_classifier_a_covered_mouth_is_not_called_masked() -> None:
    assert how_masked(Cover(100, 100, 0, 0, 0, 0), NOT_ASSESSED) == "unknown"
    assert how_masked(Cover(100, 100, 0, 0, 0, 0), 0.2) == "other_cover"
    assert how_masked(Cover(100, 100, 100, 100, 100, 100), NOT_ASSESSED) == "none"
