"""What a request says of itself, wherever its form has the place for it. Nothing of it is believed yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

from kiosk.sandbox.forms import content_type
from kiosk.sandbox.iai.fields import FORM, pairs
from kiosk.sandbox.refusals import Language, Refused
from kiosk.sandbox.wire import Sent

COMMON = frozenset(
    {
        *("Action", "Language", "Nonce", "Region", "RequestClient", "SecretId", "Signature", "SignatureMethod"),
        *("Timestamp", "Token", "Version"),
    }
)
"""Fields that every interface has when it is signed in the first way; no interface has one of the same name for itself."""
MAX_FORM = 1024 * 1024
"""Bytes of a form: two pictures do not fit. What is larger has a wrong signature, say the vendor's answers to questions."""
_FIELDS = ("Action", "Version", "Timestamp", "Token", "Language")
_HEADERS = tuple(f"x-tc-{name.lower()}" for name in _FIELDS)


class Call(NamedTuple):
    """`form`: all fields of a call signed in the vendor's first way, None for one with an `Authorization`. Empty: not said."""

    action: str
    version: str
    timestamp: str
    token: str
    language: Language
    form: Mapping[str, str] | None = None

    @classmethod
    def of(cls, sent: Sent) -> Self:
        """Raises Refused where there is neither an `Authorization` nor a well-made query or form."""
        form = None if "authorization" in sent.headers else _form(sent)
        said, names = (sent.headers, _HEADERS) if form is None else (form, _FIELDS)
        action, version, timestamp, token, language = (said.get(name, "") for name in names)
        return cls(action, version, timestamp, token, _language(language), form)


def language_of(headers: Mapping[str, str]) -> Language:
    return _language(headers.get("x-tc-language", ""))


def _form(sent: Sent) -> Mapping[str, str] | None:
    if sent.method == "GET":
        return pairs(sent.query.encode("latin-1"))
    if content_type(sent.headers)[0] != FORM:
        return None
    if len(sent.body) > MAX_FORM:
        raise Refused("AuthFailure.SignatureFailure", f"the request exceeds the size limit of {MAX_FORM} bytes")
    return pairs(sent.body)


def _language(said: str) -> Language:
    """Chinese unless English is asked for."""
    return "en-US" if said == "en-US" else "zh-CN"
