"""`kiosk camera`: run as people run it, with a child process that looks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.camera.measured import face_pixels, intervals


def camera(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kiosk", "camera", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def answer(*arguments: str) -> dict[str, Any]:
    done = camera(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("width", "field", "distance", "pixels"),
    [(1280, 70, 0.5, 292), (1280, 70, 1.0, 146), (1280, 70, 2.0, 73), (1920, 70, 1.0, 219), (1280, 60, 1.0, 177)],
)
def test_how_wide_a_face_is_follows_from_the_field_of_view(width: int, field: float, distance: float, pixels: int) -> None:
    assert round(face_pixels(width, distance, field)) == pixels


@given(st.floats(0.2, 10), st.floats(20, 150))
def test_twice_as_far_is_half_as_wide_and_a_wider_lens_shows_less(distance: float, field: float) -> None:
    assert face_pixels(1280, 2 * distance, field) == pytest.approx(face_pixels(1280, distance, field) / 2)
    assert face_pixels(1280, distance, field + 5) < face_pixels(1280, distance, field)


def test_the_intervals_of_frames() -> None:
    assert intervals([1.0]) == {}
    assert intervals([0.0, 0.1, 0.2, 0.5]) == {"median": 100.0, "p95": 280.0, "longest": 300.0}


def test_a_scene_is_probed_in_a_child() -> None:
    found = answer("probe", "scene:demo", "--seconds", "1", "--width", "640", "--height", "360", "--fps", "10")
    assert (found["width"], found["height"], found["told_fps"]) == (640, 360, 10.0)
    assert found["frames"] >= 3
    assert found["unsound"] is None
    assert found["face_pixels"] == {"0.5": 146, "1": 73, "2": 37}
    text = camera("probe", "scene:demo", "--seconds", "0.5", "--width", "640", "--height", "360").stdout
    assert "37 px at 2 m (too small)" in text


@pytest.mark.skipif(shutil.which("gst-launch-1.0") is None, reason="no GStreamer; as root: apt-get install gstreamer1.0-tools")
def test_a_covered_lens_is_told() -> None:
    found = answer("probe", "gst:videotestsrc is-live=true pattern=black", "--seconds", "2", "--width", "320", "--height", "240")
    assert found["unsound"] == ["camera_dark"]
    assert found["brightness"] < 20


def test_a_camera_that_is_not_there_is_one_line_without_its_password() -> None:
    done = camera("probe", "rtsp://admin:hunter2@127.0.0.1:9/video")
    assert done.returncode == 1
    assert done.stderr.startswith("camera_missing rtsp://127.0.0.1:9/video gives no video")
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("url", ["carrier:pigeon", "v4l2:"])
def test_what_is_no_address_is_a_mistake_of_configuration(url: str) -> None:
    done = camera("probe", url)
    assert done.returncode == 78
    assert "is no camera; write one of v4l2:…" in done.stderr


def test_the_list_tells_devices_and_kinds() -> None:
    found = answer("list")
    assert len(found["devices"]) == len(list(Path("/sys/class/video4linux").glob("video*")))
    assert found["kinds"]["gst"] == (shutil.which("gst-launch-1.0") is not None)
    assert "picamera2" in camera("list").stdout
