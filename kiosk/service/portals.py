"""All portals of the box: what each of them is made of, and what they share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from kiosk.access.areas import Areas
from kiosk.access.events import Command
from kiosk.access.interlock import Interlock
from kiosk.clock import TrustedClock
from kiosk.eye import messages
from kiosk.eye.supervisor import EyeSupervisor
from kiosk.journal.log import Journal
from kiosk.recognition.build import Engines
from kiosk.service.attendant import Attendant
from kiosk.service.credentials import Credentials, Register
from kiosk.service.door import Door
from kiosk.service.facts import Surroundings
from kiosk.service.recall import recall
from kiosk.service.rulebook import Rulebook
from kiosk.service.tally import Tally
from kiosk.settings import PortalSettings, Settings

PICTURE_EVERY = 0.4
"""Seconds between annotated pictures while the page is on."""

_log = structlog.get_logger()

OnMessage = Callable[[str, messages.FromEye], None]
"""The camera's name, and what its eye said."""


class Portals:
    """Event loop only. Each mapping is by the portal's name, `eyes` and `attendants` by the camera's."""

    def __init__(self, settings: Settings, rulebook: Rulebook, clock: TrustedClock, tally: Tally, heard: OnMessage) -> None:
        self._settings = settings
        self._rulebook = rulebook
        self._clock = clock
        self._tally = tally
        self._heard = heard
        self._surroundings = Surroundings(settings.site.name, clock, rulebook, rulebook)
        self._areas = Areas()
        self._interlocks: dict[str, Interlock] = {}
        self.doors: dict[str, Door] = {}
        self.credentials: dict[str, Credentials] = {}
        self.attendants: dict[str, Attendant] = {}
        self.eyes: dict[str, EyeSupervisor] = {}

    async def open(self, journal: Journal, engines: Engines) -> None:
        """Raises HardwareError where a part cannot be had, ConfigurationError."""
        settings = self._settings
        register = Register.open(settings, self._clock.now, lambda: self._rulebook.edition.people)
        in_force = await asyncio.to_thread(recall, settings.journal_path, journal.boot, settings.portals, self._areas)
        for name, portal in settings.portals.items():
            door = await self._open_door(name, portal, journal, in_force.get(name, ()))
            strategy, vote = engines.strategy(portal), engines.vote(portal)
            attendant = Attendant(
                name, portal, strategy, lambda: self._rulebook.policy, door, self._tally, self._surroundings, vote
            )
            credentials = Credentials(name, register, self._tally, door.record, attendant.presented, door.awaited)
            eye = self._eye(portal, attendant, credentials, embed=engines.needs_embeddings)
            attendant.watch(eye)
            self._tally.heartbeat.register(f"portal {name}", 5.0)
            self.doors[name], self.credentials[name] = door, credentials
            self.attendants[portal.camera], self.eyes[portal.camera] = attendant, eye

    async def _open_door(self, name: str, portal: PortalSettings, journal: Journal, in_force: Iterable[Command]) -> Door:
        door = Door(
            name,
            portal,
            self._settings.site.state_dir,
            journal,
            self._tally,
            interlock=self._interlocks.setdefault(portal.interlock or f"{name} alone", Interlock()),
            areas=self._areas,
            schedule=(lambda: self._is_open(portal.open_during)) if portal.open_during else None,
            recall=in_force,
        )
        await door.open()
        return door

    def _is_open(self, schedule: str) -> bool | None:
        """Whether it is open now; None while the clock is not to be believed."""
        now, trusted = self._clock.now()
        return schedule in self._rulebook.at(now, trusted=trusted).schedules if trusted else None

    def _eye(self, portal: PortalSettings, attendant: Attendant, credentials: Credentials, *, embed: bool) -> EyeSupervisor:
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
            self._heard(camera, message)
            credentials.hear(message)
            attendant.hear(message)

        def lost(slug: str, detail: str) -> None:
            _log.warning("eye_lost", camera=camera, slug=slug, detail=detail)
            self._tally.eye_lost(camera, slug, time.monotonic())
            attendant.eye_lost(time.monotonic())

        return EyeSupervisor(orders, settings.eye, deliver, lost)

    def start(self, group: asyncio.TaskGroup) -> tuple[list[asyncio.Task[None]], ...]:
        """The tasks, in the order in which they have to end: relays safe, then what decides, then the eyes."""
        doors = [group.create_task(door.run(), name=f"door {name}") for name, door in self.doors.items()]
        deciding = [group.create_task(one.run(), name=f"attendant {name}") for name, one in self.attendants.items()]
        deciding += [group.create_task(one.run(), name=f"credentials {name}") for name, one in self.credentials.items()]
        eyes = [group.create_task(eye.run(), name=f"eye {name}") for name, eye in self.eyes.items()]
        return doors, deciding, eyes

    @property
    def watching(self) -> bool:
        """Whether every camera has given a picture since the start."""
        return all(eye.started for eye in self.eyes.values())

    @property
    def whole(self) -> bool:
        """Whether every camera is believed, every lock armed and every reader there."""
        sound = self.watching and not any(attendant.unsound for attendant in self.attendants.values())
        armed = all(door.state != "disarmed" for door in self.doors.values())
        return sound and armed and all(up for one in self.credentials.values() for up in one.readers.up.values())

    def sentence(self) -> str:
        doors = ", ".join(f"{name} {door.state}" for name, door in self.doors.items())
        eyes = ", ".join(
            f"{name} {self.attendants[name].unsound or 'watching' if eye.started else 'down'}" for name, eye in self.eyes.items()
        )
        return f"{eyes}; {doors}"

    def health(self) -> Mapping[str, object]:
        return {
            "eyes": {
                name: {
                    "up": eye.started is not None,
                    "pid": eye.pid,
                    "restarts": eye.restarts,
                    "unsound": self.attendants[name].unsound,
                }
                for name, eye in self.eyes.items()
            },
            "portals": {
                name: {"state": door.state, "mode": door.mode, "readers": self.credentials[name].readers.up}
                for name, door in self.doors.items()
            },
        }
