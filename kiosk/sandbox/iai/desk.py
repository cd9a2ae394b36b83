"""The current interfaces as one place to ask: who may, which action, and its answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kiosk.errors import ContractViolation
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryError, GalleryRefusal
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.forms import MULTIPART, content_type
from kiosk.sandbox.iai.actions import Answer
from kiosk.sandbox.iai.call import COMMON, Call, language_of
from kiosk.sandbox.iai.comparing import Comparing
from kiosk.sandbox.iai.detecting import Detecting
from kiosk.sandbox.iai.faces import Faces
from kiosk.sandbox.iai.fields import from_parts, nest, pairs
from kiosk.sandbox.iai.gate import Gate
from kiosk.sandbox.iai.groups import Groups
from kiosk.sandbox.iai.persons import People
from kiosk.sandbox.iai.pictures import Pictures
from kiosk.sandbox.iai.searching import Searching
from kiosk.sandbox.refusals import CURRENT_CODES, Language, Refused
from kiosk.sandbox.wire import Said, Sent

VERSION = "2020-03-03"
MAX_POST = 10 * 1024 * 1024
"""Bytes of a POST, by the documents' 10 MB."""
MAX_GET = 32 * 1024
"""Bytes of a query."""
_RETIRED = frozenset({"DetectLiveFace", "CheckSimilarPerson", "GetSimilarPersonResult", "GetCheckSimilarPersonJobIdList"})
"""Actions that this version of the interfaces once had."""


class Desk:
    """Event loop only."""

    def __init__(
        self, analyser: PhotoAnalyser, gallery: Gallery, credentials: Credentials, wall: Callable[[], float], fetcher: Fetcher
    ) -> None:
        self._gate = Gate(credentials, wall)
        pictures = Pictures(analyser, fetcher)
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
        action, language = "", language_of(sent.headers)
        try:
            _check_size(sent)
            call = Call.of(sent)
            action, language = call.action, call.language
            return _said(action, await self._answer(sent, call))
        except Refused as refusal:
            return _no(refusal, language, action)
        except GalleryRefusal as refusal:
            return _no(Refused(CURRENT_CODES[refusal.why]), language, action)
        except (ContractViolation, GalleryError):
            return _no(Refused("FailedOperation.ServerError"), language, action)

    async def _answer(self, sent: Sent, call: Call) -> Answer:
        for name, value in (("Action", call.action), ("Version", call.version)):
            if not value:
                raise Refused("MissingParameter", f"the request is missing its {name}")
        self._gate.admit(sent, call)
        if call.version != VERSION:
            raise Refused("NoSuchVersion")
        if call.action in _RETIRED:
            raise Refused("UnsupportedOperation.UnknowMethod")
        if call.action not in self._actions:
            raise Refused("InvalidAction")
        return await self._actions[call.action].run(_parameters(sent, call))


def refuse(refusal: Refused, headers: Mapping[str, str], action: str = "") -> Said:
    """In the language asked for."""
    return _no(refusal, language_of(headers), action)


def _check_size(sent: Sent) -> None:
    if sent.method not in {"GET", "POST"}:
        raise Refused("UnsupportedProtocol")
    if len(sent.body) > MAX_POST or (sent.method == "GET" and len(sent.query) > MAX_GET):
        raise Refused("RequestSizeLimitExceeded")


def _parameters(sent: Sent, call: Call) -> bytes | Mapping[str, Any]:
    """As JSON, or as text by name. Raises Refused."""
    if call.form is not None:
        return nest({name: value for name, value in call.form.items() if name not in COMMON})
    if sent.method == "GET":
        return nest(pairs(sent.query.encode("latin-1")))
    kind, boundary = content_type(sent.headers)
    if kind == "application/json":
        return sent.body
    if kind == MULTIPART:
        return from_parts(sent.body, boundary)
    raise Refused("UnsupportedOperation", f"these interfaces take application/json and {MULTIPART}")


def _no(refusal: Refused, language: Language, action: str) -> Said:
    return _said(action, {"Error": {"Code": refusal.code, "Message": refusal.message(language)}}, refusal.code)


def _said(action: str, answer: Answer, code: str = "") -> Said:
    body = msgspec.json.encode({"Response": {**answer, "RequestId": str(uuid.uuid4())}})
    return Said(body, action if re.fullmatch(r"[A-Za-z]{1,60}", action) else "?", code)
