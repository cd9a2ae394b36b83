"""Who may call the current interfaces: TC3-HMAC-SHA256 verified.

Written from the vendor's description and not from our own signer, so that one cannot repeat a mistake of the other.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.refusals import Refused

WINDOW = 300
"""Seconds a request's time may lie from ours, by the vendor's documents."""
SERVICE = "iai"
_ALGORITHM = "TC3-HMAC-SHA256"
_MANDATORY = {"content-type", "host"}
_UNSIGNED = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(
    _ALGORITHM + r" +Credential=(?P<id>[^/, ]+)/(?P<date>\d{4}-\d\d-\d\d)/(?P<service>[a-z0-9]+)/tc3_request, *"
    r"SignedHeaders=(?P<headers>[A-Za-z0-9;\-]+), *Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)


class Sent(NamedTuple):
    """`headers` by their lower-case names, as sent; `query` as sent."""

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Gate:
    """Knows one account. `wall`: Unix seconds."""

    def __init__(self, credentials: Credentials, wall: Callable[[], float]) -> None:
        self._credentials = credentials
        self._wall = wall

    def admit(self, sent: Sent) -> None:
        """Raises Refused: `AuthFailure.…` or `MissingParameter`. Where the account has a token, it must be the one sent."""
        found = _AUTHORIZATION.fullmatch(sent.headers.get("authorization", "").strip())
        if found is None:
            raise Refused("AuthFailure.InvalidAuthorization")
        stamp = self._timestamp(sent.headers)
        if found["service"] != SERVICE:
            raise Refused("AuthFailure.InvalidAuthorization", f"the credential is for another service than {SERVICE}")
        if found["date"] != datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d"):
            raise Refused("AuthFailure.SignatureFailure", "the credential's date is not that of X-TC-Timestamp in UTC")
        if found["id"] != self._credentials.secret_id:
            raise Refused("AuthFailure.SecretIdNotFound")
        names = found["headers"].lower().split(";")
        if not _MANDATORY <= set(names) <= sent.headers.keys():
            raise Refused("AuthFailure.SignatureFailure", "content-type and host must be signed, and what is signed, sent")
        if not self._signed(sent, found, names, stamp):
            raise Refused("AuthFailure.SignatureFailure")
        if self._credentials.token and sent.headers.get("x-tc-token") != self._credentials.token:
            raise Refused("AuthFailure.TokenFailure")

    def _timestamp(self, headers: Mapping[str, str]) -> int:
        text = headers.get("x-tc-timestamp")
        if text is None:
            raise Refused("MissingParameter", "the request is missing the header X-TC-Timestamp")
        if not re.fullmatch(r"\d{1,12}", text, re.ASCII) or abs(int(text) - self._wall()) > WINDOW:
            raise Refused("AuthFailure.SignatureExpire")
        return int(text)

    def _signed(self, sent: Sent, found: re.Match[str], names: list[str], stamp: int) -> bool:
        """Values count as sent, as the vendor's packages sign them, or in lower case, as its description has it."""
        values = {name: sent.headers[name].strip() for name in names}
        return any(
            hmac.compare_digest(found["signature"], self._signature(sent, found["date"], stamp, found["headers"].lower(), form))
            for form in (values, {name: value.lower() for name, value in values.items()})
        )

    def _signature(self, sent: Sent, date: str, stamp: int, names: str, values: Mapping[str, str]) -> str:
        unsigned = sent.headers.get("x-tc-content-sha256") == _UNSIGNED
        body = hashlib.sha256(_UNSIGNED.encode() if unsigned else sent.body).hexdigest()
        headers = "".join(f"{name}:{values[name]}\n" for name in names.split(";"))
        canonical = f"{sent.method}\n/\n{sent.query}\n{headers}\n{names}\n{body}"
        text = "\n".join(
            (_ALGORITHM, str(stamp), f"{date}/{SERVICE}/tc3_request", hashlib.sha256(canonical.encode()).hexdigest())
        )
        key = f"TC3{self._credentials.secret_key}".encode()
        for part in (date, SERVICE, "tc3_request", text):
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()
