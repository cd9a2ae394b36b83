"""From settings to the vendor's clients, to recognisers and to each portal's strategy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kiosk.configuration import secret
from kiosk.domain import Inconclusive, Probe
from kiosk.errors import ConfigurationError
from kiosk.recognition.live_vote import LiveVote
from kiosk.recognition.references import References, no_references
from kiosk.recognition.strategy import DEVICE, Engine, Plan, Strategy
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.events import Watch
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.recogniser import IaiRecogniser
from kiosk.recognition.tencent.legacy import LegacyRecogniser
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.limiter import Limiter
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import PortalSettings, Settings, TencentIaiSettings, TencentLegacySettings

if TYPE_CHECKING:
    from kiosk.recognition.on_device.recogniser import OnDeviceRecogniser

TencentSettings = TencentIaiSettings | TencentLegacySettings
Vote = Callable[[Probe, str, float], Awaitable[float | Inconclusive | None]]
"""Of a probe, whom somebody claimed it is of, and until when: see LiveVote.ask."""
DEVICE_SECONDS = 1.0
"""What a search of the largest gallery may take on the smallest box, with much to spare."""


class Engines:
    """Every recogniser that some portal may ask, built once, and nothing that none asks; and the gallery, where there is one.

    Event loop only. Owns them all. Raises ConfigurationError where one could not work: an account that is not fully named
    (`configuration_invalid`, `secret_missing`), a gallery that is not there (`gallery_missing`) or cannot be opened.
    """

    def __init__(self, settings: Settings, watch: Watch) -> None:
        """`watch` hears of every request, and of whatever an operator should know."""
        self._device = open_device(settings) if reads_gallery(settings) else None
        references = no_references if self._device is None else self._device.reference
        old, iai = settings.tencent_legacy, settings.tencent_iai
        builders: dict[str, Callable[[], Engine]] = {
            "tencent-legacy": lambda: Engine(
                legacy_recogniser(settings, watch, references), old.deadline, cloud=True, masks=False
            ),
            "tencent-iai": lambda: Engine(iai_recogniser(settings, watch, references), iai.deadline, cloud=True),
        }
        self._engines = {name: build() for name, build in builders.items() if name in settings.engines}
        self._vote = live_vote(settings, watch) if settings.asks_live_vote else None
        if self._device is not None and DEVICE in settings.engines:
            self._engines[DEVICE] = Engine(self._device, DEVICE_SECONDS, cloud=False)

    def strategy(self, portal: PortalSettings) -> Strategy:
        return Strategy(
            Plan(
                self._engines[portal.recogniser],
                self._engines.get(portal.fallback),
                self._engines.get(portal.second_opinion),
                self._engines.get(portal.confirm),
            ),
            lambda probe, claimed: self._may_leave(probe, claimed, portal_allows=portal.cloud_consent),
            kind=portal.strategy,
        )

    def vote(self, portal: PortalSettings) -> Vote | None:
        """The cloud's vote on a probe's liveness, where the portal wants one."""
        vote = self._vote
        if vote is None or portal.liveness == "off":
            return None

        def asks(probe: Probe, claimed: str, deadline: float) -> Awaitable[float | Inconclusive | None]:
            return vote.ask(probe, lambda one: self._may_leave(one, claimed, portal_allows=portal.cloud_consent), deadline)

        return asks

    @property
    def seconds(self) -> float:
        """What one probe's answer may take at most, with the vote before it."""
        return max(engine.seconds for engine in self._engines.values()) + (self._vote.seconds if self._vote else 0.0)

    @property
    def needs_embeddings(self) -> bool:
        """Whether probes must come with them: somebody, or consent, looks into the gallery."""
        return self._device is not None

    async def warm(self) -> None:
        """Opens what is slow to open. Faults are left for the first call to meet."""
        voting = [self._vote.warm()] if self._vote else []
        await asyncio.gather(*(engine.recogniser.warm() for engine in self._engines.values()), *voting)

    async def follow(self) -> None:
        """Until cancelled, or at once where no gallery is read: see OnDeviceRecogniser.follow."""
        if self._device is not None:
            await self._device.follow()

    async def close(self) -> None:
        for engine in self._engines.values():
            await engine.recogniser.close()
        if self._vote is not None:
            await self._vote.close()
        if self._device is not None and DEVICE not in self._engines:
            await self._device.close()

    def _may_leave(self, probe: Probe, claimed: str, *, portal_allows: bool) -> bool:
        return portal_allows if self._device is None else self._device.may_leave(probe, claimed, portal_allows=portal_allows)


def reads_gallery(settings: Settings) -> bool:
    """Whether the gallery is looked into: as an engine, or because it is there and may say who refused the cloud."""
    return DEVICE in settings.engines or settings.on_device.gallery is not None or settings.gallery_path.exists()


def open_device(settings: Settings) -> OnDeviceRecogniser:
    """With its gallery read. Raises ConfigurationError as `OnDeviceRecogniser.open` does."""
    # Only here: a box without a gallery needs no numpy.
    from kiosk.recognition.on_device.recogniser import OnDeviceRecogniser  # noqa: PLC0415

    device = OnDeviceRecogniser.open(settings)
    for upper in (False, True):
        device.gallery.follow(upper=upper)  # now, so that no face waits for it
    return device


def legacy_recogniser(settings: Settings, watch: Watch, references: References = no_references) -> LegacyRecogniser:
    """Raises ConfigurationError where the account is not fully named (`configuration_invalid`, `secret_missing`)."""
    section = settings.tencent_legacy
    caller = caller_of(section, watch)
    return LegacyRecogniser(legacy_of(section, caller), caller, section, references)


def iai_recogniser(settings: Settings, watch: Watch, references: References = no_references) -> IaiRecogniser:
    """Raises as `legacy_recogniser` does, and where no score is documented for the false match rate."""
    section = settings.tencent_iai
    caller = caller_of(section, watch)
    return IaiRecogniser(IaiClient(caller, account_of(section)), caller, section, references)


def live_vote(settings: Settings, watch: Watch) -> LiveVote:
    """Raises ConfigurationError as `credentials_of` does."""
    section = settings.tencent_iai
    caller = caller_of(section, watch)
    return LiveVote(IaiClient(caller, account_of(section)), caller, section.deadline)


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
