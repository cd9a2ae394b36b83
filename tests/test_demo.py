"""The main job with all its processes: what the demo shows, and what happens when parts of it are killed."""

from __future__ import annotations

import asyncio
import contextlib
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
from kiosk.demo.stage import AGREED, Stage
from kiosk.hardware.relay import read_state
from kiosk.journal.log import Row, tail, verify
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile
from kiosk.settings import PortalSettings

pytestmark = pytest.mark.slow

KEYS = {"presentations", "grants", "denials", "by_reason", "cloud_calls", "face_to_relay_ms", "frames", "eye_restarts"}
KEYS |= {"calls", "calls_by_admission", "calls_per_admission", "relay_pulses", "journal_rows", "errors"}


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


@pytest.mark.parametrize(
    ("options", "engines"),
    [
        ((), {"tencent-legacy"}),
        (("--recogniser", "tencent-iai"), {"tencent-iai"}),
        (("--recogniser", "on-device"), {"on-device"}),
        (("--recogniser", "on-device", "--second-opinion", "tencent-iai"), {"on-device", "tencent-iai"}),
    ],
    ids=["older cloud", "today's cloud", "on the device", "on the device, confirmed by the cloud"],
)
def test_thirty_seconds_of_the_demo(options: tuple[str, ...], engines: set[str]) -> None:
    with demo(*options) as process:
        result = finish(process)
    assert result.keys() >= KEYS
    assert result["grants"] >= 4
    assert result["denials"] >= 3
    assert {"not_recognised", "face_too_small", "blurred", "turned_away"} <= result["by_reason"].keys()
    assert (result["wrong_grants"], result["errors"], result["eye_restarts"]) == (0, 0, 0)
    assert result["relay_pulses"] == result["grants"]
    assert {act["outcome"] for act in result["acts"]} == {"met"}
    assert result["frames"]["examined"] > 300
    assert result["calls_per_admission"] <= 1.2
    assert set(result["face_to_relay_ms"]) == {"p50", "p95", "max"}
    assert result["by_engine"].keys() == engines
    assert result["cloud_calls"] == sum(count for engine, count in result["by_engine"].items() if engine != "on-device")


def test_pictures_of_an_employee_are_refused_and_the_employee_is_let_in() -> None:
    with demo("--camera", "scene:attack") as process:
        result = finish(process)
    assert {act["outcome"] for act in result["acts"]} == {"met"}
    assert (result["wrong_grants"], result["errors"]) == (0, 0)
    assert set(result["by_reason"]) & {"border_suspected", "screen_suspected", "print_suspected"}
    assert result["grants"] >= 1


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


def test_what_a_run_left_is_neither_mixed_with_the_next_nor_touched(tmp_path: Path) -> None:
    left = tmp_path / "state" / "gallery.sqlite"
    left.parent.mkdir()
    left.write_bytes(b"people of an earlier run")
    with demo("--recogniser", "on-device", "--keep", str(tmp_path)) as process:
        output, errors = process.communicate(timeout=90)
    assert (process.returncode, output) == (78, "")
    assert f"{tmp_path} holds an earlier run: move it away, or name another folder" in " ".join(errors.split())
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [left]


@pytest.mark.parametrize("begun", ["sandbox.log", "daemon.log"])
def test_a_demo_that_is_ended_while_it_begins_leaves_nobody_behind(tmp_path: Path, begun: str) -> None:
    with demo("--keep", str(tmp_path)) as process:
        _wait_for((tmp_path / begun).exists)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert [pid for pid, command in _commands() if str(tmp_path) in command] == []


def _commands() -> Iterator[tuple[int, str]]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield int(file.parent.name), file.read_bytes().decode(errors="replace")


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
async def staged(folder: Path, more: str = "", portal: PortalSettings = AGREED) -> AsyncIterator[Stage]:
    async with Stage("scene:demo", page=False, portal=portal, keep=folder, more=more) as stage:
        for person in load("demo").enrolled:
            await stage.enrol(person, portrait(person))
        await stage.start_daemon()
        yield stage


async def until_event(stage: Stage, wanted: str, **fields: Any) -> Mapping[str, Any]:
    async with asyncio.timeout(45):
        async for event in stage.events():
            if event is not None and event["event"] == wanted and fields.items() <= event.items():
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


async def test_without_the_cloud_the_fallback_admits_people_and_the_journal_says_who_did(tmp_path: Path) -> None:
    portal = PortalSettings(recogniser="tencent-iai", fallback="on-device", cloud_consent=True)
    async with staged(tmp_path, portal=portal) as stage:
        await until_event(stage, "presentation", outcome="granted", engine="tencent-iai")
        assert stage.sandbox is not None
        stage.sandbox.kill()
        granted = await until_event(stage, "presentation", outcome="granted", engine="on-device")
        unknown = await until_event(stage, "presentation", reason="not_recognised", engine="on-device")
        assert await stage.stop_daemon() == 0
    rows = {row.presentation: msgspec.json.decode(row.body) for row in decisions(stage)}
    for finished, verdict in ((granted, "match"), (unknown, "non_match")):
        row = rows[finished["presentation"]]
        first, second = row["opinions"]
        assert (first["engine"], first["cause"]) == ("tencent-iai", "cloud_unreachable")
        assert (second["engine"], second["verdict"], second["score"]) == ("on-device", verdict, row["score"])
        assert (row["engine"], row["masked"]) == ("on-device", False)


def decisions(stage: Stage) -> list[Row]:
    return [row for row in tail(stage.journal, 200) if row.kind in {"granted", "denied"}]


async def test_who_refuses_the_cloud_is_let_in_by_the_device_alone(tmp_path: Path) -> None:
    portal = PortalSettings(recogniser="on-device", second_opinion="tencent-iai", cloud_consent=True)
    refused, asked, *_ = load("demo").enrolled
    async with staged(tmp_path, portal=portal) as stage:
        await stage.stop_daemon()
        key = KeyFile(Path("gallery-key"), tmp_path / "state")
        with Gallery.open(tmp_path / "state" / "gallery.sqlite", key) as gallery:
            gallery.update_person(refused, consent=False)
        before = len(decisions(stage)), calls(tmp_path)
        await stage.start_daemon(rewrite=False)
        alone = await until_event(stage, "presentation", outcome="granted", person=refused)
        confirmed = await until_event(stage, "presentation", outcome="granted", person=asked)
        assert await stage.stop_daemon() == 0
    assert (alone["engine"], alone["opinions"]) == ("on-device", None)
    assert confirmed["engine"] == "on-device+tencent-iai"
    assert [opinion["engine"] for opinion in confirmed["opinions"]] == ["on-device", "tencent-iai"]
    rows = [msgspec.json.decode(row.body) for row in decisions(stage)[before[0] :]]
    assert sum("opinions" in row for row in rows) == calls(tmp_path) - before[1]


def calls(folder: Path) -> int:
    return (folder / "sandbox.log").read_text().count('"SearchPersons"')


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
