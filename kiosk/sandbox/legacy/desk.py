"""The older interfaces as one place to ask: who may, which interface, and its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from kiosk.errors import ContractViolation
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryError, GalleryRefusal
from kiosk.recognition.tencent.legacy_wire import MAX_BODY
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.legacy.faces import Data, Faces
from kiosk.sandbox.legacy.gate import Gate
from kiosk.sandbox.legacy.persons import Persons
from kiosk.sandbox.legacy.photos import Photos
from kiosk.sandbox.legacy.submission import Submission, understand
from kiosk.sandbox.refusals import OLD_CODES, Refusal
from kiosk.sandbox.wire import Said, Sent

Interface = Callable[[Submission], Awaitable[Data]]


class Desk:
    """Event loop only."""

    def __init__(self, analyser: PhotoAnalyser, gallery: Gallery, gate: Gate, fetcher: Fetcher) -> None:
        self._gate = gate
        photos = Photos(analyser, fetcher)
        faces, persons = Faces(photos, gallery), Persons(photos, gallery)
        self.interfaces: Mapping[str, Interface] = {
            **{each.__name__: each for each in (faces.identify, faces.multidentify, faces.compare)},
            **{each.__name__: each for each in (persons.newperson, persons.delperson, persons.setinfo, persons.getinfo)},
            **{each.__name__: each for each in (persons.addface, persons.delface, persons.getfaceids, persons.getfaceinfo)},
            **{each.__name__: each for each in (persons.getgroupids, persons.getpersonids)},
        }
        """By the last part of their path."""

    async def answer(self, name: str, sent: Sent) -> Said:
        """Any request whatever has an answer in the vendor's envelope. `name`: one of `interfaces`, or else an unknown one."""
        try:
            return Said(envelope(0, "OK", await self._answer(name, sent)), name, "")
        except Refusal as refusal:
            return refuse(refusal, name)
        except GalleryRefusal as refusal:
            return refuse(Refusal(OLD_CODES[refusal.why]), name)
        except (ContractViolation, GalleryError) as error:
            return refuse(Refusal(213, error.slug), name)

    async def _answer(self, name: str, sent: Sent) -> Data:
        if sent.method != "POST" or name not in self.interfaces:
            raise Refusal(3, "no such interface")
        if len(sent.body) > MAX_BODY:
            raise Refusal(23)
        signature = self._gate.admit(sent.headers.get("authorization"))
        submission = understand(sent)
        self._gate.match(signature, submission)
        return await self.interfaces[name](submission)


def refuse(refusal: Refusal, name: str) -> Said:
    return Said(envelope(refusal.code, refusal.detail, refusal.data), name, str(refusal.code))


def envelope(code: int, message: str, data: Data) -> bytes:
    return msgspec.json.encode({"data": data, "code": code, "message": message})
