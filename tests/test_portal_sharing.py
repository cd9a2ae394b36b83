"""Two who come together: one opening for both, each with a row of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kiosk.access import portal as door
from kiosk.access.areas import Areas
from kiosk.domain import Grant
from tests.door_stage import Case


class Pair(Case):
    """Alice is 7, Bob is 8, and both are in view unless somebody says otherwise."""

    def __init__(self, name: str = "door", **settings: Any) -> None:
        self.past: list[door.Action] = []
        super().__init__(name, **{"strategy": "crowd"} | settings)

    def feed(self, event: door.Event) -> list[door.Action]:
        self.past += super().feed(event)
        return self.orders

    def give(self, presentation: int, person: str, seconds: float = 3.0, life: float = 1.5, **more: Any) -> list[door.Action]:
        self.see(7, 8, 9)
        grant = Grant(person, f"for {person}", seconds, self.now + life, **more)
        return self.feed(door.Decided(self.now, presentation, grant, {"score": 97.0}))

    def alice(self, **more: Any) -> int:
        """Her grant's ticket."""
        self.give(7, "alice", **more)
        return self.ticket

    def bob(self, **more: Any) -> int:
        self.give(8, "bob", **more)
        return self.ticket

    def told(self, event: door.Event) -> list[str]:
        """What people, operators and commands hear of it."""
        self.feed(event)
        return self.slugs


def test_the_second_ones_row_is_on_disk_before_they_are_told_and_the_lock_moves_once() -> None:
    pair = Pair()
    first = pair.alice()
    assert pair.give(8, "bob") == [
        door.Record("granted", 8, {"score": 97.0, "person": "bob", "rule": "for bob", "shared": 7}, pair.ticket)
    ]
    second = pair.ticket
    assert pair.commit(first) == [door.Unlock(7, 3.0), door.Prompt(7, "granted", "for alice")]
    assert pair.commit(second) == [door.Prompt(8, "granted", "for bob")]
    pair.now += 3.0
    assert pair.lock() == [door.Record("locked", None, {})]
    assert pair.state == "locked"


def test_whoever_comes_while_it_is_open_does_not_lengthen_it() -> None:
    pair = Pair()
    pair.commit(pair.alice())
    pair.now += 1.5
    assert pair.commit(pair.bob(seconds=60.0)) == [door.Prompt(8, "granted", "for bob")]
    assert pair.wait(1.9) == []
    pair.wait(0.2)
    assert door.Alarm("relay_lost") in pair.orders, "3 s from the first one's pulse on, and half of one in which to say so"


def test_rows_that_come_to_disk_the_other_way_round() -> None:
    pair = Pair()
    first, second = pair.alice(), pair.bob()
    assert pair.commit(second) == []
    assert pair.commit(first) == [
        door.Unlock(7, 3.0),
        door.Prompt(7, "granted", "for alice"),
        door.Prompt(8, "granted", "for bob"),
    ]


def test_the_relays_word_is_waited_for() -> None:
    pair = Pair()
    first, second = pair.alice(), pair.bob()
    assert pair.feed(door.Committed(pair.now, first)) == [door.Unlock(7, 3.0)]
    assert pair.feed(door.Committed(pair.now, second)) == []
    assert pair.told(door.Energised(pair.now)) == ["granted", "granted"]


def test_another_row_lets_nobody_in() -> None:
    pair = Pair()
    pair.commit(pair.alice())
    second = pair.bob()
    assert pair.feed(door.Committed(pair.now, second + 1)) == []
    assert pair.feed(door.Committed(pair.now, second - 1)) == []
    assert pair.told(door.Committed(pair.now, second)) == ["granted"]
    assert pair.feed(door.Committed(pair.now, second)) == []


def test_a_whole_crowd_comes_through_and_nobody_twice() -> None:
    pair = Pair()
    tickets = [pair.alice(), pair.bob()]
    pair.give(9, "cat")
    tickets.append(pair.ticket)
    pair.give(10, "bob")
    assert pair.slugs == ["person_left"]
    pair.give(9, "cat")
    assert (pair.rows, pair.slugs) == (["withheld"], []), "what is on its way is not ended by a second one"
    assert pair.row("withheld")["reason"] == "already_granted"
    for ticket in tickets:
        pair.commit(ticket)
        assert pair.slugs == ["granted"]
    pair.give(8, "bob")
    assert pair.slugs == ["already_granted"]


