"""Start order, stop order and the one task group: settings → journal → hardware → eyes → first frame → READY."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

import structlog

from kiosk import __version__, http_server
from kiosk.access.areas import Areas
from kiosk.access.events import Command
from kiosk.access.interlock import Interlock
from kiosk.configuration import Source
from kiosk.errors import KioskError
from kiosk.eye import messages
from kiosk.eye.supervisor import EyeSupervisor
from kiosk.hardware.readers.simulated import SimulatedReader
from kiosk.heartbeat import Heartbeat, Notifier
from kiosk.journal.log import Journal
from kiosk.metrics import Metrics
from kiosk.recognition.build import Engines
from kiosk.service.attendant import Attendant
from kiosk.service.cards import ignored, owner_of
from kiosk.service.door import Door
from kiosk.service.facts import Surroundings
from kiosk.service.recall import recall
from kiosk.service.rulebook import Rulebook
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings, Settings
from kiosk.web.admin import Admin
from kiosk.web.app import create_app
from kiosk.web.feed import Feed

PICTURE_EVERY = 0.4
"""Seconds between annotated pictures while the page is on."""

_BEAT_EVERY = 0.5
_log = structlog.get_logger()


async def run(settings: Settings, source: Source | None = None) -> None:
    """Runs until SIGTERM or SIGINT; SIGHUP has it read its rules again, from `source`.

    Raises KioskError where it cannot start or must not go on.
    """
    daemon = Daemon(settings, source)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    loop.add_signal_handler(signal.SIGHUP, daemon.rulebook.ask)
    try:
        await daemon.run()
    except* KioskError as group:
        raise _first(group) from None


class Daemon:
    """The composition root, and what the web shows (a web.Board). Event loop only."""

    def __init__(self, settings: Settings, source: Source | None = None) -> None:
        self._settings = settings
        self._heartbeat = Heartbeat()
        self._heartbeat.register("journal", 10.0)
        self._tally = Tally(settings, Metrics(__version__), self._heartbeat)
        self.rulebook = Rulebook(settings, source, self._tally)
        self._notifier = Notifier()
        self._stop = asyncio.Event()
        self._ready = False
        self._areas = Areas()
        self._interlocks: dict[str, Interlock] = {}
        self._doors: dict[str, Door] = {}
        self._eyes: dict[str, EyeSupervisor] = {}
        self._attendants: dict[str, Attendant] = {}
        self._admin: Admin | None = None
        self._cards: list[SimulatedReader] = []
        self.picture: bytes | None = None

    def stop(self) -> None:
        """Asks for the orderly end; may be called more than once."""
        self._stop.set()

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            journal = await Journal.open(self._settings.journal_path)
            stack.push_async_callback(journal.close)
            stack.callback(self._notifier.close)
            await journal.append("daemon_started", "", None, {"version": __version__, "policy": self.rulebook.policy.sha256})
            engines = Engines(self._settings, self._tally.cloud)
            stack.push_async_callback(engines.close)
            self._heartbeat.register("recognition", engines.seconds + 5.0)
            in_force = await asyncio.to_thread(
                recall, self._settings.journal_path, journal.boot, self._settings.portals, self._areas
            )
            for name, portal in self._settings.portals.items():
                await self._open_portal(name, portal, journal, engines, in_force.get(name, ()))
            if self._settings.web.admin:
                self._admin = Admin(self._settings.site.state_dir, self._doors, functools.partial(_note, journal))
            async with asyncio.TaskGroup() as group:
                await self._until_stopped(group, engines, journal)
            await journal.append("daemon_stopped", "", None, {})
        _log.info("stopped")

    async def _until_stopped(self, group: asyncio.TaskGroup, engines: Engines, journal: Journal) -> None:
        """Starts everything, waits, and ends it in order: relays safe, recognition, eyes, the rest."""
        doors = [group.create_task(door.run(), name=f"door {name}") for name, door in self._doors.items()]
        deciding = [group.create_task(attendant.run(), name=f"attendant {name}") for name, attendant in self._attendants.items()]
        eyes = [group.create_task(eye.run(), name=f"eye {name}") for name, eye in self._eyes.items()]
        rest = [
            group.create_task(self._serve_web(), name="web"),
            group.create_task(self._beat(), name="heartbeat"),
            group.create_task(self.rulebook.run(journal), name="rules"),
            group.create_task(engines.warm(), name="warm"),
            group.create_task(engines.follow(), name="gallery"),
        ]
        await self._stop.wait()
        self._notifier.stopping()
        self.feed.close()
        for tasks in (doors, deciding, eyes, rest):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _open_portal(
        self, name: str, settings: PortalSettings, journal: Journal, engines: Engines, in_force: Iterable[Command]
    ) -> None:
        door = self._doors[name] = Door(
            name,
            settings,
            self._settings.site.state_dir,
            journal,
            self._tally,
            interlock=self._interlocks.setdefault(settings.interlock or f"{name} alone", Interlock()),
            areas=self._areas,
            recall=in_force,
        )
        await door.open()
        surroundings = Surroundings(self._settings.site.name)
        strategy, vote = engines.strategy(settings), engines.vote(settings)
        attendant = Attendant(name, settings, strategy, lambda: self.rulebook.policy, door, self._tally, surroundings, vote)
        self._attendants[settings.camera] = attendant
        self._heartbeat.register(f"portal {name}", 5.0)
        eye = self._eyes[settings.camera] = self._eye(settings, attendant, embed=engines.needs_embeddings)
        attendant.watch(eye)
        self._cards += [
            SimulatedReader(url, self._settings.site.state_dir, owner_of(self._settings.people, attendant.presented), ignored)
            for url in settings.readers
            if url.startswith("sim:")
        ]

    def _eye(self, portal: PortalSettings, attendant: Attendant, *, embed: bool) -> EyeSupervisor:
        settings, camera = self._settings, portal.camera
        presentation = settings.presentation
        if portal.strategy == "crowd":
            presentation = presentation.model_copy(update={"several": "all"})
        orders = messages.LookOrders(
            name=camera,
            camera=settings.cameras[camera].model_dump(mode="json"),
            quality=settings.quality.model_dump(mode="json"),
            presentation=presentation.model_dump(mode="json"),
            eye=settings.eye.model_dump(mode="json"),
            models_dir=str(settings.site.models_dir),
            picture_every=PICTURE_EVERY if settings.web.page else None,
            embed=embed,
            liveness=settings.liveness.model_dump(mode="json"),
            liveness_policy=portal.liveness,
            crowd=portal.strategy == "crowd",
            codes=portal.codes,
        )

        def deliver(message: messages.FromEye) -> None:
            self._on_message(camera, message)
            attendant.hear(message)

        def lost(slug: str, detail: str) -> None:
            _log.warning("eye_lost", camera=camera, slug=slug, detail=detail)
            self._tally.eye_lost(camera, slug, time.monotonic())
            attendant.eye_lost(time.monotonic())

        return EyeSupervisor(orders, settings.eye, deliver, lost)

    def _on_message(self, camera: str, message: messages.FromEye) -> None:
        match message:
            case messages.Started(opened_at=opened_at):
                self._tally.eye_started(camera, opened_at, self._eyes[camera].restarts)
            case messages.Examined():
                self._tally.frame(camera, message)
                self._become_ready()
            case messages.Picture(jpeg=jpeg):
                self.picture = jpeg

    def _become_ready(self) -> None:
        if not self._ready and all(eye.started for eye in self._eyes.values()):
            self._ready = True
            self._notifier.status(self._sentence())
            self._notifier.ready()
            _log.info("ready", portals=list(self._doors), cameras=list(self._eyes))

    async def _serve_web(self) -> None:
        web = self._settings.web

        def listening(port: int) -> None:
            address = f"http://{web.host}:{port}"
            self._notifier.web(address)
            _log.info("serving", health=f"{address}/health", metrics=f"{address}/metrics")

        app = create_app(self, page=web.page, events=web.events, admin=self._admin)
        await http_server.serve(app, web.host, web.port, listening)

    async def _beat(self) -> None:
        """Feeds systemd's watchdog, but only while every stage completes its work."""
        while True:
            now = time.monotonic()
            stale = self._heartbeat.stale(now)
            if stale:
                _log.error("stale", stages=stale)
            self._notifier.beat(now, healthy=not stale)
            self._notifier.status(self._sentence())
            await asyncio.sleep(_BEAT_EVERY)

    def _sentence(self) -> str:
        totals = self._tally.totals
        doors = ", ".join(f"{name} {door.state}" for name, door in self._doors.items())
        eyes = ", ".join(
            f"{name} {self._attendants[name].unsound or 'watching' if eye.started else 'down'}"
            for name, eye in self._eyes.items()
        )
        return f"{eyes}; {doors}; {totals['grants']} granted, {totals['denials']} denied"

    @property
    def feed(self) -> Feed:
        return self._tally.feed

    def metrics(self) -> tuple[bytes, str]:
        return self._tally.metrics.render()

    def health(self) -> Mapping[str, object]:
        now = time.monotonic()
        stale = self._heartbeat.stale(now)
        unsound = {name: attendant.unsound for name, attendant in self._attendants.items()}
        watching = all(eye.started and not unsound[name] for name, eye in self._eyes.items())
        armed = all(door.state != "disarmed" for door in self._doors.values())
        status = "starting" if not self._ready else "ready" if watching and armed and not stale else "degraded"
        return {
            "status": status,
            "pid": os.getpid(),
            "stale": stale,
            "eyes": {
                name: {"up": eye.started is not None, "pid": eye.pid, "restarts": eye.restarts, "unsound": unsound[name]}
                for name, eye in self._eyes.items()
            },
            "portals": {name: {"state": door.state, "mode": door.mode} for name, door in self._doors.items()},
            "frames": self._tally.frames,
            "totals": self._tally.totals,
            "by_reason": self._tally.by_reason,
            "by_engine": self._tally.by_engine,
            "calls": self._tally.calls,
            "errors": self._tally.errors,
        }


async def _note(journal: Journal, kind: str, portal: str, body: Mapping[str, object]) -> None:
    await journal.append(kind, portal, None, body)


def _first(group: BaseExceptionGroup[KioskError]) -> KioskError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, KioskError)
    return error
