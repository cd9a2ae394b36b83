"""Start order, stop order and the one task group: settings → journal → hardware → eyes → first frame → READY."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

import structlog
from starlette.routing import BaseRoute

from kiosk import __version__, http_server
from kiosk.clock import TrustedClock
from kiosk.configuration import Source
from kiosk.errors import KioskError
from kiosk.eye import messages
from kiosk.heartbeat import Heartbeat, Notifier
from kiosk.journal.log import Journal
from kiosk.metrics import Metrics
from kiosk.recognition.build import Engines
from kiosk.service.portals import Portals
from kiosk.service.rulebook import Rulebook
from kiosk.service.spent import Spent
from kiosk.service.tally import Tally
from kiosk.settings import Settings
from kiosk.web.admin import Admin
from kiosk.web.app import create_app
from kiosk.web.claims import claim_routes, pin_pad_routes, reader_routes
from kiosk.web.feed import Feed

_BEAT_EVERY = 0.5
_CLOCK_EVERY = 10.0
"""Seconds between two looks at whether the clock is kept right."""
_log = structlog.get_logger()


async def run(settings: Settings, source: Source | None = None) -> None:
    """Runs until SIGTERM or SIGINT; SIGHUP reloads the rules, where `source` says from where.

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
        self._clock = TrustedClock(settings.site.clock)
        self._believed: bool | None = None
        self.rulebook = Rulebook(settings, source, self._tally)
        self._portals = Portals(settings, self.rulebook, self._clock, self._tally, self._on_message)
        self._notifier = Notifier()
        self._stop = asyncio.Event()
        self._ready = False
        self._admin: Admin | None = None
        self.picture: bytes | None = None

    def stop(self) -> None:
        """Asks for the orderly end; may be called more than once."""
        self._stop.set()

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            journal = await Journal.open(self._settings.journal_path)
            stack.push_async_callback(journal.close)
            stack.callback(self._notifier.close)
            await self._look_at_clock()
            await journal.append("daemon_started", "", None, {"version": __version__, "policy": self.rulebook.policy.sha256})
            engines = Engines(self._settings, self._tally.cloud)
            stack.push_async_callback(engines.close)
            self._heartbeat.register("recognition", engines.seconds + 5.0)
            await self._portals.open(journal, engines)
            if self._settings.web.admin:
                state_dir = self._settings.site.state_dir
                spent = Spent(state_dir / "spent-commands.json")
                self._admin = Admin(state_dir, self._portals.doors, functools.partial(_note, journal), spent)
            async with asyncio.TaskGroup() as group:
                await self._until_stopped(group, engines, journal)
            await journal.append("daemon_stopped", "", None, {})
        _log.info("stopped")

    async def _until_stopped(self, group: asyncio.TaskGroup, engines: Engines, journal: Journal) -> None:
        """Starts everything, waits, and ends it in order: relays safe, recognition, eyes, the rest."""
        portals = self._portals.start(group)
        rest = [
            group.create_task(self._serve_web(), name="web"),
            group.create_task(self._beat(), name="heartbeat"),
            group.create_task(self._mind_clock(), name="clock"),
            group.create_task(self.rulebook.run(journal), name="rules"),
            group.create_task(engines.warm(), name="warm"),
            group.create_task(engines.follow(), name="gallery"),
        ]
        await self._stop.wait()
        self._notifier.stopping()
        self.feed.close()
        for tasks in (*portals, rest):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _on_message(self, camera: str, message: messages.FromEye) -> None:
        match message:
            case messages.Started(opened_at=opened_at):
                self._tally.eye_started(camera, opened_at, self._portals.eyes[camera].restarts)
            case messages.Examined():
                self._tally.frame(camera, message)
                self._become_ready()
            case messages.Picture(jpeg=jpeg):
                self.picture = jpeg

    def _become_ready(self) -> None:
        if not self._ready and self._portals.watching:
            self._ready = True
            self._notifier.status(self._sentence())
            self._notifier.ready()
            _log.info("ready", portals=list(self._portals.doors), cameras=list(self._portals.eyes))

    async def _serve_web(self) -> None:
        web = self._settings.web

        def listening(port: int) -> None:
            address = f"http://{web.host}:{port}"
            self._notifier.web(address)
            _log.info("serving", health=f"{address}/health", metrics=f"{address}/metrics")

        app = create_app(self, page=web.page, events=web.events, admin=self._admin, more=self._routes())
        await http_server.serve(app, web.host, web.port, listening)

    def _routes(self) -> list[BaseRoute]:
        site, desks, admin = self._settings.site, self._portals.credentials, self._admin
        routes = pin_pad_routes(desks, site.language) if self._settings.web.pin_pad else []
        if admin is not None:
            routes += [*claim_routes(desks, site.language, admin.guarded), *reader_routes(site.state_dir, admin.guarded)]
            routes.append(admin.reload_route(self._reload))
        return routes

    async def _reload(self) -> Mapping[str, object]:
        return (await self.rulebook.reload()).told()

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

    async def _mind_clock(self) -> None:
        while True:
            await asyncio.sleep(_CLOCK_EVERY)
            await self._look_at_clock()

    async def _look_at_clock(self) -> None:
        await asyncio.to_thread(self._clock.refresh)
        _, believed = self._clock.now()
        if believed is not self._believed:
            self._believed = believed
            self._tally.clock(trusted=believed, jumped=self._clock.jumped)

    def _sentence(self) -> str:
        totals = self._tally.totals
        return f"{self._portals.sentence()}; {totals['grants']} granted, {totals['denials']} denied"

    @property
    def feed(self) -> Feed:
        return self._tally.feed

    def metrics(self) -> tuple[bytes, str]:
        return self._tally.metrics.render()

    def health(self) -> Mapping[str, object]:
        stale = self._heartbeat.stale(time.monotonic())
        status = "starting" if not self._ready else "ready" if self._portals.whole and not stale else "degraded"
        return {
            "status": status,
            "pid": os.getpid(),
            "stale": stale,
            "clock": {"trusted": self._believed, "jumped": self._clock.jumped},
            **self._portals.health(),
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
