"""`kiosk look`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from kiosk.errors import CameraError, ConfigurationError, KioskError
from kiosk.eye.messages import Glanced
from kiosk.eye.pool import PhotoPool
from kiosk.look import drawing, told
from kiosk.look.command import Desk, desk_of, print_json, progress
from kiosk.look.seeing import TURNING, WISH, WORKERS, Seen, camera_of, failure, in_turn, pool, see, watching, worth
from kiosk.look.show import Show
from kiosk.ports import Wish
from kiosk.settings import CameraSettings, QualitySettings, Settings
from kiosk.terminal import Config, Json, Overrides

app = typer.Typer(add_completion=False)

_GLANCE = 3.0
"""Seconds a camera is looked at: it has adapted to the light, and is known to be frozen."""
_Camera = tuple[str, CameraSettings]


@app.command()
def look(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PHOTO|CAMERA...", help="Photos (JPEG, PNG, BMP), or a camera: its URL, or its name in the settings."
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Keep looking, until Ctrl-C; by default at the first camera.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long to look at a camera; 3 without --live.")] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw what was found on the one picture looked at.")
    ] = None,
    enrolment: Annotated[
        bool, typer.Option("--enrolment", "--strict", help="Hold faces to what enrolment asks for, not the door.")
    ] = False,
    json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Say everything about every face of a picture: place, pose, measures, grade, defects, mask.

    Exit 1 where a picture could not be looked at. With --json, one line a picture.
    """
    desk = desk_of(config, overrides)
    errand = _Errand(desk, desk.settings.enrolment if enrolment else desk.settings.quality, as_json=json)
    camera = _one_camera(desk.settings, sources or [], live=live)
    if draw and (live or (camera is None and len(sources or ()) > 1)):
        raise ConfigurationError("configuration_invalid", "--draw wants a single picture" + (", --live has many" if live else ""))
    if camera is None:
        failed = asyncio.run(errand.photos([Path(source) for source in sources or ()], draw, TURNING if enrolment else WISH))
    else:
        failed = asyncio.run(errand.live(camera, seconds) if live else errand.camera(camera, seconds or _GLANCE, draw))
    if failed:
        raise typer.Exit(1)


def _one_camera(settings: Settings, sources: Sequence[str], *, live: bool) -> _Camera | None:
    """The camera to look at; None where photos were named. Raises ConfigurationError where neither is clear."""
    cameras = [camera_of(settings, source) for source in sources]
    if sources and not live and not any(cameras):
        return None
    if len(cameras) > 1 or None in cameras or not (live or sources):
        raise ConfigurationError(
            "configuration_invalid", "name photos, or one camera; --live wants a camera, and takes the first"
        )
    camera = cameras[0] if cameras else camera_of(settings, None)
    assert camera is not None, "the settings have at least one"
    return camera


class _Errand:
    """One call of the command. Every method says whether something could not be looked at."""

    def __init__(self, desk: Desk, quality: QualitySettings, *, as_json: bool) -> None:
        self._desk = desk
        self._quality = quality
        self._as_json = as_json
        self._language = desk.settings.site.language
        alone = desk.settings.presentation.several == "one_at_a_time"
        self._show = Show(quality, self._language, one_at_a_time=alone)

    async def photos(self, files: Sequence[Path], draw: Path | None, wish: Wish) -> bool:
        failed = False
        with progress(self._desk, len(files) > 1) as bar:
            task = bar.add_task("photos", total=len(files))
            async with pool(self._desk.settings, self._quality, min(WORKERS, len(files))) as eyes:
                async for seen, photo in in_turn(lambda file: see(eyes, file, wish), files):
                    self._tell(seen)
                    bar.advance(task)
                    failed |= seen.failed
                    if draw:
                        await self._draw(eyes, draw, seen, photo)
        return failed

    async def camera(self, camera: _Camera, seconds: float, draw: Path | None) -> bool:
        """The best of what it gives in so many seconds."""
        best: Glanced | None = None
        seen = Seen(camera[1].shown, slug="camera_lost", detail=f"no picture in {seconds:g} s")
        try:
            async with watching(self._desk.settings, camera, self._quality, seconds, pictures=draw is not None) as glances:
                async for glance in glances:
                    # What is wrong with the camera is heard even where a good picture came before.
                    if best is None or glance.unsound or worth(glance) >= worth(best):
                        best = glance
        except CameraError as error:
            seen = failure(camera[1].shown, error)
        if best:
            seen = Seen(camera[1].shown, best.photo, best.unsound or "")
        self._tell(seen)
        if draw and best and best.jpeg:
            async with pool(self._desk.settings, self._quality, 1) as eyes:
                await self._draw(eyes, draw, seen, best.jpeg)
        return seen.failed

    async def live(self, camera: _Camera, seconds: float | None) -> bool:
        """Until so many seconds have passed, or Ctrl-C."""
        looked, begun, name = 0, time.monotonic(), camera[1].shown
        try:
            with suppress(asyncio.CancelledError), Live(console=self._desk.console, auto_refresh=False) as screen:
                async with watching(self._desk.settings, camera, self._quality, seconds) as glances:
                    async for glance in glances:
                        looked += 1
                        begun = glance.at if looked == 1 else begun
                        pace = looked / max(glance.at - begun, 1.0)
                        self._refresh(screen, Seen(name, glance.photo, glance.unsound or ""), pace)
        except CameraError as error:
            self._tell(failure(name, error))
            return True
        return False

    def _refresh(self, screen: Live, seen: Seen, pace: float) -> None:
        if self._as_json:
            self._tell(seen)
        else:
            screen.update(self._show.live(seen, f"{pace:.1f} pictures a second"), refresh=True)

    async def _draw(self, eyes: PhotoPool, file: Path, seen: Seen, photo: bytes) -> None:
        """Raises KioskError `file_unwritable`."""
        if seen.photo is None:
            return
        png = await eyes.draw(photo, drawing.shapes_of(seen.photo, self._quality))
        await asyncio.to_thread(_write, file, png)

    def _tell(self, seen: Seen) -> None:
        if self._as_json:
            print_json(told.of_picture(seen, self._language))
        else:
            self._desk.console.print(self._show.picture(seen), crop=False, soft_wrap=seen.failed)


def _write(file: Path, png: bytes) -> None:
    try:
        file.write_bytes(png)
    except OSError as error:
        raise KioskError("file_unwritable", f"{file}: {error.strerror}") from error
