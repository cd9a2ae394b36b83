"""Rules: what is refused at load, and who is ever let in."""

from __future__ import annotations

from itertools import permutations
from typing import Literal

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.access.explain import explain
from kiosk.access.facts import Facts, LocalTime, PortalFacts, Subject, variables
from kiosk.access.implication import formula, implies, never
from kiosk.access.policy import Policy
from kiosk.access.soundness import load, survey, told
from kiosk.domain import AttackPresentation, Deny, Grant, Inconclusive, Match, NonMatch, QualityReport, Verdict
from kiosk.errors import ConfigurationError
from kiosk.settings import RuleSettings, Settings

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


# The quick way and the plain one.

OPERANDS = [
    "verdict.kind == 'match'",
    "verdict.score > 50.0",
    "verdict.score >= 50.0",
    "verdict.score < 80.0",
    "verdict.score != 90.0",
    "subject.person == 'alice'",
    "subject.person in ['alice', 'bob']",
    "subject.person != 'bob'",
    "'bob' == subject.person",
    "subject.tag == 'staff'",
    "presentation.faces == 1",
    "presentation.faces <= 2",
    "100 / (3 - presentation.attempt) > 0",
    "time.minute < 600",
    "time.minute >= 480",
    "'office' in time.schedules",
    "time.trusted",
    "portal.name == 'door'",
    "true",
    "1 > 2",
]
conditions = st.recursive(
    st.sampled_from(OPERANDS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda each: f"({each[0]}) {each[1]} ({each[2]})"),
        inner.map(lambda each: f"!({each})"),
    ),
    max_leaves=5,
)
mixed_rules = st.lists(st.tuples(conditions, st.sampled_from(EFFECTS), st.sampled_from([(), ("door",)])), max_size=6).map(
    lambda rows: [rule(when, effect, f"r{number}", portals=portals) for number, (when, effect, portals) in enumerate(rows)]
)
facts_at_any_hour = st.builds(
    facts,
    verdicts,
    st.sampled_from(["door", "back"]),
    st.builds(
        LocalTime,
        st.integers(0, 6),
        st.integers(0, 1439),
        st.booleans(),
        schedules=st.sampled_from([(), ("office",)]),
    ),
    st.integers(0, 3),
    st.integers(1, 4),
)


def one_by_one(rules: list[RuleSettings], about: Facts, *, patient: bool) -> tuple[str, str]:
    """Every condition of its own, over all variables: what the rules are said to come to."""
    known = variables(about)
    cause, unsure = known["verdict"]["cause"], ""
    if known["verdict"]["kind"] in ("attack", "inconclusive"):
        return str(cause), "default"
    for each in sorted(rules, key=lambda each: each.effect == "grant"):
        if each.portals and about.portal.name not in each.portals:
            continue
        if each.effect == "grant" and not isinstance(about.verdict, Match):
            break
        try:
            held = cel.compile(each.when).execute(dict(known))
        except KeyError:
            if not patient or each.effect == "deny":
                return "time_untrusted", each.name
            unsure = unsure or each.name
            continue
        except ArithmeticError:
            return "rule_failed", each.name
        if held:
            return ("granted" if each.effect == "grant" else each.reason), each.name
    if not isinstance(about.verdict, Match):
        return str(cause), "default"
    return ("time_untrusted", unsure) if unsure else ("no_rule_matched", "default")


@given(rules=mixed_rules, about=facts_at_any_hour, patient=st.booleans())
@settings(max_examples=300, deadline=None)
def test_rules_come_to_what_each_of_them_comes_to_alone(rules: list[RuleSettings], about: Facts, patient: bool) -> None:
    policy = Policy.compile(rules, patient=frozenset({"door", "back"}) if patient else frozenset())
    ruling = policy.ruling(variables(about))
    assert (ruling.slug, ruling.rule) == one_by_one(rules, about, patient=patient)


