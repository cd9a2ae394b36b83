"""What stands above a single grant: fire, emergency, exit, lockdown, schedule, commands – and which comes first."""

from __future__ import annotations

import pytest

from kiosk.access import portal as door
from tests.door_stage import Case


def held(case: Case) -> None:
    """The row is on disk and the relay holds."""
    case.commit()
    assert case.state == "held"


@pytest.mark.parametrize("active", [False, None])
def test_a_fire_alarm_or_its_cut_cable_releases_and_the_end_of_it_locks(active: bool | None) -> None:
    case = Case(fire="sim:fire")
    case.sense("fire", active)
    assert "fire_release" in case.slugs
    assert case.row("held") == {"cause": "fire"}
    held(case)
    assert (case.mode, case.signals[-1]) == ("fire", "fire")
    case.sense("fire", True)
    assert "fire_ended" in case.rows
    assert case.ordered(door.Release)
    case.lock()
    assert (case.state, case.mode) == ("locked", "normal")


def test_fire_needs_no_journal() -> None:
    case = Case(fire="sim:fire")
    case.sense("fire", False)
    case.feed(door.RecordFailed(case.now, case.ticket, "journal_unwritable"))
    assert case.orders == [door.Alarm("journal_unwritable"), door.Hold()]


def test_fire_does_not_wait_for_a_journal_that_hangs() -> None:
    case = Case(fire="sim:fire")
    case.sense("fire", False)
    assert not case.ordered(door.Hold)
    case.wait(0.5)
    assert case.orders == [door.Alarm("journal_unwritable"), door.Hold()]
    assert case.commit() == []


def test_fire_comes_before_everything() -> None:
    case = Case(fire="sim:fire")
    case.command("lockdown")
    case.sense("fire", False)
    held(case)
    assert case.mode == "fire"
    for command in ("close", "hold_open", "unlock_once"):
        case.command(command)
        assert case.slugs == ["portal_released"]
    case.grant()
    assert case.slugs == ["portal_released"]
    case.sense("fire", True)
    case.lock()
    assert (case.state, case.mode) == ("locked", "lockdown")


def test_fire_takes_the_place_of_a_grant_on_its_way() -> None:
    case = Case(fire="sim:fire")
    case.grant()
    case.sense("fire", False)
    assert door.Prompt(7, "portal_released", "staff") in case.orders
    held(case)


def test_fire_during_a_pulse_holds_on() -> None:
    case = Case(fire="sim:fire")
    case.open()
    case.sense("fire", False)
    held(case)
    case.feed(door.Released(case.now - 0.01))
    assert case.state == "held"


def test_emergency_release_lasts_until_it_is_ended() -> None:
    case = Case()
    case.command("lockdown")
    case.command("release")
    assert case.slugs == []
    held(case)
    assert (case.mode, case.slugs) == ("emergency", ["command_done"])
    case.command("end_release")
    assert case.slugs == ["command_done"]
    case.lock()
    assert case.mode == "lockdown"


def test_lockdown_shuts_what_is_open_and_refuses_what_comes() -> None:
    case = Case()
    case.open()
    case.command("lockdown")
    assert case.ordered(door.Release)
    case.lock()
    for slugs in (case.grant(8, "bob"), case.command("hold_open"), case.command("unlock_once")):
        assert slugs
        assert case.slugs == ["lockdown"]
    assert case.signals[-1] == "lockdown"
    case.command("end_lockdown")
    case.open(9)


def test_what_a_command_held_is_not_held_again_after_a_lockdown() -> None:
    case = Case()
    case.command("hold_open")
    held(case)
    case.command("lockdown")
    assert case.ordered(door.Release)
    case.lock()
    case.command("end_lockdown")
    assert case.wait(2.0) == []
    assert (case.state, case.mode) == ("locked", "normal")


@pytest.mark.parametrize("when", ["waiting", "pending"])
def test_lockdown_takes_back_what_is_on_its_way(when: str) -> None:
    case = Case()
    case.grant(require=("pin",) if when == "waiting" else ())
    assert case.state == when
    case.command("lockdown")
    assert door.Prompt(7, "lockdown", "staff") in case.orders
    assert case.commit() == []


def test_people_get_out_of_a_lockdown() -> None:
    case = Case(request_to_exit="sim:button")
    case.command("lockdown")
    case.sense("request_to_exit", True)
    case.commit()
    assert door.Unlock(None, 5.0) in case.orders


