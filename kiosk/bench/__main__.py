"""`scripts/bench [COMMAND] [--json FILE]`: every benchmark of the project is a sub-command; without one, all run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from kiosk.bench import client as client_bench
from kiosk.bench import door as door_bench
from kiosk.bench import frames as frames_bench
from kiosk.bench import landmarks as landmarks_bench
from kiosk.bench import liveness as liveness_bench
from kiosk.bench import on_device as on_device_bench
from kiosk.bench import policy as policy_bench
from kiosk.bench import quality as quality_bench
from kiosk.bench import sandbox as sandbox_bench
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
        landmarks()
        door()
        client()
        sandbox()
        on_device()
        liveness()
        policy()


@app.command()
def frames(count: Annotated[int, typer.Option(help="Frames measured at each size.")] = 150) -> None:
    """Milliseconds a frame by stage, with one face, at three sizes and with each landmark engine."""
    frames_bench.measure(_report, count)


@app.command()
def landmarks(
    rounds: Annotated[int, typer.Option(help="How often each of ten faces is timed.", min=1)] = 20,
    starts: Annotated[int, typer.Option(help="Fresh processes for start and memory.", min=1)] = 5,
) -> None:
    """MediaPipe and LiteRT side by side: cost of a face, start, memory, and how far they are apart."""
    landmarks_bench.measure(_report, rounds, starts)


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
def sandbox(
    seconds: Annotated[float, typer.Option(help="Seconds of each kind of small call.")] = 5.0,
    calls: Annotated[int, typer.Option(help="Calls of CompareFace with photos.")] = 100,
) -> None:
    """Calls a second the sandbox answers: of one core without looking at photos, and of all with."""
    asyncio.run(sandbox_bench.measure(_report, seconds, calls))


@app.command()
def on_device(
    persons: Annotated[
        int, typer.Option(help="Persons enrolled in a file, five faces each; three times as many in RAM only.")
    ] = 20_000,
    rounds: Annotated[int, typer.Option(help="Searches of each kind, and changes of each kind.")] = 100,
) -> None:
    """Searches on the device beside faiss and the memory's own speed; opening, changing and weighing a gallery."""
    on_device_bench.measure(_report, (persons, 3 * persons), rounds)


@app.command()
def liveness(
    people: Annotated[Path | None, typer.Option(help="A folder with more photos to attack with.")] = None,
    clip: Annotated[list[Path] | None, typer.Option(help="A film of a living person; may be given again.")] = None,
    frames: Annotated[int, typer.Option(help="Frames of each presentation.", min=5)] = 6,
    challenges: Annotated[int, typer.Option(help="Pictures with which each attack meets a challenge.", min=0)] = 5,
) -> None:
    """Simulated attacks taken for people, by species, and people who are not. No certified test."""
    liveness_bench.measure(_report, people, clip or (), frames, challenges)


@app.command()
def policy(
    rounds: Annotated[int, typer.Option(help="Decisions of each number of rules.", min=100)] = 2000,
    events: Annotated[int, typer.Option(help="Events of the past decided anew.", min=1)] = 10_000,
) -> None:
    """Milliseconds of a decision by 10, 50 and 200 rules, and seconds of a journal's past replayed."""
    policy_bench.measure_decisions(_report, rounds)
    asyncio.run(policy_bench.measure_replay(_report, events))


@app.command()
def quality(
    plots: Annotated[Path | None, typer.Option(help="A folder to draw the measures' responses into.")] = None,
    people: Annotated[int, typer.Option(help="Of how many people of openpeople.", min=1, max=10)] = 10,
) -> None:
    """What the quality measures make of pictures spoilt by a known amount. Exit 1 where a gate never fires."""
    if silent := quality_bench.measure(_report, plots, people):
        typer.echo(f"never fired: {', '.join(silent)}", err=True)
        raise typer.Exit(1)


app()
