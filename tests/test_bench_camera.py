"""`kiosk bench`: what it makes of a run, and a real eye behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.bench.camera import GROWING, Look, Watched, by_faces, by_stage, draw, summary, verdict
from kiosk.ports import Stage

STILL = Look(0.0, 0.01, 0, {"motion": 0.0002})


def watched(
    looks: list[Look], *, dropped: int = 0, cpu: float = 0.2, seconds: float = 10.0, camera: str = "v4l2:/dev/video0"
) -> Watched:
    captured = len(looks) + dropped
    return Watched(camera, 1280, 720, seconds, captured, dropped, 1, cpu, 300.0, {"models": 0.5}, looks)


def looks(count: int, lag: float = 0.02, growth: float = 0.0) -> list[Look]:
    stages: dict[Stage, float] = {"motion": 0.0002, "find": 0.004, "landmarks": 0.006}
    return [Look(number / 15, lag + growth * number / count, 1, stages) for number in range(count)]


def test_a_run_is_told_by_stage_and_by_the_faces_in_view() -> None:
    mixed = [STILL] * 4 + looks(6)
    assert [(row["stage"], row["frames"]) for row in by_stage(mixed)] == [("motion", 10), ("find", 6), ("landmarks", 6)]
    assert by_faces(mixed) == [
        {"faces": 0, "frames": 4, "p50_ms": pytest.approx(0.2), "p95_ms": pytest.approx(0.2)},
        {"faces": 1, "frames": 6, "p50_ms": pytest.approx(10.2), "p95_ms": pytest.approx(10.2)},
    ]
    told = summary(watched(mixed, seconds=2.0))
    assert told["frames_a_second"] == 5
    assert told["cpu_ms_a_frame"] == pytest.approx(1000 * 0.2 * 2.0 / 10)


@pytest.mark.parametrize(
    ("run", "begins"),
    [
        (watched(looks(150)), "Good: every frame"),
        (watched(looks(150), cpu=1.5), "Good"),
        (watched(looks(80), dropped=70), "Enough for a door"),
        (watched(looks(30), dropped=120), "Too slow: 3.0 frames"),
        (watched(looks(150, growth=3 * GROWING)), "Too slow: the pictures grow older"),
    ],
)
def test_the_verdict_is_in_words(run: Watched, begins: str) -> None:
    assert verdict(run, 2).startswith(begins)


def test_room_is_what_the_cores_leave() -> None:
    assert "Room for 7 more such cameras" in verdict(watched(looks(150), cpu=0.2), 2)
    assert "Room for 1 more such camera," in verdict(watched(looks(150), cpu=0.8), 2)
    assert "no further camera" in verdict(watched(looks(150), cpu=1.0), 2)


def test_a_real_eye_is_measured_and_drawn(models_dir: Path, tmp_path: Path) -> None:
    plot = tmp_path / "plot.png"
    command = ("bench", "--camera", "scene:demo", "--camera", "scene:demo", "--seconds", "3", "--plot", str(plot), "--json")
    done = subprocess.run([sys.executable, "-m", "kiosk", *command], capture_output=True, check=True, timeout=90)
    runs = json.loads(done.stdout)
    assert [run["camera"] for run in runs] == ["scene:demo"] * 2
    for run in runs:
        assert run["size"] == [1280, 720]
        assert 0 < run["examined"] == run["captured"] - run["dropped"]
        assert {"motion", "find"} <= {row["stage"] for row in run["stages"]}
        assert run["rss_mb"] > 50
        assert run["verdict"]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_camera_that_is_not_there_is_named() -> None:
    command = [sys.executable, "-m", "kiosk", "bench", "--camera", "v4l2:/dev/video99", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, text=True)
    assert done.returncode == 1
    assert "camera_missing /dev/video99" in done.stderr


def test_the_plot_of_a_run_without_faces_is_drawn_too(tmp_path: Path) -> None:
    draw([watched([STILL] * 3)], tmp_path / "still.svg")
    assert (tmp_path / "still.svg").read_text().startswith("<?xml")
