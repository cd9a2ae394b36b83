"""Who may call: the vendor's checks of a signature, in an order that names the first thing wrong."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import Unauthorised
from kiosk.recognition.tencent.signing import Credentials, LegacySignature
from kiosk.sandbox.legacy.submission import Submission
from kiosk.sandbox.refusals import Refusal

LONGEST = 90 * 86_400
"""Seconds: the documents allow signatures of up to three months."""
AHEAD = 300
"""Seconds by which a signature's time of issue may lie in our future: what the vendor's newer interfaces allow."""


class Gate:
    """Knows one account. `wall`: Unix seconds."""

    def __init__(self, credentials: Credentials, appid: str, bucket: str, wall: Callable[[], float]) -> None:
        self._credentials = credentials
        self._appid = appid
        self._bucket = bucket
        self._wall = wall

    def admit(self, authorization: str | None) -> LegacySignature:
        """Raises Refusal 4, 5, 9, 10, 11 or 14."""
        if not authorization:
            raise Refusal(4)
        try:
            signature = LegacySignature.parse(authorization)
        except Unauthorised as error:
            raise Refusal(5, error.detail) from error
        if signature.appid != self._appid:
            raise Refusal(10)
        if signature.secret_id != self._credentials.secret_id:
            raise Refusal(11)
        if not signature.made_with(self._credentials):
            raise Refusal(14)
        now = self._wall()
        if not signature.issued - AHEAD <= now <= signature.expires <= signature.issued + LONGEST:
            raise Refusal(9)
        return signature

    def match(self, signature: LegacySignature, submission: Submission) -> None:
        """Holds what was signed to what was sent. Raises Refusal 6 or 16."""
        if submission.appid and submission.appid != signature.appid:
            raise Refusal(6)
        if signature.bucket and submission.bucket and submission.bucket != signature.bucket:
            raise Refusal(6)
        for bucket in (signature.bucket, submission.bucket):
            if bucket and self._bucket and bucket != self._bucket:
                raise Refusal(16)
