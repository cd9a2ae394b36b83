"""Signatures of the vendor's interfaces, and the keys they are made with."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Self

from msgspec import Struct

from kiosk.errors import ConfigurationError, Unauthorised

LIFETIME = 30
"""Seconds a signature is good for: what the vendor's Python and PHP packages take."""
DIGEST_SIZE = 20
"""Bytes of an SHA-1 digest."""


class Credentials(Struct, frozen=True):
    """An account's SecretId and SecretKey, and the token where they are temporary ones (STS). None shows in a repr.

    Raises ConfigurationError `configuration_invalid` where one could be none: the detail does not quote it.
    """

    secret_id: str
    secret_key: str
    token: str = ""

    def __post_init__(self) -> None:
        for name, value in (("SecretId", self.secret_id), ("SecretKey", self.secret_key)):
            if not _is_word(value) or set(value) & set("&="):
                raise ConfigurationError("configuration_invalid", f"the {name} holds characters that no key has")
        if self.token and not _is_word(self.token):
            raise ConfigurationError("configuration_invalid", "the token holds characters that no token has")

    def __repr__(self) -> str:
        return "Credentials()"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


def sign_legacy(credentials: Credentials, *, appid: str, bucket: str, now: int, nonce: int, lifetime: int = LIFETIME) -> str:
    """The `Authorization` of the older host: base64 of an HMAC-SHA1 and, after it, the text it covers.

    `now`: Unix seconds; `nonce`: at most ten digits; `bucket` may be empty. The field order is that of
    the vendor's packages; the file field stays empty, which makes a signature for several uses, as face
    interfaces want it (documents 867/17719, 865/17723).
    """
    plain = f"a={appid}&b={bucket}&k={credentials.secret_id}&e={now + lifetime}&t={now}&r={nonce}&f=".encode("ascii")
    return base64.b64encode(_digest(credentials, plain) + plain).decode("ascii")


class LegacySignature(Struct, frozen=True):
    """What an `Authorization` of the older host claims; believe it only once `made_with` says so.

    `issued` and `expires` are Unix seconds.
    """

    digest: bytes
    plain: bytes
    appid: str
    bucket: str
    secret_id: str
    issued: int
    expires: int

    def __repr__(self) -> str:
        return f"LegacySignature(appid={self.appid!r}, issued={self.issued}, expires={self.expires})"

    @classmethod
    def parse(cls, header: str) -> Self:
        """Takes the fields in any order, since the vendor's Java package has its own.

        Raises Unauthorised with code 5 where this is no signature.
        """
        try:
            raw = base64.b64decode(header, validate=True)
            plain = raw[DIGEST_SIZE:]
            pairs = [item.partition("=") for item in plain.decode("ascii").split("&")]
        except (binascii.Error, ValueError) as error:
            raise Unauthorised("account_rejected", "the signature is not base64 of ASCII", code="5") from error
        fields = {name: value for name, _, value in pairs}
        if len(fields) != len(pairs) or not all(fields.get(name) for name in "akte"):
            raise Unauthorised("account_rejected", "the signature lacks a, k, e or t, or repeats a field", code="5")
        return cls(
            raw[:DIGEST_SIZE], plain, fields["a"], fields.get("b", ""), fields["k"], _seconds(fields["t"]), _seconds(fields["e"])
        )

    def made_with(self, credentials: Credentials) -> bool:
        """Whether this key signed exactly these bytes; takes the same time for every wrong digest."""
        return hmac.compare_digest(self.digest, _digest(credentials, self.plain))


UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""Says in X-TC-Content-SHA256 that the signature does not cover the body; then this text is hashed in its place."""


def sha256_hex(body: bytes) -> str:
    """What `sign_tc3` wants of a body. Take it once for a body, not once for an attempt."""
    return hashlib.sha256(body).hexdigest()


NO_BODY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The SHA-256 of nothing."""


def sign_tc3(
    credentials: Credentials,
    *,
    host: str,
    now: int,
    body_sha256: str,
    content_type: str = "application/json",
    method: Literal["POST", "GET"] = "POST",
    query: str = "",
    service: str = "iai",
) -> str:
    """The `Authorization` of TC3-HMAC-SHA256, over content-type and host as the official packages sign it.

    `host` and `content_type`: exactly as their headers are sent; `now`: as X-TC-Timestamp says (Unix seconds);
    `query`: exactly as in the address, for GET, whose `body_sha256` is NO_BODY.
    """
    headers = f"content-type:{content_type}\nhost:{host}\n"
    canonical = f"{method}\n/\n{query}\n{headers}\ncontent-type;host\n{body_sha256}"
    date = _utc_date(now // 86_400)
    scope = f"{date}/{service}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{now}\n{scope}\n{sha256_hex(canonical.encode())}"
    signature = hmac.digest(_tc3_key(credentials, date, service), text.encode(), "sha256").hex()
    return f"TC3-HMAC-SHA256 Credential={credentials.secret_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}"


def sign_v1(
    credentials: Credentials,
    *,
    host: str,
    fields: Mapping[str, str | int],
    algorithm: Literal["HmacSHA1", "HmacSHA256"] = "HmacSHA256",
    method: Literal["POST", "GET"] = "POST",
) -> str:
    """The `Signature` field of the older form of signing, over all other fields, values not encoded.

    `fields` hold Action, Nonce, Timestamp, Version, SecretId, SignatureMethod and all the rest but Signature.
    The vendor takes at most 1 MB so signed: two pictures do not fit, which is why nothing here sends it.
    """
    named = {name.replace("_", "."): value for name, value in fields.items()}
    joined = "&".join(f"{name}={named[name]}" for name in sorted(named))
    text = f"{method}{host}/?{joined}".encode()
    key = credentials.secret_key.encode("ascii")
    return base64.b64encode(hmac.digest(key, text, algorithm.removeprefix("Hmac"))).decode("ascii")


@lru_cache(maxsize=4)
def _utc_date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86_400))


@lru_cache(maxsize=4)
def _tc3_key(credentials: Credentials, date: str, service: str) -> bytes:
    """Good for a day, hence kept."""
    key = f"TC3{credentials.secret_key}".encode("ascii")
    for part in (date, service, "tc3_request"):
        key = hmac.digest(key, part.encode("ascii"), "sha256")
    return key


def _is_word(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _digest(credentials: Credentials, plain: bytes) -> bytes:
    return hmac.new(credentials.secret_key.encode("ascii"), plain, hashlib.sha1).digest()


def _seconds(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise Unauthorised("account_rejected", "the signature's times are no Unix seconds", code="5")
    return int(text)
