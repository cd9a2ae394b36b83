"""Photos that somebody hands in: what is found in them, what was wished, what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.errors import CameraError, PhotoRejected
from kiosk.ports import Wish
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision.antispoof import AntiSpoof
from kiosk.vision.embedding import Embedder
from kiosk.vision.landmarks import Landmarker
from kiosk.vision.mask import MaskClassifier
from kiosk.vision.photo import PhotoReader, read_header
from tests.vision_stage import NAMES, TOLD_APART, encoded, picture, scene


@pytest.fixture(scope="module")
def reader(models_dir: Path) -> Iterator[PhotoReader]:
    with PhotoReader(QualitySettings(), EyeSettings(), models_dir) as reader:
        yield reader


# What is wished.


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each network but the finder's is run."""
    counted: Counter[str] = Counter()

    def watch(kind: type, name: str) -> None:
        really = getattr(kind, name)

        def counting(*arguments: object) -> object:
            counted[name] += 1
            return really(*arguments)

        monkeypatch.setattr(kind, name, counting)

    watch(Embedder, "embed")
    watch(Embedder, "embed_upper")
    watch(Landmarker, "locate")
    watch(MaskClassifier, "worn")
    watch(AntiSpoof, "live")
    return counted


@pytest.mark.parametrize(
    ("wish", "runs"),
    [
        (Wish(), {"embed": 2, "locate": 2}),
        (Wish(quality=False, embed="none"), {}),
        (Wish(quality=False, embed="largest"), {"embed": 1}),
        (Wish(quality=False, embed="largest", upper=True), {"embed": 1, "embed_upper": 1}),
        (Wish(quality=False, embed="all", upper=True), {"embed": 2, "embed_upper": 2}),
        (Wish(quality=False, embed="none", upper=True, mask=True), {"worn": 2}),
        (Wish(quality=False, embed="none", live=True), {"live": 2}),
        (Wish(quality=False, embed="none", landmarks=True), {"locate": 2}),
        (Wish(quality=True, embed="none", landmarks=True), {"locate": 2}),
        (Wish(quality=False, embed="none", rotate=True), {}),
    ],
)
def test_what_is_not_wished_is_not_done(
    reader: PhotoReader, people: Path, calls: Counter[str], wish: Wish, runs: dict[str, int]
) -> None:
    two = scene(picture(people, "P002", "studio_portrait", 500), picture(people, "P008", "studio_portrait", 600))
    read = reader.read(encoded(two), wish)
    assert calls == runs
    larger, smaller = read.faces
    assert larger.face.box.area > smaller.face.box.area
    for number, face in enumerate(read.faces):
        embeds = wish.embed == "all" or (wish.embed == "largest" and number == 0)
        assert (face.embedding is not None) == embeds
        assert (face.upper is not None) == (embeds and wish.upper)
        assert (face.landmarks is not None) == wish.landmarks
        assert (face.mask >= 0) == wish.mask
        assert (face.live >= 0) == wish.live
        assert (face.face.pose is not None) == (wish.quality or wish.landmarks)
        assert bool(face.quality.measures) == wish.quality
        assert face.quality.grade == (4 if wish.quality else 0)
    msgspec.convert(msgspec.to_builtins(read), type(read))


def test_wishing_less_changes_nothing_of_the_rest(reader: PhotoReader, people: Path) -> None:
    for name in TOLD_APART:
        photo = encoded(picture(people, name, "amateur_selfie", 800))
        (little,) = reader.read(photo, Wish(quality=False, embed="largest")).faces
        (everything,) = reader.read(photo, Wish(upper=True, mask=True, landmarks=True)).faces
        assert little.face.box == everything.face.box
        assert little.embedding == everything.embedding


def test_landmarks_are_the_same_with_and_without_quality(reader: PhotoReader, people: Path) -> None:
    photo = encoded(picture(people, "P005", "studio_portrait", 600))
    (alone,) = reader.read(photo, Wish(quality=False, embed="none", landmarks=True)).faces
    (graded,) = reader.read(photo, Wish(embed="none", landmarks=True)).faces
    assert alone.landmarks == graded.landmarks
    points = np.frombuffer(alone.landmarks or b"", "<f4").reshape(478, 2)
    # MediaPipe's irises: 468 is the person's right one, 473 the left.
    for index, point in ((468, alone.face.points[0]), (473, alone.face.points[1])):
        assert np.hypot(*(points[index] - point)) < 0.06 * alone.face.box.width


