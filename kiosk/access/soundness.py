"""What can be said against rules before they decide anything: by themselves, by each other, and by what the box has."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from msgspec import Struct

from kiosk.access.expression import compared, paths, text_of
from kiosk.access.facts import KINDS, Mode
from kiosk.access.implication import ALWAYS, Atom, Formula, both, formula, implies, never, rarest_first
from kiosk.access.policy import Policy, Rule, compile_rules
from kiosk.domain import CredentialKind, Match, NonMatch
from kiosk.errors import ConfigurationError, did_you_mean
from kiosk.settings import POLICY_PARTS, PortalSettings, RuleSettings, Settings

LIVE = Formula("atom", atom=Atom("liveness.state", "==", "live"))
_SIGNALS = ("lamp_red", "lamp_green", "lamp_blue", "buzzer")
_NEAR = 0.8
"""How alike two names are of which one is probably meant to be the other; only those are warned of, where not all are known."""


class Finding(Struct, frozen=True):
    """`rule`: its name; `text`: what is wrong with it, or probably not meant."""

    rule: str
    text: str


class Soundness(Struct, frozen=True):
    """With `mistakes` the rules are not taken; `warnings` are probably not meant. `rules`: those that compile."""

    rules: tuple[Rule, ...]
    mistakes: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def survey(settings: Settings) -> Soundness:
    """Looks at every rule of a configuration."""
    rules, alone = compile_rules(settings.rules, _choices(settings))
    mistakes = [Finding(name, line) for name, line in alone]
    warnings: list[Finding] = []
    for rule in settings.rules:
        mistakes += (Finding(rule.name, line) for line in _cannot_do(rule, settings))
        warnings += (Finding(rule.name, line) for line in _may_not_do(rule, settings))
    sound = [rule for rule in rules if rule.settings.name not in {finding.rule for finding in mistakes}]
    for finding, surely in _unreachable(sound, settings):
        (mistakes if surely else warnings).append(finding)
    for one in sound:
        warnings += (Finding(one.settings.name, line) for line in _doubts(one, settings))
    order = {rule.name: place for place, rule in enumerate(settings.rules)}
    in_order = sorted(mistakes, key=lambda finding: order[finding.rule])
    return Soundness(tuple(rules), tuple(in_order), tuple(sorted(warnings, key=lambda finding: order[finding.rule])))


def load(settings: Settings, places: Mapping[str, str] | None = None) -> Policy:
    """The policy of a configuration; `places`: of rules by name, `kiosk.toml:12`.

    Its `sha256` is over all that may be changed without a restart: rules, schedules, holidays and people.
    Raises ConfigurationError `rule_invalid`; its detail has one line a mistake, with place and rule.
    """
    found = survey(settings)
    if found.mistakes:
        raise ConfigurationError("rule_invalid", "\n".join(told(finding, places or {}) for finding in found.mistakes))
    parts = settings.model_dump(mode="json", include={*POLICY_PARTS})
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    patient = frozenset(name for name, portal in settings.portals.items() if portal.untrusted_clock == "allow")
    return Policy(found.rules, hashlib.sha256(canonical.encode()).hexdigest(), patient=patient)


def told(finding: Finding, places: Mapping[str, str]) -> str:
    """One line: where, which rule, what."""
    place = f"{places[finding.rule]}: " if finding.rule in places else ""
    return f"{place}rule '{finding.rule}': {finding.text}"


def portals_of(rule: RuleSettings, settings: Settings) -> Mapping[str, PortalSettings]:
    return {name: portal for name, portal in settings.portals.items() if not rule.portals or name in rule.portals}


def _choices(settings: Settings) -> dict[str, Sequence[str]]:
    return {
        "portal.name": tuple(settings.portals),
        "portal.mode": get_args(Mode),
        "liveness.state": ("live", "attack", "doubt", "unchecked"),
        "credential.kind": ("none", *get_args(CredentialKind)),
        "time.schedules": tuple(settings.schedules),
        "time.holidays": tuple(settings.holidays),
    }


def _cannot_do(rule: RuleSettings, settings: Settings) -> Iterator[str]:
    """Effects that do not exist where the rule is asked."""
    if rule.effect == "deny":
        moves = [part for part in ("unlock", "require", "checkout") if getattr(rule, part)]
        yield from (f"a deny rule has no '{part}'" for part in (*moves, *(["hold"] if rule.hold != "none" else [])))
        return
    for name, portal in portals_of(rule, settings).items():
        for output in rule.unlock:
            if output in _SIGNALS:
                yield f"unlock: '{output}' is a signal, no lock"
            elif output not in ("relay", *portal.outputs):
                yield f"unlock: portal '{name}' has no output '{output}'{did_you_mean(output, ['relay', *portal.outputs])}"
        if "card" in rule.require and not portal.readers:
            yield f"require: portal '{name}' has no reader for a card"
        if "qr" in rule.require and not portal.codes and not portal.readers:
            yield f"require: portal '{name}' reads no codes; set its codes = true"


def _may_not_do(rule: RuleSettings, settings: Settings) -> Iterator[str]:
    if rule.effect == "deny":
        return
    for name, portal in portals_of(rule, settings).items():
        if "unlock_seconds" in rule.model_fields_set and rule.unlock_seconds > portal.max_unlock:
            yield f"unlock_seconds is cut to {portal.max_unlock:g}, the max_unlock of portal '{name}'"
        if rule.hold != "none" and portal.interlock:
            yield f"hold: while portal '{name}' is held open, the others of interlock '{portal.interlock}' stay shut"
        if rule.hold != "none" and (portal.anti_passback != "off" or portal.occupancy_limit is not None):
            yield f"hold: while portal '{name}' is held open, nobody is counted"
    people = settings.people.values()
    if "pin" in rule.require and not any(person.pin_hash or person.duress_pin_hash for person in people):
        yield "require: nobody in [people] has a PIN"
    if "card" in rule.require and not any(person.cards for person in people):
        yield "require: nobody in [people] has a card"


def _unreachable(rules: Sequence[Rule], settings: Settings) -> Iterator[tuple[Finding, bool]]:
    """Rules that never hold, or never decide because another one always does; and whether that is surely a mistake.

    A denial in front of a grant may be meant: somebody shuts a door for a while. To refuse that would leave it open.
    """
    asked = sorted(rules, key=lambda rule: rule.settings.effect != "deny")
    formulas = rarest_first({rule.settings.name: formula(rule.condition.source) for rule in asked})
    for place, rule in enumerate(asked):
        name, itself = rule.settings.name, formulas[rule.settings.name]
        portals = portals_of(rule.settings, settings)
        held = {portal: both({"portal.name": (portal,), "verdict.kind": _kinds(rule)}, itself) for portal in portals}
        alive = {portal: one for portal, one in held.items() if not never(one)}
        if never(itself) or (portals and not alive):
            yield Finding(name, f"can never hold{_why(rule, itself)}"), True
            continue
        shadows = [
            next((one for one in asked[:place] if _decides(one, portal, there, formulas)), None)
            for portal, there in alive.items()
        ]
        shadowing = [shadow.settings for shadow in shadows if shadow is not None]
        if shadowing and len(shadowing) == len(shadows):
            names = " or ".join(f"'{shadow}'" for shadow in dict.fromkeys(one.name for one in shadowing))
            text = f"never decides anything: wherever it holds, rule {names} has decided before"
            yield Finding(name, text), all(one.effect == rule.settings.effect for one in shadowing)


def _decides(earlier: Rule, portal: str, held: Formula, formulas: Mapping[str, Formula]) -> bool:
    at_portal = not earlier.settings.portals or portal in earlier.settings.portals
    return at_portal and implies(held, formulas[earlier.settings.name])


def _kinds(rule: Rule) -> tuple[str, ...]:
    """Other verdicts never come so far: an attack or a fault is denied before any rule, and only a match is granted."""
    return (KINDS[Match],) if rule.settings.effect == "grant" else (KINDS[Match], KINDS[NonMatch])


def _why(rule: Rule, held: Formula) -> str:
    if never(held):
        return ": its parts exclude each other, or are always false"
    kinds = " or ".join(_kinds(rule))
    return f": a {rule.settings.effect} rule is asked only about a verdict of {kinds}, and only at its portals"


def _doubts(rule: Rule, settings: Settings) -> Iterator[str]:
    portals = portals_of(rule.settings, settings)
    held = formula(rule.condition.source)
    if rule.settings.effect == "grant" and not {"pin", "card", "qr"} & {*rule.settings.require} and not implies(held, LIVE):
        for name, portal in portals.items():
            if portal.outside and portal.liveness == "off":
                yield (
                    f"grants without liveness at portal '{name}', which strangers can walk up to: a photo is enough. "
                    "Set the portal's liveness, or outside = false"
                )
    asks_hour = [name for name in rule.condition.names if name.startswith("time.") and name != "time.trusted"]
    patient = [name for name, portal in portals.items() if portal.untrusted_clock == "allow"]
    if asks_hour and patient and "time.trusted" not in rule.condition.names and settings.site.clock != "trusted":
        does = "grants nobody" if rule.settings.effect == "grant" else "denies whoever it may be about"
        yield f"asks for {asks_hour[0]}; while the clock is not trusted, which portal '{patient[0]}' allows, it {does}"
    if held == ALWAYS and rule.settings.effect == "deny":
        yield "denies everybody"
    yield from _misspelt(rule, settings)


def _misspelt(rule: Rule, settings: Settings) -> Iterator[str]:
    """Names that are almost one the box knows. Others may stand in the gallery or the cloud, and are not doubted."""
    groups = {group for person in settings.people.values() for group in person.groups}
    groups |= {*settings.on_device.group_ids, *settings.tencent_iai.group_ids, *settings.tencent_legacy.group_ids}
    tags = {tag for person in settings.people.values() for tag in person.tags}
    known = {"subject.person": {*settings.people}, "credential.person": {*settings.people}, "subject.groups": groups}
    known["subject.tags"] = tags
    source = rule.condition.source
    for operand in rule.condition.shape.operands():
        sides = compared(operand)
        if sides is None or sides[1] not in {"==", "!=", "in"}:
            continue
        names = [path for path in paths(operand) if path in known]
        texts = [token.text[1:-1] for token in operand if token.kind == "text" and token.text[0] in "'\""]
        for name in names:
            for text in texts:
                near = difflib.get_close_matches(text, known[name], n=1, cutoff=_NEAR)
                if near and near[0] != text and text not in known[name]:
                    yield f"'{text_of(source, operand)}': this file knows no '{text}'; did you mean '{near[0]}'?"
