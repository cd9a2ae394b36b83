"""One face against another, or against a person."""

from __future__ import annotations

from kiosk.recognition.on_device.calibration import fixed_similarity, score
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.matching import cosine_of
from kiosk.sandbox.iai.actions import Action, Answer
from kiosk.sandbox.iai.parameters import Model, Natural, OnePicture, PersonId, QualityControl, Switch, TwoPictures
from kiosk.sandbox.iai.pictures import Pictures
from kiosk.sandbox.refusals import Refused

MODEL = "3.0"
MATCH = 60.0
"""The score from which VerifyFace and VerifyPerson say yes: fixed by the vendor."""


class CompareFace(TwoPictures, frozen=True, kw_only=True):
    face_model_version: Model = MODEL
    quality_control: QualityControl = 0
    need_rotate_detection: Switch = 0
    face_matching_strategy: Natural = 0


class CompareMaskFace(TwoPictures, frozen=True, kw_only=True):
    face_model_version: Model = MODEL
    quality_control: QualityControl = 0


class DetectFaceSimilarity(TwoPictures, frozen=True, kw_only=True):
    quality_control: QualityControl = 0


class VerifyFace(OnePicture, frozen=True, kw_only=True):
    person_id: PersonId
    quality_control: QualityControl = 0
    need_rotate_detection: Switch = 0


class VerifyPerson(VerifyFace, frozen=True, kw_only=True):
    pass


class DetectLiveFaceAccurate(OnePicture, frozen=True, kw_only=True):
    face_model_version: Model = MODEL


class Comparing:
    """Rotated pictures without EXIF are not turned: `NeedRotateDetection` is taken and does nothing."""

    def __init__(self, pictures: Pictures, gallery: Gallery) -> None:
        self._pictures = pictures
        self._gallery = gallery

    def actions(self) -> tuple[Action, ...]:
        return (
            Action.of(CompareFace, self._compare),
            Action.of(CompareMaskFace, self._compare_masked),
            Action.of(DetectFaceSimilarity, self._similarity),
            Action.of(VerifyFace, self._verify_face),
            Action.of(VerifyPerson, self._verify_person),
            Action.of(DetectLiveFaceAccurate, self._liveness),
        )

    async def _compare(self, sent: CompareFace) -> Answer:
        cosine = await self._cosine(sent, sent.quality_control, surest=sent.face_matching_strategy != 1)
        return {"Score": round(score(cosine), 4), "FaceModelVersion": MODEL}

    async def _compare_masked(self, sent: CompareMaskFace) -> Answer:
        """By the whole face, as if nobody wore a mask."""
        return {"Score": round(score(await self._cosine(sent, sent.quality_control)), 4), "FaceModelVersion": MODEL}

    async def _similarity(self, sent: DetectFaceSimilarity) -> Answer:
        return {"Score": round(fixed_similarity(await self._cosine(sent, sent.quality_control, surest=True)), 2)}

    async def _cosine(self, sent: TwoPictures, control: int, *, surest: bool = False) -> float:
        one = await self._pictures.face(sent.image_a, sent.url_a, control, surest=surest)
        other = await self._pictures.face(sent.image_b, sent.url_b, control, surest=surest)
        return cosine_of(one.embedding, other.embedding)

    async def _verify_face(self, sent: VerifyFace) -> Answer:
        return await self._verify(sent, merged=False)

    async def _verify_person(self, sent: VerifyPerson) -> Answer:
        return await self._verify(sent, merged=True)

    async def _verify(self, sent: VerifyFace, *, merged: bool) -> Answer:
        self._gallery.person(sent.person_id)
        face = await self._pictures.face(sent.image, sent.url, sent.quality_control)
        found = round(score(self._gallery.likeness(sent.person_id, face.embedding, merged=merged)), 4)
        return {"Score": found, "IsMatch": found >= MATCH, "FaceModelVersion": MODEL}

    async def _liveness(self, _: DetectLiveFaceAccurate) -> Answer:
        """Nothing here can tell life from one picture, so the account has no such service."""
        raise Refused("ResourceUnavailable.NotReady")
