"""The vendor's library of people, as commands: `groups` and `persons`, on today's host or with --legacy on the older one."""

from __future__ import annotations

from typing import Annotated

import typer

from kiosk.cloud.command import Photo, Picture, command, picture
from kiosk.cloud.faces import Older, Quality, Rotated
from kiosk.cloud.reply import Reply
from kiosk.cloud.session import Session
from kiosk.errors import ConfigurationError
from kiosk.recognition.tencent import legacy_library as old
from kiosk.recognition.tencent.iai.fields import Description
from kiosk.recognition.tencent.iai.groups import CreateGroup, DeleteGroup, GetGroupInfo, GetGroupList
from kiosk.recognition.tencent.iai.persons import (
    CopyPerson,
    CreateFace,
    CreatePerson,
    DeleteFace,
    DeletePerson,
    DeletePersonFromGroup,
    GetPersonBaseInfo,
    GetPersonGroupInfo,
    GetPersonList,
    GetPersonListNum,
    ModifyPersonBaseInfo,
    ModifyPersonGroupInfo,
)
from kiosk.recognition.tencent.iai.wire import A, Interface
from kiosk.recognition.tencent.legacy_wire import D, LegacyInterface

groups = typer.Typer(no_args_is_help=True, help="The groups that people are enrolled in.")
persons = typer.Typer(no_args_is_help=True, help="The people of the library, and their faces.")

GroupId = Annotated[str, typer.Argument(metavar="GROUP", help="The group's id.")]
PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="The person's id.")]
FaceIds = Annotated[list[str], typer.Argument(metavar="FACE...", help="The faces' ids.")]
Photos = Annotated[list[Picture], typer.Argument(parser=picture, metavar="PHOTO...", help="Photos of the person.")]
InGroups = Annotated[list[str], typer.Option("--group", "-g", help="A group to join; may be repeated.")]
Tag = Annotated[str | None, typer.Option(help="A remark.")]
Name = Annotated[str | None, typer.Option(help="The person's name.")]
Gender = Annotated[int | None, typer.Option(min=0, max=2, help="0 unset, 1 male, 2 female.")]
Offset = Annotated[int, typer.Option(min=0, help="Pass so many over.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")]


@command(groups, "list")
async def list_groups(cloud: Session, legacy: Older = False, offset: Offset = 0, limit: Limit = 100) -> Reply:
    """Every group: GetGroupList, or getgroupids."""
    return await _old(cloud, old.GetGroupIds()) if legacy else await _now(cloud, GetGroupList(offset, limit))


@command(groups, "show")
async def show_group(cloud: Session, group: GroupId) -> Reply:
    """One group: GetGroupInfo."""
    return await _now(cloud, GetGroupInfo(group))


@command(groups, "create")
async def create_group(
    cloud: Session,
    group: GroupId,
    name: Annotated[str | None, typer.Option(help="Its name; by default its id.")] = None,
    tag: Tag = None,
    field: Annotated[list[str] | None, typer.Option(help="A free field its people have; may be repeated.")] = None,
) -> Reply:
    """CreateGroup. On the older host a group comes into being with its first person."""
    return await _now(cloud, CreateGroup(name or group, group, tuple(field) if field else None, tag))


@command(groups, "delete")
async def delete_group(cloud: Session, group: GroupId) -> Reply:
    """DeleteGroup: people who are in no other group go with it."""
    return await _now(cloud, DeleteGroup(group))


@command(persons, "list")
async def list_persons(cloud: Session, group: GroupId, legacy: Older = False, offset: Offset = 0, limit: Limit = 100) -> Reply:
    """Who is in a group: GetPersonList, or getpersonids."""
    return await _old(cloud, old.GetPersonIds(group)) if legacy else await _now(cloud, GetPersonList(group, offset, limit))


@command(persons, "count")
async def count_persons(cloud: Session, group: GroupId) -> Reply:
    """How many people and faces a group has: GetPersonListNum."""
    return await _now(cloud, GetPersonListNum(group))


@command(persons, "show")
async def show_person(cloud: Session, person: PersonId, legacy: Older = False) -> Reply:
    """Name and faces: GetPersonBaseInfo, or getinfo."""
    return await _old(cloud, old.GetInfo(person)) if legacy else await _now(cloud, GetPersonBaseInfo(person))


@command(persons, "groups")
async def groups_of_person(cloud: Session, person: PersonId, offset: Offset = 0) -> Reply:
    """Which groups a person is in: GetPersonGroupInfo."""
    return await _now(cloud, GetPersonGroupInfo(person, offset, 100))


