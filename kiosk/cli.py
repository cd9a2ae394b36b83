"""The commands: parsing and calls, nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kiosk import __version__, configuration
from kiosk.errors import ConfigurationError, KioskError
from kiosk.settings import PortalSettings
from kiosk.terminal import Config, Json, Overrides, load

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Edge face verification.")
journal_app = typer.Typer(no_args_is_help=True, help="Read and verify the audit journal.")
models_app = typer.Typer(no_args_is_help=True, help="The model weights the eye needs.")
app.add_typer(journal_app, name="journal")
app.add_typer(models_app, name="models")


def main() -> None:
    """Runs one command; a known error is one line on standard error and an exit code."""
    try:
        app()
    except KioskError as error:
        Console(stderr=True).print(f"[red]{error.slug}[/red] {escape(error.detail)}", highlight=False, soft_wrap=True)
        sys.exit(ConfigurationError.EXIT_CODE if isinstance(error, ConfigurationError) else 1)


@app.command()
def run(config: Config = None, overrides: Overrides = None) -> None:
    """Watch the cameras and guard the portals until stopped."""
    from kiosk import logs, service  # noqa: PLC0415 (only this command needs the daemon)

    source = configuration.Source(config, configuration.pairs(overrides or []))
    read = source.load()
    logs.configure(read.log)
    asyncio.run(service.run(read, source))


@app.command()
def check(config: Config = None, overrides: Overrides = None) -> None:
    """Say whether a configuration is right, and what it would run."""
    from kiosk.check import survey  # noqa: PLC0415

    found = survey(load(config, overrides), config)
    console = Console(highlight=False)
    console.print(found.summary)
    if found.successors is not None:
        console.print(found.successors)
    for problem in found.problems:
        console.print(f"[red]problem[/red] {escape(problem)}", soft_wrap=True)
    for warning in found.warnings:
        console.print(f"[yellow]warning[/yellow] {escape(warning)}", soft_wrap=True)
    if found.problems:
        raise ConfigurationError("configuration_invalid", f"{len(found.problems)} problem(s), named above")
    console.print("[green]ready to run[/green]")


@app.command()
def demo(
    camera: Annotated[str | None, typer.Option(help="A camera URL; the default plays a scene, scene:attack another.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long; by default the scene once, a camera until Ctrl-C.")] = None,
    page: Annotated[bool, typer.Option("--page", help="Serve a status page with the annotated picture.")] = False,
    json: Json = False,
    keep: Annotated[Path | None, typer.Option(help="Keep configuration, journal and logs in this folder.")] = None,
    enrol: Annotated[list[Path] | None, typer.Option(help="A photo to enrol, named after the person; repeatable.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Also write what was printed to this file, as a picture.")] = None,
    recogniser: Annotated[str, typer.Option(help="tencent-legacy, tencent-iai or on-device.")] = "tencent-legacy",
    fallback: Annotated[str, typer.Option(help="Another one, asked while the first is out of reach.")] = "none",
    second_opinion: Annotated[str, typer.Option(help="Another one, asked about every match.")] = "none",
    strategy: Annotated[
        str | None, typer.Option(help="identify, identify+confirm, claim+compare or crowd, with its scene.")
    ] = None,
    liveness: Annotated[str, typer.Option(help="off, passive, passive+challenge or challenge.")] = "passive",
    confirm: Annotated[str, typer.Option(help="Who compares one to one.")] = "same",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Play this file instead, as one of config/examples.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Show the whole way of a face: a sandbox cloud, the daemon and its eye, as separate processes."""
    from kiosk.demo import Wanted, play  # noqa: PLC0415

    portal = {"recogniser": recogniser, "fallback": fallback, "second_opinion": second_opinion, "confirm": confirm}
    portal["liveness"] = liveness
    portal = {name: value for name, value in portal.items() if value != PortalSettings.model_fields[name].default}
    portal |= {"strategy": strategy} if strategy else {}
    wanted = Wanted(config, configuration.pairs(overrides or []), camera, portal)
    try:
        sys.exit(asyncio.run(play(wanted, seconds=seconds, page=page, as_json=json, keep=keep, svg=svg, photos=enrol or ())))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


