"""The vendor's signature of today, TC3-HMAC-SHA256, verified.

Written from the vendor's description and not from our own signer, so that one cannot repeat a mistake of the other. The
description knows no protection against the repetition of a request but its time: within the window one may be sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.refusals import Refused
from kiosk.sandbox.wire import Sent

SERVICE = "iai"
_ALGORITHM = "TC3-HMAC-SHA256"
_MANDATORY = {"content-type", "host"}
_UNSIGNED = "UNSIGNED-PAYLOAD"
"""In X-TC-Content-SHA256: the signature does not cover the body; then this text is hashed in its place."""
_AUTHORIZATION = re.compile(
    _ALGORITHM + r" +Credential=(?P<id>[^/, ]+)/(?P<date>\d{4}-\d\d-\d\d)/(?P<service>[a-z0-9]+)/tc3_request, *"
    r"SignedHeaders=(?P<headers>[A-Za-z0-9;\-]+), *Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)


def check(sent: Sent, stamp: int, credentials: Credentials) -> None:
    """Raises Refused `AuthFailure.…`. `stamp`: the request's X-TC-Timestamp."""
    found = _AUTHORIZATION.fullmatch(sent.headers.get("authorization", "").strip())
    if found is None:
        raise Refused("AuthFailure.InvalidAuthorization")
    if found["service"] != SERVICE:
        raise Refused("AuthFailure.InvalidAuthorization", f"the credential is for another service than {SERVICE}")
    if found["date"] != datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d"):
        raise Refused("AuthFailure.SignatureFailure", "the credential's date is not that of X-TC-Timestamp in UTC")
    if found["id"] != credentials.secret_id:
        raise Refused("AuthFailure.SecretIdNotFound")
    names = found["headers"].lower().split(";")
    if not _MANDATORY <= set(names) <= sent.headers.keys():
        raise Refused("AuthFailure.SignatureFailure", "content-type and host must be signed, and what is signed, sent")
    if not _signed(sent, found, names, stamp, _key(credentials.secret_key, found["date"])):
        raise Refused("AuthFailure.SignatureFailure")


def _signed(sent: Sent, found: re.Match[str], names: list[str], stamp: int, key: bytes) -> bool:
    """Values count as sent, as the vendor's packages sign them, or in lower case, as its description has it."""
    payload = sent.body if sent.method == "POST" else b""
    if sent.headers.get("x-tc-content-sha256") == _UNSIGNED:
        payload = _UNSIGNED.encode()
    digest = hashlib.sha256(payload).hexdigest()
    values = {name: sent.headers[name].strip() for name in names}
    forms = (values, {name: value.lower() for name, value in values.items()})
    texts = (_text(sent, names, form, digest, f"{stamp}\n{found['date']}") for form in forms)
    return any(hmac.compare_digest(found["signature"], hmac.digest(key, text, "sha256").hex()) for text in texts)


def _text(sent: Sent, names: list[str], values: Mapping[str, str], digest: str, when: str) -> bytes:
    headers = "".join(f"{name}:{values[name]}\n" for name in names)
    query = "" if sent.method == "POST" else sent.query
    canonical = f"{sent.method}\n/\n{query}\n{headers}\n{';'.join(names)}\n{digest}"
    # A character of a header or query is a byte as it came.
    return f"{_ALGORITHM}\n{when}/{SERVICE}/tc3_request\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}".encode()


@lru_cache(maxsize=4)
def _key(secret: str, date: str) -> bytes:
    """Good for a day, hence kept."""
    key = f"TC3{secret}".encode()
    for part in (date, SERVICE, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
