"""The cases beside the rules: what is given, what must come of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from kiosk.access.calendar import Calendar
from kiosk.access.condition import family
from kiosk.access.explain import Asked, explain
from kiosk.access.facts import KINDS, LocalTime, Variables, time_variables
from kiosk.access.people import People
from kiosk.access.policy import SAMPLES, Policy
from kiosk.clock import zone
from kiosk.domain import Match
from kiosk.errors import ConfigurationError, did_you_mean
from kiosk.settings import RuleTestSettings, Settings

_NOON = LocalTime(2, 720, trusted=True, date="2026-03-04")
"""A Wednesday; without a calendar, nothing is open and nothing is kept on it."""


class Case(msgspec.Struct, frozen=True):
    """How one case went. `complaints`: none where it passed; `asked`: what every rule made of it."""

    name: str
    portal: str
    expect: str
    outcome: str
    rule: str
    reason: str
    complaints: tuple[str, ...]
    asked: tuple[Asked, ...]
    facts: Variables

    @property
    def passed(self) -> bool:
        return not self.complaints


def run(settings: Settings, policy: Policy, calendar: Calendar) -> list[Case]:
    """Raises ConfigurationError `rule_test_invalid` with one line for each mistake in the cases; else as People does."""
    given, mistakes, people = [], [], People(settings.people)
    for test in settings.rule_tests:
        try:
            given.append((test, facts_of(test, settings, calendar, people)))
        except ConfigurationError as error:
            mistakes.append(f"rule test '{test.name}': {error.detail}")
    if mistakes:
        raise ConfigurationError("rule_test_invalid", "\n".join(mistakes))
    return [_tried(test, facts, policy, settings) for test, facts in given]


def facts_of(test: RuleTestSettings, settings: Settings, calendar: Calendar, people: People) -> Variables:
    """What the rules are asked about: a good match of somebody without groups at noon, and what is said otherwise.

    Somebody who stands in [people] has the groups, tags and dates that stand there, unless the case says otherwise.
    Raises ConfigurationError `rule_test_invalid`.
    """
    facts = {root: dict(members) for root, members in SAMPLES[KINDS[Match]].items()}
    facts["portal"]["name"] = _portal(test, settings)
    facts["portal"]["outside"] = settings.portals[str(facts["portal"]["name"])].outside
    facts["site"]["name"] = settings.site.name
    facts["credential"] = {"kind": "none", "person": "", "duress": False}
    facts["time"] = time_variables(_time(test, settings, calendar))
    facts["subject"] |= {"tag": "", "groups": [], "tags": []}
    if test.given.get("verdict.kind", KINDS[Match]) != KINDS[Match]:
        facts["subject"]["person"] = ""
        facts["verdict"] |= {"cause": "not_recognised", "score": 0.0, "margin": 0.0, "false_match_rate": 1.0}
    person = str(test.given.get("subject.person", facts["subject"]["person"]))
    known = people.subject(person, (), str(facts["time"]["date"]))
    facts["subject"] |= {"groups": list(known.groups), "tags": list(known.tags), "valid": known.valid}
    for name, value in test.given.items():
        root, _, member = name.partition(".")
        facts[root][member] = _fitting(name, value)
    return facts if facts["time"]["trusted"] else {**facts, "time": {"trusted": False}}


def _portal(test: RuleTestSettings, settings: Settings) -> str:
    name = test.portal or next(iter(settings.portals))
    if name not in settings.portals:
        near = did_you_mean(name, settings.portals)
        raise ConfigurationError("rule_test_invalid", f"portal '{name}' is not in [portals]{near}")
    return name


def _time(test: RuleTestSettings, settings: Settings, calendar: Calendar) -> LocalTime:
    at = test.at or f"{_NOON.date} 12:00"
    try:
        local = datetime.fromisoformat(at)
    except ValueError as error:
        raise ConfigurationError("rule_test_invalid", f"at: '{at}' is no time such as 2026-12-24 18:30") from error
    if local.tzinfo is not None:
        raise ConfigurationError("rule_test_invalid", f"at: '{at}' is to be local time, without a zone")
    return calendar.at(local.replace(tzinfo=zone(settings.site.timezone)).timestamp(), trusted=True)


def _fitting(name: str, value: object) -> object:
    """`value` as the facts hold it. Raises ConfigurationError where there is no such name, or it is of another kind."""
    root, _, member = name.partition(".")
    sample = SAMPLES[KINDS[Match]]
    if root not in sample or member not in sample[root]:
        known = [f"{one}.{inner}" for one, members in sample.items() for inner in members]
        raise ConfigurationError("rule_test_invalid", f"given: unknown name '{name}'{did_you_mean(name, known)}")
    usual = sample[root][member]
    if family(usual) != family(value):
        raise ConfigurationError("rule_test_invalid", f"given: {name} is {family(usual)}, not {family(value)}")
    return float(value) if isinstance(usual, float) and isinstance(value, int) else value


def _tried(test: RuleTestSettings, facts: Variables, policy: Policy, settings: Settings) -> Case:
    explained = explain(policy, facts)
    ruling = explained.ruling
    outcome, reason = ("grant", "") if ruling.slug == "granted" else ("deny", ruling.slug)
    rule = next((one for one in settings.rules if one.name == ruling.rule), None)
    waits_for = rule.require if rule and outcome == "grant" else ()
    complaints = tuple(_complaints(test, outcome, ruling.rule, reason, waits_for))
    portal = str(facts["portal"]["name"])
    return Case(test.name, portal, test.expect, outcome, ruling.rule, reason, complaints, explained.asked, facts)


def _complaints(test: RuleTestSettings, outcome: str, rule: str, reason: str, waits_for: Sequence[str]) -> Iterator[str]:
    for what, wanted, got in (("", test.expect, outcome), ("rule ", test.rule, rule), ("reason ", test.reason, reason)):
        if wanted and wanted != got:
            yield f"{what}{got or 'none'} instead of {what}{wanted}"
    if test.require is not None and set(test.require) != set(waits_for):
        yield f"waits for {', '.join(waits_for) or 'nothing'} instead of {', '.join(test.require) or 'nothing'}"


def undecided(settings: Settings, cases: Sequence[Case]) -> list[str]:
    """Rules by which no case was decided."""
    hit = {case.rule for case in cases}
    return [rule.name for rule in settings.rules if rule.name not in hit]