@given(rules=mixed_rules, about=facts_at_any_hour)
@settings(max_examples=200, deadline=None)
def test_an_explanation_agrees_with_the_decision(rules: list[RuleSettings], about: Facts) -> None:
    policy, known = Policy.compile(rules), variables(about)
    explained = explain(policy, known)
    ruling = policy.ruling(known)
    assert explained.ruling == ruling
    assert [one.rule for one in explained.asked] == [one.settings.name for one in policy.for_portal(about.portal.name)]
    asked = [one for one in explained.asked if one.held != "not_asked"]
    assert all(one.held == "did_not_hold" for one in asked[:-1])
    for one in asked:
        assert one.seen is not None
        assert one.seen.truth == {"held": True, "did_not_hold": False}.get(one.held)
    if ruling.settings is not None:
        assert (asked[-1].rule, asked[-1].held) == (ruling.rule, "held")


def test_an_explanation_shows_each_operand_with_its_values() -> None:
    staff = rule("subject.tag == 'staff' && (verdict.score > 95.0 || !time.trusted)", name="staff")
    (asked,) = explain(Policy.compile([staff]), variables(facts())).asked
    assert asked.seen is not None
    tag, either = asked.seen.parts
    assert (asked.seen.text, tag.truth, tag.values) == ("all of", True, ("subject.tag is 'staff'",))
    assert [(part.text, part.truth) for part in either.parts] == [("verdict.score > 95.0", False), ("not", False)]
    assert either.parts[0].values == ("verdict.score is 92",)


# What can be proven of conditions.


@given(one=conditions, other=conditions, about=facts_at_any_hour)
@settings(max_examples=500, deadline=None)
def test_what_is_said_to_follow_does_follow(one: str, other: str, about: Facts) -> None:
    known = dict(variables(about))

    def held(when: str) -> object:
        try:
            return cel.compile(when).execute(known)
        except (KeyError, ArithmeticError):
            return None

    if held(one) is True:
        assert not never(formula(one))
        if implies(formula(one), formula(other)):
            assert held(other) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("verdict.score >= 90.0", "verdict.score > 80"),
        ("verdict.score > 90.0 && subject.tag == 'x'", "verdict.score >= 90.0"),
        ("subject.person == 'bob'", "subject.person in ['alice', 'bob']"),
        ("subject.person == 'bob'", "subject.person != 'alice' || verdict.score > 9.0"),
        ("presentation.faces == 1", "presentation.faces <= 2"),
        ("!(verdict.score < 90.0)", "verdict.score > 80.0"),
        ("time.trusted", "time.trusted == true"),
        ("'office'   in time.schedules", "'office' in time.schedules // at work"),
        ("(subject.tag == 'a' || subject.tag == 'b') && time.trusted", "subject.tag in ['a', 'b', 'c']"),
        ("size(subject.groups) > 2 && time.trusted", "size( subject.groups )>2"),
    ],
)
def test_what_follows_is_found(one: str, other: str) -> None:
    assert implies(formula(one), formula(other))
    assert not implies(formula(other), formula(one)) or formula(one) == formula(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("subject.person > 'm'", "subject.person != 'z'"),
        ("verdict.score >= 80.0", "verdict.score > 80.0"),
        ("!subject.valid in [true]", "!(subject.valid in [true])"),
        ("subject.tag == 'a' || time.trusted", "subject.tag == 'a'"),
        ("verdict.score < 20.0", "verdict.score > 10.0"),
    ],
)
def test_what_does_not_follow_is_not_claimed(one: str, other: str) -> None:
    assert not implies(formula(one), formula(other))


# A whole configuration.

OFFICE = {"office": {"spans": ["mon-fri 08:00-18:00"]}}


