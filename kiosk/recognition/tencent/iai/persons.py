"""The vendor's library: the people of its groups, and their faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Struct

from kiosk.domain import Count, Name
from kiosk.recognition.tencent.bounds import Between, Items, Picture, Text, Url
from kiosk.recognition.tencent.iai.fields import (
    Address,
    Control,
    Descriptions,
    Flag,
    Gender,
    GivenName,
    GroupId,
    GroupIds,
    NewName,
    Offset,
    Page,
    PageOfGroups,
    PersonId,
    Photo,
    Quality,
    Rect,
    SomeDescriptions,
)
from kiosk.recognition.tencent.iai.searching import Membership
from kiosk.recognition.tencent.iai.wire import Answer, Done, Interface

NO_PERSON = ("InvalidParameterValue.PersonIdNotExist", "ResourceNotFound.ErrorPersonNotExisted")


class PersonCreated(Answer, frozen=True):
    """`similar_person_id`: with `unique_person_control`, the person who has this face already – then none was created.

    `face_id` is empty where the answer was lost and the person turned out to exist.
    """

    face_id: str = ""
    face_rect: Rect | None = None
    similar_person_id: str | None = ""
    face_model_version: str = ""


class FacesCreated(Answer, frozen=True):
    """`ret_code` has one for each picture, in their order: 0, or −1101 no face, −1102 not decoded, −1109 size,
    −1601 quality, −1604 unlike the person's faces.
    """

    suc_face_num: Count
    suc_face_ids: list[str]
    ret_code: list[int]
    suc_indexes: list[Count]
    suc_face_rects: list[Rect] | None = None
    face_model_version: str = ""


class FacesDeleted(Answer, frozen=True):
    suc_deleted_num: Count
    suc_face_ids: list[str]


class Copied(Answer, frozen=True):
    suc_group_num: Count
    suc_group_ids: list[str]


class Person(Struct, frozen=True, rename="pascal"):
    person_id: Name
    person_name: str = ""
    gender: int | None = None
    person_ex_descriptions: list[str] | None = None
    face_ids: list[str] | None = None
    creation_timestamp: Count | None = None


class People(Answer, frozen=True):
    person_infos: list[Person]
    person_num: Count
    face_num: Count | None = None
    face_model_version: str = ""


class PeopleCounted(Answer, frozen=True):
    person_num: Count
    face_num: Count


class PersonInfo(Answer, frozen=True):
    person_name: str
    gender: int | None = None
    face_ids: list[str] | None = None


class Memberships(Answer, frozen=True):
    person_group_infos: list[Membership]
    group_num: Count
    face_model_version: str = ""


class CreatePerson(Interface[PersonCreated], frozen=True):
    GROUP = "library"
    WRITE = True
    EITHER = (("image", "url"),)

    group_id: GroupId
    person_name: GivenName
    person_id: PersonId
    gender: Gender = None
    person_ex_description_infos: Descriptions = None
    image: Photo = None
    url: Address = None
    unique_person_control: Control = None
    quality_control: Quality = None
    need_rotate_detection: Flag = None

    def settled(self) -> Mapping[str, PersonCreated]:
        return {"InvalidParameterValue.PersonIdAlreadyExist": PersonCreated(request_id="")}


class DeletePerson(Interface[Done], frozen=True):
    """From all groups, with all faces."""

    GROUP = "library"
    WRITE = True

    person_id: PersonId

    def settled(self) -> Mapping[str, Done]:
        return dict.fromkeys(NO_PERSON, Done(request_id=""))


class DeletePersonFromGroup(Interface[Done], frozen=True):
    GROUP = "library"
    WRITE = True

    person_id: PersonId
    group_id: GroupId

    def settled(self) -> Mapping[str, Done]:
        return {"FailedOperation.GroupPersonMapNotExist": Done(request_id="")}


class CreateFace(Interface[FacesCreated], frozen=True):
    """At most four pictures at once, five faces a person. The vendor takes no two of these at the same time.

    `face_match_threshold`: how much a new face must be like those the person has; 60 where it is left out.
    """

    GROUP = "library"
    WRITE = True
    EITHER = (("images", "urls"),)

    person_id: PersonId
    images: Annotated[tuple[bytes, ...] | None, Items(4, Picture())] = None
    urls: Annotated[tuple[str, ...] | None, Items(4, Url())] = None
    face_match_threshold: Annotated[float | None, Between(0, 100)] = None
    quality_control: Quality = None
    need_rotate_detection: Flag = None


class DeleteFace(Interface[FacesDeleted], frozen=True):
    """A person keeps at least one face."""

    GROUP = "library"
    WRITE = True

    person_id: PersonId
    face_ids: Annotated[tuple[str, ...], Items(5, Text(1, 64))]


class CopyPerson(Interface[Copied], frozen=True):
    """Into further groups."""

    GROUP = "library"
    WRITE = True

    person_id: PersonId
    group_ids: GroupIds

    def settled(self) -> Mapping[str, Copied]:
        """Of several groups the refusal would leave open in which the person already was."""
        if len(self.group_ids) != 1:
            return {}
        copied = Copied(request_id="", suc_group_num=1, suc_group_ids=list(self.group_ids))
        return dict.fromkeys(("FailedOperation.GroupPersonMapExist", "InvalidParameterValue.PersonExistInGroup"), copied)


class GetPersonList(Interface[People], frozen=True):
    GROUP = "library"

    group_id: GroupId
    offset: Offset = None
    limit: Page = None


class GetPersonListNum(Interface[PeopleCounted], frozen=True):
    GROUP = "library"

    group_id: GroupId


class GetPersonBaseInfo(Interface[PersonInfo], frozen=True):
    GROUP = "library"

    person_id: PersonId


class GetPersonGroupInfo(Interface[Memberships], frozen=True):
    GROUP = "library"

    person_id: PersonId
    offset: Offset = None
    limit: PageOfGroups = None


class ModifyPersonBaseInfo(Interface[Done], frozen=True):
    """Saying it twice changes nothing more, so a lost answer is simply asked for again."""

    GROUP = "library"

    person_id: PersonId
    person_name: NewName = None
    gender: Gender = None


class ModifyPersonGroupInfo(Interface[Done], frozen=True):
    """Likewise."""

    GROUP = "library"

    group_id: GroupId
    person_id: PersonId
    person_ex_description_infos: SomeDescriptions
