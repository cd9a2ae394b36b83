"""Portals of which three share an interlock and all the areas, under every order of events.

The world (`life_stage`) keeps books of its own, and `life_ledger` holds every row, order and state of the portals against them.
Rules that are listed several times, and rules that are short stories, lead to where single events seldom get.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from kiosk.access import portal as door
from kiosk.access.portal import RELAY
from kiosk.domain import Credential, Deny, Factor, Grant
from tests.life_books import EXIT, INTERLOCKED, PATIENCE, SETTINGS, STEP, TTL, Relay
from tests.life_stage import World

PORTALS = st.sampled_from(sorted(SETTINGS))
PEOPLE = ("ann", "bob", "cat")
DISKS = [*((after, False) for after in (0.02, 0.02, 0.4, 1.0, 2.5, 6.0)), (0.02, True), (0.7, True)]
"""Seconds until a row is on disk, and whether it fails."""

RELAYS: st.SearchStrategy[Relay] = st.sampled_from(["good", "good", "slow", "slow", "deaf", "mute", "busy"])
FACTORS: tuple[tuple[Factor, ...], ...] = ((), (), ("pin",), ("second_person",), ("pin", "second_person"))
WANTS = ("grant", "schedule", "unlock_once", "hold_open", "exit", "fire")
MEANWHILE = (
    *("", "left", "other in view", "looks away", "late in view", "forced", "lost", "tampered", "lockdown", "fire", "twice"),
    *("fire next door", "sister asks", "journal fails", "button", "wrong PIN", "old words", "outlives"),
)
TOGETHER = ("", "left", "tampered", "lockdown", "close", "fire", "door opens", "relay lost", "journal fails")
SHOWN = st.lists(st.tuples(st.sampled_from(["ann", "ann", "bob", ""]), st.sampled_from([0.1, 8.0])), max_size=3)


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(arm=st.sampled_from([set(SETTINGS), set(SETTINGS), set(SETTINGS), {"outer"}, set()]))
    def begin(self, arm: set[str]) -> None:
        for name in sorted(arm):
            for part in ("contact", "tamper", "fire"):
                self.world.sense(name, part, True)
            self.world.arm(name)

    def give(self, name: str, presentation: int, person: str, life: float = TTL, **more: Any) -> list[door.Action]:
        grant = Grant(person, f"rule {self.world.new()}", expires_at=self.world.now + life, **{"unlock_seconds": 3.0} | more)
        return self.world.decide(name, presentation, grant)

    # Single events.

    @rule(seconds=st.sampled_from([0.02, 0.05, 0.2, 0.6, 1.0, 2.0, 7.0, 17.0, 32.0]))
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(name=PORTALS, present=st.lists(st.integers(1, 5), unique=True, max_size=3), stay=st.booleans())
    def look(self, name: str, present: list[int], stay: bool) -> None:
        self.world.see(name, *present)
        self.world.books[name].stays = stay

    @rule(
        name=PORTALS,
        presentation=st.integers(1, 5),
        person=st.sampled_from(PEOPLE),
        life=st.sampled_from([-0.5, 0.0, 0.5, TTL, TTL, TTL, TTL + 0.1]),
        seconds=st.sampled_from([0.5, 3.0, 20.0]),
        require=st.sampled_from(FACTORS),
        hold=st.sampled_from(["none", "none", "none", "open", "toggle"]),
        unlock=st.sampled_from([(), (), (RELAY,), ("locker",), (RELAY, "locker")]),
        duress=st.booleans(),
    )
    def grant(self, name, presentation, person, life, seconds, require, hold, unlock, duress) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        more = {"unlock_seconds": seconds, "require": require, "hold": hold, "unlock": unlock, "duress": duress}
        self.give(name, presentation, person, life, **more)

    @rule(name=PORTALS, presentation=st.integers(1, 5), reason=st.sampled_from(["not_recognised", "cloud_unreachable"]))
    def deny(self, name: str, presentation: int, reason: str) -> None:
        self.world.decide(name, presentation, Deny(reason, "default"))

    @rule(
        name=PORTALS, kind=st.sampled_from(["pin", "card"]), person=st.sampled_from([*PEOPLE, *PEOPLE, ""]), duress=st.booleans()
    )
    def show(self, name: str, kind: Any, person: str, duress: bool) -> None:
        self.world.show(name, Credential(kind, self.world.now, person, duress))

    @rule(name=PORTALS, disk=st.sampled_from(DISKS))
    def journal_becomes(self, name: str, disk: tuple[float, bool]) -> None:
        self.world.books[name].disk = disk

    @rule(name=PORTALS, relay=RELAYS, word_after=st.sampled_from([0.02, 0.02, 0.3]))
    def relay_becomes(self, name: str, relay: Relay, word_after: float) -> None:
        self.world.books[name].relay, self.world.books[name].word_after = relay, word_after

    @rule(name=PORTALS, ago=st.sampled_from([0.01, 0.1, 1.0]))
    def old_words(self, name: str, ago: float) -> None:
        """A release from before the last opening is heard again, and a row is confirmed again."""
        books = self.world.books[name]
        if books.armed and books.ordered > 0:
            self.world.feed(name, door.Released(books.ordered - ago))
        done = [ticket for ticket, row in books.rows.items() if row.state == "committed"]
        for ticket in done[-1:]:
            self.world.feed(name, door.Committed(self.world.now, ticket))

    @rule(name=PORTALS)
    def lose_the_relay(self, name: str) -> None:
        self.world.lose_the_relay(name)

    @rule(name=PORTALS)
    def let_go_by_itself(self, name: str) -> None:
        self.world.let_go_by_itself(name)

    @rule(name=PORTALS)
    def arm(self, name: str) -> None:
        self.world.arm(name)

    @rule(
        name=PORTALS,
        part=st.sampled_from(["contact", "contact", "request_to_exit", "tamper", "fire"]),
        active=st.sampled_from([True, True, False, None]),
    )
    def sense(self, name: str, part: door.Part, active: bool | None) -> None:
        self.world.sense(name, part, active)

    @rule(name=PORTALS, is_open=st.sampled_from([True, True, False, None]))
    def schedule(self, name: str, is_open: bool | None) -> None:
        self.world.schedule(name, is_open)

    @rule(name=PORTALS, command=st.sampled_from(door.COMMANDS))
    def order(self, name: str, command: door.Command) -> None:
        self.world.order(name, command)

    # Stories.

    @rule(name=PORTALS)
    def calm(self, name: str) -> None:
        """What is wrong is put right, so that things can happen again."""
        self.heal()
        self.world.pass_time(6.0)

    @rule(
        name=PORTALS,
        person=st.sampled_from(PEOPLE),
        hold=st.sampled_from(["none", "none", "open", "toggle"]),
        calm=st.sampled_from([True, True, True, False]),
        meanwhile=st.sampled_from(MEANWHILE),
        through=st.booleans(),
        seconds=st.sampled_from([0.5, 3.0, 20.0]),
    )
    def come(self, name: str, person: str, hold: str, calm: bool, meanwhile: str, through: bool, seconds: float = 3.0) -> None:
        """Somebody new with a good grant, mostly at a time when all is well; something happens before its row is on disk."""
        if calm:
            self.calm(name)
        books, mine = self.world.books[name], self.world.new()
        books.disk = {"late in view": (1.8, False), "looks away": (0.9, False), "journal fails": (0.02, True)}.get(
            meanwhile, books.disk
        )
        self.world.see(name, mine)
        books.stays = meanwhile in {"late in view", "twice"}
        self.give(name, mine, person, TTL + 0.1 * (meanwhile == "outlives"), hold=hold, unlock_seconds=seconds)
        self.happens(name, mine, meanwhile)
        self.world.pass_time(2.0 if meanwhile in {"late in view", "looks away"} else 0.05)
        books.disk = 0.02, False
        harmless = {"", "twice", "button", "wrong PIN", "sister asks", "old words"}
        harmless |= set() if books.settings.tamper else {"tampered"}
        harmless |= set() if books.settings.interlock else {"forced", "lost", "fire next door"}
        if calm and self.world.now >= books.locked_out_until:
            assert (mine in books.opened) == (meanwhile in harmless), meanwhile
        if through:
            self.world.sense(name, "contact", False)
            self.world.pass_time(1.0)
            self.world.sense(name, "contact", True)

    def happens(self, name: str, presentation: int, what: str) -> None:
        world = self.world
        other = next(one for one in SETTINGS if one != name)
        with_contact = next(one for one in SETTINGS if one != name and SETTINGS[one].contact)
        stories: dict[str, Callable[[], object]] = {
            "left": lambda: world.see(name),
            "other in view": lambda: world.see(name, world.new()),
            "forced": lambda: world.sense(with_contact, "contact", False),
            "lost": lambda: world.lose_the_relay(other),
            "tampered": lambda: world.sense(name, "tamper", None),
            "lockdown": lambda: world.order(name, "lockdown"),
            "fire": lambda: world.sense(name, "fire", False),
            "fire next door": lambda: world.sense(other, "fire", False),
            "sister asks": lambda: self.ask_too(other),
            "twice": lambda: self.ask_again(name, presentation),
            "button": lambda: world.sense(name, "request_to_exit", True),
            "old words": lambda: self.hear_old_words(name),
            "wrong PIN": lambda: world.show(name, Credential("pin", world.now, "")),
        }
        if what in stories:
            stories[what]()

    def hear_old_words(self, name: str) -> None:
        """Once the row is there."""
        self.world.pass_time(0.05)
        self.old_words(name, 0.01)

    def ask_too(self, name: str) -> None:
        presentation = self.world.new()
        self.world.see(name, presentation)
        self.give(name, presentation, "eve")

    def ask_again(self, name: str, presentation: int) -> None:
        """Before its row is there, while the door is open, and when it is locked again."""
        for after in (0.3, 4.0, 0.3):
            self.give(name, presentation, "ann")
            self.world.pass_time(after)

    def want(self, name: str, what: str) -> None:
        match what:
            case "grant":
                self.come(name, "ann", "none", calm=False, meanwhile="", through=False)
            case "schedule":
                self.world.schedule(name, is_open=True)
            case "exit":
                self.world.sense(name, "request_to_exit", True)
            case "fire":
                self.world.sense(name, "fire", False)
            case "unlock_once" | "hold_open":
                self.world.order(name, what)

    @rule(name=PORTALS, what=st.sampled_from(WANTS))
    def want_in_lockdown(self, name: str, what: str) -> None:
        """What was held before is not held again afterwards."""
        self.calm(name)
        self.world.order(name, "hold_open")
        self.world.pass_time(0.5)
        self.world.order(name, "lockdown")
        assert not self.world.books[name].energised
        self.world.pass_time(1.5)
        self.want(name, what)
        self.world.pass_time(1.0)
        assert (RELAY in self.world.books[name].energised) == (what in {"exit", "fire"})

    @rule(names=st.permutations(INTERLOCKED), what=st.sampled_from(WANTS))
    def want_while_the_sister_is_open(self, names: list[str], what: str) -> None:
        """The books say that nothing of it may be asked for, let alone happen; afterwards a schedule does."""
        name, sister, _ = names
        self.calm(name)
        self.come(sister, "dan", "open", calm=False, meanwhile="", through=False)
        self.world.pass_time(0.3)
        self.want(name, what)
        self.world.pass_time(1.0)
        self.world.order(sister, "close")
        self.world.pass_time(2.0)
        if what == "schedule" and SETTINGS[name].open_during and not SETTINGS[name].first_person_in:
            assert RELAY in self.world.books[name].energised

    @rule(name=PORTALS, disk=st.sampled_from(DISKS), busy=st.sampled_from(["", "", "held", "lockdown"]))
    def leave(self, name: str, disk: tuple[float, bool], busy: str) -> None:
        """The button opens within a second, whatever the journal does."""
        self.calm(name)
        books = self.world.books[name]
        books.disk = disk
        if busy == "lockdown":
            self.world.order(name, "lockdown")
        self.world.sense(name, "request_to_exit", True)
        self.world.pass_time(PATIENCE + STEP)
        assert RELAY in books.energised or not books.settings.request_to_exit
        self.world.sense(name, "request_to_exit", False)
        self.world.pass_time(EXIT + STEP)
        assert not books.energised

    @rule(
        name=PORTALS,
        disk=st.sampled_from(DISKS),
        command=st.sampled_from(["hold_open", "unlock_once", "release"]),
        times=st.sampled_from([1, 1, 3]),
        fire=st.sampled_from([False, False, True]),
    )
    def command_and_close(self, name: str, disk: tuple[float, bool], command: door.Command, times: int, fire: bool) -> None:
        self.calm(name)
        books = self.world.books[name]
        books.disk = disk
        for _ in range(times):
            self.world.order(name, command)
        if fire:
            self.world.sense(name, "fire", False)
            self.world.pass_time(1.0)
            assert RELAY in books.energised
            self.world.sense(name, "fire", True)
        self.world.pass_time(min(disk[0], 1.0) + 0.05)
        quick = disk[0] <= 1.0 and not disk[1]
        assert (RELAY in books.energised) == (quick or command == "release") or fire
        self.world.pass_time(2.0 if fire else 0.0)
        self.world.order(name, "end_release")
        self.world.order(name, "close")
        assert not books.energised

    @rule(
        name=PORTALS,
        shown=st.lists(st.tuples(st.sampled_from(["ann", "ann", "bob", ""]), st.sampled_from([0.1, 8.0])), max_size=3),
    )
    def come_with_a_pin(self, name: str, shown: list[tuple[str, float]]) -> None:
        """It opens at once where the right one was shown before, or when it comes, unless it comes too late; and only once."""
        self.calm(name)
        self.world.pass_time(16.0)  # what was shown before counts no longer
        world, books, mine = self.world, self.world.books[name], self.world.new()
        world.see(name, mine)
        books.stays = True
        self.give(name, mine, "ann", require=("pin",))
        begun, good = world.now, False
        for person, after in shown:
            world.pass_time(after)
            world.show(name, Credential("pin", world.now, person, duress=after > 1.0))
            good = good or (person == "ann" and world.now <= begun + 15.0 and world.now >= books.locked_out_until)
        world.pass_time(0.05)
        assert mine not in books.opened or good
        world.pass_time(6.0)
        world.see(name, again := world.new())
        self.give(name, again, "ann", require=("pin",))
        world.pass_time(0.05)
        assert not good or len(shown) > 1 or again not in books.opened
        world.pass_time(16.0)
        assert not {mine, again} & books.unanswered

    @rule(
        name=PORTALS,
        person=st.sampled_from(["ann", "bob", "dan"]),
        first=st.booleans(),
        patience=st.sampled_from([1.0, 10.0, 15.5]),
        lacks=st.sampled_from([(), (), ("pin",)]),
    )
    def two_come(self, name: str, person: str, first: bool, patience: float, lacks: tuple[Factor, ...]) -> None:
        """With a PIN and a second person, who may lack something too."""
        self.calm(name)
        self.world.pass_time(16.0)  # what was shown before counts no longer
        books, mine, other = self.world.books[name], self.world.new(), self.world.new()
        resting = self.world.now < books.locked_out_until
        self.world.see(name, mine, other)
        books.stays = True
        if first:
            self.world.show(name, Credential("pin", self.world.now, "eve"))
        self.give(
            name,
            mine,
            "dan" if person == "dan" else "eve",
            require=("second_person",) if person == "dan" else ("pin", "second_person"),
        )
        self.world.pass_time(patience)
        self.give(name, other, person, require=("second_person", *lacks))
        if not first:
            self.world.show(name, Credential("pin", self.world.now, "eve"))
        self.world.pass_time(0.05)
        both = patience < 15.0 and not lacks and person != "dan" and not (first and patience > 14.0)
        if not resting:
            assert ({mine, other} <= books.opened) == both
        self.world.pass_time(7.0)

    @rule(
        name=PORTALS,
        apart=st.sampled_from([0.0, 0.5]),
        disks=st.sampled_from([(0.02, 0.02), (0.02, 0.4), (0.4, 0.02)]),
        seconds=st.sampled_from([0.6, 3.0]),
        meanwhile=st.sampled_from(TOGETHER),
    )
    def come_together(self, name: str, apart: float, disks: tuple[float, float], seconds: float, meanwhile: str) -> None:
        """Two who are both granted come through on one pulse where that is meant, and the door is no longer open for it."""
        self.calm(name)
        world, books, mine, other = self.world, self.world.books[name], self.world.new(), self.world.new()
        resting = world.now < books.locked_out_until
        world.see(name, mine, other)
        books.stays, books.disk = True, (disks[0], False)
        self.give(name, mine, "ann", unlock_seconds=seconds)
        world.pass_time(apart)
        books.disk = disks[1], meanwhile == "journal fails"
        self.give(name, other, "bob", unlock_seconds=20.0)
        assert other not in books.opened, "the row comes first"
        self.parts(name, meanwhile)
        world.pass_time(0.9)
        crowd = books.settings.strategy == "crowd" and not books.settings.interlock
        begun, joined = disks[0], max(disks[0], apart + disks[1])
        lasts = begun + seconds - joined > min(1.0, seconds / 2) and begun + seconds - apart > min(1.0, seconds / 2)
        unfitted = () if books.settings.tamper else ("tampered",)
        harmless = {"", *unfitted, *(() if books.settings.contact else ("door opens",))}
        if not resting:
            assert (other in books.opened) == (crowd and lasts and meanwhile in harmless), meanwhile
        world.pass_time(disks[0] + seconds)
        assert not books.energised or meanwhile == "fire"
        self.calm(name)

    def parts(self, name: str, what: str) -> None:
        """What keeps the second one from joining the first."""
        match what:
            case "left":
                self.world.see(name)
            case "lockdown" | "close":
                self.world.order(name, what)
            case "tampered":
                self.world.sense(name, "tamper", None)
            case "fire":
                self.world.sense(name, "fire", False)
            case "door opens":
                self.world.sense(name, "contact", False)
            case "relay lost":
                self.world.lose_the_relay(name)

    @rule(name=PORTALS, count=st.integers(3, 6), apart=st.sampled_from([0.5, 15.0, 31.0]), same=st.booleans())
    def strangers(self, name: str, count: int, apart: float, same: bool) -> None:
        presentation = self.world.new()
        for _ in range(count):
            self.deny(name, presentation if same else self.world.new(), "not_recognised")
            self.world.pass_time(apart)
        self.come(name, "ann", "none", calm=True, meanwhile="", through=False)

    @rule(name=PORTALS, again=st.booleans())
    def all_is_well_again(self, name: str, again: bool) -> None:
        """After whatever happened: locked when everything is healthy and time has passed, and it grants again."""
        self.heal()
        self.world.pass_time(32.0)
        for other, books in self.world.books.items():
            portal = self.world.portals[other]
            assert (portal.state, portal.mode) == ("locked", "normal"), other
            assert not books.energised
            assert not books.unanswered, "every decision is answered"
            assert not books.commands, "every command is answered"
            assert not portal.timed
        if again:
            self.come(name, "dan", "none", calm=True, meanwhile="", through=False)
            self.world.pass_time(4.0)
            assert self.world.portals[name].state == "locked"

    def heal(self) -> None:
        for books in self.world.books.values():
            books.disk, books.relay, books.word_after, books.stays = (0.02, False), "good", 0.02, False
        # A portal that waits for a word which never came finds out by itself.
        self.world.pass_time(4.0 if any(books.unconfirmed for books in self.world.books.values()) else 1.0)
        for name in SETTINGS:
            self.world.arm(name)
            for part in ("contact", "tamper", "fire"):
                self.world.sense(name, part, True)
            self.world.sense(name, "request_to_exit", False)
            self.world.schedule(name, is_open=False)
            for command in ("end_lockdown", "end_release", "close", "clear_area"):
                self.world.order(name, command)


def alone() -> Life:
    life = Life()
    life.begin(set(SETTINGS))
    return life


# Every story by itself, whatever the chance that mixes them leaves out.


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_come(meanwhile: str) -> None:
    for name, hold, seconds in product(SETTINGS, ("none", "open", "toggle"), (3.0, 20.0)):
        life = alone()
        life.come(name, "ann", hold, calm=True, meanwhile=meanwhile, through=True, seconds=seconds)
        life.all_is_well_again(name, again=True)


@pytest.mark.parametrize("name", INTERLOCKED)
def test_what_was_never_armed_is_not_known_to_be_shut(name: str) -> None:
    life = Life()
    life.begin({name})
    life.come(name, "ann", "none", calm=False, meanwhile="", through=False)
    assert not life.world.books[name].opened


@pytest.mark.parametrize("what", WANTS)
def test_want_while_the_sister_is_open(what: str) -> None:
    for name in SETTINGS:
        alone().want_in_lockdown(name, what)
    for names in permutations(INTERLOCKED):
        life = alone()
        life.want_while_the_sister_is_open(list(names), what)
        life.all_is_well_again(names[0], again=True)


@pytest.mark.parametrize("disk", DISKS)
def test_commands_and_the_button(disk: tuple[float, bool]) -> None:
    for name, command, times, fire in product(SETTINGS, ("hold_open", "unlock_once", "release"), (1, 3), (False, True)):
        life = alone()
        life.command_and_close(name, disk, command, times, fire)
        life.leave(name, disk, "lockdown" if fire else "")
        life.all_is_well_again(name, again=False)


@pytest.mark.parametrize("name", SETTINGS)
def test_factors(name: str) -> None:
    for length in range(4):
        for shown in product(product(("ann", "bob", ""), (0.1, 8.0)), repeat=length):
            alone().come_with_a_pin(name, list(shown))
    for person, first, patience, lacks in product(("ann", "dan"), (True, False), (1.0, 10.0, 15.5), ((), ("pin",))):
        alone().two_come(name, person, first, patience, lacks)


@pytest.mark.parametrize("meanwhile", TOGETHER)
def test_come_together(meanwhile: str) -> None:
    disks = ((0.02, 0.02), (0.02, 0.4), (0.4, 0.02))
    for name, apart, disk, seconds in product(SETTINGS, (0.0, 0.5), disks, (0.6, 3.0)):
        life = alone()
        life.come_together(name, apart, disk, seconds, meanwhile)
        life.all_is_well_again(name, again=True)


@pytest.mark.parametrize("apart", [0.5, 15.0, 31.0])
def test_strangers(apart: float) -> None:
    for name, count, same in product(SETTINGS, (3, 4, 6), (True, False)):
        alone().strangers(name, count, apart, same)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
