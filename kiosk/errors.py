"""The error tree. Every error carries one slug of `kiosk.slugs`, and no face or secret.

KioskError
├ ConfigurationError      exit 78 (EX_CONFIG); systemd does not restart on it
├ CameraError             reopened with back-off
├ PhotoRejected           a photo handed in by somebody is not usable
├ RecogniserError
│ ├ Transient             retried inside the deadline
│ ├ Throttled             the shared limiter slows down
│ ├ ProbeRejected         the person is told what to do; never retried with the same probe
│ ├ ClockRejected         the skew is learnt once, then alarm
│ ├ Unauthorised          key, account, arrears: operator alarm
│ └ ContractViolation     an answer that makes no sense: denies
├ JournalError            what cannot be recorded is not granted
└ HardwareError           the portal's state is unknown: alarm, no grant
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KioskError(Exception):
    """`slug` names the error in log, metric, screen and MQTT alike; `detail` says what and where."""

    def __init__(self, slug: str, detail: str = "") -> None:
        super().__init__(f"{slug}: {detail}" if detail else slug)
        self.slug = slug
        self.detail = detail


class ConfigurationError(KioskError):
    EXIT_CODE = 78


class CameraError(KioskError):
    pass


class PhotoRejected(KioskError):
    pass


class RecogniserError(KioskError):
    """`code` is the vendor's own code where there was one; `field` the request's field at fault, where that is known."""

    def __init__(self, slug: str, detail: str = "", *, code: str = "", field: str = "") -> None:
        super().__init__(slug, detail)
        self.code = code
        self.field = field


class Transient(RecogniserError):
    pass


class Throttled(RecogniserError):
    pass


class ProbeRejected(RecogniserError):
    pass


class ClockRejected(RecogniserError):
    pass


class Unauthorised(RecogniserError):
    pass


class ContractViolation(RecogniserError):
    pass


class JournalError(KioskError):
    pass


class HardwareError(KioskError):
    pass


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """For the end of a message about an unknown word: the nearest right one, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""
