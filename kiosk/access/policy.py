"""Who may pass: rules in CEL, explicit denials before grants, and denial where nothing grants.

Pure: time comes in with the facts.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Self

from msgspec import Struct

from kiosk.access.condition import EVALUATION_ERRORS, Condition
from kiosk.access.facts import KINDS, Facts, LocalTime, PortalFacts, Subject, variables
from kiosk.domain import (
    AttackPresentation,
    Decision,
    Deny,
    Grant,
    Inconclusive,
    Match,
    NonMatch,
    QualityReport,
    Slug,
    Verdict,
)
from kiosk.errors import ConfigurationError
from kiosk.settings import RuleSettings
from kiosk.slugs import TABLE

DEFAULT_RULE = "default"
"""The name a decision carries where no rule of the file made it."""

_CLOCK = frozenset({"weekday", "minute", "date", "schedules", "holidays"})


class _Rule(Struct, frozen=True):
    settings: RuleSettings
    condition: Condition


class Policy:
    """The compiled rules. Thread rule: any thread.

    `sha256` names the rules in the journal: lower-case hex over their canonical JSON.
    """

    def __init__(self, rules: Sequence[_Rule], sha256: str) -> None:
        self._deny = tuple(rule for rule in rules if rule.settings.effect == "deny")
        self._grant = tuple(rule for rule in rules if rule.settings.effect == "grant")
        self.sha256 = sha256

    @classmethod
    def compile(cls, rules: Sequence[RuleSettings]) -> Self:
        """Compiles the rules and checks each against a sample of every kind of verdict.

        Raises ConfigurationError `rule_invalid`; its detail has one line a mistake, naming the rule.
        """
        compiled: list[_Rule] = []
        mistakes: list[str] = []
        for rule in rules:
            found = list(_setting_mistakes(rule))
            try:
                condition = Condition(rule.when)
            except ConfigurationError as error:
                found.append(error.detail)
            else:
                found += condition.mistakes(_SAMPLES, {"verdict.kind": tuple(KINDS.values())})
                compiled.append(_Rule(rule, condition))
            mistakes += [f"rule '{rule.name}': {line}" for line in found]
        if mistakes:
            raise ConfigurationError("rule_invalid", "\n".join(mistakes))
        return cls(compiled, _sha256(rules))

    def decide(self, facts: Facts, expires_at: float) -> Decision:
        """Grants until `expires_at` (monotonic seconds), or denies.

        A fault or an attack is denied with its own cause before any rule is asked. Then deny rules,
        then grant rules, in the file's order; the first that holds decides. A rule that cannot be
        evaluated denies with `rule_failed`, and with `time_untrusted` where it needs the hour of a
        clock that is not known to be right. Only a match is ever granted.
        """
        verdict = facts.verdict
        if isinstance(verdict, AttackPresentation | Inconclusive):
            return Deny(verdict.cause, DEFAULT_RULE)
        context = variables(facts)
        denied = self._first(self._deny, facts.portal.name, context)
        if denied is not None:
            return denied if isinstance(denied, Deny) else _denial(denied)
        if not isinstance(verdict, Match):
            return Deny(verdict.cause, DEFAULT_RULE)
        granted = self._first(self._grant, facts.portal.name, context) or Deny("no_rule_matched", DEFAULT_RULE)
        return granted if isinstance(granted, Deny) else _grant(granted, facts, expires_at)

    @staticmethod
    def _first(rules: Sequence[_Rule], portal: str, context: dict[str, dict[str, object]]) -> RuleSettings | Deny | None:
        """The first rule for this portal that holds, or a denial where one could not be evaluated."""
        for rule in rules:
            if rule.settings.portals and portal not in rule.settings.portals:
                continue
            held = _holds(rule.condition, context)
            if isinstance(held, str):
                return Deny(held, rule.settings.name)
            if held:
                return rule.settings
        return None


def _denial(rule: RuleSettings) -> Deny:
    return Deny(rule.reason, rule.name, prompt=rule.prompt, alarm=rule.alarm, notify=rule.notify)


def _grant(rule: RuleSettings, facts: Facts, expires_at: float) -> Grant:
    return Grant(
        facts.subject.person,
        rule.name,
        rule.unlock_seconds,
        expires_at,
        unlock=rule.unlock,
        hold=rule.hold,
        require=rule.require,
        prompt=rule.prompt,
        alarm=rule.alarm,
        notify=rule.notify,
        checkout=rule.checkout,
        duress=bool(facts.credential and facts.credential.duress),
    )


def _holds(condition: Condition, context: dict[str, dict[str, object]]) -> bool | Slug:
    try:
        value = condition.value(context)
    except KeyError as error:
        unknown_hour = not context["time"]["trusted"] and error.args[:1] and error.args[0] in _CLOCK
        return "time_untrusted" if unknown_hour else "rule_failed"
    except EVALUATION_ERRORS:
        return "rule_failed"
    return value if isinstance(value, bool) else "rule_failed"


def _setting_mistakes(rule: RuleSettings) -> Iterator[str]:
    if rule.name == DEFAULT_RULE:
        yield f"'{DEFAULT_RULE}' is the name of the denial that needs no rule; choose another"
    if rule.reason not in TABLE:
        near = difflib.get_close_matches(rule.reason, TABLE, n=1, cutoff=0.5)
        yield f"reason '{rule.reason}' is no slug" + (f"; did you mean '{near[0]}'?" if near else "")


def _sha256(rules: Sequence[RuleSettings]) -> str:
    canonical = json.dumps([rule.model_dump(mode="json") for rule in rules], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _sample(verdict: Verdict) -> dict[str, dict[str, object]]:
    noon = LocalTime(weekday=0, minute=720, trusted=True)
    person = verdict.person if isinstance(verdict, Match) else ""
    subject = Subject(person, groups=("staff",), tags=("day",))
    return variables(Facts(PortalFacts("door"), verdict, subject, QualityReport({}, (), 4), faces=1, attempt=1, time=noon))


_SAMPLES = {
    "match": _sample(Match("alice", 92.5, 40.5, "sample", tag="staff")),
    "non_match": _sample(NonMatch("not_recognised", 31.5, "sample")),
    "attack": _sample(AttackPresentation("not_recognised", "sample")),
    "inconclusive": _sample(Inconclusive("cloud_unreachable", "sample")),
}
