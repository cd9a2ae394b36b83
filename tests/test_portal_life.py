"""Three portals that share an interlock and the areas, under every order of events.

The stage keeps its own book of what is true – who is in view, which grant is fresh, which row is on disk, what each relay does –
and holds every order of the portals against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiosk.access import portal as door
from kiosk.access.areas import Areas
from kiosk.access.interlock import Interlock
from kiosk.access.portal import Portal
from kiosk.domain import Credential, Deny, Grant
from kiosk.settings import PortalSettings

TTL, PRESENCE, WITHIN, LONGEST = 1.5, 0.6, 15.0, 5.0
COMMON: dict[str, Any] = {
    "presence_within": PRESENCE,
    "verdict_ttl": TTL,
    "claim_within": WITHIN,
    "max_unlock": LONGEST,
    "lock_out_after": 4,
}
FITTED: dict[str, Any] = {"contact": "sim:contact", "request_to_exit": "sim:button", "tamper": "sim:case", "fire": "sim:fire"}
SETTINGS = {
    "outer": PortalSettings(**COMMON, **FITTED, interlock="trap", area_to="hall", open_during="day", first_person_in=True),
    "inner": PortalSettings(
        **COMMON, **FITTED, interlock="trap", area_from="hall", area_to="vault", anti_passback="hard", occupancy_limit=2
    ),
    "plain": PortalSettings(**COMMON, fire="sim:fire", interlock="trap", outputs={"locker": "sim:locker"}, open_during="day"),
}
PORTALS = st.sampled_from(sorted(SETTINGS))
PEOPLE = ("ann", "bob", "cat")
LATEST = 1.0
"""Seconds after its cause within which an alarm must have come."""


@dataclass
class Stage:
    """One portal and the world around it. `relay`: `safe`, `pulse` until a time, or `hold`."""

    portal: Portal
    settings: PortalSettings
    seen: tuple[float, tuple[int, ...]] = (0.0, ())
    decided: dict[int, tuple[float, Grant]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    shown: list[Credential] = field(default_factory=list)
    tickets: dict[int, door.Record] = field(default_factory=dict)
    committed: dict[int, float] = field(default_factory=dict)
    failed: dict[int, float] = field(default_factory=dict)
    asked_out: float = -100.0
    commands: list[tuple[float, str]] = field(default_factory=list)
    relay: str = "safe"
    until: float = 0.0
    lost: bool = True
    released: list[float] = field(default_factory=list)
    inputs: dict[door.Part, bool | None] = field(default_factory=dict)
    scheduled: bool | None = False
    alarms: list[tuple[float, str]] = field(default_factory=list)
    open_since: float | None = None

    @property
    def fire(self) -> bool:
        return "fire" in self.inputs and not self.inputs["fire"]

    def in_force(self, begins: str, ends: str) -> bool:
        given = [command for _, command in self.commands if command in {begins, ends}]
        return bool(given) and given[-1] == begins

    @property
    def emergency(self) -> bool:
        return self.in_force("release", "end_release")

    @property
    def lockdown(self) -> bool:
        return self.in_force("lockdown", "end_lockdown")

    @property
    def shut(self) -> bool:
        contact = not self.settings.contact or bool(self.inputs.get("contact"))
        return self.relay == "safe" and contact


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.newest = 1000
        interlock, areas = Interlock(), Areas()
        self.stages = {name: Stage(Portal(name, its, interlock, areas), its) for name, its in SETTINGS.items()}

    def feed(self, name: str, event: door.Event) -> None:
        stage = self.stages[name]
        for action in stage.portal.step(event):
            match action:
                case door.Record(ticket=ticket) if ticket:
                    assert ticket not in stage.tickets, "a ticket is one row's"
                    stage.tickets[ticket] = action
                case door.Unlock():
                    self.check_pulse(name, event, action)
                    self.energise(name, "pulse", action.seconds)
                case door.Hold():
                    self.check_hold(name, event)
                    self.energise(name, "hold", 0.0)
                case door.Release():
                    if stage.relay != "safe":
                        self.relay_released(name)
                case door.Alarm(slug=slug):
                    stage.alarms.append((self.now, slug))

    def energise(self, name: str, how: str, seconds: float) -> None:
        stage = self.stages[name]
        assert not stage.lost
        stage.relay, stage.until = how, self.now + seconds
        self.feed(name, door.Energised(self.now))

    def relay_released(self, name: str) -> None:
        """The relay's word is on its way."""
        stage = self.stages[name]
        stage.relay = "safe"
        stage.released.append(self.now)

    # What must hold of every order.

    def cause(self, name: str, event: door.Event, kinds: set[str]) -> door.Record:
        """The row on which an order rests: on disk, or one that people inside need not wait for."""
        stage = self.stages[name]
        candidates = [record for record in stage.tickets.values() if record.kind in kinds]
        assert candidates, "nothing moves without a row"
        record = candidates[-1]
        egress = record.kind == "exit" or record.body.get("cause") in {"fire", "emergency"}
        assert record.ticket in stage.committed or egress
        if isinstance(event, door.Committed):
            assert event.ticket == record.ticket
        return record

    def others_shut(self, name: str) -> bool:
        return all(stage.shut and not stage.lost for other, stage in self.stages.items() if other != name)

    def check_pulse(self, name: str, event: door.Event, action: door.Unlock) -> None:
        stage = self.stages[name]
        record = self.cause(name, event, {"granted", "exit", "commanded"})
        assert stage.relay == "safe", "a busy relay refuses"
        assert 0 < action.seconds <= LONGEST
        assert self.others_shut(name), "the interlock"
        assert stage.portal.mode not in {"fire", "emergency"}, "held open, not pulsed"
        if record.kind == "exit":
            assert self.now - stage.asked_out <= stage.settings.exit_seconds + 0.6
            return
        assert isinstance(event, door.Committed)
        assert not stage.lockdown
        if record.kind == "commanded":
            assert self.now - max(at for at, what in stage.commands if what == "unlock_once") <= 5.0
            return
        assert action.presentation is not None
        self.check_grant(stage, action.presentation)

    def check_grant(self, stage: Stage, presentation: int) -> None:
        at, grant = stage.decided[presentation]
        assert presentation not in stage.used, "a grant is used once"
        stage.used.add(presentation)
        seen_at, present = stage.seen
        assert presentation in present
        assert self.now - seen_at <= PRESENCE
        assert at <= grant.expires_at <= at + TTL
        if not grant.require:
            assert self.now <= grant.expires_at
        assert self.now <= at + WITHIN + TTL
        for factor in grant.require:
            if factor == "second_person":
                company = [
                    one
                    for one, (when, other) in stage.decided.items()
                    if one != presentation and other.person != grant.person and abs(when - at) <= WITHIN
                ]
                assert company, "another person's grant"
            else:
                kinds = [one for one in stage.shown if one.person == grant.person and one.kind == factor]
                assert any(abs(one.at - at) <= WITHIN for one in kinds), "the same person's factor"
        assert stage.inputs.get("tamper", True), "nobody is let in by an open case"

    def check_hold(self, name: str, event: door.Event) -> None:
        stage = self.stages[name]
        record = self.cause(name, event, {"held", "granted"})
        if record.body.get("cause") in {"fire", "emergency"}:
            assert stage.fire or stage.emergency
            return
        assert not stage.lockdown
        assert self.others_shut(name) or stage.relay == "hold", "the interlock"
        if record.kind == "granted":
            assert record.presentation is not None
            self.check_grant(stage, record.presentation)
        elif record.body["cause"] == "schedule":
            assert stage.scheduled is True

    @invariant()
    def nothing_stays_open_past_its_time(self) -> None:
        for name, stage in self.stages.items():
            portal = stage.portal
            if stage.relay == "hold" and not stage.released:
                alive = stage.fire or stage.emergency
                assert alive or not stage.lockdown, name
                assert portal.mode != "normal" or portal.state == "disarmed", name
            if stage.relay == "pulse":
                assert self.now <= stage.until

    @invariant()
    def fire_and_emergency_open(self) -> None:
        """At once where the journal answers, half a second later where it does not, a second after a relay that let go."""
        for name, stage in self.stages.items():
            assert (stage.portal.mode == "fire") == stage.fire, name
            assert (stage.portal.mode == "emergency") == (stage.emergency and not stage.fire), name

    @invariant()
    def doors_open_too_long_are_told(self) -> None:
        for name, stage in self.stages.items():
            if stage.open_since is None or stage.portal.state in {"held", "unlocked"}:
                continue
            late = self.now > stage.open_since + stage.settings.held_open_after + LATEST
            told = {"door_open_too_long", "door_forced"} & {slug for at, slug in stage.alarms if at >= stage.open_since}
            assert told or not late or stage.portal.mode not in {"normal", "lockdown"}, name

    # What the world does.

    @initialize(arm=st.sampled_from([set(SETTINGS), set(SETTINGS), {"outer"}, set()]))
    def begin(self, arm: set[str]) -> None:
        for name in sorted(arm):
            for part in ("contact", "tamper", "fire"):
                if getattr(SETTINGS[name], part):
                    self.sense(name, part, True)
            self.arm(name)

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.2, 0.6, 1.0, 2.0, 7.0, 17.0, 32.0]))
    def wait(self, seconds: float) -> None:
        """Time passes in steps, with a Tick in each for whoever wants one."""
        self.let_pass(seconds, 0.25)

    def let_pass(self, seconds: float, step: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + step, end)
            self.pulses_end()
            for name, stage in self.stages.items():
                if stage.portal.timed:
                    self.feed(name, door.Tick(self.now))

    def pulses_end(self) -> None:
        for name, stage in self.stages.items():
            if stage.relay == "pulse" and self.now >= stage.until:
                stage.relay = "safe"
                stage.released.append(stage.until)
            if len(stage.released) > 0 and self.now >= stage.released[0] + 0.25:
                self.hear_releases(name)

    @rule(name=PORTALS)
    def hear_releases(self, name: str) -> None:
        stage = self.stages[name]
        while stage.released:
            self.feed(name, door.Released(stage.released.pop(0)))

    @rule(name=PORTALS, present=st.lists(st.integers(1, 5), unique=True, max_size=3))
    def look(self, name: str, present: list[int]) -> None:
        self.stages[name].seen = (self.now, tuple(present))
        self.feed(name, door.Present(self.now, tuple(present)))

    @rule(
        name=PORTALS,
        presentation=st.integers(1, 5),
        person=st.sampled_from(PEOPLE),
        life=st.sampled_from([-0.5, 0.0, 0.5, TTL, TTL, TTL]),
        seconds=st.sampled_from([0.5, 3.0, 20.0]),
        require=st.sampled_from([(), (), (), ("pin",), ("second_person",), ("pin", "second_person")]),
        hold=st.sampled_from(["none", "none", "none", "open", "toggle"]),
        in_view=st.sampled_from([True, True, True, False]),
    )
    def grant(self, name, presentation, person, life, seconds, require, hold, in_view) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        stage = self.stages[name]
        if in_view:
            self.look(name, [presentation])
        if presentation in stage.used or stage.portal._core.in_hand(presentation):
            decision = stage.decided[presentation][1]
        else:
            decision = Grant(person, "staff", seconds, self.now + life, require=require, hold=hold)
            stage.decided[presentation] = self.now, decision
        self.feed(name, door.Decided(self.now, presentation, decision))

    @rule(
        name=PORTALS,
        person=st.sampled_from(PEOPLE),
        hold=st.sampled_from(["none", "none", "open"]),
        calm=st.sampled_from([True, True, False]),
        meanwhile=st.sampled_from(["", "", "", "", "", "", "left", "slow", "forced", "lost", "tampered", "lockdown", "other"]),
    )
    def come(self, name: str, person: str, hold: str, calm: bool, meanwhile: str) -> None:
        """Somebody new with a good grant, mostly at a time when all is well; its row is on disk after what happens meanwhile."""
        if calm:
            self.mend(name)
        self.newest += 1
        self.grant(name, self.newest, person, TTL, 3.0, (), hold, in_view=True)
        other = next(one for one in SETTINGS if one != name and (SETTINGS[one].contact or meanwhile != "forced"))
        match meanwhile:
            case "left":
                self.look(name, [])
            case "slow":
                self.let_pass(1.0, 0.5)
            case "forced":
                self.sense(other, "contact", False)
            case "lost":
                self.lose_the_relay(other)
            case "tampered":
                self.sense(name, "tamper", None)
            case "lockdown":
                self.order(name, "lockdown")
            case "other":
                self.newest += 1
                self.grant(other, self.newest, "dan", TTL, 3.0, (), "none", in_view=True)
                self.commit(other, late=False)
        self.commit(name, late=False)

    @rule(name=PORTALS)
    def mend(self, name: str) -> None:
        """What is wrong is put right, so that things can happen again."""
        for one in SETTINGS:
            self.heal(one)
        self.let_pass(7.0, 0.5)

    @rule(name=PORTALS, presentation=st.integers(1, 5), reason=st.sampled_from(["not_recognised", "cloud_unreachable"]))
    def deny(self, name: str, presentation: int, reason: str) -> None:
        self.feed(name, door.Decided(self.now, presentation, Deny(reason, "default")))

    @rule(name=PORTALS, kind=st.sampled_from(["pin", "card"]), person=st.sampled_from([*PEOPLE, ""]))
    def present(self, name: str, kind: str, person: str) -> None:
        credential = Credential(kind, self.now, person)  # type: ignore[arg-type]  # one of the two
        self.stages[name].shown.append(credential)
        self.feed(name, door.Presented(self.now, credential))

    @rule(name=PORTALS, late=st.booleans())
    def commit(self, name: str, late: bool) -> None:
        """The newest row, or one that is long on disk a second time."""
        stage = self.stages[name]
        waiting = [ticket for ticket in stage.tickets if ticket not in stage.committed and ticket not in stage.failed]
        for ticket in waiting[-1:] if not late else list(stage.tickets)[:1]:
            if ticket not in stage.failed:
                stage.committed.setdefault(ticket, self.now)
                self.feed(name, door.Committed(self.now, ticket))

    @rule(name=PORTALS)
    def fail_to_record(self, name: str) -> None:
        stage = self.stages[name]
        waiting = [ticket for ticket in stage.tickets if ticket not in stage.committed and ticket not in stage.failed]
        for ticket in waiting[-1:]:
            stage.failed[ticket] = self.now
            self.feed(name, door.RecordFailed(self.now, ticket, "journal_unwritable"))

    @rule(name=PORTALS)
    def lose_the_relay(self, name: str) -> None:
        stage = self.stages[name]
        stage.relay, stage.lost = "safe", True
        stage.released.clear()
        self.feed(name, door.RelayFailed(self.now, "relay_lost"))

    @rule(name=PORTALS)
    def let_go_by_itself(self, name: str) -> None:
        """A keeper whose lease ran out."""
        if self.stages[name].relay == "hold":
            self.relay_released(name)

    @rule(name=PORTALS)
    def arm(self, name: str) -> None:
        stage = self.stages[name]
        if stage.portal.state == "disarmed":
            stage.relay, stage.lost = "safe", False
            stage.released.clear()
            self.feed(name, door.Armed(self.now))

    @rule(
        name=PORTALS,
        part=st.sampled_from(["contact", "request_to_exit", "tamper", "fire"]),
        active=st.sampled_from([True, True, False, None]),
    )
    def sense(self, name: str, part: door.Part, active: bool | None) -> None:
        stage = self.stages[name]
        if not getattr(stage.settings, part):
            return
        if part == "request_to_exit" and active and not stage.inputs.get(part):
            stage.asked_out = self.now
        before = stage.inputs.get(part)
        forced = part == "contact" and before is True and active is False and self.unexplained(stage)
        stage.inputs[part] = active
        alarms = len(stage.alarms)
        self.feed(name, door.Sensed(self.now, part, active))
        raised = {slug for _, slug in stage.alarms[alarms:]}
        if part == "contact":
            assert not forced or "door_forced" in raised
            stage.open_since = self.now if active is False and before is not False else stage.open_since
            stage.open_since = stage.open_since if active is False else None
        if part == "tamper" and not active and before is True:
            assert "tampered" in raised
        if part == "fire" and not active and before is True:
            assert "fire_release" in raised

    def unexplained(self, stage: Stage) -> bool:
        """Nothing has let anybody through for long."""
        leaving = stage.inputs.get("request_to_exit") or self.now <= stage.asked_out + 60.0
        return stage.relay == "safe" and not stage.released and self.now > stage.until + 60.0 and not leaving

    @rule(name=PORTALS, is_open=st.sampled_from([True, False, None]))
    def schedule(self, name: str, is_open: bool | None) -> None:
        if SETTINGS[name].open_during:
            self.stages[name].scheduled = is_open
            self.feed(name, door.Scheduled(self.now, is_open))

    @rule(name=PORTALS, command=st.sampled_from(door.COMMANDS))
    def order(self, name: str, command: door.Command) -> None:
        self.stages[name].commands.append((self.now, command))
        self.feed(name, door.Commanded(self.now, command, "stage", 1))

    @rule(name=PORTALS)
    def all_is_well_again(self, name: str) -> None:
        """After whatever happened: locked when everything is healthy and time has passed, and it grants again."""
        for other in self.stages:
            self.heal(other)
        self.let_pass(61.0, 2.0)
        for other in self.stages:
            self.serve(other)
        self.wait(7.0)
        for other, stage in self.stages.items():
            assert (stage.portal.state, stage.portal.mode) == ("locked", "normal"), other
            assert stage.relay == "safe"
        self.grants_again(name)

    def heal(self, name: str) -> None:
        self.arm(name)
        for command in ("end_lockdown", "end_release", "close", "clear_area"):
            self.order(name, command)
        for part in ("contact", "tamper", "fire"):
            self.sense(name, part, True)
        self.sense(name, "request_to_exit", False)
        self.schedule(name, False)
        self.hear_releases(name)
        self.serve(name)

    def serve(self, name: str) -> None:
        """The journal and the relay answer."""
        for _ in range(5):
            self.arm(name)
            self.commit(name, late=False)
            self.hear_releases(name)

    def grants_again(self, name: str) -> None:
        stage = self.stages[name]
        self.order(name, "clear_area")
        self.newest += 1
        self.grant(name, self.newest, "dan", TTL, 3.0, (), "none", in_view=True)
        self.commit(name, late=False)
        assert stage.relay == "pulse"
        self.wait(7.0)
        assert stage.portal.state == "locked"


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
