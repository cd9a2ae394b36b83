"""From settings to the vendor's clients and to a recogniser."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.configuration import secret
from kiosk.errors import ConfigurationError
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.events import Watch
from kiosk.recognition.tencent.iai.client import Account
from kiosk.recognition.tencent.legacy import LegacyClient, LegacyRecogniser
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.limiter import Limiter
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import TencentIaiSettings, TencentLegacySettings

TencentSettings = TencentIaiSettings | TencentLegacySettings


def build_recogniser(section: TencentLegacySettings, watch: Watch) -> LegacyRecogniser:
    """`watch` hears of every request, and of whatever an operator should know.

    Raises ConfigurationError where the account is not fully named (`configuration_invalid`, `secret_missing`).
    """
    for name in ("appid", "group_ids"):
        if not getattr(section, name):
            raise ConfigurationError(
                "configuration_invalid", f"tencent_legacy.{name} is empty; it stands in the vendor's console"
            )
    client = LegacyClient(section, credentials_of(section), caller_of(section, watch))
    return LegacyRecogniser(client, threshold=section.threshold, margin=section.margin)


def caller_of(section: TencentSettings, watch: Watch, transport: Callable[[str], Transport] | None = None) -> Caller:
    """The way to the section's endpoints, first and fall-back, with the account's limits.

    `transport`: makes the one to an endpoint, where it should be another than the plain one.
    """
    make = transport or (lambda endpoint: Transport(endpoint, section.ca_file, http2=section.http2))
    endpoints = [make(endpoint) for endpoint in (section.endpoint, section.fallback_endpoint) if endpoint]
    own = {"liveness_accurate": section.liveness_per_second} if isinstance(section, TencentIaiSettings) else {}
    return Caller(endpoints, Limiter(own, rate=section.requests_per_second), watch=watch)


def credentials_of(section: TencentSettings) -> Credentials:
    """Raises ConfigurationError `secret_missing` or `configuration_invalid`."""
    token_file = section.token_file if isinstance(section, TencentIaiSettings) else None
    token = secret(token_file) if token_file else ""
    return Credentials(secret(section.secret_id_file), secret(section.secret_key_file), token)


def account_of(section: TencentIaiSettings) -> Account:
    """Raises as `credentials_of` does."""
    return Account(credentials_of(section), section.region, section.language)


def legacy_of(section: TencentLegacySettings, caller: Caller) -> LegacyInterfaces:
    """Raises as `credentials_of` does, and where the account has no appid."""
    if not section.appid:
        raise ConfigurationError("configuration_invalid", "tencent_legacy.appid is empty; it stands in the vendor's console")
    return LegacyInterfaces(caller, credentials_of(section), appid=section.appid, bucket=section.bucket, upload=section.upload)
