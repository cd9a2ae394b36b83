"""Rules: what is refused at load, and who is ever let in."""

from __future__ import annotations

from itertools import permutations
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.access.facts import Facts, LocalTime, PortalFacts, Subject
from kiosk.access.policy import Policy
from kiosk.domain import AttackPresentation, Deny, Grant, Inconclusive, Match, NonMatch, QualityReport, Verdict
from kiosk.errors import ConfigurationError
from kiosk.settings import RuleSettings

Effect = Literal["grant", "deny"]
EFFECTS: tuple[Effect, ...] = ("grant", "deny")

MATCH = Match("alice", 92.0, 30.0, "cloud", tag="staff")
NON_MATCH = NonMatch("not_recognised", 41.0, "cloud")
ATTACK = AttackPresentation("denied_by_rule", "cloud")
FAULT = Inconclusive("cloud_unreachable", "cloud")
NOON = LocalTime(weekday=2, minute=720, trusted=True)


def rule(when: str, effect: Effect = "grant", name: str = "r", **more: object) -> RuleSettings:
    return RuleSettings.model_validate({"name": name, "when": when, "effect": effect, **more})


def facts(verdict: Verdict = MATCH, portal: str = "door", time: LocalTime = NOON, faces: int = 1, attempt: int = 1) -> Facts:
    subject = Subject(verdict.person if isinstance(verdict, Match) else "")
    return Facts(PortalFacts(portal), verdict, subject, QualityReport({}, (), 3), faces, attempt, time)


def decide(*rules: RuleSettings, about: Facts | None = None) -> Grant | Deny:
    return Policy.compile(rules).decide(about or facts(), 12.5)


def mistakes(*rules: RuleSettings) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        Policy.compile(rules)
    assert refused.value.slug == "rule_invalid"
    return refused.value.detail.splitlines()


# Deciding.


def test_a_rule_that_holds_grants_the_matched_person() -> None:
    decision = decide(rule("verdict.kind == 'match' && verdict.score >= 80.0", name="staff", unlock_seconds=4.0))
    assert decision == Grant("alice", "staff", 4.0, 12.5)


@pytest.mark.parametrize(
    "when",
    [
        "subject.person == 'alice'",
        "subject.tag == 'staff'",
        "verdict.kind == 'match'",
        "verdict.score == 92.0",
        "verdict.score > 91",
        "verdict.margin == 30.0",
        "verdict.engine == 'cloud'",
        "verdict.cause == ''",
        "quality.grade == 3",
        "presentation.faces == 1",
        "presentation.attempt == 1",
        "portal.name == 'door'",
        "time.weekday == 2",
        "time.minute == 720",
        "time.trusted",
    ],
)
def test_every_variable_can_be_asked(when: str) -> None:
    assert isinstance(decide(rule(when)), Grant)
    assert decide(rule(f"!({when})")) == Deny("no_rule_matched", "default")


def test_without_rules_nobody_passes() -> None:
    assert decide() == Deny("no_rule_matched", "default")


def test_the_first_grant_that_holds_decides() -> None:
    decision = decide(rule("false", name="a"), rule("true", name="b"), rule("true", name="c"))
    assert decision == Grant("alice", "b", 3.0, 12.5)


def test_a_deny_rule_wins_wherever_it_stands() -> None:
    rules = [
        rule("true", name="everybody"),
        rule("subject.person == 'alice'", "deny", name="alice-stays-out", reason="no_rule_matched"),
        rule("true", "deny", name="nobody"),
    ]
    for order in permutations(rules):
        first_deny = next(each for each in order if each.effect == "deny")
        assert decide(*order) == Deny(first_deny.reason, first_deny.name)


def test_a_rule_counts_only_at_its_portals() -> None:
    only_back = rule("true", name="back", portals=("back",))
    assert decide(only_back) == Deny("no_rule_matched", "default")
    assert isinstance(decide(only_back, about=facts(portal="back")), Grant)
    keep_out = rule("true", "deny", name="shut", portals=("back",))
    assert isinstance(decide(keep_out, rule("true")), Grant)


@pytest.mark.parametrize("verdict", [NON_MATCH, ATTACK, FAULT])
def test_only_a_match_is_ever_granted(verdict: NonMatch | AttackPresentation | Inconclusive) -> None:
    assert decide(rule("true"), about=facts(verdict)) == Deny(verdict.cause, "default")


