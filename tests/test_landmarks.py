"""The two landmark engines: which is chosen, that they say the same, and what LiteRT does with what it was not trained for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kiosk import system
from kiosk.domain import Box
from kiosk.errors import CameraError
from kiosk.processor import runs_mediapipe
from kiosk.vision import landmarks, models
from kiosk.vision.face_geometry import FIELD_OF_VIEW, VERTICES, CanonicalFace, matrix_of
from kiosk.vision.finder import Finder
from kiosk.vision.landmarks import Landmarker, pose_of
from kiosk.vision.landmarks_litert import LiteRtEngine
from kiosk.vision.pixels import Image, shrink

NAMES = [f"P{number:03}" for number in range(1, 11)]
PI_4 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU part\t: 0xd08
"""
PI_5 = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU part\t: 0xd0b
"""

only_where_both_run = pytest.mark.skipif(not runs_mediapipe(), reason="this processor cannot run MediaPipe")


@pytest.fixture(scope="module")
def finder(models_dir: Path) -> Finder:
    return Finder(models.path(models_dir, "finder"), 640, 320)


@pytest.fixture(scope="module")
def litert(models_dir: Path) -> Iterator[Landmarker]:
    with landmarks.load(models.path(models_dir, "landmarks"), "litert", 1) as landmarker:
        yield landmarker


@pytest.fixture(scope="module")
def mediapipe(models_dir: Path) -> Iterator[Landmarker]:
    with landmarks.load(models.path(models_dir, "landmarks"), "mediapipe", 1) as landmarker:
        yield landmarker


@lru_cache(maxsize=4)
def read(file: Path) -> Image:
    return np.asarray(cv2.imread(str(file)), dtype=np.uint8)


def turned(image: Image, degrees: float) -> Image:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, turn, (width, height)), dtype=np.uint8)


def run(code: str) -> str:
    """What a fresh process prints."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# They say the same.


def same(mediapipe: Landmarker, litert: Landmarker, image: Image, box: Box) -> bool:
    """Whether there is a face to both; holds what they say of it against each other."""
    theirs, ours = mediapipe.locate(image, box), litert.locate(image, box)
    if theirs is None or ours is None:
        assert theirs is ours
        return False
    assert np.hypot(*(theirs.points - ours.points)[:, :2].T).max() < 0.5
    assert np.abs(theirs.points - ours.points)[:, 2].max() < 0.5
    assert list(theirs.blendshapes) == list(ours.blendshapes)
    assert max(abs(theirs.blendshapes[name] - ours.blendshapes[name]) for name in ours.blendshapes) < 0.02
    assert max(abs(a - b) for a, b in zip(pose(theirs), pose(ours), strict=True)) < 0.5
    return True


def pose(found: landmarks.Landmarks) -> tuple[float, float, float]:
    return found.pose.yaw, found.pose.pitch, found.pose.roll


@only_where_both_run
@pytest.mark.parametrize("kind", ["studio_portrait", "amateur_selfie"])
def test_the_engines_agree_on_portraits_and_selfies(
    mediapipe: Landmarker, litert: Landmarker, finder: Finder, people: Path, kind: str
) -> None:
    for name in NAMES:
        image = shrink(read(people / name / "assets" / f"{kind}.jpg"), 0.4)
        for face in finder.find(image)[:1]:
            assert same(mediapipe, litert, image, face.box)


@only_where_both_run
@pytest.mark.parametrize("name", NAMES)
def test_the_engines_agree_on_expressions(
    mediapipe: Landmarker, litert: Landmarker, finder: Finder, people: Path, name: str
) -> None:
    image = read(people / name / "assets" / "emotions_sheet.jpg")
    faces = finder.find(image)
    assert len(faces) == 16
    assert all(same(mediapipe, litert, image, face.box) for face in faces)


@only_where_both_run
def test_the_engines_agree_on_turned_heads_and_on_which_are_turned_too_far(
    mediapipe: Landmarker, litert: Landmarker, finder: Finder, people: Path
) -> None:
    seen = []
    for name in NAMES:
        image = read(people / name / "assets" / "character_sheet.jpg")
        seen += [same(mediapipe, litert, image, face.box) for face in finder.find(image) if face.box.width > 60]
    assert seen.count(True) > 20
    assert seen.count(False) > 5


@only_where_both_run
@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_the_engines_agree_on_heads_held_askew(
    mediapipe: Landmarker, litert: Landmarker, finder: Finder, people: Path, degrees: int
) -> None:
    for name in ("P002", "P005", "P008"):
        image = turned(shrink(read(people / name / "assets" / "studio_portrait.jpg"), 0.3), degrees)
        (face,) = finder.find(image)
        assert same(mediapipe, litert, image, face.box)


