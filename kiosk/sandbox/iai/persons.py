"""The library's people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kiosk.recognition.on_device.calibration import score
from kiosk.recognition.on_device.enrolled import CURRENT, Group, Person
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why
from kiosk.sandbox.iai.actions import Action, Answer
from kiosk.sandbox.iai.comparing import MODEL
from kiosk.sandbox.iai.groups import check_offset, page
from kiosk.sandbox.iai.parameters import (
    Description,
    Descriptions,
    Gender,
    GroupId,
    GroupIds,
    NewPersonName,
    Offset,
    OnePicture,
    Page,
    PageOfGroups,
    Parameters,
    PersonId,
    PersonName,
    QualityControl,
    Switch,
    UniquePersonControl,
)
from kiosk.sandbox.iai.pictures import Pictures, rectangle
from kiosk.sandbox.refusals import Refused

NO_SUCH_PERSON = "ResourceNotFound.ErrorPersonNotExisted"
"""In the vendor's examples of deleting; elsewhere an unknown person is an invalid parameter value."""
_UNIQUE_FROM = {1: 30.0, 2: 40.0, 3: 50.0, 4: 60.0}
"""UniquePersonControl to the score that counts as the same person: false match rates of 1e-2 to 1e-5."""


class CreatePerson(OnePicture, frozen=True, kw_only=True):
    group_id: GroupId
    person_name: PersonName
    person_id: PersonId
    gender: Gender = 0
    person_ex_description_infos: Descriptions = ()
    unique_person_control: UniquePersonControl = 0
    quality_control: QualityControl = 0
    need_rotate_detection: Switch = 0


class DeletePerson(Parameters, frozen=True, kw_only=True):
    person_id: PersonId


class DeletePersonFromGroup(Parameters, frozen=True, kw_only=True):
    person_id: PersonId
    group_id: GroupId


class CopyPerson(Parameters, frozen=True, kw_only=True):
    person_id: PersonId
    group_ids: GroupIds


class GetPersonList(Parameters, frozen=True, kw_only=True):
    group_id: GroupId
    offset: Offset = 0
    limit: Page = 10


class GetPersonListNum(Parameters, frozen=True, kw_only=True):
    group_id: GroupId


class GetPersonBaseInfo(Parameters, frozen=True, kw_only=True):
    person_id: PersonId


class GetPersonGroupInfo(Parameters, frozen=True, kw_only=True):
    person_id: PersonId
    offset: Offset = 0
    limit: PageOfGroups = 10


class ModifyPersonBaseInfo(Parameters, frozen=True, kw_only=True):
    person_id: PersonId
    person_name: NewPersonName = None
    gender: Gender = None


class ModifyPersonGroupInfo(Parameters, frozen=True, kw_only=True):
    group_id: GroupId
    person_id: PersonId
    person_ex_description_infos: Descriptions


