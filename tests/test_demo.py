"""The main job with all its processes: what the demo shows, and what happens when parts of it are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from kiosk.capture.script import load, portrait
from kiosk.demo.stage import Stage
from kiosk.hardware.relay import read_state
from kiosk.journal.log import tail, verify
from kiosk.settings import PortalSettings

pytestmark = pytest.mark.slow

KEYS = {"presentations", "grants", "denials", "by_reason", "cloud_calls", "face_to_relay_ms", "frames", "eye_restarts"}
KEYS |= {"relay_pulses", "journal_rows", "errors"}


@contextmanager
def demo(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "kiosk", "demo", "--seconds", "30", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 0, output + errors
    result: dict[str, Any] = msgspec.json.decode(output)
    return result


def test_thirty_seconds_of_the_demo() -> None:
    with demo() as process:
        result = finish(process)
    assert result.keys() >= KEYS
    assert result["grants"] >= 4
    assert result["denials"] >= 3
    assert {"not_recognised", "face_too_small", "blurred", "turned_away"} <= result["by_reason"].keys()
    assert (result["wrong_grants"], result["errors"], result["eye_restarts"]) == (0, 0, 0)
    assert result["relay_pulses"] == result["grants"]
    assert {act["outcome"] for act in result["acts"]} == {"met"}
    assert result["frames"]["examined"] > 300
    assert set(result["face_to_relay_ms"]) == {"p50", "p95", "max"}


def test_an_eye_killed_and_an_eye_stopped_cost_a_moment_and_no_door(tmp_path: Path) -> None:
    with demo("--keep", str(tmp_path)) as process:
        killed = _strike_eye(process, tmp_path, signal.SIGKILL)
        stopped = _strike_eye(process, tmp_path, signal.SIGSTOP, but_not=killed)
        result = finish(process)
    assert killed != stopped
    assert result["eye_restarts"] == 2
    assert result["wrong_grants"] == 0
    assert {act["outcome"] for act in result["acts"]} <= {"met", "missed"}
    assert verify(tmp_path / "state" / "journal.sqlite").ok


def _strike_eye(process: subprocess.Popen[str], folder: Path, number: signal.Signals, but_not: int = 0) -> int:
    """Signals the watching eye, and holds that the door begins no pulse from then until another eye watches.

    A verdict that was on its way may still open within `presence_within`: its person was seen just now.
    """
    eye: int = _wait_for(lambda: _watching_eye(process, folder, but_not))
    os.kill(eye, number)
    time.sleep(PortalSettings().presence_within + 0.1)
    pulses = read_state(folder / "state", "door").pulses
    while not _watching_eye(process, folder, eye):
        assert read_state(folder / "state", "door").pulses == pulses
        time.sleep(0.02)
    return eye


def _watching_eye(process: subprocess.Popen[str], folder: Path, but_not: int) -> int:
    """The eye the daemon's log last said had started, 0 where none watches yet."""
    assert process.poll() is None, "the demo ended early"
    log = folder / "daemon.log"
    text = log.read_text() if log.exists() else ""
    whole_lines = text[: text.rfind("\n") + 1].splitlines()
    eyes = [line for line in map(msgspec.json.decode, whole_lines) if line["event"].startswith("eye_")]
    if not eyes or eyes[-1]["event"] != "eye_started":
        return 0
    pid: int = next(line["pid"] for line in reversed(eyes) if line["event"] == "eye_starting")
    return pid if pid != but_not else 0


def _wait_for(condition: Any, within: float = 30.0) -> Any:
    until = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)
    return value


@asynccontextmanager
async def staged(folder: Path, more: str = "") -> AsyncIterator[Stage]:
    async with Stage("scene:demo", page=False, keep=folder, more=more) as stage:
        for person in load("demo").enrolled:
            await stage.enrol(person, portrait(person))
        await stage.start_daemon()
        yield stage


async def until_event(stage: Stage, wanted: str) -> Mapping[str, Any]:
    async with asyncio.timeout(30):
        async for event in stage.events():
            if event is not None and event["event"] == wanted:
                return event
    raise AssertionError("the stream ended")


async def test_killing_the_daemon_in_a_pulse_leaves_the_door_shut_and_the_row_on_disk(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await until_event(stage, "relay")
        assert read_state(tmp_path / "state", "door").energised
        assert stage.daemon is not None
        eye = (await stage.health())["eyes"]["front"]["pid"]
        stage.daemon.kill()
        await stage.daemon.wait()
        await asyncio.sleep(0.2)
        assert not read_state(tmp_path / "state", "door").energised
        assert not Path(f"/proc/{eye}/root").exists(), "the eye ends with its daemon"
    found = verify(stage.journal)
    assert found.ok
    assert [row.kind for row in tail(stage.journal, 1)] == ["granted"]


async def test_sigterm_in_a_pulse_leaves_everything_in_order(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await until_event(stage, "relay")
        assert await stage.stop_daemon() == 0
        assert not read_state(tmp_path / "state", "door").energised
    assert not stage.journal.with_name("journal.sqlite-wal").exists(), "closed, not abandoned"
    rows = tail(stage.journal, 100)
    assert (rows[0].kind, rows[-1].kind) == ("daemon_started", "daemon_stopped")
    assert verify(stage.journal).ok


async def test_without_the_cloud_everybody_is_denied_and_the_daemon_lives(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        assert stage.sandbox is not None
        stage.sandbox.kill()
        finished = await until_event(stage, "presentation")
        assert (finished["outcome"], finished["reason"]) == ("denied", "cloud_unreachable")
        health = await stage.health()
        assert health["status"] == "ready"
        assert health["totals"].get("grants", 0) == 0
        async with httpx.AsyncClient(trust_env=False) as client:
            metrics = (await client.get(f"{stage.web}/metrics")).text
        assert 'kiosk_errors_total{slug="cloud_unreachable"}' in metrics
        assert read_state(tmp_path / "state", "door").pulses == 0


async def test_without_consent_no_face_leaves_the_box(tmp_path: Path) -> None:
    async with staged(tmp_path, more="") as stage:
        await stage.stop_daemon()
        stage.config.write_text(stage.config.read_text().replace("cloud_consent = true", "cloud_consent = false"))
        calls = (tmp_path / "sandbox.log").read_text().count('"identify"')
        await stage.start_daemon(rewrite=False)
        finished = await until_event(stage, "presentation")
        assert finished["reason"] == "consent_missing"
        assert (tmp_path / "sandbox.log").read_text().count('"identify"') == calls


async def test_neither_log_nor_metrics_nor_journal_hold_a_secret_or_a_face(tmp_path: Path) -> None:
    async with staged(tmp_path, more="\n[log]\nlevel = 'debug'\n") as stage:
        await until_event(stage, "presentation")
        async with httpx.AsyncClient(trust_env=False) as client:
            metrics = (await client.get(f"{stage.web}/metrics")).content
        await stage.stop_daemon()
    secrets = [(tmp_path / name).read_bytes() for name in ("secret-id", "secret-key")]
    for kept in (metrics, *((tmp_path / name).read_bytes() for name in ("daemon.log", "sandbox.log", "state/journal.sqlite"))):
        assert not any(secret in kept for secret in secrets)
        assert b"\xff\xd8\xff" not in kept
        assert b"/9j/" not in kept
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and file.read_bytes()[:3] == b"\xff\xd8\xff"]
