"""`kiosk rules`: the commands as a user types them, over real files and a real journal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk import configuration
from kiosk.access import soundness
from kiosk.access.facts import Facts, LocalTime, PortalFacts, Subject, variables
from kiosk.access.policy import Policy
from kiosk.configuration import places
from kiosk.domain import Grant, Match, NonMatch, QualityReport
from kiosk.errors import ConfigurationError, KioskError
from kiosk.journal import log
from kiosk.journal.log import Journal
from kiosk.rules import past
from kiosk.rules.replay import replay
from kiosk.settings import RuleSettings

TOML = """
[site]
state_dir = "{folder}"
timezone = "Europe/Berlin"

[people.alice]
groups = ["staff"]
valid_until = 2026-06-30

[schedules.office]
spans = ["mon-fri 08:00-18:00"]

[portals.door]
outside = false

[[rules]]
name = "one-at-a-time"
when = "presentation.faces > 1"
effect = "deny"
reason = "several_faces"

[[rules]]
name = "staff"
when = "'staff' in subject.groups && subject.valid && verdict.score >= 90.0 && 'office' in time.schedules"
effect = "grant"

[[rules]]
name = "guards"
when = "'guard' in subject.tags"
effect = "grant"
"""
CASES = """
[[rule_tests]]
name = "staff by day"
given = { "subject.person" = "alice" }
expect = "grant"
rule = "staff"

[[rule_tests]]
name = "staff by night"
given = { "subject.person" = "alice" }
at = "2026-03-04 22:10"
expect = "deny"
reason = "no_rule_matched"

[[rule_tests]]
name = "the day after the last"
given = { "subject.person" = "alice" }
at = "2026-07-01 12:10"
expect = "deny"

[[rule_tests]]
name = "nobody knows the time"
given = { "subject.person" = "alice", "time.trusted" = false }
expect = "deny"
reason = "time_untrusted"

[[rule_tests]]
name = "a stranger"
given = { "verdict.kind" = "non_match" }
expect = "deny"
reason = "not_recognised"
"""
NOON = LocalTime(2, 720, trusted=True, date="2026-03-04", schedules=("office",))


def rules(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kiosk", "rules", *map(str, arguments)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KIOSK_")}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/", env=clean)


def decoded(done: subprocess.CompletedProcess[str]) -> Any:
    return msgspec.json.decode(done.stdout)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def to(more: str = "", name: str = "kiosk.toml", **replaced: str) -> Path:
        text = TOML.format(folder=tmp_path)
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name).write_text(text + more, encoding="utf-8")
        return tmp_path / name

    return to


def facts(score: float, faces: int = 1, person: str = "alice") -> Facts:
    verdict = Match(person, score, 30.0, "on-device") if person else NonMatch("not_recognised", score, "on-device")
    subject = Subject(person, ("staff",) if person else ())
    return Facts(PortalFacts("door"), verdict, subject, QualityReport({}, (), 3), faces, 1, NOON)


async def live_through(file: Path, *seen: Facts) -> Policy:
    """A journal of what the file's rules decided."""
    read = configuration.load(file)
    policy = soundness.load(read)
    journal = await Journal.open(read.journal_path)
    for number, about in enumerate(seen, 1):
        decision = policy.decide(about, 1.0)
        body: dict[str, object] = {"facts": variables(about), "policy": policy.sha256, "rule": decision.rule}
        kind = "granted" if isinstance(decision, Grant) else "denied"
        body |= {} if isinstance(decision, Grant) else {"reason": decision.reason}
        await journal.append(kind, "door", number, body)
    await journal.append("withheld", "door", 90, {"facts": variables(facts(95.0)), "rule": "staff", "reason": "person_left"})
    await journal.append("denied", "door", 91, {"reason": "too_dark", "frames": 3})
    await journal.append("granted", "door", 92, {"rule": "staff", "seconds": 3.0})
    await journal.close()
    return policy


# check


def test_sound_rules_are_shown_in_the_order_in_which_they_are_asked(write: Callable[..., Path]) -> None:
    done = rules("check", "-c", write())
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 rules are sound, 0 warning(s)" in done.stdout
    assert done.stdout.index("one-at-a-time") < done.stdout.index("staff") < done.stdout.index("no_rule_matched")


