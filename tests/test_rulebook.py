"""Rules that change while the daemon runs: whole, journalled first, or not at all."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from kiosk.access.facts import Facts, LocalTime, PortalFacts, Subject
from kiosk.configuration import Source
from kiosk.demo.stage import Stage
from kiosk.domain import Deny, Grant, Match, QualityReport
from kiosk.errors import ConfigurationError, JournalError
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import Journal, Row, rows, tail, verify
from kiosk.metrics import Metrics
from kiosk.service.rulebook import Rulebook
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings

RULE = "[[rules]]\nname = '{name}'\nwhen = \"{when}\"\neffect = '{effect}'\n"
EVERYBODY = RULE.format(name="everybody", when="true", effect="grant")
NOBODY = RULE.format(name="shut", when="true", effect="deny")
BROKEN = RULE.format(name="odd", when="subject.persn == 'alice'", effect="grant")
OFFICE = "[schedules.office]\nspans = ['mon-fri 08:00-18:00']\n"
FACTS = Facts(
    PortalFacts("door"),
    Match("alice", 95.0, 30.0, "on-device"),
    Subject("alice"),
    QualityReport({}, (), 3),
    1,
    1,
    LocalTime(2, 720, trusted=True),
)


@dataclass
class Held:
    """A rulebook over a real file, with a real journal."""

    rulebook: Rulebook
    journal: Journal
    tally: Tally
    file: Path
    path: Path

    def write(self, toml: str) -> None:
        self.file.write_text(toml, encoding="utf-8")

    def decision(self) -> Grant | Deny:
        return self.rulebook.policy.decide(FACTS, 1.0)

    def row(self) -> tuple[str, Mapping[str, Any]]:
        newest = tail(self.path, 1)[0]
        return newest.kind, msgspec.json.decode(newest.body)

    def counted(self, outcome: str) -> float:
        return self.tally.metrics.registry.get_sample_value("kiosk_rules_reloads_total", {"outcome": outcome}) or 0.0


@asynccontextmanager
async def held(folder: Path, toml: str) -> AsyncIterator[Held]:
    file, path = folder / "kiosk.toml", folder / "journal.sqlite"
    file.write_text(toml, encoding="utf-8")
    source = Source(file)
    tally = Tally(source.load(), Metrics("test"), Heartbeat())
    journal = await Journal.open(path)
    rulebook = Rulebook(source.load(), source, tally)
    task = asyncio.create_task(rulebook.run(journal))
    await asyncio.sleep(0)
    try:
        yield Held(rulebook, journal, tally, file, path)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await journal.close()


async def test_sound_rules_replace_the_old_ones_whole(tmp_path: Path) -> None:
    async with held(tmp_path, EVERYBODY) as now:
        old = now.rulebook.edition
        now.write(NOBODY + OFFICE)
        done = await now.rulebook.reload()
        assert (done.outcome, done.old, done.new) == ("reloaded", old.policy.sha256, now.rulebook.policy.sha256)
        assert now.row() == ("rules_reloaded", {"old": done.old, "new": done.new, "rules": 1})
        assert now.decision() == Deny("denied_by_rule", "shut")
        assert [*now.rulebook.edition.settings.schedules] == ["office"]
        # Whoever holds the old edition decides by it to the end.
        assert isinstance(old.policy.decide(FACTS, 1.0), Grant)
        assert now.counted("reloaded") == 1.0


@pytest.mark.parametrize(
    ("toml", "slug", "words"),
    [
        (BROKEN, "rule_invalid", "kiosk.toml:1: rule 'odd': unknown name 'subject.persn'; did you mean 'subject.person'?"),
        (NOBODY + BROKEN, "rule_invalid", "kiosk.toml:5: rule 'odd'"),
        ("[[rules]\n", "configuration_invalid", "not TOML"),
        ("[[rules]]\nname = 'a'\n", "configuration_invalid", "rules.0.when"),
        (NOBODY + "[schedules.office]\nspans = ['mon-fry 08:00-18:00']\n", "calendar_invalid", "there is no day 'fry'"),
        (NOBODY + "[web]\nprot = 1\n", "configuration_invalid", "did you mean 'port'?"),
        (None, "configuration_missing", "No such file"),
    ],
)
async def test_a_mistake_keeps_the_old_rules_all_of_them(tmp_path: Path, toml: str | None, slug: str, words: str) -> None:
    async with held(tmp_path, EVERYBODY) as now:
        before = now.rulebook.edition
        if toml is None:
            now.file.unlink()
        else:
            now.write(toml)
        done = await now.rulebook.reload()
        assert (done.outcome, done.error and done.error.slug) == ("refused", slug)
        assert now.rulebook.edition is before
        kind, body = now.row()
        assert (kind, body["slug"], body["kept"]) == ("rules_refused", slug, before.policy.sha256)
        assert words in body["mistake"]
        assert (done.told()["error"], words in str(done.told()["mistakes"])) == (slug, True)
        assert isinstance(now.decision(), Grant)
        assert now.counted("refused") == 1.0
        now.write(NOBODY)
        assert (await now.rulebook.reload()).outcome == "reloaded"


async def test_a_schedule_that_a_running_portal_needs_cannot_go(tmp_path: Path) -> None:
    async with held(tmp_path, EVERYBODY + OFFICE + "[portals.door]\nopen_during = 'office'\n") as now:
        now.write(NOBODY)
        done = await now.rulebook.reload()
        assert (done.outcome, done.restart) == ("refused", ())
        assert "open_during is 'office'" in now.row()[1]["mistake"]


async def test_what_needs_a_restart_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    async with held(tmp_path, EVERYBODY) as now:
        now.write(NOBODY + "[portals.door]\nverdict_ttl = 2.5\n[web]\nport = 1234\n")
        with capture_logs() as logged:
            done = await now.rulebook.reload()
        assert (done.outcome, done.restart) == ("reloaded", ("portals.door.verdict_ttl", "web.port"))
        assert [one["settings"] for one in logged if one["event"] == "restart_needed"] == [[*done.restart]]
        assert now.rulebook.edition.settings.portals["door"].verdict_ttl == 1.5


async def test_nothing_new_is_no_change(tmp_path: Path) -> None:
    async with held(tmp_path, EVERYBODY) as now:
        before = now.rulebook.edition
        assert (await now.rulebook.reload()).outcome == "unchanged"
        assert now.rulebook.edition is before
        assert tail(now.path, 1) == []


async def test_rules_that_cannot_be_journalled_do_not_count(tmp_path: Path) -> None:
    async with held(tmp_path, NOBODY) as now:
        await now.journal.append("daemon_started", "", None, {})
        now.journal._last_seq -= 1  # the next row has a number that is taken
        now.write(EVERYBODY)
        done = await now.rulebook.reload()
        assert (done.outcome, isinstance(done.error, JournalError)) == ("refused", True)
        assert now.decision() == Deny("denied_by_rule", "shut")


async def test_the_log_and_the_feed_name_nobody(tmp_path: Path) -> None:
    async with held(tmp_path, EVERYBODY) as now:
        now.write(RULE.format(name="odd", when="subject.person > 7 || subject.person == 'zebedee' + 1", effect="grant"))
        with capture_logs() as logged:
            await now.rulebook.reload()
        assert "zebedee" in now.row()[1]["mistake"]
        assert logged
        assert "zebedee" not in str(logged)
        (told,) = now.tally.feed.recent
        assert (told["event"], told["outcome"], told["slug"]) == ("rules", "refused", "rule_invalid")
        assert "zebedee" not in str(told)


async def test_a_code_that_is_none_is_told_to_nobody(tmp_path: Path) -> None:
    async with held(tmp_path, EVERYBODY) as now:
        now.write(EVERYBODY + "[people.alice]\ncodes = ['k7x']\n")
        assert (await now.rulebook.reload()).outcome == "refused"
        assert "people.alice.codes.0: " in now.row()[1]["mistake"]
        assert "k7x" not in now.row()[1]["mistake"]


async def test_asked_twice_at_once_each_reload_is_whole(tmp_path: Path) -> None:
    async with held(tmp_path, EVERYBODY) as now:
        now.write(NOBODY)
        done = await asyncio.gather(now.rulebook.reload(), now.rulebook.reload())
        assert [one.outcome for one in done] == ["reloaded", "unchanged"]


async def test_without_a_file_there_is_no_reload(tmp_path: Path) -> None:
    async with held(tmp_path, EVERYBODY) as now:
        alone = Rulebook(now.rulebook.edition.settings, None, now.tally)
        done = await alone.reload()
        assert done.error is not None
        assert done.error.slug == "rules_not_reloadable"


def test_unsound_rules_are_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text(BROKEN)
    source = Source(file)
    with pytest.raises(ConfigurationError, match=f"{file}:1: rule 'odd'"):
        Rulebook(source.load(), source, Tally(source.load(), Metrics("test"), Heartbeat()))


@pytest.mark.slow
async def test_a_running_daemon_takes_new_rules_by_signal_and_no_broken_ones(tmp_path: Path) -> None:
    async with Stage("scene:demo", page=False, portal=PortalSettings(recogniser="on-device"), keep=tmp_path) as stage:
        await stage.start_daemon()
        assert stage.daemon is not None
        sound = stage.config.read_text(encoding="utf-8")
        (started,) = rows(stage.journal, ("daemon_started",))
        kept = msgspec.json.decode(started.body)["policy"]

        stage.config.write_text(sound + BROKEN, encoding="utf-8")
        os.kill(stage.daemon.pid, signal.SIGHUP)
        refused = await row_of(stage.journal, "rules_refused")
        assert "rule 'odd': unknown name 'subject.persn'" in refused["mistake"]
        later = await decided(stage.journal, kept, after=tail(stage.journal, 1)[0].seq)
        assert later["rule"] == "default"

        stage.config.write_text(sound + NOBODY, encoding="utf-8")
        os.kill(stage.daemon.pid, signal.SIGHUP)
        taken = await row_of(stage.journal, "rules_reloaded")
        assert taken["old"] == kept
        assert (await decided(stage.journal, taken["new"], after=0))["rule"] == "shut"
        assert (await stage.health())["status"] == "ready"
        assert await stage.stop_daemon() == 0
    assert verify(tmp_path / "state" / "journal.sqlite").ok


async def row_of(path: Path, kind: str) -> Mapping[str, Any]:
    async with asyncio.timeout(30):
        while not (found := list(rows(path, (kind,)))):
            await asyncio.sleep(0.1)
    return body_of(found[-1])


async def decided(path: Path, policy: str, after: int) -> Mapping[str, Any]:
    """The first decision by these rules behind that row."""
    async with asyncio.timeout(60):
        while True:
            for row in rows(path, ("granted", "denied")):
                if row.seq > after and body_of(row).get("policy") == policy:
                    return body_of(row)
            await asyncio.sleep(0.1)


def body_of(row: Row) -> Mapping[str, Any]:
    body: Mapping[str, Any] = msgspec.json.decode(row.body)
    return body
