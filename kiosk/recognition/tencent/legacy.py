"""The older host's face interfaces, `/face/identify` first of all."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

import structlog

from kiosk.domain import Candidate, Match, NonMatch, Probe
from kiosk.errors import ClockRejected, ConfigurationError, RecogniserError
from kiosk.ports import Clock
from kiosk.recognition.judging import judge
from kiosk.recognition.tencent import codes
from kiosk.recognition.tencent.legacy_messages import (
    DelPerson,
    Identified,
    NewPerson,
    PersonInfo,
    as_json,
    read,
    with_picture,
)
from kiosk.recognition.tencent.signing import Credentials, sign_legacy
from kiosk.recognition.tencent.transport import Payload, Transport
from kiosk.settings import TencentLegacySettings

MAX_SKEW = 86_400.0
"""Seconds by which signatures may follow the server's clock instead of ours; a box further off needs its clock set."""
FIRST_PAUSE = 0.15
"""Seconds before the first retry, doubled for the second, each drawn between half and one and a half of that."""

CallObserver = Callable[[str, str, float], None]
"""Hears of every request: interface, the vendor's code or else our slug, seconds."""

log = structlog.get_logger()
T = TypeVar("T")
_random = secrets.SystemRandom()


class _SkewLearnt(ClockRejected):
    """Signing again, by the server's clock, may help."""


def _nonce() -> int:
    return secrets.randbelow(1_000_000_000)


