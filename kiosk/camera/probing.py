"""Looks at a camera for some seconds, in a process of its own and as confined as an eye."""

from __future__ import annotations

import statistics
import sys
import time

import msgspec

from kiosk.camera.measured import Failed, Measured, Orders, intervals
from kiosk.capture.soundness import Sample, judge, sample
from kiosk.capture.source import OPENED_FIRST, Source, open_source
from kiosk.errors import CameraError
from kiosk.eye.confinement import bind_to_parent, confine
from kiosk.settings import CameraSettings


def main() -> int:
    """Reads Orders from standard input, writes Measured or Failed to standard output; returns the exit code."""
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)
    try:
        answer: Measured | Failed = _probe(orders)
    except CameraError as error:
        answer = Failed(error.slug, error.detail)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0 if isinstance(answer, Measured) else 1


def _probe(orders: Orders) -> Measured:
    bind_to_parent(orders.parent)
    settings = CameraSettings.model_validate(orders.camera)
    opened_first = settings.url.partition(":")[0] in OPENED_FIRST
    source = open_source("camera", settings) if opened_first else None
    confine(required=False)
    source = source or open_source("camera", settings)
    try:
        return _watch(source, settings, orders.seconds)
    finally:
        source.close()


def _watch(source: Source, settings: CameraSettings, seconds: float) -> Measured:
    judging = judge(settings)
    times: list[float] = []
    samples: list[Sample] = []
    unsound: dict[str, None] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        frame = source.read()
        times.append(frame.captured_at)
        samples.append(sample(frame.image))
        slug = judging.look(frame.captured_at, samples[-1]) if judging else None
        if slug:
            unsound[slug] = None
    spent = times[-1] - times[0]
    return Measured(
        width=source.width,
        height=source.height,
        told_fps=round(source.fps, 2),
        frames=len(times),
        seconds=round(spent, 2),
        fps=round((len(times) - 1) / spent, 2) if spent else 0.0,
        interval_ms=intervals(times),
        brightness=round(statistics.median(one.middle for one in samples), 1),
        clipped=round(statistics.median(one.clipped for one in samples), 3),
        unsound=tuple(unsound) if judging else None,
        notes=source.notes,
    )