@pytest.mark.parametrize("when", ["joining", "joined"])
@pytest.mark.parametrize("person", ["alice", "bob"])
def test_one_person_seen_twice_is_not_two(person: str, when: str) -> None:
    pair = Pair()
    pair.commit(pair.alice())
    second = pair.bob()
    if when == "joined":
        pair.commit(second)
    pair.give(9, person)
    assert pair.slugs == ["relay_busy"]


def test_the_next_opening_knows_nothing_of_the_last_one() -> None:
    pair = Pair()
    pair.commit(pair.alice())
    pair.commit(pair.bob())
    pair.now += 3.0
    pair.lock()
    pair.see(17, 18, 19)
    for presentation, person in ((17, "cat"), (18, "dan"), (19, "bob")):
        pair.feed(door.Decided(pair.now, presentation, Grant(person, f"for {person}", 3.0, pair.now + 1.0)))
    assert pair.row("granted")["shared"] == 17


# What is not to be shared waits for its turn, with its slug.


@pytest.mark.parametrize("settings", [
    {"strategy": "identify"}, {"strategy": "identify+confirm"}, {"strategy": "claim+compare"}, {"interlock": "trap"},
])  # fmt: skip
@pytest.mark.parametrize("when", ["pending", "unlocked"])
def test_only_where_people_are_looked_for_together_and_nothing_parts_them(settings: dict[str, Any], when: str) -> None:
    pair = Pair(**settings)
    first = pair.alice()
    if when == "unlocked":
        pair.commit(first)
    pair.bob()
    assert pair.slugs == ["relay_busy"]
    assert pair.row("withheld") == {"score": 97.0, "reason": "relay_busy", "rule": "for bob"}


@pytest.mark.parametrize("more", [
    {"unlock": ("locker",)}, {"unlock": ("relay", "locker")}, {"hold": "open"}, {"hold": "toggle"}, {"require": ("pin",)},
    {"require": ("second_person",)},
])  # fmt: skip
@pytest.mark.parametrize("who", ["first", "second"])
def test_only_what_is_plain_on_both_sides(more: dict[str, Any], who: str) -> None:
    pair = Pair(outputs={"locker": "sim:locker"})
    pair.show("pin", "alice" if who == "first" else "bob")
    first = pair.alice(**more if who == "first" else {})
    if more.get("require") == ("second_person",) and who == "first":
        pair.give(9, "cat", require=("second_person",))
        first = pair.ticket
    for when in ("pending", "unlocked"):
        if when == "unlocked":
            pair.commit(first)
        pair.bob(**more if who == "second" else {})
        # Held open is a reason of its own.
        assert pair.slugs == (["portal_open"] if pair.state == "held" else ["relay_busy"])


def test_an_opening_for_two_is_theirs_alone() -> None:
    """Also where only one of them needed the other."""
    pair = Pair()
    pair.give(9, "cat", require=("second_person",))
    pair.commit(pair.alice())
    assert pair.slugs == ["granted", "granted"]
    pair.bob()
    assert pair.slugs == ["relay_busy"]


def test_the_same_outputs_may_be_shared() -> None:
    pair = Pair(outputs={"locker": "sim:locker"})
    pair.commit(pair.alice(unlock=("relay", "locker")))
    assert pair.commit(pair.bob(unlock=("locker", "relay"))) == [door.Prompt(8, "granted", "for bob")]


def test_what_was_shown_before_serves_one_opening() -> None:
    pair = Pair()
    pair.show("pin", "bob")
    pair.commit(pair.alice())
    pair.commit(pair.bob())
    pair.now += 3.0
    pair.lock()
    pair.give(9, "bob", require=("pin",))
    assert pair.slugs == ["enter_pin"]


def test_while_somebody_waits_for_a_second_factor_each_has_their_turn() -> None:
    pair = Pair()
    pair.give(9, "cat", require=("pin",))
    pair.commit(pair.alice())
    pair.bob()
    assert pair.slugs == ["relay_busy"]


