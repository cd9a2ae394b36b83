"""From settings to a recogniser."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import ConfigurationError
from kiosk.recognition.tencent.legacy import LegacyClient, LegacyRecogniser
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import TencentLegacySettings, secret


def build_recogniser(settings: TencentLegacySettings, observe: Callable[[str, str, float], None]) -> LegacyRecogniser:
    """`observe` hears of each call: interface, code, seconds.

    Raises ConfigurationError where the account is not fully named (`configuration_invalid`, `secret_missing`).
    """
    for name in ("appid", "group_ids"):
        if not getattr(settings, name):
            raise ConfigurationError(
                "configuration_invalid", f"tencent_legacy.{name} is empty; it stands in the vendor's console"
            )
    credentials = Credentials(secret(settings.secret_id_file), secret(settings.secret_key_file))
    client = LegacyClient(settings, credentials, Transport(settings.endpoint, settings.ca_file), observe=observe)
    return LegacyRecogniser(client, threshold=settings.threshold, margin=settings.margin)
