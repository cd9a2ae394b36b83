"""Portals that share an interlock and the areas, in a world where journals and relays are slow, fail and say things twice.

Its books are kept from what happens and from what is ordered, never from the portals' own memory.
"""

from __future__ import annotations

from kiosk.access import portal as door
from kiosk.access.areas import Areas
from kiosk.access.interlock import Interlock
from kiosk.access.portal import RELAY, Portal
from kiosk.domain import Credential, Decision, Deny, Grant
from tests.life_books import EXIT, INTERLOCKED, LATEST, PATIENCE, SETTINGS, STEP, Books, Given, Row
from tests.life_ledger import Ledger


class World(Ledger):
    """Moves time; in it, portals get ticks while they want them, rows reach the disk, relays let go and say so."""

    def __init__(self) -> None:
        super().__init__()
        self.newest = 100
        self.areas, trap = Areas(), Interlock()
        interlocks = {name: trap if name in INTERLOCKED else Interlock() for name in SETTINGS}
        self.portals = {name: Portal(name, its, interlocks[name], self.areas) for name, its in SETTINGS.items()}

    def new(self) -> int:
        """A number that nothing has had: a presentation, a command, a rule."""
        self.newest += 1
        return self.newest

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            dues = [at for books in self.books.values() for at, _ in books.coming]
            dues += [books.until for books in self.books.values() if books.energised]
            wanted = any(self.portals[name].timed or books.stays for name, books in self.books.items())
            self.now = min([end, self.now + STEP if wanted else end, *(due for due in dues if due > self.now)])
            for name in SETTINGS:
                self.come_round(name)
            for name in SETTINGS:
                self.check_in_time(name, self.portals[name].state)

    def come_round(self, name: str) -> None:
        books = self.books[name]
        if books.stays:
            self.see(name, *books.seen[1])
        if books.energised and self.now >= books.until:
            self.lets_go(books, books.until)
        due = sorted((one for one in books.coming if one[0] <= self.now), key=lambda one: one[0])
        books.coming = [one for one in books.coming if one[0] > self.now]
        for _, event in due:
            self.feed(name, event)
        if self.portals[name].timed:
            self.feed(name, door.Tick(self.now))

    # What happens.

    def see(self, name: str, *presentations: int) -> None:
        self.books[name].seen = self.now, presentations
        assert self.portals[name].step(door.Present(self.now, presentations)) == []

    def decide(self, name: str, presentation: int, decision: Decision) -> list[door.Action]:
        if isinstance(decision, Grant):
            self.books[name].given[decision.rule] = Given(self.now, presentation, decision)
            self.books[name].unanswered.add(presentation)
        actions = self.feed(name, door.Decided(self.now, presentation, decision))
        silent = door.Alarm("duress", silent=True)
        assert (silent in actions) == (isinstance(decision, Grant) and decision.duress)
        if isinstance(decision, Deny):
            assert any(isinstance(action, door.Record) and action.kind == "denied" for action in actions)
        return actions

    def show(self, name: str, credential: Credential) -> None:
        self.books[name].shown.append(credential)
        actions = self.feed(name, door.Presented(self.now, credential))
        assert (door.Alarm("duress", silent=True) in actions) == credential.duress

    def order(self, name: str, command: door.Command) -> list[door.Action]:
        number = self.new()
        self.books[name].commands[number] = command
        return self.feed(name, door.Commanded(self.now, command, "world", number))

    def schedule(self, name: str, is_open: bool | None) -> None:
        books = self.books[name]
        if not books.settings.open_during:
            return
        lost = is_open is None and books.scheduled is not None
        books.scheduled = is_open
        if not is_open:
            books.somebody_came = books.closed_early = False
        actions = self.feed(name, door.Scheduled(self.now, is_open))
        assert (door.Alarm("time_untrusted") in actions) == lost

    def sense(self, name: str, part: door.Part, active: bool | None) -> None:
        books = self.books[name]
        if not getattr(books.settings, part):
            return
        told = {"input_lost"} if active is None and books.inputs.get(part, True) is not None else set()
        before, books.inputs[part] = books.inputs.get(part), active
        lets_through, passing = self.now <= books.lets_through_until, False
        match part:
            case "contact":
                passing = bool(active is False and before and books.passing and lets_through)
                told |= {"door_forced"} if self.opens(books, before, active) else set()
            case "request_to_exit":
                books.asked_out = self.now if active and not before else books.asked_out
                books.leaving_until = self.now + EXIT if active or before else books.leaving_until
            case "tamper":
                told |= {"tampered"} if not active and before else set()
            case "fire":
                told |= {"fire_release"} if not active and before else set()
                books.released_since = self.now
        actions = self.feed(name, door.Sensed(self.now, part, active))
        alarms = {action.slug for action in actions if isinstance(action, door.Alarm)}
        assert alarms >= told
        assert "door_forced" not in alarms or not lets_through
        assert not passing or (self.passed(actions) and not books.passing)

    def opens(self, books: Books, before: bool | None, closed: bool | None) -> bool:
        """Whether the door is open now, and nothing can have let anybody through."""
        if closed is not False:
            books.open_since = None
            return False
        if before is not False:
            books.open_since, books.told_of_open = self.now, False
        # How soon a portal knows that its lock is safe again depends on the relay's word.
        may_open = self.now <= max(books.lets_through_until + 2 * LATEST, books.leaving_until)
        return bool(before) and not may_open and not books.inputs.get("request_to_exit")

    def arm(self, name: str) -> None:
        books = self.books[name]
        if not books.armed:
            books.armed, books.released_since = True, self.now
            self.feed(name, door.Armed(self.now))

    def lose_the_relay(self, name: str) -> None:
        self.lets_go(self.books[name], self.now)
        self.feed(name, door.RelayFailed(self.now, "relay_lost"))

    def let_go_by_itself(self, name: str) -> None:
        """A keeper whose lease ran out."""
        books = self.books[name]
        if books.energised:
            books.flapped = self.now
            self.lets_go(books, self.now)

    def release(self, books: Books) -> None:
        books.owed = min(books.owed, self.now)
        if books.energised:
            self.lets_go(books, self.now)

    def lets_go(self, books: Books, at: float) -> None:
        if RELAY in books.energised:
            books.lets_through_until = at + PATIENCE
        books.energised, books.until = set(), float("-inf")
        if books.relay != "mute":
            books.coming.append((self.now + books.word_after, door.Released(at)))

    # What is ordered.

    def feed(self, name: str, event: door.Event) -> list[door.Action]:
        books = self.books[name]
        match event:
            case door.Committed(ticket=ticket):
                books.rows[ticket].state = "committed"
            case door.RecordFailed(ticket=ticket):
                books.rows[ticket].state = "failed"
            case door.Energised():
                books.unconfirmed = False
        actions = self.portals[name].step(event)
        resting = False
        for action in actions:
            self.carry_out(name, event, action)
            if isinstance(action, door.Record) and action.kind == "denied":
                resting = self.locks_out(books, action)
        assert (door.Alarm("locked_out") in actions) == resting
        self.let_through(books, event, actions)
        if self.portals[name].state == "disarmed":
            books.armed = books.unconfirmed = False
            books.energised.clear()
            books.coming = [one for one in books.coming if isinstance(one[1], door.Committed | door.RecordFailed)]
        self.check_state(name, self.portals[name].state, self.portals[name].mode)
        assert self.areas.inside() == self.inside
        return actions

    def carry_out(self, name: str, event: door.Event, action: door.Action) -> None:
        books = self.books[name]
        match action:
            case door.Record():
                self.write(name, event, action)
                if action.ticket:
                    self.to_disk(books, action.ticket)
            case door.Unlock(seconds=seconds, outputs=outputs):
                row = self.row_of(books, event)
                self.check_pulse(name, row, action)
                self.move(name, row, set(outputs or (RELAY,)), seconds)
            case door.Hold(outputs=outputs):
                row = self.row_of(books, event)
                self.check_hold(name, row, set(outputs or (RELAY,)))
                self.move(name, row, set(outputs or (RELAY,)), float("inf"))
            case door.Release():
                self.release(books)
            case door.Prompt(final=True):
                self.answer(name, event, action)
            case door.Answer():
                self.answer_command(books, action)
            case door.Alarm(slug=slug):
                books.told_of_open = books.told_of_open or slug in {"door_open_too_long", "door_forced"}

    def to_disk(self, books: Books, ticket: int) -> None:
        after, fails = books.disk
        at = self.now + after
        failed = door.RecordFailed(at, ticket, "journal_unwritable")
        books.coming.append((at, failed if fails else door.Committed(at, ticket)))

    def move(self, name: str, row: Row, outputs: set[str], seconds: float) -> None:
        books = self.books[name]
        row.moved = True
        if row.record.kind == "granted" and seconds == float("inf"):
            books.held = outputs
        books.energised |= outputs
        books.until = books.owed = self.now + seconds
        books.ordered, books.unconfirmed, books.passing = self.now, True, []
        if RELAY in books.energised:
            books.lets_through_until = float("inf")
        match books.relay:
            case "busy":
                self.lets_go(books, self.now)
                self.feed(name, door.RelayFailed(self.now, "relay_busy"))
            case "slow":
                books.coming.append((self.now + 0.3, door.Energised(self.now)))
            case "good" | "mute":
                self.feed(name, door.Energised(self.now))
            case "deaf":
                pass

    def let_through(self, books: Books, event: door.Event, actions: list[door.Action]) -> None:
        """The relay's word makes a grant true: people are told, and expected at the door or behind it."""
        prompts = [one for one in actions if isinstance(one, door.Prompt) and one.slug == "granted"]
        grants = [books.given[prompt.rule].grant for prompt in prompts]
        if not grants or self.toggled_shut(event, grants[0]):
            return
        books.somebody_came = bool(books.scheduled)
        if RELAY in (grants[0].unlock or (RELAY,)) and not books.settings.contact and books.counts:
            assert self.passed(actions)
            assert not books.passing

    @staticmethod
    def toggled_shut(event: door.Event, grant: Grant) -> bool:
        return isinstance(event, door.Committed) and grant.hold == "toggle"

    def answer_command(self, books: Books, answer: door.Answer) -> None:
        assert answer.number in books.commands, "a command is answered once"
        command = books.commands.pop(answer.number)
        # Nobody is told that it failed and then finds the door open.
        if command == "hold_open" and answer.number in books.obeyed and answer.slug != "command_done":
            books.held = set()

    def answer(self, name: str, event: door.Event, prompt: door.Prompt) -> None:
        books = self.books[name]
        if isinstance(event, door.Decided) and isinstance(event.decision, Deny):
            return
        assert prompt.presentation in books.unanswered, "a decision is answered once"
        books.unanswered.discard(prompt.presentation)
        if prompt.slug != "granted":
            return
        assert prompt.presentation not in books.opened, "a grant opens once"
        grant = books.given[prompt.rule].grant
        rows = [row for row in books.rows.values() if row.record.body.get("rule") == prompt.rule]
        shared = [row for row in rows if "shared" in row.record.body]
        for row in shared:
            self.join(name, row)
        assert shared or isinstance(event, door.Energised) or self.toggled_shut(event, grant)
        books.opened.add(prompt.presentation)
        if self.toggled_shut(event, grant):
            books.held, books.closed_early = set(), bool(books.scheduled)
        elif RELAY in (grant.unlock or (RELAY,)):
            books.passing.append(grant.person)

    def join(self, name: str, row: Row) -> None:
        """Their row is on disk, and the opening that they share has begun and is as good as when they asked."""
        assert row.state == "committed"
        assert self.books[name].host_of(row).moved
        assert not self.books[name].unconfirmed
        self.check_cause(name, row, asked=False)

    @staticmethod
    def passed(actions: list[door.Action]) -> bool:
        return any(isinstance(action, door.Record) and action.kind == "passed" for action in actions)
