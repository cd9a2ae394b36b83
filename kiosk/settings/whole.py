"""All sections together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from kiosk.errors import ConfigurationError, did_you_mean
from kiosk.settings.access import (
    CredentialSettings,
    HolidaySettings,
    PersonSettings,
    RuleSettings,
    RuleTestSettings,
    ScheduleSettings,
)
from kiosk.settings.base import Identifier
from kiosk.settings.camera import CameraSettings
from kiosk.settings.eye import EnrolmentSettings, EyeSettings, LivenessSettings, PresentationSettings, QualitySettings
from kiosk.settings.portal import PortalSettings
from kiosk.settings.recognition import OnDeviceSettings, TencentIaiSettings, TencentLegacySettings
from kiosk.settings.site import JournalSettings, LogSettings, SiteSettings, WebSettings

PREFIX = "KIOSK_"
NESTING = "__"
POLICY_PARTS = ("rules", "schedules", "holidays", "people")
"""What a running daemon takes over from a changed file; all else needs a restart."""


class Settings(BaseSettings):
    """Read with `configuration.load`; immutable."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=NESTING, extra="forbid", frozen=True, validate_default=True
    )

    site: SiteSettings = SiteSettings()
    log: LogSettings = LogSettings()
    cameras: dict[Identifier, CameraSettings] = {"front": CameraSettings()}
    quality: QualitySettings = QualitySettings()
    enrolment: EnrolmentSettings = EnrolmentSettings()
    presentation: PresentationSettings = PresentationSettings()
    liveness: LivenessSettings = LivenessSettings()
    eye: EyeSettings = EyeSettings()
    tencent_legacy: TencentLegacySettings = TencentLegacySettings()
    tencent_iai: TencentIaiSettings = TencentIaiSettings()
    on_device: OnDeviceSettings = OnDeviceSettings()
    portals: dict[Identifier, PortalSettings] = {"door": PortalSettings()}
    rules: tuple[RuleSettings, ...] = ()
    rule_tests: tuple[RuleTestSettings, ...] = ()
    schedules: dict[Identifier, ScheduleSettings] = {}
    holidays: dict[Identifier, HolidaySettings] = {}
    people: dict[Identifier, PersonSettings] = {}
    credentials: CredentialSettings = CredentialSettings()
    journal: JournalSettings = JournalSettings()
    web: WebSettings = WebSettings()

    _file: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library names it)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library names it)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, dict(cls._file))

    @model_validator(mode="after")
    def _names_meet(self) -> Self:
        _check_names(self)
        return self

    @model_validator(mode="after")
    def _nothing_is_shared(self) -> Self:
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules are called '{name}'; names must differ")
        for part in ("relay", "camera"):
            used = [getattr(portal, part) for portal in self.portals.values()]
            for one in used:
                if used.count(one) > 1:
                    raise ValueError(f"two portals share the {part} '{one}'; each needs its own")
        return self

    def with_policy_of(self, other: Settings) -> Settings:
        """These settings with the other's rules, schedules, holidays and people.

        Raises ConfigurationError `configuration_invalid` where a part that stays needs one that is gone.
        """
        merged = self.model_copy(update={part: getattr(other, part) for part in (*POLICY_PARTS, "rule_tests")})
        try:
            _check_names(merged)
        except ValueError as error:
            raise ConfigurationError("configuration_invalid", f"{error}, as long as the daemon is not restarted") from error
        return merged

    @property
    def engines(self) -> frozenset[str]:
        """The recognisers that some portal may ask."""
        return frozenset(name for portal in self.portals.values() for name in portal.engines)

    @property
    def asks_live_vote(self) -> bool:
        """Whether the cloud is asked about liveness at some portal."""
        return self.liveness.cloud and any(portal.liveness != "off" for portal in self.portals.values())

    @property
    def gallery_path(self) -> Path:
        return self.on_device.gallery or self.site.state_dir / "gallery.sqlite"

    @property
    def journal_path(self) -> Path:
        return self.journal.path or self.site.state_dir / "journal.sqlite"


def _check_names(settings: Settings) -> None:
    """Raises ValueError where a part names another one that there is not."""
    for name, portal in settings.portals.items():
        if portal.camera not in settings.cameras:
            near = did_you_mean(portal.camera, settings.cameras)
            raise ValueError(f"portals.{name}.camera is '{portal.camera}', which is not in [cameras]{near}")
    for rule in settings.rules:
        for portal_name in rule.portals:
            if portal_name not in settings.portals:
                raise ValueError(
                    f"rule '{rule.name}' is for portal '{portal_name}', which is not in [portals]"
                    f"{did_you_mean(portal_name, settings.portals)}"
                )
    for name, portal in settings.portals.items():
        if portal.open_during and portal.open_during not in settings.schedules:
            near = did_you_mean(portal.open_during, settings.schedules)
            raise ValueError(f"portals.{name}.open_during is '{portal.open_during}', which is not in [schedules]{near}")
