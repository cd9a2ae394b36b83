"""Photos and cameras, seen by confined eyes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from pydantic import ValidationError

from kiosk.errors import CameraError, ConfigurationError, KioskError, PhotoRejected, did_you_mean
from kiosk.eye import messages
from kiosk.eye.pool import PhotoPool
from kiosk.eye.process import EyeProcess
from kiosk.look.gauges import assessed
from kiosk.look.photos import read_photo, shown
from kiosk.ports import AnalysedFace, AnalysedPhoto, Wish
from kiosk.settings import CAMERA_SCHEMES, CameraSettings, QualitySettings, Settings

WISH = Wish(embed="none", mask=True, live=True, closely=True)
"""What is asked about every picture."""
TURNING = msgspec.structs.replace(WISH, rotate=True)
"""Likewise of photos that are to be enrolled, which may lie on their side."""
NO_LIVENESS = "not assessed"
"""What is said where there is no score."""
WORKERS = 2
"""Eyes that look at photos side by side; each takes a core and some 300 MB."""
_AHEAD = 2 * WORKERS
"""Photos looked at while one is shown: keeps every worker busy, and little in memory."""
_STOP_WITHIN = 3.0
_T = TypeVar("_T")


class Seen(NamedTuple):
    """One picture. `photo` is None where `slug` says why there is none, with `detail`; of a camera `slug` may stand beside it.

    `source`: as the user named it, or as a camera's address may be shown.
    """

    source: str
    photo: AnalysedPhoto | None = None
    slug: str = ""
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.photo is None


def advice(seen: AnalysedFace) -> str:
    """The slug of what helps most, or `good`."""
    return seen.quality.defects[0] if seen.quality.defects else "good"


def liveness(seen: AnalysedFace) -> float | None:
    """0–100, of this picture alone; or None: see NO_LIVENESS."""
    return assessed(seen.live)


def camera_of(settings: Settings, named: str | None) -> tuple[str, CameraSettings] | None:
    """Name and settings of the camera that `named` means: one of the settings by name or URL, or any by URL.

    Without a name the first one; None where a file is meant. Raises ConfigurationError for a URL that is none.
    """
    if named is None:
        return next(iter(settings.cameras.items()))
    for name, camera in settings.cameras.items():
        if named in {name, camera.url} and not Path(named).exists():
            return name, camera
    scheme, colon, _ = named.partition(":")
    if not colon or scheme not in CAMERA_SCHEMES or Path(named).exists():
        return None
    try:
        return "camera", CameraSettings(url=named)
    except ValidationError as error:
        # Without the input, which may hold a password.
        raise ConfigurationError("configuration_invalid", "; ".join(one["msg"] for one in error.errors())) from None


def pool(settings: Settings, quality: QualitySettings, workers: int = WORKERS) -> PhotoPool:
    return PhotoPool(quality, settings.eye, settings.site.models_dir, workers)


async def see(eyes: PhotoPool, file: Path, wish: Wish = WISH) -> tuple[Seen, bytes]:
    """What is in a photo, or why nobody can tell; and its bytes, as far as they could be read."""
    photo = b""
    try:
        photo = await asyncio.to_thread(read_photo, file)
        return Seen(shown(file), await eyes.analyse(photo, wish)), photo
    except (PhotoRejected, CameraError) as error:
        return Seen(shown(file), slug=error.slug, detail=f"{error.detail}{_meant(file) if not photo else ''}"), photo


async def in_turn(work: Callable[[Path], Awaitable[_T]], files: Sequence[Path]) -> AsyncIterator[_T]:
    """What `work` makes of each, in their order, a few side by side."""
    under_way: deque[asyncio.Task[_T]] = deque()
    try:
        for file in files:
            under_way.append(asyncio.ensure_future(_awaited(work, file)))
            if len(under_way) >= _AHEAD:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()


@asynccontextmanager
async def watching(
    settings: Settings,
    camera: tuple[str, CameraSettings],
    quality: QualitySettings,
    seconds: float | None = None,
    *,
    pictures: bool = False,
) -> AsyncIterator[AsyncIterator[messages.Glanced]]:
    """An eye at a camera: gives what each frame shows, for so many seconds. Raises CameraError, at once or later."""
    orders = messages.GlanceOrders(
        name=camera[0],
        camera=camera[1].model_dump(mode="json"),
        quality=quality.model_dump(mode="json"),
        eye=settings.eye.model_dump(mode="json"),
        models_dir=str(settings.site.models_dir),
        wish=WISH,
        pictures=pictures,
    )
    eye = await EyeProcess.start(camera[0], orders)
    try:
        started = await eye.answer(settings.eye.start_within)
        if not isinstance(started, messages.Started):
            raise CameraError("eye_contract", f"{type(started).__name__} before Started")
        yield _glances(eye, settings.eye.photo_within, time.monotonic() + (inf if seconds is None else seconds))
    finally:
        # An eye that cannot get rid of what it has seen does not hear that it shall stop.
        unheard = asyncio.create_task(_drain(eye))
        await eye.end(_STOP_WITHIN)
        await unheard


def worth(glanced: messages.Glanced) -> tuple[bool, bool, bool, int, float]:
    """Orders glances at one camera: the larger, the more there is to be seen."""
    faces = glanced.photo.faces
    if not faces:
        return glanced.unsound is None, False, False, 0, 0.0
    report = faces[0].quality
    return glanced.unsound is None, True, report.usable, report.grade, report.measures["Score"]


def failure(source: str, error: KioskError) -> Seen:
    return Seen(source, slug=error.slug, detail=error.detail)


async def _awaited(work: Callable[[Path], Awaitable[_T]], file: Path) -> _T:
    return await work(file)


async def _glances(eye: EyeProcess, within: float, until: float) -> AsyncIterator[messages.Glanced]:
    while time.monotonic() < until:
        message = await eye.answer(within)
        if isinstance(message, messages.Glanced):
            yield message


async def _drain(eye: EyeProcess) -> None:
    with suppress(CameraError, TimeoutError):
        while await eye.receive(_STOP_WITHIN):
            pass


def _meant(file: Path) -> str:
    """Of what looks like a camera's address but is none."""
    scheme, colon, _ = str(file).partition(":")
    return did_you_mean(scheme, CAMERA_SCHEMES) if colon else ""
