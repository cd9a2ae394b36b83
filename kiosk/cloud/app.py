"""`kiosk cloud`: its sub-commands together, and the two that are about the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kiosk.cloud import faces, library
from kiosk.cloud.command import load
from kiosk.cloud.doctor import Examination, examine
from kiosk.cloud.session import Session
from kiosk.cloud.tape import Tape
from kiosk.recognition.build import TencentSettings
from kiosk.settings import Settings
from kiosk.terminal import Config, Json, Overrides, plain, print_json

cloud = faces.app
cloud.add_typer(library.groups, name="groups")
cloud.add_typer(library.persons, name="persons")

_COLOURS = {"ok": "green", "failed": "bold red", "skipped": "dim"}


@cloud.command()
def doctor(context: typer.Context, as_json: Json = False, config: Config = None, overrides: Overrides = None) -> None:
    """Try everything between this box and the account: name, port, TLS, clock, signature, account. Exit 1 where it fails."""
    read = load(config, overrides)
    found = asyncio.run(_examine(Session(read, context.find_object(Tape))))
    if as_json:
        print_json([{"name": one.name, "endpoint": one.endpoint, "steps": one.steps, "advice": one.advice} for one in found])
    else:
        _show(found, read)
    if not all(one.healthy for one in found):
        raise typer.Exit(1)


@cloud.command(context_settings={"ignore_unknown_options": True})
def record(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Exchanges are added to it as JSON lines.")],
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="Any other command of `kiosk cloud`.")],
) -> None:
    """Run a command and store what was said, without keys, signatures and pictures; ids and names stay."""
    assert context.parent is not None, "a sub-command has a parent"
    with Tape(file) as tape:
        try:
            code = context.parent.command.main(command, prog_name="kiosk cloud", standalone_mode=False, obj=tape)
        finally:
            added = f"{tape.count} exchange{'s' * (tape.count != 1)} added to {plain(str(file))}"
            Console(stderr=True, highlight=False).print(f"[dim]{added}[/]", soft_wrap=True)
    raise typer.Exit(code or 0)


async def _examine(session: Session) -> Sequence[Examination]:
    """Both hosts side by side; the older one only where an account for it is named."""
    sections: list[TencentSettings] = [session.settings.tencent_iai]
    if session.settings.tencent_legacy.appid:
        sections.append(session.settings.tencent_legacy)
    async with session:
        return await asyncio.gather(*(examine(session, section) for section in sections))


def _show(found: Sequence[Examination], read: Settings) -> None:
    console = Console(highlight=False)
    for one in found:
        table = Table(title=f"[bold]{one.name}[/] {plain(one.endpoint)}", title_justify="left", show_header=False)
        for step in one.steps:
            spent = "" if step.milliseconds is None else f"{step.milliseconds:.0f} ms"
            table.add_row(step.name, f"[{_COLOURS[step.state]}]{step.state}[/]", spent, plain(step.found))
        table.columns[2].justify = "right"
        console.print(table)
        if one.advice:
            console.print(f"[yellow]what to do[/] {plain(one.advice)}")
    if not read.tencent_legacy.appid:
        console.print("[dim]the older host is not configured (tencent_legacy.appid is empty)[/]")
