"""The vendor's current face interfaces, iai 2020-03-03, for one account."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from kiosk.recognition.tencent.calls import Attempt, Caller, Outgoing, Request
from kiosk.recognition.tencent.iai.wire import VERSION, A, Interface, body_of, read
from kiosk.recognition.tencent.interface import answer_type
from kiosk.recognition.tencent.signing import Credentials, sign_tc3

CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose calls these are. `region` may be empty; `language`: of the vendor's messages."""

    credentials: Credentials
    region: str = "ap-guangzhou"
    language: Literal["zh-CN", "en-US"] = "zh-CN"


class IaiClient:
    """Makes any call of the package: `await iai.call(CompareFace(image_a=a, image_b=b), deadline)` gives a `Scored`.

    Event loop only. Does not own the caller, whose watch hears once of each interface the vendor is about to retire.
    """

    def __init__(self, caller: Caller, account: Account) -> None:
        self._caller = caller
        self._account = account

    async def call(self, request: Interface[A], deadline: float) -> A:
        """Ends before `deadline` (monotonic seconds).

        Raises RecogniserError and nothing else: ProbeRejected `request_out_of_bounds` before anything is sent, and
        whatever `Caller.call` raises.
        """
        request.check()
        body = body_of(request)
        digest = hashlib.sha256(body).hexdigest()
        action, kind = request.action(), answer_type(type(request))

        def build(attempt: Attempt) -> Outgoing:
            return Outgoing("/", self._headers(action, digest, attempt), body)

        def understand(answer: bytes) -> A:
            return read(answer, kind, lambda notice: self._caller.retiring(action, notice))

        return await self._caller.call(
            Request(action, request.GROUP, build, understand, write=request.WRITE, settled=request.settled()), deadline
        )

    def _headers(self, action: str, digest: str, attempt: Attempt) -> tuple[tuple[str, str], ...]:
        account = self._account
        authorization = sign_tc3(
            account.credentials, host=attempt.host, content_type=CONTENT_TYPE, body_sha256=digest, now=attempt.now
        )
        optional = (("X-TC-Region", account.region), ("X-TC-Token", account.credentials.token))
        return (
            ("Content-Type", CONTENT_TYPE),
            ("X-TC-Action", action),
            ("X-TC-Timestamp", str(attempt.now)),
            ("X-TC-Version", VERSION),
            *(header for header in optional if header[1]),
            ("X-TC-Language", account.language),
            ("Authorization", authorization),
        )