def test_a_deny_rule_may_name_another_reason_for_a_non_match_but_not_for_a_fault() -> None:
    shut = rule("verdict.score < 50.0", "deny", name="low")
    assert decide(shut, about=facts(NON_MATCH)) == Deny("denied_by_rule", "low")
    assert decide(shut, about=facts(FAULT)) == Deny("cloud_unreachable", "default")
    assert decide(shut, about=facts(ATTACK)) == Deny("denied_by_rule", "default")


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_rule_that_cannot_be_evaluated_denies_and_is_not_skipped(effect: Effect) -> None:
    failing = rule("100 / (3 - presentation.attempt) > 0", effect, name="odd")
    later = rule("true", name="everybody")
    assert decide(failing, later, about=facts(attempt=3)) == Deny("rule_failed", "odd")


# The hour.


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("time.minute >= 480 && time.minute < 1080", Deny("time_untrusted", "r")),
        ("[5, 6].exists(day, day == time.weekday)", Deny("time_untrusted", "r")),
        ("subject.tag == 'staff' || time.minute >= 480", Grant("alice", "r", 3.0, 12.5)),
        ("subject.tag == 'guest' && time.minute >= 480", Deny("no_rule_matched", "default")),
        ("time.trusted && time.minute >= 480", Deny("no_rule_matched", "default")),
        ("!time.trusted || time.minute >= 480", Grant("alice", "r", 3.0, 12.5)),
    ],
)
def test_an_untrusted_hour_is_unknown(when: str, expected: Grant | Deny) -> None:
    assert decide(rule(when), about=facts(time=LocalTime(2, 720, trusted=False))) == expected


def test_a_deny_rule_that_needs_an_untrusted_hour_denies() -> None:
    night = rule("time.minute < 360", "deny", name="night")
    untrusted = facts(time=LocalTime(2, 720, trusted=False))
    assert isinstance(decide(night, rule("true")), Grant)
    assert decide(night, rule("true"), about=untrusted) == Deny("time_untrusted", "night")


# Refused at load.


@pytest.mark.parametrize(
    ("when", "line"),
    [
        ("verdict.score >=", "line 1, column 17: Syntax error: mismatched input '<EOF>'"),
        ("verdict.scor > 3", "unknown name 'verdict.scor'; did you mean 'verdict.score'?"),
        ("subjct.person == 'x'", "unknown name 'subjct.person'; did you mean 'subject.person'?"),
        ("subject == 'x'", "unknown name 'subject'; did you mean 'subject.tag'?"),
        ("verdict['scor'] > 3.0", "unknown name 'verdict'; did you mean 'verdict.kind'?"),
        ("has(verdict.foo)", "unknown name 'verdict.foo'; did you mean 'verdict.score'?"),
        (".subject.foo == 'x'", "unknown name 'subject.foo'; did you mean 'subject.tag'?"),
        (
            "verdict.score > '90'",
            "'verdict.score > '90'': No such overload: the operation is not defined for the given operand types",
        ),
        ("verdict.score == '90'", "'verdict.score == '90'' compares a number with a text"),
        ("subject.person != null", "'subject.person != null' compares a text with null"),
        ("time.weekday in ['mon']", "'time.weekday in ['mon']' compares a number with a text"),
        ("verdict.score + 1 > 90.0", "'verdict.score + 1 > 90.0': Unsupported operation: float + int"),
        ("verdict.kind == 'Match'", "verdict.kind is never 'Match', only match, non_match, attack, inconclusive"),
        ("verdict.kind in ['match', 'fail']", "verdict.kind is never 'fail', only match, non_match, attack, inconclusive"),
        ("wday(time.minute) == 2", "'wday(time.minute) == 2': Undefined variable or function: 'wday'"),
        ("presentation.faces", "'presentation.faces' must come to true or false, but comes to a number"),
        ("time.trusted ? 'yes' : 'no'", "must come to true or false, but comes to a text"),
        ("1 / (presentation.attempt - 1) > 0", "cannot be evaluated for a verdict of match: division by zero in CEL expression"),
    ],
)
def test_a_mistake_is_refused_with_the_rule_and_what_is_wrong(when: str, line: str) -> None:
    assert mistakes(rule(when, name="staff")) == [f"rule 'staff': {line}"]