@only_where_both_run
def test_the_engines_agree_on_what_is_no_face(mediapipe: Landmarker, litert: Landmarker, people: Path) -> None:
    image = shrink(read(people / "P003" / "assets" / "amateur_posture.jpg"), 0.4)
    height, width = image.shape[:2]
    boxes = [Box(x, y, 120, 150) for x in range(0, width, 170) for y in range(0, height, 210)]
    seen = [same(mediapipe, litert, image, box) for box in boxes]
    assert seen.count(False) > 15


# Which is chosen.


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "runs"),
    [
        ("x86_64", "", True),
        ("aarch64", PI_5, True),
        ("aarch64", PI_4, False),
        ("aarch64", PI_5 + PI_4, False),
        ("aarch64", "", False),
        ("aarch64", PI_4.replace("crc32", "noatomics"), False),
        ("armv7l", PI_5, False),
        ("riscv64", "", False),
    ],
)
def test_mediapipe_runs_only_where_every_core_has_atomics(machine: str, cpuinfo: str, runs: bool) -> None:
    assert runs_mediapipe(machine, cpuinfo) is runs


@pytest.mark.parametrize(("runs", "chosen"), [(True, "mediapipe"), (False, "litert")])
def test_auto_takes_mediapipe_where_it_runs(runs: bool, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "runs_mediapipe", lambda: runs)
    assert landmarks.engine_for("auto") == chosen
    assert landmarks.engine_for("litert") == "litert"


def test_mediapipe_is_refused_where_it_would_end_the_process(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "runs_mediapipe", lambda: False)
    with pytest.raises(CameraError, match=r"system_incomplete.*processor"):
        landmarks.load(models.path(models_dir, "landmarks"), "mediapipe", 1)


@pytest.mark.parametrize(
    ("engine", "loaded"),
    [("litert", "ai_edge_litert"), pytest.param("mediapipe", "mediapipe", marks=only_where_both_run)],
)
def test_only_the_chosen_engine_is_loaded(engine: Literal["litert", "mediapipe"], loaded: str, models_dir: Path) -> None:
    code = f"""if True:
        import sys
        from pathlib import Path
        from kiosk.settings import EyeSettings
        from kiosk.vision import assessor, examiner, photo
        engines = {{"ai_edge_litert", "mediapipe", "matplotlib"}}
        assert not engines & set(sys.modules)
        networks = assessor.load(Path({str(models_dir)!r}), EyeSettings(landmarker={engine!r}), (320,), embed=False, mask=False)
        networks.landmarker.close()
        print(*sorted(engines & set(sys.modules)))
    """
    assert run(code) == loaded


def test_a_system_without_mediapipes_processor_needs_not_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_loads", lambda library: False)
    lacking = {}
    for runs in (True, False):
        monkeypatch.setattr(system, "runs_mediapipe", lambda runs=runs: runs)
        lacking[runs] = {each.package for each in system.missing()}
    assert lacking[True] - lacking[False] == {"libegl1", "libgles2"}
    assert "libgl1" in lacking[False]


