"""The whole way of a face, shown with separate real processes; exit code 0 only if the scene went as it must."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import statistics
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from kiosk import configuration, logs
from kiosk.capture.script import Scene, portrait
from kiosk.capture.script import load as load_scene
from kiosk.check import camera_problems
from kiosk.demo.cards import present_cards
from kiosk.demo.carpenter import Carpenter
from kiosk.demo.example import Example, sights
from kiosk.demo.judge import Judgement, judge, wrong_grants
from kiosk.demo.processes import cancel_on_sigterm
from kiosk.demo.show import Show
from kiosk.demo.stage import Stage
from kiosk.demo.watching import Sight, Watcher
from kiosk.errors import CameraError, ConfigurationError, PhotoRejected
from kiosk.journal.log import verify
from kiosk.settings import PortalSettings, Settings

SCENES = {"identify": "masked", "identify+confirm": "masked", "claim+compare": "claims", "crowd": "crowd"}
"""What shows each strategy best."""
CHALLENGE = "challenge"
"""The way of telling the living, and the scene that shows it where whoever comes is searched for."""
_LEAVING = 1.5
"""Seconds after the last act in which its presentation ends and is told."""

_PARTS = {
    "contact": "sim:contact?initial=active",
    "request_to_exit": "sim:exit",
    "fire": "sim:fire?initial=active",
    "tamper": "sim:tamper?initial=active",
}
"""What the page lets one press."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to play: a configuration file as it stands, or the demo's own door before a camera.

    `camera`: None for the scene of the strategy, or of the challenge. `portal`: of its settings strategy, recogniser, fallback,
    confirm, second_opinion and liveness those that differ from the defaults. `overrides`: of the file's settings.
    """

    config: Path | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    camera: str | None = None
    portal: Mapping[str, str] = field(default_factory=dict)


async def play(
    wanted: Wanted,
    *,
    seconds: float | None,
    page: bool,
    as_json: bool,
    keep: Path | None,
    svg: Path | None,
    photos: Sequence[Path] = (),
) -> int:
    """Runs the demo and returns its exit code. Raises KioskError where a part cannot start, CancelledError on SIGTERM before."""
    cancel_on_sigterm()
    made, seen, portals = _of_file(wanted, wanted.config, page, keep) if wanted.config else _own_door(wanted, page, keep)
    scenes = [sight.scene for sight in seen if sight.scene]
    console = Console(quiet=as_json, record=svg is not None, width=130 if svg else None)
    show = Show(console, several=len(seen) > 1)
    async with made as stage:
        await _enrol(stage, scenes or [load_scene("demo")], photos, show)
        await stage.start_daemon()
        show.say(f"daemon ready after {stage.ready_seconds:.1f} s" + (f"; page at {stage.web}" if page else ""))
        show.head()
        carpenter = Carpenter(stage.state_dir, portals)
        watcher = Watcher((show.event, carpenter.hear))
        async with _at_work(carpenter.work(), *_cards(seen, stage, watcher)):
            await _watch(stage, watcher, scenes, seconds)
        health = await stage.health()
        code = await stage.stop_daemon()
        result, judgements = _result(stage, seen, watcher, health)
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


async def _watch(stage: Stage, watcher: Watcher, scenes: Sequence[Scene], seconds: float | None) -> None:
    """Until the last scene is over, or for so many seconds."""
    lasts = max(scene.seconds for scene in scenes) + _LEAVING if scenes else None
    if isinstance(stage, Example) and lasts is not None:
        watcher.curtain = stage.raise_curtain()
        lasts += watcher.curtain - time.monotonic()
        seconds = min(seconds or lasts, lasts)
    await watcher.watch(stage, seconds or lasts)


_Set = tuple[Stage, list[Sight], Mapping[str, PortalSettings]]


def _own_door(wanted: Wanted, page: bool, keep: Path | None) -> _Set:
    if wanted.overrides:
        raise ConfigurationError("configuration_invalid", "--set changes a setting of the file that --config names")
    camera = wanted.camera or f"scene:{_shown_best(wanted.portal)}"
    asked = {f"portals.door.{name}": value for name, value in wanted.portal.items()}
    asked |= {f"portals.door.{part}": url for part, url in _PARTS.items()} if page else {}
    read = configuration.load(None, {"cameras.front.url": camera, "portals.door.cloud_consent": "true", **asked})
    logs.configure(read.log)
    _look_at(read)
    scene = load_scene(camera.partition(":")[2]) if camera.startswith("scene:") else None
    # Nobody hangs a door here: whoever asked for the page moves its contact by hand.
    return Stage(camera, page=page, portal=read.portals["door"], keep=keep), [Sight("door", "front", scene)], {}


def _shown_best(portal: Mapping[str, str]) -> str:
    """The scene where nobody named one."""
    strategy = portal.get("strategy", "")
    if portal.get("liveness") == CHALLENGE and strategy in ("", "identify"):
        return CHALLENGE
    return SCENES.get(strategy, "demo")


def _of_file(wanted: Wanted, file: Path, page: bool, keep: Path | None) -> _Set:
    if wanted.camera or wanted.portal:
        raise ConfigurationError("configuration_invalid", "with --config the file says it all; change a setting by --set")
    read = configuration.load(file, wanted.overrides)
    logs.configure(read.log)
    _look_at(read)
    return Example(file, wanted.overrides, read, page=page, keep=keep), sights(read), read.portals


def _look_at(read: Settings) -> None:
    for camera in read.cameras.values():
        for problem in camera_problems(camera):
            raise CameraError("camera_missing", problem)


def _cards(seen: Sequence[Sight], stage: Stage, watcher: Watcher) -> Iterator[Coroutine[Any, Any, None]]:
    for sight in seen:
        if sight.scene and any(act.claim for act in sight.scene.acts):
            yield present_cards(sight, sight.scene, stage.state_dir, functools.partial(watcher.origin, sight.camera))


@contextlib.asynccontextmanager
async def _at_work(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Meanwhile these go on; raises what one of them failed with."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _save_picture(console: Console, file: Path) -> None:
    """What was printed, as SVG. The library would load its font from a public host; any fixed-width font will do."""
    picture = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="scripts/demo"), flags=re.DOTALL)
    file.write_text(picture.replace("Fira Code", "monospace"), encoding="utf-8")


async def _enrol(stage: Stage, scenes: Sequence[Scene], photos: Sequence[Path], show: Show) -> None:
    people = list(dict.fromkeys(person for scene in scenes for person in scene.enrolled))
    for person in people:
        await stage.enrol(person, portrait(person))
    for photo in photos:
        await stage.enrol(photo.stem, _read(photo))
    show.say(f"{stage.knows}: {', '.join((*people, *(photo.stem for photo in photos)))}")


def _read(photo: Path) -> bytes:
    try:
        return photo.read_bytes()
    except OSError as error:
        raise PhotoRejected("image_decode_failed", f"{photo}: {error.strerror}") from error


def _result(
    stage: Stage, seen: Sequence[Sight], watcher: Watcher, health: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Judgement]]:
    totals, errors = health["totals"], dict(health["errors"])
    played = [(sight, sight.scene, watcher.run(sight)) for sight in seen if sight.scene]
    journal = verify(stage.journal)
    result = {
        "presentations": totals.get("presentations", 0),
        "grants": totals.get("grants", 0),
        "denials": totals.get("denials", 0),
        "wrong_grants": sum(wrong_grants(scene, run) for _, scene, run in played) if played else None,
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
    judgements = [
        replace(judgement, act=f"{sight.portal}: {judgement.act}") if len(seen) > 1 else judgement
        for sight, scene, run in played
        for judgement in judge(scene, run)
    ]
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
