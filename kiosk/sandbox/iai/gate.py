"""Who may call the current interfaces."""

from __future__ import annotations

import re
from collections.abc import Callable

from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.iai import tc3, v1
from kiosk.sandbox.iai.call import Call
from kiosk.sandbox.refusals import Refused
from kiosk.sandbox.wire import Sent

WINDOW = 300
"""Seconds a request's time may lie from ours, by the vendor's documents."""


class Gate:
    """Knows one account. `wall`: Unix seconds."""

    def __init__(self, credentials: Credentials, wall: Callable[[], float]) -> None:
        self._credentials = credentials
        self._wall = wall

    def admit(self, sent: Sent, call: Call) -> None:
        """Raises Refused: `AuthFailure.…`, or what the request lacks. Where the account has a token, it must be the one sent."""
        stamp = self._timestamp(call.timestamp)
        if call.form is None:
            tc3.check(sent, stamp, self._credentials)
        else:
            v1.check(sent, call.form, self._credentials)
        if self._credentials.token and call.token != self._credentials.token:
            raise Refused("AuthFailure.TokenFailure")

    def _timestamp(self, text: str) -> int:
        if not text:
            raise Refused("MissingParameter", "the request is missing its Timestamp")
        if not re.fullmatch(r"\d{1,12}", text, re.ASCII) or abs(int(text) - self._wall()) > WINDOW:
            raise Refused("AuthFailure.SignatureExpire")
        return int(text)
