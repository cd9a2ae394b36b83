"""What the commands that look at pictures have in common."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kiosk import logs
from kiosk.settings import Settings
from kiosk.terminal import load


@dataclass(frozen=True, slots=True)
class Desk:
    """`aside`: standard error, for what is not the answer."""

    settings: Settings
    console: Console
    aside: Console


def desk_of(config: Path | None, overrides: list[str] | None) -> Desk:
    read = load(config, overrides)
    logs.configure(read.log)
    return Desk(read, Console(highlight=False), Console(stderr=True, highlight=False))


def progress(desk: Desk, several: bool) -> Progress:
    """To be seen only on a terminal, and only where there is something to wait for."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=desk.aside, disable=not (several and desk.aside.is_terminal), transient=True)


def print_json(value: object) -> None:
    """As one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
