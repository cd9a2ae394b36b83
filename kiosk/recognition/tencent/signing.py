"""Signatures of the vendor's interfaces, and the keys they are made with."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Self

from kiosk.errors import ConfigurationError, Unauthorised

LIFETIME = 30
"""Seconds a signature is good for: what the vendor's Python and PHP packages take."""
DIGEST_SIZE = 20
"""Bytes of an SHA-1 digest."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's SecretId and SecretKey. The key never shows in a repr.

    Raises ConfigurationError `configuration_invalid` where either could not be a key: the detail does not quote it.
    """

    secret_id: str
    secret_key: str = field(repr=False)

    def __post_init__(self) -> None:
        for name, value in (("SecretId", self.secret_id), ("SecretKey", self.secret_key)):
            if not value.isascii() or not value.isprintable() or not value or set(value) & set(" &="):
                raise ConfigurationError("configuration_invalid", f"the {name} holds characters that no key has")


def sign_legacy(credentials: Credentials, *, appid: str, bucket: str, now: int, nonce: int, lifetime: int = LIFETIME) -> str:
    """The `Authorization` of the older host: base64 of an HMAC-SHA1 and, after it, the text it covers.

    `now`: Unix seconds; `nonce`: at most ten digits; `bucket` may be empty. The field order is that of
    the vendor's packages; the file field stays empty, which makes a signature for several uses, as face
    interfaces want it (documents 867/17719, 865/17723).
    """
    plain = f"a={appid}&b={bucket}&k={credentials.secret_id}&e={now + lifetime}&t={now}&r={nonce}&f=".encode("ascii")
    return base64.b64encode(_digest(credentials, plain) + plain).decode("ascii")


@dataclass(frozen=True, slots=True)
class LegacySignature:
    """What an `Authorization` of the older host claims; believe it only once `made_with` says so.

    `issued` and `expires` are Unix seconds.
    """

    digest: bytes = field(repr=False)
    plain: bytes = field(repr=False)
    appid: str
    bucket: str
    secret_id: str
    issued: int
    expires: int

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


def _digest(credentials: Credentials, plain: bytes) -> bytes:
    return hmac.new(credentials.secret_key.encode("ascii"), plain, hashlib.sha1).digest()


def _seconds(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise Unauthorised("account_rejected", "the signature's times are no Unix seconds", code="5")
    return int(text)
