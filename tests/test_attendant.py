"""What becomes of a shot whose person may not be there: with a real journal, a real relay and the real rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.access.alive import refusal
from kiosk.access.policy import Policy
from kiosk.domain import UNCHECKED, AttackPresentation, Began, Crowd, Inconclusive, Liveness, Match, Probe, Shot, Verdict
from kiosk.eye.messages import Examined
from kiosk.hardware.relay import read_state
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import Journal, Row, tail, verify
from kiosk.metrics import Metrics
from kiosk.recognition.strategy import Engine, Plan, Strategy
from kiosk.service.attendant import Attendant
from kiosk.service.door import Door
from kiosk.service.tally import Tally
from kiosk.settings import LivenessPolicy, PortalSettings, RuleSettings, Settings
from tests.portal_stage import probe_of

POLICIES: tuple[LivenessPolicy, ...] = ("off", "passive", "passive+challenge", "challenge")
LIVE = Liveness(88, "live", "", 5)
ATTACK = Liveness(3, "attack", "screen_suspected", 5)
DOUBT = Liveness(40, "doubt", "challenge_timed_out", 5)


@dataclass
class Knower:
    """An engine in the cloud that takes everybody for ann, and remembers what it was shown."""

    name: str = "tencent-iai"
    shown: list[Probe] = field(default_factory=list)

    async def identify(self, probe: Probe, deadline: float) -> Verdict:
        assert deadline > 0
        self.shown.append(probe)
        await asyncio.sleep(0)
        return Match("ann", 99.0, 90.0, self.name)

    async def verify(self, probe: Probe, person: str, deadline: float) -> Verdict:
        return await self.identify(probe, deadline)

    async def identify_many(self, crowd: Crowd, deadline: float) -> Mapping[int, Verdict]:
        return {shot.probe.presentation: await self.identify(shot.probe, deadline) for shot in crowd.shots}

    async def warm(self) -> None: ...

    async def close(self) -> None: ...


@dataclass
class Scene:
    attendant: Attendant
    knower: Knower
    folder: Path

    async def shoot(self, liveness: Liveness) -> Row:
        """The row the shot ends in."""
        now = time.monotonic()
        self.attendant.hear(Began(1, now))
        self.attendant.hear(Examined(at=now, captured=1, dropped=0, examined=1, faces=1, present=(1,), stage_seconds={}))
        self.attendant.hear(Shot(probe_of("ann"), now, 1, liveness))
        while (row := tail(self.folder / "journal.sqlite", 1)[0]).presentation is None:
            await asyncio.sleep(0.01)
        return row


@asynccontextmanager
async def running(folder: Path, policy: LivenessPolicy) -> AsyncIterator[Scene]:
    journal = await Journal.open(folder / "journal.sqlite")
    heartbeat = Heartbeat()
    heartbeat.register("journal", 0.0)
    heartbeat.register("recognition", 5.0)
    tally = Tally(Settings.model_construct(), Metrics("test"), heartbeat)
    settings = PortalSettings(presence_within=20.0, verdict_ttl=30.0, liveness=policy)
    door = Door("door", settings, folder, journal, tally)
    await door.open()
    rule = RuleSettings(name="staff", when="verdict.kind == 'match'", effect="grant", unlock_seconds=0.2)
    policy_of_rules = Policy.compile((rule,))
    knower = Knower()
    strategy = Strategy(Plan(Engine(knower, 5.0, cloud=True)), lambda _, __: True)
    attendant = Attendant("door", settings, strategy, lambda: policy_of_rules, door, tally)
    tasks = [asyncio.create_task(door.run()), asyncio.create_task(attendant.run())]
    try:
        while door.state != "locked" and not any(task.done() for task in tasks):
            await asyncio.sleep(0.01)
        yield Scene(attendant, knower, folder)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await journal.close()


@pytest.mark.parametrize("policy", POLICIES)
async def test_an_attack_is_journalled_as_one_and_shown_to_nobody(tmp_path: Path, policy: LivenessPolicy) -> None:
    async with running(tmp_path, policy) as scene:
        row = await scene.shoot(ATTACK)
        assert scene.knower.shown == []
    body = msgspec.json.decode(row.body)
    assert (row.kind, body["reason"], body["verdict"], body["engine"]) == ("denied", "screen_suspected", "attack", "liveness")
    assert body["liveness"] == {"score": 3, "state": "attack", "cause": "screen_suspected", "frames": 5}
    assert read_state(tmp_path, "door").pulses == 0
    assert verify(tmp_path / "journal.sqlite").ok


@pytest.mark.parametrize("policy", POLICIES[1:])
@pytest.mark.parametrize("liveness", [DOUBT, UNCHECKED])
async def test_doubt_is_inconclusive_and_shown_to_nobody(tmp_path: Path, policy: LivenessPolicy, liveness: Liveness) -> None:
    async with running(tmp_path, policy) as scene:
        row = await scene.shoot(liveness)
        assert scene.knower.shown == []
    body = msgspec.json.decode(row.body)
    assert (row.kind, body["reason"], body["verdict"]) == ("denied", "liveness_doubtful", "inconclusive")
    assert ("liveness" in body) == (liveness is DOUBT)


@pytest.mark.parametrize(("policy", "liveness"), [("off", UNCHECKED), ("off", DOUBT), ("passive", LIVE), ("challenge", LIVE)])
async def test_who_is_there_is_recognised(tmp_path: Path, policy: LivenessPolicy, liveness: Liveness) -> None:
    async with running(tmp_path, policy) as scene:
        row = await scene.shoot(liveness)
        assert len(scene.knower.shown) == 1
    assert row.kind == "granted"


@given(
    policy=st.sampled_from(POLICIES),
    cause=st.from_regex(r"^([a-z][a-z0-9_]{1,47})?\Z"),
    state=st.sampled_from(["live", "attack"]),
)
def test_an_eye_cannot_give_an_attack_a_cause_of_its_own(policy: LivenessPolicy, cause: str, state: str) -> None:
    said = refusal(policy, msgspec.convert({"score": 1, "state": state, "cause": cause, "frames": 1}, Liveness))
    if state == "live":
        assert said is None
    else:
        assert isinstance(said, AttackPresentation)
        assert said.cause in ("spoof_suspected", "picture_static") or said.cause == cause
    assert not isinstance(said, Inconclusive)


@pytest.mark.parametrize("cause", ["granted", "no_such_slug", ""])
def test_a_cause_that_is_none_becomes_the_plain_one(cause: str) -> None:
    assert refusal("off", Liveness(0, "attack", cause, 1)) == AttackPresentation("spoof_suspected", "liveness")
