"""The vendor's face interfaces over the library: from a submission to the answer's `data`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from kiosk.errors import CameraError, PhotoRejected
from kiosk.ports import PhotoAnalyser
from kiosk.sandbox.library import Library
from kiosk.sandbox.refusals import Refusal
from kiosk.sandbox.submission import Submission

Data = Mapping[str, object]

_PHOTO_CODES = {"image_decode_failed": -1102, "image_format_unknown": -1400, "image_too_large": 23, "image_too_small": -1101}


class Faces:
    """Photos are decoded and measured by `analyser`, outside this process. Event loop only.

    Every method raises Refusal with the vendor's code.
    """

    def __init__(self, analyser: PhotoAnalyser) -> None:
        self._analyser = analyser
        self._library = Library()

    async def identify(self, sent: Submission) -> Data:
        """`/face/identify`."""
        _require(sent.groups)
        self._library.check_groups(sent.groups)
        candidates = self._library.identify(await self._largest_face(sent), sent.groups)
        return {
            "session_id": _session(),
            "candidates": [
                {"person_id": c.person, "face_id": c.face, "confidence": round(c.score, 4), "tag": c.tag} for c in candidates
            ],
        }

    async def newperson(self, sent: Submission) -> Data:
        """`/face/newperson`."""
        _require(sent.person_id, sent.groups)
        self._library.check_new(sent.person_id, sent.groups)
        embedding = await self._largest_face(sent)
        person = self._library.create(sent.person_id, sent.person_name, sent.tag, sent.groups, embedding)
        return {
            "session_id": _session(),
            "suc_group": len(person.groups),
            "suc_face": len(person.faces),
            "person_id": person.person_id,
            "face_id": person.faces[0],
            "group_ids": person.groups,
        }

    async def getinfo(self, sent: Submission) -> Data:
        """`/face/getinfo`."""
        _require(sent.person_id)
        person = self._library.get(sent.person_id)
        return {
            "session_id": _session(),
            "person_id": person.person_id,
            "person_name": person.name,
            "tag": person.tag,
            "group_ids": person.groups,
            "face_ids": person.faces,
        }

    async def delperson(self, sent: Submission) -> Data:
        """`/face/delperson`."""
        _require(sent.person_id)
        self._library.delete(sent.person_id)
        return {"session_id": _session(), "deleted": 1, "person_id": sent.person_id}

    async def _largest_face(self, sent: Submission) -> bytes:
        """The embedding of the photo's largest face."""
        if sent.url:
            raise Refusal(-1308, "the sandbox fetches nothing")
        if not sent.image:
            raise Refusal(-1300)
        try:
            photo = await self._analyser.analyse(sent.image)
        except PhotoRejected as error:
            raise Refusal(_PHOTO_CODES.get(error.slug, -1102), error.slug) from error
        except CameraError as error:
            raise Refusal(213, error.slug) from error
        if not photo.faces:
            raise Refusal(-1101)
        return photo.faces[0].embedding


def _require(*values: object) -> None:
    if not all(values):
        raise Refusal(-1301)


def _session() -> str:
    return secrets.token_hex(16)