@command(persons, "create")
async def create_person(
    cloud: Session,
    person: PersonId,
    photo: Photo,
    group: InGroups,
    name: Name = None,
    gender: Gender = None,
    tag: Tag = None,
    unique: Annotated[
        int | None, typer.Option(min=0, max=4, help="Refuse a face that somebody has already; 4: the surest.")
    ] = None,
    quality: Quality = None,
    rotated: Rotated = False,
    legacy: Older = False,
) -> Reply:
    """Enrols somebody: CreatePerson (and CopyPerson for further groups), or newperson."""
    if legacy:
        new = old.NewPerson(person_id=person, person_name=name, tag=tag, group_ids=tuple(group), image=photo.image, url=photo.url)
        return await _old(cloud, new)
    reply = await _now(
        cloud,
        CreatePerson(
            *(group[0], name or person, person, gender),
            image=photo.image,
            url=photo.url,
            unique_person_control=unique,
            quality_control=quality,
            need_rotate_detection=rotated or None,
        ),
    )
    if len(group) > 1:
        await cloud.iai(CopyPerson(person, tuple(group[1:])))
    return reply


@command(persons, "delete")
async def delete_person(cloud: Session, person: PersonId, legacy: Older = False) -> Reply:
    """From every group, with every face: DeletePerson, or delperson."""
    return await _old(cloud, old.DelPerson(person)) if legacy else await _now(cloud, DeletePerson(person))


@command(persons, "join")
async def join(cloud: Session, person: PersonId, group: Annotated[list[str], typer.Argument(metavar="GROUP...")]) -> Reply:
    """Adds a person to further groups: CopyPerson."""
    return await _now(cloud, CopyPerson(person, tuple(group)))


@command(persons, "leave")
async def leave(cloud: Session, person: PersonId, group: GroupId) -> Reply:
    """Takes a person out of one group: DeletePersonFromGroup."""
    return await _now(cloud, DeletePersonFromGroup(person, group))


@command(persons, "change")
async def change(
    cloud: Session, person: PersonId, name: Name = None, gender: Gender = None, tag: Tag = None, legacy: Older = False
) -> Reply:
    """A person's name or gender: ModifyPersonBaseInfo; with --legacy name or remark: setinfo."""
    if legacy:
        return await _old(cloud, old.SetInfo(person, name, tag))
    return await _now(cloud, ModifyPersonBaseInfo(person, name, gender))


@command(persons, "describe")
async def describe(
    cloud: Session,
    group: GroupId,
    person: PersonId,
    text: Annotated[list[str], typer.Argument(metavar="TEXT...", help="The group's free fields for this person, in order.")],
) -> Reply:
    """A person's texts in a group's free fields: ModifyPersonGroupInfo."""
    told = tuple(Description(index, item) for index, item in enumerate(text))
    return await _now(cloud, ModifyPersonGroupInfo(group, person, told))


@command(persons, "faces")
async def faces_of_person(cloud: Session, person: PersonId) -> Reply:
    """The ids of a person's faces on the older host: getfaceids. Today's are in `show`."""
    return await _old(cloud, old.GetFaceIds(person))


@command(persons, "face")
async def show_face(cloud: Session, face: Annotated[str, typer.Argument(help="The face's id.")]) -> Reply:
    """What the older host measured on a face: getfaceinfo."""
    return await _old(cloud, old.GetFaceInfo(face))


@command(persons, "add-face")
async def add_face(
    cloud: Session, person: PersonId, photos: Photos, tag: Tag = None, quality: Quality = None, legacy: Older = False
) -> Reply:
    """More photos of a person: CreateFace, or addface."""
    images, urls = _images(photos)
    if legacy:
        return await _old(cloud, old.AddFace(person, tag, images, urls))
    return await _now(cloud, CreateFace(person, images, urls, quality_control=quality))


@command(persons, "delete-face")
async def delete_face(cloud: Session, person: PersonId, faces: FaceIds, legacy: Older = False) -> Reply:
    """DeleteFace, or delface."""
    return await _old(cloud, old.DelFace(person, tuple(faces))) if legacy else await _now(cloud, DeleteFace(person, tuple(faces)))


async def _now(cloud: Session, request: Interface[A]) -> Reply:
    return Reply(request.action(), await cloud.iai(request))


async def _old(cloud: Session, request: LegacyInterface[D]) -> Reply:
    return Reply(request.interface(), await cloud.legacy(request))


def _images(photos: list[Picture]) -> tuple[tuple[bytes, ...] | None, tuple[str, ...] | None]:
    images = tuple(photo.image for photo in photos if photo.image is not None)
    urls = tuple(photo.url for photo in photos if photo.url is not None)
    if images and urls:
        raise ConfigurationError("configuration_invalid", "files and addresses cannot be mixed in one call")
    return images or None, urls or None
