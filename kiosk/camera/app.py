"""`kiosk camera list` and `kiosk camera probe URL`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from typing import Annotated

import msgspec
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from kiosk import slugs
from kiosk.camera.measured import DISTANCES, FIELD, Failed, Measured, Orders, face_pixels
from kiosk.capture.devices import Device, devices
from kiosk.capture.opencv import OPEN_WITHIN
from kiosk.capture.v4l2 import Format, formats
from kiosk.errors import CameraError, ConfigurationError
from kiosk.eye.process import bare_environment
from kiosk.settings import CameraSettings, QualitySettings
from kiosk.terminal import Json

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Which cameras there are, and what one of them gives.")

_PATIENCE = 10.0
"""Seconds a probe may take beyond opening and looking."""


@app.command("list")
def list_cameras(json: Json = False) -> None:
    """Show every camera device with its formats, and which other kinds of camera can be used on this box."""
    there = [(device, _formats(device)) for device in devices()]
    kinds = {
        "gst": shutil.which("gst-launch-1.0") is not None,
        "picamera2": importlib.util.find_spec("picamera2") is not None,
    }
    if json:
        cameras = [{**device._asdict(), "formats": [one._asdict() for one in offered]} for device, offered in there]
        typer.echo(msgspec.json.encode({"devices": cameras, "kinds": kinds}))
        return
    console = Console(highlight=False)
    if there:
        console.print(_table(there))
    else:
        console.print("no camera device; plug one in, or use rtsp://…, http://…")
    for kind, usable in kinds.items():
        how = "" if usable else {"gst": ": apt-get install gstreamer1.0-tools", "picamera2": ": Raspberry Pi OS only"}[kind]
        console.print(f"{kind}: {'can be used' if usable else f'is not here{how}'}", soft_wrap=True)


@app.command()
def probe(
    url: Annotated[str, typer.Argument(help="As in the configuration: v4l2:/dev/video0, rtsp://…, file:clip.mp4 …")],
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="How long to look.")] = 5.0,
    width: Annotated[int, typer.Option(help="Pixels to ask for.")] = 1280,
    height: Annotated[int, typer.Option(help="Pixels to ask for.")] = 720,
    fps: Annotated[float, typer.Option(help="Frames a second to ask for.")] = 15.0,
    field: Annotated[float, typer.Option(min=10, max=170, help="Degrees the camera sees from left to right.")] = FIELD,
    json: Json = False,
) -> None:
    """Look at a camera and tell its size, real frame rate, light, soundness, and how large faces will be."""
    try:
        settings = CameraSettings(url=url, width=width, height=height, fps=fps)
    except ValidationError as error:
        raise ConfigurationError("configuration_invalid", "; ".join(one["msg"] for one in error.errors())) from None
    found = _look(settings, seconds)
    faces = {f"{distance:g}": round(face_pixels(found.width, distance, field)) for distance in DISTANCES}
    if json:
        typer.echo(msgspec.json.encode({**msgspec.to_builtins(found), "field": field, "face_pixels": faces}))
        return
    Console(highlight=False).print(_report(found, faces, field))


def _look(settings: CameraSettings, seconds: float) -> Measured:
    """In a child process: what comes from a camera meets no other. Raises CameraError as opening and reading it do."""
    # On standard input, since an address may hold a password.
    orders = msgspec.json.encode(Orders(settings.model_dump(mode="json"), seconds, os.getpid()))
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "kiosk.camera"],
            input=orders,
            capture_output=True,
            env=bare_environment(),
            timeout=OPEN_WITHIN + seconds + _PATIENCE,
            check=False,
        )
        answer = msgspec.json.decode(done.stdout, type=dict[str, object])
    except subprocess.TimeoutExpired:
        raise CameraError("eye_wedged", "the camera was not looked at in time") from None
    except msgspec.DecodeError:
        raise CameraError("eye_lost", f"exit code {done.returncode}: {done.stderr[-300:].decode(errors='replace')}") from None
    if "slug" in answer:
        failed = msgspec.convert(answer, Failed)
        raise CameraError(failed.slug, failed.detail)
    return msgspec.convert(answer, Measured)


def _formats(device: Device) -> list[Format]:
    try:
        return formats(device.node)
    except OSError:
        # In use, gone, or not this user's: it is listed without.
        return []


def _table(there: list[tuple[Device, list[Format]]]) -> Table:
    table = Table("device", "name", "path=", "serial=", "formats", box=None)
    for device, offered in there:
        if device.part == 0:
            shown = "\n".join(f"{one.code} {_sizes(one)}" for one in offered) or "not told"
            table.add_row(device.node, device.name, device.bus, device.serial or "–", shown)
    return table


def _sizes(offered: Format) -> str:
    largest = sorted(offered.sizes, key=lambda size: -size[0] * size[1])[:4]
    return " ".join(f"{width}×{height}" for width, height in largest) or "any size within its bounds"


def _report(found: Measured, faces: dict[str, int], field: float) -> Table:
    least = QualitySettings().min_face_side
    table = Table(box=None, show_header=False)
    for note in found.notes:
        table.add_row("format", note)
    table.add_row("picture", f"{found.width}×{found.height}")
    told = f", the camera says {found.told_fps:g}" if found.told_fps else ""
    table.add_row("frames", f"{found.fps:g} a second over {found.seconds:g} s{told}")
    if found.interval_ms:
        spans = found.interval_ms
        table.add_row("between", f"{spans['median']:g} ms median, {spans['p95']:g} ms p95, {spans['longest']:g} ms longest")
    table.add_row("light", f"grey value {found.brightness:g} of 255 in the middle, {100 * found.clipped:.0f} % white")
    shown = [f"{pixels} px at {metres} m{'' if pixels >= least else ' (too small)'}" for metres, pixels in faces.items()]
    table.add_row("faces", f"{', '.join(shown)}, if it sees {field:g}° across")
    if found.unsound is None:
        table.add_row("soundness", "not judged: recordings repeat")
    else:
        table.add_row("soundness", "; ".join(f"{slug}: {slugs.to_operator(slug)}" for slug in found.unsound) or "nothing wrong")
    return table
