"""One picture against the people of some groups.

A person may come with each of their faces (`SearchFaces`) or once (`SearchPersons`). A face that fails `quality_control`
comes with `ret_code` −1601 and no candidates.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from kiosk.domain import Count, Name, Percent
from kiosk.recognition.tencent.iai.fields import (
    Address,
    FaceSide,
    FacesToSearch,
    Flag,
    GroupIds,
    GroupIdsByGroup,
    LeastScore,
    Persons,
    PersonsPerGroup,
    Photo,
    Quality,
    Rect,
)
from kiosk.recognition.tencent.iai.wire import Answer, Interface, Version

_ONE = (("image", "url"),)


class Membership(Struct, frozen=True, rename="pascal"):
    group_id: Name
    person_ex_descriptions: list[str] | None = None


class Candidate(Struct, frozen=True, rename="pascal"):
    """`face_id` is empty in a search for persons; what stands below it comes only with `need_person_info`."""

    person_id: Name
    score: Percent
    face_id: str | None = ""
    person_name: str | None = None
    gender: int | None = None
    person_group_infos: list[Membership] | None = None


Candidates = Annotated[list[Candidate], Meta(max_length=100)]


class Found(Struct, frozen=True, rename="pascal"):
    """One face of the picture. `ret_code` 0: searched for."""

    candidates: Candidates
    face_rect: Rect
    ret_code: int


class GroupFound(Struct, frozen=True, rename="pascal"):
    group_id: Name
    candidates: Candidates


class FoundByGroup(Struct, frozen=True, rename="pascal"):
    group_candidates: Annotated[list[GroupFound], Meta(max_length=60)]
    face_rect: Rect
    ret_code: int


class FacesFound(Answer, frozen=True):
    """`face_num`: faces in the groups searched."""

    results: Annotated[list[Found], Meta(max_length=10)]
    face_model_version: Version
    face_num: Count | None = None


class PersonsFound(Answer, frozen=True):
    """`person_num`: persons in the groups searched."""

    results: Annotated[list[Found], Meta(max_length=10)]
    face_model_version: Version
    person_num: Count | None = None


class FacesFoundByGroup(Answer, frozen=True):
    results_returns_by_group: Annotated[list[FoundByGroup], Meta(max_length=10)]
    face_model_version: Version
    face_num: Count | None = None


class PersonsFoundByGroup(Answer, frozen=True):
    results_returns_by_group: Annotated[list[FoundByGroup], Meta(max_length=10)]
    face_model_version: Version
    person_num: Count | None = None


class SearchFaces(Interface[FacesFound], frozen=True):
    GROUP = "search"
    EITHER = _ONE

    group_ids: GroupIds
    image: Photo = None
    url: Address = None
    max_face_num: FacesToSearch = None
    min_face_size: FaceSide = None
    max_person_num: Persons = None
    need_person_info: Flag = None
    quality_control: Quality = None
    face_match_threshold: LeastScore = None
    need_rotate_detection: Flag = None


class SearchPersons(Interface[PersonsFound], frozen=True):
    """Groups of model 3.0 only."""

    GROUP = "search"
    EITHER = _ONE

    group_ids: GroupIds
    image: Photo = None
    url: Address = None
    max_face_num: FacesToSearch = None
    min_face_size: FaceSide = None
    max_person_num: Persons = None
    quality_control: Quality = None
    face_match_threshold: LeastScore = None
    need_person_info: Flag = None
    need_rotate_detection: Flag = None


class SearchFacesReturnsByGroup(Interface[FacesFoundByGroup], frozen=True):
    GROUP = "search"
    EITHER = _ONE

    group_ids: GroupIdsByGroup
    image: Photo = None
    url: Address = None
    max_face_num: FacesToSearch = None
    min_face_size: FaceSide = None
    max_person_num_per_group: PersonsPerGroup = None
    need_person_info: Flag = None
    quality_control: Quality = None
    face_match_threshold: LeastScore = None
    need_rotate_detection: Flag = None


class SearchPersonsReturnsByGroup(Interface[PersonsFoundByGroup], frozen=True):
    """Groups of model 3.0 only."""

    GROUP = "search"
    EITHER = _ONE

    group_ids: GroupIdsByGroup
    image: Photo = None
    url: Address = None
    max_face_num: FacesToSearch = None
    min_face_size: FaceSide = None
    max_person_num_per_group: PersonsPerGroup = None
    quality_control: Quality = None
    face_match_threshold: LeastScore = None
    need_person_info: Flag = None
    need_rotate_detection: Flag = None
