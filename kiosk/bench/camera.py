"""What this box can do with a camera: a real eye watches it, and says what each frame cost."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from kiosk.bench.process import cpu_seconds, rss_mb
from kiosk.bench.report import Report, median, percentile
from kiosk.domain import Shot
from kiosk.errors import CameraError
from kiosk.eye import messages
from kiosk.eye.process import EyeProcess
from kiosk.ports import Stage
from kiosk.settings import Settings

NEEDED_FPS = 5.0
"""Frames examined a second with which it is noticed within 0.3 s that somebody left, though one frame is missed."""
KEEPS_UP = 0.02
"""Of the frames that may be dropped by an eye that keeps up."""
GROWING = 0.1
"""Seconds between the lag of the run's first and last fifth from which it is called growing."""


class Look(Struct, frozen=True):
    """One examined frame. `at`: seconds since the first; `lag`: from its capture until the daemon's side heard of it."""

    at: float
    lag: float
    faces: int
    stages: Mapping[Stage, float]

    @property
    def work(self) -> float:
        return sum(self.stages.values())


class Watched(Struct, frozen=True):
    """One camera's run. `cpu`: share of one core, decoding included; `shots`: probes taken."""

    camera: str
    width: int
    height: int
    seconds: float
    captured: int
    dropped: int
    shots: int
    cpu: float
    rss: float
    start: dict[str, float]
    looks: list[Look]

    @property
    def fps(self) -> float:
        return len(self.looks) / self.seconds

    @property
    def growth(self) -> float:
        """Seconds by which the lag of the last fifth exceeds that of the first."""
        fifth = max(len(self.looks) // 5, 1)
        first, last = self.looks[:fifth], self.looks[-fifth:]
        return median([look.lag for look in last]) - median([look.lag for look in first])


async def run(settings: Settings, cameras: Sequence[str], seconds: float, plot: Path | None, *, as_json: bool) -> None:
    """Watches all cameras at once, one eye each, and prints what came of it.

    Raises CameraError where one cannot be opened or its eye ends.
    """
    runs = await asyncio.gather(*(_watch(settings, number, url, seconds) for number, url in enumerate(cameras)))
    if plot is not None:
        draw(runs, plot)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode([summary(each) for each in runs]) + b"\n")
        return
    report = Report()
    for each in runs:
        _print(report, each)


def summary(run: Watched) -> dict[str, Any]:
    """All figures but the single frames."""
    lags = [look.lag for look in run.looks]
    return {
        "camera": run.camera,
        "size": [run.width, run.height],
        "seconds": run.seconds,
        "captured": run.captured,
        "dropped": run.dropped,
        "examined": len(run.looks),
        "frames_a_second": round(run.fps, 2),
        "probes": run.shots,
        "lag_ms": {"p50": 1000 * median(lags), "p95": 1000 * percentile(lags, 0.95), "growth": 1000 * run.growth},
        "cpu_percent_of_a_core": 100 * run.cpu,
        "cpu_ms_a_frame": 1000 * run.cpu * run.seconds / len(run.looks),
        "rss_mb": run.rss,
        "start_seconds": run.start,
        "faces": by_faces(run.looks),
        "stages": by_stage(run.looks),
        "verdict": verdict(run, os.cpu_count() or 1),
    }


def by_faces(looks: Sequence[Look]) -> list[dict[str, Any]]:
    rows = []
    for faces in sorted({look.faces for look in looks}):
        spent = [look.work for look in looks if look.faces == faces]
        rows.append({"faces": faces, "frames": len(spent)} | _spread(spent))
    return rows


def by_stage(looks: Sequence[Look]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for look in looks for name in look.stages)
    spent = {name: [look.stages[name] for look in looks if name in look.stages] for name in names}
    return [{"stage": name, "frames": len(each)} | _spread(each) for name, each in spent.items()]


def verdict(run: Watched, cores: int) -> str:
    """In words, for whoever has to choose a box and a camera."""
    share = run.dropped / max(run.captured, 1)
    if run.growth > GROWING:
        return f"Too slow: the pictures grow older by the second ({1000 * run.growth:.0f} ms over the run). {_ADVICE}"
    if run.fps < NEEDED_FPS:
        return f"Too slow: {run.fps:.1f} frames a second are looked at, a door needs {NEEDED_FPS:g}. {_ADVICE}"
    more = max(int((0.8 * cores - run.cpu) / max(run.cpu, 0.01)), 0)
    room = f"{more} more such camera{'s' * (more != 1)}" if more else "no further camera"
    room += ", with as much going on before it"
    if share > KEEPS_UP:
        return f"Enough for a door: {run.fps:.1f} frames a second, {share:.0%} of the camera's are left out. Room for {room}."
    return f"Good: every frame is looked at, {run.fps:.1f} a second. Room for {room}."