@pytest.mark.parametrize("cause", ["exit", "unlock_once", "let go", "hold_open"])
def test_only_a_grants_pulse_is_shared(cause: str) -> None:
    pair = Pair(request_to_exit="sim:button")
    if cause == "exit":
        pair.sense("request_to_exit", True)
    elif cause == "let go":
        pair.commit(pair.alice())
        pair.command("close")
    else:
        pair.command(cause)  # type: ignore[arg-type]  # these two are commands
    for _ in range(2):
        pair.bob()
        assert pair.slugs == (["portal_open"] if pair.state == "held" else ["relay_busy"])
        if pair.state != "held":
            pair.ticket = 1
            pair.commit()


@pytest.mark.parametrize(("seconds", "left", "slug"), [
    (3.0, 1.1, "granted"), (3.0, 0.9, "relay_busy"), (0.8, 0.5, "granted"), (0.8, 0.3, "relay_busy"),
])  # fmt: skip
@pytest.mark.parametrize("row", [0.0, 0.2])
def test_a_pulse_must_last_long_enough_to_come_through(seconds: float, left: float, slug: str, row: float) -> None:
    """When the row is asked for, and when it is on disk."""
    pair = Pair()
    pair.commit(pair.alice(seconds=seconds))
    pair.now += seconds - left - row
    pair.bob()
    told = pair.slugs
    pair.now += row
    pair.commit()
    assert told + pair.slugs == [slug]


@pytest.mark.parametrize("active", [False, None])
def test_once_the_door_has_opened_the_next_one_waits(active: bool | None) -> None:
    pair = Pair(contact="sim:contact", relock_on_open=False)
    pair.commit(pair.alice())
    pair.sense("contact", active)
    pair.bob()
    assert pair.slugs == ["relay_busy"]


@pytest.mark.parametrize(("life", "slug"), [(-0.1, "verdict_expired"), (1.6, "verdict_expired"), (1.5, "granted")])
def test_a_late_grant_shares_nothing(life: float, slug: str) -> None:
    pair = Pair()
    pair.commit(pair.alice())
    second = pair.bob(life=life)
    if slug == "granted":
        pair.commit(second)
    assert pair.slugs == [slug]


# What happens before the second one's row is on disk.

Happening = Callable[[Pair], object]
BEFORE: Mapping[str, tuple[Happening, str]] = {
    "left": (lambda pair: pair.see(7), "person_left"),
    "not seen for long": (lambda pair: setattr(pair, "now", pair.now + 0.7), "person_left"),
    "lockdown": (lambda pair: pair.command("lockdown"), "lockdown"),
    "closed": (lambda pair: pair.command("close"), "portal_closed"),
    "fire": (lambda pair: pair.sense("fire", False), "portal_released"),
    "release": (lambda pair: pair.command("release"), "portal_released"),
    "tampered": (lambda pair: pair.sense("tamper", False), "tampered"),
    "locked out": (lambda pair: [pair.deny(one) for one in range(20, 25)], "locked_out"),
    "relay lost": (lambda pair: pair.feed(door.RelayFailed(pair.now, "relay_lost")), "relay_lost"),
    "door opened": (lambda pair: pair.sense("contact", False), "relay_busy"),
    "contact lost": (lambda pair: pair.sense("contact", None), "relay_busy"),
    "let go": (lambda pair: pair.lock(), "relay_busy"),
}


@pytest.mark.parametrize("what", BEFORE)
@pytest.mark.parametrize("row", ["under way", "on disk"])
def test_what_keeps_the_second_one_out(what: str, row: str) -> None:
    pair = Pair(contact="sim:contact", tamper="sim:case", fire="sim:fire", relock_on_open=False)
    first = pair.alice()
    pair.feed(door.Committed(pair.now, first))
    if row == "under way":
        pair.feed(door.Energised(pair.now))
    second = pair.bob()
    happens, slug = BEFORE[what]
    if row == "on disk":
        pair.feed(door.Committed(pair.now, second))
    pair.past.clear()
    happens(pair)
    pair.feed(door.Committed(pair.now, second) if row == "under way" else door.Energised(pair.now))
    told = [one.slug for one in pair.past if isinstance(one, door.Prompt) and one.presentation == 8]
    assert told == [slug]
    withheld = [one.body["reason"] for one in pair.past if isinstance(one, door.Record) and one.presentation == 8]
    assert withheld == [slug]


