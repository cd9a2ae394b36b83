"""What hangs on a portal and what it counts: contact, case, interlock, areas, second factors, lock-out."""

from __future__ import annotations

from typing import Any

import pytest

from kiosk.access import portal as door
from kiosk.access.areas import Areas
from kiosk.access.interlock import Interlock
from kiosk.access.lock_out import FAILURES
from kiosk.access.portal import Portal
from kiosk.domain import Factor
from kiosk.settings import PortalSettings
from kiosk.slugs import TABLE
from tests.door_stage import Case


def test_a_door_that_opens_by_itself_was_forced() -> None:
    case = Case(contact="sim:contact")
    case.sense("contact", False)
    assert (case.slugs, case.rows, case.signals) == (["door_forced"], ["opened"], ["alarm"])
    case.now += 3.0
    case.sense("contact", True)
    assert case.row("closed") == {"seconds": 3.0}
    assert case.signals[-1] == "idle"


@pytest.mark.parametrize(("after", "slugs"), [(0.4, []), (0.6, ["door_forced"])])
def test_a_door_pushed_in_the_moment_of_locking_was_not(after: float, slugs: list[str]) -> None:
    case = Case(contact="sim:contact")
    case.open()
    case.now += 3.0
    case.lock()
    case.now += after
    case.sense("contact", False)
    assert case.slugs == slugs


@pytest.mark.parametrize("relock", [True, False])
def test_an_open_door_locks_again_where_that_is_wanted(relock: bool) -> None:
    case = Case(contact="sim:contact", relock_on_open=relock)
    case.open()
    case.sense("contact", False)
    assert case.slugs == []
    assert case.ordered(door.Release) is relock


def test_a_door_open_for_too_long_is_told_once() -> None:
    case = Case(contact="sim:contact", held_open_after=30.0)
    case.open()
    case.sense("contact", False)
    case.lock()
    assert case.portal.timed
    assert case.wait(29.9) == []
    case.wait(0.2)
    assert case.slugs == ["door_open_too_long"]
    assert case.wait(60.0) == []


def test_while_it_is_held_open_no_door_is_open_too_long() -> None:
    case = Case(contact="sim:contact", held_open_after=30.0)
    case.command("hold_open")
    case.commit()
    case.sense("contact", False)
    assert case.wait(100.0) == []
    case.command("close")
    case.lock()
    assert case.wait(29.0) == []
    case.wait(1.1)
    assert case.slugs == ["door_open_too_long"]


def test_an_open_case_is_an_alarm_and_lets_nobody_in() -> None:
    case = Case(tamper="sim:case")
    case.grant()
    case.sense("tamper", False)
    assert case.slugs == ["tampered"]
    case.commit()
    assert case.slugs == ["tampered"]
    case.grant(8)
    assert case.slugs == ["tampered"]
    case.sense("tamper", True)
    assert case.rows == ["tamper_ended"]
    case.open(9)


@pytest.mark.parametrize("part", ["contact", "request_to_exit", "tamper", "fire"])
def test_a_lost_line_is_an_alarm_of_its_own_once(part: str) -> None:
    settings: dict[str, Any] = {part: "sim:line"}
    case = Case(**settings)
    case.sense(part, None)
    assert "input_lost" in case.slugs
    assert case.row("input_lost") == {"part": part}
    case.sense(part, None)
    assert "input_lost" not in case.slugs
    case.sense(part, True)
    assert "input_back" in case.rows


# Interlock.


def trap(**settings: Any) -> tuple[Case, Case]:
    interlock = Interlock()
    return Case("outer", interlock, **settings), Case("inner", interlock, **settings)


@pytest.mark.parametrize("when", ["pending", "unlocked", "held"])
def test_of_an_interlock_one_is_open_at_a_time(when: str) -> None:
    outer, inner = trap()
    outer.grant(hold="open" if when == "held" else "none")
    if when != "pending":
        outer.commit()
    assert outer.state == when
    for orders in (inner.grant(8), inner.command("unlock_once"), inner.command("hold_open")):
        assert orders
        assert inner.slugs == ["interlocked"]
    outer.command("close")
    if when != "pending":
        outer.lock()
    inner.open(9)


def test_the_interlock_waits_until_the_door_is_closed() -> None:
    outer, inner = trap(contact="sim:contact")
    outer.open()
    outer.sense("contact", False)
    outer.lock()
    inner.grant()
    assert inner.slugs == ["interlocked"]
    outer.sense("contact", True)
    inner.open(8)


@pytest.mark.parametrize("what", ["lost", "disarmed", "forced"])
def test_what_is_not_known_to_be_shut_is_open(what: str) -> None:
    outer, inner = trap(contact="sim:contact")
    if what == "disarmed":
        outer.feed(door.RelayFailed(outer.now, "relay_lost"))
    else:
        outer.sense("contact", None if what == "lost" else False)
    inner.grant()
    assert inner.slugs == ["interlocked"]


