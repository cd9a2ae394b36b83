"""Letting people in: decisions and second factors become causes that wait for their row. Pure; one thread."""

from __future__ import annotations

from kiosk.access.admission import Opening
from kiosk.access.bolt import Cause
from kiosk.access.core import Core, effects
from kiosk.access.events import Action, Alarm, Decided, Presented, Prompt, Record
from kiosk.access.factors import Wait
from kiosk.access.sharing import Sharing
from kiosk.domain import Deny, Grant, Slug


class Entry:
    def __init__(self, core: Core, sharing: Sharing) -> None:
        self._core = core
        self._sharing = sharing
        self._admission = core.admission
        self._factors = core.admission.factors

    def denied(self, event: Decided, deny: Deny) -> list[Action]:
        self._core.refused_at = event.at
        actions: list[Action] = [
            Record("denied", event.presentation, {**event.evidence, "reason": deny.reason, "rule": deny.rule}),
            Prompt(event.presentation, deny.reason, deny.rule),
        ]
        if deny.prompt:
            actions.append(Prompt(event.presentation, deny.prompt, deny.rule, final=False))
        return actions + effects(deny, deny.reason) + self._failure(event.at, deny.reason, event.presentation)

    def granted(self, event: Decided, grant: Grant) -> list[Action]:
        core, presentation = self._core, event.presentation
        actions: list[Action] = [Alarm("duress", silent=True)] if grant.duress else []
        slug = core.closed(event.at) or ("already_granted" if core.in_hand(presentation) else None)
        slug = slug or self._admission.refusal(event.at, presentation, grant)
        if slug is None and (joined := self._sharing.join(event, grant)) is not None:
            return actions + joined
        if slug := slug or core.busy(grant):
            return actions + core.refuse(event.at, presentation, slug, grant.rule, dict(event.evidence))
        wait = self._factors.hold(event.at, presentation, grant, event.evidence)
        actions += self._open_ready(event.at)
        if self._factors.waits(presentation):
            body = {**event.evidence, "person": grant.person, "rule": grant.rule, "missing": sorted(wait.missing)}
            actions.append(Record("waiting", presentation, body))
            actions.append(Prompt(presentation, wait.asks, grant.rule, final=False))
        return actions

    def presented(self, event: Presented) -> list[Action]:
        credential = event.credential
        actions: list[Action] = [Alarm("duress", silent=True)] if credential.duress else []
        locked_out = self._admission.lock_out.holds(event.at)
        slug = "locked_out" if locked_out else self._factors.shown(event.at, credential)
        if slug:
            self._core.refused_at = event.at
            actions.append(Record("denied", None, {"reason": slug, "credential": credential.kind}))
            return actions + self._failure(event.at, slug, ("credential", event.at))
        actions += self._open_ready(event.at)
        return actions + [
            Prompt(wait.presentation, wait.asks, wait.grant.rule, final=False)
            for wait in self._factors.unfinished
            if wait.grant.person == credential.person
        ]

    def tick(self, at: float) -> list[Action]:
        """Who waited too long is told so."""
        actions: list[Action] = []
        for wait in self._factors.expired(at):
            slug = "second_person_missing" if wait.lacks_only_company else "second_factor_missing"
            actions += self._core.refuse(at, wait.presentation, slug, wait.grant.rule, dict(wait.evidence))
        return actions

    def clear(self, at: float, slug: Slug) -> list[Action]:
        """Nobody waits any longer."""
        actions: list[Action] = []
        for wait in self._factors.clear():
            actions += self._core.refuse(at, wait.presentation, slug, wait.grant.rule, dict(wait.evidence))
        return actions

    def _failure(self, at: float, reason: Slug, who: object) -> list[Action]:
        if not self._admission.failed(at, reason, who):
            return []
        seconds = self._core.settings.lock_out_seconds
        return [Alarm("locked_out"), Record("locked_out", None, {"reason": reason, "seconds": seconds})]

    def _open_ready(self, at: float) -> list[Action]:
        """Asks for the row of a grant that lacks nothing any more."""
        actions: list[Action] = []
        for wait, company in self._factors.ready(at):
            opening = self._admission.opening(at, wait, company)
            slug = self._obstacle(at, wait, opening)
            if slug:
                self._factors.drop((wait.presentation,))
                actions += self._core.refuse(at, wait.presentation, slug, wait.grant.rule, dict(wait.evidence))
            else:
                self._factors.drop(opening.presentations)
                actions.append(self._ask(at, opening))
        return actions

    def _obstacle(self, at: float, wait: Wait, opening: Opening) -> Slug | None:
        slug = self._core.closed(at) or self._core.busy(wait.grant)
        return slug or self._admission.too_late(at, opening) or self._admission.no_room(at, opening)

    def _ask(self, at: float, opening: Opening) -> Record:
        grant = opening.grant
        seconds = 0.0 if grant.hold != "none" else min(grant.unlock_seconds, self._core.settings.max_unlock)
        self._core.pending = cause = Cause(self._core.ticket(), at, seconds, opening.outputs, opening)
        return Record("granted", opening.presentation, self._core.grounds(at, opening) | {"seconds": seconds}, cause.ticket)
