"""The box itself: its name, its log, its journal, its web."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from kiosk.settings.base import Identifier, Section, is_loopback


class SiteSettings(Section):
    name: Identifier = "kiosk"
    """What this box is called in the journal and in metrics."""
    language: Literal["en", "zh"] = "en"
    """The language people are spoken to in."""
    timezone: str = "local"
    """A name such as `Europe/Berlin`, for schedules and rules; `local`: as the system has it."""
    clock: Literal["synchronised", "trusted"] = "synchronised"
    """When the time of day is believed: while the kernel says that it is synchronised, or always."""
    state_dir: Path = Path("/var/lib/kiosk")
    """Where the journal and the simulated relays' state live."""
    models_dir: Path = Path("~/.cache/kiosk/models")
    """Where `kiosk models fetch` keeps the model weights."""

    @field_validator("state_dir", "models_dir")
    @classmethod
    def _home(cls, path: Path) -> Path:
        return path.expanduser()


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "human", "json"] = "auto"
    """`auto`: human on a terminal, JSON elsewhere."""


class WebSettings(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9180
    """0 takes any free port."""
    events: bool = False
    """Serve the stream of events, which names people; only on loopback."""
    page: bool = False
    """Serve the status page with events and pictures; only on loopback."""
    admin: bool = False
    """Take commands from bearers of the token in `admin-token` in the state directory; only on loopback."""

    pin_pad: bool = False
    """Serve a PIN pad for each portal at `/pin/PORTAL`, for the terminal's own screen; only on loopback."""

    @model_validator(mode="after")
    def _pins_stay_home(self) -> Self:
        if self.pin_pad and not is_loopback(self.host):
            raise ValueError(f"PINs are typed in the clear: with pin_pad, host must be loopback, not '{self.host}'")
        return self

    @model_validator(mode="after")
    def _faces_stay_home(self) -> Self:
        if (self.page or self.events) and not is_loopback(self.host):
            raise ValueError(
                "page and events show faces and names and have no login: with either on, "
                f"host must be loopback, not '{self.host}'"
            )
        if self.admin and not is_loopback(self.host):
            raise ValueError(f"admin's token would cross the network in the clear: host must be loopback, not '{self.host}'")
        return self


class JournalSettings(Section):
    path: Path | None = None
    """The SQLite file; by default `journal.sqlite` in the state directory."""
