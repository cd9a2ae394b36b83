"""What the commands show people: tables, and trees with ticks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.tree import Tree

from kiosk import slugs
from kiosk.access.explain import Asked, Explanation, Seen
from kiosk.access.policy import DEFAULT_RULE
from kiosk.access.soundness import Finding, Soundness, told
from kiosk.rules.cases import Case
from kiosk.rules.past import Then
from kiosk.rules.replay import Replay
from kiosk.settings import RuleSettings, Settings
from kiosk.terminal import plain

_TICK = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]–[/]"}
_HELD = {
    "held": "[green]✓[/] holds",
    "did_not_hold": "[red]✗[/] does not hold",
    "failed": "[yellow]![/] cannot be evaluated",
    "time_untrusted": "[yellow]![/] hangs on the time, and the clock was not trusted",
    "not_asked": "[dim]· not asked[/]",
}
_COLOUR = {"grant": "green", "deny": "red"}


def findings(found: Sequence[Finding], places: Mapping[str, str], kind: str, colour: str) -> list[RenderableType]:
    return [f"[{colour}]{kind}[/] {plain(told(finding, places))}" for finding in found]


def by_portal(settings: Settings) -> Table:
    """Every portal's rules in the order in which they are asked."""
    table = Table(title="rules, in the order in which they are asked", title_justify="left")
    for column in ("portal", "", "rule", "when", "then"):
        table.add_column(column, overflow="fold")
    for portal in settings.portals:
        rules = [rule for rule in settings.rules if not rule.portals or portal in rule.portals]
        ordered = sorted(rules, key=lambda rule: rule.effect != "deny")
        for number, rule in enumerate(ordered):
            table.add_row("" if number else plain(portal), str(number + 1), plain(rule.name), plain(rule.when), _effect(rule))
        table.add_row(
            "" if ordered else plain(portal), "", "", "[dim]otherwise[/]", "[red]deny[/] no_rule_matched", end_section=True
        )
    return table


def _effect(rule: RuleSettings) -> str:
    if rule.effect == "deny":
        does = [f"[red]deny[/] {rule.reason}"]
    else:
        what = ", ".join(rule.unlock) or "relay"
        does = [
            f"[green]grant[/] {what} for {rule.unlock_seconds:g} s" if rule.hold == "none" else f"[green]{rule.hold}[/] {what}"
        ]
    does += [f"needs {factor}" for factor in rule.require]
    does += [f"{name} {value}" for name in ("prompt", "alarm", "checkout") if (value := getattr(rule, name))]
    return ", ".join((*does, *(f"tells {name}" for name in rule.notify)))


def summary(sound: Soundness, count: int) -> str:
    wrong, doubtful = len(sound.mistakes), len(sound.warnings)
    if wrong:
        return f"[red]{wrong} mistake(s)[/], {doubtful} warning(s) in {count} rules: a daemon would not take them"
    return f"[green]{count} rules are sound[/], {doubtful} warning(s)"


def cases(tried: Sequence[Case]) -> list[RenderableType]:
    table = Table(title="rule tests", title_justify="left")
    for column in ("", "case", "portal", "expected", "decided", "by rule", ""):
        table.add_column(column, overflow="fold")
    for case in tried:
        decided = _decided(case.outcome, case.reason)
        expected = f"[{_COLOUR[case.expect]}]{case.expect}[/]"
        complaints = "; ".join(map(plain, case.complaints))
        table.add_row(_TICK[case.passed], plain(case.name), plain(case.portal), expected, decided, plain(case.rule), complaints)
    failed = [case for case in tried if not case.passed]
    pictures: list[RenderableType] = [table]
    for case in failed:
        tree = Tree(f"[bold]{plain(case.name)}[/]: {'; '.join(map(plain, case.complaints))}")
        pictures.append(_rules(tree, case.asked, case.rule))
    said = f"[red]{len(failed)} of {len(tried)} failed[/]" if failed else f"[green]{len(tried)} passed[/]"
    return [*pictures, said]


