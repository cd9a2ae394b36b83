"""Requests signed by hand as the vendor describes it, so that anything in them can be set wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from tests.sandbox_stage import APPID, BUCKET, KEYS

FORM = "application/x-www-form-urlencoded"


def tc3(
    port: int,
    body: bytes = b"",
    *,
    action: str = "GetGroupList",
    method: str = "POST",
    query: str = "",
    now: float | None = None,
    names: tuple[str, ...] = ("content-type", "host"),
    date: str = "",
    service: str = "iai",
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Headers, with more of them signed where `names` says so."""
    stamp = int(now or time.time())
    day = date or time.strftime("%Y-%m-%d", time.gmtime(stamp))
    sent = {
        "content-type": "application/json" if method == "POST" else FORM,
        "host": f"127.0.0.1:{port}",
        "x-tc-action": action,
        "x-tc-version": "2020-03-03",
        "x-tc-timestamp": str(stamp),
        **(headers or {}),
    }
    lines = "".join(f"{name}:{sent[name].lower()}\n" for name in names)
    canonical = f"{method}\n/\n{query}\n{lines}\n{';'.join(names)}\n{hashlib.sha256(body).hexdigest()}"
    text = f"TC3-HMAC-SHA256\n{stamp}\n{day}/{service}/tc3_request\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"
    key = b"TC3" + KEYS.secret_key.encode()
    for part in (day, service, "tc3_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{KEYS.secret_id}/{day}/{service}/tc3_request"
    signature = f"SignedHeaders={';'.join(names)}, Signature={key.hex()}"
    return {**sent, "authorization": f"TC3-HMAC-SHA256 Credential={scope}, {signature}"}


def v1(
    port: int,
    fields: Mapping[str, object] | None = None,
    *,
    action: str = "GetGroupList",
    method: str = "POST",
    digest: str = "sha256",
    **changes: object,
) -> str:
    """A form or query; of its common fields, those of `changes` are others, or missing where None."""
    common = {
        "Action": action,
        "Version": "2020-03-03",
        "Timestamp": int(time.time()),
        "Nonce": 7,
        "SecretId": KEYS.secret_id,
        "SignatureMethod": "HmacSHA256" if digest == "sha256" else "HmacSHA1",
        **changes,
    }
    sent = {name: value for name, value in {**(fields or {}), **common}.items() if value is not None}
    text = f"{method}127.0.0.1:{port}/?" + "&".join(f"{name}={sent[name]}" for name in sorted(sent))
    signature = base64.b64encode(hmac.digest(KEYS.secret_key.encode(), text.encode(), digest)).decode()
    return urlencode({**sent, "Signature": signature})


def old(**changes: object) -> str:
    """The older host's `Authorization`; of its fields, those of `changes` are others, or missing where None."""
    now = int(time.time())
    fields = {"a": APPID, "b": BUCKET, "k": KEYS.secret_id, "e": now + 30, "t": now, "r": 7, "f": "", **changes}
    return old_over("&".join(f"{name}={value}" for name, value in fields.items() if value is not None))


def old_over(plain: str) -> str:
    return base64.b64encode(hmac.digest(KEYS.secret_key.encode(), plain.encode(), "sha1") + plain.encode()).decode()
