"""The sandbox's older interfaces beyond `identify`: many faces, comparisons, the person library."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import cv2
import httpx
import numpy as np
import pytest

from kiosk.errors import CameraError, RecogniserError
from kiosk.eye.photos import PhotoEye
from kiosk.ports import PhotoAnalyser, Wish
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_faces import Compare, MultIdentify
from kiosk.recognition.tencent.legacy_library import (
    AddFace,
    DelFace,
    DelPerson,
    GetFaceIds,
    GetFaceInfo,
    GetGroupIds,
    GetInfo,
    GetPersonIds,
    NewPerson,
    SetInfo,
)
from kiosk.recognition.tencent.signing import sign_legacy
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision.pixels import shrink
from tests.sandbox_stage import APPID, BUCKET, KEYS, Eye, base64_of, photo, sandbox, soon

UPLOADS: tuple[Literal["multipart", "json"], ...] = ("multipart", "json")


@asynccontextmanager
async def asking(
    eye: PhotoAnalyser | None = None, upload: Literal["multipart", "json"] = "multipart"
) -> AsyncIterator[LegacyInterfaces]:
    async with sandbox(eye) as port:
        caller = Caller([Transport(f"http://127.0.0.1:{port}")])
        try:
            yield LegacyInterfaces(caller, KEYS, appid=APPID, bucket=BUCKET, upload=upload)
        finally:
            await caller.close()


async def refused(call: Any) -> tuple[str, str]:
    """The code, and which picture is to blame."""
    with pytest.raises(RecogniserError) as caught:
        await call
    return caught.value.code, caught.value.field


@pytest.mark.parametrize("upload", UPLOADS)
async def test_every_face_of_a_picture(upload: Literal["multipart", "json"]) -> None:
    async with asking(Eye(sides={"bob": 40}), upload) as old:
        for name in ("ann", "bob"):
            await old.call(NewPerson(person_id=name, group_ids=(f"{name}s",), tag=f"tag of {name}", image=photo(name)), soon())
        both = MultIdentify(group_ids=("anns", "bobs"), image=photo("ann~", "bob"), session_id="mine")
        found = await old.call(both, soon())
        assert found.session_id == "mine"
        ann, bob = found.results
        assert (ann.candidates[0].person_id, ann.candidates[0].tag, bob.candidates[0].person_id) == ("ann", "tag of ann", "bob")
        assert (ann.face_rect.x, ann.face_rect.y, ann.face_rect.width, bob.face_rect.height) == (10, -10, 80, 40)
        one = await old.call(MultIdentify(group_id="bobs", image=photo("ann")), soon())
        assert [candidate.person_id for candidate in one.results[0].candidates] == ["bob"]
        assert one.session_id
        assert await refused(old.call(MultIdentify(group_id="cids", image=photo("ann")), soon())) == ("-1306", "")


@pytest.mark.parametrize("upload", UPLOADS)
async def test_two_faces(upload: Literal["multipart", "json"]) -> None:
    async with asking(Eye({"dead": CameraError("eye_lost"), "crowd": CameraError("eye_busy")}), upload) as old:
        assert (await old.call(Compare(image_a=photo("ann"), image_b=photo("ann~")), soon())).similarity > 90
        assert (await old.call(Compare(image_a=photo("ann"), image_b=photo("bob")), soon())).similarity < 70
        for request, told in (
            (Compare(image_a=photo(), image_b=photo("ann")), ("-1101", "imageA")),
            (Compare(image_a=photo("ann"), image_b=photo()), ("-1101", "imageB")),
            (Compare(image_a=photo("ann"), url_b="http://h/b.jpg"), ("-1308", "imageB")),
            (Compare(url_a="http://h/a.jpg", url_b="http://h/b.jpg"), ("-1308", "imageA")),
            (Compare(image_a=photo("ann"), image_b=photo("dead")), ("213", "imageB")),
            (Compare(image_a=photo("crowd"), image_b=photo("ann")), ("15", "imageA")),
        ):
            assert await refused(old.call(request, soon())) == told


@pytest.mark.parametrize("upload", UPLOADS)
async def test_the_person_library(upload: Literal["multipart", "json"]) -> None:
    async with asking(upload=upload) as old:
        created = await old.call(NewPerson(person_id="ann", group_ids=("staff", "night"), image=photo("ann")), soon())
        await old.call(NewPerson(person_id="bob", group_ids=("staff",), image=photo("bob")), soon())
        assert (await old.call(GetGroupIds(), soon())).group_ids == ["staff", "night"]
        assert (await old.call(GetPersonIds("staff"), soon())).person_ids == ["ann", "bob"]

        added = await old.call(AddFace("ann", tag="new", images=(photo("ann~"), photo("ann"), photo())), soon())
        assert (added.added, added.ret_codes) == (1, (0, -1312, -1101))
        faces = [created.face_id, *added.face_ids]
        assert (await old.call(GetFaceIds("ann"), soon())).face_ids == faces
        info = (await old.call(GetFaceInfo(faces[1]), soon())).face_info
        assert (info.face_id, info.x, info.y, info.width, info.tag) == (faces[1], 10, -10, 80, "new")

        await old.call(SetInfo("ann", person_name="Ann 安"), soon())
        await old.call(SetInfo("ann", tag="vip"), soon())
        details = await old.call(GetInfo("ann"), soon())
        assert (details.person_name, details.tag, details.group_ids) == ("Ann 安", "vip", ("staff", "night"))

        dropped = await old.call(DelFace("ann", (faces[0], "12345")), soon())
        assert (dropped.deleted, dropped.face_ids) == (1, (faces[0],))
        assert (await old.call(DelPerson("ann"), soon())).deleted == 1
        assert (await old.call(GetPersonIds("night"), soon())).person_ids == []


async def test_the_librarys_refusals() -> None:
    async with asking() as old:
        await old.call(NewPerson(person_id="ann", group_ids=("staff",), image=photo("ann")), soon())
        only = (await old.call(GetFaceIds("ann"), soon())).face_ids
        for request, code in (
            (AddFace("bob", images=(photo("bob"),)), "-1303"),
            (AddFace("ann", images=(photo("ann"),)), "-1312"),
            (AddFace("ann", images=(photo(), photo("ann"))), "-1101"),
            (AddFace("ann", urls=("http://h/a.jpg",)), "-1308"),
            (DelFace("ann", ("12345",)), "-1305"),
            (DelFace("ann", tuple(only)), "21"),
            (GetFaceInfo("12345"), "-1305"),
            (GetFaceIds("bob"), "-1303"),
            (GetPersonIds("nowhere"), "-1306"),
            (SetInfo("bob", tag="x"), "-1303"),
        ):
            assert (await refused(old.call(request, soon())))[0] == code


async def test_twenty_faces_a_person() -> None:
    async with asking() as old:
        await old.call(NewPerson(person_id="ann", group_ids=("staff",), image=photo("ann")), soon())
        added = await old.call(AddFace("ann", images=tuple(photo(f"face {number}") for number in range(20))), soon())
        assert (added.added, added.ret_codes[-1]) == (19, -1309)


def lying(path: Path) -> tuple[bytes, bytes]:
    """A photo on its side without a word, and the same one that says how to hold it (EXIF orientation 6)."""
    image = shrink(np.asarray(cv2.imread(str(path)), np.uint8), 0.3)
    done, encoded = cv2.imencode(".jpg", cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE))
    assert done
    jpeg = encoded.tobytes()
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    return jpeg, jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.slow
async def test_a_photo_may_say_how_to_hold_it(models_dir: Path, people: Path) -> None:
    """Only a real eye knows: a face on its side is not recognised, and the answer's coordinates are of the photo held upright."""
    async with PhotoEye(QualitySettings(), EyeSettings(), models_dir) as eye, asking(eye) as old:
        portrait = (people / "P002" / "assets" / "studio_portrait.jpg").read_bytes()
        await old.call(NewPerson(person_id="ann", group_ids=("staff",), image=portrait), soon())
        for picture, upright in zip(lying(people / "P002" / "assets" / "studio_portrait.jpg"), (False, True), strict=True):
            (found,) = (await old.call(MultIdentify(group_id="staff", image=picture), soon())).results
            assert found.face_rect.height > found.face_rect.width or not upright
            assert (found.candidates[0].confidence > 80) == upright


