"""The older interfaces as one place to ask: who may, which interface, and its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.requests import ClientDisconnect, Request

from kiosk.errors import ContractViolation
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal
from kiosk.sandbox.legacy.faces import Data, Faces
from kiosk.sandbox.legacy.gate import Gate
from kiosk.sandbox.legacy.persons import Persons
from kiosk.sandbox.legacy.photos import Photos
from kiosk.sandbox.legacy.submission import Submission, receive
from kiosk.sandbox.refusals import OLD_CODES, Refusal

Interface = Callable[[Submission], Awaitable[Data]]


class Desk:
    """Event loop only."""

    def __init__(self, analyser: PhotoAnalyser, gallery: Gallery, gate: Gate) -> None:
        self._gate = gate
        photos = Photos(analyser)
        faces, persons = Faces(photos, gallery), Persons(photos, gallery)
        self.interfaces: Mapping[str, Interface] = {
            **{each.__name__: each for each in (faces.identify, faces.multidentify, faces.compare)},
            **{each.__name__: each for each in (persons.newperson, persons.delperson, persons.setinfo, persons.getinfo)},
            **{each.__name__: each for each in (persons.addface, persons.delface, persons.getfaceids, persons.getfaceinfo)},
            **{each.__name__: each for each in (persons.getgroupids, persons.getpersonids)},
        }
        """By the last part of their path."""

    async def answer(self, name: str, request: Request) -> tuple[int, bytes]:
        """The code and the body. Any request whatever has an answer in the vendor's envelope."""
        try:
            signature = self._gate.admit(request.headers.get("authorization"))
            submission = await receive(request)
            self._gate.match(signature, submission)
            return 0, envelope(0, "OK", await self.interfaces[name](submission))
        except Refusal as refusal:
            return refusal.code, envelope(refusal.code, refusal.detail, refusal.data)
        except GalleryRefusal as refusal:
            told = Refusal(OLD_CODES[refusal.why])
            return told.code, envelope(told.code, told.detail, told.data)
        except ContractViolation as error:
            return 213, envelope(213, error.slug, {})
        except ClientDisconnect:
            return 3, envelope(3, "the caller hung up", {})


def envelope(code: int, message: str, data: Data) -> bytes:
    return msgspec.json.encode({"data": data, "code": code, "message": message})
