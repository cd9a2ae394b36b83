"""The shell around a portal, with a real journal and a real relay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kiosk.access.portal import Decided, Present
from kiosk.domain import Deny, Grant
from kiosk.errors import JournalError
from kiosk.hardware.relay import read_state
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import Journal, Row, tail
from kiosk.metrics import Metrics
from kiosk.service.door import Door, Settled
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings, Settings


@dataclass
class Scene:
    door: Door
    journal: Journal
    tally: Tally
    folder: Path
    settled: asyncio.Queue[Settled] = field(default_factory=asyncio.Queue)

    def see(self, *presentations: int) -> None:
        self.door.post(Present(time.monotonic(), presentations))

    def grant(self, presentation: int = 7, life: float = 20.0) -> None:
        now = time.monotonic()
        self.door.post(Decided(now, presentation, Grant("alice", "staff", 0.2, now + life)), {"score": 97.0}, now - 0.1)

    async def outcome(self) -> Settled:
        return await asyncio.wait_for(self.settled.get(), 30)

    @property
    def kinds(self) -> list[str]:
        return [row.kind for row in tail(self.folder / "journal.sqlite", 100)]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Scene]:
    journal = await Journal.open(folder / "journal.sqlite")
    heartbeat = Heartbeat()
    heartbeat.register("journal", 0.0)
    tally = Tally(Settings.model_construct(), Metrics("test"), heartbeat)
    # Generous, so that a slow machine does not make somebody leave who has not.
    door = Door("door", PortalSettings(presence_within=20.0, verdict_ttl=30.0), folder, journal, tally)
    scene = Scene(door, journal, tally, folder)
    door.settled = scene.settled.put_nowait
    await door.open()
    task = asyncio.create_task(door.run())
    try:
        yield scene
    finally:
        task.cancel()
        await asyncio.wait([task])
        await journal.close()


def slow_commit(scene: Scene, seconds: float, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Makes the row of a grant take `seconds`; returns what is set once its commit is under way."""
    begun = asyncio.Event()
    real = scene.journal.append

    async def append(kind: str, portal: str, presentation: int | None, body: Mapping[str, object]) -> Row:
        if kind == "granted":
            begun.set()
            await asyncio.sleep(seconds)
        return await real(kind, portal, presentation, body)

    monkeypatch.setattr(scene.journal, "append", append)
    return begun


async def test_a_grant_is_recorded_then_opens_then_locks(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.see(7)
        scene.grant()
        settled = await scene.outcome()
        assert (settled.outcome, settled.rule, settled.result) == ("granted", "staff", "granted")
        assert settled.face_to_relay is not None
        assert 0.1 <= settled.face_to_relay < 30
        while scene.kinds[-1] != "locked":
            await asyncio.sleep(0.02)
        assert scene.kinds == ["armed", "granted", "locked"]
        state = read_state(tmp_path, "door")
        assert (state.energised, state.pulses, state.why) == (False, 1, "timer")


async def test_who_leaves_during_a_slow_commit_does_not_open_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as scene:
        begun = slow_commit(scene, 0.2, monkeypatch)
        scene.see(7)
        scene.grant()
        await begun.wait()
        scene.see()
        settled = await scene.outcome()
        assert (settled.outcome, settled.reason) == ("denied", "person_left")
        assert scene.kinds == ["armed", "granted", "withheld"]
        assert read_state(tmp_path, "door").pulses == 0


async def test_a_verdict_that_expires_during_a_slow_commit_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as scene:
        slow_commit(scene, 0.3, monkeypatch)
        scene.see(7)
        scene.grant(life=0.1)
        assert (await scene.outcome()).reason == "verdict_expired"
        assert read_state(tmp_path, "door").pulses == 0


async def test_what_cannot_be_recorded_opens_nothing_and_does_not_stop_the_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as scene:

        async def full(*_: object) -> Row:
            raise JournalError("journal_unwritable", "disk full")

        monkeypatch.setattr(scene.journal, "append", full)
        scene.see(7)
        scene.grant()
        settled = await scene.outcome()
        assert (settled.outcome, settled.reason) == ("denied", "journal_unwritable")
        assert read_state(tmp_path, "door").pulses == 0
        assert scene.tally.errors["journal_unwritable"] >= 1
        assert scene.tally.heartbeat.stale(time.monotonic() + 60) == []


@pytest.mark.parametrize(
    ("reason", "result"), [("not_recognised", "refused"), ("opinions_differ", "refused"), ("denied_by_rule", "final")]
)
async def test_the_eye_hears_whether_it_may_try_again(tmp_path: Path, reason: str, result: str) -> None:
    async with running(tmp_path) as scene:
        scene.see(7)
        scene.door.post(Decided(time.monotonic(), 7, Deny(reason, "default")))
        assert (await scene.outcome()).result == result


async def test_a_lost_relay_disarms_and_is_taken_back(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        relay = scene.door._relay
        assert relay is not None
        await relay.close()
        scene.see(7)
        scene.grant()
        assert (await scene.outcome()).reason == "relay_lost"
        assert scene.door.state == "disarmed"
        async with asyncio.timeout(30):
            while scene.door.state != "locked":
                await asyncio.sleep(0.05)
        assert scene.kinds[-1] == "armed"
        assert scene.kinds.count("disarmed") == 1
        scene.see(8)
        scene.grant(8)
        assert (await scene.outcome()).outcome == "granted"
