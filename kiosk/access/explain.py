"""Why the rules decided as they did: each rule that was asked, and what every part of its condition came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import cel
from msgspec import Struct

from kiosk.access.condition import EVALUATION_ERRORS, Condition
from kiosk.access.expression import Part, paths, text_of
from kiosk.access.facts import KINDS, Variables
from kiosk.access.policy import SETTLED, Held, Policy, Ruling, holds
from kiosk.domain import Match

_JOINED: dict[str, str] = {"and": "all of", "or": "any of", "not": "not", "if": "if, then, else"}


class Seen(Struct, frozen=True):
    """One part of a condition. `text`: as it stands in the rule, or how its `parts` are joined.

    `truth`: None where it came to nothing. `values`: what the names in it stood for, `verdict.score is 92`.
    """

    text: str
    truth: bool | None
    values: tuple[str, ...] = ()
    parts: tuple[Seen, ...] = ()


class Asked(Struct, frozen=True):
    """One rule, as it was asked. `seen`: None for a rule behind the one that decided."""

    rule: str
    effect: Literal["grant", "deny"]
    held: Held | Literal["not_asked"]
    seen: Seen | None = None


class Explanation(Struct, frozen=True):
    ruling: Ruling
    asked: tuple[Asked, ...]


def explain(policy: Policy, facts: Variables) -> Explanation:
    """What the policy makes of these facts, and how. The rules that were asked come first, in their order."""
    ruling = policy.ruling(facts)
    asked: list[Asked] = []
    over = facts["verdict"]["kind"] in SETTLED
    context, trusted = policy.context(facts), facts["time"]["trusted"] is True
    for rule in policy.for_portal(str(facts["portal"]["name"])):
        grants_nobody = rule.settings.effect == "grant" and facts["verdict"]["kind"] != KINDS[Match]
        if over or grants_nobody:
            asked.append(Asked(rule.settings.name, rule.settings.effect, "not_asked"))
            continue
        held = holds(rule.condition, context, trusted=trusted)
        asked.append(Asked(rule.settings.name, rule.settings.effect, held, look(rule.condition, context, facts)))
        over = policy.settles(held, rule, facts)
    return Explanation(ruling, tuple(asked))


def look(condition: Condition, context: cel.Context, facts: Variables) -> Seen:
    """Every part of the condition on its own; those that the rest made needless are looked at as well."""
    return _look(condition.source, condition.shape, context, facts)


def _look(source: str, part: Part, context: cel.Context, facts: Variables) -> Seen:
    text = text_of(source, part.tokens)
    try:
        value = Condition(text).value(context)
    except EVALUATION_ERRORS:
        value = None
    truth = value if isinstance(value, bool) else None
    if part.operation == "operand":
        return Seen(text, truth, tuple(_values(part, facts)))
    return Seen(_JOINED[part.operation], truth, (), tuple(_look(source, inner, context, facts) for inner in part.parts))


def _values(part: Part, facts: Variables) -> Iterator[str]:
    for path in dict.fromkeys(paths(part.tokens)):
        root, _, member = path.partition(".")
        members: Mapping[str, object] = facts.get(root, {})
        if member in members:
            yield f"{path} is {_shown(members[member])}"
        elif root == "time":
            yield f"{path} is not known: the clock was not trusted"
        else:
            yield f"{path} is not known"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "empty"
    return f"'{value}'" if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
