"""What the running product costs and how fast it is: real processes, the demo's scene, the sandbox as cloud."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import cv2

from kiosk.bench.process import cpu_seconds, rss_mb
from kiosk.bench.report import Report, median, percentile
from kiosk.capture.script import load, portrait
from kiosk.capture.source import open_source
from kiosk.demo.stage import Stage
from kiosk.settings import CameraSettings

_FIRST_ACT_AT = 0.8
"""Seconds into the demo's scene; before that the hall is empty."""


async def measure(report: Report, rounds: int, idle: float) -> None:
    scene = load("demo")
    async with Stage("scene:demo", page=False) as stage:
        for person in scene.enrolled:
            await stage.enrol(person, portrait(person))
        await stage.start_daemon()
        granted = [event async for event in _granted(stage, rounds * scene.seconds)]
        ready = stage.ready_seconds
        await stage.stop_daemon()
        _report_speed(report, granted, rounds, ready)
        await _measure_memory(report, stage, scene.seconds)
        await _measure_idle(report, stage, idle)


async def _measure_memory(report: Report, stage: Stage, seconds: float) -> None:
    """Played from a file, so that drawing the scene does not count: a camera's frames come drawn."""
    await _start_with_film(stage, seconds)
    await asyncio.sleep(seconds)
    sizes = {name: rss_mb(pid) for name, pid in (await _pids(stage)).items()}
    await stage.stop_daemon()
    report.add(
        "resident memory, MB",
        f"VmRSS of each process after {seconds:g} s of the demo's scene from a file (MPEG-4), 1280×720, 15 fps",
        [{"process": name, "rss_mb": size} for name, size in sizes.items()],
    )


async def _measure_idle(report: Report, stage: Stage, idle: float) -> None:
    await _start_with_film(stage, _FIRST_ACT_AT)
    await asyncio.sleep(2.0)
    pids = await _pids(stage)
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    frames = (await stage.health())["frames"]["examined"]
    await asyncio.sleep(idle)
    examined = (await stage.health())["frames"]["examined"] - frames
    spent = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    await stage.stop_daemon()
    rows = [
        {"process": name, "percent": 100 * used / idle, "ms_a_frame": 1000 * used / max(examined, 1)}
        for name, used in spent.items()
    ]
    report.add(
        "idle CPU, nobody in view",
        f"user + system time over {idle:g} s of the empty hall played from a file at 1280×720, 15 fps, {examined} frames "
        "examined; decoding included; 100 % is one core",
        rows,
    )


async def _start_with_film(stage: Stage, seconds: float) -> None:
    film = stage.folder / f"film-{seconds:g}.mp4"
    _film(film, seconds)
    stage.camera = f"file:{film}"
    await stage.start_daemon()


def _film(path: Path, seconds: float) -> None:
    """The first `seconds` of the demo's scene as a video file."""
    settings = CameraSettings(url="scene:demo")
    source = open_source("film", settings, None)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), settings.fps, (source.width, source.height))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        writer.write(source.read().image)
    writer.release()
    source.close()


async def _pids(stage: Stage) -> dict[str, int]:
    health = await stage.health()
    return {"daemon": health["pid"], "eye": health["eyes"]["front"]["pid"]}


def _report_speed(report: Report, granted: list[Mapping[str, Any]], rounds: int, ready: float) -> None:
    spent = [float(event["face_to_relay_ms"]) for event in granted]
    shots = [float(event["face_to_probe_ms"]) for event in granted]
    report.add(
        "milliseconds from the first usable frame",
        f"{len(spent)} grants in {rounds} round(s) of the demo's scene at 15 fps against the sandbox here; from the "
        "capture time of the presentation's first usable frame until the daemon has the probe, and until the relay confirms",
        [
            {"to": name, "p50": median(values), "p95": percentile(values, 0.95), "max": max(values)}
            for name, values in (("probe", shots), ("relay", spent))
        ],
    )
    calls = [int(event["attempts"]) for event in granted]
    report.add(
        "recognition calls per admission",
        "attempts of the presentations that were let in, over the same grants; of strangers, who are denied, nothing is counted",
        [{"admissions": len(calls), "calls": sum(calls), "calls_per_admission": f"{sum(calls) / len(calls):.2f}"}],
    )
    report.add(
        "seconds to READY=1",
        "from starting the daemon's process to its READY=1 on the notify socket: journal, relay, eye, models, first frame",
        [{"start": "daemon", "seconds": ready}],
    )


async def _granted(stage: Stage, seconds: float) -> AsyncIterator[Mapping[str, Any]]:
    until = asyncio.get_running_loop().time() + seconds
    async for event in stage.events():
        if event is not None and event["event"] == "presentation" and event["outcome"] == "granted":
            yield event
        if asyncio.get_running_loop().time() > until:
            return
