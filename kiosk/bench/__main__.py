"""`scripts/bench [COMMAND] [--json FILE]`: every benchmark of the project is a sub-command; without one, all run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from kiosk.bench import client as client_bench
from kiosk.bench import door as door_bench
from kiosk.bench import frames as frames_bench
from kiosk.bench import on_device as on_device_bench
from kiosk.bench.report import Report

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help="Measure; every figure is printed with its method.")
_report = Report()


@app.callback(invoke_without_command=True)
def choose(
    context: typer.Context,
    json: Annotated[Path | None, typer.Option(help="Also write what was printed to this file.")] = None,
) -> None:
    """All benchmarks, or the one named."""
    if json is not None:
        context.call_on_close(lambda: _report.write(json))
    if context.invoked_subcommand is None:
        frames()
        door()
        client()
        on_device()


@app.command()
def frames(count: Annotated[int, typer.Option(help="Frames measured at each size.")] = 150) -> None:
    """Milliseconds a frame by stage, with one face, at three sizes."""
    frames_bench.measure(_report, count)


@app.command()
def door(
    rounds: Annotated[int, typer.Option(help="How often the scene is played.")] = 3,
    idle: Annotated[float, typer.Option(help="Seconds of the empty hall for idle CPU.")] = 10.0,
) -> None:
    """Face to relay, start-up to READY, memory, and idle CPU of the running daemon."""
    asyncio.run(door_bench.measure(_report, rounds, idle))


@app.command()
def client(
    calls: Annotated[int, typer.Option(help="Calls of each client at each size.")] = 500,
    starts: Annotated[int, typer.Option(help="Fresh interpreters for import time and memory.")] = 7,
) -> None:
    """Our client beside the vendor's own package: wall time, CPU, import time and memory."""
    asyncio.run(client_bench.measure(_report, calls, starts))


@app.command()
def on_device(
    persons: Annotated[
        int, typer.Option(help="Persons enrolled in a file, five faces each; three times as many in RAM only.")
    ] = 20_000,
    rounds: Annotated[int, typer.Option(help="Searches of each kind, and changes of each kind.")] = 100,
) -> None:
    """Searches on the device beside faiss and the memory's own speed; opening, changing and weighing a gallery."""
    on_device_bench.measure(_report, (persons, 3 * persons), rounds)


app()
