"""The older host's face interfaces, `/face/identify` first of all."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

from kiosk.domain import Candidate, Match, NonMatch, Probe
from kiosk.errors import ConfigurationError
from kiosk.recognition.judging import judge
from kiosk.recognition.tencent.calls import Attempt, Caller, Outgoing, Request
from kiosk.recognition.tencent.legacy_form import Payload
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
from kiosk.settings import TencentLegacySettings

T = TypeVar("T")


def _nonce() -> int:
    return secrets.randbelow(1_000_000_000)


class LegacyClient:
    """One account's calls. Each takes a deadline in monotonic seconds and ends before it, retries included.

    Owns `caller`. Every call raises RecogniserError and nothing else. Event loop only. Raises ConfigurationError
    `configuration_invalid` where appid or groups are missing.
    """

    def __init__(
        self,
        settings: TencentLegacySettings,
        credentials: Credentials,
        caller: Caller,
        *,
        nonce: Callable[[], int] = _nonce,
    ) -> None:
        _check(settings)
        self._settings = settings
        self._credentials = credentials
        self._caller = caller
        self._nonce = nonce
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
        return await self._call("newperson", payload, NewPerson, deadline, write=True)

    async def del_person(self, person: str, deadline: float) -> int:
        """Deletes the person from all groups; says how many were deleted. Code −1303 where there is none."""
        payload = as_json([*self._target, ("person_id", person)])
        return (await self._call("delperson", payload, DelPerson, deadline, write=True)).deleted

    async def get_info(self, person: str, deadline: float) -> PersonInfo:
        """Code −1303 where there is no such person."""
        payload = as_json([*self._target, ("person_id", person)])
        return await self._call("getinfo", payload, PersonInfo, deadline)

    async def warm(self) -> None:
        """Opens the connection and keeps it open, unless the settings say not to. Faults are left for the first call."""
        if self._settings.keep_warm:
            await self._caller.warm()

    async def close(self) -> None:
        await self._caller.close()

    async def _call(self, interface: str, payload: Payload, kind: type[T], deadline: float, *, write: bool = False) -> T:
        def build(attempt: Attempt) -> Outgoing:
            headers = (("Content-Type", payload.content_type), ("Authorization", self._authorization(attempt.now)))
            return Outgoing(f"/face/{interface}", headers, payload.body)

        def understand(body: bytes) -> T:
            return read(body, kind)

        return await self._caller.call(Request(interface, "legacy", build, understand, write=write), deadline)

    def _authorization(self, now: int) -> str:
        return sign_legacy(
            self._credentials, appid=self._settings.appid, bucket=self._settings.bucket, now=now, nonce=self._nonce()
        )


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
