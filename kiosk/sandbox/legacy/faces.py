"""The older host's comparisons: from a submission to the answer's `data`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from kiosk.recognition.on_device.calibration import confidence, old_similarity
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.matching import cosine_of
from kiosk.sandbox.legacy.photos import LARGEST_FACE, Photos, rectangle
from kiosk.sandbox.legacy.submission import Submission
from kiosk.sandbox.refusals import Refusal

Data = Mapping[str, object]

TOP = 5


class Faces:
    """Event loop only. Every method raises Refusal with the vendor's code, or GalleryRefusal."""

    def __init__(self, photos: Photos, gallery: Gallery) -> None:
        self._photos = photos
        self._gallery = gallery

    async def identify(self, sent: Submission) -> Data:
        """`/face/identify`."""
        self._check_groups(sent.groups)
        face = await self._photos.largest_face(sent.image, sent.url, LARGEST_FACE)
        return {"session_id": session(sent), "candidates": self._candidates(face.embedding, sent.groups)}

    async def multidentify(self, sent: Submission) -> Data:
        """`/face/multidentify`: every face of the picture."""
        self._check_groups(sent.groups)
        photo = await self._photos.look(sent.image, sent.url)
        results = [
            {"candidates": self._candidates(face.embedding, sent.groups), "face_rect": rectangle(face.face.box)}
            for face in photo.faces
        ]
        return {"session_id": session(sent), "results": results}

    async def compare(self, sent: Submission) -> Data:
        """`/face/compare`; a refusal's `fail_flag` says which picture is to blame."""
        embeddings = []
        for number, (image, url) in enumerate(((sent.image_a, sent.url_a), (sent.image_b, sent.url_b)), 1):
            try:
                embeddings.append((await self._photos.largest_face(image, url, LARGEST_FACE)).embedding)
            except Refusal as refusal:
                raise Refusal(refusal.code, refusal.detail, {"session_id": session(sent), "fail_flag": number}) from refusal
        return {"similarity": round(old_similarity(cosine_of(*embeddings)), 4), "session_id": session(sent)}

    def _check_groups(self, groups: Sequence[str]) -> None:
        require(groups)
        for group in groups:
            self._gallery.group(group)

    def _candidates(self, embedding: bytes | None, groups: Sequence[str]) -> list[Data]:
        return [
            {
                "person_id": hit.person,
                "face_id": hit.face,
                "confidence": round(confidence(hit.cosine), 4),
                "tag": self._gallery.person(hit.person).tag,
            }
            for hit in self._gallery.search(embedding, groups, TOP)
        ]


def require(*values: object) -> None:
    """Raises Refusal −1301 where one is empty."""
    if not all(values):
        raise Refusal(-1301)


def session(sent: Submission) -> str:
    """The caller's own where there is one."""
    return sent.session_id or secrets.token_hex(16)