def explanation(then: Then, now: Explanation, language: slugs.Language, *, same: bool) -> RenderableType:
    where = f"row {then.seq}, {then.wall[:23]} UTC, portal {plain(then.portal)}"
    who = f", presentation {then.presentation}" if then.presentation is not None else ""
    meaning = slugs.to_operator(then.reason, language) if then.reason in slugs.TABLE else ""
    held_back = ", but the portal held it back" if then.kind == "withheld" else ""
    outcome = "grant" if then.outcome == "grant" else "deny"
    tree = Tree(f"[bold]{where}{who}[/]: {_decided(outcome, then.reason)} by rule [bold]{plain(then.rule)}[/]{held_back}")
    if meaning:
        tree.add(f"[dim]{plain(meaning)}[/]")
    _rules(tree, now.asked, now.ruling.rule)
    if same:
        return tree
    ruled = "grant" if now.ruling.slug == "granted" else "deny"
    decided = _decided(ruled, "" if ruled == "grant" else now.ruling.slug)
    note = f"[yellow]Other rules decided then.[/] Shown is what today's make of it: {decided} by rule {plain(now.ruling.rule)}"
    return Group(tree, note)


def _rules(tree: Tree, asked: Sequence[Asked], decider: str) -> Tree:
    for one in asked:
        decided = one.rule == decider and one.held != "not_asked"
        mark = "  [bold]← decided[/]" if decided else ""
        effect = f"[{_COLOUR[one.effect]}]{one.effect}[/]"
        branch = tree.add(f"{effect} rule [bold]{plain(one.rule)}[/]  {_HELD[one.held]}{mark}")
        if one.seen is not None:
            _parts(branch, one.seen)
    if decider not in {one.rule for one in asked}:
        tree.add(f"[dim]otherwise:[/] [red]deny[/]  [bold]← decided[/] ({plain(decider)})")
    return tree


def _parts(branch: Tree, seen: Seen) -> None:
    values = f"  [dim]{plain('; '.join(seen.values))}[/]" if seen.values else ""
    text = f"[italic]{seen.text}[/]" if seen.parts else plain(seen.text)
    inner = branch.add(f"{_TICK[seen.truth]} {text}{values}")
    for part in seen.parts:
        _parts(inner, part)


def _decided(outcome: str, reason: str) -> str:
    return f"[{_COLOUR[outcome]}]{outcome}[/]{f' {plain(reason)}' if reason else ''}"


def replay(found: Replay, most: int) -> list[RenderableType]:
    counts = Table(title="the past, decided anew", title_justify="left", show_header=False)
    counts.add_column()
    counts.add_column(justify="right")
    counts.add_row("decisions replayed", str(found.replayed))
    counts.add_row("as they were", str(found.unchanged))
    for kind, count in found.kinds.items():
        counts.add_row(f"[yellow]{kind}[/]", str(count))
    if found.skipped:
        counts.add_row("[dim]not replayable: the journal keeps too little of them[/]", str(found.skipped))
    if not found.changes:
        return [counts]
    table = Table(title="what would have changed", title_justify="left")
    for column in ("row", "time (UTC)", "portal", "person", "then", "by rule", "now", "by rule"):
        table.add_column(column, overflow="fold")
    for change in found.changes[:most]:
        who = plain(change.person) or "[dim]nobody[/]"
        then, now = (_said(what) for what in (change.then, change.now))
        where = str(change.seq), change.wall[:19].replace("T", " "), plain(change.portal), who
        table.add_row(*where, then, plain(change.then_rule), now, plain(change.now_rule))
    left = len(found.changes) - most
    return [counts, table, *([f"[dim]and {left} more; --most and --json show them[/]"] if left > 0 else [])]


def coverage(names: Sequence[str], hits: Mapping[str, int] | None, untested: Sequence[str] | None) -> list[RenderableType]:
    """`hits`: decisions in the journal by rule, None without a journal; `untested`: None without rule tests."""
    table = Table(title="who decided", title_justify="left")
    table.add_column("rule", overflow="fold")
    table.add_column("decisions in the journal", justify="right")
    table.add_column("rule tests")
    for name in names:
        in_journal = "[dim]no journal[/]" if hits is None else str(hits[name]) if hits[name] else "[yellow]never[/]"
        in_tests = "[dim]there are none[/]" if untested is None else "[yellow]never[/]" if name in untested else _TICK[True]
        table.add_row(plain(name), in_journal, in_tests)
    if hits is not None:
        table.add_row("[dim]otherwise[/]", str(hits.get(DEFAULT_RULE, 0)), "")
        other = sum(count for name, count in hits.items() if name not in {*names, DEFAULT_RULE})
        if other:
            table.add_row("[dim]rules that are gone[/]", str(other), "")
    return [table]


def _said(what: str) -> str:
    return _decided("grant", "") if what == "grant" else _decided("deny", what)