def surveyed(*rules: RuleSettings, portal: dict[str, object] | None = None, **more: object) -> tuple[list[str], list[str]]:
    """Mistakes and warnings. The portal is inside unless said otherwise, so that nothing is said of liveness."""
    door = {"outside": False, **(portal or {})}
    read = Settings.model_validate({"portals": {"door": door, "back": {**door, "camera": "rear", "relay": "sim:back"}},
                                    "cameras": {"front": {}, "rear": {}}, "rules": rules, **more})  # fmt: skip
    found = survey(read)
    return [told(one, {}) for one in found.mistakes], [told(one, {}) for one in found.warnings]


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ([rule("true", name="all"), rule("subject.tag == 'x'", name="b")],
         "rule 'b': never decides anything: wherever it holds, rule 'all' has decided before"),
        ([rule("verdict.kind == 'match'", name="all"), rule("verdict.score > 90.0", name="b")], "rule 'b': never decides"),
        ([rule("true", name="front", portals=("door",)), rule("true", name="rear", portals=("back",)),
          rule("subject.tag == 'x'", name="b")],
         "rule 'b': never decides anything: wherever it holds, rule 'front' or 'rear' has decided before"),
        ([rule("verdict.score > 90.0 && verdict.score < 80.0", name="b")], "rule 'b': can never hold: its parts exclude"),
        ([rule("false && subject.tag == 'x'", name="b")], "rule 'b': can never hold: its parts exclude"),
        ([rule("verdict.kind == 'attack'", "deny", name="b")],
         "rule 'b': can never hold: a deny rule is asked only about a verdict of match or non_match"),
        ([rule("verdict.kind == 'non_match'", name="b")], "rule 'b': can never hold: a grant rule is asked only about"),
        ([rule("portal.name == 'back'", name="b", portals=("door",))], "rule 'b': can never hold"),
        ([rule("portal.name == 'dor'", name="b")], "rule 'b': portal.name is never 'dor', only door, back"),
        ([rule("'ofice' in time.schedules", name="b")], "rule 'b': time.schedules has never 'ofice', only office"),
        ([rule("'xmas' in time.holidays", name="b")], "rule 'b': time.holidays has never 'xmas'"),
        ([rule("portal.mode == 'open'", name="b")], "rule 'b': portal.mode is never 'open', only normal, held_open,"),
        ([rule("credential.kind == 'badge'", name="b")], "rule 'b': credential.kind is never 'badge', only none, pin, card,"),
        ([rule("liveness.state == 'alive'", name="b")], "rule 'b': liveness.state is never 'alive', only live,"),
        ([rule("true", name="b", unlock=("gat",))], "rule 'b': unlock: portal 'door' has no output 'gat'; did you mean 'gate'?"),
        ([rule("true", name="b", unlock=("buzzer",))], "rule 'b': unlock: 'buzzer' is a signal, no lock"),
        ([rule("true", name="b", require=("card",))], "rule 'b': require: portal 'door' has no reader for a card"),
        ([rule("true", name="b", require=("qr",))], "rule 'b': require: portal 'door' reads no codes; set its codes = true"),
        ([rule("true", "deny", name="b", hold="open")], "rule 'b': a deny rule has no 'hold'"),
        ([rule("true", name="b", alarm="intruder")], "rule 'b': alarm 'intruder' is no slug"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_work_is_a_mistake(rules: list[RuleSettings], line: str) -> None:
    mistakes, _ = surveyed(*rules, schedules=OFFICE, portal={"outputs": {"gate": "sim:gate", "buzzer": "sim:buzzer"}})
    assert mistakes[0].startswith(line)


@pytest.mark.parametrize(
    ("each", "portal", "line"),
    [
        (rule("true", name="b"), {"outside": True, "liveness": "off"}, "rule 'b': grants without liveness at portal 'door'"),
        (rule("time.minute > 9", name="b"), {"untrusted_clock": "allow"}, "rule 'b': asks for time.minute; while the"),
        (rule("subject.person == 'alise'", name="b"), {},
         "rule 'b': 'subject.person == 'alise'': this file knows no 'alise'; did you mean 'alice'?"),
        (rule("'staf' in subject.groups", name="b"), {}, "rule 'b': ''staf' in subject.groups': this file knows no 'staf'; did "),
        (rule("true", name="b", require=("pin",)), {}, "rule 'b': require: nobody in [people] has a PIN"),
        (rule("true", name="b", unlock_seconds=20.0), {}, "rule 'b': unlock_seconds is cut to 10, the max_unlock of portal"),
        (rule("true", name="b", hold="open"), {"interlock": "trap"}, "rule 'b': hold: while portal 'door' is held open, "),
        (rule("true", "deny", name="b"), {}, "rule 'b': denies everybody"),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_warned_of(each: RuleSettings, portal: dict[str, object], line: str) -> None:
    mistakes, warnings = surveyed(each, portal=portal, people={"alice": {"groups": ["staff"]}})
    assert mistakes == []
    assert warnings[0].startswith(line)


def test_a_denial_that_shuts_the_door_is_taken_and_warned_of() -> None:
    grant = rule("subject.tag == 'x'", name="staff")
    mistakes, warnings = surveyed(grant, rule("true", "deny", name="shut"))
    assert mistakes == []
    assert warnings == [
        "rule 'staff': never decides anything: wherever it holds, rule 'shut' has decided before",
        "rule 'shut': denies everybody",
    ]


@pytest.mark.parametrize(
    ("rules", "portal"),
    [
        ([rule("liveness.state == 'live' && verdict.score > 80.0", name="a")], {"outside": True}),
        ([rule("true", name="a")], {"outside": True, "liveness": "passive"}),
        ([rule("time.trusted && time.minute > 9", name="a")], {"untrusted_clock": "allow"}),
        ([rule("subject.person == 'zoe'", name="a"), rule("'visitors' in subject.groups", name="b")], {}),
        ([rule("verdict.score > 90.0", name="a"), rule("verdict.score > 80.0", name="b")], {}),
        ([rule("subject.tag == 'x'", name="a", portals=("door",)), rule("subject.tag == 'x'", name="b")], {}),
        ([rule("subject.tag == 'x'", "deny", name="a", portals=("back",)), rule("subject.tag == 'x'", name="b")], {}),
        ([rule("true", name="a", unlock=("relay",), unlock_seconds=9.0)], {}),
    ],
)
def test_nothing_is_said_against_what_works(rules: list[RuleSettings], portal: dict[str, object]) -> None:
    assert surveyed(*rules, portal=portal, people={"alice": {"groups": ["staff"]}}) == ([], [])


@given(rules=mixed_rules, about=facts_at_any_hour)
@settings(max_examples=300, deadline=None)
def test_a_rule_called_unreachable_never_decides(rules: list[RuleSettings], about: Facts) -> None:
    read = Settings.model_validate(
        {
            "portals": {"door": {}, "back": {"camera": "rear", "relay": "sim:back"}},
            "cameras": {"front": {}, "rear": {}},
            "rules": rules,
            "schedules": OFFICE,
        }
    )
    found = survey(read)
    called = {
        one.rule for one in (*found.mistakes, *found.warnings) if "can never hold" in one.text or "never decides" in one.text
    }
    ruling = Policy.compile(rules).ruling(variables(about))
    assert ruling.slug in {"rule_failed", "time_untrusted"} or ruling.rule not in called


def test_where_an_untrusted_clock_is_allowed_another_rule_may_grant_but_no_denial_is_passed_over() -> None:
    by_day, always = rule("time.minute >= 480", name="day"), rule("subject.tag == 'staff'", name="staff")
    night = rule("time.minute < 360", "deny", name="night")
    untrusted = facts(time=LocalTime(2, 720, trusted=False))

    def decided(*rules: RuleSettings, manner: str) -> Grant | Deny:
        read = Settings.model_validate({"portals": {"door": {"untrusted_clock": manner}}, "rules": rules})
        return load(read).decide(untrusted, 12.5)

    assert decided(by_day, always, manner="deny") == Deny("time_untrusted", "day")
    assert decided(by_day, always, manner="allow") == Grant("alice", "staff", 3.0, 12.5)
    assert decided(by_day, manner="allow") == Deny("time_untrusted", "day")
    assert decided(night, always, manner="allow") == Deny("time_untrusted", "night")


def test_the_hash_of_a_configuration_is_over_all_that_can_be_reloaded() -> None:
    whole = {"rules": [rule("true")], "schedules": OFFICE, "people": {"alice": {"groups": ["staff"]}}}
    changed = [{**whole, "schedules": {}}, {**whole, "people": {}}, {**whole, "rules": []}, {**whole, "web": {"port": 1}}]
    first, *others = (load(Settings.model_validate(each)).sha256 for each in (whole, *changed))
    assert [other == first for other in others] == [False, False, False, True]
