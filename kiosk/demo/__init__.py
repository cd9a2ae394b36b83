"""The whole way of a face, shown with separate real processes; exit code 0 only if the scene went as it must."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from kiosk import configuration, logs
from kiosk.capture.script import Scene, portrait
from kiosk.capture.script import load as load_scene
from kiosk.check import camera_problems
from kiosk.demo.cards import present_cards
from kiosk.demo.judge import Judgement, Run, judge, wrong_grants
from kiosk.demo.show import Show
from kiosk.demo.stage import Stage
from kiosk.errors import CameraError, PhotoRejected, Transient
from kiosk.journal.log import verify

SCENES = {"identify": "masked", "identify+confirm": "masked", "claim+compare": "claims", "crowd": "crowd"}
"""What shows each strategy best."""
_LEAVING = 1.5
"""Seconds after the last act in which its presentation ends and is told."""

_PARTS = {
    "contact": "sim:contact?initial=active",
    "request_to_exit": "sim:exit",
    "fire": "sim:fire?initial=active",
    "tamper": "sim:tamper?initial=active",
}
"""What the page lets one press."""


async def play(
    *,
    camera: str | None,
    seconds: float | None,
    page: bool,
    as_json: bool,
    keep: Path | None,
    svg: Path | None,
    photos: Sequence[Path] = (),
    portal: Mapping[str, str] | None = None,
) -> int:
    """Runs the demo and returns its exit code. Raises KioskError where a part cannot start.

    `camera`: None for the scene of the strategy. `portal`: of its settings strategy, recogniser, fallback, confirm,
    second_opinion and liveness those that differ from the defaults.
    """
    portal = portal or {}
    camera = camera or f"scene:{SCENES.get(portal.get('strategy', ''), 'demo')}"
    asked = {f"portals.door.{name}": value for name, value in portal.items()}
    asked |= {f"portals.door.{part}": url for part, url in _PARTS.items()} if page else {}
    read = configuration.load(None, {"cameras.front.url": camera, "portals.door.cloud_consent": "true", **asked})
    logs.configure(read.log)
    for problem in camera_problems(read.cameras["front"]):
        raise CameraError("camera_missing", problem)
    scene = load_scene(camera.partition(":")[2]) if camera.startswith("scene:") else None
    console = Console(quiet=as_json, record=svg is not None, width=130 if svg else None)
    show = Show(console)
    async with Stage(camera, page=page, portal=read.portals["door"], keep=keep) as stage:
        await _enrol(stage, scene or load_scene("demo"), photos, show)
        await stage.start_daemon()
        show.say(f"daemon ready after {stage.ready_seconds:.1f} s" + (f"; page at {stage.web}" if page else ""))
        show.head()
        watcher = _Watcher(show)
        presenting = (
            asyncio.create_task(present_cards(scene, stage, lambda: watcher.origin if watcher.seen_eye else None))
            if scene
            else None
        )
        await watcher.watch(stage, seconds or (scene.seconds + _LEAVING if scene else None))
        if presenting is not None:
            await _ended(presenting)
        health = await stage.health()
        code = await stage.stop_daemon()
        result, judgements = _result(stage, scene, watcher, health)
        if code != 0:
            result["errors"] += 1
            show.say(f"[red]the daemon ended with {code}:[/red]\n{stage.last_words('daemon')}")
    show.summary(result, judgements)
    if svg is not None:
        _save_picture(console, svg)
    if as_json:
        print(msgspec.json.encode(result).decode())  # noqa: T201 (the command's output)
    failed = any(judgement.outcome == "failed" for judgement in judgements)
    return 1 if failed or result["wrong_grants"] or result["errors"] or not result["journal_whole"] else 0


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancels it; raises what it had failed with."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _save_picture(console: Console, file: Path) -> None:
    """What was printed, as SVG. The library would load its font from a public host; any fixed-width font will do."""
    picture = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="scripts/demo"), flags=re.DOTALL)
    file.write_text(picture.replace("Fira Code", "monospace"), encoding="utf-8")


async def _enrol(stage: Stage, scene: Scene, photos: Sequence[Path], show: Show) -> None:
    for person in scene.enrolled:
        await stage.enrol(person, portrait(person))
    for photo in photos:
        await stage.enrol(photo.stem, _read(photo))
    known = [*scene.enrolled, *(photo.stem for photo in photos)]
    show.say(f"{stage.knows}: {', '.join(known)}")


def _read(photo: Path) -> bytes:
    try:
        return photo.read_bytes()
    except OSError as error:
        raise PhotoRejected("image_decode_failed", f"{photo}: {error.strerror}") from error


class _Watcher:
    """Collects the daemon's events until the time is up, Ctrl-C, or the stream ends."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self.presentations: list[Mapping[str, Any]] = []
        self.outages: list[tuple[float, float]] = []
        self.origin = self.begun = self.ended = time.monotonic()
        self.seen_eye = False
        self._lost_at: float | None = None

    async def watch(self, stage: Stage, seconds: float | None) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        self.begun = time.monotonic()
        until = self.begun + seconds if seconds else float("inf")
        async for event in stage.events():
            self.ended = time.monotonic()
            if event is not None:
                self._note(event)
                self._show.event(event)
            if self.ended >= until or stop.is_set():
                break
        else:
            raise Transient("cloud_unreachable", f"the daemon ended early:\n{stage.last_words('daemon')}")
        if self._lost_at is not None:
            self.outages.append((self._lost_at, float("inf")))

    def _note(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "presentation":
                self.presentations.append(event)
            case "eye_lost":
                # The eye may have been gone for as long as its silence took to be noticed.
                self._lost_at = event["at"] - 3.0
            case "eye_started":
                if self._lost_at is not None:
                    self.outages.append((self._lost_at, event["at"]))
                    self._lost_at = None
                self.origin, self.seen_eye = event["opened_at"], True


def _result(
    stage: Stage, scene: Scene | None, watcher: _Watcher, health: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Judgement]]:
    totals, errors = health["totals"], dict(health["errors"])
    run = Run(watcher.origin, watcher.begun, watcher.ended, watcher.presentations, watcher.outages)
    journal = verify(stage.journal)
    result = {
        "presentations": totals.get("presentations", 0),
        "grants": totals.get("grants", 0),
        "denials": totals.get("denials", 0),
        "wrong_grants": wrong_grants(scene, run) if scene else None,
        "by_reason": dict(health["by_reason"]),
        "by_engine": dict(health["by_engine"]),
        "cloud_calls": totals.get("cloud_calls", 0),
        "calls": dict(health["calls"]),
        "calls_by_admission": _by_admission(health["calls"], totals.get("grants", 0)),
        "calls_per_admission": calls_per_admission(watcher.presentations),
        "face_to_relay_ms": _percentiles([p["face_to_relay_ms"] for p in watcher.presentations if p["face_to_relay_ms"]]),
        "frames": dict(health["frames"]),
        "eye_restarts": totals.get("eye_restarts", 0),
        "relay_pulses": totals.get("relay_pulses", 0),
        "journal_rows": journal.rows,
        "journal_whole": journal.ok,
        "ready_seconds": round(stage.ready_seconds, 2),
        "errors": sum(errors.values()),
        "by_error": errors,
    }
    judgements = judge(scene, run) if scene else []
    result["acts"] = [msgspec.to_builtins(judgement) for judgement in judgements]
    return result, judgements


def calls_per_admission(presentations: Sequence[Mapping[str, Any]]) -> float | None:
    """Recognition calls for those who were let in, over their number; None where nobody was."""
    calls = [p["attempts"] for p in presentations if p["outcome"] == "granted"]
    return sum(calls) / len(calls) if calls else None


def _by_admission(calls: Mapping[str, int], grants: int) -> dict[str, float]:
    """All calls of the run, those for people who were kept out included, for each one let in."""
    return {name: round(count / grants, 2) for name, count in calls.items()} if grants else {}


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 (nearest rank) and max in whole milliseconds; empty where nothing was measured."""
    if not values:
        return {}
    ordered = sorted(values)
    nearest = ordered[min(len(ordered) - 1, -(-95 * len(ordered) // 100) - 1)]
    return {"p50": round(statistics.median(ordered)), "p95": round(nearest), "max": round(ordered[-1])}