@pytest.mark.parametrize("what", ["left", "journal fails", "journal hangs"])
def test_without_the_first_one_there_is_nothing_to_share(what: str) -> None:
    """A row that speaks of one opening never begins another: who was the second may ask again."""
    pair = Pair()
    first, second = pair.alice(life=1.0), pair.bob(life=1.5)
    pair.feed(door.Committed(pair.now, second))
    if what == "left":
        pair.see(8)
        pair.feed(door.Committed(pair.now, first))
        assert pair.slugs == ["person_left", "relay_busy"]
    elif what == "journal fails":
        pair.feed(door.RecordFailed(pair.now, first, "journal_unwritable"))
        assert pair.slugs == ["journal_unwritable", "journal_unwritable", "relay_busy"]
    else:
        pair.now += 1.2
        pair.see(7, 8)
        pair.wait(0.0)
        assert pair.slugs == ["verdict_expired", "relay_busy"]
    assert pair.state == "locked"
    pair.commit(second)
    assert pair.state == "locked"
    pair.commit(pair.bob())
    assert pair.ordered(door.Unlock)


def test_another_opening_is_not_the_one_that_was_asked_for() -> None:
    pair = Pair()
    first, second = pair.alice(), pair.bob()
    pair.see(8)
    pair.feed(door.Committed(pair.now, first))
    assert pair.slugs == ["person_left", "relay_busy"]
    pair.see(8, 9)
    pair.feed(door.Decided(pair.now, 9, Grant("cat", "for cat", 3.0, pair.now + 1.0)))
    pair.commit()
    assert pair.commit(second) == []


def test_a_schedule_that_holds_it_open_ends_what_is_shared() -> None:
    pair = Pair(open_during="day")
    pair.commit(pair.alice())
    second = pair.bob()
    pair.schedule(True)
    assert pair.row("held") == {"cause": "schedule"}
    assert pair.told(door.Committed(pair.now, pair.ticket)) == ["relay_busy"]
    assert pair.commit(second) == []


def test_what_cannot_be_recorded_is_not_shared() -> None:
    pair = Pair()
    pair.commit(pair.alice())
    second = pair.bob()
    assert pair.feed(door.RecordFailed(pair.now, second, "journal_unwritable")) == [
        door.Prompt(8, "journal_unwritable", "for bob"),
        door.Alarm("journal_unwritable"),
    ]
    assert pair.feed(door.Committed(pair.now, second)) == []
    assert pair.state == "unlocked"


def test_a_row_that_never_comes_keeps_nobody_waiting() -> None:
    pair = Pair()
    pair.commit(pair.alice(seconds=5.0))
    pair.bob()
    pair.now += 1.6
    pair.see(7, 8)
    pair.wait(0.0)
    assert pair.slugs == ["verdict_expired"]


def test_whoever_could_not_join_may_come_again() -> None:
    pair = Pair()
    pair.commit(pair.alice())
    second = pair.bob()
    pair.see(7)
    assert pair.told(door.Committed(pair.now, second)) == ["person_left"]
    second = pair.bob()
    pair.feed(door.RecordFailed(pair.now, second, "journal_unwritable"))
    assert pair.commit(pair.bob()) == [door.Prompt(8, "granted", "for bob")]


# Areas, and what else a grant brings.


def test_both_are_counted_when_the_door_opens() -> None:
    areas = Areas()
    pair = Pair(areas=areas, contact="sim:contact", area_to="hall")
    pair.commit(pair.alice())
    pair.commit(pair.bob())
    assert areas.inside() == {}
    pair.sense("contact", False)
    passed = [(one.presentation, one.body) for one in pair.orders if isinstance(one, door.Record) and one.kind == "passed"]
    assert passed == [(who, {"people": [person], "from": "", "to": "hall"}) for who, person in ((7, "alice"), (8, "bob"))]
    assert areas.inside() == {"alice": "hall", "bob": "hall"}


