"""The library's groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from kiosk.recognition.on_device.enrolled import CURRENT, Group
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.sandbox.iai.actions import Action, Answer
from kiosk.sandbox.iai.comparing import MODEL
from kiosk.sandbox.iai.parameters import ILLEGAL, Fields, GroupId, GroupName, Model, Offset, Page, Parameters, Tag
from kiosk.sandbox.refusals import Refused

T = TypeVar("T")


class CreateGroup(Parameters, frozen=True, kw_only=True):
    group_name: GroupName
    group_id: GroupId
    group_ex_descriptions: Fields = ()
    tag: Tag = None
    face_model_version: Model = MODEL


class DeleteGroup(Parameters, frozen=True, kw_only=True):
    group_id: GroupId


class GetGroupList(Parameters, frozen=True, kw_only=True):
    offset: Offset = 0
    limit: Page = 10


class GetGroupInfo(Parameters, frozen=True, kw_only=True):
    group_id: GroupId


class Groups:
    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery

    def actions(self) -> tuple[Action, ...]:
        return (
            Action.of(CreateGroup, self._create),
            Action.of(DeleteGroup, self._delete),
            Action.of(GetGroupList, self._list),
            Action.of(GetGroupInfo, self._info),
        )

    async def _create(self, sent: CreateGroup) -> Answer:
        self._gallery.create_group(sent.group_id, sent.group_name, CURRENT, sent.tag or "", sent.group_ex_descriptions)
        return {"FaceModelVersion": MODEL}

    async def _delete(self, sent: DeleteGroup) -> Answer:
        self._gallery.delete_group(sent.group_id)
        return {}

    async def _list(self, sent: GetGroupList) -> Answer:
        groups = self._gallery.groups
        return {"GroupInfos": [_info(group) for group in page(groups, sent.offset, sent.limit)], "GroupNum": len(groups)}

    async def _info(self, sent: GetGroupInfo) -> Answer:
        return _info(self._gallery.group(sent.group_id))


def page(items: Sequence[T], offset: int, limit: int) -> Sequence[T]:
    """Raises Refused where `offset` lies beyond the end."""
    check_offset(offset, len(items))
    return items[offset : offset + limit]


def check_offset(offset: int, count: int) -> None:
    """Raises Refused where `offset` lies beyond the end of so many."""
    if offset > count:
        raise Refused(f"{ILLEGAL}OffsetExceed")


def _info(group: Group) -> Answer:
    return {
        "GroupName": group.name,
        "GroupId": group.group_id,
        "GroupExDescriptions": group.fields,
        "Tag": group.tag,
        "FaceModelVersion": MODEL,
        "CreationTimestamp": group.created,
    }