def test_a_mistake_is_named_with_file_and_line(write: Callable[..., Path]) -> None:
    more = '[[rules]]  # late\nname = "odd"\nwhen = "verdict.scor > 3.0"\neffect = "grant"\n'
    file = write(more)
    line = file.read_text().splitlines().index("[[rules]]  # late") + 1
    done = rules("check", "-c", file)
    assert done.returncode == 78
    assert f"mistake {file}:{line}: rule 'odd': unknown name 'verdict.scor'; did you mean 'verdict.score'?" in done.stdout
    assert "1 mistake(s), 0 warning(s) in 4 rules" in done.stdout
    found = decoded(rules("check", "--json", "-c", file))
    assert [(one["rule"], one["place"]) for one in found["mistakes"]] == [("odd", f"{file}:{line}")]


def test_a_schedule_that_is_none_is_a_mistake_as_well(write: Callable[..., Path]) -> None:
    done = rules("check", "--json", "-c", write(**{"08:00-18:00": "08:00-26:00"}))
    assert done.returncode == 78
    assert "26:00" in decoded(done)["mistakes"][0]["text"]


def test_a_rule_that_is_none_is_named_with_its_line(write: Callable[..., Path]) -> None:
    file = write('[[rules]]\nname = "odd"\nwhen = "true"\neffect = "allow"\n')
    line = file.read_text().splitlines().index('name = "odd"')
    done = rules("check", "-c", file)
    assert (done.returncode, f"rules.3.effect (line {line}): " in done.stderr) == (78, True)


def test_a_rule_has_a_place_only_where_that_is_certain(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    file = write()
    lines = file.read_text().splitlines()
    found = places(file, configuration.load(file))
    assert {name: lines[int(place.rpartition(":")[2])] for name, place in found.items()} == {
        "one-at-a-time": 'name = "one-at-a-time"', "staff": 'name = "staff"', "guards": 'name = "guards"',
    }  # fmt: skip
    assert places(None, configuration.load(file)) == {}
    misleading = write('[on_device]\ngallery = """\n[[rules]]\nname = "guards"\n"""\n')
    assert places(misleading, configuration.load(misleading)) == {}
    inline = file.with_name("inline.toml")
    inline.write_text("rules = [{ name = 'a', when = 'true', effect = 'grant' }]\n")
    assert places(inline, configuration.load(inline)) == {}
    monkeypatch.setenv("KIOSK_RULES", '[{"name": "staff", "when": "true", "effect": "grant"}]')
    assert places(write(), configuration.load(file)) == {}


# test


def test_the_cases_beside_the_rules_are_run(write: Callable[..., Path]) -> None:
    file = write(CASES)
    done = rules("test", "-c", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 passed" in done.stdout
    found = decoded(rules("test", "--json", "-c", file))
    assert [(case["outcome"], case["rule"], case["reason"]) for case in found["cases"]] == [
        ("grant", "staff", ""),
        ("deny", "default", "no_rule_matched"),
        ("deny", "default", "no_rule_matched"),
        ("deny", "staff", "time_untrusted"),
        ("deny", "default", "not_recognised"),
    ]


def test_a_case_that_fails_says_which_condition_was_what(write: Callable[..., Path]) -> None:
    more = '[[rule_tests]]\nname = "poor"\ngiven = { "subject.person" = "alice", "verdict.score" = 89 }\nexpect = "grant"\n'
    done = rules("test", "-c", write(CASES + more))
    assert done.returncode == 1
    assert "1 of 6 failed" in done.stdout
    assert "poor: deny instead of grant" in done.stdout
    assert "✗ verdict.score >= 90.0  verdict.score is 89" in done.stdout
    assert "✓ subject.valid  subject.valid is true" in done.stdout


def test_a_case_fails_where_the_grant_no_longer_waits_for_what_it_has_to(write: Callable[..., Path]) -> None:
    alone = (
        '[[rule_tests]]\nname = "alone"\ngiven = { "subject.person" = "alice" }\nexpect = "grant"\nrequire = ["second_person"]\n'
    )
    done = rules("test", "-c", write(CASES + alone))
    assert done.returncode == 1
    assert "alone: waits for nothing instead of second_person" in done.stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('given = { "verdict.scor" = 1.0 }', "given: unknown name 'verdict.scor'; did you mean 'verdict.score'?"),
        ('given = { "verdict.score" = "90" }', "given: verdict.score is a number, not a text"),
        ('at = "tomorrow"', "at: 'tomorrow' is no time such as 2026-12-24 18:30"),
        ('at = "2026-03-04T22:10Z"', "is to be local time, without a zone"),
        ('portal = "dor"', "portal 'dor' is not in [portals]; did you mean 'door'?"),
    ],
)
def test_a_mistake_in_a_case_is_refused(write: Callable[..., Path], more: str, words: str) -> None:
    done = rules("test", "-c", write(f'[[rule_tests]]\nname = "odd"\nexpect = "deny"\n{more}\n'))
    assert done.returncode == 78
    assert done.stderr.startswith("rule_test_invalid rule test 'odd': ")
    assert words in done.stderr


