"""The faces of a picture against the people of some groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kiosk.ports import AnalysedFace, Wish
from kiosk.recognition.on_device.calibration import score
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.matching import Hit
from kiosk.sandbox.iai.actions import Action, Answer
from kiosk.sandbox.iai.comparing import MODEL
from kiosk.sandbox.iai.parameters import (
    ILLEGAL,
    FacesToSearch,
    GroupIds,
    GroupIdsByGroup,
    Natural,
    OnePicture,
    Persons,
    PersonsPerGroup,
    QualityControl,
    SearchThreshold,
    Switch,
)
from kiosk.sandbox.iai.persons import written
from kiosk.sandbox.iai.pictures import Pictures, qualified, rectangle
from kiosk.sandbox.refusals import Refused

_UNQUALIFIED = -1601


class _Search(OnePicture, frozen=True, kw_only=True):
    max_face_num: FacesToSearch = 1
    min_face_size: Natural = 34
    need_person_info: Switch = 0
    quality_control: QualityControl = 0
    face_match_threshold: SearchThreshold = 0.0
    need_rotate_detection: Switch = 0


class SearchFaces(_Search, frozen=True, kw_only=True):
    group_ids: GroupIds
    max_person_num: Persons = 5


class SearchPersons(SearchFaces, frozen=True, kw_only=True):
    pass


class SearchFacesReturnsByGroup(_Search, frozen=True, kw_only=True):
    group_ids: GroupIdsByGroup
    max_person_num_per_group: PersonsPerGroup = 5


class SearchPersonsReturnsByGroup(SearchFacesReturnsByGroup, frozen=True, kw_only=True):
    pass


_ByGroup = SearchFacesReturnsByGroup


class Searching:
    """Whether a score at the threshold itself is answered differs among the interfaces, by the vendor's own words."""

    def __init__(self, pictures: Pictures, gallery: Gallery) -> None:
        self._pictures = pictures
        self._gallery = gallery

    def actions(self) -> tuple[Action, ...]:
        return (
            Action.of(SearchFaces, self._faces),
            Action.of(SearchPersons, self._persons),
            Action.of(SearchFacesReturnsByGroup, self._faces_by_group),
            Action.of(SearchPersonsReturnsByGroup, self._persons_by_group),
        )

    async def _faces(self, sent: SearchFaces) -> Answer:
        found = await self._results(sent, sent.group_ids, lambda face: self._in_all(sent, face, merged=False, at=False))
        return {"Results": found, "FaceNum": self._face_count(sent.group_ids), "FaceModelVersion": MODEL}

    async def _persons(self, sent: SearchPersons) -> Answer:
        found = await self._results(sent, sent.group_ids, lambda face: self._in_all(sent, face, merged=True, at=True))
        return {"Results": found, "PersonNum": self._person_count(sent.group_ids, found), "FaceModelVersion": MODEL}

    async def _faces_by_group(self, sent: SearchFacesReturnsByGroup) -> Answer:
        found = await self._results(sent, sent.group_ids, lambda face: self._in_each(sent, face, merged=False, at=True))
        return {"FaceNum": self._face_count(sent.group_ids), "ResultsReturnsByGroup": found, "FaceModelVersion": MODEL}

    async def _persons_by_group(self, sent: SearchPersonsReturnsByGroup) -> Answer:
        found = await self._results(sent, sent.group_ids, lambda face: self._in_each(sent, face, merged=True, at=False))
        count = self._person_count(sent.group_ids, found)
        return {"ResultsReturnsByGroup": found, "PersonNum": count, "FaceModelVersion": MODEL}

    async def _results(self, sent: _Search, groups: Sequence[str], find: Callable[[AnalysedFace | None], Answer]) -> list[Answer]:
        """One for each face; a face that is not good enough is not searched for."""
        if not any(self._gallery.population(groups)):
            raise Refused(f"{ILLEGAL}NoFaceInGroups")
        wish = Wish(quality=sent.quality_control > 0, rotate=sent.need_rotate_detection == 1)
        photo = await self._pictures.look(sent.image, sent.url, wish)
        faces = [face for face in photo.faces if face.face.box.short_side >= sent.min_face_size][: sent.max_face_num]
        if not faces:
            raise Refused("FailedOperation.FaceSizeTooSmall")
        good = [qualified(face, sent.quality_control) for face in faces]
        return [
            {
                "RetCode": 0 if ok else _UNQUALIFIED,
                **find(face if ok else None),
                "FaceRect": rectangle(face.face.box),
            }
            for face, ok in zip(faces, good, strict=True)
        ]

    def _in_all(self, sent: SearchFaces, face: AnalysedFace | None, *, merged: bool, at: bool) -> Answer:
        return {"Candidates": self._candidates(sent, face, sent.group_ids, sent.max_person_num, merged=merged, at=at)}

    def _in_each(self, sent: _ByGroup, face: AnalysedFace | None, *, merged: bool, at: bool) -> Answer:
        most = sent.max_person_num_per_group
        groups = [
            {"GroupId": group, "Candidates": self._candidates(sent, face, [group], most, merged=merged, at=at)}
            for group in (sent.group_ids if face else ())
        ]
        return {"GroupCandidates": groups}

    def _candidates(
        self, sent: _Search, face: AnalysedFace | None, groups: Sequence[str], most: int, *, merged: bool, at: bool
    ) -> list[Answer]:
        """`at`: a score that equals the threshold counts."""
        if face is None:
            return []
        hits = self._gallery.search(face.embedding, groups, most, merged=merged)
        scored = [(hit, round(score(hit.cosine), 4)) for hit in hits]
        least = sent.face_match_threshold
        return [
            self._candidate(hit, found, details=sent.need_person_info == 1)
            for hit, found in scored
            if found > least or (at and found == least)
        ]

    def _candidate(self, hit: Hit, found: float, *, details: bool) -> Answer:
        person = self._gallery.person(hit.person)
        groups = [
            {"GroupId": group_id, "PersonExDescriptions": written(self._gallery.group(group_id), person)}
            for group_id in person.groups
        ]
        return {
            "PersonId": hit.person,
            "FaceId": hit.face,
            "Score": found,
            "PersonName": person.name if details else None,
            "Gender": person.gender if details else None,
            "PersonGroupInfos": groups if details else None,
        }

    def _face_count(self, groups: Sequence[str]) -> int:
        return self._gallery.population(groups)[1]

    def _person_count(self, groups: Sequence[str], found: Sequence[Answer]) -> int:
        """None are searched where no face is good enough, say the documents."""
        return self._gallery.population(groups)[0] if any(result["RetCode"] == 0 for result in found) else 0
