"""`kiosk rules`: its commands."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kiosk.access import soundness
from kiosk.access.explain import explain as explained
from kiosk.access.policy import DEFAULT_RULE, Ruling
from kiosk.errors import ConfigurationError, KioskError
from kiosk.journal import log
from kiosk.rules import past, pictures
from kiosk.rules.cases import run, undecided
from kiosk.rules.command import Desk, Since, at_desk
from kiosk.rules.replay import replay as replayed
from kiosk.terminal import Config, Json, Overrides, plain

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What the rules say, and would have said.")


@app.command()
def check(config: Config = None, overrides: Overrides = None, as_json: Json = False) -> None:
    """Say what is wrong with the rules, with file and line, and what is probably not meant. Exit 78 on mistakes."""
    desk = at_desk(config, overrides, as_json=as_json)
    found = soundness.survey(desk.settings)
    try:
        desk.calendar  # noqa: B018 (made for its mistakes)
        trouble = ""
    except ConfigurationError as error:
        trouble = error.detail
    wrong, doubtful = (
        [{"rule": one.rule, "place": desk.places.get(one.rule, ""), "text": one.text} for one in several]
        for several in (found.mistakes, found.warnings)
    )
    shown = {
        "mistakes": [*wrong, *([{"rule": "", "place": "", "text": trouble}] if trouble else [])],
        "warnings": doubtful,
        "rules": [rule.model_dump(mode="json") for rule in desk.settings.rules],
    }
    told = [*pictures.findings(found.mistakes, desk.places, "mistake", "red")]
    told += [f"[red]mistake[/] {plain(trouble)}"] if trouble else []
    told += pictures.findings(found.warnings, desk.places, "warning", "yellow")
    desk.show(shown, pictures.by_portal(desk.settings), *told, pictures.summary(found, len(desk.settings.rules)))
    if shown["mistakes"]:
        raise typer.Exit(ConfigurationError.EXIT_CODE)


@app.command("test")
def try_cases(config: Config = None, overrides: Overrides = None, as_json: Json = False) -> None:
    """Run the cases beside the rules, [[rule_tests]]. Exit 1 where one fails, with what each rule made of it."""
    desk = at_desk(config, overrides, as_json=as_json)
    if not desk.settings.rule_tests:
        raise KioskError("rule_tests_missing", "write [[rule_tests]] beside the rules; `kiosk reference` shows one")
    tried = run(desk.settings, desk.policy(), desk.calendar)
    failed = sum(not case.passed for case in tried)
    shown = [msgspec.structs.asdict(case) | {"passed": case.passed} for case in tried]
    desk.show({"passed": len(tried) - failed, "failed": failed, "cases": shown}, *pictures.cases(tried))
    if failed:
        raise typer.Exit(1)


@app.command()
def explain(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="A row's number, p and a presentation's number, or `last`.")],
    config: Config = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Say why a decision of the journal was made: which part of which condition was true, and which was not."""
    desk = at_desk(config, overrides, as_json=as_json)
    policy = desk.policy()
    then = past.find(desk.settings.journal_path, event)
    if then.facts is None:
        raise KioskError("event_not_replayable", f"row {then.seq} does not keep all that the rules were asked about")
    now = explained(policy, then.facts)
    same = then.policy == policy.sha256
    picture = pictures.explanation(then, now, desk.settings.site.language, same=same)
    desk.show({"event": then, "same_rules": same, "ruling": _ruled(now.ruling), "asked": now.asked}, picture)


@app.command()
def replay(
    since: Since = "",
    other: Annotated[Path | None, typer.Option("--with", metavar="FILE", help="The rules of another file instead.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Changed decisions listed in the table.")] = 100,
    config: Config = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Say what these rules, or another file's, would have made of the journal's past. Writes nothing."""
    desk = at_desk(config, overrides, as_json=as_json)
    read = at_desk(other, None, as_json=as_json) if other else desk
    policy, begun = read.policy(), past.moment(since, datetime.now(UTC))
    path = desk.settings.journal_path
    with _progress(desk) as progress:
        task = progress.add_task("decisions", total=log.count(path, past.KINDS, begun))
        found = replayed(past.decisions(path, begun), policy, lambda: progress.advance(task))
    desk.show(found, *pictures.replay(found, most))


@app.command()
def coverage(since: Since = "", config: Config = None, overrides: Overrides = None, as_json: Json = False) -> None:
    """Name the rules that never decided anything in the journal, and those that no rule test comes to."""
    desk = at_desk(config, overrides, as_json=as_json)
    path, hits = desk.settings.journal_path, Counter[str]()
    has_journal = path.is_file()
    if has_journal:
        hits.update(then.rule for then in past.decisions(path, past.moment(since, datetime.now(UTC))))
    untested = undecided(desk.settings, run(desk.settings, desk.policy(), desk.calendar)) if desk.settings.rule_tests else None
    names = [rule.name for rule in desk.settings.rules]
    shown = {
        "hits": {name: hits[name] for name in (*names, DEFAULT_RULE)} if has_journal else None,
        "never_hit": [name for name in names if not hits[name]] if has_journal else None,
        "never_tested": untested,
        "of_other_rules": sum(count for name, count in hits.items() if name not in {*names, DEFAULT_RULE}),
    }
    desk.show(shown, *pictures.coverage(names, hits if has_journal else None, untested))


def _progress(desk: Desk) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=desk.aside, transient=True, disable=not desk.aside.is_terminal)


def _ruled(ruling: Ruling) -> dict[str, object]:
    return {"slug": ruling.slug, "rule": ruling.rule}
