"""Who may pass: rules in CEL, explicit denials before grants, and denial where nothing grants.

Pure: time comes in with the facts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Self

import cel
from msgspec import Struct

from kiosk.access.condition import EVALUATION_ERRORS, Condition, context_of
from kiosk.access.facts import KINDS, Facts, LocalTime, PortalFacts, Subject, Variables, variables
from kiosk.access.implication import demanded, formula
from kiosk.domain import (
    AttackPresentation,
    Credential,
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
from kiosk.errors import ConfigurationError, did_you_mean
from kiosk.settings import RuleSettings
from kiosk.slugs import TABLE

DEFAULT_RULE = "default"
"""The name a decision carries where no rule of the file made it."""
SETTLED = frozenset({KINDS[AttackPresentation], KINDS[Inconclusive]})
"""Verdicts that are denied with their own cause before any rule is asked."""

_CLOCK = frozenset({"weekday", "minute", "date", "schedules", "holidays"})
Held = Literal["held", "failed", "time_untrusted", "did_not_hold"]


class Rule(Struct, frozen=True):
    """`only`: texts of which the condition demands one, by the root and member of their name: see `concerns`."""

    settings: RuleSettings
    condition: Condition
    only: tuple[tuple[str, str, frozenset[str]], ...] = ()

    def concerns(self, facts: Variables) -> bool:
        """False where the condition is surely false, which costs a tenth of asking it: most rules are about somebody else.

        In CEL a false operand makes a conjunction false even if another operand cannot be evaluated.
        """
        for root, member, texts in self.only:  # noqa: SIM110 (all() takes three times as long)
            if facts[root][member] not in texts:
                return False
        return True


class Ruling(Struct, frozen=True):
    """What the rules come to, without the person it is about. `settings`: of the rule that decided, if one did.

    `slug`: `granted`, or the reason of the denial.
    """

    slug: Slug
    rule: str
    settings: RuleSettings | None = None


class _Plan(Struct, frozen=True):
    """One portal's rules in the order in which they are asked, and the names they ask for, by their roots."""

    rules: tuple[Rule, ...]
    names: Mapping[str, frozenset[str]]


class Policy:
    """The compiled rules. Thread rule: any thread.

    `sha256` names the rules in the journal: lower-case hex over their canonical JSON.
    """

    def __init__(self, rules: Sequence[Rule], sha256: str, *, patient: frozenset[str] = frozenset()) -> None:
        """`patient`: the portals where a rule that needs the hour of an untrusted clock is passed over."""
        self.rules = (
            *(rule for rule in rules if rule.settings.effect == "deny"),
            *(rule for rule in rules if rule.settings.effect == "grant"),
        )
        self.sha256 = sha256
        self._patient = patient
        self._plans: dict[str, _Plan] = {}

    @classmethod
    def compile(cls, rules: Sequence[RuleSettings], *, sha256: str = "", patient: frozenset[str] = frozenset()) -> Self:
        """Compiles the rules and checks each on its own against a sample of every kind of verdict; `soundness.survey` does more.

        Raises ConfigurationError `rule_invalid`; its detail has one line a mistake, naming the rule.
        """
        compiled, mistakes = compile_rules(rules, {})
        if mistakes:
            raise ConfigurationError("rule_invalid", "\n".join(f"rule '{name}': {line}" for name, line in mistakes))
        return cls(compiled, sha256 or _sha256(rules), patient=patient)

    def for_portal(self, portal: str) -> tuple[Rule, ...]:
        """The rules that are asked there, in their order."""
        return self._plan(portal).rules

    def decide(self, facts: Facts, expires_at: float) -> Decision:
        """Grants until `expires_at` (monotonic seconds), or denies. Only a match is ever granted."""
        verdict = facts.verdict
        if isinstance(verdict, AttackPresentation | Inconclusive):
            return Deny(verdict.cause, DEFAULT_RULE)
        ruling = self.ruling(variables(facts))
        rule = ruling.settings
        if rule is not None and rule.effect == "grant" and isinstance(verdict, Match):
            return _grant(rule, facts, expires_at)
        if rule is None:
            return Deny(ruling.slug, ruling.rule)
        return Deny(ruling.slug, rule.name, prompt=rule.prompt, alarm=rule.alarm, notify=rule.notify)

    def ruling(self, facts: Variables) -> Ruling:
        """What the rules come to over these variables: see `kiosk.access.facts.variables`.

        A fault or an attack is denied with its own cause before any rule is asked. Then deny rules, then grant rules, in the
        file's order; the first that holds decides. A rule that cannot be evaluated denies with `rule_failed`.

        A rule whose answer hangs on the hour of a clock that is not known to be right denies with `time_untrusted`. At a portal
        that allows such a clock it is passed over if it would grant, so that a later rule may that needs no hour; a deny rule
        is never passed over.
        """
        verdict = facts["verdict"]
        if verdict["kind"] in SETTLED:
            return Ruling(str(verdict["cause"]), DEFAULT_RULE)
        matched = verdict["kind"] == KINDS[Match]
        plan, unsure = self._plan(str(facts["portal"]["name"])), ""
        context = self.context(facts)
        for rule in plan.rules:
            if rule.settings.effect == "grant" and not matched:
                return Ruling(str(verdict["cause"]), DEFAULT_RULE)
            if not rule.concerns(facts):
                continue
            held = holds(rule.condition, context, trusted=facts["time"]["trusted"] is True)
            if held == "held":
                slug = "granted" if rule.settings.effect == "grant" else rule.settings.reason
                return Ruling(slug, rule.settings.name, rule.settings)
            if self.settles(held, rule, facts):
                return Ruling("rule_failed" if held == "failed" else held, rule.settings.name)
            if held == "time_untrusted":
                unsure = unsure or rule.settings.name
        if not matched:
            return Ruling(str(verdict["cause"]), DEFAULT_RULE)
        return Ruling("time_untrusted", unsure) if unsure else Ruling("no_rule_matched", DEFAULT_RULE)

    def settles(self, held: Held, rule: Rule, facts: Variables) -> bool:
        """Whether no rule after this one is asked."""
        if held == "time_untrusted":
            return rule.settings.effect == "deny" or facts["portal"]["name"] not in self._patient
        return held != "did_not_hold"

    def context(self, facts: Variables) -> cel.Context:
        """What the portal's rules are run against: all that they ask for, and nothing else, for every value costs time."""
        names = self._plan(str(facts["portal"]["name"])).names
        return context_of(
            {
                root: {member: facts[root][member] for member in members if member in facts[root]}
                for root, members in names.items()
                if root in facts
            }
        )

    def _plan(self, portal: str) -> _Plan:
        plan = self._plans.get(portal)
        if plan is None:
            rules = tuple(rule for rule in self.rules if not rule.settings.portals or portal in rule.settings.portals)
            names: dict[str, set[str]] = {}
            for rule in rules:
                for root, _, member in (name.partition(".") for name in rule.condition.names):
                    names.setdefault(root, set()).add(member)
            plan = self._plans[portal] = _Plan(rules, {root: frozenset(members) for root, members in names.items()})
        return plan


