"""The one table from the vendor's return codes to what they mean here."""

from __future__ import annotations

import re
from enum import StrEnum
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
    """`meaning` is for operators; the sentence for the person belongs to the slug."""

    handling: Handling
    slug: str
    error: type[RecogniserError]
    meaning: str


RETRIES = {Handling.RETRY: 2, Handling.RETRY1: 1}
"""How often a call may be repeated inside its deadline; every other handling: never."""
UNREACHABLE_RETRIES = 2

LEGACY: dict[int, Entry] = {
    3: Entry(Handling.OPERATOR, "request_refused", Unauthorised, "bad request"),
    4: Entry(Handling.CLIENT, "request_refused", ContractViolation, "authorization is empty"),
    5: Entry(Handling.CLIENT, "request_refused", ContractViolation, "signature cannot be decoded"),
    6: Entry(Handling.OPERATOR, "account_rejected", Unauthorised, "appid or bucket differs from the signature's"),
    7: Entry(Handling.RETRY, "cloud_error", Transient, "signature encoding failed at the vendor's"),
    8: Entry(Handling.RETRY, "cloud_error", Transient, "signature decoding failed at the vendor's"),
    9: Entry(Handling.CLOCK, "clock_rejected", ClockRejected, "signature has expired"),
    10: Entry(Handling.OPERATOR, "account_rejected", Unauthorised, "appid does not exist"),
    11: Entry(Handling.OPERATOR, "account_rejected", Unauthorised, "SecretId does not exist"),
    12: Entry(Handling.OPERATOR, "account_rejected", Unauthorised, "appid and SecretId do not belong together"),
    13: Entry(Handling.RETRY1, "cloud_error", Transient, "signature was used before"),
    14: Entry(Handling.OPERATOR, "account_rejected", Unauthorised, "signature is wrong"),
    15: Entry(Handling.THROTTLE, "cloud_busy", Throttled, "too many requests"),
    16: Entry(Handling.OPERATOR, "account_rejected", Unauthorised, "bucket does not exist"),
    21: Entry(Handling.CLIENT, "request_refused", ContractViolation, "invalid parameter"),
    23: Entry(Handling.CLIENT, "probe_too_large", ProbeRejected, "request is larger than 1.5 MB"),
    24: Entry(Handling.OPERATOR, "interface_retired", Unauthorised, "interface goes offline"),
    107: Entry(Handling.RETRY, "cloud_error", Transient, "authentication service is unavailable"),
    108: Entry(Handling.RETRY, "cloud_error", Transient, "authentication service is unavailable"),
    213: Entry(Handling.RETRY, "cloud_error", Transient, "internal error"),
    -1101: Entry(Handling.RECAPTURE, "face_not_found", ProbeRejected, "no face detected"),
    -1102: Entry(Handling.RECAPTURE, "picture_rejected", ProbeRejected, "picture cannot be decoded"),
    -1103: Entry(Handling.RETRY1, "cloud_error", Transient, "feature extraction failed"),
    -1104: Entry(Handling.RETRY1, "cloud_error", Transient, "face contour failed"),
    -1105: Entry(Handling.RETRY1, "cloud_error", Transient, "gender estimation failed"),
    -1106: Entry(Handling.RETRY1, "cloud_error", Transient, "expression estimation failed"),
    -1107: Entry(Handling.RETRY1, "cloud_error", Transient, "age estimation failed"),
    -1108: Entry(Handling.RETRY1, "cloud_error", Transient, "pose estimation failed"),
    -1109: Entry(Handling.RETRY1, "cloud_error", Transient, "glasses detection failed"),
    -1200: Entry(Handling.RETRY, "cloud_error", Transient, "feature storage failed"),
    -1300: Entry(Handling.CLIENT, "picture_rejected", ProbeRejected, "picture is empty"),
    -1301: Entry(Handling.CLIENT, "request_refused", ContractViolation, "parameter is empty"),
    -1302: Entry(Handling.STATE, "state_conflict", ContractViolation, "person exists already"),
    -1303: Entry(Handling.STATE, "state_conflict", ContractViolation, "person does not exist"),
    -1304: Entry(Handling.CLIENT, "request_refused", ContractViolation, "parameter is too long"),
    -1305: Entry(Handling.STATE, "state_conflict", ContractViolation, "face does not exist"),
    -1306: Entry(Handling.OPERATOR, "group_unknown", Unauthorised, "group does not exist"),
    -1307: Entry(Handling.OPERATOR, "group_unknown", Unauthorised, "group list does not exist"),
    -1308: Entry(Handling.RETRY1, "cloud_error", Transient, "picture could not be downloaded from its address"),
    -1309: Entry(Handling.STATE, "state_conflict", ContractViolation, "person has 20 faces already"),
    # A full library stops enrolment, not the door: so no Unauthorised here.
    -1310: Entry(Handling.OPERATOR, "state_conflict", ContractViolation, "too many persons in the group"),
    -1311: Entry(Handling.OPERATOR, "state_conflict", ContractViolation, "too many groups"),
    -1312: Entry(Handling.STATE, "state_conflict", ContractViolation, "almost the same face was added before"),
    -1313: Entry(Handling.CLIENT, "request_refused", ContractViolation, "parameter holds a blank, slash, tab or newline"),
    -1400: Entry(Handling.CLIENT, "picture_rejected", ProbeRejected, "picture has a format that is not taken"),
    -1403: Entry(Handling.RETRY, "cloud_error", Transient, "picture could not be downloaded"),
}
"""Every code but 0 (success) of the documents of the older interfaces; a test holds it to their list."""

_ARREARS = Entry(Handling.OPERATOR, "account_in_arrears", Unauthorised, "account is stopped for arrears")
_UNKNOWN = Entry(Handling.CLIENT, "answer_makes_no_sense", ContractViolation, "no code of the documents")


def entry_for(code: int, message: str = "") -> Entry:
    """Code 3 means arrears where the message says so; codes that no document names are breaches of contract."""
    if code == 3 and re.search(r"errorno is:\s*2\b", message):
        return _ARREARS
    return LEGACY.get(code, _UNKNOWN)


def error_for(code: int, message: str) -> RecogniserError:
    """The error a non-zero return code stands for; its detail quotes at most 200 printable characters of `message`."""
    entry = entry_for(code, message)
    quoted = "".join(c if c.isprintable() else "?" for c in message[:200])
    return entry.error(entry.slug, f"code {code}, {entry.meaning} ('{quoted}')", code=str(code))


def retries(error: RecogniserError) -> int:
    """How often a call that ended in `error` may be repeated."""
    if error.code:
        return RETRIES.get(entry_for(int(error.code)).handling, 0)
    return UNREACHABLE_RETRIES if error.slug == "cloud_unreachable" else 0
