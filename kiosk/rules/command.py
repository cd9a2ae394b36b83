"""What every command of `kiosk rules` has in common: options, the rules, output."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType

from kiosk import configuration
from kiosk.access import soundness
from kiosk.access.calendar import Calendar
from kiosk.access.policy import Policy
from kiosk.clock import zone
from kiosk.settings import Settings
from kiosk.terminal import load, print_json

Since = Annotated[str, typer.Option("--since", metavar="7d", help="How far back: 7d, 12h, 30m or a date; by default all.")]

_WIDTH = 120
"""Where the output is no terminal."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One command's surroundings. What is for people who watch goes to `aside`, standard error."""

    settings: Settings
    places: dict[str, str]
    as_json: bool
    console: Console
    aside: Console

    @property
    def calendar(self) -> Calendar:
        """Raises ConfigurationError `calendar_invalid`."""
        return Calendar(self.settings.schedules, self.settings.holidays, zone(self.settings.site.timezone))

    def policy(self) -> Policy:
        """Raises ConfigurationError `rule_invalid`."""
        return soundness.load(self.settings, self.places)

    def show(self, value: object, *pictures: RenderableType) -> None:
        """`value` where JSON is printed, else the pictures."""
        if self.as_json:
            print_json(value)
            return
        for picture in pictures:
            self.console.print(picture, soft_wrap=isinstance(picture, str))


def at_desk(config: Path | None, overrides: list[str] | None, *, as_json: bool) -> Desk:
    """Raises ConfigurationError for mistakes in settings other than of a rule's sense."""
    read = load(config, overrides)
    width = None if sys.stdout.isatty() else _WIDTH
    out = Console(highlight=False, width=width)
    return Desk(read, configuration.places(config, read), as_json, out, Console(stderr=True, highlight=False))
