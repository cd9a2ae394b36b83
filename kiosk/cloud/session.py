"""The vendor's clients as the settings name them, for one command."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from kiosk.cloud.tape import Recording, Tape
from kiosk.eye.photos import PhotoEye
from kiosk.ports import Shape
from kiosk.recognition.build import TencentSettings, account_of, caller_of, legacy_of
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.events import Asked, CallEvent, Retiring, SkewLearnt
from kiosk.recognition.tencent.iai.client import IaiClient
from kiosk.recognition.tencent.iai.wire import A, Interface
from kiosk.recognition.tencent.legacy_wire import D, LegacyInterface
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import Settings


class Session:
    """Use as an async context manager; event loop only. Every call raises KioskError and nothing else.

    `asked`: the requests made so far; `notices`: what the vendor let us know beside the answers.
    """

    def __init__(self, settings: Settings, tape: Tape | None = None) -> None:
        self.settings = settings
        self.asked: list[Asked] = []
        self.notices: list[str] = []
        self._tape = tape
        self._callers: dict[type[TencentSettings], Caller] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for caller in self._callers.values():
            await caller.close()

    async def iai(self, request: Interface[A]) -> A:
        """Asks today's interfaces."""
        section = self.settings.tencent_iai
        client = IaiClient(self._caller(section), account_of(section))
        return await client.call(request, time.monotonic() + section.deadline)

    async def legacy(self, request: LegacyInterface[D]) -> D:
        """Asks the older host."""
        section = self.settings.tencent_legacy
        return await legacy_of(section, self._caller(section)).call(request, time.monotonic() + section.deadline)

    async def draw(self, photo: bytes, shapes: Sequence[Shape]) -> bytes:
        """A PNG of the photo with `shapes` on it, made by an eye."""
        settings = self.settings
        async with PhotoEye(settings.quality, settings.eye, settings.site.models_dir, draws_only=True) as eye:
            return await eye.draw(photo, shapes)

    def transport(self, section: TencentSettings, endpoint: str) -> Transport:
        """To one of the section's endpoints; recorded where there is a tape. The caller closes it."""
        if self._tape is None:
            return Transport(endpoint, section.ca_file, http2=section.http2)
        return Recording(self._tape, endpoint, section.ca_file, http2=section.http2)

    def _caller(self, section: TencentSettings) -> Caller:
        if type(section) not in self._callers:
            self._callers[type(section)] = caller_of(section, self._hear, lambda endpoint: self.transport(section, endpoint))
        return self._callers[type(section)]

    def _hear(self, event: CallEvent) -> None:
        match event:
            case Asked():
                self.asked.append(event)
            case Retiring(interface, message):
                self.notices.append(f"the vendor is about to retire {interface}: {message}")
            case SkewLearnt(seconds):
                self.notices.append(f"the server's clock is {seconds:+.0f} s from this box's: set the clock right (NTP)")
