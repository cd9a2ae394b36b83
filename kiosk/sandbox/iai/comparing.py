"""One face against another, or against a person."""

from __future__ import annotations

from kiosk.ports import WORN, AnalysedFace, Wish
from kiosk.recognition.on_device.calibration import fixed_similarity, score
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.matching import cosine_of
from kiosk.sandbox.iai.actions import Action, Answer
from kiosk.sandbox.iai.parameters import Choice, Model, OnePicture, PersonId, QualityControl, Switch, TwoPictures
from kiosk.sandbox.iai.pictures import Pictures

MODEL = "3.0"
MATCH = 60.0
"""The score from which VerifyFace and VerifyPerson say yes: fixed by the vendor."""
_WHOLE = Wish(quality=False)
_MASKED = Wish(quality=False, upper=True, mask=True)


class CompareFace(TwoPictures, frozen=True, kw_only=True):
    face_model_version: Model = MODEL
    quality_control: QualityControl = 0
    need_rotate_detection: Switch = 0
    face_matching_strategy: Choice = 0


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


class Comparing:
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
        )

    async def _compare(self, sent: CompareFace) -> Answer:
        one, other = await self._faces(
            sent, sent.quality_control, surest=sent.face_matching_strategy == 0, rotate=sent.need_rotate_detection == 1
        )
        return {"Score": round(score(cosine_of(one.embedding, other.embedding)), 4), "FaceModelVersion": MODEL}

    async def _compare_masked(self, sent: CompareMaskFace) -> Answer:
        one, other = await self._faces(sent, sent.quality_control, _MASKED)
        return {"Score": round(masked_score(one, other), 4), "FaceModelVersion": MODEL}

    async def _similarity(self, sent: DetectFaceSimilarity) -> Answer:
        one, other = await self._faces(sent, sent.quality_control, surest=True)
        return {"Score": round(fixed_similarity(cosine_of(one.embedding, other.embedding)), 2)}

    async def _faces(
        self, sent: TwoPictures, control: int, wish: Wish = _WHOLE, *, surest: bool = False, rotate: bool = False
    ) -> tuple[AnalysedFace, AnalysedFace]:
        one = await self._pictures.face(sent.image_a, sent.url_a, control, wish, surest=surest, rotate=rotate)
        other = await self._pictures.face(sent.image_b, sent.url_b, control, wish, surest=surest, rotate=rotate)
        return one, other

    async def _verify_face(self, sent: VerifyFace) -> Answer:
        return await self._verify(sent, merged=False)

    async def _verify_person(self, sent: VerifyPerson) -> Answer:
        return await self._verify(sent, merged=True)

    async def _verify(self, sent: VerifyFace, *, merged: bool) -> Answer:
        self._gallery.person(sent.person_id)
        rotate = sent.need_rotate_detection == 1
        face = await self._pictures.face(sent.image, sent.url, sent.quality_control, _WHOLE, rotate=rotate)
        found = round(score(self._gallery.likeness(sent.person_id, face.embedding, merged=merged)), 4)
        return {"Score": found, "IsMatch": found >= MATCH, "FaceModelVersion": MODEL}


def masked_score(one: AnalysedFace, other: AnalysedFace) -> float:
    """By what a mask leaves free where either wears one and the eye could tell, else by the whole faces."""
    if max(one.mask, other.mask) < WORN or one.upper is None or other.upper is None:
        return score(cosine_of(one.embedding, other.embedding))
    return score(cosine_of(one.upper, other.upper), masked=True)
