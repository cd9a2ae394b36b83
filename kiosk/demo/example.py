"""A configuration file played as it stands: only where its state lies, when its scenes begin and what it shows are the demo's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from kiosk.access.calendar import Calendar
from kiosk.capture import script
from kiosk.clock import zone
from kiosk.demo.stage import Stage
from kiosk.demo.watching import Sight
from kiosk.errors import ConfigurationError
from kiosk.recognition.strategy import DEVICE
from kiosk.settings import PortalSettings, Settings

_EVERYBODY = "everybody"
"""The gallery's group where the file names none: groups that rules ask for stand in [people]."""
_RISES_IN = 0.5
"""Seconds in which every eye has seen that the curtain rises."""


class Example(Stage):
    """See Stage. `settings`: of `file` and `overrides`.

    Raises ConfigurationError `configuration_invalid` where it would move a real lock or ask a cloud.
    """

    def __init__(
        self, file: Path, overrides: Mapping[str, str], settings: Settings, *, page: bool, keep: Path | None = None
    ) -> None:
        for mistake in _not_to_be_played(settings):
            raise ConfigurationError("configuration_invalid", f"{file}: {mistake}")
        super().__init__("", page=page, portal=PortalSettings(recogniser="on-device"), keep=keep)
        self._file = file
        self._given = overrides
        self._settings = settings
        self._site = settings.site
        self._group = next(iter(settings.on_device.group_ids), _EVERYBODY)

    @property
    def config(self) -> Path:
        return self._file

    def raise_curtain(self) -> float:
        """All scenes begin; when, in monotonic seconds."""
        at = time.monotonic() + _RISES_IN
        fresh = self._curtain.with_suffix(".new")
        fresh.write_text(repr(at), encoding="ascii")
        fresh.replace(self._curtain)
        return at

    @property
    def _curtain(self) -> Path:
        return self.folder / "curtain"

    def _configure(self) -> None:
        self._curtain.unlink(missing_ok=True)

    def _overrides(self) -> tuple[str, ...]:
        state, page = self.state_dir, str(self._page).lower()
        ours = {
            "site.state_dir": str(state),
            "site.clock": "trusted",
            "on_device.gallery": str(state / "gallery.sqlite"),
            "on_device.key_file": str(state / "gallery-key"),
            "journal.path": str(self.journal),
            "web.host": "127.0.0.1",
            "web.port": "0",
            "web.events": "true",
            "web.page": page,
            "web.admin": page,
        }
        for name, camera in self._settings.cameras.items():
            if camera.url.startswith("scene:"):
                ours[f"cameras.{name}.url"] = f"{camera.url}?curtain={self._curtain}"
        return tuple(part for key, value in {**self._given, **ours}.items() for part in ("--set", f"{key}={value}"))


def sights(settings: Settings) -> list[Sight]:
    """What there is to see at each portal, with what the schedules open now let one expect. Raises CameraError."""
    calendar = Calendar(settings.schedules, settings.holidays, zone(settings.site.timezone))
    schedules = calendar.at(time.time(), trusted=True).schedules
    return [_sight(name, portal, settings, schedules) for name, portal in settings.portals.items()]


def _sight(name: str, portal: PortalSettings, settings: Settings, schedules: tuple[str, ...]) -> Sight:
    scheme, _, rest = settings.cameras[portal.camera].url.partition(":")
    scene = script.load(rest).during(schedules) if scheme == "scene" else None
    reader = next((url.partition(":")[2] for url in portal.readers), "")
    return Sight(name, portal.camera, scene, reader, lambda person: settings.people[person].cards[0])


def _not_to_be_played(settings: Settings) -> Iterator[str]:
    for engine in sorted(settings.engines - {DEVICE}):
        yield f'a portal asks {engine}, and a demo of a file asks no cloud; say recogniser = "{DEVICE}"'
    for name, portal in settings.portals.items():
        parts = (portal.relay, portal.contact, portal.request_to_exit, portal.tamper, portal.fire)
        for url in (*parts, *portal.outputs.values(), *portal.readers):
            if url and not url.startswith("sim:"):
                yield f"portals.{name} has {url}, and a demo moves no real lines; say sim:NAME"