class LegacyClient:
    """One account's calls. Each takes a deadline in monotonic seconds and ends before it, retries included.

    Every call raises RecogniserError and nothing else. Event loop only. Raises ConfigurationError
    `configuration_invalid` where appid or groups are missing.
    """

    def __init__(
        self,
        settings: TencentLegacySettings,
        credentials: Credentials,
        transport: Transport,
        wall: Callable[[], float] = time.time,
        clock: Clock = time.monotonic,
        *,
        observe: CallObserver | None = None,
        nonce: Callable[[], int] = _nonce,
    ) -> None:
        _check(settings)
        self._settings = settings
        self._credentials = credentials
        self._transport = transport
        self._wall = wall
        self._clock = clock
        self._observe = observe
        self._nonce = nonce
        self._skew = 0.0
        self._target = [("appid", settings.appid), *([("bucket", settings.bucket)] if settings.bucket else [])]

    async def identify(self, jpeg: bytes, deadline: float) -> list[Candidate]:
        """The persons of the configured groups who look most like the face in `jpeg`, the best first."""
        groups = self._settings.group_ids
        group = ("group_id", groups[0]) if len(groups) == 1 else ("group_ids", groups)
        payload = with_picture([*self._target, group], jpeg, self._settings.upload)
        answer = await self._call("identify", payload, Identified, deadline)
        found = [Candidate(c.person_id, c.confidence, c.face_id, c.tag) for c in answer.candidates]
        return sorted(found, key=lambda candidate: candidate.score, reverse=True)

    async def new_person(
        self, person: str, photo: bytes, deadline: float, *, groups: Sequence[str] = (), name: str = "", tag: str = ""
    ) -> NewPerson:
        """Creates a person in `groups` (by default the configured ones; unknown ones come into being).

        Code −1302 where the person exists. An attempt whose answer was lost is not repeated: it may have worked.
        """
        extras = [item for item in (("person_name", name), ("tag", tag)) if item[1]]
        fields = [*self._target, ("person_id", person), *extras, ("group_ids", tuple(groups) or self._settings.group_ids)]
        payload = with_picture(fields, photo, self._settings.upload)
        return await self._call("newperson", payload, NewPerson, deadline, repeatable=False)

    async def del_person(self, person: str, deadline: float) -> int:
        """Deletes the person from all groups; says how many were deleted. Code −1303 where there is none."""
        payload = as_json([*self._target, ("person_id", person)])
        return (await self._call("delperson", payload, DelPerson, deadline, repeatable=False)).deleted

    async def get_info(self, person: str, deadline: float) -> PersonInfo:
        """Code −1303 where there is no such person."""
        payload = as_json([*self._target, ("person_id", person)])
        return await self._call("getinfo", payload, PersonInfo, deadline)

    async def warm(self) -> None:
        """Opens the connection. Faults are left for the first call to meet."""
        with contextlib.suppress(RecogniserError):
            await self._transport.warm(self._clock() + self._settings.deadline)

    async def close(self) -> None:
        await self._transport.close()

    async def _call(self, interface: str, payload: Payload, kind: type[T], deadline: float, *, repeatable: bool = True) -> T:
        done, signed_anew = 0, False
        while True:
            try:
                return await self._attempt(interface, payload, kind, deadline)
            except _SkewLearnt:
                if signed_anew:
                    raise
                signed_anew = True
            except RecogniserError as error:
                answered = bool(error.code)
                pause = FIRST_PAUSE * 2**done * _random.uniform(0.5, 1.5)
                if done >= codes.retries(error) or not (answered or repeatable) or self._clock() + pause >= deadline:
                    raise
                log.info("cloud_retry", interface=interface, slug=error.slug, code=error.code, pause=round(pause, 3))
                await asyncio.sleep(pause)
            done += 1

    async def _attempt(self, interface: str, payload: Payload, kind: type[T], deadline: float) -> T:
        started, outcome = self._clock(), "cancelled"
        try:
            answer = await self._transport.post(
                f"/face/{interface}", payload, authorization=self._authorization(), deadline=deadline
            )
            try:
                data = read(answer, kind)
            except ClockRejected as error:
                raise self._learnt(answer.date, error) from error
            outcome = "0"
        except RecogniserError as error:
            outcome = error.code or error.slug
            raise
        else:
            return data
        finally:
            if self._observe is not None:
                self._observe(interface, outcome, self._clock() - started)

    def _authorization(self) -> str:
        return sign_legacy(
            self._credentials,
            appid=self._settings.appid,
            bucket=self._settings.bucket,
            now=int(self._wall() + self._skew),
            nonce=self._nonce(),
        )

    def _learnt(self, date: str, error: ClockRejected) -> ClockRejected:
        """Takes the server's clock from its Date header, for signatures alone."""
        skew = _seconds_ahead(date, self._wall())
        if skew is None or abs(skew) > MAX_SKEW or abs(skew - self._skew) < 1:
            ahead = "says nothing of its clock" if skew is None else f"is {skew:+.0f} s from our clock"
            return ClockRejected(error.slug, f"{error.detail}; the server {ahead}", code=error.code)
        log.warning("clock_skew_learnt", seconds=round(skew))
        self._skew = skew
        return _SkewLearnt(error.slug, f"{error.detail}; the server is {skew:+.0f} s from our clock", code=error.code)


class LegacyRecogniser:
    """A ports.Recogniser over `/face/identify`. Owns the client."""

    name = "tencent-legacy"

    def __init__(self, client: LegacyClient, *, threshold: float, margin: float) -> None:
        self._client = client
        self._threshold = threshold
        self._margin = margin

    async def identify(self, probe: Probe, deadline: float) -> Match | NonMatch:
        candidates = await self._client.identify(probe.jpeg, deadline)
        return judge(candidates, threshold=self._threshold, margin=self._margin, engine=self.name)

    async def warm(self) -> None:
        await self._client.warm()

    async def close(self) -> None:
        await self._client.close()


def _check(settings: TencentLegacySettings) -> None:
    if not settings.appid:
        raise ConfigurationError("configuration_invalid", "tencent_legacy.appid: missing; the vendor's console shows it")
    for name, value in (("appid", settings.appid), ("bucket", settings.bucket)):
        if not re.fullmatch(r"[A-Za-z0-9_.-]*", value):
            raise ConfigurationError("configuration_invalid", f"tencent_legacy.{name}: '{value}' is none")
    if not settings.group_ids:
        raise ConfigurationError("configuration_invalid", "tencent_legacy.group_ids: name the groups people are enrolled in")


def _seconds_ahead(date: str, now: float) -> float | None:
    try:
        parsed = parsedate_to_datetime(date)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
