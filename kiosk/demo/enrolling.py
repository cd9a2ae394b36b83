"""The people the demo's door is to know, enrolled as an integrator would: through the vendor's interfaces, or on the device."""

from __future__ import annotations

import time

from kiosk.errors import PhotoRejected, RecogniserError
from kiosk.ports import PhotoAnalyser, Wish
from kiosk.recognition.build import account_of, caller_of, legacy_of
from kiosk.recognition.on_device.enrolled import CURRENT
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.tencent.events import unwatched
from kiosk.recognition.tencent.iai.client import IaiClient
from kiosk.recognition.tencent.iai.groups import CreateGroup
from kiosk.recognition.tencent.iai.persons import CreatePerson
from kiosk.recognition.tencent.legacy_library import NewPerson
from kiosk.settings import TencentIaiSettings, TencentLegacySettings

_WITHIN = 15.0
"""Seconds for one call."""
_THERE_ALREADY = "InvalidParameterValue.GroupIdAlreadyExist"


async def in_older_cloud(section: TencentLegacySettings, person: str, photo: bytes) -> None:
    """Raises KioskError."""
    caller = caller_of(section, unwatched)
    try:
        request = NewPerson(person_id=person, person_name=person, group_ids=section.group_ids, image=photo)
        await legacy_of(section, caller).call(request, time.monotonic() + _WITHIN)
    finally:
        await caller.close()


async def in_todays_cloud(section: TencentIaiSettings, person: str, photo: bytes) -> None:
    """Raises KioskError."""
    caller = caller_of(section, unwatched)
    client = IaiClient(caller, account_of(section))
    (group,) = section.group_ids
    try:
        await _create_group(client, group)
        await client.call(CreatePerson(group, person, person, image=photo), time.monotonic() + _WITHIN)
    finally:
        await caller.close()


async def on_device(gallery: Gallery, eye: PhotoAnalyser, group: str, person: str, photo: bytes) -> None:
    """Raises KioskError."""
    seen = await eye.analyse(photo, Wish(quality=False, embed="largest", upper=True))
    if not seen.faces:
        raise PhotoRejected("face_not_found", f"the photo of {person}")
    face = gallery.new_face(seen.faces[0], photo=photo)
    gallery.create_person(gallery.new_person(person, person), [group], face, CURRENT)


async def _create_group(client: IaiClient, group: str) -> None:
    try:
        await client.call(CreateGroup(group, group), time.monotonic() + _WITHIN)
    except RecogniserError as error:
        if error.code != _THERE_ALREADY:
            raise
