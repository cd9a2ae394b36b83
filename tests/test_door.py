"""The shell around a portal, with a real journal and a real relay."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kiosk.access.areas import Areas
from kiosk.access.portal import Decided, Present, Presented
from kiosk.domain import Credential, Deny, Grant
from kiosk.errors import HardwareError, JournalError
from kiosk.hardware.inputs import set_sim
from kiosk.hardware.relay import read_state
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import Journal, Row, tail
from kiosk.metrics import Metrics
from kiosk.service.door import Door, Settled
from kiosk.service.recall import recall
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

    def grant(self, presentation: int = 7, life: float = 20.0, person: str = "alice", seconds: float = 0.2) -> None:
        now = time.monotonic()
        self.door.post(Decided(now, presentation, Grant(person, "staff", seconds, now + life)), {"score": 97.0}, now - 0.1)

    async def outcome(self) -> Settled:
        return await asyncio.wait_for(self.settled.get(), 30)

    async def state(self, wanted: str) -> None:
        async with asyncio.timeout(30):
            while self.door.state != wanted:
                await asyncio.sleep(0.02)

    async def row(self, kind: str, **body: object) -> dict[str, Any]:
        """The newest row of this kind that says so; waits for it."""
        async with asyncio.timeout(30):
            while True:
                for row in reversed(tail(self.folder / "journal.sqlite", 100)):
                    said = json.loads(row.body)
                    if row.kind == kind and body.items() <= said.items():
                        return {**said, "presentation": row.presentation}
                await asyncio.sleep(0.02)

    @property
    def kinds(self) -> list[str]:
        return [row.kind for row in tail(self.folder / "journal.sqlite", 100)]


@asynccontextmanager
async def running(folder: Path, schedule: Callable[[], bool | None] | None = None, **settings: Any) -> AsyncIterator[Scene]:
    journal = await Journal.open(folder / "journal.sqlite")
    heartbeat = Heartbeat()
    heartbeat.register("journal", 0.0)
    tally = Tally(Settings.model_construct(), Metrics("test"), heartbeat)
    # Generous, so that a slow machine does not make somebody leave who has not.
    portal = PortalSettings(**{"presence_within": 20.0, "verdict_ttl": 30.0} | settings)
    door = Door("door", portal, folder, journal, tally, schedule=schedule)
    scene = Scene(door, journal, tally, folder)
    door.settled = scene.settled.put_nowait
    async with AsyncExitStack() as stack:
        stack.push_async_callback(journal.close)
        await door.open()
        task = asyncio.create_task(door.run())
        try:
            yield scene
        finally:
            task.cancel()
            await asyncio.wait([task])


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
        await scene.row("withheld", reason="person_left")
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
        await scene.door._fittings._relays["relay"].close()
        scene.see(7)
        scene.grant()
        assert (await scene.outcome()).reason == "relay_lost"
        assert scene.door.state == "disarmed"
        async with asyncio.timeout(30):
            # The row follows the state: people need not wait for it where nothing opens.
            while (scene.door.state, scene.kinds[-1]) != ("locked", "armed"):
                await asyncio.sleep(0.05)
        assert scene.kinds.count("disarmed") == 1
        scene.see(8)
        scene.grant(8)
        assert (await scene.outcome()).outcome == "granted"


# Everything that must keep the door shut, each with its slug on disk.


async def stays_shut(scene: Scene, presentation: int, slug: str, pulses: int = 0) -> None:
    row = await scene.row("withheld", reason=slug)
    assert row["presentation"] == presentation
    assert read_state(scene.folder, "door").pulses == pulses


async def test_a_verdict_two_seconds_late(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.see(7)
        scene.grant(life=-2.0)
        await stays_shut(scene, 7, "verdict_expired")


async def test_a_person_who_left(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.see(7)
        scene.see()
        scene.grant()
        await stays_shut(scene, 7, "person_left")


async def test_a_second_person_who_stepped_in(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.see(7)
        scene.see(8)
        scene.grant(7)
        await stays_shut(scene, 7, "person_left")


async def test_a_verdict_for_another_presentation(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.see(7)
        scene.grant(8)
        await stays_shut(scene, 8, "person_left")


async def test_a_grant_that_comes_twice(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.see(7)
        scene.grant(7)
        scene.grant(7)
        assert (await scene.outcome()).outcome == "granted"
        await stays_shut(scene, 7, "already_granted", pulses=1)
        await scene.state("locked")
        assert read_state(tmp_path, "door").pulses == 1


async def test_a_relay_that_is_busy(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.see(7, 8)
        scene.grant(7)
        scene.grant(8)
        await stays_shut(scene, 8, "relay_busy", pulses=1)


async def test_two_who_come_together_share_one_pulse(tmp_path: Path) -> None:
    async with running(tmp_path, strategy="crowd") as scene:
        scene.see(7, 8, 9)
        scene.grant(7, seconds=9.0)
        scene.grant(8, person="bob")
        assert [((await scene.outcome()).outcome) for _ in range(2)] == ["granted"] * 2
        now = time.monotonic()
        scene.door.post(Decided(now, 9, Grant("cat", "staff", 0.2, now + 9.0)), {}, now)
        late = await scene.outcome()
        assert (late.outcome, late.face_to_relay is not None and late.face_to_relay > 0) == ("granted", True)
        assert scene.kinds == ["armed", "granted", "granted", "granted"]
        assert (await scene.row("granted", person="bob"))["shared"] == 7
        assert (read_state(tmp_path, "door").pulses, scene.tally.totals["relay_pulses"]) == (1, 1)


async def test_who_leaves_before_their_own_row_shares_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, strategy="crowd") as scene:
        scene.see(7, 8)
        scene.grant(7, seconds=9.0)
        assert (await scene.outcome()).outcome == "granted"
        begun = slow_commit(scene, 0.2, monkeypatch)
        scene.grant(8, person="bob")
        await begun.wait()
        scene.see(7)
        assert (await scene.outcome()).reason == "person_left"
        await stays_shut(scene, 8, "person_left", pulses=1)


# The parts.


async def test_the_button_inside_opens_after_its_row(tmp_path: Path) -> None:
    async with running(tmp_path, request_to_exit="sim:button", exit_seconds=0.3) as scene:
        await scene.state("locked")
        set_sim(tmp_path, "button", active=True)
        await scene.state("unlocked")
        await scene.state("locked")
        assert scene.kinds[:2] == ["armed", "exit"]
        assert read_state(tmp_path, "door").pulses == 1


async def test_people_get_out_while_the_journal_hangs_and_nobody_gets_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, request_to_exit="sim:button", exit_seconds=0.3) as scene:
        await scene.state("locked")

        async def hangs(*_: object) -> Row:
            await asyncio.sleep(60)
            raise AssertionError

        monkeypatch.setattr(scene.journal, "append", hangs)
        set_sim(tmp_path, "button", active=True)
        await scene.state("unlocked")
        assert scene.tally.errors["journal_unwritable"] == 1
        await scene.state("locked")
        scene.see(7)
        scene.grant(7)
        await asyncio.sleep(0.5)
        assert read_state(tmp_path, "door").pulses == 1


@pytest.mark.parametrize("active", [False, None])
async def test_a_fire_alarm_holds_the_door_open_until_it_ends(tmp_path: Path, active: bool | None) -> None:
    async with running(tmp_path, fire="sim:fire?initial=active") as scene:
        await scene.state("locked")
        set_sim(tmp_path, "fire", active)
        await scene.state("held")
        assert (scene.door.mode, scene.door.facts().mode) == ("fire", "fire")
        await scene.row("alarm", slug="fire_release")
        set_sim(tmp_path, "fire", active=True)
        await scene.state("locked")
        assert not read_state(tmp_path, "door").energised


async def test_a_forced_door_is_in_the_journal_and_on_the_feed(tmp_path: Path) -> None:
    async with running(tmp_path, contact="sim:contact?initial=active") as scene:
        await scene.state("locked")
        set_sim(tmp_path, "contact", active=False)
        await scene.row("alarm", slug="door_forced", silent=False)
        assert {"event": "alarm", "where": "door", "slug": "door_forced"} in scene.tally.feed.recent


async def test_duress_is_in_the_journal_and_no_alarm_for_the_screen(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.door.post(Presented(time.monotonic(), Credential("pin", time.monotonic(), "alice", duress=True)))
        await scene.row("alarm", slug="duress", silent=True)
        assert not [event for event in scene.tally.feed.recent if event["event"] == "alarm"]


async def test_commands_are_answered_once_the_lock_has_moved(tmp_path: Path) -> None:
    async with running(tmp_path, exit_seconds=0.2) as scene:
        assert await scene.door.command("unlock_once", "ann") == "command_done"
        assert read_state(tmp_path, "door").pulses == 1
        await scene.state("locked")
        assert await scene.door.command("hold_open", "ann") == "command_done"
        assert read_state(tmp_path, "door").energised
        assert await scene.door.command("lockdown", "ann") == "command_done"
        await scene.state("locked")
        assert await scene.door.command("unlock_once", "ann") == "lockdown"
        assert (await scene.row("command_refused"))["by"] == "ann"


async def test_a_schedule_holds_the_door_and_lets_it_go(tmp_path: Path) -> None:
    is_open: list[bool | None] = [True]
    async with running(tmp_path, lambda: is_open[0], open_during="day") as scene:
        await scene.state("held")
        await scene.row("held", cause="schedule")
        is_open[0] = None
        await scene.state("locked")
        await scene.row("alarm", slug="time_untrusted")


async def test_another_output_is_unlocked_with_the_door(tmp_path: Path) -> None:
    async with running(tmp_path, outputs={"locker": "sim:locker"}) as scene:
        now = time.monotonic()
        scene.see(7)
        scene.door.post(Decided(now, 7, Grant("alice", "staff", 0.2, now + 20.0, unlock=("relay", "locker"))))
        assert (await scene.outcome()).outcome == "granted"
        await scene.state("locked")
        assert [read_state(tmp_path, name).pulses for name in ("door", "locker")] == [1, 1]


async def test_a_part_that_cannot_be_had_arms_nothing(tmp_path: Path) -> None:
    with pytest.raises(HardwareError):
        async with running(tmp_path, contact="gpiod:/dev/no-such-chip/1"):
            pass
    with pytest.raises(HardwareError):
        async with running(tmp_path / "twice", outputs={"relay2": "sim:door"}):
            pass


async def test_an_input_that_was_lost_is_taken_back(tmp_path: Path) -> None:
    async with running(tmp_path, tamper="sim:case?initial=active") as scene:
        await scene.state("locked")
        set_sim(tmp_path, "case", active=None)
        await scene.row("input_lost", part="tamper")
        await scene.row("input_back", part="tamper")


async def test_metrics_tell_state_and_mode(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        await scene.door.command("lockdown", "ann")
        await scene.row("commanded", command="lockdown")
        text = scene.tally.metrics.render()[0].decode()
        assert 'kiosk_portal_mode{kiosk_portal_mode="lockdown",portal="door"} 1.0' in text
        assert 'kiosk_portal_state{kiosk_portal_state="locked",portal="door"} 1.0' in text


async def test_what_was_in_force_is_in_force_after_a_restart(tmp_path: Path) -> None:
    areas, settings = Areas(), PortalSettings(area_to="hall")
    async with running(tmp_path, area_to="hall") as scene:
        scene.see(7)
        scene.grant()
        await scene.row("passed")
        await scene.door.command("lockdown", "ann")
        await scene.door.command("release", "ann")
        await scene.door.command("end_release", "ann")
        boot = scene.journal.boot
    assert recall(tmp_path / "journal.sqlite", boot, {"door": settings}, areas) == {"door": ["lockdown"]}
    assert areas.inside() == {"alice": "hall"}
