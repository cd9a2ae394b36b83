"""The whole configuration as models; `kiosk.configuration` reads it.

`config/kiosk.toml` shows every setting; a test holds it to this module. Secrets are never values
here, only the files (or systemd credentials) that hold them.
"""

from kiosk.settings.access import (
    CredentialSettings,
    Factor,
    HolidaySettings,
    PersonSettings,
    RuleSettings,
    RuleTestSettings,
    ScheduleSettings,
)
from kiosk.settings.base import (
    ConsoleName,
    FalseMatches,
    GroupIdentifier,
    Identifier,
    PositiveSeconds,
    Rate,
    Score,
    Section,
    Share,
    is_loopback,
)
from kiosk.settings.camera import CAMERA_SCHEMES, LEAST_REGION, LIVE_SCHEMES, STREAM_SCHEMES, CameraSettings
from kiosk.settings.eye import (
    EnrolmentSettings,
    EyeSettings,
    LivenessPolicy,
    LivenessSettings,
    PresentationSettings,
    QualitySettings,
    Task,
)
from kiosk.settings.lines import LINE_SCHEMES
from kiosk.settings.portal import READER_SCHEMES, PortalSettings, Recogniser
from kiosk.settings.recognition import OnDeviceSettings, TencentIaiSettings, TencentLegacySettings, TencentSettings
from kiosk.settings.site import JournalSettings, LogSettings, SiteSettings, WebSettings
from kiosk.settings.whole import NESTING, POLICY_PARTS, PREFIX, Settings

__all__ = [
    "CAMERA_SCHEMES",
    "LEAST_REGION",
    "LINE_SCHEMES",
    "LIVE_SCHEMES",
    "NESTING",
    "POLICY_PARTS",
    "PREFIX",
    "READER_SCHEMES",
    "STREAM_SCHEMES",
    "CameraSettings",
    "ConsoleName",
    "CredentialSettings",
    "EnrolmentSettings",
    "EyeSettings",
    "Factor",
    "FalseMatches",
    "GroupIdentifier",
    "HolidaySettings",
    "Identifier",
    "JournalSettings",
    "LivenessPolicy",
    "LivenessSettings",
    "LogSettings",
    "OnDeviceSettings",
    "PersonSettings",
    "PortalSettings",
    "PositiveSeconds",
    "PresentationSettings",
    "QualitySettings",
    "Rate",
    "Recogniser",
    "RuleSettings",
    "RuleTestSettings",
    "ScheduleSettings",
    "Score",
    "Section",
    "Settings",
    "Share",
    "SiteSettings",
    "Task",
    "TencentIaiSettings",
    "TencentLegacySettings",
    "TencentSettings",
    "WebSettings",
    "is_loopback",
]
