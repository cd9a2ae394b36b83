"""Keeps one camera's eye alive: starts it, listens, kills it when wedged, starts it again with a bounded back-off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog

from kiosk.domain import Began
from kiosk.errors import CameraError
from kiosk.eye import messages
from kiosk.eye.process import EyeProcess
from kiosk.ports import Clock
from kiosk.settings import EyeSettings

_HEALTHY_AFTER = 30.0
"""Seconds of life after which an eye's death counts as the first again."""

_log = structlog.get_logger()


class EyeSupervisor:
    """Event loop only. `deliver` gets every message of every life; `lost` gets the slug and detail of each death."""

    def __init__(
        self,
        orders: messages.LookOrders,
        settings: EyeSettings,
        deliver: Callable[[messages.FromEye], None],
        lost: Callable[[str, str], None],
        clock: Clock = time.monotonic,
    ) -> None:
        self._orders = orders
        self._settings = settings
        self._deliver = deliver
        self._lost = lost
        self._clock = clock
        self._eye: EyeProcess | None = None
        self.started: messages.Started | None = None
        self.restarts = 0

    @property
    def name(self) -> str:
        return self._orders.name

    @property
    def pid(self) -> int | None:
        return self._eye.pid if self._eye else None

    def tell(self, message: messages.Outcome) -> None:
        """Passes a verdict's outcome on; dropped where no eye lives, since its presentations died with it."""
        if self._eye is not None:
            self._eye.send(message)

    async def run(self) -> None:
        """Until cancelled. A mistake that no restart mends (model missing, no confinement) is raised as CameraError."""
        backoff = self._settings.backoff_first
        while True:
            born = self._clock()
            slug, detail = await self._live()
            self._lost(slug, detail)
            if self.restarts == 0 and slug in {"model_missing", "model_invalid", "confinement_unavailable"}:
                raise CameraError(slug, detail)
            if self._clock() - born > _HEALTHY_AFTER:
                backoff = self._settings.backoff_first
            _log.warning("eye_restarting", camera=self.name, slug=slug, detail=detail, in_seconds=backoff)
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, self._settings.backoff_most)
            self.restarts += 1

    async def _live(self) -> tuple[str, str]:
        """One eye's whole life; returns why it ended."""
        try:
            self._eye = eye = await EyeProcess.start(self.name, self._orders)
        except CameraError as error:
            return error.slug, error.detail
        _log.info("eye_starting", camera=self.name, pid=eye.pid)
        grace = 1.0
        try:
            slug, detail = await self._listen(eye)
            grace = 0.0
        finally:
            self._eye, self.started = None, None
            code = await eye.end(grace)
        return slug, detail or f"exit code {code}: {eye.last_words}"

    async def _listen(self, eye: EyeProcess) -> tuple[str, str]:
        silence = self._settings.start_within
        while True:
            try:
                message = await eye.receive(silence)
            except TimeoutError:
                return "eye_wedged", f"silent for {silence:g} s"
            except CameraError as error:
                return error.slug, error.detail
            match message:
                case None:
                    return "eye_lost", ""
                case messages.Fault(slug=slug, detail=detail):
                    return slug, detail
                case messages.Started():
                    silence = self._settings.wedged_after
                    self._note_start(message)
                case Began(presentation=presentation):
                    self._orders = msgspec.structs.replace(self._orders, first_presentation=presentation + 1)
            self._deliver(message)

    def _note_start(self, started: messages.Started) -> None:
        self.started = started
        if self._orders.origin is None:
            self._orders = msgspec.structs.replace(self._orders, origin=started.opened_at)
        _log.info(
            "eye_started",
            camera=self.name,
            size=f"{started.width}x{started.height}",
            fps=round(started.fps, 1),
            refused=started.refused,
            seconds={stage: round(spent, 2) for stage, spent in started.start_seconds.items()},
        )
        for note in started.notes:
            _log.info("camera_opened", camera=self.name, note=note)
