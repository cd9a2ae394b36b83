"""The sandbox's current interfaces, asked over real connections by our client and by the vendor's own SDK."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from structlog.testing import capture_logs

from kiosk.errors import CameraError, KioskError, PhotoRejected
from kiosk.ports import Wish
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai import comparing as ours
from kiosk.recognition.tencent.iai import detecting, groups, persons, searching
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.fields import Description
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_library import AddFace, GetInfo, NewPerson
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.iai import comparing as actions
from kiosk.sandbox.iai import persons as library_actions
from kiosk.sandbox.iai.desk import Desk
from kiosk.sandbox.iai.parameters import understand
from kiosk.sandbox.iai.shapes import PARTS
from kiosk.sandbox.refusals import CURRENT_CODES, Refused
from tests.sandbox_stage import APPID, BUCKET, KEYS, Eye, base64_of, photo, sandbox, soon
from tests.sdk_stage import SDK, SDK_ERROR, Official, Values, enrol, official
from tests.signing_stage import tc3


@asynccontextmanager
async def client(port: int, keys: Credentials = KEYS) -> AsyncIterator[IaiClient]:
    caller = Caller([Transport(f"http://127.0.0.1:{port}")])
    try:
        yield IaiClient(caller, Account(keys))
    finally:
        await caller.close()


# --- the vendor's SDK ---------------------------------------------------------------------------------------------------


async def test_two_faces() -> None:
    async with official(Eye(scores={"bob": 0.5})) as ask:
        for action in ("CompareFace", "CompareMaskFace"):
            same = await ask(action, ImageA=base64_of("ann"), ImageB=base64_of("ann~"))
            assert (same.FaceModelVersion, 80 < same.Score < 95) == ("3.0", True)
            assert (await ask(action, ImageA=base64_of("ann"), ImageB=base64_of("ann"))).Score == 100
            assert (await ask(action, ImageA=base64_of("ann"), ImageB=base64_of("bob"))).Score < 40
        assert (await ask("DetectFaceSimilarity", ImageA=base64_of("ann"), ImageB=base64_of("ann~"))).Score > 70
        assert (await ask("DetectFaceSimilarity", ImageA=base64_of("ann"), ImageB=base64_of("bob"))).Score < 60
        two = {"ImageA": base64_of("bob", "ann"), "ImageB": base64_of("ann")}
        assert (await ask("CompareFace", **two)).Score == 100  # the surest
        assert (await ask("CompareFace", FaceMatchingStrategy=1, **two)).Score < 40  # the largest
        assert (await ask("CompareMaskFace", **two)).Score < 40


async def test_a_mask_leaves_the_upper_face() -> None:
    """Where one is worn the upper faces count, else the whole ones, and nobody but CompareMaskFace asks about masks."""
    async with official(Eye()) as ask:
        for a, b, alike in (("ann#", "ann", True), ("ann", "ann#", True), ("ann#", "ann#", True), ("ann#", "bob#", False)):
            two = {"ImageA": base64_of(a), "ImageB": base64_of(b)}
            assert ((await ask("CompareMaskFace", **two)).Score == 100) == alike
        assert (await ask("CompareFace", ImageA=base64_of("ann#"), ImageB=base64_of("ann"))).Score < 40
        whole = {"ImageA": base64_of("ann"), "ImageB": base64_of("ann~")}
        assert (await ask("CompareMaskFace", **whole)).Score == (await ask("CompareFace", **whole)).Score < 95


async def test_photos_are_turned_only_where_asked() -> None:
    eye = Eye(lying=True)
    ann = {"Image": base64_of("ann")}
    both = {"ImageA": base64_of("ann"), "ImageB": base64_of("ann")}
    async with official(eye) as ask:
        for action, values in (
            ("AnalyzeFace", ann),
            ("DetectFace", ann),
            ("DetectFaceAttributes", ann),
            ("CompareFace", both),
        ):
            assert await ask.code(action, **values) == "InvalidParameterValue.NoFaceInPhoto"
            await ask(action, NeedRotateDetection=1, **values)
        eye.lying = False
        await enrol(ask, "ann")
        eye.lying = True
        assert await ask.code("VerifyFace", PersonId="ann", **ann) == "InvalidParameterValue.NoFaceInPhoto"
        assert (await ask("VerifyPerson", PersonId="ann", NeedRotateDetection=1, **ann)).IsMatch


async def test_the_eye_is_asked_for_what_is_needed_only() -> None:
    ann = {"Image": base64_of("ann")}
    both = {"ImageA": base64_of("ann"), "ImageB": base64_of("ann")}
    whole = Wish(quality=False, embed="largest")
    bare = Wish(quality=False, embed="none")
    asked: list[tuple[str, Values, Wish]] = [
        ("CompareFace", both | {"FaceMatchingStrategy": 1}, whole),
        ("CompareFace", both, whole),
        ("CompareFace", both | {"FaceMatchingStrategy": 1, "QualityControl": 1}, replace(whole, quality=True)),
        ("CompareMaskFace", both, replace(whole, upper=True, mask=True)),
        ("DetectFaceSimilarity", both, whole),
        ("VerifyFace", ann | {"PersonId": "ann"}, whole),
        ("AnalyzeFace", ann, replace(bare, landmarks=True)),
        ("DetectFace", ann, bare),
        ("DetectFace", ann | {"NeedQualityDetection": 1}, replace(bare, quality=True)),
        ("DetectFace", ann | {"NeedFaceAttributes": 1}, replace(bare, quality=True, mask=True)),
        ("DetectFaceAttributes", ann, bare),
        ("DetectFaceAttributes", ann | {"FaceAttributesType": "Mask"}, replace(bare, mask=True)),
        ("DetectFaceAttributes", ann | {"FaceAttributesType": "Smile,Eye"}, replace(bare, quality=True)),
    ]
    eye = Eye()
    async with official(eye) as ask:
        await enrol(ask, "ann")
        assert eye.wishes == [Wish(quality=True, embed="largest", upper=True)]
        for action, values, wish in asked:
            eye.wishes.clear()
            await ask(action, **values)
            assert set(eye.wishes) == {wish}, (action, values)
        eye.wishes.clear()
        await ask("CompareFace", ImageA=base64_of("ann"), ImageB=base64_of("ann", "bob"))
        assert eye.wishes == [whole, whole, replace(whole, embed="all")], "which of several is the surest is looked at again"


async def test_the_library() -> None:
    async with official() as ask:
        await enrol(ask, "ann", "bob")
        await ask("CreateGroup", GroupId="night", GroupName="Night shift", Tag="no visitors")
        listed = await ask("GetGroupList", Limit=1, Offset=1)
        assert (listed.GroupNum, [(group.GroupId, group.Tag) for group in listed.GroupInfos]) == (2, [("night", "no visitors")])
        info = await ask("GetGroupInfo", GroupId="staff")
        assert (info.GroupName, info.GroupExDescriptions, info.FaceModelVersion) == ("The staff", ["floor", "desk"], "3.0")
        assert abs(info.CreationTimestamp / 1000 - time.time()) < 60

        added = await ask("CreateFace", PersonId="ann", Images=[base64_of("ann~"), base64_of("bob"), base64_of(), "/9j"])
        assert (added.SucFaceNum, added.RetCode, added.SucIndexes) == (1, [0, -1604, -1101, -1102], [0])
        assert added.SucFaceRects[0].Width == 80
        await ask("ModifyPersonBaseInfo", PersonId="ann", PersonName="Ann 安", Gender=2)
        base = await ask("GetPersonBaseInfo", PersonId="ann")
        assert (base.PersonName, base.Gender, len(base.FaceIds), base.FaceIds[1]) == ("Ann 安", 2, 2, added.SucFaceIds[0])

        described = [{"PersonExDescriptionIndex": 1, "PersonExDescription": "by the window"}]
        await ask("ModifyPersonGroupInfo", GroupId="staff", PersonId="ann", PersonExDescriptionInfos=described)
        copied = await ask("CopyPerson", PersonId="ann", GroupIds=["night"])
        assert (copied.SucGroupNum, copied.SucGroupIds) == (1, ["night"])
        of_ann = await ask("GetPersonGroupInfo", PersonId="ann")
        assert [(group.GroupId, group.PersonExDescriptions) for group in of_ann.PersonGroupInfos] == [
            ("staff", ["", "by the window"]),
            ("night", []),
        ]
        people = await ask("GetPersonList", GroupId="staff")
        assert (people.PersonNum, people.FaceNum, people.PersonInfos[0].PersonId) == (2, 3, "ann")
        assert people.PersonInfos[0].PersonExDescriptions == ["", "by the window"]

        gone = await ask("DeleteFace", PersonId="ann", FaceIds=[added.SucFaceIds[0], "12345"])
        assert (gone.SucDeletedNum, gone.SucFaceIds) == (1, added.SucFaceIds)
        await ask("DeletePersonFromGroup", PersonId="ann", GroupId="staff")
        await ask("DeletePerson", PersonId="bob")
        counted = await ask("GetPersonListNum", GroupId="staff")
        assert (counted.PersonNum, counted.FaceNum) == (0, 0)
        assert (await ask("GetPersonBaseInfo", PersonId="ann")).PersonName == "Ann 安"
        await ask("DeleteGroup", GroupId="night")
        assert await ask.code("GetPersonBaseInfo", PersonId="ann") == "InvalidParameterValue.PersonIdNotExist"


@pytest.mark.parametrize("action", ["SearchFaces", "SearchPersons"])
async def test_search(action: str) -> None:
    async with official(Eye(grades={"eve": 1}, sides={"far": 30})) as ask:
        await enrol(ask, "ann", "bob")
        await enrol(ask, "cid", group="guests")
        picture = base64_of("ann~", "eve", "far")
        found = await ask(
            action, GroupIds=["staff", "guests"], Image=picture, MaxFaceNum=3, NeedPersonInfo=1, QualityControl=2, MaxPersonNum=2
        )
        first, second = found.Results
        assert (first.RetCode, second.RetCode, second.Candidates) == (0, -1601, [])
        best, other = first.Candidates
        assert (best.PersonId, best.PersonName, best.PersonGroupInfos[0].GroupId) == ("ann", "Ann", "staff")
        assert (best.Score > 80, other.Score < 40) == (True, True)
        assert bool(best.FaceId) == (action == "SearchFaces")
        assert (first.FaceRect.X, first.FaceRect.Y, first.FaceRect.Width) == (10, -10, 80)
        assert (found.FaceNum if action == "SearchFaces" else found.PersonNum) == 3
        bare = await ask(action, GroupIds=["staff"], Image=picture, FaceMatchThreshold=60)
        assert [(c.PersonId, c.PersonName, c.PersonGroupInfos) for c in bare.Results[0].Candidates] == [("ann", None, None)]
        by_group = await ask(f"{action}ReturnsByGroup", GroupIds=["guests", "staff"], Image=picture, FaceMatchThreshold=60)
        (result,) = by_group.ResultsReturnsByGroup
        assert [(g.GroupId, [c.PersonId for c in g.Candidates]) for g in result.GroupCandidates] == [
            ("guests", []),
            ("staff", ["ann"]),
        ]
        assert await ask.code(action, GroupIds=["staff"], Image=base64_of("far")) == "FailedOperation.FaceSizeTooSmall"


async def test_a_score_at_the_threshold() -> None:
    async with official() as ask:
        await enrol(ask, "ann")
        exact = (await ask("SearchFaces", GroupIds=["staff"], Image=base64_of("ann~"))).Results[0].Candidates[0].Score
        at = {"GroupIds": ["staff"], "Image": base64_of("ann~"), "FaceMatchThreshold": exact}
        assert (await ask("SearchFaces", **at)).Results[0].Candidates == []
        assert len((await ask("SearchPersons", **at)).Results[0].Candidates) == 1
        by_group = await ask("SearchFacesReturnsByGroup", **at)
        assert len(by_group.ResultsReturnsByGroup[0].GroupCandidates[0].Candidates) == 1
        by_group = await ask("SearchPersonsReturnsByGroup", **at)
        assert by_group.ResultsReturnsByGroup[0].GroupCandidates[0].Candidates == []


async def test_verify() -> None:
    async with official() as ask:
        await enrol(ask, "ann")
        for action in ("VerifyFace", "VerifyPerson"):
            same = await ask(action, PersonId="ann", Image=base64_of("ann"))
            assert (same.Score, same.IsMatch, same.FaceModelVersion) == (100, True, "3.0")
            other = await ask(action, PersonId="ann", Image=base64_of("bob"))
            assert (other.Score < 40, other.IsMatch) == (True, False)
        await ask("CreateFace", PersonId="ann", Images=[base64_of("ann~")])
        best = (await ask("VerifyFace", PersonId="ann", Image=base64_of("ann"))).Score
        merged = (await ask("VerifyPerson", PersonId="ann", Image=base64_of("ann"))).Score
        assert best == 100 >= merged > 80


async def test_detect() -> None:
    async with official(Eye(sides={"far": 25})) as ask:
        picture = base64_of("ann", "bob", "far")
        found = await ask("DetectFace", Image=picture, MaxFaceNum=5, NeedFaceAttributes=1, NeedQualityDetection=1)
        assert (found.ImageWidth, found.ImageHeight, len(found.FaceInfos)) == (100, 100, 2)
        face = found.FaceInfos[0]
        assert (face.X, face.Y, face.Width, face.Height) == (10, -10, 80, 80)
        attributes, quality = face.FaceAttributesInfo, face.FaceQualityInfo
        assert (attributes.Yaw, attributes.Pitch, attributes.Roll, attributes.Expression) == (30, -3, 4, 60)
        assert (attributes.EyeOpen, attributes.Mask, attributes.Hair) == (False, False, None)
        assert (quality.Score, quality.Sharpness, quality.Brightness) == (71, 72, 55)
        assert (quality.Completeness.Eye, quality.Completeness.Chin) == (95, None)
        plain = (await ask("DetectFace", Image=picture, MinFaceSize=20)).FaceInfos
        assert len(plain) == 1
        assert (plain[0].FaceAttributesInfo.Yaw, plain[0].FaceQualityInfo.Completeness.Chin) == (0, 0)
        described = await ask("DetectFaceAttributes", Image=picture, FaceAttributesType="Eye, mouth,HeadPose,Smile")
        details = described.FaceDetailInfos[0].FaceDetailAttributesInfo
        assert (details.Eye.EyeOpen.Type, details.Eye.EyeOpen.Probability) == (1, 0.8)
        assert (details.Mouth.MouthOpen.Type, details.Smile, details.HeadPose.Yaw) == (1, 60, 30)
        assert (details.Gender.Type, details.Gender.Probability, details.Mask.Probability) == (0, 0, 0)
        for name, told in (("ann", (0, 0.9)), ("ann#", (4, 0.9))):
            described = await ask("DetectFaceAttributes", Image=base64_of(name), FaceAttributesType="mask")
            mask = described.FaceDetailInfos[0].FaceDetailAttributesInfo.Mask
            assert (mask.Type, mask.Probability) == told
            attributes = (await ask("DetectFace", Image=base64_of(name), NeedFaceAttributes=1)).FaceInfos[0].FaceAttributesInfo
            assert attributes.Mask == (name == "ann#")


async def test_analyse() -> None:
    async with official() as ask:
        found = await ask("AnalyzeFace", Image=base64_of("ann", "bob"))
        assert (len(found.FaceShapeSet), found.FaceModelVersion) == (2, "3.0")
        shape = found.FaceShapeSet[0]
        counts = {part: len(getattr(shape, part)) for part in PARTS}
        assert counts == {
            **dict.fromkeys(("LeftEye", "RightEye", "LeftEyeBrow", "RightEyeBrow"), 8),
            **dict.fromkeys(("LeftPupil", "RightPupil"), 1),
            "FaceProfile": 21,
            "Mouth": 22,
            "Nose": 13,
        }
        assert (shape.LeftPupil[0].X, shape.LeftPupil[0].Y) == (468, 936)
        assert len((await ask("AnalyzeFace", Image=base64_of("ann", "bob"), Mode=1)).FaceShapeSet) == 1


async def test_one_person_twice() -> None:
    async with official() as ask:
        await enrol(ask, "ann")
        twin = {"GroupId": "staff", "PersonId": "ann2", "PersonName": "Ann again", "Image": base64_of("ann~")}
        refused = await ask("CreatePerson", UniquePersonControl=4, **twin)
        assert (refused.SimilarPersonId, refused.FaceId) == ("ann", "")
        assert await ask.code("GetPersonBaseInfo", PersonId="ann2") == "InvalidParameterValue.PersonIdNotExist"
        created = await ask("CreatePerson", **twin)
        assert (created.SimilarPersonId, bool(created.FaceId), created.FaceRect.Width) == ("", True, 80)


PICTURE = {"Image": base64_of("ann")}
NEW = {"GroupId": "staff", "PersonId": "new", "PersonName": "New", **PICTURE}
WRONG: list[tuple[str, Values, str]] = [
    ("CompareFace", {"ImageA": base64_of("ann")}, "MissingParameter.ErrorParameterEmpty"),
    ("CompareFace", {"ImageA": base64_of("ann"), "ImageB": ""}, "InvalidParameterValue.ImageEmpty"),
    ("CompareFace", {"ImageA": base64_of("ann"), "ImageB": "a*b="}, "FailedOperation.ImageDecodeFailed"),
    ("CompareFace", {"ImageA": base64_of("ann"), "ImageB": base64_of()}, "InvalidParameterValue.NoFaceInPhoto"),
    ("CompareFace", {"ImageA": base64_of("ann"), "UrlB": "http://h/a.jpg"}, "FailedOperation.ImageDownloadError"),
    ("CompareFace", {"ImageA": base64_of("ann"), "UrlB": "file:///etc"}, "InvalidParameterValue.UrlIllegal"),
    ("CompareFace", {"ImageA": base64_of("ann"), "ImageB": "A" * 5_300_000}, "FailedOperation.ImageSizeExceed"),
    ("CompareFace", {"FaceModelVersion": "2.0"}, "InvalidParameterValue.FaceModelVersionIllegal"),
    ("CompareFace", {"QualityControl": 5}, "InvalidParameterValue.QualityControlIllegal"),
    ("CompareFace", {"QualityControl": -1}, "InvalidParameter"),
    ("CompareFace", {"QualityControl": "1"}, "InvalidParameter"),
    (
        "CompareMaskFace",
        {"ImageA": base64_of("dim"), "ImageB": "", "QualityControl": 3},
        "FailedOperation.FaceQualityNotQualified",
    ),
    ("DetectFace", {"Image": base64_of("huge")}, "FailedOperation.ImageResolutionExceed"),
    ("DetectFace", {"Image": base64_of("tiny")}, "FailedOperation.ImageResolutionTooSmall"),
    ("DetectFace", {"Image": base64_of("dead")}, "FailedOperation.ServerError"),
    ("DetectFace", {"Image": base64_of("slow")}, "FailedOperation.RequestTimeout"),
    ("DetectFace", {"Image": base64_of("crowd")}, "RequestLimitExceeded"),
    ("DetectFace", {"MaxFaceNum": 121}, "LimitExceeded.ErrorFaceNumExceed"),
    ("DetectFace", {"MaxFaceNum": 0}, "LimitExceeded.ErrorFaceNumExceed"),
    ("DetectFace", {"MinFaceSize": 30, **PICTURE}, "InvalidParameter.InvalidParameter"),
    ("DetectFaceAttributes", {"MaxFaceNum": 121, **PICTURE}, "LimitExceeded.ErrorFaceNumExceed"),
    ("DetectFaceAttributes", {"FaceModelVersion": "2.0", **PICTURE}, "InvalidParameterValue.FaceModelVersionIllegal"),
    ("AnalyzeFace", {"Mode": 2, **PICTURE}, "InvalidParameter.InvalidParameter"),
    ("AnalyzeFace", {"FaceModelVersion": "", **PICTURE}, "InvalidParameterValue.FaceModelVersionIllegal"),
    ("CompareFace", {"FaceMatchingStrategy": 2}, "InvalidParameter.InvalidParameter"),
    ("CompareMaskFace", {"FaceModelVersion": "2.0"}, "InvalidParameterValue.FaceModelVersionIllegal"),
    ("CompareMaskFace", {"QualityControl": 5}, "InvalidParameterValue.QualityControlIllegal"),
    ("DetectFaceSimilarity", {"QualityControl": 5}, "InvalidParameterValue.QualityControlIllegal"),
    ("DetectLiveFaceAccurate", {"FaceModelVersion": "2.0", **PICTURE}, "InvalidParameterValue.FaceModelVersionIllegal"),
    ("VerifyPerson", {"PersonId": "ann", "QualityControl": 5, **PICTURE}, "InvalidParameterValue.QualityControlIllegal"),
    ("DetectFaceAttributes", {"FaceAttributesType": "Age,Shoes", **PICTURE}, "InvalidParameter.InvalidParameter"),
    ("DetectLiveFaceAccurate", {"Image": base64_of()}, "InvalidParameterValue.NoFaceInPhoto"),
    ("AnalyzeFace", {"Image": base64_of()}, "InvalidParameterValue.NoFaceInPhoto"),
    ("VerifyFace", {"PersonId": "nobody", **PICTURE}, "InvalidParameterValue.PersonIdNotExist"),
    (
        "VerifyFace",
        {"PersonId": "ann", "Image": base64_of("dim"), "QualityControl": 3},
        "FailedOperation.FaceQualityNotQualified",
    ),
    ("VerifyFace", {"PersonId": "", **PICTURE}, "MissingParameter.ErrorParameterEmpty"),
    ("VerifyFace", {"PersonId": "a b", **PICTURE}, "InvalidParameterValue.PersonIdIllegal"),
    ("VerifyFace", {"PersonId": "a" * 65, **PICTURE}, "InvalidParameterValue.PersonIdTooLong"),
    ("VerifyFace", PICTURE, "MissingParameter"),
    ("SearchFaces", {"GroupIds": ["nowhere"], **PICTURE}, "InvalidParameterValue.GroupIdNotExist"),
    ("SearchFaces", {"GroupIds": ["empty"], **PICTURE}, "InvalidParameterValue.NoFaceInGroups"),
    ("SearchFaces", {"GroupIds": ["staff"] * 101, **PICTURE}, "InvalidParameterValue.GroupIdsExceed"),
    ("SearchFaces", {"GroupIds": [], **PICTURE}, "MissingParameter.ErrorParameterEmpty"),
    ("SearchFaces", {"GroupIds": ["st/ff"], **PICTURE}, "InvalidParameterValue.GroupIdIllegal"),
    ("SearchFaces", {"GroupIds": ["staff"], "MaxFaceNum": 11, **PICTURE}, "FailedOperation.SearchFacesExceed"),
    ("SearchPersons", {"GroupIds": ["staff"], "MaxPersonNum": 101, **PICTURE}, "InvalidParameterValue.SearchPersonsExceed"),
    (
        "SearchPersons",
        {"GroupIds": ["staff"], "FaceMatchThreshold": 100, **PICTURE},
        "InvalidParameterValue.FaceMatchThresholdIllegal",
    ),
    ("SearchPersonsReturnsByGroup", {"GroupIds": ["staff"] * 61, **PICTURE}, "InvalidParameterValue.GroupIdsExceed"),
    ("CreateGroup", {"GroupId": "staff", "GroupName": "x"}, "InvalidParameterValue.GroupIdAlreadyExist"),
    ("CreateGroup", {"GroupId": "x", "GroupName": "The staff"}, "InvalidParameterValue.GroupNameAlreadyExist"),
    ("CreateGroup", {"GroupId": "x", "GroupName": "n" * 61}, "InvalidParameterValue.GroupNameTooLong"),
    ("CreateGroup", {"GroupId": "x", "GroupName": "n", "Tag": "t" * 41}, "InvalidParameterValue.GroupTagTooLong"),
    (
        "CreateGroup",
        {"GroupId": "x", "GroupName": "n", "GroupExDescriptions": list("abcdef")},
        "InvalidParameterValue.GroupExDescriptionsExceed",
    ),
    (
        "CreateGroup",
        {"GroupId": "x", "GroupName": "n", "GroupExDescriptions": ["a", "a"]},
        "InvalidParameterValue.GroupExDescriptionsNameIdentical",
    ),
    ("GetGroupInfo", {"GroupId": "nowhere"}, "InvalidParameterValue.GroupIdNotExist"),
    ("GetGroupList", {"Limit": 1001}, "InvalidParameterValue.LimitExceed"),
    ("GetGroupList", {"Offset": 3}, "InvalidParameterValue.OffsetExceed"),
    ("DeleteGroup", {"GroupId": "nowhere"}, "InvalidParameterValue.GroupIdNotExist"),
    ("CreatePerson", NEW | {"GroupId": "nowhere"}, "InvalidParameterValue.GroupIdNotExist"),
    ("CreatePerson", NEW | {"PersonId": "ann"}, "InvalidParameterValue.PersonIdAlreadyExist"),
    ("CreatePerson", NEW | {"PersonName": "n" * 61}, "InvalidParameterValue.PersonNameTooLong"),
    ("CreatePerson", NEW | {"Gender": 3}, "InvalidParameterValue.PersonGenderIllegal"),
    ("CreatePerson", NEW | {"UniquePersonControl": 5}, "InvalidParameterValue.UniquePersonControlIllegal"),
    (
        "CreatePerson",
        NEW | {"PersonExDescriptionInfos": [{"PersonExDescriptionIndex": 2, "PersonExDescription": "x"}]},
        "InvalidParameterValue.PersonExDescriptionInfosExceed",
    ),
    ("CreateFace", {"PersonId": "ann", "Images": [base64_of("ann")] * 5}, "InvalidParameterValue.UploadFaceNumExceed"),
    ("CreateFace", {"PersonId": "ann"}, "MissingParameter.ErrorParameterEmpty"),
    ("CreateFace", {"PersonId": "nobody", "Images": [""]}, "InvalidParameterValue.PersonIdNotExist"),
    ("CreateFace", {"PersonId": "ann", "Urls": ["http://h/a.jpg"]}, "FailedOperation.ImageDownloadError"),
    ("DeleteFace", {"PersonId": "nobody", "FaceIds": ["1"]}, "ResourceNotFound.ErrorPersonNotExisted"),
    ("DeletePerson", {"PersonId": "nobody"}, "ResourceNotFound.ErrorPersonNotExisted"),
    ("DeletePersonFromGroup", {"PersonId": "ann", "GroupId": "empty"}, "FailedOperation.GroupPersonMapNotExist"),
    ("CopyPerson", {"PersonId": "ann", "GroupIds": ["empty", "staff"]}, "FailedOperation.GroupPersonMapExist"),
]


async def test_what_is_wrong_has_the_vendors_code() -> None:
    trouble: dict[str, Exception] = {
        "huge": PhotoRejected("image_too_large"),
        "tiny": PhotoRejected("image_too_small"),
        "dead": CameraError("eye_lost"),
        "slow": CameraError("eye_wedged"),
        "crowd": CameraError("eye_busy"),
    }
    async with official(Eye(trouble, grades={"dim": 2})) as ask:
        await enrol(ask, "ann")
        await enrol(ask, group="empty")
        told = [(action, await ask.code(action, **values)) for action, values, _ in WRONG]
        assert told == [(action, code) for action, _, code in WRONG]
        only = (await ask("GetPersonBaseInfo", PersonId="ann")).FaceIds
        assert await ask.code("DeleteFace", PersonId="ann", FaceIds=only) == "InvalidParameterValue.DeleteFaceNumExceed"


async def test_five_faces_a_person() -> None:
    async with official() as ask:
        await enrol(ask, "ann")
        added = await ask("CreateFace", PersonId="ann", Images=[base64_of("ann~")] * 4)
        assert added.SucFaceNum == 4
        assert (
            await ask.code("CreateFace", PersonId="ann", Images=[base64_of("ann~")])
            == "InvalidParameterValue.PersonFaceNumExceed"
        )


async def test_pngs_may_be_half_as_large() -> None:
    async with official(Eye(format="png", size=(2001, 100))) as ask:
        assert await ask.code("DetectFace", Image=base64_of("ann")) == "FailedOperation.ImageResolutionExceed"
    async with official(Eye(format="jpeg", size=(2001, 100))) as ask:
        assert (await ask("DetectFace", Image=base64_of("ann"))).ImageWidth == 2001


async def test_the_production_name_through_a_proxy() -> None:
    async with sandbox() as port:
        through = Official(port, http={"endpoint": None, "proxy": f"http://127.0.0.1:{port}"})
        assert (await through("CompareFace", ImageA=base64_of("ann"), ImageB=base64_of("ann"))).Score == 100


async def test_a_body_that_is_not_signed() -> None:
    async with sandbox() as port:
        found = await Official(port, unsignedPayload=True)("CompareFace", ImageA=base64_of("ann"), ImageB=base64_of("ann"))
        assert found.Score == 100


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (Credentials("AKIDOTHER", KEYS.secret_key), "AuthFailure.SecretIdNotFound"),
        (Credentials(KEYS.secret_id, "wrong"), "AuthFailure.SignatureFailure"),
    ],
)
async def test_an_account_that_is_not_ours(keys: Credentials, code: str) -> None:
    async with sandbox() as port:
        assert await Official(port, keys).code("GetGroupList") == code


async def test_temporary_keys() -> None:
    keys = Credentials(KEYS.secret_id, KEYS.secret_key, "token")
    async with sandbox(keys=keys) as port:
        assert (await Official(port, keys)("GetGroupList")).GroupNum == 0
        for other in (KEYS, Credentials(KEYS.secret_id, KEYS.secret_key, "stale")):
            assert await Official(port, other).code("GetGroupList") == "AuthFailure.TokenFailure"


async def test_messages_speak_the_language_asked_for() -> None:
    async with sandbox() as port:
        for language, word in (("en-US", "group"), ("zh-CN", "人员")):
            with pytest.raises(SDK_ERROR) as caught:
                await Official(port, language=language)("GetGroupInfo", GroupId="nowhere")
            assert word in caught.value.message.lower()


# --- our client ---------------------------------------------------------------------------------------------------------


async def test_our_client_and_the_library() -> None:
    async with sandbox() as port, client(port) as iai:
        await iai.call(groups.CreateGroup("The staff", "staff", group_ex_descriptions=("floor",)), soon())
        created = await iai.call(
            persons.CreatePerson(
                "staff", "Ann 安", "ann", person_ex_description_infos=(Description(0, "third"),), image=photo("ann")
            ),
            soon(),
        )
        assert created.face_id
        added = await iai.call(persons.CreateFace("ann", images=(photo("ann~"), photo("bob"))), soon())
        assert added.ret_code == [0, -1604]
        found = await iai.call(searching.SearchPersons(("staff",), photo("ann~"), need_person_info=True), soon())
        (candidate,) = found.results[0].candidates
        assert (candidate.person_id, candidate.person_name, candidate.score > 80) == ("ann", "Ann 安", True)
        assert candidate.person_group_infos == [searching.Membership("staff", ["third"])]
        verified = await iai.call(ours.VerifyFace("ann", photo("ann")), soon())
        assert (verified.score, verified.is_match) == (100, True)
        people = await iai.call(persons.GetPersonList("staff"), soon())
        assert (people.person_infos[0].face_ids, people.face_num) == ([created.face_id, *added.suc_face_ids], 2)
        await iai.call(persons.DeletePerson("ann"), soon())
        with pytest.raises(KioskError, match="PersonIdNotExist"):
            await iai.call(persons.GetPersonBaseInfo("ann"), soon())


async def test_our_client_and_pictures() -> None:
    async with sandbox() as port, client(port) as iai:
        for request in (ours.CompareFace(photo("ann"), photo("ann")), ours.CompareMaskFace(photo("ann"), photo("ann"))):
            assert (await iai.call(request, soon())).score == 100
        assert (await iai.call(ours.DetectFaceSimilarity(photo("ann"), photo("bob")), soon())).score < 70
        analysed = await iai.call(detecting.AnalyzeFace(0, photo("ann", "bob")), soon())
        assert (len(analysed.face_shape_set), analysed.face_shape_set[1].right_pupil[0].x) == (2, 473)
        detected = await iai.call(
            detecting.DetectFace(3, image=photo("ann"), need_face_attributes=True, need_quality_detection=True), soon()
        )
        assert detected.face_infos[0].face_quality_info
        assert detected.face_infos[0].face_quality_info.sharpness == 72
        described = await iai.call(detecting.DetectFaceAttributes(image=photo("ann"), face_attributes_type="Smile"), soon())
        assert described.face_detail_infos[0].face_detail_attributes_info.smile == 60
        assert (await iai.call(ours.DetectLiveFaceAccurate(photo("ann")), soon())).score == 97


async def test_two_changes_of_one_person_at_once() -> None:
    async with official() as ask:
        await enrol(ask)
        new = {"GroupId": "staff", "PersonId": "ann", "PersonName": "Ann", "Image": base64_of("ann")}
        answers = await asyncio.gather(*(ask("CreatePerson", **new) for _ in range(4)), return_exceptions=True)
        assert sorted(getattr(answer, "code", "") for answer in answers) == [
            "",
            *["InvalidParameterValue.PersonIdAlreadyExist"] * 3,
        ]


async def test_both_generations_share_one_library() -> None:
    async with sandbox() as port:
        caller = Caller([Transport(f"http://127.0.0.1:{port}")])
        old = LegacyInterfaces(caller, KEYS, appid=APPID, bucket=BUCKET)
        await old.call(NewPerson(person_id="ann", group_ids=("staff",), person_name="Ann", image=photo("ann")), soon())
        ask = Official(port)
        assert (await ask("GetPersonBaseInfo", PersonId="ann")).PersonName == "Ann"
        assert (await ask("GetGroupInfo", GroupId="staff")).GroupName == "staff"
        await old.call(AddFace("ann", images=tuple(photo(f"face {number}") for number in range(6))), soon())
        assert len((await ask("GetPersonBaseInfo", PersonId="ann")).FaceIds) == 7
        full = await ask.code("CreateFace", PersonId="ann", Images=[base64_of("ann")])
        assert full == "InvalidParameterValue.PersonFaceNumExceed"
        await ask("DeletePerson", PersonId="ann")
        with pytest.raises(KioskError, match="-1303"):
            await old.call(GetInfo("ann"), soon())
        await caller.close()


async def test_the_unforeseen_tells_the_caller_nothing() -> None:
    async with sandbox(Eye({"bug": RuntimeError("secret inside")})) as port:
        with pytest.raises(SDK_ERROR) as caught:
            await Official(port)("DetectFace", Image=base64_of("bug"))
        assert "secret" not in str(caught.value)
        body = json.dumps({"Image": base64_of("bug")}).encode()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:
            answer = await web.post("/", content=body, headers=tc3(port, body, action="DetectFace"))
        assert (answer.status_code, answer.json()["Response"]["Error"]["Code"]) == (500, "InternalError")


async def test_requests_are_logged_without_faces_and_keys() -> None:
    with capture_logs() as logs:
        async with official() as ask:
            await enrol(ask, "ann")
            await ask.code("DetectFace", Image=base64_of())
    entries = [(entry["interface"], entry["code"]) for entry in logs if entry["event"] == "sandbox_request"]
    assert entries == [("CreateGroup", "0"), ("CreatePerson", "0"), ("DetectFace", "InvalidParameterValue.NoFaceInPhoto")]
    assert KEYS.secret_key not in repr(logs)
    assert base64_of("ann") not in repr(logs)


# --- without a server ---------------------------------------------------------------------------------------------------

numbers = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = numbers | st.text(max_size=8) | st.sampled_from([base64_of("ann"), "staff", "ann"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
names = st.sampled_from(
    ["PersonId", "Image", "Url", "GroupId", "PersonName", "Gender", "PersonExDescriptionInfos", "QualityControl"]
)


@given(
    st.dictionaries(names | st.text(max_size=5), values, max_size=6),
    st.sampled_from([actions.VerifyFace, library_actions.CreatePerson]),
)
def test_any_parameters_are_understood_or_refused(sent: Values, kind: Any) -> None:
    try:
        understood = understand(json.dumps(sent).encode(), kind)
    except Refused:
        return
    assert isinstance(understood, kind)
    assert "ann" not in repr(understood)


@given(st.binary(max_size=200))
def test_any_body_is_understood_or_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        understand(body, actions.VerifyFace)


def test_every_interface_of_the_sdk_is_served_or_known_to_be_missing() -> None:
    missing = {
        *("AnalyzeDenseLandmarks", "ModifyGroup"),
        *("UpgradeGroupFaceModelVersion", "RevertGroupFaceModelVersion"),
        *("GetUpgradeGroupFaceModelVersionJobList", "GetUpgradeGroupFaceModelVersionResult"),
    }
    of_sdk = {name for name in vars(SDK.IaiClient) if name[0].isupper()}
    served = set(Desk(Eye(), Gallery(time.time), KEYS, time.time, Fetcher(())).actions)
    assert served == of_sdk - missing


def test_codes_are_the_vendors() -> None:
    listed = vars(importlib.import_module("tencentcloud.iai.v20200303.errorcodes"))
    documented = {code for code in listed.values() if isinstance(code, str)}
    assert set(CURRENT_CODES.values()) <= documented
    assert {code for _, _, code in WRONG if "." in code} - {"ResourceNotFound.ErrorPersonNotExisted"} <= documented