class People:
    def __init__(self, pictures: Pictures, gallery: Gallery) -> None:
        self._pictures = pictures
        self._gallery = gallery

    def actions(self) -> tuple[Action, ...]:
        return (
            Action.of(CreatePerson, self._create),
            Action.of(DeletePerson, self._delete),
            Action.of(DeletePersonFromGroup, self._leave),
            Action.of(CopyPerson, self._copy),
            Action.of(GetPersonList, self._list),
            Action.of(GetPersonListNum, self._count),
            Action.of(GetPersonBaseInfo, self._info),
            Action.of(GetPersonGroupInfo, self._groups),
            Action.of(ModifyPersonBaseInfo, self._modify),
            Action.of(ModifyPersonGroupInfo, self._describe),
        )

    async def _create(self, sent: CreatePerson) -> Answer:
        group = self._gallery.group(sent.group_id)
        descriptions = _by_number(sent.person_ex_description_infos)
        self._gallery.check_descriptions(group, descriptions)
        self._gallery.check_new(sent.person_id, [sent.group_id], CURRENT)
        rotate = sent.need_rotate_detection == 1
        seen = await self._pictures.face(sent.image, sent.url, sent.quality_control, rotate=rotate)
        self._gallery.group(sent.group_id)  # it may have been deleted meanwhile
        twin = self._twin(seen.embedding, sent.group_id, sent.unique_person_control)
        face = self._gallery.new_face(seen)
        if not twin:
            person = self._gallery.new_person(sent.person_id, sent.person_name, gender=sent.gender or 0)
            with self._gallery.together():
                self._gallery.create_person(person, [sent.group_id], face, CURRENT)
                self._gallery.describe(sent.person_id, sent.group_id, descriptions)
        return {
            "FaceId": "" if twin else face.face_id,
            "SimilarPersonId": twin,
            "FaceRect": rectangle(seen.face.box),
            "FaceModelVersion": MODEL,
        }

    def _twin(self, embedding: bytes | None, group_id: str, control: int) -> str:
        """Who in the group has this face already; empty where nobody has, or nobody asks."""
        if not control:
            return ""
        hits = self._gallery.search(embedding, [group_id], 1)
        return hits[0].person if hits and score(hits[0].cosine) >= _UNIQUE_FROM[control] else ""

    async def _delete(self, sent: DeletePerson) -> Answer:
        with missing_person():
            self._gallery.delete_person(sent.person_id)
        return {}

    async def _leave(self, sent: DeletePersonFromGroup) -> Answer:
        self._gallery.leave(sent.person_id, sent.group_id)
        return {}

    async def _copy(self, sent: CopyPerson) -> Answer:
        groups = list(dict.fromkeys(sent.group_ids))
        self._gallery.join(sent.person_id, groups, CURRENT)
        return {"SucGroupNum": len(groups), "SucGroupIds": groups}

    async def _list(self, sent: GetPersonList) -> Answer:
        group = self._gallery.group(sent.group_id)
        persons, faces = self._gallery.population([sent.group_id])
        check_offset(sent.offset, persons)
        return {
            "PersonInfos": [_person(person, group) for person in self._gallery.members([sent.group_id], sent.offset, sent.limit)],
            "PersonNum": persons,
            "FaceNum": faces,
            "FaceModelVersion": MODEL,
        }

    async def _count(self, sent: GetPersonListNum) -> Answer:
        persons, faces = self._gallery.population([sent.group_id])
        return {"PersonNum": persons, "FaceNum": faces}

    async def _info(self, sent: GetPersonBaseInfo) -> Answer:
        person = self._gallery.person(sent.person_id)
        return {"PersonName": person.name, "Gender": person.gender, "FaceIds": _face_ids(person)}

    async def _groups(self, sent: GetPersonGroupInfo) -> Answer:
        person = self._gallery.person(sent.person_id)
        groups = [self._gallery.group(group_id) for group_id in person.groups]
        infos = [
            {"GroupId": group.group_id, "PersonExDescriptions": written(group, person)}
            for group in page(groups, sent.offset, sent.limit)
        ]
        return {"PersonGroupInfos": infos, "GroupNum": len(groups), "FaceModelVersion": MODEL}

    async def _modify(self, sent: ModifyPersonBaseInfo) -> Answer:
        self._gallery.update_person(sent.person_id, name=sent.person_name, gender=sent.gender)
        return {}

    async def _describe(self, sent: ModifyPersonGroupInfo) -> Answer:
        self._gallery.describe(sent.person_id, sent.group_id, _by_number(sent.person_ex_description_infos))
        return {}


@contextmanager
def missing_person() -> Iterator[None]:
    """An unknown person is answered by NO_SUCH_PERSON."""
    try:
        yield
    except GalleryRefusal as refusal:
        raise (Refused(NO_SUCH_PERSON) if refusal.why is Why.PERSON_UNKNOWN else refusal) from refusal


def written(group: Group, person: Person) -> list[str]:
    """What is written of a person in each of the group's fields."""
    of_person = person.groups.get(group.group_id, {})
    return [of_person.get(number, "") for number in range(len(group.fields))]


def _person(person: Person, group: Group) -> Answer:
    return {
        "PersonName": person.name,
        "PersonId": person.person_id,
        "Gender": person.gender,
        "PersonExDescriptions": written(group, person),
        "FaceIds": _face_ids(person),
        "CreationTimestamp": person.created,
    }


def _face_ids(person: Person) -> list[str]:
    return [face.face_id for face in person.faces]


def _by_number(sent: Sequence[Description]) -> dict[int, str]:
    return {item.person_ex_description_index: item.person_ex_description for item in sent}
