"""The older host's interfaces, for one account."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from kiosk.recognition.tencent.calls import Attempt, Caller, Outgoing, Request
from kiosk.recognition.tencent.interface import answer_type
from kiosk.recognition.tencent.legacy_wire import D, LegacyInterface, Target, Upload, payload_of, read
from kiosk.recognition.tencent.signing import Credentials, sign_legacy


def _nonce() -> int:
    return secrets.randbelow(1_000_000_000)


class LegacyInterfaces:
    """Makes any call of `legacy_faces` and `legacy_library`: `await old.call(GetInfo("ann"), deadline)` gives a `PersonDetails`.

    Event loop only. `upload`: how pictures travel. Does not own the caller.
    """

    def __init__(
        self,
        caller: Caller,
        credentials: Credentials,
        *,
        appid: str,
        bucket: str = "",
        upload: Upload = "multipart",
        nonce: Callable[[], int] = _nonce,
    ) -> None:
        self._caller = caller
        self._credentials = credentials
        self._appid = appid
        self._bucket = bucket
        self._upload = upload
        self._nonce = nonce

    async def call(self, request: LegacyInterface[D], deadline: float) -> D:
        """Ends before `deadline` (monotonic seconds).

        Raises RecogniserError and nothing else: ProbeRejected `request_out_of_bounds` before anything is sent, and
        whatever `Caller.call` raises.
        """
        request.check()
        target: Target = (("appid", self._appid), *((("bucket", self._bucket),) if self._bucket else ()))
        payload = payload_of(request, target, self._upload)
        interface, kind = request.interface(), answer_type(type(request))

        def build(attempt: Attempt) -> Outgoing:
            signature = sign_legacy(
                self._credentials, appid=self._appid, bucket=self._bucket, now=attempt.now, nonce=self._nonce()
            )
            headers = (("Authorization", signature), ("Content-Type", payload.content_type))
            return Outgoing(f"/face/{interface}", headers, payload.body)

        def understand(answer: bytes) -> D:
            return read(answer, kind)

        return await self._caller.call(
            Request(interface, "legacy", build, understand, write=request.WRITE, settled=request.settled()), deadline
        )
