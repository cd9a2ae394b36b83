"""The one table from the vendor's return codes to what they mean here; its rows stand in codes.csv."""

from __future__ import annotations

import csv
import re
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from kiosk.errors import (
    ClockRejected,
    ContractViolation,
    ProbeRejected,
    RecogniserError,
    Throttled,
    Transient,
    Unauthorised,
)


class Handling(StrEnum):
    """What to do about a code."""

    RETRY = "RETRY"
    RETRY1 = "RETRY1"
    RETRY_LATER = "RETRY_LATER"
    THROTTLE = "THROTTLE"
    RECAPTURE = "RECAPTURE"
    CLOCK = "CLOCK"
    OPERATOR = "OPERATOR"
    CLIENT = "CLIENT"
    STATE = "STATE"


class Entry(NamedTuple):
    """`meaning` is for operators, (English, Chinese); the sentence for the person belongs to the slug."""

    handling: Handling
    slug: str
    error: type[RecogniserError]
    meanings: tuple[str, str]

    @property
    def meaning(self) -> str:
        return self.meanings[0]


RETRIES = {Handling.RETRY: 2, Handling.RETRY1: 1, Handling.THROTTLE: 1}
"""How often a call may be repeated inside its deadline, after THROTTLE only once the limiter lets it; every other handling:
never. After CLOCK it may be signed again, once, if the server's clock was learnt."""

_ERRORS: dict[Handling, type[RecogniserError]] = {
    Handling.RETRY: Transient,
    Handling.RETRY1: Transient,
    Handling.RETRY_LATER: Transient,
    Handling.THROTTLE: Throttled,
    Handling.RECAPTURE: ProbeRejected,
    Handling.CLOCK: ClockRejected,
    Handling.OPERATOR: Unauthorised,
    Handling.CLIENT: ContractViolation,
    Handling.STATE: ContractViolation,
}
_ERRORS_BY_SLUG: dict[str, type[RecogniserError]] = {
    "picture_rejected": ProbeRejected,
    "probe_too_large": ProbeRejected,
    "face_too_small": ProbeRejected,
    # A full library stops enrolment, not the door: so no Unauthorised here.
    "quota_exceeded": ContractViolation,
}


def _entry(handling: Handling, slug: str, english: str, chinese: str) -> Entry:
    return Entry(handling, slug, _ERRORS_BY_SLUG.get(slug, _ERRORS[handling]), (english, chinese))


def _table() -> dict[str, Entry]:
    with Path(__file__).with_name("codes.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter=";")
        next(rows)
        return {code: _entry(Handling(handling), slug, english, chinese) for code, handling, slug, english, chinese in rows}


TABLE = _table()
"""Every code but success, of iai 2020-03-03, common to all current interfaces, and (the numbers) of the older host.
A test holds it to the documents' lists."""

LEGACY: dict[int, Entry] = {int(code): entry for code, entry in TABLE.items() if code.lstrip("-").isdecimal()}

_ARREARS = _entry(Handling.OPERATOR, "account_in_arrears", "account is stopped for arrears: top up", "账户欠费停服，请充值")
_UNKNOWN = _entry(Handling.CLIENT, "answer_makes_no_sense", "no code of the documents", "文档中没有的错误码")
_PREFIXES = {
    "AuthFailure": TABLE["UnauthorizedOperation"],
    "UnauthorizedOperation": TABLE["UnauthorizedOperation"],
    "ResourceUnavailable": TABLE["ResourceUnavailable.UnknownStatus"],
    "ResourcesSoldOut": TABLE["ResourcesSoldOut.ChargeStatusException"],
    "InternalError": TABLE["InternalError"],
    "RequestLimitExceeded": TABLE["RequestLimitExceeded"],
    "FailedOperation": TABLE["FailedOperation"],
    "LimitExceeded": TABLE["LimitExceeded"],
    "ResourceNotFound": TABLE["ResourceNotFound"],
    "ResourceInUse": TABLE["ResourceInUse"],
    "ResourceInsufficient": TABLE["ResourceInsufficient"],
    "ServiceUnavailable": TABLE["ServiceUnavailable"],
}
_IN_EXAMPLES = {"ResourceNotFound.ErrorPersonNotExisted": TABLE["InvalidParameterValue.PersonIdNotExist"]}
"""Codes that no list of the documents has, only an example."""
_REFUSED = ("InvalidParameter", "InvalidRequest", "MissingParameter", "Unknown", "Unsupported")
"""Beginnings of codes that blame the request."""


def entry_for(code: int | str, message: str = "") -> Entry:
    """Codes of the current interfaces that no document names are taken by what stands before their first dot; other
    unknown ones are breaches of contract. The older host's code 3 means arrears where the message says so.
    """
    code = str(code)
    if code == "3" and re.search(r"errorno is:\s*2\b", message):
        return _ARREARS
    return TABLE.get(code) or _IN_EXAMPLES.get(code) or _by_prefix(code)


def error_for(code: int, message: str) -> RecogniserError:
    """The error a non-zero code of the older host stands for; its detail quotes at most 200 printable characters of `message`."""
    return _error(str(code), message, "")


def iai_error(code: str, message: str, request_id: str = "") -> RecogniserError:
    """The error a code of the current interfaces stands for. The vendor's support asks for `request_id`."""
    return _error(code, message, request_id)


def _by_prefix(code: str) -> Entry:
    prefix = code.partition(".")[0]
    if prefix in _PREFIXES:
        return _PREFIXES[prefix]
    return TABLE["InvalidParameter"] if prefix.startswith(_REFUSED) else _UNKNOWN


def _error(code: str, message: str, request_id: str) -> RecogniserError:
    entry = entry_for(code, message)
    request = f", request {_printable(request_id, 64)}" if request_id else ""
    detail = f"code {_printable(code, 100)}, {entry.meaning} ('{_printable(message, 200)}'{request})"
    return entry.error(entry.slug, detail, code=code)


def _printable(text: str, most: int) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:most])
