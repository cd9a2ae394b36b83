"""`kiosk gpio list` and `kiosk gpio safe`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from kiosk import configuration
from kiosk.errors import HardwareError
from kiosk.hardware.lines import BOARDS, ChipSeen, LineSeen, chips, keepers_of_levels, put_safe
from kiosk.settings import Settings
from kiosk.settings.lines import LineAddress, parse
from kiosk.terminal import Config, Json

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The box's lines: relays, contacts, lamps.")

_KEEPS = (
    "{}: this kernel leaves a released line as it was. kiosk drives its outputs safe all the same; "
    "'dtparam=strict_gpiod' in config.txt makes the kernel let go as well"
)


@app.command("list")
def list_lines(
    chip: Annotated[str | None, typer.Argument(help="Only this one: gpiochip0, /dev/gpiochip0 or its label.")] = None,
    json: Json = False,
) -> None:
    """Show every chip and its lines: number, name, direction, and who uses them."""
    there = [one for one in chips() if chip is None or chip in {one.path, one.name, one.label}]
    if json:
        typer.echo(msgspec.json.encode({"chips": [asdict(one) for one in there], "keep_levels": keepers_of_levels()}))
        return
    console = Console(highlight=False)
    if not there:
        console.print("no such chip" if chip else "no chip: this box has no /dev/gpiochip")
    for one in there:
        console.print(_title(one), soft_wrap=True)
        if one.lines:
            console.print(_table(one))
    for driver in keepers_of_levels():
        console.print(_KEEPS.format(driver), soft_wrap=True)


@app.command()
def safe(config: Config = None) -> None:
    """Drive every configured output to its safe state and let go of it; for when the service is not running."""
    console = Console(highlight=False)
    failed = False
    for address in outputs(configuration.load(config)):
        try:
            asyncio.run(put_safe(address))
            console.print(f"{address.url}: inactive")
        except HardwareError as error:
            failed = True
            console.print(f"[red]{error.slug}[/red] {error.detail}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def outputs(settings: Settings) -> Iterator[LineAddress]:
    """Those of the kernel's lines that a portal drives."""
    for portal in settings.portals.values():
        for url in (portal.relay, *portal.outputs.values()):
            address = parse(url, "output")
            if address.scheme == "gpiod":
                yield address


def _title(chip: ChipSeen) -> str:
    if chip.closed:
        return f"{chip.path}: this user may not look inside"
    return f"{chip.path} ({chip.label}{', ' + BOARDS[chip.label] if chip.label in BOARDS else ''})"


def _table(chip: ChipSeen) -> Table:
    table = Table("line", "name", "direction", "used by", box=None)
    for line in chip.lines:
        table.add_row(str(line.offset), line.name or "–", _direction(line), line.consumer or ("the kernel" if line.used else "–"))
    return table


def _direction(line: LineSeen) -> str:
    return ("output" if line.output else "input") + (", active low" if line.active_low else "")
