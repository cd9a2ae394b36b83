"""The commands of `kiosk credentials`: parsing and calls, nothing else."""

from __future__ import annotations

import getpass
import secrets
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from kiosk.access import code as codes
from kiosk.access import pin as pins
from kiosk.credentials import keys
from kiosk.errors import ConfigurationError, did_you_mean
from kiosk.terminal import Config, Overrides, load

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Keys, signed codes and PINs.")


@app.command()
def key(
    private: Annotated[Path, typer.Option(help="Where the key that issues goes; it does not belong on the box.")],
    public: Annotated[Path | None, typer.Option(help="Where the key that checks goes; by default to its place.")] = None,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Make the pair of keys for signed codes."""
    read = load(config, overrides)
    public = public or read.site.state_dir / read.credentials.code_key_file
    keys.create(private, public)
    typer.echo(f"{private}: keep it where codes are issued\n{public}: the box checks codes with it")


@app.command()
def issue(
    person: Annotated[str, typer.Argument(help="Whom the code names.")],
    private: Annotated[Path, typer.Option(help="The key that issues.")],
    portal: Annotated[str, typer.Option(help="For this portal alone; without it, for all of the site.")] = "",
    seconds: Annotated[float | None, typer.Option(min=1, help="How long it is good; by default as long as may be.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write it to this picture.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Draw it on the terminal.")] = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Issue a code for one person, good once and for a short time; printed as text."""
    read = load(config, overrides)
    lifetime = read.credentials.code_lifetime if seconds is None else seconds
    if lifetime > read.credentials.code_lifetime:
        raise ConfigurationError(
            "code_lives_too_long", f"{lifetime:g} s; credentials.code_lifetime is {read.credentials.code_lifetime:g}"
        )
    if portal and portal not in read.portals:
        raise ConfigurationError("configuration_invalid", f"'{portal}' is not in [portals]{did_you_mean(portal, read.portals)}")
    if not 1 <= len(person) <= 64:
        raise ConfigurationError("id_unusable", "a person's name has up to 64 characters")
    now = round(time.time())
    audience = f"{read.site.name}/{portal}" if portal else read.site.name
    token = codes.Token(person, audience, now, now + int(lifetime), secrets.token_urlsafe(12))
    text = codes.issue(token, keys.read_private(private))
    if png or show:
        from kiosk.credentials import picture  # noqa: PLC0415 (only pictures need OpenCV)

        if png:
            picture.write_png(text, png)
        if show:
            typer.echo(picture.for_terminal(text))
    typer.echo(text)


@app.command()
def pin(config: Config = None, overrides: Overrides = None) -> None:
    """Ask for a PIN, twice, and print its hash for `people.NAME.pin_hash`."""
    read = load(config, overrides)
    chosen, again = (_ask(prompt) for prompt in ("PIN: ", "again: "))
    if chosen != again:
        raise ConfigurationError("pin_unusable", "the two are not alike")
    if not pins.is_pin(chosen, read.credentials.pin_length):
        raise ConfigurationError("pin_unusable", f"{read.credentials.pin_length} to {pins.LONGEST} digits")
    if len(set(chosen)) == 1 or chosen in _LADDER or chosen in _LADDER[::-1]:
        raise ConfigurationError("pin_unusable", "guessed first: one digit over and over, or digits in order")
    typer.echo(pins.hashed(chosen))


_LADDER = "012345678901"


def _ask(prompt: str) -> str:
    """Without an echo on a terminal; else a line of standard input, as a program gives it."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().strip()