def test_a_small_face_beside_a_large_one_is_found_where_all_are_wished(reader: PhotoReader, people: Path) -> None:
    large, small = picture(people, "P002", "studio_portrait", 900), picture(people, "P008", "studio_portrait", 72)
    photo = encoded(scene(large, small, width=1200, height=900))
    sizes = [face.face.box.width for face in reader.read(photo).faces]
    assert len(sizes) == 2
    assert sizes[1] < 0.03 * 1200
    (only,) = reader.read(photo, Wish(quality=False, embed="largest")).faces
    assert only.face.box.width == sizes[0]


def test_a_small_face_alone_is_found_whatever_is_wished(reader: PhotoReader, people: Path) -> None:
    photo = encoded(scene(picture(people, "P008", "studio_portrait", 90), width=1200, height=900))
    for embed in ("none", "largest", "all"):
        read = reader.read(photo, msgspec.convert({"quality": False, "embed": embed}, Wish))
        assert [face.face.box.width < 0.04 * 1200 for face in read.faces] == [True]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_photo_is_turned_until_its_faces_stand_upright(reader: PhotoReader, people: Path, turns: int) -> None:
    wish = Wish(quality=False, embed="largest", rotate=True)
    for name in NAMES:
        for kind in ("studio_portrait", "amateur_selfie"):
            upright = np.ascontiguousarray(picture(people, name, kind, 512)[:480])
            expected = reader.read(encoded(upright, ".png"), wish)
            lying = np.ascontiguousarray(np.rot90(upright, turns))
            read = reader.read(encoded(lying, ".png"), wish)
            assert (read.turned, expected.turned) == (turns, 0)
            assert read == msgspec.structs.replace(expected, turned=turns)


def test_a_photo_without_faces_is_not_turned(reader: PhotoReader) -> None:
    read = reader.read(encoded(scene()), Wish(rotate=True))
    assert (read.turned, read.width, read.height, read.faces) == (0, 1280, 720, ())


def test_an_unwished_mask_model_need_not_be_there(models_dir: Path, people: Path, tmp_path: Path) -> None:
    for file in models_dir.iterdir():
        if file.is_file() and "mask" not in file.name:
            (tmp_path / file.name).symlink_to(file)
    photo = encoded(picture(people, "P003", "studio_portrait", 400))
    with PhotoReader(QualitySettings(), EyeSettings(), tmp_path) as reader:
        assert len(reader.read(photo).faces) == 1
        with pytest.raises(CameraError, match="model_missing"):
            reader.read(photo, Wish(mask=True))


# What is handed in.


@pytest.mark.parametrize(("suffix", "name"), [(".jpg", "jpeg"), (".png", "png"), (".bmp", "bmp")])
def test_a_photo_of_each_format_is_read(reader: PhotoReader, people: Path, suffix: str, name: str) -> None:
    image = picture(people, "P003", "amateur_selfie", 480)
    read = reader.read(encoded(image, suffix))
    assert (read.format, read.width, read.height) == (name, image.shape[1], image.shape[0])
    (face,) = read.faces
    assert face.quality.usable
    assert face.face.pose is not None
    msgspec.convert(msgspec.to_builtins(read), type(read))


def test_a_face_that_fills_the_photo_is_found(reader: PhotoReader, people: Path) -> None:
    image = picture(people, "P003", "studio_portrait", 1024)
    (face,) = reader.read(encoded(image, ".png") + b"what a phone appends").faces
    left, top, right, bottom = face.face.box.pixels(image.shape[1], image.shape[0])
    filled = cv2.resize(image[top:bottom, left:right], (1200, 1500))
    assert len(reader.read(encoded(np.asarray(filled, dtype=np.uint8))).faces) == 1


def test_a_photo_without_a_face_is_a_photo(reader: PhotoReader) -> None:
    assert reader.read(encoded(scene())).faces == ()


