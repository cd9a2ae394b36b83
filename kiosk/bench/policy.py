"""What rules cost: one decision by the number of rules, and the journal's past decided anew."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from kiosk.access.facts import Facts, LocalTime, PortalFacts, Subject, variables
from kiosk.access.policy import Policy
from kiosk.bench.report import Report, median, percentile
from kiosk.domain import Credential, Match, QualityReport
from kiosk.journal.log import Journal
from kiosk.rules.past import decisions
from kiosk.settings import RuleSettings

_CONDITION = (
    "'staff' in subject.groups && verdict.score >= 80.0 && quality.grade >= 2 && presentation.faces == 1 && "
    "('night' in time.schedules || credential.kind == 'card') && portal.mode == 'normal' && {about}"
)
_ABOUT = {"one person each": "subject.person == 'person{0}'", "anybody": "subject.person.endsWith('n{0}')"}
"""The first kind of rule is set aside without CEL where it is about somebody else; of the second all is evaluated."""
_NOON = LocalTime(2, 720, trusted=True, date="2026-03-04", schedules=("office", "cleaning"), holidays=())


def rules(count: int, kind: str = "one person each") -> list[RuleSettings]:
    conditions = (_CONDITION.format(about=_ABOUT[kind].format(number)) for number in range(count))
    return [RuleSettings(name=f"rule-{number}", when=when, effect="grant") for number, when in enumerate(conditions)]


def facts(person: int) -> Facts:
    match = Match(f"person{person}", 92.5, 40.0, "on-device", false_match_rate=1e-5)
    subject = Subject(match.person, groups=("staff", "early", "keys"), tags=("day",))
    card = Credential("card", 0.0, match.person)
    return Facts(PortalFacts("door"), match, subject, QualityReport({}, (), 3), 1, 1, _NOON, credential=card, site="bench")


def measure_decisions(report: Report, rounds: int) -> None:
    rows = [_decisions(count, kind, rounds) for kind in _ABOUT for count in (10, 50, 200)]
    report.add(
        "milliseconds of one decision",
        f"{rounds} decisions each, one thread; rules of eight comparisons, of which the last decides and no other holds; "
        "from the facts to the decision, conversion for CEL included; cpu: without waiting for a core",
        rows,
    )


def _decisions(count: int, kind: str, rounds: int) -> dict[str, object]:
    policy, about = Policy.compile(rules(count, kind)), facts(count - 1)
    spent: list[float] = []
    cpu: list[float] = []
    for _ in range(rounds):
        begun, worked = time.perf_counter(), time.thread_time()
        decision = policy.decide(about, 1.0)
        spent.append(1e3 * (time.perf_counter() - begun))
        cpu.append(1e3 * (time.thread_time() - worked))
    assert decision.rule == f"rule-{count - 1}"
    figures = {"p50": median(spent), "p99": percentile(spent, 0.99), "p50_cpu": median(cpu), "p99_cpu": percentile(cpu, 0.99)}
    return {"rules_about": kind, "rules": count} | {name: f"{value:.3f}" for name, value in figures.items()}


async def measure_replay(report: Report, events: int) -> None:
    policy = Policy.compile(rules(200))
    body = {"facts": variables(facts(199)), "rule": "rule-199", "person": "person199", "policy": policy.sha256}
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        path = Path(folder) / "journal.sqlite"
        await _fill(path, body, events)
        begun, worked = time.perf_counter(), time.process_time()
        decided = [policy.ruling(one.facts).slug for one in decisions(path) if one.facts]
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    assert decided == ["granted"] * events
    report.add(
        "the past decided anew",
        f"{events} rows of decisions read from a journal's file, decoded and decided by 200 rules about one person each, "
        "of which the last holds; one process",
        [{"events": events, "seconds": f"{seconds:.2f}", "cpu_seconds": f"{cpu:.2f}"}],
    )


async def _fill(path: Path, body: Mapping[str, object], events: int) -> None:
    """One true row, and copies of it: a row is synced to the disk, and ten thousand of them take minutes."""
    journal = await Journal.open(path)
    row = await journal.append("granted", "door", 1, body)
    await journal.close()
    with sqlite3.connect(path) as database:
        places = ", ".join("?" * len(row.__struct_fields__))
        copies = (msgspec.structs.astuple(msgspec.structs.replace(row, seq=seq)) for seq in range(2, events + 1))
        database.executemany(f"INSERT INTO journal VALUES ({places})", copies)  # noqa: S608 (constants)
    database.close()