async def test_the_eye_is_asked_for_what_is_needed_only() -> None:
    eye = Eye()
    async with asking(eye) as old:
        await old.call(NewPerson(person_id="ann", group_ids=("staff",), image=photo("ann")), soon())
        await old.call(MultIdentify(group_id="staff", image=photo("ann", "bob")), soon())
    assert eye.wishes == [Wish(quality=True, embed="largest", upper=True), Wish(quality=False, embed="all")]


async def test_the_vendors_forms_of_a_comparison() -> None:
    """The PHP package sends two addresses as a form, and its pictures without a file name; JSON holds base64."""

    def part(disposition: str, value: bytes) -> bytes:
        return b"--B\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"

    urls = part('name="urlA"', b"http://h/a.jpg") + part('name="urlB"', b"http://h/b.jpg") + b"--B--\r\n"
    pictures = part('name="imageA"', photo("ann")) + part('name="imageB"; filename="/x/b.jpg"', photo("ann")) + b"--B--\r\n"
    bodies = ("multipart/form-data; boundary=B", urls, -1308), ("multipart/form-data; boundary=B", pictures, 0)
    body = json.dumps({"imageA": base64_of("ann"), "imageB": base64_of("ann")}).encode()
    async with sandbox() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:
        for kind, content, code in (*bodies, ("application/json", body, 0)):
            authorization = sign_legacy(KEYS, appid=APPID, bucket=BUCKET, now=int(time.time()), nonce=1)
            answer = await web.post(
                "/face/compare", content=content, headers={"Content-Type": kind, "Authorization": authorization}
            )
            assert (answer.json()["code"], answer.headers["content-type"]) == (code, "application/json")
            told = {"similarity": 100.0} if code == 0 else {"fail_flag": 1}
            assert answer.json()["data"].items() >= told.items()