def test_a_portal_that_was_never_armed_is_not_known_to_be_shut() -> None:
    interlock = Interlock()
    Portal("inner", PortalSettings(), interlock)
    outer = Case("outer", interlock)
    outer.grant()
    assert outer.slugs == ["interlocked"]


def test_a_door_forced_during_the_commit_keeps_the_other_one_shut() -> None:
    outer, inner = trap(contact="sim:contact")
    inner.grant()
    outer.sense("contact", False)
    inner.commit()
    assert inner.slugs == ["interlocked"]


def test_the_button_inside_asks_the_interlock_and_fire_does_not() -> None:
    outer, inner = trap(request_to_exit="sim:button", fire="sim:fire")
    outer.open()
    inner.sense("request_to_exit", True)
    assert inner.row("withheld") == {"reason": "interlocked", "cause": "exit"}
    inner.sense("fire", False)
    inner.commit()
    assert inner.state == "held"


def test_a_schedule_waits_for_the_interlock() -> None:
    outer, inner = trap()
    outer.open()
    inner.schedule(True)
    assert inner.orders == []
    outer.lock()
    inner.wait(0.25)
    assert inner.row("held") == {"cause": "schedule"}


# Areas.


def ways(**settings: Any) -> tuple[Case, Case, Areas]:
    areas = Areas()
    way_in = Case("in", areas=areas, area_to="hall", **settings)
    return way_in, Case("out", areas=areas, area_from="hall"), areas


def test_nobody_enters_twice_without_leaving() -> None:
    way_in, way_out, areas = ways(anti_passback="hard")
    way_in.open(person="alice")
    assert way_in.row("passed") == {"people": ["alice"], "from": "", "to": "hall"}
    way_in.lock()
    way_in.grant(8, "alice")
    assert way_in.slugs == ["passed_back"]
    way_in.open(9, "bob")
    way_in.lock()
    way_out.open(1, "alice")
    way_out.lock()
    assert areas.inside() == {"bob": "hall"}
    way_in.open(10, "alice")


def test_soft_anti_passback_only_says_so() -> None:
    way_in, _, _ = ways(anti_passback="soft")
    way_in.open()
    way_in.lock()
    way_in.grant(8)
    assert way_in.row("granted")["passed_back"] is True
    way_in.commit()
    assert "passed_back" in way_in.slugs


def test_timed_anti_passback_denies_for_its_time() -> None:
    way_in, _, _ = ways(anti_passback="timed", anti_passback_seconds=60.0)
    way_in.open()
    way_in.lock()
    way_in.now += 59.0
    way_in.grant(8)
    assert way_in.slugs == ["passed_back"]
    way_in.now += 2.0
    way_in.open(9)


def test_whoever_is_elsewhere_cannot_come_from_here() -> None:
    areas = Areas()
    Case("lab", areas=areas, area_from="hall", area_to="lab").open()
    vault = Case("vault", areas=areas, area_from="hall", area_to="vault", anti_passback="hard")
    vault.grant()
    assert vault.slugs == ["passed_back"]


def test_an_area_takes_only_so_many() -> None:
    way_in, way_out, areas = ways(occupancy_limit=1)
    way_in.open()
    way_in.lock()
    assert way_in.portal.facts().occupancy == 1
    way_in.grant(8, "bob")
    assert way_in.slugs == ["area_full"]
    way_out.open(1, "alice")
    way_in.open(9, "bob")
    way_in.lock()
    way_in.command("clear_area")
    assert areas.occupancy("hall") == 0


def test_with_a_contact_whoever_does_not_open_the_door_is_not_inside() -> None:
    way_in, _, areas = ways(contact="sim:contact", occupancy_limit=1)
    way_in.open()
    assert areas.occupancy("hall") == 0
    way_in.lock()
    way_in.wait(0.6)
    way_in.open(8, "bob")
    way_in.sense("contact", False)
    assert way_in.row("passed")["people"] == ["bob"]


def test_two_portals_do_not_let_in_the_last_one_at_once() -> None:
    areas = Areas()
    left, right = (Case(name, areas=areas, area_to="hall", contact="sim:c", occupancy_limit=1) for name in ("left", "right"))
    left.open()
    right.grant(8, "bob")
    assert right.slugs == ["area_full"]
    left.lock()
    left.wait(0.6)
    right.open(9, "bob")


# Second factors and second people.

FACTORS: tuple[tuple[Factor, str], ...] = (("pin", "enter_pin"), ("card", "show_card"), ("qr", "show_code"))


@pytest.mark.parametrize(("factor", "asks"), FACTORS)
def test_a_second_factor_of_the_same_person_completes_a_grant(factor: Factor, asks: str) -> None:
    case = Case()
    case.grant(require=(factor,))
    assert (case.state, case.slugs) == ("waiting", [asks])
    assert case.row("waiting")["missing"] == [factor]
    case.now += 10.0
    case.see(7)
    case.show(factor)  # type: ignore[arg-type]  # none of these is second_person
    case.commit()
    assert case.slugs == ["granted"]


