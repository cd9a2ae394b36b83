"""An attendant with a real journal, a real relay and the real rules; its engine takes everybody for ann."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kiosk.access.calendar import Calendar
from kiosk.access.people import People
from kiosk.access.policy import Policy
from kiosk.clock import TrustedClock, zone
from kiosk.domain import (
    UNCHECKED,
    Began,
    Credential,
    CredentialKind,
    Crowd,
    Ended,
    Liveness,
    Match,
    NonMatch,
    Probe,
    Shot,
    Verdict,
)
from kiosk.eye import messages
from kiosk.eye.supervisor import EyeSupervisor
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import Journal, Row, tail
from kiosk.metrics import Metrics
from kiosk.recognition.build import Vote
from kiosk.recognition.strategy import Engine, Plan, Strategy
from kiosk.service.attendant import Attendant
from kiosk.service.door import Door
from kiosk.service.facts import Surroundings
from kiosk.service.tally import Tally
from kiosk.settings import LivenessPolicy, PortalSettings, RuleSettings, Settings
from tests.portal_stage import probe_of

POLICIES: tuple[LivenessPolicy, ...] = ("off", "passive", "passive+challenge", "challenge")
LIVE = Liveness(88, "live", "", 5)
ATTACK = Liveness(3, "attack", "screen_suspected", 5)
DOUBT = Liveness(40, "doubt", "challenge_timed_out", 5)
SURROUNDINGS = Surroundings("lab", TrustedClock("synchronised"), Calendar({}, {}, zone("UTC")), People({}))


@dataclass
class Knower:
    """An engine in the cloud that takes everybody for ann, and remembers what it was shown."""

    name: str = "tencent-iai"
    shown: list[Probe] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    pause: float = 0.0
    crowds: list[Crowd] = field(default_factory=list)

    async def identify(self, probe: Probe, deadline: float) -> Verdict:
        assert deadline > 0
        self.shown.append(probe)
        await asyncio.sleep(self.pause)
        return Match("ann", 99.0, 90.0, self.name, groups=("day",))

    async def verify(self, probe: Probe, person: str, deadline: float) -> Verdict:
        self.claimed.append(person)
        found = await self.identify(probe, deadline)
        return found if person == "ann" else NonMatch("not_confirmed", 5.0, self.name)

    async def identify_many(self, crowd: Crowd, deadline: float) -> Mapping[int, Verdict]:
        self.crowds.append(crowd)
        return {shot.probe.presentation: await self.identify(shot.probe, deadline) for shot in crowd.shots}

    async def warm(self) -> None: ...

    async def close(self) -> None: ...


class Watched(EyeSupervisor):
    """An eye that does not run, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[messages.Outcome] = []

    def tell(self, message: messages.Outcome) -> None:
        self.told.append(message)


@dataclass
class Scene:
    attendant: Attendant
    knower: Knower
    folder: Path
    tally: Tally
    tasks: Sequence[asyncio.Task[None]]
    eye: Watched = field(default_factory=Watched)

    async def shoot(self, liveness: Liveness, number: int = 1) -> Row:
        """The row the shot ends in."""
        self.come(number)
        self.attendant.hear(self.shot(liveness, number))
        return await self.row()

    def hear(self, message: messages.FromEye) -> None:
        """As the daemon hears it."""
        match message:
            case messages.Started(opened_at=opened_at):
                self.tally.eye_started("front", opened_at, 0)
            case messages.Examined():
                self.tally.frame("front", message)
        self.attendant.hear(message)

    def come(self, *numbers: int) -> None:
        now = time.monotonic()
        for number in numbers:
            self.attendant.hear(Began(number, now))
        self.attendant.hear(
            messages.Examined(at=now, captured=1, dropped=0, examined=1, faces=len(numbers), present=numbers, stage_seconds={})
        )

    def shot(self, liveness: Liveness = UNCHECKED, number: int = 1) -> Shot:
        return Shot(probe_of("ann", presentation=number), time.monotonic(), 1, liveness)

    def leave(self, number: int = 1) -> None:
        now = time.monotonic()
        self.attendant.hear(Ended(number, now, now, now, 5, 1, {}, None))

    def present(self, person: str, kind: CredentialKind = "card") -> None:
        self.attendant.presented(Credential(kind, time.monotonic(), person))

    async def rows(self, count: int) -> list[Row]:
        """All rows of presentations, the last first, once there are as many."""
        while len(found := [row for row in self.kept() if row.presentation is not None]) < count:
            await asyncio.sleep(0.01)
        return found

    async def row(self) -> Row:
        return (await self.rows(1))[-1]

    def kept(self) -> list[Row]:
        return tail(self.folder / "journal.sqlite", 100)


@asynccontextmanager
async def running(
    folder: Path,
    policy: LivenessPolicy = "off",
    vote: Vote | None = None,
    when: str = "verdict.kind == 'match'",
    **options: object,
) -> AsyncIterator[Scene]:
    journal = await Journal.open(folder / "journal.sqlite")
    heartbeat = Heartbeat()
    heartbeat.register("journal", 0.0)
    heartbeat.register("recognition", 5.0)
    tally = Tally(Settings.model_construct(), Metrics("test"), heartbeat)
    settings = PortalSettings.model_validate({"presence_within": 20.0, "verdict_ttl": 30.0, "liveness": policy, **options})
    door = Door("door", settings, folder, journal, tally)
    await door.open()
    policy_of_rules = Policy.compile((RuleSettings(name="staff", when=when, effect="grant", unlock_seconds=0.2),))
    knower = Knower()
    strategy = Strategy(Plan(Engine(knower, 5.0, cloud=True)), lambda _, __: True, kind=settings.strategy)
    attendant = Attendant("door", settings, strategy, lambda: policy_of_rules, door, tally, SURROUNDINGS, vote)
    tasks = [asyncio.create_task(door.run()), asyncio.create_task(attendant.run())]
    scene = Scene(attendant, knower, folder, tally, tasks)
    attendant.watch(scene.eye)
    try:
        while door.state != "locked" and not any(task.done() for task in tasks):
            await asyncio.sleep(0.01)
        yield scene
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await journal.close()
