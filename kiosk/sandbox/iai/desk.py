"""The current interfaces as one place to ask: who may, which action, and its answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from kiosk.errors import ContractViolation
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.iai.actions import Answer
from kiosk.sandbox.iai.comparing import Comparing
from kiosk.sandbox.iai.detecting import Detecting
from kiosk.sandbox.iai.faces import Faces
from kiosk.sandbox.iai.gate import Gate, Sent
from kiosk.sandbox.iai.groups import Groups
from kiosk.sandbox.iai.persons import People
from kiosk.sandbox.iai.pictures import Pictures
from kiosk.sandbox.iai.searching import Searching
from kiosk.sandbox.refusals import CURRENT_CODES, Refused

VERSION = "2020-03-03"
MAX_POST = 10 * 1024 * 1024
"""Bytes of a request, by the documents' 10 MB."""
_RETIRED = frozenset({"DetectLiveFace", "CheckSimilarPerson", "GetSimilarPersonResult", "GetCheckSimilarPersonJobIdList"})
"""Actions that this version of the interfaces once had."""


class Said(NamedTuple):
    """An answer's body, and what a log may know of it: the action, and the code or empty."""

    body: bytes
    action: str
    code: str


class Desk:
    """Event loop only."""

    def __init__(self, analyser: PhotoAnalyser, gallery: Gallery, credentials: Credentials, wall: Callable[[], float]) -> None:
        self._gate = Gate(credentials, wall)
        pictures = Pictures(analyser)
        families = (
            Comparing(pictures, gallery),
            Detecting(pictures),
            Searching(pictures, gallery),
            Groups(gallery),
            People(pictures, gallery),
            Faces(pictures, gallery),
        )
        self._actions = {action.name: action for family in families for action in family.actions()}

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(self._actions)

    async def answer(self, sent: Sent) -> Said:
        """Any request whatever has an answer in the vendor's envelope."""
        name = sent.headers.get("x-tc-action", "")
        try:
            return _said(name, await self._answer(name, sent))
        except Refused as refusal:
            return refuse(refusal, sent.headers, name)
        except GalleryRefusal as refusal:
            return refuse(Refused(CURRENT_CODES[refusal.why]), sent.headers, name)
        except ContractViolation:
            return refuse(Refused("FailedOperation.ServerError"), sent.headers, name)

    async def _answer(self, name: str, sent: Sent) -> Answer:
        if sent.method != "POST":
            raise Refused("UnsupportedProtocol", "the sandbox takes POST")
        self._gate.admit(sent)
        self._check_version(sent.headers.get("x-tc-version"))
        if name in _RETIRED:
            raise Refused("UnsupportedOperation.UnknowMethod")
        if name not in self._actions:
            raise Refused("InvalidAction" if name else "MissingParameter")
        if sent.headers["content-type"].partition(";")[0].strip().lower() != "application/json":
            raise Refused("InvalidRequest", "the sandbox takes application/json")
        return await self._actions[name].run(sent.body)

    def _check_version(self, version: str | None) -> None:
        if version is None:
            raise Refused("MissingParameter", "the request is missing the header X-TC-Version")
        if version != VERSION:
            raise Refused("NoSuchVersion")


def refuse(refusal: Refused, headers: Mapping[str, str], action: str = "") -> Said:
    """In the language asked for: Chinese unless X-TC-Language says en-US."""
    message = refusal.message("en-US" if headers.get("x-tc-language") == "en-US" else "zh-CN")
    return _said(action, {"Error": {"Code": refusal.code, "Message": message}}, refusal.code)


def _said(action: str, answer: Answer, code: str = "") -> Said:
    body = msgspec.json.encode({"Response": {**answer, "RequestId": str(uuid.uuid4())}})
    return Said(body, action if re.fullmatch(r"[A-Za-z]{1,60}", action) else "?", code)
