"""What one frame costs in the eye, stage by stage."""

from __future__ import annotations

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.bench.landmarks import engines
from kiosk.bench.process import rss_mb
from kiosk.bench.report import Report, median, percentile
from kiosk.capture import script
from kiosk.capture.scene import Stage
from kiosk.domain import Shot
from kiosk.eye.process import QUIET
from kiosk.settings import CameraSettings, EyeSettings, PresentationSettings, QualitySettings, SiteSettings
from kiosk.vision.examiner import Examiner
from kiosk.vision.landmarks import EngineName

SIZES = ((640, 480), (1280, 720), (1920, 1080))
_STANDING = 2.4
"""Seconds into the demo: one enrolled person stands before the camera."""


class Situation(NamedTuple):
    """`people` before the camera; `answer`: what each probe gets; `identity` as in the settings."""

    name: str
    people: int
    answer: str
    several: Literal["one_at_a_time", "all"] = "one_at_a_time"
    identity: Literal["embedding", "box"] = "embedding"


ASKED = Situation("one person, asked again and again", 1, "refused")
SITUATIONS = (
    Situation("nobody, nothing moves", 0, ""),
    ASKED,
    Situation("the same, held by the box alone", 1, "refused", identity="box"),
    Situation("one person, who cannot be asked yet for the quality", 1, "unusable"),
    Situation("one person, granted and still there", 1, "granted"),
    Situation("four people, all asked again and again", 4, "refused", "all"),
    Situation("four people, who cannot be asked yet for the quality", 4, "unusable", "all"),
    Situation("four people, all granted and still there", 4, "granted", "all"),
)


class Cost(NamedTuple):
    """Seconds of each frame: wall time, CPU of the process, and wall time of its stages; `rss` in MB."""

    totals: list[float]
    cpu: list[float]
    stages: dict[str, list[float]]
    rss: float

    def row(self) -> dict[str, float]:
        return {
            "p50_ms": 1000 * median(self.totals),
            "p95_ms": 1000 * percentile(self.totals, 0.95),
            "cpu_p50_ms": 1000 * median(self.cpu),
            "cpu_mean_ms": 1000 * sum(self.cpu) / len(self.cpu),
        }


def measure(report: Report, count: int) -> None:
    os.environ.update(QUIET)
    rows = []
    for size, engine in itertools.product(SIZES, engines()):
        cost = _run(size, count, engine, ASKED)
        rows.append(
            {"size": "×".join(map(str, size)), "landmarks_by": engine}
            | cost.row()
            | {f"{name}_ms": 1000 * median(spent) for name, spent in cost.stages.items()}
        )
    first = ("size", "landmarks_by", "p50_ms", "p95_ms", "cpu_p50_ms", "cpu_mean_ms")
    names = sorted({key for row in rows for key in row} - set(first))
    rows = [{key: row.get(key, 0.0) for key in (*first, *names)} for row in rows]
    method = (
        f"median over {count} frames of the demo's person standing (noise moves), after 10 to warm up; one thread; "
        "wall time of Examiner.examine in this process, and the process's CPU, which others on the machine lengthen less"
    )
    report.add("milliseconds a frame, one face in view", f"{method}; a stage's median: of frames in which it ran.", rows)
    report.add(
        "milliseconds a frame at 1280×720, by what goes on",
        method,
        [
            {"situation": each.name, "landmarks_by": engine} | _run((1280, 720), count, engine, each).row()
            for each, engine in itertools.product(SITUATIONS, engines())
        ],
    )


def _run(size: tuple[int, int], count: int, engine: EngineName, situation: Situation) -> Cost:
    presentation = PresentationSettings(attempts=20, cool_down=0, several=situation.several, identity=situation.identity)
    stages: dict[str, list[float]] = defaultdict(list)
    totals, cpu = [], []
    eye, models_dir = EyeSettings(landmarker=engine), SiteSettings().models_dir
    # With a gate that nobody passes, every look goes to the end.
    quality = QualitySettings(min_eyes_open=100) if situation.answer == "unusable" else QualitySettings()
    with Examiner("bench", quality, presentation, eye, models_dir, embed=False, first_presentation=1) as examiner:
        for number, image in enumerate(itertools.islice(_frames(size, situation.people), count + 10)):
            begun, used = time.perf_counter(), time.process_time()
            seen = examiner.examine(image, number / 15)
            if number >= 10:
                totals.append(time.perf_counter() - begun)
                cpu.append(time.process_time() - used)
                for name, spent in seen.stage_seconds.items():
                    stages[name].append(spent)
            for event in seen.events:
                if isinstance(event, Shot):
                    examiner.outcome(event.probe.presentation, situation.answer, number / 15)
        return Cost(totals, cpu, stages, rss_mb(os.getpid()))


def _frames(size: tuple[int, int], people: int) -> Iterator[NDArray[np.uint8]]:
    """So many people standing, for ever."""
    camera = CameraSettings()
    still = Stage(script.load("demo"), camera.width, camera.height).render(_STANDING if people else 0.0, 0)
    scaled = np.asarray(cv2.resize(still, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if people > 1:
        # That person, who stands right of the middle, side by side.
        left, wide = size[0] // 2, size[0] // people
        scaled = np.ascontiguousarray(np.tile(scaled[:, left : left + wide], (1, people, 1)))
    noise = np.random.default_rng(0).integers(0, 4, scaled.shape, dtype=np.uint8)
    for number in itertools.count():
        yield np.asarray(cv2.add(scaled, np.roll(noise, number % 64, axis=1)), dtype=np.uint8)
