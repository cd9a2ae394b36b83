"""The sandbox with its real eye, on pictures of synthetic people, asked by our client."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.domain import Box
from kiosk.eye.photos import PhotoEye
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.comparing import CompareFace, CompareMaskFace, VerifyFace
from kiosk.recognition.tencent.iai.detecting import AnalyzeFace, DetectFace, FaceShape, Point
from kiosk.recognition.tencent.iai.groups import CreateGroup
from kiosk.recognition.tencent.iai.persons import CreateFace, CreatePerson
from kiosk.recognition.tencent.iai.searching import SearchPersons
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_faces import Compare, MultIdentify
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision.pixels import shrink
from tests.sandbox_stage import APPID, BUCKET, KEYS, sandbox

pytestmark = pytest.mark.slow

NAMES = ("P002", "P003", "P005")
STRANGER = "P008"
HEIGHT = 800


def soon() -> float:
    return time.monotonic() + 30


@pytest.fixture(scope="module")
def pictures(people: Path) -> dict[tuple[str, str], bytes]:
    """JPEGs by person and kind, small enough for the older host too."""

    def small(name: str, kind: str) -> bytes:
        image = np.asarray(cv2.imread(str(people / name / "assets" / f"{kind}.jpg")), np.uint8)
        done, jpeg = cv2.imencode(".jpg", shrink(image, HEIGHT / image.shape[0]))
        assert done
        return jpeg.tobytes()

    kinds = ("studio_portrait", "amateur_selfie")
    return {(name, kind): small(name, kind) for name in (*NAMES, STRANGER) for kind in kinds}


@asynccontextmanager
async def asking(models_dir: Path) -> AsyncIterator[tuple[IaiClient, LegacyInterfaces]]:
    async with PhotoEye(QualitySettings(), EyeSettings(), models_dir) as eye, sandbox(eye) as port:
        caller = Caller([Transport(f"http://127.0.0.1:{port}")])
        try:
            yield IaiClient(caller, Account(KEYS)), LegacyInterfaces(caller, KEYS, appid=APPID, bucket=BUCKET)
        finally:
            await caller.close()


async def test_the_same_people_are_alike_and_others_are_not(models_dir: Path, pictures: dict[tuple[str, str], bytes]) -> None:
    async with asking(models_dir) as (iai, old):
        for one, other in itertools.product(NAMES, repeat=2):
            a, b = pictures[one, "studio_portrait"], pictures[other, "amateur_selfie"]
            for request in (CompareFace(a, b), CompareMaskFace(a, b)):
                found = (await iai.call(request, soon())).score
                assert (found >= 50) == (one == other), (one, other, found)
            similarity = (await old.call(Compare(image_a=a, image_b=b), soon())).similarity
            assert (similarity >= 75) == (one == other), (one, other, similarity)


async def test_enrolled_people_are_found(models_dir: Path, pictures: dict[tuple[str, str], bytes]) -> None:
    async with asking(models_dir) as (iai, old):
        await iai.call(CreateGroup("The staff", "staff"), soon())
        for name in NAMES:
            portrait = pictures[name, "studio_portrait"]
            await iai.call(CreatePerson("staff", name, name, image=portrait, quality_control=2), soon())
        added = await iai.call(CreateFace("P002", images=(pictures["P002", "amateur_selfie"],)), soon())
        assert added.ret_code == [0]
        for name in NAMES:
            selfie = pictures[name, "amateur_selfie"]
            (found,) = (await iai.call(SearchPersons(("staff",), selfie), soon())).results
            assert (found.candidates[0].person_id, found.candidates[0].score >= 60) == (name, True)
            assert all(candidate.score < 50 for candidate in found.candidates[1:])
            assert (await iai.call(VerifyFace(name, selfie), soon())).is_match
        (found,) = (await iai.call(SearchPersons(("staff",), pictures[STRANGER, "amateur_selfie"]), soon())).results
        assert all(candidate.score < 50 for candidate in found.candidates)
        both = await old.call(MultIdentify(group_id="staff", image=side_by_side(pictures)), soon())
        assert [result.candidates[0].person_id for result in sorted(both.results, key=lambda r: r.face_rect.x)] == [
            "P003",
            "P005",
        ]


def side_by_side(pictures: dict[tuple[str, str], bytes]) -> bytes:
    images = [cv2.imdecode(np.frombuffer(pictures[name, "studio_portrait"], np.uint8), 1) for name in ("P003", "P005")]
    done, jpeg = cv2.imencode(".jpg", np.hstack([image for image in images if image is not None]))
    assert done
    return jpeg.tobytes()


async def test_points_lie_on_the_face(models_dir: Path, pictures: dict[tuple[str, str], bytes]) -> None:
    async with asking(models_dir) as (iai, _):
        for name in NAMES:
            picture = pictures[name, "studio_portrait"]
            (face,) = (await iai.call(DetectFace(image=picture, need_quality_detection=True), soon())).face_infos
            (shape,) = (await iai.call(AnalyzeFace(1, picture), soon())).face_shape_set
            around = Box(face.x, face.y, face.width, face.height).grown(0.15)
            for points in shape.parts().values():
                assert all(around.x <= p.x <= around.right and around.y <= p.y <= around.bottom for p in points)
            check_order(shape)
            assert face.face_quality_info
            assert face.face_quality_info.score
            assert face.face_quality_info.score > 60


def check_order(shape: FaceShape) -> None:
    """As the vendor's example has it; left and right are the picture's."""
    profile, mouth, nose = shape.face_profile, shape.mouth, shape.nose
    assert profile[0].x < shape.left_pupil[0].x < shape.right_pupil[0].x < profile[20].x
    assert profile[10].y == max(point.y for part in shape.parts().values() for point in part)
    assert [point.x for point in profile[3:18]] == sorted(point.x for point in profile[3:18])
    for eye, brow, pupil, outwards in (
        (shape.left_eye, shape.left_eye_brow, shape.left_pupil[0], -1),
        (shape.right_eye, shape.right_eye_brow, shape.right_pupil[0], 1),
    ):
        for part in (eye, brow):
            assert max(part, key=lambda point: outwards * point.x) == part[0]
            assert middle(part[1:4]) > middle(part[5:8])  # the lower edge, then the upper one
        assert middle(brow) < middle(eye)
        assert min(point.x for point in eye) < pupil.x < max(point.x for point in eye)
    assert (mouth[0].x, mouth[6].x) == (min(p.x for p in mouth), max(p.x for p in mouth))
    assert middle(mouth[7:12]) < middle(mouth[17:22]) <= middle(mouth[12:17]) + 1 < middle(mouth[1:6])
    assert nose[1].y < nose[2].y < nose[3].y < nose[4].y < nose[5].y < nose[7].y < mouth[9].y
    assert nose[5].x < nose[6].x < nose[7].x < nose[8].x < nose[9].x
    assert nose[1].y < nose[0].y < nose[7].y


def middle(points: list[Point]) -> float:
    return sum(point.y for point in points) / len(points)