@app.command()
def bench(
    camera: Annotated[list[str], typer.Option(help="A camera URL; repeatable: all are watched at once.")],
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 20.0,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw each frame's work and lag to this file (.png, .svg, .pdf).")
    ] = None,
    json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Say what this box can do with a camera: milliseconds by stage, frames a second, CPU, memory, and a verdict."""
    from kiosk import logs  # noqa: PLC0415
    from kiosk.bench import camera as camera_bench  # noqa: PLC0415 (only this command needs it)

    read = load(config, overrides)
    logs.configure(read.log)
    asyncio.run(camera_bench.run(read, camera, seconds, plot, as_json=json))


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="The address to listen on; any but loopback only with --tls.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free port.")] = 9181,
    admin_port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the page and the admin endpoint, on loopback.")] = 0,
    secret_id: Annotated[str | None, typer.Option(help="The SecretId to accept; without keys, a new pair is printed.")] = None,
    secret_key: Annotated[str | None, typer.Option(help="The SecretKey to accept; the process list shows it.")] = None,
    secret_id_file: Annotated[Path | None, typer.Option(help="A file with the SecretId to accept.")] = None,
    secret_key_file: Annotated[Path | None, typer.Option(help="A file with the SecretKey to accept.")] = None,
    appid: Annotated[str, typer.Option(help="The account's number, for the older interfaces.")] = "10000001",
    bucket: Annotated[str, typer.Option(help="Likewise; empty accepts every bucket.")] = "sandbox",
    data: Annotated[Path | None, typer.Option(help="Keep people and certificate in this folder; without, in memory.")] = None,
    seed: Annotated[Path | None, typer.Option(help="Enrol the photos of this folder: one folder, or one file, a person.")] = None,
    seed_group: Annotated[str, typer.Option(help="The group they are enrolled in.")] = "seed",
    latency: Annotated[str, typer.Option(metavar="MS|MS-MS", help="Milliseconds that every answer takes longer.")] = "0",
    qps: Annotated[int | None, typer.Option(min=1, help="Calls of each interface in a second; more are refused.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that look at photos.")] = 2,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https with a certificate of its own.")] = False,
    fetch_from: Annotated[
        list[str] | None, typer.Option(metavar="HOST[:PORT]", help="Fetch pictures by URL from here; repeatable.")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="A TOML file that says what shall go wrong.")] = None,
    config: Config = None,
) -> None:
    """Serve the vendor's face interfaces locally; prints one JSON line with its addresses when it listens."""
    from kiosk import logs  # noqa: PLC0415
    from kiosk.sandbox import command  # noqa: PLC0415

    read = configuration.load(config)
    logs.configure(read.log)
    options = command.Options(
        command.Place(host, port, admin_port, tls),
        command.account(appid, bucket, (secret_id, secret_key), (secret_id_file, secret_key_file)),
        command.People(data, seed, seed_group),
        command.Manners(command.span(latency), qps, workers, tuple(fetch_from or ()), faults),
    )
    asyncio.run(command.run_sandbox(read, options))


def _room(name: str, commands: str, words: str, environment: Mapping[str, str] = MappingProxyType({})) -> None:
    """Adds commands that are only loaded when they are called; `environment` is set before, where it is not set yet."""

    def enter(context: typer.Context) -> None:
        for variable, value in environment.items():
            os.environ.setdefault(variable, value)
        sys.exit(resolve_name(commands)(args=context.args, prog_name=f"kiosk {name}", standalone_mode=False))

    whole = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(name, help=words, add_help_option=False, context_settings=whole)(enter)


_room("cloud", "kiosk.cloud.app:cloud", "Ask the vendor's interfaces from the shell, and find out why they do not answer.")
_room(
    "gallery",
    "kiosk.enrolment.app:app",
    "Enrol the people of this box, and look after them.",
    # numpy reads it when it loads. A search waits for memory, not for cores: threads would mostly wait for each other.
    {"OPENBLAS_NUM_THREADS": "1"},
)
_room("rules", "kiosk.rules.app:app", "Check and test the rules, explain what they decided, and replay the past with others.")
_room("camera", "kiosk.camera.app:app", "Find out which cameras there are, and what one of them gives.")
_room("look", "kiosk.look.app:app", "Say everything about the faces of a photo or before a camera.")
_room("quality", "kiosk.look.quality:app", "Grade a folder of photos before they are enrolled.")
_room("gpio", "kiosk.gpio.app:app", "Find out which lines there are, and make the outputs safe.")
_room("credentials", "kiosk.credentials.app:app", "Make keys and signed codes for people to show, and hashes of their PINs.")


@app.command()
def doctor() -> None:
    """Say which system packages are missing and how to install them."""
    from kiosk import system  # noqa: PLC0415

    print(system.report())  # noqa: T201 (the command's output)
    if system.missing():
        raise ConfigurationError("system_incomplete", "see above")


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)  # noqa: T201 (the command's output)


@app.command("reference")
def print_reference() -> None:
    """Print every setting with its default and a comment, as TOML."""
    from kiosk.reference import reference  # noqa: PLC0415

    print(reference(), end="")  # noqa: T201 (the command's output)


@models_app.command("fetch")
def models_fetch(config: Config = None, overrides: Overrides = None) -> None:
    """Download what is missing; every file is held to its SHA-256."""
    from kiosk.vision import models  # noqa: PLC0415

    models.fetch(load(config, overrides).site.models_dir)


@models_app.command("list")
def models_list(config: Config = None, overrides: Overrides = None) -> None:
    """Show each model, its origin, licence and whether it is here and whole."""
    from kiosk.vision import models  # noqa: PLC0415

    Console().print(models.table(load(config, overrides).site.models_dir))


@journal_app.command("tail")
def journal_tail(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many rows.")] = 20,
    json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Print the newest rows, oldest first."""
    from kiosk.journal import show  # noqa: PLC0415

    print(show.tail(load(config, overrides).journal_path, count, as_json=json))  # noqa: T201 (the command's output)


@journal_app.command("verify")
def journal_verify(config: Config = None, overrides: Overrides = None, json: Json = False) -> None:
    """Recompute the hash chain; exit 1 where it is broken."""
    from kiosk.journal import show  # noqa: PLC0415

    text, whole = show.verify(load(config, overrides).journal_path, as_json=json)
    print(text)  # noqa: T201 (the command's output)
    if not whole:
        sys.exit(1)
