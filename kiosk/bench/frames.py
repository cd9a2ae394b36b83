"""What one frame costs in the eye, stage by stage."""

from __future__ import annotations

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.bench.landmarks import engines
from kiosk.bench.report import Report, median, percentile
from kiosk.capture.source import open_source
from kiosk.domain import Shot
from kiosk.eye.process import QUIET
from kiosk.settings import CameraSettings, EyeSettings, PresentationSettings, QualitySettings, SiteSettings
from kiosk.vision.examiner import Examiner
from kiosk.vision.landmarks import EngineName

SIZES = ((640, 480), (1280, 720), (1920, 1080))
_STANDING = 1.4
"""Seconds into the demo's first act: one enrolled person stands before the camera."""


def measure(report: Report, count: int) -> None:
    os.environ.update(QUIET)
    rows = []
    for (width, height), engine in itertools.product(SIZES, engines()):
        stages, totals = _run(width, height, count, engine)
        rows.append(
            {
                "size": f"{width}×{height}",
                "landmarks_by": engine,
                "total_p50_ms": 1000 * median(totals),
                "total_p95_ms": 1000 * percentile(totals, 0.95),
            }
            | {f"{name}_ms": 1000 * median(spent) for name, spent in stages.items()}
        )
    first = ("size", "landmarks_by", "total_p50_ms", "total_p95_ms")
    names = sorted({key for row in rows for key in row} - set(first))
    rows = [{key: row.get(key, 0.0) for key in (*first, *names)} for row in rows]
    report.add(
        "milliseconds a frame, one face in view",
        f"median over {count} frames of the demo's person standing (each frame shifted by noise), after 10 to warm up; "
        "one thread; wall time of Examiner.examine in this process; a stage's median counts only frames in which it ran.",
        rows,
    )


def _run(width: int, height: int, count: int, engine: EngineName) -> tuple[dict[str, list[float]], list[float]]:
    # The attempt budget is spent at once, so that what is measured is watching, and encoding counts where it happens.
    presentation = PresentationSettings(attempts=20, retry_after=0.2)
    stages: dict[str, list[float]] = defaultdict(list)
    totals = []
    eye, models_dir = EyeSettings(landmarker=engine), SiteSettings().models_dir
    with Examiner("bench", QualitySettings(), presentation, eye, models_dir, embed=False, first_presentation=1) as examiner:
        for number, image in enumerate(itertools.islice(_frames(width, height), count + 10)):
            begun = time.perf_counter()
            seen = examiner.examine(image, number / 15)
            if number >= 10:
                totals.append(time.perf_counter() - begun)
                for name, spent in seen.stage_seconds.items():
                    stages[name].append(spent)
            for event in seen.events:
                if isinstance(event, Shot):
                    examiner.outcome(event.probe.presentation, "refused", number / 15)
    return stages, totals


def _frames(width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """One person standing, for ever."""
    source = open_source("bench", CameraSettings(url="scene:demo"), time.monotonic() - _FIRST_ACT - _STANDING)
    still = source.read().image
    source.close()
    scaled = np.asarray(cv2.resize(still, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    noise = np.random.default_rng(0).integers(0, 4, scaled.shape, dtype=np.uint8)
    for number in itertools.count():
        yield np.asarray(cv2.add(scaled, np.roll(noise, number % 64, axis=1)), dtype=np.uint8)


_FIRST_ACT = 1.0