def test_a_request_to_exit_unlocks_after_its_row_or_without_one() -> None:
    case = Case(request_to_exit="sim:button", exit_seconds=4.0)
    case.sense("request_to_exit", True)
    assert case.row("exit") == {"seconds": 4.0}
    assert not case.ordered(door.Unlock)
    case.feed(door.RecordFailed(case.now, case.ticket, "journal_unwritable"))
    assert case.orders == [door.Alarm("journal_unwritable"), door.Unlock(None, 4.0)]
    case.sense("request_to_exit", False)
    case.now += 4.0
    case.lock()
    assert case.state == "locked"


def test_a_button_that_sticks_opens_once() -> None:
    case = Case(request_to_exit="sim:button")
    case.sense("request_to_exit", True)
    case.commit()
    case.now += 5.0
    case.lock()
    case.sense("request_to_exit", True)
    case.wait(1.0)
    assert case.orders == []
    assert case.state == "locked"


def test_a_request_at_the_end_of_a_pulse_gets_its_own() -> None:
    case = Case(request_to_exit="sim:button")
    case.open()
    case.now += 2.5
    case.sense("request_to_exit", True)
    assert case.orders == []
    case.now += 0.5
    case.lock()
    assert case.rows == ["locked", "exit"]


def test_a_request_while_the_door_is_open_long_enough_needs_none() -> None:
    case = Case(request_to_exit="sim:button")
    case.open()
    case.sense("request_to_exit", True)
    case.now += 3.0
    case.lock()
    assert case.rows == ["locked"]


def test_a_request_to_exit_may_only_say_that_the_door_is_not_forced() -> None:
    case = Case(request_to_exit="sim:sensor", request_to_exit_unlocks=False, contact="sim:contact")
    case.sense("request_to_exit", True)
    assert case.orders == []
    case.sense("contact", False)
    assert case.slugs == []


def test_held_open_by_schedule_and_shut_at_its_end() -> None:
    case = Case(open_during="day")
    case.schedule(True)
    assert case.row("held") == {"cause": "schedule"}
    held(case)
    assert case.mode == "held_open"
    case.grant()
    assert case.slugs == ["portal_open"]
    case.schedule(False)
    assert case.ordered(door.Release)
    case.lock()
    assert case.state == "locked"


def test_a_clock_that_is_not_trusted_shuts_and_says_so() -> None:
    case = Case(open_during="day")
    case.schedule(True)
    held(case)
    case.schedule(None)
    assert case.slugs == ["time_untrusted"]
    assert case.ordered(door.Release)


def test_with_first_person_in_the_schedule_waits_for_somebody() -> None:
    case = Case(open_during="day", first_person_in=True)
    case.open()
    case.lock()
    case.schedule(True)
    assert case.orders == []
    case.open(8)
    assert case.row("held") == {"cause": "schedule"}
    held(case)
    case.schedule(False)
    case.lock()
    case.schedule(True)
    assert case.orders == []


def test_a_schedule_that_cannot_be_recorded_stays_shut_and_is_tried_again() -> None:
    case = Case(open_during="day")
    case.schedule(True)
    case.feed(door.RecordFailed(case.now, case.ticket, "journal_unwritable"))
    assert case.state == "locked"
    case.wait(0.5)
    assert case.orders == []
    case.wait(0.6)
    held(case)


def test_a_relay_that_lets_go_is_asked_again_after_a_second() -> None:
    case = Case()
    case.command("hold_open")
    held(case)
    case.lock()
    assert case.rows == ["locked"]
    case.wait(0.5)
    assert case.orders == []
    case.wait(0.6)
    held(case)


def test_commands_hold_open_close_and_unlock_once() -> None:
    case = Case(exit_seconds=4.0)
    case.command("hold_open")
    assert case.row("commanded") == {"command": "hold_open", "by": "tester"}
    held(case)
    assert case.slugs == ["command_done"]
    case.command("hold_open")
    assert case.slugs == ["command_done"]
    case.command("close")
    assert case.slugs == ["command_done"]
    case.lock()
    case.command("unlock_once")
    assert case.row("commanded") == {"command": "unlock_once", "by": "tester", "seconds": 4.0}
    case.commit()
    assert case.orders == [door.Unlock(None, 4.0), door.Answer(1, "command_done")]


def test_a_command_whose_row_comes_late_opens_nothing() -> None:
    case = Case()
    case.command("unlock_once")
    case.now += 5.1
    case.commit()
    assert case.slugs == ["command_too_late"]
    case.command("hold_open")
    case.feed(door.RecordFailed(case.now, case.ticket, "journal_unwritable"))
    assert "journal_unwritable" in case.slugs
    case.wait(2.0)
    assert (case.state, case.mode) == ("locked", "normal")


