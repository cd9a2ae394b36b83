"""One grant at one portal: what opens it, and everything that keeps it shut."""

from __future__ import annotations

import pytest

from kiosk.access import portal as door
from kiosk.access.portal import Portal
from kiosk.domain import Deny
from kiosk.settings import PortalSettings
from tests.door_stage import Case


def test_the_row_is_on_disk_before_the_relay_moves() -> None:
    case = Case()
    (record,) = case.grant()
    assert record == door.Record("granted", 7, {"person": "alice", "rule": "staff", "seconds": 3.0}, case.ticket)
    assert case.state == "pending"
    unlock, prompt = case.commit()
    assert unlock == door.Unlock(7, 3.0)
    assert prompt == door.Prompt(7, "granted", "staff")
    assert case.state == "unlocked"
    case.now += 3.0
    assert case.lock() == [door.Record("locked", None, {})]
    assert case.state == "locked"


def test_nobody_is_told_that_the_door_is_open_before_the_relay_says_so() -> None:
    case = Case()
    case.grant()
    assert case.feed(door.Committed(case.now, case.ticket)) == [door.Unlock(7, 3.0)]
    assert case.feed(door.Energised(case.now)) == [door.Prompt(7, "granted", "staff")]


def test_no_rule_unlocks_longer_than_the_portal_allows() -> None:
    case = Case()
    case.grant(seconds=60.0)
    assert case.commit()[0] == door.Unlock(7, 5.0)


def test_a_refusal_is_recorded_with_its_reason_and_what_it_rests_on() -> None:
    case = Case()
    record, prompt = case.feed(door.Decided(case.now, 7, Deny("not_recognised", "default"), {"score": 31.0}))
    assert record == door.Record("denied", 7, {"score": 31.0, "reason": "not_recognised", "rule": "default"})
    assert prompt == door.Prompt(7, "not_recognised", "default")
    assert case.state == "locked"


def test_before_it_is_armed_nothing_opens() -> None:
    case = Case()
    case.portal = Portal("door", PortalSettings())
    case.grant()
    assert case.slugs == ["portal_closed"]
    assert case.command("unlock_once")
    assert case.slugs == ["portal_closed"]


@pytest.mark.parametrize(("late", "seen_ago", "who", "slug"), [
    (2.0, 0.0, 7, "verdict_expired"),
    (0.0, 1.0, 7, "person_left"),
    (0.0, 0.2, 8, "person_left"),
])  # fmt: skip
def test_a_late_verdict_or_an_absent_person_opens_nothing(late: float, seen_ago: float, who: int, slug: str) -> None:
    case = Case()
    case.now -= seen_ago
    case.see(who)
    case.now += seen_ago
    case.grant(life=1.5 - late, seen=False)
    assert case.slugs == [slug]
    assert case.row("withheld") == {"reason": slug, "rule": "staff"}
    assert case.state == "locked"


@pytest.mark.parametrize(("late", "slug"), [(2.0, "verdict_expired"), (0.9, "person_left")])
def test_both_are_looked_at_again_after_a_slow_commit(late: float, slug: str) -> None:
    case = Case()
    case.grant()
    case.now += late
    if slug == "verdict_expired":
        case.see(7)
    case.commit()
    assert case.slugs == [slug]
    assert case.state == "locked"


def test_somebody_else_who_stepped_in_during_the_commit_does_not_get_the_door() -> None:
    case = Case()
    case.grant()
    case.see(8)
    case.commit()
    assert case.slugs == ["person_left"]


@pytest.mark.parametrize("life", [float("nan"), float("inf"), 1.6, 10_000.0])
def test_a_grant_that_would_outlive_its_time_opens_nothing(life: float) -> None:
    case = Case()
    case.grant(life=life)
    assert case.slugs == ["verdict_expired"]


@pytest.mark.parametrize("seen_at", [float("nan"), float("inf"), 100.7, 10_000.0])
def test_a_sighting_from_the_future_proves_no_presence(seen_at: float) -> None:
    case = Case()
    case.feed(door.Present(seen_at, (7,)))
    case.grant(seen=False)
    assert case.slugs == ["person_left"]


def test_a_commit_of_another_row_opens_nothing() -> None:
    case = Case()
    case.grant()
    assert case.feed(door.Committed(case.now, case.ticket + 1)) == []
    assert case.feed(door.Committed(case.now, case.ticket - 1)) == []
    assert case.state == "pending"


def test_one_presentation_is_granted_once() -> None:
    case = Case()
    case.open()
    case.grant()
    assert case.slugs == ["already_granted"]
    case.lock()
    case.grant()
    assert case.slugs == ["already_granted"]


def test_a_second_grant_of_the_same_presentation_does_not_end_the_first() -> None:
    case = Case()
    case.grant()
    case.grant()
    assert case.row("withheld")["reason"] == "already_granted"
    assert case.slugs == []
    case.ticket = 1
    case.commit()
    assert case.slugs == ["granted"]


