"""The older host's library: people in groups that come into being with their first person, and people's faces.

The vendor's documents of the answers could not all be read; where a field is not sure to come, it may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Struct

from kiosk.domain import Count, Name
from kiosk.recognition.tencent.bounds import Items, Picture, Text, Url
from kiosk.recognition.tencent.legacy_faces import BLANKS, Address, Id, Photo
from kiosk.recognition.tencent.legacy_wire import Data, LegacyInterface

MAX_FACES = 20
"""Faces a person may have."""
MAX_TEXT = 1000
"""Characters of a name or remark; the vendor names no limit."""

Remark = Annotated[str | None, Text(1, MAX_TEXT)]
GroupIds = Annotated[tuple[str, ...], Items(100, Text(1, 64, BLANKS))]


class PersonAdded(Data, frozen=True):
    """`suc_group` groups joined, `suc_face` faces taken. `face_id` is empty where the answer was lost and the person exists."""

    person_id: Name
    face_id: str = ""
    suc_group: Count = 0
    suc_face: Count = 0
    group_ids: tuple[str, ...] = ()


class PersonDeleted(Data, frozen=True):
    deleted: Count


class FacesAdded(Data, frozen=True):
    """`ret_codes` has one for each picture, in their order; 0 is success."""

    added: Count
    face_ids: tuple[str, ...] = ()
    ret_codes: tuple[int, ...] = ()


class FacesDropped(Data, frozen=True):
    deleted: Count
    face_ids: tuple[str, ...] = ()


class PersonSet(Data, frozen=True):
    person_id: str = ""


class PersonDetails(Data, frozen=True):
    person_id: Name
    person_name: str = ""
    tag: str = ""
    group_ids: tuple[str, ...] = ()
    face_ids: tuple[str, ...] = ()


class GroupList(Data, frozen=True):
    group_ids: list[str]


class PersonList(Data, frozen=True):
    person_ids: list[str]


class FaceList(Data, frozen=True):
    face_ids: list[str]


class FaceDetails(Struct, frozen=True):
    """What the vendor once measured on a face; pixels of the photo handed in."""

    face_id: str = ""
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    tag: str = ""


class FaceInfo(Data, frozen=True):
    face_info: FaceDetails


class NewPerson(LegacyInterface[PersonAdded], frozen=True, kw_only=True):
    """Groups that do not exist come into being."""

    WRITE = True
    EITHER = (("image", "url"),)

    person_id: Id
    person_name: Remark = None
    tag: Remark = None
    group_ids: GroupIds
    image: Photo = None
    url: Address = None

    def settled(self) -> Mapping[str, PersonAdded]:
        return {"-1302": PersonAdded(person_id=self.person_id, group_ids=self.group_ids)}


class DelPerson(LegacyInterface[PersonDeleted], frozen=True):
    """From all groups."""

    WRITE = True

    person_id: Id

    def settled(self) -> Mapping[str, PersonDeleted]:
        return {"-1303": PersonDeleted(deleted=1)}


class AddFace(LegacyInterface[FacesAdded], frozen=True):
    WRITE = True
    EITHER = (("images", "urls"),)

    person_id: Id
    tag: Remark = None
    images: Annotated[tuple[bytes, ...] | None, Items(MAX_FACES, Picture(sized=False))] = None
    urls: Annotated[tuple[str, ...] | None, Items(MAX_FACES, Url())] = None

    def settled(self) -> Mapping[str, FacesAdded]:
        """Of several pictures the refusal would leave open which was there already."""
        one = len(self.images or self.urls or ()) == 1
        return {"-1312": FacesAdded(added=1)} if one else {}


class DelFace(LegacyInterface[FacesDropped], frozen=True):
    WRITE = True

    person_id: Id
    face_ids: Annotated[tuple[str, ...], Items(MAX_FACES, Text(1, 64, BLANKS))]

    def settled(self) -> Mapping[str, FacesDropped]:
        one = len(self.face_ids) == 1
        return {"-1305": FacesDropped(deleted=1, face_ids=self.face_ids)} if one else {}


class SetInfo(LegacyInterface[PersonSet], frozen=True):
    """Saying it twice changes nothing more, so a lost answer is simply asked for again."""

    person_id: Id
    person_name: Remark = None
    tag: Remark = None


class GetInfo(LegacyInterface[PersonDetails], frozen=True):
    person_id: Id


class GetGroupIds(LegacyInterface[GroupList], frozen=True):
    pass


class GetPersonIds(LegacyInterface[PersonList], frozen=True):
    group_id: Id


class GetFaceIds(LegacyInterface[FaceList], frozen=True):
    person_id: Id


class GetFaceInfo(LegacyInterface[FaceInfo], frozen=True):
    face_id: Id