@pytest.mark.parametrize(
    "hidden",
    [
        "verdict.scor > 3.0",
        "verdict.score > '3'",
        "quality.grade",
        "subject.tag.matches('[')",
        "verdict.kind == 'fail'",
        "size(7) > 0",
    ],
)
@pytest.mark.parametrize(
    "shell",
    [
        "subject.person == 'nobody' && {}",
        "true || {}",
        "subject.person == 'nobody' && (subject.tag == 'x' || !({}))",
        "// a remark\ntrue || ({})",
    ],
)
def test_a_mistake_is_found_behind_an_operand_that_would_hide_it(shell: str, hidden: str) -> None:
    when = shell.format(hidden)
    assert len(mistakes(rule(when))) == 1


@pytest.mark.parametrize(
    "when",
    [
        "subject.person in ['alice', 'bob']",
        "[5, 6].exists(day, day == time.weekday && day > 3)",
        "subject.person.startsWith('a') && size(subject.tag) > 0",
        "presentation.attempt > 1 && 10 / (presentation.attempt - 1) > 1",
        "'verdict.scor && (' != subject.person // foo.bar",
        r"subject.person != r'a\' || subject.person != 'it\'s' && '''verdict.scor''' != subject.tag",
        "{'a': subject.person}.a == 'x'",
        "subject.tag == 'staff' ? verdict.score > 80.0 : time.minute >= 480",
        "(verdict.score > 80.0) && ((time.trusted))",
        "double(quality.grade) + verdict.score > 80.0",
    ],
)
def test_sound_conditions_are_taken(when: str) -> None:
    assert len(Policy.compile([rule(when)]).sha256) == 64


def test_all_mistakes_are_told_at_once() -> None:
    lines = mistakes(
        rule("verdict.scor > 3", name="one"),
        rule("true", name="two"),
        rule("true", "deny", name="three", reason="denied_by_rul"),
        rule("true", name="default"),
    )
    assert lines == [
        "rule 'one': unknown name 'verdict.scor'; did you mean 'verdict.score'?",
        "rule 'three': reason 'denied_by_rul' is no slug; did you mean 'denied_by_rule'?",
        "rule 'default': 'default' is the name of the denial that needs no rule; choose another",
    ]


def test_the_rules_hash_names_them() -> None:
    one, same, other = (Policy.compile([rule(when)]).sha256 for when in ("true", "true", "false"))
    assert one == same
    assert one != other
    swapped = Policy.compile([rule("true", name="b"), rule("true", name="a")])
    assert swapped.sha256 != Policy.compile([rule("true", name="a"), rule("true", name="b")]).sha256


# Always.

CONDITIONS = [
    "true",
    "false",
    "verdict.score >= 50.0",
    "subject.tag == 'staff'",
    "verdict.kind != 'match'",
    "time.minute < 600",
    "100 / (3 - presentation.attempt) > 0",
    "presentation.faces == 1 && portal.name == 'door'",
]
scores = st.floats(0, 100)
verdicts = st.one_of(
    st.builds(Match, st.sampled_from(["alice", "bob"]), scores, scores, st.just("cloud"), tag=st.sampled_from(["", "staff"])),
    st.builds(NonMatch, st.just("not_recognised"), scores, st.just("cloud")),
    st.just(ATTACK),
    st.just(FAULT),
)
any_facts = st.builds(
    facts,
    verdicts,
    st.sampled_from(["door", "back"]),
    st.builds(LocalTime, st.integers(0, 6), st.integers(0, 1439), st.booleans()),
    st.integers(0, 3),
    st.integers(1, 4),
)
any_rules = st.lists(
    st.tuples(st.sampled_from(CONDITIONS), st.sampled_from(EFFECTS), st.sampled_from([(), ("door",), ("back",)])),
    max_size=5,
).map(lambda rows: [rule(when, effect, f"r{number}", portals=portals) for number, (when, effect, portals) in enumerate(rows)])


@given(rules=any_rules, about=any_facts)
@settings(max_examples=300, deadline=None)
def test_no_grant_without_a_match_and_a_rule_and_never_over_a_denial(rules: list[RuleSettings], about: Facts) -> None:
    decision = Policy.compile(rules).decide(about, 12.5)
    alone = {each.name: Policy.compile([each]).decide(about, 12.5) for each in rules}
    denying = [each for each in rules if each.effect == "deny" and alone[each.name].rule == each.name]
    if isinstance(decision, Grant):
        assert isinstance(about.verdict, Match)
        assert decision.person == about.verdict.person
        assert alone[decision.rule] == decision
        assert not denying
        assert decision.expires_at == 12.5
    elif denying and not isinstance(about.verdict, AttackPresentation | Inconclusive):
        assert decision.rule == denying[0].name
