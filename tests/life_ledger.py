"""What must hold of every row, order and state of portals, as their books tell."""

from __future__ import annotations

from kiosk.access import portal as door
from kiosk.access.portal import RELAY
from tests.life_books import (
    AGAIN_AFTER,
    COMMAND_WITHIN,
    CONFIRM_WITHIN,
    COUNTED,
    EXIT,
    FAILURES,
    INTERLOCKED,
    LATEST,
    LOCKED_OUT,
    LONGEST,
    PATIENCE,
    PRESENCE,
    RELEASING,
    SETTINGS,
    STEP,
    TTL,
    WITHIN,
    Books,
    Given,
    Row,
)


class Ledger:
    """`inside`: who is in which area."""

    def __init__(self) -> None:
        self.now = 100.0
        self.books = {name: Books(its) for name, its in SETTINGS.items()}
        self.inside: dict[str, str] = {}

    def others_shut(self, name: str) -> bool:
        """Of those that share its interlock."""
        return all(self.books[other].shut for other in self.sisters(name))

    @staticmethod
    def sisters(name: str) -> list[str]:
        return [other for other in INTERLOCKED if other != name] if name in INTERLOCKED else []

    # Rows.

    def write(self, name: str, event: door.Event, record: door.Record) -> None:
        books = self.books[name]
        if record.ticket:
            assert record.ticket not in books.rows, "a ticket is one row's"
            books.rows[record.ticket] = row = Row(record, self.now)
            self.check_cause(name, row, asked=True)
        match record.kind:
            case "commanded" if isinstance(event, door.Commanded):
                books.obeyed.add(event.number)
                self.obey(books, event.command)
            case "command_refused" if isinstance(event, door.Commanded):
                assert event.command in {"hold_open", "unlock_once", "close"}
            case "passed":
                self.pass_through(books, record)
            case "disarmed":
                books.held = set()

    def obey(self, books: Books, command: door.Command) -> None:
        match command:
            case "lockdown":
                books.lockdown, books.held = True, set()
            case "end_lockdown":
                books.lockdown = False
            case "release":
                books.released_since = books.released_since if books.emergency else self.now
                books.emergency = True
            case "end_release":
                books.emergency = False
            case "hold_open":
                assert not books.lockdown
                assert not books.released
                books.held = {RELAY}
            case "close":
                books.held, books.closed_early = set(), bool(books.scheduled)
            case "clear_area":
                self.inside = {who: area for who, area in self.inside.items() if area != books.settings.area_to}
            case "unlock_once":
                pass

    def pass_through(self, books: Books, record: door.Record) -> None:
        assert self.now <= books.lets_through_until + 2 * LATEST
        people = record.body["people"]
        assert isinstance(people, list)
        for who in people:
            assert who in books.passing, "only who was let through passes, and once"
            books.passing.remove(who)
            self.inside.pop(who, None)
            if books.settings.area_to:
                self.inside[who] = books.settings.area_to

    def locks_out(self, books: Books, record: door.Record) -> bool:
        """Whether this refusal begins a rest."""
        if record.body["reason"] not in COUNTED or self.now < books.locked_out_until:
            return False
        books.failures = {who: at for who, at in books.failures.items() if self.now - at < 60.0}
        books.failures[record.presentation or ("credential", self.now)] = self.now
        if len(books.failures) < FAILURES:
            return False
        books.failures.clear()
        books.locked_out_until = self.now + LOCKED_OUT
        return True

    # Causes: looked at when their row is asked for, and again when the lock moves.

    def check_cause(self, name: str, row: Row, *, asked: bool) -> None:
        books, body = self.books[name], row.record.body
        assert books.armed
        cause = body.get("cause")
        if cause in RELEASING:
            assert books.causes[str(cause)]
            return
        assert self.others_shut(name), "the interlock"
        assert not asked or not any(self.books[other].asking for other in self.sisters(name)), "the interlock"
        if row.record.kind == "exit":
            assert self.now <= (books.asked_out + EXIT if asked else row.at + PATIENCE + STEP)
            return
        assert not books.lockdown
        assert not books.released
        match row.record.kind:
            case "granted":
                self.check_grant(name, row, asked=asked)
            case "held":
                assert cause in {"command", "schedule"}
                assert books.causes[str(cause)]
            case "commanded":
                assert not books.energised
                assert self.now <= row.at + COMMAND_WITHIN
            case other:
                raise AssertionError(other)

    def check_grant(self, name: str, row: Row, *, asked: bool) -> None:
        books, body = self.books[name], row.record.body
        given = books.given[str(body["rule"])]
        assert given.presentation == row.record.presentation
        assert given.presentation not in books.opened, "a grant opens once"
        assert books.inputs.get("tamper", True), "nobody is let in by an open case"
        assert self.now >= books.locked_out_until
        at, present = books.seen
        assert given.presentation in present
        assert self.now - at <= PRESENCE
        expires = given.grant.expires_at
        assert given.at <= expires <= given.at + TTL
        assert self.now <= (expires if row.at == given.at else row.at + TTL)
        if "shared" in body:
            self.check_shared(books, row, given)
        if not asked:
            return
        assert not books.energised or given.grant.hold == "toggle" or "shared" in body
        people = [given.grant.person, *([str(body["with"])] if "with" in body else [])]
        assert len(set(people)) == len(people), "the second person is another"
        self.check_factors(books, given, people)
        # Whoever completes it with a PIN has just shown it.
        completed = row.at > given.at and given.grant.require == ("pin",)
        assert ("duress" in body) or not (given.grant.duress or (completed and books.shown[-1].duress))
        if RELAY in (given.grant.unlock or (RELAY,)):
            self.check_areas(books, people, books.expected() if "shared" in body else set())

    def check_shared(self, books: Books, row: Row, given: Given) -> None:
        """Somebody else's opening is under way, of a kind that may be shared, and its door has not opened yet."""
        host = books.host_of(row)
        other = books.given[str(host.record.body["rule"])]
        assert (books.settings.strategy, books.settings.interlock) == ("crowd", "")
        assert other.presentation != given.presentation
        assert other.grant.person != given.grant.person
        assert {"with", "hold"}.isdisjoint(host.record.body), "a company of two, or held"
        assert (given.grant.hold, given.grant.require, other.grant.require) == ("none", (), ())
        outputs = set(given.grant.unlock or (RELAY,))
        assert outputs == set(other.grant.unlock or (RELAY,))
        assert not books.settings.contact or books.inputs.get("contact") is True
        if host.moved:
            # Nobody knows of a relay that lets go by itself before it says so.
            assert books.flapped >= books.ordered or (books.energised == outputs and self.now < books.until < float("inf"))
        else:
            assert host.state == "waiting"
            assert other.presentation in books.unanswered

    def check_factors(self, books: Books, given: Given, people: list[str]) -> None:
        """What each of them had to show came from them, in time, and served nothing else before."""
        assert self.now <= given.at + WITHIN
        parties = [given]
        for company in people[1:]:
            good = [one for one in books.given.values() if one.grant.person == company and one.at >= self.now - WITHIN]
            good = [one for one in good if one.presentation not in books.opened and one.presentation != given.presentation]
            assert good, "company was granted too"
            parties.append(max(good, key=lambda one: one.at))
        assert len(parties) == 2 or "second_person" not in given.grant.require
        for factor in set(given.grant.require) - {"second_person"}:
            shown = books.shown[books.spent.get(given.grant.person, 0) :]
            fresh = [one for one in shown if one.person == given.grant.person and one.at >= given.at - WITHIN]
            assert any(one.kind == factor for one in fresh), factor
        for person in people:
            books.spent[person] = len(books.shown)

    def check_areas(self, books: Books, people: list[str], beside: set[str]) -> None:
        its = books.settings
        if its.anti_passback == "hard":
            assert all(self.inside.get(who, its.area_from) == its.area_from for who in people)
        if its.occupancy_limit is not None:
            there = {who for who, area in self.inside.items() if area == its.area_to}
            assert len(there | set(people) | beside) <= its.occupancy_limit

    # Orders.

    def row_of(self, books: Books, event: door.Event) -> Row:
        """The row on which an order rests: on disk, or one that people inside need not wait for."""
        match event:
            case door.Committed(ticket=ticket):
                row = books.rows[ticket]
            case door.RecordFailed(ticket=ticket):
                row = books.rows[ticket]
                assert self.egress(row)
            case _:
                row = max(books.rows.values(), key=lambda one: one.record.ticket)
                assert self.egress(row)
                assert row.state == "waiting"
                assert self.now >= row.at + PATIENCE
        assert not row.moved, "a row moves the lock once"
        return row

    @staticmethod
    def egress(row: Row) -> bool:
        return row.record.kind == "exit" or row.record.body.get("cause") in RELEASING

    def check_pulse(self, name: str, row: Row, action: door.Unlock) -> None:
        self.check_cause(name, row, asked=False)
        books = self.books[name]
        assert not books.energised, "a busy relay refuses"
        assert not books.released, "held open, not pulsed"
        assert row.record.kind in {"granted", "exit", "commanded"}
        assert "shared" not in row.record.body, "who shares an opening begins none"
        if row.record.kind != "granted":
            assert (action.seconds, action.presentation, action.outputs) == (min(EXIT, LONGEST), None, ())
            return
        grant = books.given[str(row.record.body["rule"])].grant
        assert grant.hold == "none"
        assert action.seconds == row.record.body["seconds"] == min(grant.unlock_seconds, LONGEST)
        assert (action.presentation, action.outputs) == (row.record.presentation, grant.unlock)

    def check_hold(self, name: str, row: Row, outputs: set[str]) -> None:
        self.check_cause(name, row, asked=False)
        books = self.books[name]
        if row.record.kind == "granted":
            grant = books.given[str(row.record.body["rule"])].grant
            assert grant.hold != "none"
            assert outputs == set(grant.unlock or (RELAY,))
            return
        assert row.record.kind == "held"
        assert outputs <= books.causes[str(row.record.body["cause"])]

    # States.

    def check_state(self, name: str, state: str, mode: str) -> None:
        books = self.books[name]
        held = books.energised if books.until == float("inf") else set()
        assert held <= set().union(*books.causes.values()), "nothing is held without a live cause"
        assert not books.energised or state in {"unlocked", "held"}, "what may be open is not taken for shut"
        assert not (books.lockdown or books.released) or mode == books.mode
        assert mode != "held_open" or books.held or books.by_schedule
        if state == "unlocked":
            assert self.now <= books.owed + LATEST, "a relay that owes its word is told"
        if state in {"unlocked", "held"} and books.unconfirmed:
            assert self.now <= books.ordered + CONFIRM_WITHIN + LATEST

    def check_in_time(self, name: str, state: str) -> None:
        """What has to have happened by now, of one that was given its ticks."""
        books = self.books[name]
        if books.energised:
            assert self.now <= books.until
        since = max(books.released_since, books.flapped + AGAIN_AFTER + books.word_after + 2 * STEP)
        if books.released and books.armed and books.relay != "mute" and self.now > since + LATEST:
            assert RELAY in books.energised, "fire and emergency hold it open"
        if books.open_since is not None and state not in {"unlocked", "held"}:
            late = self.now > books.open_since + books.settings.held_open_after + LATEST
            assert books.told_of_open or not late, "a door that is open for too long is told"