def test_close_shuts_a_schedule_until_it_opens_the_next_time() -> None:
    case = Case(open_during="day")
    case.schedule(True)
    held(case)
    case.command("close")
    case.lock()
    assert case.wait(1.0) == []
    case.schedule(False)
    case.schedule(True)
    held(case)


def test_a_rule_holds_open_and_toggles() -> None:
    case = Case()
    case.open(hold="open")
    assert door.Hold() in case.orders
    case.wait(60.0)
    assert case.state == "held"
    case.grant(8, hold="toggle")
    case.commit()
    assert case.slugs == ["granted"]
    assert case.ordered(door.Release)
    case.lock()
    assert case.wait(2.0) == []
    case.open(9, hold="toggle")
    assert case.state == "held"


def test_what_a_rule_holds_may_be_another_output() -> None:
    case = Case(outputs={"gate": "sim:gate"}, fire="sim:fire")
    case.open(hold="open", unlock=("gate",))
    assert case.orders[0] == door.Hold(("gate",))
    case.sense("fire", False)
    assert door.Hold() in case.commit()
    case.sense("fire", True)
    assert case.ordered(door.Release), "the door is not left open because the gate is"
    case.lock()
    case.wait(1.1)
    assert case.commit()[0] == door.Hold(("gate",))


def test_every_command_is_answered_and_recorded() -> None:
    case = Case()
    for command in door.COMMANDS:
        case.command(command)
        assert case.rows[0] in {"commanded", "command_refused"}
        case.commit()
        case.lock()
    assert case.portal.facts().state == case.state


def test_an_emergency_that_ended_before_its_row_was_written_opens_nothing() -> None:
    case = Case()
    case.command("release")
    case.command("end_release")
    assert case.commit() == [door.Answer(1, "portal_closed")]
    assert case.state == "locked"


def test_commands_that_wait_for_one_row_are_all_answered() -> None:
    case = Case()
    for number in (1, 2, 3):
        case.feed(door.Commanded(case.now, "release", "tester", number))
        assert case.slugs == []
    case.commit()
    assert sorted(order.number for order in case.orders if isinstance(order, door.Answer)) == [1, 2, 3]


def test_a_command_that_fire_took_the_place_of_opens_nothing_after_it() -> None:
    case = Case(fire="sim:fire")
    case.command("hold_open")
    case.sense("fire", False)
    assert door.Answer(1, "portal_released") in case.orders
    held(case)
    case.sense("fire", True)
    case.lock()
    assert case.wait(1.1) == []
    assert (case.state, case.mode) == ("locked", "normal")


def test_a_pulse_that_ends_while_fire_waits_for_its_row_does_not_end_the_release() -> None:
    case = Case(fire="sim:fire")
    case.open(seconds=0.5)
    case.now += 0.4
    case.sense("fire", False)
    case.now += 0.2
    case.feed(door.Committed(case.now, case.ticket))
    case.feed(door.Released(case.now - 0.1))
    assert case.state == "held"
    case.feed(door.Energised(case.now))
    case.sense("fire", True)
    assert case.ordered(door.Release)


def test_a_relay_has_its_time_to_confirm_however_long_the_row_took() -> None:
    case = Case()
    case.command("unlock_once")
    case.now += 4.0
    case.feed(door.Committed(case.now, case.ticket))
    assert case.wait(0.25) == []
    assert case.state == "unlocked"


def test_a_schedule_that_ended_before_its_row_was_written_opens_nothing() -> None:
    case = Case(open_during="day")
    case.schedule(True)
    case.schedule(False)
    case.commit()
    assert not case.ordered(door.Hold)
    assert case.state == "locked"


def test_what_a_command_held_is_not_held_again_after_the_relay_was_lost() -> None:
    case = Case()
    case.command("hold_open")
    held(case)
    case.feed(door.RelayFailed(case.now, "relay_lost"))
    assert (case.state, "relay_lost" in case.slugs) == ("disarmed", True)
    case.feed(door.Armed(case.now))
    for _ in range(5):
        case.wait(1.0)
        assert (case.state, case.mode, case.ordered(door.Record)) == ("locked", "normal", False)


def test_a_relay_that_never_says_that_it_holds_is_lost() -> None:
    case = Case()
    case.command("hold_open")
    case.feed(door.Committed(case.now, case.ticket))
    assert case.ordered(door.Hold)
    case.wait(2.9)
    assert case.slugs == []
    case.wait(0.2)
    assert "relay_lost" in case.slugs
    assert case.state == "disarmed"


def test_a_command_is_done_when_the_relay_says_so() -> None:
    case = Case()
    case.command("hold_open")
    case.feed(door.Committed(case.now, case.ticket))
    assert case.slugs == []
    case.feed(door.Energised(case.now))
    assert case.slugs == ["command_done"]
