"""What rules cost: one decision by the number of rules, and the journal's past decided anew."""

from __future__ import annotations

import tempfile
import time
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
    "subject.person == 'person{number}' && 'staff' in subject.groups && verdict.score >= 80.0 && quality.grade >= 2 && "
    "presentation.faces == 1 && ('office' in time.schedules || credential.kind == 'card') && portal.mode == 'normal'"
)
_NOON = LocalTime(2, 720, trusted=True, date="2026-03-04", schedules=("office", "cleaning"), holidays=())


def rules(count: int) -> list[RuleSettings]:
    """All are asked for the last one's person. Half of them read a group and a list besides."""
    return [
        RuleSettings(name=f"rule-{number}", when=_CONDITION.format(number=number), effect="grant") for number in range(count)
    ]


def facts(person: int) -> Facts:
    match = Match(f"person{person}", 92.5, 40.0, "on-device", false_match_rate=1e-5)
    subject = Subject(match.person, groups=("staff", "early", "keys"), tags=("day",))
    card = Credential("card", 0.0, match.person)
    return Facts(PortalFacts("door"), match, subject, QualityReport({}, (), 3), 1, 1, _NOON, credential=card, site="bench")


def measure_decisions(report: Report, rounds: int) -> None:
    rows = []
    for count in (10, 50, 200):
        policy, about = Policy.compile(rules(count)), facts(count - 1)
        spent = []
        for _ in range(rounds):
            begun = time.perf_counter()
            decision = policy.decide(about, 1.0)
            spent.append(1e3 * (time.perf_counter() - begun))
        assert decision.rule == f"rule-{count - 1}"
        rows.append({"rules": count, "p50_ms": f"{median(spent):.3f}", "p99_ms": f"{percentile(spent, 0.99):.3f}"})
    report.add(
        "one decision",
        f"{rounds} decisions each, one thread; no rule but the last holds, each has eight comparisons of which the first fails; "
        "from the facts to the decision, the conversion of the variables for CEL included",
        rows,
    )


async def measure_replay(report: Report, events: int) -> None:
    policy = Policy.compile(rules(200))
    body = {"facts": variables(facts(199)), "rule": "rule-199", "person": "person199", "policy": policy.sha256}
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        path = Path(folder) / "journal.sqlite"
        await _fill(path, body, events)
        begun = time.perf_counter()
        decided = [policy.ruling(one.facts).slug for one in decisions(path) if one.facts]
        seconds = time.perf_counter() - begun
    assert decided == ["granted"] * events
    report.add(
        "the past decided anew",
        f"{events} rows of decisions read from a journal's file, decoded and decided by 200 rules of which the last holds; "
        "one process",
        [{"events": events, "seconds": f"{seconds:.2f}", "microseconds_each": f"{1e6 * seconds / events:.0f}"}],
    )


async def _fill(path: Path, body: dict[str, object], events: int) -> None:
    """One true row, and copies of it: a row is synced to the disk, and ten thousand of them take minutes."""
    journal = await Journal.open(path)
    row = await journal.append("granted", "door", 1, body)
    await journal.close()
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(path) as database:
        places = ", ".join("?" * len(row.__struct_fields__))
        copies = (msgspec.structs.astuple(msgspec.structs.replace(row, seq=seq)) for seq in range(2, events + 1))
        database.executemany(f"INSERT INTO journal VALUES ({places})", copies)  # noqa: S608 (constants)
    database.close()
