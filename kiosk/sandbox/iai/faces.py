"""The faces of the library's people."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.calibration import score
from kiosk.recognition.on_device.enrolled import CURRENT, EnrolledFace
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why
from kiosk.sandbox.iai.actions import Action, Answer
from kiosk.sandbox.iai.comparing import MODEL
from kiosk.sandbox.iai.parameters import EMPTY, FaceThreshold, FourPictures, Parameters, PersonId, QualityControl, Switch
from kiosk.sandbox.iai.persons import missing_person
from kiosk.sandbox.iai.pictures import NO_FACE, UNQUALIFIED, Pictures, rectangle
from kiosk.sandbox.refusals import Refused

_UNLIKE = -1604
_RETURN_CODES = {
    NO_FACE: -1101,
    "FailedOperation.ImageDecodeFailed": -1102,
    "InvalidParameterValue.ImageEmpty": -1102,
    "FailedOperation.ImageSizeExceed": -1109,
    "FailedOperation.ImageResolutionExceed": -1109,
    "FailedOperation.ImageResolutionTooSmall": -1109,
    UNQUALIFIED: -1601,
}
"""What may be wrong with one picture of several without failing the rest; a failed download fails all."""


class CreateFace(Parameters, frozen=True, kw_only=True):
    person_id: PersonId
    images: FourPictures = None
    urls: FourPictures = None
    face_match_threshold: FaceThreshold = 60.0
    quality_control: QualityControl = 0
    need_rotate_detection: Switch = 0


class DeleteFace(Parameters, frozen=True, kw_only=True):
    person_id: PersonId
    face_ids: list[str]


class Faces:
    """Two CreateFace of one person at once are refused, as the vendor does."""

    def __init__(self, pictures: Pictures, gallery: Gallery) -> None:
        self._pictures = pictures
        self._gallery = gallery
        self._busy: set[str] = set()

    def actions(self) -> tuple[Action, ...]:
        return Action.of(CreateFace, self._create), Action.of(DeleteFace, self._delete)

    async def _create(self, sent: CreateFace) -> Answer:
        pictures: list[tuple[str | None, str | None]] = [(None, url) for url in sent.urls or ()]
        pictures = pictures or [(image, None) for image in sent.images or ()]
        if not pictures:
            raise Refused(EMPTY)
        person = self._gallery.person(sent.person_id)
        if len(person.faces) + len(pictures) > CURRENT.faces:
            raise GalleryRefusal(Why.TOO_MANY_FACES)
        if sent.person_id in self._busy:
            raise Refused("FailedOperation.CreateFaceConcurrent")
        self._busy.add(sent.person_id)
        try:
            return _answer([await self._add(sent, image, url) for image, url in pictures])
        finally:
            self._busy.discard(sent.person_id)

    async def _add(self, sent: CreateFace, image: str | None, url: str | None) -> EnrolledFace | int:
        """The face, or the return code of what is wrong with it."""
        try:
            seen: AnalysedFace = await self._pictures.face(
                image, url, sent.quality_control, rotate=sent.need_rotate_detection == 1
            )
        except Refused as refusal:
            if refusal.code not in _RETURN_CODES:
                raise
            return _RETURN_CODES[refusal.code]
        if score(self._gallery.likeness(sent.person_id, seen.embedding)) <= sent.face_match_threshold:
            return _UNLIKE
        face = self._gallery.new_face(seen)
        self._gallery.add_face(sent.person_id, face, CURRENT, allow_same=True)
        return face

    async def _delete(self, sent: DeleteFace) -> Answer:
        if not sent.face_ids:
            raise Refused(EMPTY)
        with missing_person():
            gone = self._gallery.delete_faces(sent.person_id, sent.face_ids)
        return {"SucDeletedNum": len(gone), "SucFaceIds": gone}


def _answer(results: Sequence[EnrolledFace | int]) -> Answer:
    added = [(index, face) for index, face in enumerate(results) if isinstance(face, EnrolledFace)]
    return {
        "SucFaceNum": len(added),
        "SucFaceIds": [face.face_id for _, face in added],
        "RetCode": [result if isinstance(result, int) else 0 for result in results],
        "SucIndexes": [index for index, _ in added],
        "SucFaceRects": [rectangle(face.box) for _, face in added],
        "FaceModelVersion": MODEL,
    }
