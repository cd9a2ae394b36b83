"""`kiosk gallery calibration`: what a score means, on which data that rests, and how far it reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from kiosk.enrolment.command import Desk, at_desk
from kiosk.errors import ConfigurationError, KioskError
from kiosk.recognition.on_device import calibration as scale
from kiosk.terminal import Config, Json, Overrides, plain


def add_to(app: typer.Typer) -> None:
    app.command()(calibration)


def calibration(
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Draw it: .png or .svg.")] = None,
    as_json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Say how scores come from cosines, on which data, and how far that reaches."""
    if plot is not None and plot.suffix not in {".png", ".svg"}:
        raise ConfigurationError("configuration_invalid", f"{plot}: a picture is .png or .svg")
    with at_desk(config, overrides, as_json=as_json) as desk:
        if plot is not None:
            _draw(plot)
        if as_json:
            desk.show(msgspec.to_builtins(scale.description()) | {"door": _door(desk)} | ({"plot": str(plot)} if plot else {}))
            return
        described = scale.description()
        desk.say(f"fitted {plain(described.made)} for the model {described.model[:16]}…")
        _fit(desk, "whole faces", described.whole)
        _fit(desk, "upper faces, of people with a mask", described.upper)
        _say_door(desk)
        if plot is not None:
            desk.say(f"drawn: {plain(str(plot))}")


def _draw(file: Path) -> None:
    from kiosk.recognition.on_device.calibration_plot import draw  # noqa: PLC0415 (only a drawing needs the library)

    try:
        draw(file)
    except OSError as error:
        raise KioskError("file_unwritable", f"{file}: {error.strerror}") from error


def _fit(desk: Desk, title: str, fit: scale.Fit) -> None:
    rates = Table(title=title, title_justify="left")
    for heading in ("score", "cosine", "false matches", "measured", "95 %", "genuine missed"):
        rates.add_column(heading, justify="right")
    for rate in fit.rates:
        low, high = rate.measured_interval
        measured = f"{rate.measured:.2g}", f"{low:.2g} – {high:.2g}"
        score = f"{scale.points(rate.false_matches):.0f}"
        rates.add_row(score, f"{rate.cosine:.3f}", f"{rate.false_matches:g}", *measured, f"{rate.missed:.1%}")
    sources = Table(show_header=True)
    for heading in ("photos of", "people", "photos", "strangers' pairs", "genuine pairs", "use"):
        sources.add_column(heading, justify="left" if heading in {"photos of", "use"} else "right")
    for source in fit.sources:
        counts = source.people, source.photos, source.impostor_pairs, source.genuine_pairs
        sources.add_row(plain(source.name), *(f"{count:,}" for count in counts), "fitted" if source.fitted else "held against it")
    desk.console.print(rates)
    desk.console.print(sources)
    desk.say(f"the data reach down to a false match rate of {fit.reach:.1e}; what is rarer is extrapolated")


def _door(desk: Desk) -> dict[str, Any]:
    """What the door asks of the scale, with as many faces as are enrolled."""
    door = desk.settings.on_device
    faces = 0
    if desk.path.is_file():
        with desk.gallery() as gallery:
            faces = len(gallery)
    least = scale.least_score(door.false_match_rate, faces) if door.threshold is None else door.threshold
    each = door.false_match_rate / max(faces, 1)
    supported = door.threshold is not None or each >= scale.reach()
    return {"faces": faces, "false_match_rate": door.false_match_rate, "threshold": round(least, 1), "supported": supported}


def _say_door(desk: Desk) -> None:
    door = _door(desk)
    desk.say(f"the door, with {door['faces']} faces enrolled, asks for a score of {door['threshold']:g}")
    if not door["supported"]:
        asked = f"{door['false_match_rate']:g} of all strangers among {door['faces']} faces"
        desk.say(f"[yellow]warning[/] {asked} is rarer than the data reach: what really passes is not known")
