"""The two landmark engines side by side: what they cost, and that they say the same.

`python -m kiosk.bench.landmarks ENGINE` is the process one engine is measured in.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from msgspec import Struct

from kiosk.bench.report import Report, median, percentile
from kiosk.capture.script import assets
from kiosk.domain import Face
from kiosk.errors import CameraError
from kiosk.eye.process import QUIET
from kiosk.processor import runs_mediapipe
from kiosk.settings import SiteSettings
from kiosk.vision import models
from kiosk.vision.finder import Finder
from kiosk.vision.landmarks import EngineName, Landmarks, load
from kiosk.vision.pixels import Image, shrink

PEOPLE = tuple(f"P{number:03}" for number in range(1, 11))
KINDS = {"studio_portrait": "portraits", "amateur_selfie": "selfies", "emotions_sheet": "expressions"}
ACROSS = 200
"""Pixels of the faces that are timed: somebody a good metre before a camera of 1280 × 720."""


class Seen(Struct, frozen=True):
    """What an engine says of one face; `points`: 478 × 3 in pixels of the picture."""

    kind: str
    points: list[list[float]]
    blendshapes: dict[str, float]
    pose: tuple[float, float, float]


class Run(Struct, frozen=True):
    """One process. `start`: seconds from import to the first face; `rss`: MB then; `added`: MB of it since `start` began."""

    start: float
    rss: float
    added: float
    wall: list[float]
    cpu: list[float]
    seen: list[Seen]


def engines() -> tuple[EngineName, ...]:
    """Those this processor can run."""
    return ("mediapipe", "litert") if runs_mediapipe() else ("litert",)


def measure(report: Report, rounds: int, starts: int) -> None:
    runs = {engine: [_in_process(engine, rounds if number == 0 else 0) for number in range(starts + 1)] for engine in engines()}
    report.add(
        "the landmark engines",
        f"`face`: a call of Landmarker.locate, crop and scaling included, median of {rounds} rounds over {len(PEOPLE)} "
        f"portraits whose face is {ACROSS} px wide, one thread, wall and CPU time of the process; "
        f"`start`: import, loading and the first face, median of {starts} fresh processes, files in the page cache; `RSS`: of "
        "such a process after the first face, with numpy, OpenCV, the finder and a picture; `added`: since `start` began.",
        [_costs(engine, of_engine) for engine, of_engine in runs.items()],
    )
    if len(runs) == 2:
        theirs, ours = (runs[engine][0].seen for engine in ("mediapipe", "litert"))
        report.add(
            "how far LiteRT is from MediaPipe",
            "largest difference over a face's 478 points (in pixels of openpeople's picture, and of the 256 px crop that the "
            "networks see), its 52 blendshapes (0–1) and its three angles (degrees): of the worst face, and of the median one.",
            _differences(theirs, ours),
        )


def _costs(engine: str, runs: Sequence[Run]) -> dict[str, object]:
    timed, *started = runs
    return {
        "engine": engine,
        "face_p50_ms": 1000 * median(timed.wall),
        "face_p95_ms": 1000 * percentile(timed.wall, 0.95),
        "face_CPU_ms": 1000 * median(timed.cpu),
        "start_s": f"{median([run.start for run in started]):.2f}",
        "RSS_MB": median([run.rss for run in started]),
        "added_MB": median([run.added for run in started]),
    }


def _differences(theirs: Sequence[Seen], ours: Sequence[Seen]) -> list[dict[str, object]]:
    rows = []
    for kind in KINDS.values():
        pairs = [(a, b) for a, b in zip(theirs, ours, strict=True) if a.kind == kind]
        points = [np.hypot(*(np.array(a.points) - np.array(b.points))[:, :2].T).max() for a, b in pairs]
        # The crop is 1.7 boxes high, and the points span about one.
        in_crop = [apart * 256 / (1.7 * np.ptp(np.array(a.points)[:, 1])) for apart, (a, _) in zip(points, pairs, strict=True)]
        shapes = [max(abs(a.blendshapes[name] - b.blendshapes[name]) for name in a.blendshapes) for a, b in pairs]
        poses = [max(abs(x - y) for x, y in zip(a.pose, b.pose, strict=True)) for a, b in pairs]
        row: dict[str, object] = {"pictures": kind, "faces": len(pairs)}
        for name, values in (("px", points), ("crop_px", in_crop), ("blendshape", shapes), ("degrees", poses)):
            row |= {f"{name}_worst": f"{max(values):.3f}", f"{name}_median": f"{median(values):.4f}"}
        rows.append(row)
    return rows


def _in_process(engine: str, rounds: int) -> Run:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "kiosk.bench.landmarks", engine, str(rounds)],
        capture_output=True,
        env=os.environ | QUIET,
        check=False,
    )
    if done.returncode:
        raise CameraError("eye_lost", f"{engine} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return msgspec.msgpack.decode(done.stdout, type=Run)


def _run(engine: EngineName, rounds: int) -> Run:
    cv2.setNumThreads(1)
    models_dir = SiteSettings().models_dir
    finder = Finder(models.path(models_dir, "finder"), 640, 320)
    timed = [
        _scaled(image, face) for _, image, face in itertools.islice(_faces(finder, ["studio_portrait"]), 10 if rounds else 1)
    ]
    task = models.path(models_dir, "landmarks")
    before, begun = _rss(), time.perf_counter()
    with load(task, engine, 1) as landmarker:
        landmarker.locate(timed[0][0], timed[0][1].box)
        start, rss = time.perf_counter() - begun, _rss()
        wall, cpu = [], []
        for image, face in timed * rounds:
            began = time.perf_counter(), time.process_time()
            landmarker.locate(image, face.box)
            wall.append(time.perf_counter() - began[0])
            cpu.append(time.process_time() - began[1])
        faces = _faces(finder, list(KINDS)) if rounds else iter(())
        seen = [_seen(kind, landmarker.locate(image, face.box)) for kind, image, face in faces]
    return Run(start=start, rss=rss, added=rss - before, wall=wall, cpu=cpu, seen=seen)


def _seen(kind: str, found: Landmarks | None) -> Seen:
    assert found is not None, "each of these pictures shows a face"
    pose = found.pose.yaw, found.pose.pitch, found.pose.roll
    return Seen(KINDS[kind], found.points.tolist(), found.blendshapes, pose)


def _faces(finder: Finder, kinds: Sequence[str]) -> Iterator[tuple[str, Image, Face]]:
    for name in PEOPLE:
        folder = assets(name).parent
        for kind in kinds:
            image = np.asarray(cv2.imread(str(folder / "assets" / f"{kind}.jpg")), dtype=np.uint8)
            faces = finder.find(image)
            for face in faces if kind == "emotions_sheet" else faces[:1]:
                yield kind, image, face


def _scaled(image: Image, face: Face) -> tuple[Image, Face]:
    factor = ACROSS / face.box.width
    return shrink(image, factor), msgspec.structs.replace(face, box=face.box.scaled(factor))


def _rss() -> float:
    """MB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.msgpack.encode(_run("litert" if sys.argv[1] == "litert" else "mediapipe", int(sys.argv[2]))))
