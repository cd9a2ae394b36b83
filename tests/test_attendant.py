"""What becomes of a shot whose person may not be there: with a real journal, a real relay and the real rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.access.alive import refusal
from kiosk.domain import UNCHECKED, AttackPresentation, Began, Ended, Inconclusive, Liveness, Match, Probe, Shot, Verdict
from kiosk.eye.messages import Examined
from kiosk.hardware.relay import read_state
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import Journal, Row, tail, verify
from kiosk.metrics import Metrics
from kiosk.recognition.build import Vote
from kiosk.recognition.strategy import Engine, Plan, Strategy
from kiosk.service.attendant import Attendant
from kiosk.service.door import Door
from kiosk.service.rulebook import Rulebook
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
        return await self.written()

    async def written(self) -> Row:
        """The newest row, once it is of a presentation."""
        while not (rows := tail(self.folder / "journal.sqlite", 1)) or rows[0].presentation is None:
            await asyncio.sleep(0.01)
        return rows[0]


@asynccontextmanager
async def running(folder: Path, policy: LivenessPolicy, vote: Vote | None = None) -> AsyncIterator[Scene]:
    journal = await Journal.open(folder / "journal.sqlite")
    heartbeat = Heartbeat()
    heartbeat.register("journal", 0.0)
    heartbeat.register("recognition", 5.0)
    tally = Tally(Settings.model_construct(), Metrics("test"), heartbeat)
    settings = PortalSettings(presence_within=20.0, verdict_ttl=30.0, liveness=policy)
    door = Door("door", settings, folder, journal, tally)
    await door.open()
    rule = RuleSettings(name="staff", when="verdict.kind == 'match'", effect="grant", unlock_seconds=0.2)
    knower = Knower()
    strategy = Strategy(Plan(Engine(knower, 5.0, cloud=True)), lambda _: True)
    rulebook = Rulebook(Settings(rules=(rule,)), None, tally)
    attendant = Attendant("door", settings, strategy, rulebook, door, tally, vote)
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


@pytest.mark.parametrize(
    ("liveness", "said", "reason"),
    [
        (LIVE, 88.0, None),
        (LIVE, 12.0, "liveness_rejected"),
        (LIVE, Inconclusive("cloud_unreachable", "tencent-iai"), "cloud_unreachable"),
        (LIVE, None, None),
        (Liveness(40, "doubt", "liveness_doubtful", 5), 88.0, "liveness_doubtful"),
        (Liveness(40, "doubt", "liveness_doubtful", 5), 95.0, None),
    ],
)
async def test_the_clouds_vote_comes_before_recognition_and_is_journalled(
    tmp_path: Path, liveness: Liveness, said: float | Inconclusive | None, reason: str | None
) -> None:
    async def vote(_: Probe, deadline: float) -> float | Inconclusive | None:
        assert deadline > time.monotonic()
        return said

    async with running(tmp_path, "passive", vote) as scene:
        row = await scene.shoot(liveness)
        assert len(scene.knower.shown) == (reason is None)
    body = msgspec.json.decode(row.body)
    assert (row.kind, body.get("reason")) == (("denied", reason) if reason else ("granted", None))
    expected = {} if said is None else {"liveness_vote": said if isinstance(said, float) else said.cause}
    assert {key: value for key, value in body.items() if key == "liveness_vote"} == expected


@pytest.mark.parametrize(("policy", "liveness"), [("passive", ATTACK), ("passive", DOUBT), ("off", LIVE)])
async def test_nobody_votes_where_it_could_change_nothing(tmp_path: Path, policy: LivenessPolicy, liveness: Liveness) -> None:
    async def vote(_: Probe, deadline: float) -> float:
        raise AssertionError(deadline)

    async with running(tmp_path, policy, vote) as scene:
        row = await scene.shoot(liveness)
    assert row.kind == ("granted" if policy == "off" else "denied")


async def test_an_attack_of_which_no_picture_came_is_journalled_as_one(tmp_path: Path) -> None:
    async with running(tmp_path, "passive") as scene:
        now = time.monotonic()
        scene.attendant.hear(Began(1, now))
        scene.attendant.hear(Ended(1, now, now, None, 9, 0, {"blurred": 9}, None, ATTACK))
        row = await scene.written()
    body = msgspec.json.decode(row.body)
    assert (row.kind, body["reason"], body["liveness"]["state"]) == ("denied", "screen_suspected", "attack")


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
