"""From settings to a recogniser."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from kiosk.errors import ConfigurationError
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.events import Asked, CallEvent, Circuit, Repeated, Retiring, SkewLearnt, Slowed, Watch
from kiosk.recognition.tencent.legacy import LegacyClient, LegacyRecogniser
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import TencentLegacySettings, secret

log = structlog.get_logger()


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
    caller = Caller([Transport(settings.endpoint, settings.ca_file)], watch=watcher(observe))
    client = LegacyClient(settings, credentials, caller)
    return LegacyRecogniser(client, threshold=settings.threshold, margin=settings.margin)


def watcher(observe: Callable[[str, str, float], None]) -> Watch:
    """Requests go to `observe`, all else to the log."""

    def watch(event: CallEvent) -> None:
        match event:
            case Asked(interface, _, outcome, seconds):
                observe(interface, outcome, seconds)
            case Repeated(interface, slug, code, pause):
                log.info("cloud_retry", interface=interface, slug=slug, code=code, pause=round(pause, 3))
            case SkewLearnt(seconds):
                log.warning("clock_skew_learnt", seconds=round(seconds))
            case Slowed(group, rate):
                log.warning("cloud_slowed_down", group=group, rate=rate)
            case Circuit(name, seconds):
                log.warning("cloud_circuit", name=name, state="open" if seconds else "closed", seconds=round(seconds, 1))
            case Retiring(interface, message):
                log.error("interface_retired", interface=interface, message=message)

    return watch