def test_exif_orientation_is_applied(reader: PhotoReader, people: Path) -> None:
    image = picture(people, "P003", "studio_portrait", 480)[:, :400]
    lying = encoded(np.ascontiguousarray(np.rot90(image)))
    # Orientation 6: turn clockwise to see it upright. One TIFF directory with one entry.
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    segment = b"Exif\0\0" + tiff
    tagged = lying[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + lying[2:]
    read = reader.read(tagged)
    assert (read.width, read.height) == (400, 480)
    assert len(read.faces) == 1


@pytest.mark.parametrize(
    ("photo", "slug"),
    [
        (b"", "image_format_unknown"),
        (b"GIF89a" + bytes(500), "image_format_unknown"),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(500), "image_format_unknown"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image_format_unknown"),
        (b"\xff\xd8\xff", "image_decode_failed"),
        (b"\xff\xd8" + b"\xff" * 1000, "image_decode_failed"),
        (b"\xff\xd8" + b"\xff\xe0\0\0" * 1000, "image_decode_failed"),
        (b"\x89PNG\r\n\x1a\n", "image_decode_failed"),
        (b"BM", "image_decode_failed"),
        (encoded(np.zeros((63, 500, 3), np.uint8), ".png"), "image_too_small"),
        (encoded(np.zeros((64, 4001, 3), np.uint8), ".png"), "image_too_large"),
        (encoded(np.zeros((4001, 64, 3), np.uint8), ".jpg"), "image_too_large"),
        (encoded(np.zeros((100, 100, 3), np.uint8), ".jpg")[:-40], "image_decode_failed"),
        (encoded(np.zeros((100, 100, 3), np.uint8), ".png")[:-40], "image_decode_failed"),
        (encoded(np.zeros((100, 100, 3), np.uint8), ".bmp")[:-40], "image_decode_failed"),
    ],
)
def test_a_bad_photo_is_refused_with_its_reason(reader: PhotoReader, photo: bytes, slug: str) -> None:
    with pytest.raises(PhotoRejected) as refused:
        reader.read(photo)
    assert refused.value.slug == slug


def test_a_pixel_bomb_is_refused_by_its_header(reader: PhotoReader) -> None:
    png = bytearray(encoded(np.zeros((100, 100, 3), np.uint8), ".png"))
    png[16:24] = b"\0\0\xff\xff" * 2
    with pytest.raises(PhotoRejected, match="image_too_large"):
        reader.read(bytes(png))


def test_a_png_chunk_longer_than_the_photo_is_refused_before_opencv_reserves_its_length() -> None:
    png = bytearray(encoded(np.zeros((100, 100, 3), np.uint8), ".png"))
    png[33:37] = (1_500_000_000).to_bytes(4, "big")
    with pytest.raises(PhotoRejected, match="image_decode_failed"):
        read_header(bytes(png))


def test_a_header_that_lies_about_the_size_is_refused(reader: PhotoReader) -> None:
    bmp = bytearray(encoded(np.zeros((100, 100, 3), np.uint8), ".bmp"))
    bmp[22:26] = (3000).to_bytes(4, "little")
    with pytest.raises(PhotoRejected, match="image_decode_failed"):
        reader.read(bytes(bmp))


def test_a_jpeg_of_endless_scans_is_refused(reader: PhotoReader, people: Path) -> None:
    progressive = encoded(picture(people, "P003", "studio_portrait", 256), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert len(reader.read(progressive).faces) == 1
    last = progressive.rindex(b"\xff\xda")
    bomb = progressive[:last] + progressive[last:-2] * 101
    with pytest.raises(PhotoRejected, match="scans"):
        reader.read(bomb)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_bytes_never_crash_the_reader(reader: PhotoReader, people: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from([".jpg", ".jpg", ".png", ".bmp"]))
    photo = bytearray(encoded(picture(people, "P003", "studio_portrait", 96), suffix))
    for _ in range(data.draw(st.integers(1, 8))):
        begin = data.draw(st.one_of(st.integers(0, 64), st.integers(0, len(photo) - 1)))
        photo[begin : begin + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    with suppress(PhotoRejected):
        read = reader.read(bytes(photo))
        assert 64 <= min(read.width, read.height) <= max(read.width, read.height) <= 4000
