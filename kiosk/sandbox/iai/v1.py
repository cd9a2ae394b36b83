"""The vendor's first signature of today's interfaces, HmacSHA1 or HmacSHA256 over all fields of a query or form, verified.

Written from the vendor's description. `Nonce` and `Timestamp` are to keep a request from being repeated, it says, but it names
no code for one that is: so one may be.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.refusals import Refused
from kiosk.sandbox.wire import Sent

_REQUIRED = "Nonce", "SecretId", "Signature"


def check(sent: Sent, form: Mapping[str, str], credentials: Credentials) -> None:
    """Raises Refused: `MissingParameter`, `InvalidParameter` or `AuthFailure.…`."""
    for name in _REQUIRED:
        if not form.get(name):
            raise Refused("MissingParameter", f"the request is missing the parameter {name}")
    if not (form["Nonce"].isascii() and form["Nonce"].isdecimal()):
        raise Refused("InvalidParameter", "Nonce is no positive whole number")
    if form["SecretId"] != credentials.secret_id:
        raise Refused("AuthFailure.SecretIdNotFound")
    if not hmac.compare_digest(form["Signature"].encode(), _signature(sent, form, credentials)):
        raise Refused("AuthFailure.SignatureFailure")


def _signature(sent: Sent, form: Mapping[str, str], credentials: Credentials) -> bytes:
    """Any method but HmacSHA256 is HmacSHA1."""
    fields = {name.replace("_", "."): value for name, value in form.items() if name != "Signature"}
    joined = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    text = f"{sent.method}{sent.headers.get('host', '')}/?{joined}".encode()
    method = "sha256" if form.get("SignatureMethod") == "HmacSHA256" else "sha1"
    return base64.b64encode(hmac.digest(credentials.secret_key.encode(), text, method))