_ADVICE = "Choose a smaller picture or a lower rate of the camera, and see what else runs on this box."


def draw(runs: Sequence[Watched], file: Path) -> None:
    """Work and lag of each frame over time, as a picture; the file's suffix says of which kind."""
    # As large as everything else together, and only this needs it.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(10, 3.2 * len(runs)), layout="constrained")
    for number, run in enumerate(runs, 1):
        axes = figure.add_subplot(len(runs), 1, number)
        at = [look.at for look in run.looks]
        names = [row["stage"] for row in by_stage(run.looks)]
        axes.stackplot(at, [[1000 * look.stages.get(name, 0.0) for look in run.looks] for name in names], labels=names)
        axes.plot(at, [1000 * look.lag for look in run.looks], color="black", linewidth=0.8, label="lag")
        axes.set(title=f"{run.camera}, {run.width}×{run.height}", xlabel="seconds", ylabel="ms a frame", ylim=(0, None))
        axes.legend(loc="upper right", ncols=4, fontsize="small")
    figure.savefig(file)


async def _watch(settings: Settings, number: int, url: str, seconds: float) -> Watched:
    name = f"bench-{number}"
    # Somebody who stays is asked about again and again: the eye at its busiest.
    presentation = settings.presentation.model_copy(update={"attempts": 20})
    camera = next(iter(settings.cameras.values())).model_copy(update={"url": url})
    orders = messages.LookOrders(
        name=name,
        camera=camera.model_dump(mode="json"),
        quality=settings.quality.model_dump(mode="json"),
        presentation=presentation.model_dump(mode="json"),
        eye=settings.eye.model_dump(mode="json"),
        models_dir=str(settings.site.models_dir),
    )
    eye = await EyeProcess.start(name, orders)
    try:
        return await _listen(eye, url, seconds, settings)
    finally:
        await eye.end(1.0)


async def _listen(eye: EyeProcess, url: str, seconds: float, settings: Settings) -> Watched:
    started = await eye.answer(settings.eye.start_within)
    if not isinstance(started, messages.Started):
        raise CameraError("eye_contract", f"{type(started).__name__} before Started")
    begun, cpu = time.monotonic(), cpu_seconds(eye.pid)
    looks: list[Look] = []
    first: messages.Examined | None = None
    last: messages.Examined | None = None
    shots = 0
    while time.monotonic() < begun + seconds:
        match await eye.answer(settings.eye.wedged_after):
            case Shot(probe=probe):
                shots += 1
                eye.send(messages.Outcome(probe.presentation, "refused"))
            case messages.Examined() as last:
                first = first or last
                looks.append(Look(last.at - first.at, time.monotonic() - last.at, last.faces, last.stage_seconds))
            case _:
                pass
    if first is None or last is None:
        raise CameraError("camera_lost", f"no frame in {seconds:g} s")
    spent = time.monotonic() - begun
    dropped = last.dropped - first.dropped
    return Watched(
        camera=url.partition("?")[0].rpartition("@")[2],
        width=started.width,
        height=started.height,
        seconds=spent,
        # What the eye counted as captured may hold a frame that nobody has looked at yet.
        captured=len(looks) + dropped,
        dropped=dropped,
        shots=shots,
        cpu=(cpu_seconds(eye.pid) - cpu) / spent,
        rss=rss_mb(eye.pid),
        start=started.start_seconds,
        looks=looks,
    )


def _print(report: Report, run: Watched) -> None:
    told = summary(run)
    report.add(
        f"{run.camera}, {run.width}×{run.height}",
        f"a confined eye process in {run.seconds:.0f} s; lag: from a frame's capture until another process knows who is in it; "
        "its growth: of the median, from the first fifth of the run to the last; "
        "CPU of the eye, decoding included; 100 % is one core",
        [
            {
                "frames a second": run.fps,
                "captured": run.captured,
                "dropped": run.dropped,
                "probes": run.shots,
                "lag p50 ms": told["lag_ms"]["p50"],
                "lag p95 ms": told["lag_ms"]["p95"],
                "lag growth ms": told["lag_ms"]["growth"],
                "CPU %": told["cpu_percent_of_a_core"],
                "CPU ms a frame": told["cpu_ms_a_frame"],
                "RSS MB": run.rss,
            }
        ],
    )
    report.add("work by faces in view", "a frame in which nothing moved is left out after a glance", told["faces"])
    report.add("work by stage", "over the frames in which the stage ran", told["stages"])
    report.say(told["verdict"])


def _spread(spent: Sequence[float]) -> dict[str, float]:
    return {"p50_ms": 1000 * median(spent), "p95_ms": 1000 * percentile(spent, 0.95)}
