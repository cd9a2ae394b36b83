"""What the commands have in common: options, settings, and how answers and refusals are printed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from kiosk import configuration, slugs
from kiosk.errors import KioskError
from kiosk.settings import Settings

Config = Annotated[Path | None, typer.Option("--config", "-c", help="The TOML file; without it, the defaults.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Overrides one setting.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def load(config: Path | None, overrides: list[str] | None) -> Settings:
    """What the two common options ask for. Raises ConfigurationError."""
    return configuration.load(config, configuration.pairs(overrides or []))


def printable(text: str) -> str:
    """Text from outside, without control characters."""
    return "".join(c if c.isprintable() else "?" for c in text)


def plain(text: str) -> str:
    """Text from outside: no markup, no control characters."""
    return escape(printable(text))


def as_json(value: object) -> str:
    """To be read by people too; ends with a line's end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def print_json(value: object) -> None:
    sys.stdout.write(as_json(value))


def tell(
    error: KioskError, language: slugs.Language, *, in_json: bool, besides: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Slug, what it means to an operator, and where; on standard error, or as JSON on standard output.

    `besides`: what JSON says too; a `code` among it stands beside the slug in text.
    """
    meaning = slugs.to_operator(error.slug, language)
    if in_json:
        print_json({"error": {"slug": error.slug, **besides, "meaning": meaning, "detail": error.detail}})
        return
    console, code = Console(stderr=True, highlight=False), besides.get("code", "")
    console.print(f"[bold red]{error.slug}[/]" + (f"  {plain(code)}" if code else ""), soft_wrap=True)
    console.print(f"  {plain(meaning)}", soft_wrap=True)
    if error.detail:
        console.print(f"  [dim]{plain(error.detail)}[/]", soft_wrap=True)
