"""The vendor's library: its groups of people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Struct

from kiosk.domain import Count, Name
from kiosk.recognition.tencent.bounds import Items, Text
from kiosk.recognition.tencent.iai.fields import GivenName, GroupId, Model, Offset, Page
from kiosk.recognition.tencent.iai.wire import MODEL, Answer, Done, Interface

NO_GROUP = ("InvalidParameterValue.GroupIdNotExist", "InvalidParameterValue.GroupIdNotExists")


class GroupCreated(Answer, frozen=True):
    face_model_version: str = ""


class Group(Struct, frozen=True, rename="pascal"):
    """Timestamps are Unix milliseconds."""

    group_id: Name
    group_name: str = ""
    group_ex_descriptions: list[str] | None = None
    tag: str | None = None
    face_model_version: str = ""
    creation_timestamp: Count | None = None
    update_timestamp: Count | None = None


class Groups(Answer, frozen=True):
    group_infos: list[Group]
    group_num: Count


class GroupInfo(Answer, frozen=True):
    group_id: Name
    group_name: str = ""
    group_ex_descriptions: list[str] | None = None
    tag: str | None = None
    face_model_version: str = ""
    creation_timestamp: Count | None = None


class CreateGroup(Interface[GroupCreated], frozen=True):
    """`group_ex_descriptions` name the free fields that a person may have in this group."""

    GROUP = "library"
    WRITE = True

    group_name: GivenName
    group_id: GroupId
    group_ex_descriptions: Annotated[tuple[str, ...] | None, Items(5, Text(1, 30), distinct=True)] = None
    tag: Annotated[str | None, Text(0, 40)] = None
    face_model_version: Model = MODEL

    def settled(self) -> Mapping[str, GroupCreated]:
        return {"InvalidParameterValue.GroupIdAlreadyExist": GroupCreated(request_id="", face_model_version=MODEL)}


class DeleteGroup(Interface[Done], frozen=True):
    GROUP = "library"
    WRITE = True

    group_id: GroupId

    def settled(self) -> Mapping[str, Done]:
        return dict.fromkeys(NO_GROUP, Done(request_id=""))


class GetGroupList(Interface[Groups], frozen=True):
    GROUP = "library"

    offset: Offset = None
    limit: Page = None


class GetGroupInfo(Interface[GroupInfo], frozen=True):
    GROUP = "library"

    group_id: GroupId