def test_without_cases_the_test_does_not_pass(write: Callable[..., Path]) -> None:
    done = rules("test", "-c", write())
    assert (done.returncode, "rule_tests_missing" in done.stderr) == (1, True)


# explain


async def test_a_decision_is_explained_from_its_row(write: Callable[..., Path]) -> None:
    file = write()
    await live_through(file, facts(95.0), facts(85.0), facts(95.0, faces=2))
    granted = rules("explain", 1, "-c", file).stdout
    assert "grant by rule staff" in granted
    assert "grant rule staff  ✓ holds  ← decided" in granted
    assert "grant rule guards  · not asked" in granted
    refused = rules("explain", "p2", "-c", file).stdout
    assert "✗ verdict.score >= 90.0  verdict.score is 85" in refused
    assert "✓ 'staff' in subject.groups  subject.groups is 'staff'" in refused
    assert "← decided (default)" in refused
    found = decoded(rules("explain", 3, "--json", "-c", file))
    assert (found["ruling"], found["same_rules"]) == ({"slug": "several_faces", "rule": "one-at-a-time"}, True)
    assert [one["held"] for one in found["asked"]] == ["held", "not_asked", "not_asked"]


async def test_an_explanation_says_that_other_rules_decided_then(write: Callable[..., Path]) -> None:
    await live_through(write(), facts(95.0))
    done = rules("explain", 1, "-c", write(**{">= 90.0": ">= 97.0"}))
    assert "grant by rule staff" in done.stdout
    assert "Other rules decided then." in done.stdout
    assert "deny no_rule_matched by rule default" in done.stdout


@pytest.mark.parametrize(
    ("event", "slug"),
    [("77", "event_unknown"), ("p77", "event_unknown"), ("x", "event_unknown"), ("3", "event_unknown"),
     ("4", "event_not_replayable")],
)  # fmt: skip
async def test_what_cannot_be_explained_is_said(write: Callable[..., Path], event: str, slug: str) -> None:
    file = write()
    await live_through(file, facts(95.0))
    done = rules("explain", event, "-c", file)
    assert (done.returncode, done.stderr.partition(" ")[0]) == (1, slug)


# replay


async def test_the_past_is_decided_anew_by_other_rules(write: Callable[..., Path]) -> None:
    file = write()
    await live_through(file, facts(95.0), facts(91.0), facts(85.0), facts(95.0, faces=2), facts(30.0, person=""))
    kept = decoded(rules("replay", "--json", "-c", file))
    assert (kept["replayed"], kept["unchanged"], kept["skipped"], kept["changes"]) == (6, 6, 1, [])
    other = write(name="new.toml", **{">= 90.0": ">= 93.0", "presentation.faces > 1": "presentation.faces > 2"})
    before = file.with_name("journal.sqlite").read_bytes()
    found = decoded(rules("replay", "--json", "-c", file, "--with", other))
    assert file.with_name("journal.sqlite").read_bytes() == before
    assert found["kinds"] == {"granted then, denied now": 1, "denied then, granted now": 1}
    assert [(one["seq"], one["then"], one["then_rule"], one["now"], one["now_rule"]) for one in found["changes"]] == [
        (2, "grant", "staff", "no_rule_matched", "default"),
        (4, "several_faces", "one-at-a-time", "grant", "staff"),
    ]
    table = rules("replay", "--since", "7d", "-c", file, "--with", other).stdout
    assert "granted then, denied now" in table
    assert "deny several_faces" in table
    later = decoded(rules("replay", "--json", "--since", "2999-01-01", "-c", file, "--with", other))
    assert later["replayed"] == 0


