"""From settings to a recogniser."""

from __future__ import annotations

from kiosk.errors import ConfigurationError
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.events import Watch
from kiosk.recognition.tencent.legacy import LegacyClient, LegacyRecogniser
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import TencentLegacySettings, secret


def build_recogniser(settings: TencentLegacySettings, watch: Watch) -> LegacyRecogniser:
    """`watch` hears of every request, and of whatever an operator should know.

    Raises ConfigurationError where the account is not fully named (`configuration_invalid`, `secret_missing`).
    """
    for name in ("appid", "group_ids"):
        if not getattr(settings, name):
            raise ConfigurationError(
                "configuration_invalid", f"tencent_legacy.{name} is empty; it stands in the vendor's console"
            )
    credentials = Credentials(secret(settings.secret_id_file), secret(settings.secret_key_file))
    caller = Caller([Transport(settings.endpoint, settings.ca_file)], watch=watch)
    client = LegacyClient(settings, credentials, caller)
    return LegacyRecogniser(client, threshold=settings.threshold, margin=settings.margin)
