"""The picture that may leave the eye: its size, its bytes, and which way up it is."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from kiosk.domain import Box, Face, Pose
from kiosk.errors import ProbeRejected
from kiosk.settings import PresentationSettings
from kiosk.vision import models
from kiosk.vision.finder import Finder
from kiosk.vision.photo import read_header
from kiosk.vision.pixels import Image, cut, shrink
from kiosk.vision.probe import MARGIN, MAX_BYTES, MIN_SIDE, UPRIGHT_WITHIN, crop, encode, moved

NOISE = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
"""No picture is worse to compress."""


@pytest.fixture(scope="module")
def finder(models_dir: Path) -> Finder:
    return Finder(models.path(models_dir, "finder"), 320)


def face_at(box: Box, tilt: float = 0.0) -> Face:
    """A face that leans clockwise by so many degrees."""
    return Face(box=box, score=1.0, points=(box.centre,) * 5, pose=Pose(0, 0, -tilt))


def decoded(jpeg: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED), dtype=np.uint8)


def standing(people: Path, name: str, degrees: float = 0.0) -> Image:
    """Somebody before a grey wall, with the head turned clockwise in the picture."""
    portrait = cv2.imread(str(people / name / "assets" / "studio_portrait.jpg"), cv2.IMREAD_REDUCED_COLOR_2)
    portrait = shrink(np.asarray(portrait, dtype=np.uint8), 0.55)
    frame = np.full((720, 1280, 3), 120, np.uint8)
    left = (1280 - portrait.shape[1]) // 2
    frame[80 : 80 + portrait.shape[0], left : left + portrait.shape[1]] = portrait
    turn = cv2.getRotationMatrix2D((640.0, 360.0), -degrees, 1.0)
    return np.asarray(cv2.warpAffine(frame, turn, (1280, 720), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


boxes = st.builds(Box, st.floats(-300, 1200), st.floats(-300, 700), st.floats(20, 900), st.floats(20, 900))
tilts = st.floats(-90, 90)


@example(Box(0.0, -72.0, 459.0, 97.0), 0.0, 64, 79, 20_000)
@given(boxes, tilts, st.integers(64, 4000), st.integers(50, 100), st.sampled_from([20_000, 60_000, MAX_BYTES]))
@effort(max_examples=60, deadline=None)
def test_every_probe_keeps_the_limits(box: Box, tilt: float, long_side: int, quality: int, most: int) -> None:
    face, settings = face_at(box, tilt), PresentationSettings(probe_long_side=long_side, probe_quality=quality)
    whole, _ = cut(NOISE, box.grown(MARGIN))
    if min(whole.shape[:2]) < MIN_SIDE:
        with pytest.raises(ProbeRejected, match="picture_rejected"):
            encode(NOISE, face, settings, most)
        return
    try:
        jpeg, size = encode(NOISE, face, settings, most)
    except ProbeRejected as error:
        # A long strip of noise may be too large even at 64 px: a pixel of it takes half a byte and more.
        smallest = MIN_SIDE**2 * max(whole.shape[:2]) / min(whole.shape[:2])
        if error.slug != "probe_too_large" or smallest < most / 2:
            raise
        return
    assert len(jpeg) <= most
    assert b"Exif" not in jpeg
    assert jpeg.startswith(b"\xff\xd8\xff")
    assert read_header(jpeg) == ("jpeg", *size)
    assert min(size) >= MIN_SIDE
    assert max(size) <= long_side or min(size) == MIN_SIDE
    assert size[0] <= whole.shape[1]
    assert size[1] <= whole.shape[0]


@given(boxes, tilts)
@effort(max_examples=40, deadline=None)
def test_what_is_kept_is_enough_for_the_probe(box: Box, tilt: float) -> None:
    """The crop that outlives the frame gives the same picture as the frame itself, unless its corners lie outside of that."""
    face = face_at(box, tilt)
    kept, (left, top) = crop(NOISE, face)
    whole, settings = box.grown(1.1), PresentationSettings(probe_long_side=4000)
    if min(cut(NOISE, box.grown(MARGIN))[0].shape[:2]) < MIN_SIDE:
        return
    inside = whole.x >= 0 and whole.y >= 0 and whole.right <= 1280 and whole.bottom <= 720
    from_crop, size = encode(kept, moved(face, -left, -top), settings, 5_000_000)
    from_frame, whole_size = encode(NOISE, face, settings, 5_000_000)
    assert max(abs(one - other) for one, other in zip(size, whole_size, strict=True)) <= 1
    if inside and size == whole_size and abs(tilt) <= UPRIGHT_WITHIN:
        assert from_crop == from_frame


@given(st.integers(1000, 400_000), st.integers(60, 100))
@effort(max_examples=30, deadline=None)
def test_quality_goes_down_before_size_and_no_further_than_needed(most: int, quality: int) -> None:
    face, settings = face_at(Box(500, 200, 160, 200)), PresentationSettings(probe_quality=quality)
    full, size = encode(NOISE, face, settings, 5_000_000)
    try:
        jpeg, smaller = encode(NOISE, face, settings, most)
    except ProbeRejected:
        assert most < 5000
        return
    if len(full) <= most:
        assert (jpeg, smaller) == (full, size)
    elif smaller == size:
        assert len(jpeg) > most / 3


def test_one_probe_fits_every_interface() -> None:
    in_base64 = len(base64.b64encode(bytes(MAX_BYTES)))
    assert in_base64 + 10_000 < 1_500_000
    assert in_base64 < 5_000_000


@pytest.mark.parametrize("degrees", [-28, -20, 20, 28])
def test_a_tilted_head_is_turned_upright(finder: Finder, people: Path, degrees: float) -> None:
    frame = standing(people, "P002", degrees)
    (found,) = finder.find(frame)
    face = msgspec.structs.replace(found, pose=Pose(0, 0, -degrees))
    kept, (left, top) = crop(frame, face)
    jpeg, _ = encode(kept, moved(face, -left, -top), PresentationSettings())
    picture = decoded(jpeg)
    (again,) = finder.find(picture)
    (right_x, right_y), (left_x, left_y) = again.points[:2]
    assert abs(math.degrees(math.atan2(left_y - right_y, left_x - right_x))) < 6
    assert again.box.x > 0
    assert again.box.bottom < picture.shape[0]


@pytest.mark.parametrize("degrees", [0, 10])
def test_a_head_held_nearly_upright_is_left_as_it_is(finder: Finder, people: Path, degrees: float) -> None:
    frame = standing(people, "P002", degrees)
    (found,) = finder.find(frame)
    face = msgspec.structs.replace(found, pose=Pose(0, 0, -degrees))
    jpeg, _ = encode(frame, face, PresentationSettings(probe_quality=100))
    expected, _ = cut(frame, face.box.grown(MARGIN))
    difference = decoded(jpeg).astype(int) - shrink(expected, 640 / max(expected.shape[:2]))
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("name", ["P002", "P005", "P008"])
def test_a_probe_usually_has_a_hundred_kilobytes(finder: Finder, people: Path, name: str) -> None:
    frame = standing(people, name)
    (face,) = finder.find(frame)
    jpeg, size = encode(frame, face, PresentationSettings())
    assert max(size) <= 640
    assert 20_000 < len(jpeg) < 120_000