def test_a_factor_shown_before_the_face_counts_once() -> None:
    case = Case()
    case.show("card")
    case.now += 5.0
    case.open(require=("card",))
    case.lock()
    case.grant(8, require=("card",))
    assert case.slugs == ["show_card"]


@pytest.mark.parametrize(("person", "slug"), [("", "credential_rejected"), ("bob", "credential_of_another")])
def test_somebody_elses_factor_opens_nothing(person: str, slug: str) -> None:
    case = Case()
    case.grant(require=("pin",))
    case.show("pin", person)
    assert case.row("denied") == {"reason": slug, "credential": "pin"}
    assert case.state == "waiting"


def test_of_two_who_wait_only_the_one_who_showed_it_is_let_in() -> None:
    case = Case()
    case.grant(7, "alice", require=("pin",))
    case.grant(8, "bob", require=("pin",))
    case.see(7, 8)
    case.show("pin", "alice")
    assert case.row("granted")["person"] == "alice"
    case.commit()
    case.now += 3.0
    case.see(7, 8)
    case.lock()
    assert (case.state, case.ordered(door.Unlock)) == ("waiting", False)


def test_another_persons_card_does_not_disturb_who_waits_for_a_pin() -> None:
    case = Case()
    case.grant(require=("pin",))
    assert case.show("card", "bob") == []


def test_whoever_left_before_the_factor_came_stays_out() -> None:
    case = Case()
    case.grant(require=("pin",))
    case.now += 5.0
    case.show("pin")
    assert case.slugs == ["person_left"]


@pytest.mark.parametrize(
    ("require", "slug"), [(("pin",), "second_factor_missing"), (("second_person",), "second_person_missing")]
)
def test_a_factor_that_does_not_come_ends_the_wait(require: tuple[Factor, ...], slug: str) -> None:
    case = Case()
    case.grant(require=require)
    assert case.portal.timed
    case.wait(15.1)
    assert case.slugs == [slug]
    assert case.state == "locked"


def test_two_people_open_together() -> None:
    case = Case()
    case.grant(7, "alice", require=("second_person",))
    assert case.slugs == ["second_person_needed"]
    case.now += 10.0
    case.grant(8, "bob", require=("second_person",))
    assert case.row("granted")["with"] == "alice"
    case.commit()
    assert case.orders == [door.Unlock(8, 3.0), door.Prompt(8, "granted", "staff"), door.Prompt(7, "granted", "staff")]


@pytest.mark.parametrize(("presentation", "person", "after"), [(8, "alice", 1.0), (7, "bob", 1.0), (8, "bob", 15.1)])
def test_one_person_twice_or_two_too_far_apart_do_not(presentation: int, person: str, after: float) -> None:
    case = Case()
    case.grant(7, "alice", require=("second_person",))
    case.wait(after)
    case.grant(presentation, person, require=("second_person",))
    assert "granted" not in case.rows


def test_company_that_lacks_its_own_factor_is_none_yet() -> None:
    case = Case()
    case.grant(7, "alice", require=("pin", "second_person"))
    case.grant(8, "bob", require=("second_person",))
    assert case.slugs == ["second_person_needed"]
    case.see(7, 8)
    case.show("pin", "alice")
    case.commit()
    assert case.slugs == ["granted", "granted"]


def test_a_duress_pin_opens_and_raises_a_silent_alarm() -> None:
    case = Case()
    case.grant(require=("pin",))
    case.show("pin", duress=True)
    assert case.orders[0] == door.Alarm("duress", silent=True)
    assert case.row("granted")["duress"] is True
    case.commit()
    assert case.slugs == ["granted"]


# Lock-out.


def test_after_repeated_failures_the_portal_takes_a_rest() -> None:
    case = Case(lock_out_after=3, lock_out_seconds=30.0)
    for presentation in range(3):
        case.deny(presentation + 1)
    assert case.slugs == ["not_recognised", "locked_out"]
    assert case.row("locked_out") == {"reason": "not_recognised", "seconds": 30.0}
    case.grant()
    assert case.slugs == ["locked_out"]
    case.show("pin")
    assert case.row("denied")["reason"] == "locked_out"
    case.now += 30.1
    case.open(8)


@pytest.mark.parametrize(("reason", "apart", "who"), [
    ("cloud_unreachable", 1.0, None), ("no_rule_matched", 1.0, None), ("not_recognised", 31.0, None), ("not_recognised", 1.0, 7),
])  # fmt: skip
def test_faults_of_ours_slow_failures_and_one_persons_tries_do_not_lock_out(reason: str, apart: float, who: int | None) -> None:
    case = Case(lock_out_after=3)
    for presentation in range(1, 4):
        case.deny(who or presentation, reason)
        case.now += apart
    assert "locked_out" not in case.slugs
    case.open(9)


def test_what_counts_as_a_failure_is_a_slug() -> None:
    assert set(TABLE) >= FAILURES
