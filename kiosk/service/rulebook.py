"""The rules in force, and how they are changed while the daemon runs: whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import structlog

from kiosk.access import soundness
from kiosk.access.calendar import Calendar
from kiosk.access.facts import LocalTime, Subject
from kiosk.access.people import People
from kiosk.access.policy import Policy
from kiosk.clock import zone
from kiosk.configuration import Source, places
from kiosk.errors import ConfigurationError, JournalError, KioskError
from kiosk.journal.log import Journal
from kiosk.service.tally import Tally
from kiosk.settings import POLICY_PARTS, Settings

_log = structlog.get_logger()
_MOST_TOLD = 4000
"""Characters of mistakes that one row of the journal keeps."""


@dataclass(frozen=True, slots=True)
class Edition:
    """What changes together: all rules, and the schedules, holidays and people they speak of, which stand in `settings`."""

    settings: Settings
    policy: Policy
    calendar: Calendar
    people: People

    @classmethod
    def of(cls, settings: Settings, source: Source | None = None) -> Edition:
        """Raises ConfigurationError `rule_invalid`, `calendar_invalid`, `configuration_invalid` for what two people share."""
        calendar = Calendar(settings.schedules, settings.holidays, zone(settings.site.timezone))
        policy = soundness.load(settings, places(source.file if source else None, settings))
        return cls(settings, policy, calendar, People(settings.people))


@dataclass(frozen=True, slots=True)
class Reload:
    """`old`, `new`: hashes of the rules before and after, the same where nothing changed. `error`: why they were refused.

    `restart`: settings that differ in the file and count only after a restart, by their dotted names.
    """

    outcome: Literal["reloaded", "unchanged", "refused"]
    old: str
    new: str
    restart: tuple[str, ...] = ()
    error: KioskError | None = None

    def told(self) -> dict[str, object]:
        """For an answer over HTTP, to somebody who may see the rules."""
        wrong = {"error": self.error.slug, "mistakes": self.error.detail.splitlines()} if self.error else {}
        return {"outcome": self.outcome, "old": self.old, "new": self.new, "restart": list(self.restart), **wrong}


class Rulebook:
    """Event loop only. Take `edition` or `policy` once for a decision: the next look may find another one."""

    def __init__(self, settings: Settings, source: Source | None, tally: Tally) -> None:
        """`source`: where the settings were read; without it there is no reloading. Raises ConfigurationError."""
        self.edition = Edition.of(settings, source)
        self._source = source
        self._tally = tally
        self._asked = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._journal: Journal | None = None

    @property
    def policy(self) -> Policy:
        return self.edition.policy

    def at(self, moment: float, *, trusted: bool) -> LocalTime:
        """What the calendar of now says of a moment in Unix seconds."""
        return self.edition.calendar.at(moment, trusted=trusted)

    def subject(self, person: str, groups: Iterable[str], today: str | None) -> Subject:
        """See People.subject."""
        return self.edition.people.subject(person, groups, today)

    def ask(self) -> None:
        """Reload soon; for signal handlers. Asked again meanwhile, it is done once more."""
        self._asked.set()

    async def run(self, journal: Journal) -> None:
        """Does what `ask` asks for, until cancelled."""
        self._journal = journal
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.reload()

    async def reload(self) -> Reload:
        """Reads the file again. What is not sound changes nothing; what is counts from the next decision, once journalled."""
        async with self._one_at_a_time:
            try:
                # A second of work for hundreds of rules, and the door goes on meanwhile.
                fresh, restart = await asyncio.to_thread(self._read)
                done = await self._swap(fresh, restart)
            except (ConfigurationError, JournalError) as error:
                done = await self._refuse(error)
        self._tally.rules(done.outcome, old=done.old, new=done.new, error=done.error)
        if done.restart:
            _log.warning("restart_needed", settings=list(done.restart))
        return done

    def _read(self) -> tuple[Edition, tuple[str, ...]]:
        if self._source is None:
            raise ConfigurationError("rules_not_reloadable", "the daemon was started without a file")
        running, read = self.edition.settings, self._source.load()
        return Edition.of(running.with_policy_of(read), self._source), tuple(_differences(running, read))

    async def _swap(self, fresh: Edition, restart: tuple[str, ...]) -> Reload:
        old, new = self.policy.sha256, fresh.policy.sha256
        if old != new:
            await self._record("rules_reloaded", {"old": old, "new": new, "rules": len(fresh.settings.rules)})
            self.edition = fresh
        return Reload("reloaded" if old != new else "unchanged", old, new, restart)

    async def _refuse(self, error: KioskError) -> Reload:
        kept = self.policy.sha256
        try:
            await self._record("rules_refused", {"slug": error.slug, "mistake": error.detail[:_MOST_TOLD], "kept": kept})
        except JournalError as unwritable:
            self._tally.error(unwritable)
        return Reload("refused", kept, kept, error=error)

    async def _record(self, kind: str, body: dict[str, object]) -> None:
        if self._journal is None:
            raise JournalError("journal_unwritable", "the daemon is not running yet")
        await self._journal.append(kind, "", None, body)


def _differences(running: Settings, read: Settings) -> list[str]:
    """Settings that differ beside the rules and what goes with them. Their names only: values may be secrets of a kind."""
    apart = {*POLICY_PARTS, "rule_tests"}
    return sorted(_different("", running.model_dump(exclude=apart), read.model_dump(exclude=apart)))


def _different(prefix: str, one: object, other: object) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = dict.fromkeys((*one, *other))
        return [name for key in keys for name in _different(f"{prefix}.{key}" if prefix else key, one.get(key), other.get(key))]
    return [] if one == other else [prefix]
