"""Small pictures of faces, made by an eye."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.domain import Box
from kiosk.errors import PhotoRejected
from kiosk.eye.photos import PhotoEye
from kiosk.ports import Wish
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision.pixels import Image

SECRET = b"Exif\0\0 GPS 48.1371 11.5754"


@pytest.fixture
async def eye(models_dir: Path) -> AsyncIterator[PhotoEye]:
    async with PhotoEye(QualitySettings(), EyeSettings(), models_dir) as eye:
        yield eye


@pytest.fixture
def photo(people: Path) -> bytes:
    return (people / "P002" / "assets" / "amateur_selfie.jpg").read_bytes()


def decoded(jpeg: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


async def test_a_thumbnail_is_small_and_shows_the_face(eye: PhotoEye, photo: bytes) -> None:
    (seen,) = (await eye.analyse(photo)).faces
    small = await eye.thumbnail(photo, seen.face.box)
    assert max(decoded(small).shape[:2]) == 320
    (again,) = (await eye.analyse(small)).faces
    assert again.face.box.height > 320 * 0.4
    assert float(np.dot(*(np.frombuffer(one.embedding or b"", "<f4") for one in (seen, again)))) > 0.7


async def test_a_photo_on_its_side_is_turned(eye: PhotoEye, photo: bytes) -> None:
    on_its_side = cv2.imencode(".jpg", cv2.rotate(decoded(photo), cv2.ROTATE_90_CLOCKWISE))[1].tobytes()
    found = await eye.analyse(on_its_side, Wish(rotate=True))
    assert found.turned == 3
    small = await eye.thumbnail(on_its_side, found.faces[0].face.box, found.turned)
    assert len((await eye.analyse(small)).faces) == 1


async def test_what_a_photo_says_beside_its_pixels_stays_behind(eye: PhotoEye, photo: bytes) -> None:
    told = photo[:2] + b"\xff\xe1" + (len(SECRET) + 2).to_bytes(2) + SECRET + photo[2:]
    (seen,) = (await eye.analyse(told)).faces
    assert b"GPS" not in await eye.thumbnail(told, seen.face.box)


async def test_a_small_face_is_not_enlarged_and_a_box_beside_the_photo_shows_all_of_it(eye: PhotoEye) -> None:
    grey = cv2.imencode(".png", np.full((100, 80, 3), 128, np.uint8))[1].tobytes()
    assert decoded(await eye.thumbnail(grey, Box(30, 30, 20, 20))).shape == (36, 36, 3)
    assert decoded(await eye.thumbnail(grey, Box(-900, 0, 20, 20))).shape == (100, 80, 3)


async def test_a_broken_photo_is_refused(eye: PhotoEye, photo: bytes) -> None:
    with pytest.raises(PhotoRejected):
        await eye.thumbnail(photo[:3000], Box(0, 0, 10, 10))
