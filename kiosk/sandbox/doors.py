"""Where callers come in: one door a path, and how each generation of interfaces says no for the server's own reasons."""

from __future__ import annotations

import re
from enum import Enum
from typing import Protocol

from kiosk.recognition.tencent.codes import LEGACY
from kiosk.recognition.tencent.legacy_wire import MAX_BODY
from kiosk.sandbox.iai.desk import MAX_POST, refuse
from kiosk.sandbox.iai.desk import Desk as CurrentDesk
from kiosk.sandbox.legacy.desk import Desk as OldDesk
from kiosk.sandbox.legacy.desk import envelope
from kiosk.sandbox.refusals import Refused
from kiosk.sandbox.wire import Said, Sent

UNKNOWN = "?"
"""The name of every interface that does not exist: logs and metrics take no names from strangers."""
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z]{1,60})(?:&|$)")


class Trouble(Enum):
    """Why a server says no whatever it is asked: the older code, the current one, and the older message if it has its own."""

    BUSY = 15, "RequestLimitExceeded", ""
    LATE = 213, "FailedOperation.RequestTimeout", ""
    TOO_LARGE = 23, "RequestSizeLimitExceeded", ""
    HUNG_UP = 3, "InvalidRequest", "the caller hung up"
    BROKEN = 213, "InternalError", ""
    ARREARS = 3, "ResourceUnavailable.InArrears", "account abnormal,errorno is:2"
    OFFLINE = 24, "ActionOffline", ""


class Door(Protocol):
    """`most`: bytes of a request's body; `methods`: what is taken there at all."""

    most: int
    methods: frozenset[str]

    @property
    def interfaces(self) -> tuple[str, ...]:
        """All their names."""

    def interface(self, sent: Sent) -> str:
        """The name of what is asked for, UNKNOWN where there is none such."""

    async def answer(self, sent: Sent) -> Said: ...

    def refuse(self, sent: Sent, trouble: Trouble) -> Said: ...


class CurrentDoor:
    most = MAX_POST
    methods = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})

    def __init__(self, desk: CurrentDesk) -> None:
        self._desk = desk
        self.interfaces = desk.actions
        self._known = frozenset(desk.actions)

    def interface(self, sent: Sent) -> str:
        """The older ways to sign name the action among the fields."""
        name = sent.headers.get("x-tc-action")
        if name is None:
            found = _ACTION.search(sent.query.encode("latin-1")) or _ACTION.search(sent.body)
            name = found[1].decode() if found else ""
        return name if name in self._known else UNKNOWN

    async def answer(self, sent: Sent) -> Said:
        return await self._desk.answer(sent)

    def refuse(self, sent: Sent, trouble: Trouble) -> Said:
        return refuse(Refused(trouble.value[1]), sent.headers, self.interface(sent))


class OldDoor:
    most = MAX_BODY
    methods = frozenset({"POST"})

    def __init__(self, desk: OldDesk, name: str) -> None:
        self._desk = desk
        self._name = name
        self.interfaces = (name,)

    def interface(self, _: Sent) -> str:
        return self._name

    async def answer(self, sent: Sent) -> Said:
        return await self._desk.answer(self._name, sent)

    def refuse(self, _: Sent, trouble: Trouble) -> Said:
        code, message = trouble.value[0], trouble.value[2]
        return Said(envelope(code, message or LEGACY[code].meaning, {}), self._name, str(code))


def doors(old: OldDesk, current: CurrentDesk) -> dict[str, Door]:
    """By their paths."""
    return {"/": CurrentDoor(current), **{f"/face/{name}": OldDoor(old, name) for name in old.interfaces}}