def test_without_a_contact_each_is_counted_when_they_are_told() -> None:
    areas = Areas()
    pair = Pair(areas=areas, area_to="hall")
    pair.commit(pair.alice())
    assert pair.row("passed")["people"] == ["alice"]
    pair.commit(pair.bob())
    assert pair.row("passed")["people"] == ["bob"]


def test_a_door_that_nobody_opens_let_nobody_in() -> None:
    areas = Areas()
    pair = Pair(areas=areas, contact="sim:contact", area_to="hall", occupancy_limit=2)
    pair.commit(pair.alice())
    pair.commit(pair.bob())
    pair.now += 3.0
    pair.lock()
    pair.wait(0.6)
    pair.sense("contact", False)
    assert areas.inside() == {}
    other = Pair("other", areas=areas, area_to="hall", occupancy_limit=2)
    other.commit(other.alice())
    assert other.commit(other.bob()) != []


@pytest.mark.parametrize("contact", ["", "sim:contact"])
@pytest.mark.parametrize("when", ["pending", "unlocked"])
def test_one_pulse_lets_in_no_more_than_there_is_room_for(contact: str, when: str) -> None:
    pair = Pair(contact=contact, area_to="hall", occupancy_limit=2)
    first = pair.alice()
    if when == "unlocked":
        pair.commit(first)
    second = pair.bob()
    pair.give(9, "cat")
    assert pair.slugs == ["area_full"]
    pair.commit(first)
    pair.commit(second)
    pair.give(9, "cat")
    assert pair.slugs == ["area_full"]


def test_where_there_is_room_for_one_two_do_not_come_through() -> None:
    pair = Pair(contact="sim:contact", area_to="hall", occupancy_limit=1)
    pair.commit(pair.alice())
    pair.bob()
    assert pair.slugs == ["area_full"]


def test_the_place_of_one_who_may_join_is_kept_and_given_back() -> None:
    areas = Areas()
    pair, other = (Pair(name, areas=areas, area_to="hall", contact="sim:c", occupancy_limit=2) for name in ("left", "right"))
    pair.commit(pair.alice())
    second = pair.bob()
    other.give(9, "cat")
    assert other.slugs == ["area_full"]
    pair.see(7)
    pair.commit(second)
    assert pair.slugs == ["person_left"]
    other.give(9, "cat")
    assert other.rows == ["granted"]


def test_nobody_enters_twice_beside_somebody_else() -> None:
    areas = Areas()
    areas.enter("bob", "hall", 0.0)
    pair = Pair(areas=areas, area_to="hall", anti_passback="hard")
    pair.commit(pair.alice())
    pair.bob()
    assert pair.slugs == ["passed_back"]


def test_soft_anti_passback_is_told_of_the_second_one_too() -> None:
    areas = Areas()
    areas.enter("bob", "hall", 0.0)
    pair = Pair(areas=areas, area_to="hall", anti_passback="soft")
    pair.commit(pair.alice())
    second = pair.bob()
    assert pair.row("granted")["passed_back"] is True
    pair.commit(second)
    assert pair.slugs == ["granted", "passed_back"]


def test_a_forced_second_one_gets_the_door_and_a_silent_alarm() -> None:
    pair = Pair()
    pair.commit(pair.alice())
    pair.bob(duress=True)
    assert pair.orders[0] == door.Alarm("duress", silent=True)
    assert pair.row("granted")["duress"] is True
    pair.commit()
    assert pair.orders == [door.Prompt(8, "granted", "for bob")]


def test_what_the_second_ones_rule_asks_for_happens_too() -> None:
    pair = Pair()
    pair.commit(pair.alice())
    pair.commit(pair.bob(prompt="mask_on", alarm="duress", notify=("desk",), checkout="canteen"))
    assert pair.orders == [
        door.Prompt(8, "granted", "for bob"),
        door.Prompt(8, "mask_on", "for bob", final=False),
        door.Alarm("duress"),
        door.Notify(("desk",), "granted", "bob"),
        door.StartCheckout("canteen", "bob"),
    ]
