"""Signed QR codes: a person, for one door or site, for a short time, once.

A compact JWS (RFC 7515) under Ed25519 (RFC 9864), whose payload has `sub`, `aud`, `iat`, `exp` and `jti` as a JWT's.
Pure: the time of day comes in. Whoever reads a code must remember its `jti` until it expires.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from msgspec import Meta, Struct

from kiosk.domain import Name
from kiosk.errors import ConfigurationError

ALGORITHM = "Ed25519"
"""The only one: a code cannot choose how it is checked."""
LONGEST = 500
"""Characters of a code."""
LEEWAY = 5.0
"""Seconds by which the issuer's clock may be ahead."""

_Moment = Annotated[float, Meta(ge=0, le=2**40)]


class Token(Struct, frozen=True):
    """What a code says; `iat` and `exp` are Unix seconds, `aud` is `SITE` or `SITE/PORTAL`."""

    sub: Name
    aud: Annotated[str, Meta(min_length=1, max_length=129)]
    iat: _Moment
    exp: _Moment
    jti: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class Refused(Struct, frozen=True):
    slug: str


def import_key(pem: bytes, *, private: bool) -> OKPKey:
    """Raises ConfigurationError `key_unusable`: not an Ed25519 key in PEM, or not of the kind wanted.

    A private key is refused where a public one will do: a box that checks codes should not be able to issue them.
    """
    try:
        key = OKPKey.import_key(pem)
    except (JoseError, ValueError, TypeError) as error:
        raise ConfigurationError("key_unusable", "no Ed25519 key in PEM") from error
    if key.curve_name != "Ed25519" or key.is_private != private:
        wanted = "private" if private else "public"
        found = "private" if key.is_private else "public"
        raise ConfigurationError("key_unusable", f"a {found} key of {key.curve_name} where a {wanted} one of Ed25519 is needed")
    return key


def is_signed(text: str) -> bool:
    """Whether `text` wants to be a signed code; anything else is a plain one."""
    return text.startswith("eyJ") and text.count(".") == 2


def audiences(site: str, portal: str) -> frozenset[str]:
    """Whom a code may be for to be good at this portal. Neither name has a `/` in it."""
    return frozenset({site, f"{site}/{portal}"})


def read(text: str, key: OKPKey | None, now: float, *, trusted: bool, here: Collection[str], lifetime: float) -> Token | Refused:
    """`now`: Unix seconds, and whether they are to be `trusted`; `lifetime`: seconds a code may be good at most.

    Whether the code was used before is not looked at.
    """
    if key is None:
        return Refused("code_key_missing")
    if len(text) > LONGEST:
        return Refused("code_invalid")
    try:
        payload = jws.deserialize_compact(text, key, algorithms=[ALGORITHM]).payload
        token = msgspec.json.decode(payload, type=Token)
    except (JoseError, ValueError):  # msgspec's errors are ValueErrors, as are those of malformed base64 and UTF-8
        return Refused("code_invalid")
    refusals = (
        (not trusted, "code_clock_untrusted"),
        (token.aud not in here, "code_for_elsewhere"),
        (token.exp - token.iat > lifetime, "code_lives_too_long"),
        (now >= token.exp, "code_expired"),
        (token.iat > now + LEEWAY, "code_not_yet"),
    )
    return next((Refused(slug) for holds, slug in refusals if holds), token)


def issue(token: Token, key: OKPKey) -> str:
    """The code's text, about 250 characters. `key` must be a private one."""
    return jws.serialize_compact({"alg": ALGORITHM}, msgspec.json.encode(token), key, algorithms=[ALGORITHM])
