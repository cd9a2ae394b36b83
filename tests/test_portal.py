"""The portal under every order of events: it never opens when it must not."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiosk.access import portal as door
from kiosk.access.portal import Portal
from kiosk.domain import Decision, Deny, Grant
from kiosk.settings import PortalSettings

SETTINGS = PortalSettings(presence_within=0.6, max_unlock=5.0)


def grant(expires_at: float = 101.5, seconds: float = 3.0) -> Grant:
    return Grant("alice", "staff", seconds, expires_at)


def armed() -> Portal:
    portal = Portal("door", SETTINGS)
    portal.step(door.Armed(99.0))
    return portal


def decide(portal: Portal, at: float = 100.0, presentation: int = 7, decision: Decision | None = None) -> list[door.Action]:
    return portal.step(door.Decided(at, presentation, decision or grant()))


def see(portal: Portal, at: float, *presentations: int) -> None:
    assert portal.step(door.Present(at, presentations)) == []


def state_of(portal: Portal) -> str:
    return portal.state


def granted(portal: Portal) -> None:
    see(portal, 100.0, 7)
    decide(portal)
    portal.step(door.Committed(100.1, 7))


def slug_of(actions: list[door.Action]) -> str:
    record, prompt = actions
    assert isinstance(record, door.Record)
    assert isinstance(prompt, door.Prompt)
    assert record.body["reason"] == prompt.slug
    return prompt.slug


def test_the_row_is_on_disk_before_the_relay_moves() -> None:
    portal = armed()
    see(portal, 100.0, 7)
    (record,) = decide(portal)
    assert record == door.Record("granted", 7, {"person": "alice", "rule": "staff", "seconds": 3.0})
    assert state_of(portal) == "pending"
    assert portal.step(door.Committed(100.1, 7)) == [door.Unlock(7, 3.0)]
    assert state_of(portal) == "unlocked"
    assert portal.step(door.Released(103.1)) == [door.Record("locked", None, {})]
    assert state_of(portal) == "locked"


def test_no_rule_unlocks_longer_than_the_portal_allows() -> None:
    portal = armed()
    see(portal, 100.0, 7)
    decide(portal, decision=grant(seconds=60.0))
    assert portal.step(door.Committed(100.1, 7)) == [door.Unlock(7, 5.0)]


def test_a_refusal_is_recorded_with_its_reason() -> None:
    portal = armed()
    actions = decide(portal, decision=Deny("not_recognised", "default"))
    assert slug_of(actions) == "not_recognised"
    assert portal.state == "locked"


def test_before_it_is_armed_nothing_opens() -> None:
    portal = Portal("door", SETTINGS)
    see(portal, 100.0, 7)
    assert slug_of(decide(portal)) == "portal_closed"


@pytest.mark.parametrize(
    ("at", "seen_at", "who", "slug"),
    [
        (102.0, 102.0, 7, "verdict_expired"),
        (101.0, 100.0, 7, "person_left"),
        (100.2, 100.0, 8, "person_left"),
    ],
)
def test_a_late_verdict_or_an_absent_person_opens_nothing(at: float, seen_at: float, who: int, slug: str) -> None:
    portal = armed()
    see(portal, seen_at, who)
    assert slug_of(decide(portal, at)) == slug
    assert portal.state == "locked"


@pytest.mark.parametrize(("committed_at", "slug"), [(102.0, "verdict_expired"), (100.9, "person_left")])
def test_both_are_looked_at_again_after_a_slow_commit(committed_at: float, slug: str) -> None:
    portal = armed()
    see(portal, 100.0, 7)
    decide(portal)
    if slug == "verdict_expired":
        see(portal, committed_at, 7)
    assert slug_of(portal.step(door.Committed(committed_at, 7))) == slug
    assert portal.state == "locked"


def test_somebody_else_who_stepped_in_during_the_commit_does_not_get_the_door() -> None:
    portal = armed()
    see(portal, 100.0, 7)
    decide(portal)
    see(portal, 100.05, 8)
    assert slug_of(portal.step(door.Committed(100.1, 7))) == "person_left"


@pytest.mark.parametrize("expires_at", [float("nan"), float("inf"), 101.6, 10_000.0])
def test_a_grant_that_would_outlive_its_time_opens_nothing(expires_at: float) -> None:
    portal = armed()
    see(portal, 100.0, 7)
    assert slug_of(decide(portal, decision=grant(expires_at))) == "verdict_expired"


@pytest.mark.parametrize("seen_at", [float("nan"), float("inf"), 100.7, 10_000.0])
def test_a_sighting_from_the_future_proves_no_presence(seen_at: float) -> None:
    portal = armed()
    see(portal, seen_at, 7)
    assert slug_of(decide(portal)) == "person_left"


def test_a_relay_lost_during_the_commit_takes_the_grant_back() -> None:
    portal = armed()
    see(portal, 100.0, 7)
    decide(portal)
    withheld, prompt, *_ = portal.step(door.RelayFailed(100.1, "relay_lost"))
    assert withheld == door.Record("withheld", 7, {"reason": "relay_lost", "rule": "staff"})
    assert prompt == door.Prompt(7, "relay_lost")


def test_a_commit_of_another_presentation_opens_nothing() -> None:
    portal = armed()
    see(portal, 100.0, 7, 8)
    decide(portal)
    assert portal.step(door.Committed(100.1, 8)) == []
    assert portal.state == "pending"


def test_one_presentation_is_granted_once() -> None:
    portal = armed()
    granted(portal)
    assert slug_of(decide(portal, 100.2)) == "already_granted"
    portal.step(door.Released(100.3))
    see(portal, 100.4, 7)
    assert slug_of(decide(portal, 100.4)) == "already_granted"


def test_a_busy_relay_refuses() -> None:
    portal = armed()
    granted(portal)
    see(portal, 100.2, 8)
    assert slug_of(decide(portal, 100.2, presentation=8)) == "relay_busy"


def test_what_cannot_be_recorded_is_not_granted() -> None:
    portal = armed()
    see(portal, 100.0, 7)
    decide(portal)
    actions = portal.step(door.RecordFailed(100.1, 7, "journal_unwritable"))
    assert actions == [door.Prompt(7, "journal_unwritable"), door.Alarm("journal_unwritable")]
    assert portal.state == "locked"
    assert portal.step(door.Committed(100.2, 7)) == []


@pytest.mark.parametrize("when", ["locked", "pending", "unlocked"])
def test_a_failed_relay_disarms_from_anywhere(when: str) -> None:
    portal = armed()
    see(portal, 100.0, 7)
    if when != "locked":
        decide(portal)
    if when == "unlocked":
        portal.step(door.Committed(100.1, 7))
    assert state_of(portal) == when
    assert door.Alarm("relay_lost") in portal.step(door.RelayFailed(100.2, "relay_lost"))
    assert portal.state == "disarmed"
    assert portal.step(door.Committed(100.3, 7)) == []
    assert portal.step(door.Armed(101.0)) == [door.Record("armed", None, {})]


def test_a_release_that_never_comes_is_an_alarm_within_a_second() -> None:
    portal = armed()
    granted(portal)
    assert portal.step(door.Tick(103.5)) == []
    actions = portal.step(door.Tick(103.7))
    assert actions[:2] == [door.Release(), door.Alarm("relay_lost")]
    assert portal.state == "disarmed"


class AnyOrder(RuleBasedStateMachine):
    """Feeds events in any order and checks every Unlock against all that went before it."""

    def __init__(self) -> None:
        super().__init__()
        self.portal = Portal("door", SETTINGS)
        self.now = 100.0
        self.seen: tuple[float, tuple[int, ...]] = (0.0, ())
        self.recorded: dict[int, Grant] = {}
        self.decisions: dict[int, Grant] = {}
        self.unlocked: list[int] = []
        self.energised = False

    def feed(self, event: door.Event) -> None:
        for action in self.portal.step(event):
            if isinstance(action, door.Record) and action.kind == "granted":
                assert action.presentation is not None
                self.recorded[action.presentation] = self.decisions[action.presentation]
            if isinstance(action, door.Unlock):
                self.check_unlock(event, action)

    def check_unlock(self, event: door.Event, action: door.Unlock) -> None:
        assert isinstance(event, door.Committed)
        assert event.presentation == action.presentation
        reason = self.recorded[action.presentation]
        assert self.now <= reason.expires_at
        seen_at, present = self.seen
        assert action.presentation in present
        assert self.now - seen_at <= SETTINGS.presence_within
        assert action.presentation not in self.unlocked
        assert not self.energised
        assert action.seconds <= SETTINGS.max_unlock
        self.unlocked.append(action.presentation)
        self.energised = True

    @initialize(arm=st.booleans())
    def begin(self, arm: bool) -> None:
        if arm:
            self.feed(door.Armed(self.now))

    @rule(seconds=st.floats(0, 1.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(present=st.lists(st.integers(1, 4), unique=True, max_size=3))
    def look(self, present: list[int]) -> None:
        self.seen = (self.now, tuple(present))
        self.feed(door.Present(self.now, tuple(present)))

    @rule(presentation=st.integers(1, 4), life=st.floats(-0.5, 1.5), seconds=st.floats(0.1, 20))
    def grant(self, presentation: int, life: float, seconds: float) -> None:
        decision = Grant("alice", "staff", seconds, self.now + life)
        if presentation not in self.recorded:
            self.decisions[presentation] = decision
        self.feed(door.Decided(self.now, presentation, self.decisions[presentation]))

    @rule(presentation=st.integers(1, 4))
    def deny(self, presentation: int) -> None:
        self.feed(door.Decided(self.now, presentation, Deny("not_recognised", "default")))

    @rule(presentation=st.integers(1, 4))
    def commit(self, presentation: int) -> None:
        self.feed(door.Committed(self.now, presentation))

    @rule(presentation=st.integers(1, 4))
    def fail_to_record(self, presentation: int) -> None:
        self.feed(door.RecordFailed(self.now, presentation, "journal_unwritable"))

    @rule()
    def release(self) -> None:
        self.energised = False
        self.feed(door.Released(self.now))

    @rule()
    def lose_the_relay(self) -> None:
        self.energised = False
        self.feed(door.RelayFailed(self.now, "relay_lost"))

    @rule()
    def arm(self) -> None:
        self.feed(door.Armed(self.now))

    @rule()
    def tick(self) -> None:
        self.feed(door.Tick(self.now))
        if self.portal.state == "disarmed":
            self.energised = False

    @invariant()
    def it_is_in_one_of_its_states(self) -> None:
        assert self.portal.state in {"disarmed", "locked", "pending", "unlocked"}


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