def test_a_litert_that_does_not_load_is_named(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(CameraError, match=r"system_incomplete.*LiteRT"):
        landmarks.load(models.path(models_dir, "landmarks"), "litert", 1)


# LiteRT where it works.


def test_litert_works_confined_and_on_one_thread(models_dir: Path, people: Path) -> None:
    photo = people / "P002" / "assets" / "studio_portrait.jpg"
    code = f"""if True:
        from pathlib import Path
        import cv2
        from kiosk.domain import Box
        from kiosk.eye.confinement import confine
        from kiosk.vision import landmarks, models
        cv2.setNumThreads(1)
        refused = confine(required=True)
        image = cv2.imread({str(photo)!r})
        def threads():
            return int(Path("/proc/self/status").read_text().split("Threads:")[1].split()[0])
        before = threads()
        with landmarks.load(models.path(Path({str(models_dir)!r}), "landmarks"), "litert", 1) as landmarker:
            found = landmarker.locate(image, Box(600, 400, 800, 1000))
        print(len(refused), found.points.shape, threads() - before)
    """
    assert run(code) == "4 (478, 3) 0"


SIDES = st.integers(1, 300)
EDGES = st.floats(-400, 400)


@given(SIDES, SIDES, st.integers(0, 2**32 - 1), st.sampled_from([1, 8, 64]), EDGES, EDGES, SIDES, SIDES)
@settings(max_examples=60, deadline=None)
def test_litert_bears_any_picture(
    litert: Landmarker, width: int, height: int, seed: int, coarse: int, x: float, y: float, across: int, down: int
) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (-(-height // coarse), -(-width // coarse), 3), dtype=np.uint8)
    image = np.ascontiguousarray(np.kron(noise, np.ones((coarse, coarse, 1), np.uint8))[:height, :width])
    found = litert.locate(image, Box(x, y, across, down))
    assert found is None or np.isfinite([*found.points.ravel(), *pose(found)]).all()


@given(st.floats(0.02, 40), st.floats(0.02, 40), st.floats(-180, 180))
@settings(max_examples=40, deadline=None)
def test_litert_bears_a_face_pulled_out_of_shape(
    litert: Landmarker, people: Path, wider: float, higher: float, degrees: float
) -> None:
    portrait = turned(shrink(read(people / "P002" / "assets" / "studio_portrait.jpg"), 0.1), degrees)
    size = max(round(portrait.shape[1] * wider), 1), max(round(portrait.shape[0] * higher), 1)
    image = np.asarray(cv2.resize(portrait, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    found = litert.locate(image, Box(0, 0, *size))
    assert found is None or np.isfinite([*found.points.ravel(), *pose(found)]).all()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_nonsense_from_a_network_is_no_face(models_dir: Path, people: Path, monkeypatch: pytest.MonkeyPatch, odd: float) -> None:
    engine = LiteRtEngine(models.path(models_dir, "landmarks"), 1)
    crop = np.ascontiguousarray(shrink(read(people / "P002" / "assets" / "studio_portrait.jpg"), 0.1)[..., ::-1])
    assert engine.look(crop) is not None
    for network in ("_detector", "_mesh"):
        with monkeypatch.context() as patched:
            whole = getattr(engine, network)
            patched.setattr(engine, network, lambda values, whole=whole: [np.full_like(each, odd) for each in whole(values)])
            assert engine.look(crop) is None
    assert engine.look(crop) is not None


# The pose.


@pytest.fixture(scope="module")
def canonical(models_dir: Path) -> CanonicalFace:
    return LiteRtEngine(models.path(models_dir, "landmarks"), 1)._canonical


def test_the_canonical_face_is_a_face(canonical: CanonicalFace) -> None:
    assert len(canonical.indices) == len(canonical.weights) == len(set(canonical.indices.tolist()))
    assert canonical.weights.min() > 0
    where = dict(zip(canonical.indices.tolist(), canonical.points, strict=True))
    # The person's right and left outer eye corners, and the tip of the nose, which is ahead of both.
    right, left, nose = where[33], where[263], where[4]
    assert right[0] < -3 < 3 < left[0]
    assert nose[2] > max(right[2], left[2])
    assert nose[1] < right[1] == pytest.approx(left[1])


def before_the_camera(canonical: CanonicalFace, yaw: float, pitch: float, roll: float, distance: float) -> NDArray[np.float64]:
    """Landmarks of the canonical face turned by so many degrees, so many centimetres away, in a square picture."""
    yaw, pitch, roll = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    stands = canonical.points @ (about_y @ about_x @ about_z).T - (0, 0, distance)
    unit = 2 * np.tan(np.radians(FIELD_OF_VIEW) / 2)
    points = np.zeros((VERTICES + 10, 3))
    points[canonical.indices, 0] = stands[:, 0] / -stands[:, 2] / unit + 0.5
    points[canonical.indices, 1] = 0.5 - stands[:, 1] / -stands[:, 2] / unit
    points[canonical.indices, 2] = -(stands[:, 2] + distance) / distance / unit
    return points


@given(st.floats(-50, 50), st.floats(-30, 30), st.floats(-40, 40), st.floats(30, 120))
@settings(max_examples=50, deadline=None)
def test_the_pose_is_found_again(canonical: CanonicalFace, yaw: float, pitch: float, roll: float, distance: float) -> None:
    matrix = matrix_of(before_the_camera(canonical, yaw, pitch, roll, distance), 1.0, canonical)
    assert matrix is not None
    found = pose_of(matrix)
    assert found.yaw == pytest.approx(yaw, abs=2)
    assert found.pitch + landmarks.LEVEL_PITCH == pytest.approx(pitch, abs=2)
    assert -matrix[2, 3] == pytest.approx(distance, rel=0.05)


def test_points_that_fall_together_have_no_pose(canonical: CanonicalFace) -> None:
    assert matrix_of(np.full((478, 3), 0.5), 1.0, canonical) is None
    assert matrix_of(np.full((478, 3), np.nan), 1.0, canonical) is None
