"""From a row on disk to a lock that moved, and back. Pure; one thread."""

from __future__ import annotations

from kiosk.access.admission import Opening
from kiosk.access.bolt import Cause
from kiosk.access.core import Core, effects
from kiosk.access.events import (
    RELAY,
    Action,
    Alarm,
    Answer,
    Committed,
    Prompt,
    Record,
    RecordFailed,
    Release,
    Sensed,
    StartCheckout,
)
from kiosk.access.modes import Reason
from kiosk.domain import Slug

EGRESS_PATIENCE = 0.5
"""Seconds after which people get out although the row of it is not on disk yet."""

COMMAND_WITHIN = 5.0
"""Seconds after which a command is too old to unlock anything."""

ENOUGH = 1.0
"""Seconds that a pulse must have left for a request to exit to need none of its own."""

AGAIN_AFTER = 1.0
"""Seconds before the portal is held open anew, where that failed or ended by itself."""


class Lock:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._bolt = core.bolt
        self._commands: list[int] = []
        self._not_before = float("-inf")
        self._flapped = float("-inf")

    def armed(self) -> list[Action]:
        if self._bolt.state != "disarmed":
            return []
        self._bolt.state = "safe"
        return [Record("armed", None, {})]

    def committed(self, event: Committed) -> list[Action]:
        cause = self._core.pending
        if cause is None or cause.ticket != event.ticket:
            return []
        self._core.pending = None
        slug = self._stale(event.at, cause)
        return self._abandon(event.at, cause, slug) if slug else self._move(event.at, cause)

    def record_failed(self, event: RecordFailed) -> list[Action]:
        cause = self._core.pending
        if cause is None or cause.ticket != event.ticket:
            return []
        self._core.pending = None
        alarm = Alarm(event.slug)
        if cause.egress and not self._stale(event.at, cause):
            return [alarm, *self._move(event.at, cause)]
        return [*self._abandon(event.at, cause, event.slug, recorded=False), alarm]

    def energised(self, at: float) -> list[Action]:
        """What the relay confirmed has happened."""
        cause = self._bolt.energised(at)
        if cause is None:
            return []
        actions: list[Action] = [Answer(cause.number, "command_done")] if cause.number else []
        return actions + self.let_in(at, cause.opening) if cause.opening else actions

    def let_in(self, at: float, opening: Opening) -> list[Action]:
        """The lock has moved: now people are told, and what the rule asked for is done."""
        core, actions = self._core, list[Action]()
        core.modes.somebody_came()
        if RELAY in opening.outputs:
            core.passing.append(opening)
        for one, grant, _ in opening.parties:
            actions.append(Prompt(one, "granted", grant.rule))
            if grant.prompt:
                actions.append(Prompt(one, grant.prompt, grant.rule, final=False))
            actions += effects(grant, "granted", grant.person)
            if grant.checkout:
                actions.append(StartCheckout(grant.checkout, grant.person))
        if core.admission.passed_back(at, opening):
            actions.append(Alarm("passed_back"))
        return actions if core.inputs.doorway.has_contact else actions + self._pass(at)

    def released(self, at: float) -> list[Action]:
        held, ordered = self._bolt.state == "hold", self._bolt.ordered
        if not self._bolt.released(at):
            return []
        if held:
            self._flapped = at
        lost = self._core.give_up(at, ordered, "relay_lost") if ordered else []
        return [*lost, Record("locked", None, {})]

    def failed(self, at: float, slug: Slug) -> list[Action]:
        if self._bolt.state == "disarmed":
            return []
        core, actions = self._core, []
        pending, core.pending = core.pending, None
        for cause in (pending, self._bolt.failed(at)):
            if cause:
                actions += core.give_up(at, cause, slug)
        actions += core.leave_out(at, slug)
        core.modes.held = ()
        return [*actions, Alarm(slug), Record("disarmed", None, {"reason": slug})]

    def sensed(self, event: Sensed) -> list[Action]:
        """A door that opens is what an unlocked one was for."""
        before = self._core.inputs.doorway.shut
        actions = self._core.inputs.sensed(event)
        if event.part != "contact" or event.active is not False or not before:
            return actions
        actions += self._pass(event.at)
        if self._core.settings.relock_on_open and self._bolt.state == "pulse" and RELAY in self._bolt.moved:
            actions.append(self._bolt.let_go(event.at))
        return actions

    def tick(self, at: float) -> list[Action]:
        core, actions = self._core, []
        if self._bolt.overdue(at):
            actions += [Release(), *self.failed(at, "relay_lost")]
        if core.passing and not self._bolt.moving and not self._bolt.just_locked(at):
            core.passing = []
        cause = core.pending
        if cause and not cause.egress and (slug := self._stale(at, cause)):
            core.pending = None
            actions += self._abandon(at, cause, slug)
        return actions

    def pursue(self, at: float) -> list[Action]:
        """Brings the lock to where fire, commands and schedule want it."""
        if self._bolt.state == "disarmed":
            return []
        late = self._core.pending
        if late and late.egress and at >= late.since + EGRESS_PATIENCE:
            self._core.pending = None
            slug = self._stale(at, late)
            return self._abandon(at, late, slug) if slug else [Alarm("journal_unwritable"), *self._move(at, late)]
        wanted = self._core.modes.wanted
        if wanted is not None:
            return self._hold(at, *wanted)
        actions = self._answer("portal_closed")
        if self._bolt.state == "hold":
            return [*actions, self._bolt.let_go(at)]
        return actions + self._let_out(at)

    def answer_when_held(self, number: int) -> None:
        """The command with this number is done once the portal is held open."""
        if number:
            self._commands.append(number)

    def _answer(self, slug: Slug) -> list[Action]:
        """To all commands that wait for the portal to be held open."""
        numbers, self._commands = self._commands, []
        return [Answer(number, slug) for number in numbers]

    def _hold(self, at: float, reason: Reason, outputs: tuple[str, ...]) -> list[Action]:
        core = self._core
        egress = reason in {"fire", "emergency"}
        actions: list[Action] = []
        if self._bolt.state == "hold" and self._bolt.moved >= set(outputs):
            if self._bolt.moved > set(outputs) and not egress:
                return [self._bolt.let_go(at)]
            return [] if self._bolt.ordered else self._answer("command_done")
        if core.pending:
            if not egress or core.pending.reason in {"fire", "emergency"}:
                return []
            given_up, core.pending = core.pending, None
            if given_up.number and given_up.reason == "command":
                # Whoever is told that it failed does not find the door open afterwards.
                core.modes.held = ()
            actions += core.give_up(at, given_up, "portal_released")
        # A relay that lets go of what it should hold is asked again, but not without end.
        if at < self._flapped + AGAIN_AFTER or (not egress and (at < self._not_before or core.interlocked)):
            return actions
        number = self._commands.pop(0) if self._commands else 0
        core.pending = cause = Cause(core.ticket(), at, 0.0, outputs, None, reason, number)
        return [*actions, Record("held", None, {"cause": reason}, cause.ticket)]

    def _let_out(self, at: float) -> list[Action]:
        core, asked = self._core, self._core.inputs.exit_asked
        if RELAY in self._bolt.moved and self._bolt.until >= at + ENOUGH:
            core.inputs.exit_asked = float("-inf")
        if core.pending or self._bolt.state != "safe" or not asked <= at <= asked + core.settings.exit_seconds:
            return []
        core.inputs.exit_asked = float("-inf")
        if core.interlocked:
            return [Record("withheld", None, {"reason": "interlocked", "cause": "exit"})]
        seconds = min(core.settings.exit_seconds, core.settings.max_unlock)
        core.pending = cause = Cause(core.ticket(), at, seconds, reason="exit")
        return [Record("exit", None, {"seconds": seconds}, cause.ticket)]

    def _stale(self, at: float, cause: Cause) -> Slug | None:
        """Why a cause is none any more."""
        core = self._core
        if cause.egress:
            if cause.reason != "exit":
                return None if core.modes.released else "portal_closed"
            slug = None
        elif cause.opening:
            slug = core.closed(at) or core.admission.too_late(at, cause.opening)
        elif at > cause.since + COMMAND_WITHIN:
            slug = "command_too_late"
        else:
            alive = cause.reason == "unlock_once" or core.modes.wanted == (cause.reason, cause.outputs)
            slug = None if alive else "portal_closed"
        return slug or ("interlocked" if core.interlocked else None)

    def _abandon(self, at: float, cause: Cause, slug: Slug, *, recorded: bool = True) -> list[Action]:
        if cause.reason == "command":
            self._core.modes.held = ()
        if cause.reason == "schedule":
            self._not_before = at + AGAIN_AFTER
        return self._core.give_up(at, cause, slug, recorded=recorded)

    def _move(self, at: float, cause: Cause) -> list[Action]:
        core = self._core
        if cause.opening:
            core.admission.used(cause.opening)
            if cause.opening.grant.hold == "toggle" and self._bolt.state == "hold":
                return self._toggled_shut(cause)
            if cause.opening.grant.hold != "none":
                core.modes.held = cause.outputs
        # Whoever was let through before and did not open the door is not counted for this opening.
        core.passing = []
        return [self._bolt.order(at, cause)]

    def _toggled_shut(self, cause: Cause) -> list[Action]:
        assert cause.opening is not None
        self._core.modes.close()
        return [Prompt(one, "granted", grant.rule) for one, grant, _ in cause.opening.parties]

    def _pass(self, at: float) -> list[Action]:
        """Those who were let through are where the portal leads."""
        core = self._core
        openings, core.passing = core.passing, []
        if not core.admission.counts:
            return []
        passage, actions = core.admission.passage, list[Action]()
        for opening in openings:
            core.admission.pass_through(at, opening)
            body = {"people": list(opening.people), "from": passage.come_from, "to": passage.go_to}
            actions.append(Record("passed", opening.presentation, body))
        return actions