def test_a_busy_relay_refuses() -> None:
    case = Case()
    case.open()
    case.grant(8, "bob")
    assert case.slugs == ["relay_busy"]


def test_while_one_row_is_written_another_person_is_refused() -> None:
    case = Case()
    case.grant()
    case.grant(8, "bob")
    assert case.slugs == ["relay_busy"]


def test_what_cannot_be_recorded_is_not_granted() -> None:
    case = Case()
    case.grant()
    assert case.feed(door.RecordFailed(case.now, case.ticket, "journal_unwritable")) == [
        door.Prompt(7, "journal_unwritable", "staff"),
        door.Alarm("journal_unwritable"),
    ]
    assert case.state == "locked"
    assert case.commit() == []


def test_a_journal_that_never_answers_does_not_keep_the_portal_busy() -> None:
    case = Case()
    case.grant()
    case.wait(2.0)
    assert case.slugs == ["verdict_expired"]
    assert case.state == "locked"


@pytest.mark.parametrize("when", ["locked", "waiting", "pending", "unlocked"])
def test_a_failed_relay_disarms_from_anywhere(when: str) -> None:
    case = Case()
    if when == "waiting":
        case.grant(require=("pin",))
    elif when != "locked":
        case.grant()
    if when == "unlocked":
        case.commit()
    assert case.state == when
    case.feed(door.RelayFailed(case.now, "relay_lost"))
    assert door.Alarm("relay_lost") in case.orders
    if when in {"waiting", "pending"}:
        assert case.row("withheld") == {"reason": "relay_lost", "rule": "staff"}
        assert door.Prompt(7, "relay_lost", "staff") in case.orders
    assert case.state == "disarmed"
    assert case.commit() == []
    assert case.feed(door.Armed(case.now)) == [door.Record("armed", None, {})]


def test_a_relay_that_fails_to_open_has_let_nobody_in() -> None:
    case = Case()
    case.grant()
    case.feed(door.Committed(case.now, case.ticket))
    case.feed(door.RelayFailed(case.now, "relay_busy"))
    assert door.Prompt(7, "relay_busy", "staff") in case.orders
    assert case.row("withheld")["reason"] == "relay_busy"


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_relay_that_owes_its_word_is_an_alarm_within_a_second(confirmed: bool) -> None:
    case = Case()
    case.grant(seconds=3.0)
    case.feed(door.Committed(case.now, case.ticket))
    if confirmed:
        case.feed(door.Energised(case.now))
    assert case.wait(3.0) == []
    case.wait(0.6)
    assert door.Release() in case.orders
    assert door.Alarm("relay_lost") in case.orders
    assert case.state == "disarmed"


def test_a_release_from_before_the_last_opening_says_nothing() -> None:
    case = Case()
    case.open()
    case.feed(door.Released(case.now - 0.1))
    assert case.state == "unlocked"


def test_a_grant_moves_the_outputs_it_names_and_only_what_there_is() -> None:
    case = Case(outputs={"locker": "sim:locker", "lamp_red": "sim:red"})
    case.grant(unlock=("locker",))
    assert case.row("granted")["outputs"] == ["locker"]
    assert case.commit()[0] == door.Unlock(7, 3.0, ("locker",))
    case.lock()
    for nothing in ("attic", "lamp_red"):
        case.grant(8, unlock=(nothing,))
        assert case.slugs == ["output_unknown"]


def test_what_the_rule_asks_for_besides_happens_once_the_door_is_open() -> None:
    case = Case()
    case.grant(prompt="mask_on", alarm="duress", notify=("desk",), checkout="canteen")
    assert case.rows == ["granted"]
    case.commit()
    assert case.orders[1:] == [
        door.Prompt(7, "granted", "staff"),
        door.Prompt(7, "mask_on", "staff", final=False),
        door.Alarm("duress"),
        door.Notify(("desk",), "granted", "alice"),
        door.StartCheckout("canteen", "alice"),
    ]


def test_a_denial_may_prompt_alarm_and_notify_too() -> None:
    case = Case()
    case.deny(reason="denied_by_rule", prompt="mask_off", alarm="tampered", notify=("desk",))
    assert case.orders[1:] == [
        door.Prompt(7, "denied_by_rule", "default"),
        door.Prompt(7, "mask_off", "default", final=False),
        door.Alarm("tampered"),
        door.Notify(("desk",), "denied_by_rule"),
    ]


def test_a_forced_person_gets_the_door_and_a_silent_alarm() -> None:
    case = Case()
    case.grant(duress=True)
    assert case.orders[0] == door.Alarm("duress", silent=True)
    assert case.row("granted")["duress"] is True
    case.commit()
    assert case.orders == [door.Unlock(7, 3.0), door.Prompt(7, "granted", "staff")]


def test_lamps_follow() -> None:
    case = Case()
    case.deny()
    case.wait(2.5)
    case.open()
    case.lock()
    assert case.signals == ["denied", "idle", "granted", "idle"]
    assert not case.portal.timed
