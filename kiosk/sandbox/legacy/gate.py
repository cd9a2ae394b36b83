"""Who may call: the vendor's checks of a signature, in an order that names the first thing wrong."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import Unauthorised
from kiosk.recognition.tencent.signing import Credentials, LegacySignature
from kiosk.sandbox.legacy.submission import Submission
from kiosk.sandbox.refusals import Refusal

_ONE_TIME = 0
"""As a signature's expiry: it may be used once, for the file it names (documents 867/17719, 865/17723)."""
MOST_SPENT = 100_000
"""One-time signatures remembered; any more are too frequent."""
LONGEST = 90 * 86_400
"""Seconds: the documents allow signatures of up to three months."""
AHEAD = 300
"""Seconds by which a signature's time of issue may lie in our future: what the vendor's newer interfaces allow."""


class Gate:
    """Knows one account, hence never says 12: that its AppID and SecretId are two accounts'. `wall`: Unix seconds."""

    def __init__(self, credentials: Credentials, appid: str, bucket: str, wall: Callable[[], float]) -> None:
        self._credentials = credentials
        self._appid = appid
        self._bucket = bucket
        self._wall = wall
        self._spent: dict[bytes, int] = {}
        """When these one-time signatures were issued."""

    def admit(self, authorization: str | None) -> LegacySignature:
        """Raises Refusal 4, 5, 6, 9, 10, 11, 13, 14 or 15."""
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
        self._check_time(signature)
        if _file(signature):
            raise Refusal(6, "the signature is for a file, and no face interface works on one")
        return signature

    def _check_time(self, signature: LegacySignature) -> None:
        now = self._wall()
        last = signature.expires
        if last == _ONE_TIME and _file(signature):
            last = signature.issued + LONGEST
        if not signature.issued - AHEAD <= now <= last <= signature.issued + LONGEST:
            raise Refusal(9)
        if signature.expires == _ONE_TIME:
            self._spend(signature, now)

    def _spend(self, signature: LegacySignature, now: float) -> None:
        """A one-time signature is used up whatever comes of it. Raises Refusal 13 where it was before."""
        if signature.digest in self._spent:
            raise Refusal(13)
        if len(self._spent) >= MOST_SPENT:
            self._spent = {digest: issued for digest, issued in self._spent.items() if now <= issued + LONGEST}
        if len(self._spent) >= MOST_SPENT:
            raise Refusal(15)
        self._spent[signature.digest] = signature.issued

    def match(self, signature: LegacySignature, submission: Submission) -> None:
        """Holds what was signed to what was sent. Raises Refusal 6 or 16."""
        if submission.appid and submission.appid != signature.appid:
            raise Refusal(6)
        if signature.bucket and submission.bucket and submission.bucket != signature.bucket:
            raise Refusal(6)
        for bucket in (signature.bucket, submission.bucket):
            if bucket and self._bucket and bucket != self._bucket:
                raise Refusal(16)


def _file(signature: LegacySignature) -> str:
    """What the signature is bound to; empty for nothing."""
    fields = dict(item.partition("=")[::2] for item in signature.plain.decode("ascii").split("&"))
    return fields.get("f", "")