def compile_rules(
    rules: Sequence[RuleSettings], choices: Mapping[str, Sequence[str]]
) -> tuple[list[Rule], list[tuple[str, str]]]:
    """The rules that compile, and what is wrong with each on its own: its name and one line a mistake.

    `choices`: for a dotted name, the only texts it can ever hold.
    """
    compiled: list[Rule] = []
    mistakes: list[tuple[str, str]] = []
    for rule in rules:
        found = _setting_mistakes(rule)
        try:
            condition = Condition(rule.when)
        except ConfigurationError as error:
            found.append(error.detail)
        else:
            found += condition.mistakes(SAMPLES, {"verdict.kind": tuple(KINDS.values()), **choices})
            compiled.append(Rule(rule, condition, tuple(_demanded(condition))))
        mistakes += [(rule.name, line) for line in found]
    return compiled, mistakes


def holds(condition: Condition, context: cel.Context, *, trusted: bool) -> Held:
    """`trusted`: whether the clock is known to be right, so that a missing hour is no mistake of the rule."""
    try:
        value = condition.value(context)
    except KeyError as error:
        return "time_untrusted" if not trusted and error.args[:1] and error.args[0] in _CLOCK else "failed"
    except EVALUATION_ERRORS:
        return "failed"
    if not isinstance(value, bool):
        return "failed"
    return "held" if value else "did_not_hold"


def _demanded(condition: Condition) -> Iterator[tuple[str, str, frozenset[str]]]:
    for name, values in demanded(formula(condition.source)):
        root, _, member = name.partition(".")
        # The hour may be missing from the facts, and then the condition must be asked.
        if root != "time" and all(isinstance(value, str) for value in values):
            yield root, member, frozenset(map(str, values))


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


def _setting_mistakes(rule: RuleSettings) -> list[str]:
    found = []
    if rule.name == DEFAULT_RULE:
        found.append(f"'{DEFAULT_RULE}' is the name of the denial that needs no rule; choose another")
    for part in ("reason", "prompt", "alarm"):
        slug = getattr(rule, part)
        if slug and slug not in TABLE:
            found.append(f"{part} '{slug}' is no slug{did_you_mean(slug, TABLE)}")
    return found


def _sha256(rules: Sequence[RuleSettings]) -> str:
    canonical = json.dumps([rule.model_dump(mode="json") for rule in rules], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _sample(verdict: Verdict) -> Variables:
    noon = LocalTime(weekday=2, minute=720, trusted=True, date="2026-03-04", schedules=("office",), holidays=("christmas",))
    person = verdict.person if isinstance(verdict, Match) else ""
    subject = Subject(person, groups=("staff",), tags=("day",))
    card = Credential("card", 0.0, person)
    quality = QualityReport({}, (), 4)
    return variables(Facts(PortalFacts("door"), verdict, subject, quality, 1, 1, noon, credential=card, site="kiosk"))


SAMPLES = {
    KINDS[Match]: _sample(Match("alice", 92.5, 40.5, "sample", tag="staff", false_match_rate=1e-5)),
    KINDS[NonMatch]: _sample(NonMatch("not_recognised", 31.5, "sample")),
    KINDS[AttackPresentation]: _sample(AttackPresentation("not_recognised", "sample")),
    KINDS[Inconclusive]: _sample(Inconclusive("cloud_unreachable", "sample")),
}
"""All variables for a verdict of each kind, with values of the right type."""
