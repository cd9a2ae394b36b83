"""Seeing, on real pictures of synthetic people and with the real models."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.domain import Box, Ended, Face, Probe, Shot
from kiosk.errors import CameraError, ProbeRejected
from kiosk.eye import messages
from kiosk.processor import runs_mediapipe
from kiosk.settings import EyeSettings, PresentationSettings, QualitySettings
from kiosk.vision import models
from kiosk.vision.annotate import draw
from kiosk.vision.assessor import Assessor, load
from kiosk.vision.examiner import Examination, Examiner
from kiosk.vision.landmarks import LEVEL_PITCH, pose_of
from kiosk.vision.photo import PhotoReader, read_header
from kiosk.vision.pixels import Image, shrink
from kiosk.vision.probe import crop, encode, moved
from tests.vision_stage import NAMES, TOLD_APART, encoded, picture, scene, wearing


@pytest.fixture(scope="module", params=["mediapipe", "litert"] if runs_mediapipe() else ["litert"])
def assessor(models_dir: Path, request: pytest.FixtureRequest) -> Iterator[Assessor]:
    networks = load(models_dir, EyeSettings(landmarker=request.param), (320,), embed=True, mask=True)
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


def _examiner(models_dir: Path, *, embed: bool = True, **presentation: object) -> Examiner:
    return Examiner(
        "front",
        QualitySettings(),
        PresentationSettings.model_validate(presentation),
        EyeSettings(),
        models_dir,
        embed=embed,
        first_presentation=5,
    )


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


@pytest.mark.parametrize("name", ["P001", "P005"])
def test_yaw_is_positive_to_the_persons_left(assessor: Assessor, people: Path, name: str) -> None:
    # The second tile of these sheets shows a head turned to the picture's right: to the person's left.
    tile = np.ascontiguousarray(picture(people, name, "character_sheet", 896)[70:320, 335:570])
    for image, sign in ((tile, 1), (np.ascontiguousarray(tile[:, ::-1]), -1)):
        (face,) = assessor._networks.finder.find(image)
        found = assessor._networks.landmarker.locate(image, face.box)
        assert found is not None
        assert 30 < sign * found.pose.yaw < 60


def test_pitch_is_positive_upwards() -> None:
    up = np.radians(20)
    # Columns: the face's own x, y and z (ahead) axis, seen with y up and z towards the camera.
    matrix = np.array([[1, 0, 0, 0], [0, np.cos(up), np.sin(up), 0], [0, -np.sin(up), np.cos(up), 0], [0, 0, 0, 1]])
    assert pose_of(matrix).pitch == pytest.approx(20 - LEVEL_PITCH)
    assert pose_of(matrix.T).pitch == pytest.approx(-20 - LEVEL_PITCH)


# The gate.


@pytest.mark.parametrize("across", [100, 300])
def test_every_portrait_and_selfie_passes(assessor: Assessor, people: Path, across: int) -> None:
    for image in _people(assessor, people, across):
        assert [report.defects for _, report in assessor.assess(image)] == [()]


def test_blur_is_refused_and_only_blur(assessor: Assessor, people: Path) -> None:
    for image in _people(assessor, people, 160):
        blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), 2), dtype=np.uint8)
        assert [report.defects for _, report in assessor.assess(blurred)] == [("blurred",)]


@pytest.mark.parametrize(("exposure", "defect"), [(0.25, "too_dark"), (3.0, "too_bright")])
def test_bad_light_is_refused(assessor: Assessor, people: Path, exposure: float, defect: str) -> None:
    for image in _people(assessor, people, 160):
        lit = np.clip(image.astype(np.float32) * exposure, 0, 255).astype(np.uint8)
        ((_, report),) = assessor.assess(lit)
        assert report.defects[0] == defect


def test_a_profile_is_turned_away(assessor: Assessor, people: Path) -> None:
    sheet = picture(people, "P002", "character_sheet", 1000)[78:360, 370:640]
    ((_, report),) = assessor.assess(np.ascontiguousarray(sheet))
    assert report.defects == ("turned_away",)


def _people(assessor: Assessor, people: Path, across: int) -> Iterator[Image]:
    """Every portrait and selfie with the face so many pixels wide."""
    for name in NAMES:
        for kind in ("studio_portrait", "amateur_selfie"):
            image = picture(people, name, kind, 1024)
            (face, *_) = assessor._networks.finder.find(image)
            yield shrink(image, across / face.box.width)


# Probes.


def test_a_probe_shows_the_face_and_stays_inside_its_limits(assessor: Assessor, people: Path) -> None:
    frame = scene(picture(people, "P006", "studio_portrait", 1000), width=1920, height=1080)
    face = the_one(assessor, frame)
    jpeg, size = encode(frame, face, PresentationSettings())
    assert max(size) == 640
    assert 30_000 < len(jpeg) < 150_000
    assert b"Exif" not in jpeg
    again = the_one(assessor, np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED), dtype=np.uint8))
    assert again.box.width / size[0] == pytest.approx(1 / 1.8, abs=0.05)


def test_a_small_face_is_not_enlarged(assessor: Assessor, people: Path) -> None:
    frame = scene(picture(people, "P006", "studio_portrait", 300))
    face = the_one(assessor, frame)
    _, (width, height) = encode(frame, face, PresentationSettings())
    assert width == pytest.approx(1.8 * face.box.width, abs=2)
    assert height == pytest.approx(1.8 * face.box.height, abs=2)


@given(st.floats(-500, 2000), st.floats(-500, 1500), st.floats(64, 1500), st.floats(64, 1500), st.integers(64, 4000))
@settings(max_examples=30, deadline=None)
def test_a_probes_size_keeps_the_contract(x: float, y: float, width: float, height: float, long_side: int) -> None:
    frame = np.zeros((720, 1280, 3), np.uint8)
    face = Face(box=Box(x, y, width, height), score=1, points=((0, 0),) * 5)
    left, top, right, bottom = face.box.grown(0.4).pixels(1280, 720)
    if min(right - left, bottom - top) < 64:
        with pytest.raises(ProbeRejected, match="picture_rejected"):
            encode(frame, face, PresentationSettings(probe_long_side=long_side))
        return
    jpeg, size = encode(frame, face, PresentationSettings(probe_long_side=long_side))
    assert min(size) >= 64
    assert max(size) <= max(long_side, 64) or min(size) == 64
    assert read_header(jpeg)[1:] == size


def test_quality_goes_down_only_as_far_as_needed(assessor: Assessor, people: Path) -> None:
    frame = scene(picture(people, "P006", "studio_portrait", 700))
    face = the_one(assessor, frame)
    full, size = encode(frame, face, PresentationSettings())
    less, same = encode(frame, face, PresentationSettings(), max_bytes=len(full) - 1)
    tiny, smaller = encode(frame, face, PresentationSettings(), max_bytes=5000)
    assert len(full) / 3 < len(less) < len(full)
    assert same == size
    assert len(tiny) <= 5000
    assert smaller[0] < size[0]
    with pytest.raises(ProbeRejected, match="probe_too_large"):
        encode(frame, face, PresentationSettings(), max_bytes=300)


# Embeddings.


def test_embeddings_tell_people_apart(reader: PhotoReader, people: Path) -> None:
    portraits, selfies = (
        np.array([_embedding(reader, picture(people, name, kind, 512)) for name in TOLD_APART])
        for kind in ("studio_portrait", "amateur_selfie")
    )
    cosines = portraits @ selfies.T
    assert np.allclose(np.linalg.norm(portraits, axis=1), 1, atol=1e-5)
    assert cosines.diagonal().min() > 0.45
    assert (cosines - 2 * np.eye(len(TOLD_APART))).max() < 0.37


def test_an_embedding_of_the_kept_crop_is_that_of_the_frame(assessor: Assessor, people: Path) -> None:
    embedder = assessor._networks.embedder
    assert embedder is not None
    frame = scene(picture(people, "P005", "studio_portrait", 500))
    face = the_one(assessor, frame)
    kept, (left, top) = crop(frame, face)
    inside = np.frombuffer(embedder.embed(kept, moved(face, -left, -top)), "<f4")
    assert np.dot(inside, np.frombuffer(embedder.embed(frame, face), "<f4")) > 0.999


def _embedding(reader: PhotoReader, image: Image) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    (face,) = reader.read(encoded(image)).faces
    return np.frombuffer(face.embedding or b"", "<f4")


# The examiner.


def _play(examiner: Examiner, frames: Sequence[Image], begin: float = 50.0) -> list[Examination]:
    return [examiner.examine(frame, begin + number / 15) for number, frame in enumerate(frames)]


def _shots(seen: Sequence[Examination]) -> list[Shot]:
    return [event for each in seen for event in each.events if isinstance(event, Shot)]


def test_somebody_steps_up_is_shot_and_leaves(examiner: Examiner, people: Path) -> None:
    someone, nobody = scene(picture(people, "P002", "studio_portrait", 600)), scene()
    before = someone.copy()
    seen = _play(examiner, [nobody, *[someone] * 4, *[nobody] * 12])
    assert np.array_equal(someone, before)
    (shot,) = _shots(seen)
    assert shot.probe.presentation == 5
    assert shot.attempt == 1
    assert shot.usable_at == shot.probe.captured_at == pytest.approx(50 + 1 / 15)
    assert [each.present for each in seen] == [(), *[(5,)] * 4, *[()] * 12]
    assert [type(event).__name__ for each in seen for event in each.events] == ["Began", "Told", "Shot", "Told", "Ended"]
    ended = [event for each in seen for event in each.events][-1]
    assert isinstance(ended, Ended)
    assert ended.best is not None
    assert ended.best.grade == 4
    stages = {"motion", "find", "quality", "landmarks", "compare", "glance", "encode", "embed"}
    assert stages == {name for each in seen for name in each.stage_seconds}
    for event in (event for each in seen for event in each.events):
        assert messages.decode_from_eye(messages.encode(event)) == event


def test_the_probe_shows_the_person_and_carries_their_embedding(examiner: Examiner, reader: PhotoReader, people: Path) -> None:
    portrait = picture(people, "P008", "studio_portrait", 700)
    (shot,) = _shots(_play(examiner, [scene(portrait)] * 3))
    assert shot.probe.embedding is not None
    read = reader.read(shot.probe.jpeg)
    assert (read.width, read.height) == shot.probe.size
    assert np.dot(np.frombuffer(shot.probe.embedding, "<f4"), _embedding(reader, portrait)) > 0.9
    assert np.dot(np.frombuffer(read.faces[0].embedding or b"", "<f4"), _embedding(reader, portrait)) > 0.9
    assert shot.probe.jpeg[:4].hex() not in repr(shot)


def test_the_picture_is_copied_before_the_frame_is_used_again(models_dir: Path, people: Path, reader: PhotoReader) -> None:
    portrait = picture(people, "P008", "studio_portrait", 500)
    frame = scene(portrait)
    with _examiner(models_dir, good_enough=4, settle=0) as examiner:
        examiner.examine(frame, 1.0)
        frame[:] = scene(np.asarray(cv2.GaussianBlur(portrait, (0, 0), 3), dtype=np.uint8))
        (shot,) = _shots([examiner.examine(frame, 1.1)])
    assert shot.probe.captured_at == 1.0
    assert reader.read(shot.probe.jpeg).faces[0].quality.usable


def test_a_refused_person_is_asked_again_and_a_granted_one_is_not(examiner: Examiner, people: Path) -> None:
    frame = scene(picture(people, "P005", "studio_portrait", 500))
    shots: list[Probe] = []
    for number in range(60):
        for shot in _shots([examiner.examine(frame, number / 15)]):
            shots.append(shot.probe)
            examiner.outcome(shot.probe.presentation, "refused" if len(shots) == 1 else "granted", number / 15)
    assert len(shots) == 2


def test_a_far_face_is_embedded_by_points_found_close_up(examiner: Examiner, reader: PhotoReader, people: Path) -> None:
    near: list[float] = []
    far: list[float] = []
    for name in NAMES:
        portrait = picture(people, name, "studio_portrait", 1024)
        (face,) = reader.read(encoded(portrait)).faces
        frame = scene(shrink(portrait, 120 / face.face.box.width), width=1920, height=1080)
        enrolled = np.frombuffer(face.embedding or b"", "<f4")
        (shot,) = _shots(_play(examiner, [frame] * 6, 100.0 * len(near)))
        embedder = examiner._networks.embedder
        assert embedder is not None
        near.append(float(enrolled @ np.frombuffer(shot.probe.embedding or b"", "<f4")))
        far.append(float(enrolled @ np.frombuffer(embedder.embed(frame, shot.probe.face), "<f4")))
    assert np.mean(near) > np.mean(far) + 0.02


@pytest.mark.parametrize("worn", ["full", "nose free"])
def test_a_probe_says_that_a_mask_is_worn_and_only_then_carries_the_upper_face(
    examiner: Examiner, assessor: Assessor, people: Path, worn: str
) -> None:
    bare = scene(picture(people, "P006", "studio_portrait", 700))
    found = assessor._networks.landmarker.locate(bare, the_one(assessor, bare).box)
    assert found is not None
    (without,) = _shots(_play(examiner, [bare] * 3))
    (masked,) = _shots(_play(examiner, [wearing(bare, found.points, worn, "blue")] * 8, 90.0))
    assert (without.probe.masked, without.probe.upper) == (False, None)
    assert masked.probe.masked
    assert len(masked.probe.upper or b"") == len(masked.probe.embedding or b"") == 512
    assert masked.probe.upper != masked.probe.embedding


def test_who_is_asked_for_no_embedding_sends_none(models_dir: Path, people: Path) -> None:
    frame = scene(picture(people, "P006", "studio_portrait", 700))
    with _examiner(models_dir, embed=False) as examiner:
        seen = _play(examiner, [frame] * 3)
        (shot,) = _shots(seen)
    assert (shot.probe.embedding, shot.probe.upper, shot.probe.masked) == (None, None, False)
    assert "embed" not in {name for each in seen for name in each.stage_seconds}


def test_two_people_are_asked_to_come_one_at_a_time(examiner: Examiner, people: Path) -> None:
    two = [picture(people, name, "studio_portrait", 500) for name in ("P002", "P008")]
    seen = _play(examiner, [scene(*two)] * 12)
    assert not _shots(seen)
    assert set(seen[-1].told.values()) == {"several_faces"}
    assert [report.defects for _, report in seen[-1].faces] == [("several_faces",)] * 2


def test_a_frame_with_faces_is_drawn_and_left_as_it_was(examiner: Examiner, people: Path) -> None:
    frame = scene(picture(people, "P002", "studio_portrait", 900), width=1920, height=1080)
    before = frame.copy()
    drawn = draw(frame, examiner.examine(frame, 1.0))
    assert read_header(drawn) == ("jpeg", 960, 540)
    assert np.array_equal(frame, before)
    plain = draw(frame, Examination((), (), (), {}, {}))
    assert drawn != plain


def test_missing_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="model_missing"):
        _examiner(tmp_path)


def test_the_manifest_is_read_once_and_before_threads_begin(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, readers = models.read_manifest, []

    def read(text: str) -> tuple[models.Model, ...]:
        readers.append(threading.current_thread())
        return whole(text)

    models.manifest.cache_clear()
    monkeypatch.setattr(models, "read_manifest", read)
    load(models_dir, EyeSettings(landmarker="litert"), (320,), embed=True, mask=False).landmarker.close()
    assert readers == [threading.current_thread()]


def test_a_missing_system_library_is_named(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(model: Path) -> None:
        raise OSError("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr("kiosk.vision.landmarks.runs_mediapipe", lambda: True)
    monkeypatch.setattr("kiosk.vision.landmarks_mediapipe._create", fail)
    with pytest.raises(CameraError, match=r"system_incomplete.*libEGL"):
        _examiner(models_dir)


@pytest.mark.skipif(not runs_mediapipe(), reason="this processor cannot run MediaPipe")
def test_mediapipe_does_without_matplotlib() -> None:
    code = """if True:
        import sys, kiosk.vision.examiner, kiosk.vision.photo
        from kiosk.vision.landmarks_mediapipe import _without_matplotlib
        assert "mediapipe" not in sys.modules
        with _without_matplotlib():
            from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker
        assert "matplotlib" not in sys.modules
        import matplotlib.figure
    """
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, timeout=60).returncode == 0
