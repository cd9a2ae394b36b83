"""What rules would have made of the journal's past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from kiosk.access.policy import Policy
from kiosk.rules.past import Then


class Change(msgspec.Struct, frozen=True):
    """One decision that would have been another. `then` and `now`: `grant`, or the reason of the denial."""

    seq: int
    wall: str
    portal: str
    presentation: int | None
    person: str
    then: str
    then_rule: str
    now: str
    now_rule: str

    @property
    def kind(self) -> str:
        if (self.then == "grant") == (self.now == "grant"):
            return "same outcome, other rule or reason"
        return "granted then, denied now" if self.then == "grant" else "denied then, granted now"


class Replay(msgspec.Struct, frozen=True):
    """`skipped`: decisions of which the journal does not keep all that rules may ask for. `by_rule`: what decides now."""

    replayed: int
    unchanged: int
    skipped: int
    kinds: dict[str, int]
    by_rule: dict[str, int]
    changes: list[Change]


def replay(past: Iterable[Then], policy: Policy, step: Callable[[], object] = lambda: None) -> Replay:
    """Decides each anew; what is kept is only what has changed. `step` is called after each."""
    changes: list[Change] = []
    by_rule: Counter[str] = Counter()
    replayed = skipped = 0
    for then in past:
        step()
        if then.facts is None:
            skipped += 1
            continue
        replayed += 1
        ruling = policy.ruling(then.facts)
        by_rule[ruling.rule] += 1
        before, after = then.reason or "grant", "grant" if ruling.slug == "granted" else ruling.slug
        if then.kind == "withheld":
            before = "grant"
        if (before, then.rule) != (after, ruling.rule):
            person = str(then.facts["subject"]["person"])
            where = (then.seq, then.wall, then.portal, then.presentation, person)
            changes.append(Change(*where, before, then.rule, after, ruling.rule))
    kinds = Counter(change.kind for change in changes)
    return Replay(replayed, replayed - len(changes), skipped, dict(kinds), dict(by_rule), changes)