async def test_unsound_rules_are_not_replayed(write: Callable[..., Path]) -> None:
    file = write()
    await live_through(file, facts(95.0))
    done = rules("replay", "-c", file, "--with", write(name="new.toml", **{"verdict.score": "verdict.scor"}))
    assert (done.returncode, "new.toml:22: rule 'staff': unknown name" in done.stderr) == (78, True)


async def test_a_row_without_a_name_that_rules_may_ask_for_is_not_replayed(write: Callable[..., Path]) -> None:
    file = write()
    policy = await live_through(file)
    journal = await Journal.open(file.with_name("journal.sqlite"))
    older = variables(facts(95.0))
    del older["credential"]["duress"]
    await journal.append("granted", "door", 1, {"facts": older, "rule": "staff"})
    await journal.close()
    found = replay(past.decisions(file.with_name("journal.sqlite")), policy)
    assert (found.replayed, found.skipped) == (1, 2)


def test_without_a_journal_nothing_is_replayed(write: Callable[..., Path]) -> None:
    done = rules("replay", "-c", write())
    assert (done.returncode, done.stderr.partition(" ")[0]) == (1, "journal_missing")


@pytest.mark.parametrize(
    ("since", "moment"),
    [("", ""), ("7d", "2026-03-01T12:00:00.000+00:00"), ("90m", "2026-03-08T10:30:00.000+00:00"),
     ("2026-03-02T01:00+01:00", "2026-03-02T00:00:00.000+00:00")],
)  # fmt: skip
def test_a_span_or_a_date_says_from_when(since: str, moment: str) -> None:
    assert past.moment(since, datetime(2026, 3, 8, 12, tzinfo=UTC)) == moment


@pytest.mark.parametrize("since", ["7", "7y", "-1d", "yesterday"])
def test_another_span_is_refused(since: str) -> None:
    with pytest.raises(ConfigurationError, match="write 7d"):
        past.moment(since, datetime.now(UTC))


async def test_rows_and_their_number_agree(write: Callable[..., Path]) -> None:
    file = write()
    await live_through(file, facts(95.0), facts(85.0))
    path = file.with_name("journal.sqlite")
    assert log.count(path, past.KINDS) == len(list(log.rows(path, past.KINDS))) == 5
    assert log.count(path, past.KINDS, "2999") == 0
    assert [row.seq for row in log.rows(path, ("withheld",))] == [3]
    assert log.row(path, 99) is None
    with pytest.raises(KioskError):
        log.count(path.with_name("none.sqlite"), past.KINDS)


# coverage


async def test_rules_that_never_decided_are_named(write: Callable[..., Path]) -> None:
    file = write(CASES)
    await live_through(file, facts(95.0), facts(95.0, faces=2))
    found = decoded(rules("coverage", "--json", "-c", file))
    assert found["hits"] == {"one-at-a-time": 1, "staff": 3, "guards": 0, "default": 0}
    assert found["never_hit"] == ["guards"]
    assert found["never_tested"] == ["one-at-a-time", "guards"]
    assert decoded(rules("coverage", "--json", "--since", "2999-01-01", "-c", file))["never_hit"] == [
        "one-at-a-time", "staff", "guards",
    ]  # fmt: skip


def test_a_replay_of_nothing_is_nothing() -> None:
    found = replay([], Policy.compile([RuleSettings(name="a", when="true", effect="grant")]))
    assert (found.replayed, found.skipped, found.changes) == (0, 0, [])
