"""The older host's person library: from a submission to the answer's `data`.

What the vendor's documents do not tell of an answer follows the sibling interfaces of YouTu.
"""

from __future__ import annotations

from collections.abc import Mapping

from kiosk.recognition.on_device.enrolled import OLD
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal
from kiosk.sandbox.legacy.faces import require, session
from kiosk.sandbox.legacy.photos import Photos, rectangle
from kiosk.sandbox.legacy.submission import Submission
from kiosk.sandbox.refusals import OLD_CODES, Refusal

Data = Mapping[str, object]


class Persons:
    """Event loop only. Every method raises Refusal with the vendor's code, or GalleryRefusal."""

    def __init__(self, photos: Photos, gallery: Gallery) -> None:
        self._photos = photos
        self._gallery = gallery

    async def newperson(self, sent: Submission) -> Data:
        """Groups that do not exist come into being."""
        require(sent.person_id, sent.groups)
        groups = tuple(dict.fromkeys(sent.groups))
        self._gallery.check_new(sent.person_id, groups, OLD)
        seen = await self._photos.largest_face(sent.image, sent.url)
        person = self._gallery.new_person(sent.person_id, sent.person_name or "", tag=sent.tag or "")
        face = self._gallery.new_face(seen)
        self._gallery.create_person(person, groups, face, OLD)
        return {
            "session_id": session(sent),
            "suc_group": len(groups),
            "suc_face": 1,
            "person_id": sent.person_id,
            "face_id": face.face_id,
            "group_ids": groups,
        }

    async def delperson(self, sent: Submission) -> Data:
        require(sent.person_id)
        self._gallery.delete_person(sent.person_id)
        return {"session_id": session(sent), "deleted": 1, "person_id": sent.person_id}

    async def addface(self, sent: Submission) -> Data:
        """Some of several pictures may be refused; where none is taken, the first one's code is the answer's."""
        require(sent.person_id)
        self._gallery.person(sent.person_id)
        pictures: list[tuple[bytes | None, str]] = [(None, url) for url in sent.urls]
        pictures = pictures or [(image, "") for image in sent.images]
        if not pictures:
            raise Refusal(-1300)
        added: list[str] = []
        refusals: list[Refusal | None] = []
        for image, url in pictures:
            try:
                added.append(await self._add(sent, image, url))
                refusals.append(None)
            except Refusal as refusal:
                refusals.append(refusal)
        if not added and refusals[0]:
            raise refusals[0]
        codes = [refusal.code if refusal else 0 for refusal in refusals]
        return {"session_id": session(sent), "added": len(added), "face_ids": added, "ret_codes": codes}

    async def _add(self, sent: Submission, image: bytes | None, url: str) -> str:
        seen = await self._photos.largest_face(image, url)
        face = self._gallery.new_face(seen, sent.tag or "")
        try:
            self._gallery.add_face(sent.person_id, face, OLD, allow_same=False)
        except GalleryRefusal as refusal:
            raise Refusal(OLD_CODES[refusal.why]) from refusal
        return face.face_id

    async def delface(self, sent: Submission) -> Data:
        require(sent.person_id, sent.face_ids)
        gone = self._gallery.delete_faces(sent.person_id, sent.face_ids)
        if not gone:
            raise Refusal(-1305)
        return {"session_id": session(sent), "deleted": len(gone), "face_ids": gone}

    async def setinfo(self, sent: Submission) -> Data:
        """What is not sent stays."""
        require(sent.person_id)
        self._gallery.update_person(sent.person_id, name=sent.person_name, tag=sent.tag)
        return {"session_id": session(sent), "person_id": sent.person_id}

    async def getinfo(self, sent: Submission) -> Data:
        require(sent.person_id)
        person = self._gallery.person(sent.person_id)
        return {
            "session_id": session(sent),
            "person_id": person.person_id,
            "person_name": person.name,
            "tag": person.tag,
            "group_ids": list(person.groups),
            "face_ids": [face.face_id for face in person.faces],
        }

    async def getgroupids(self, sent: Submission) -> Data:
        return {"session_id": session(sent), "group_ids": [group.group_id for group in self._gallery.groups]}

    async def getpersonids(self, sent: Submission) -> Data:
        require(sent.groups)
        return {"session_id": session(sent), "person_ids": [p.person_id for p in self._gallery.members(sent.groups)]}

    async def getfaceids(self, sent: Submission) -> Data:
        require(sent.person_id)
        return {"session_id": session(sent), "face_ids": [f.face_id for f in self._gallery.person(sent.person_id).faces]}

    async def getfaceinfo(self, sent: Submission) -> Data:
        require(sent.face_id)
        face = self._gallery.face(sent.face_id)
        info = {"face_id": face.face_id, **rectangle(face.box), "tag": face.tag}
        return {"session_id": session(sent), "face_info": info}
