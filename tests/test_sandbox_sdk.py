"""The vendor's own packages find nothing in the sandbox that the vendor's hosts have not."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.iai.desk import Desk
from tests.sandbox_stage import APPID, BUCKET, KEYS, Eye, Pictures, base64_of, photo, sandbox
from tests.sdk_stage import MODELS, Official, Values

OLD: Any = importlib.import_module("qcloud_image")
HERE = "http://pictures.example"
TEMPORARY = Credentials(KEYS.secret_id, KEYS.secret_key, "token")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


# --- today's ------------------------------------------------------------------------------------------------------------

FORMS: dict[str, Values] = {
    "TC3": {},
    "TC3, GET": {"http": {"reqMethod": "GET"}},
    "TC3, the body not signed": {"unsignedPayload": True},
    "TC3, kept alive, in English": {"http": {"keepAlive": True}, "language": "en-US"},
    "HmacSHA1": {"signMethod": "HmacSHA1"},
    "HmacSHA256": {"signMethod": "HmacSHA256"},
    "HmacSHA1, GET": {"signMethod": "HmacSHA1", "http": {"reqMethod": "GET"}},
    "HmacSHA256, GET": {"signMethod": "HmacSHA256", "http": {"reqMethod": "GET"}},
    "multipart": {"options": {"IsMultipart": True}},
    "multipart, pictures as they are": {"options": {"IsMultipart": True, "BinaryParams": ["Image", "ImageA", "ImageB"]}},
    "temporary keys": {"keys": TEMPORARY},
    "temporary keys, HmacSHA256": {"keys": TEMPORARY, "signMethod": "HmacSHA256"},
    "the asynchronous client": {"waiting": False},
    "the asynchronous client, GET": {"waiting": False, "http": {"reqMethod": "GET"}},
    "the asynchronous client, HmacSHA1": {"waiting": False, "signMethod": "HmacSHA1"},
}
ANN, LIKE_ANN, BOB, BOTH = base64_of("ann"), base64_of("ann~"), base64_of("bob"), base64_of("bob", "ann")
FIELDS = [{"PersonExDescriptionIndex": 0, "PersonExDescription": "第三 & 4th"}]

Check = Callable[[Any], bool]
TOUR: list[tuple[str, Values, Check]] = [
    (
        "CreateGroup",
        {"GroupId": "staff", "GroupName": "员工 +&=%", "GroupExDescriptions": ["楼层", "desk"], "Tag": "t"},
        lambda r: r.FaceModelVersion == "3.0",
    ),
    ("CreateGroup", {"GroupId": "guests", "GroupName": "Guests", "FaceModelVersion": "3.0"}, lambda r: len(r.RequestId) == 36),
    (
        "GetGroupList",
        {"Offset": 0, "Limit": 1},
        lambda r: r.GroupNum == 2 and isinstance(r.GroupInfos[0], MODELS.GroupInfo) and r.GroupInfos[0].Tag == "t",
    ),
    (
        "GetGroupInfo",
        {"GroupId": "staff"},
        lambda r: (r.GroupName, r.GroupExDescriptions) == ("员工 +&=%", ["楼层", "desk"]) and r.CreationTimestamp > 1.7e12,
    ),
    (
        "CreatePerson",
        {
            "GroupId": "staff", "PersonId": "ann", "PersonName": "Ann 安", "Gender": 2, "PersonExDescriptionInfos": FIELDS,
            "Image": ANN, "UniquePersonControl": 4, "QualityControl": 3, "NeedRotateDetection": 0,
        },
        lambda r: r.FaceId and r.SimilarPersonId == "" and isinstance(r.FaceRect, MODELS.FaceRect) and r.FaceRect.Width == 80,
    ),
    ("CreatePerson", {"GroupId": "staff", "PersonId": "bob", "PersonName": "B", "Url": f"{HERE}/bob"}, lambda r: bool(r.FaceId)),
    (
        "CreateFace",
        {"PersonId": "ann", "Images": [LIKE_ANN, BOB], "FaceMatchThreshold": 60.5},
        lambda r: (r.SucFaceNum, r.RetCode, r.SucIndexes, r.SucFaceRects[0].Height) == (1, [0, -1604], [0], 80),
    ),
    (
        "CreateFace",
        {"PersonId": "ann", "Urls": [f"{HERE}/ann", f"{HERE}/"]},
        lambda r: (r.SucFaceNum, r.RetCode) == (1, [0, -1101]),
    ),
    ("GetPersonBaseInfo", {"PersonId": "ann"}, lambda r: (r.PersonName, r.Gender, len(r.FaceIds)) == ("Ann 安", 2, 3)),
    ("ModifyPersonBaseInfo", {"PersonId": "ann", "PersonName": "Anne", "Gender": 0}, lambda r: bool(r.RequestId)),
    ("CopyPerson", {"PersonId": "ann", "GroupIds": ["guests"]}, lambda r: (r.SucGroupNum, r.SucGroupIds) == (1, ["guests"])),
    (
        "ModifyPersonGroupInfo",
        {
            "GroupId": "staff", "PersonId": "ann",
            "PersonExDescriptionInfos": [{"PersonExDescriptionIndex": 1, "PersonExDescription": "window"}],
        },
        lambda r: bool(r.RequestId),
    ),
    (
        "GetPersonGroupInfo",
        {"PersonId": "ann", "Offset": 0, "Limit": 100},
        lambda r: isinstance(r.PersonGroupInfos[0], MODELS.PersonGroupInfo)
        and r.PersonGroupInfos[0].PersonExDescriptions == ["第三 & 4th", "window"]
        and r.GroupNum == 2,
    ),
    (
        "GetPersonList",
        {"GroupId": "staff", "Limit": 2},
        lambda r: isinstance(r.PersonInfos[1], MODELS.PersonInfo)
        and (r.PersonNum, r.FaceNum, r.PersonInfos[0].PersonName) == (2, 4, "Anne"),
    ),
    ("GetPersonListNum", {"GroupId": "guests"}, lambda r: (r.PersonNum, r.FaceNum) == (1, 3)),
    (
        "SearchFaces",
        {
            "GroupIds": ["staff", "guests"], "Image": BOTH, "MaxFaceNum": 2, "MinFaceSize": 34, "MaxPersonNum": 2,
            "NeedPersonInfo": 1, "QualityControl": 1, "FaceMatchThreshold": 0.5, "NeedRotateDetection": 0,
        },
        lambda r: isinstance(r.Results[0], MODELS.Result) and isinstance(r.Results[0].Candidates[0], MODELS.Candidate)
        and [one.Candidates[0].PersonId for one in r.Results] == ["bob", "ann"]
        and r.Results[1].Candidates[0].PersonGroupInfos[0].GroupId == "staff" and r.FaceNum == 4,
    ),
    (
        "SearchPersons",
        {"GroupIds": ["staff"], "Url": f"{HERE}/bob", "FaceMatchThreshold": 60},
        lambda r: [c.PersonId for c in r.Results[0].Candidates] == ["bob"] and (r.PersonNum, r.Results[0].RetCode) == (2, 0),
    ),
    (
        "SearchFacesReturnsByGroup",
        {"GroupIds": ["guests", "staff"], "Image": ANN, "MaxPersonNumPerGroup": 1},
        lambda r: isinstance(r.ResultsReturnsByGroup[0], MODELS.ResultsReturnsByGroup)
        and [g.GroupId for g in r.ResultsReturnsByGroup[0].GroupCandidates] == ["guests", "staff"] and r.FaceNum == 4,
    ),
    (
        "SearchPersonsReturnsByGroup",
        {"GroupIds": ["guests", "staff"], "Image": ANN},
        lambda r: r.ResultsReturnsByGroup[0].GroupCandidates[0].Candidates[0].PersonId == "ann" and r.PersonNum == 2,
    ),
    ("VerifyFace", {"PersonId": "ann", "Image": ANN, "QualityControl": 4}, lambda r: (r.Score, r.IsMatch) == (100, True)),
    ("VerifyPerson", {"PersonId": "ann", "Image": BOB}, lambda r: r.Score < 40 and r.IsMatch is False),
    (
        "CompareFace",
        {"ImageA": BOTH, "ImageB": BOB, "FaceModelVersion": "3.0", "QualityControl": 2, "FaceMatchingStrategy": 1},
        lambda r: (r.Score, r.FaceModelVersion) == (100, "3.0"),
    ),
    ("CompareMaskFace", {"ImageA": base64_of("ann#"), "UrlB": f"{HERE}/ann"}, lambda r: r.Score == 100),
    ("DetectLiveFaceAccurate", {"Image": ANN, "FaceModelVersion": "3.0"}, lambda r: (r.Score, r.FaceModelVersion) == (97, "3.0")),
    ("DetectFaceSimilarity", {"ImageA": ANN, "ImageB": LIKE_ANN}, lambda r: 80 < r.Score < 100),
    (
        "DetectFace",
        {"MaxFaceNum": 2, "MinFaceSize": 20, "Image": BOTH, "NeedFaceAttributes": 1, "NeedQualityDetection": 1},
        lambda r: isinstance(r.FaceInfos[1], MODELS.FaceInfo)
        and isinstance(r.FaceInfos[0].FaceQualityInfo, MODELS.FaceQualityInfo)
        and (r.ImageWidth, r.ImageHeight, r.FaceInfos[1].FaceAttributesInfo.Mask) == (100, 100, False),
    ),
    (
        "DetectFaceAttributes",
        {"MaxFaceNum": 1, "Image": ANN, "FaceAttributesType": "Smile,Mask"},
        lambda r: isinstance(r.FaceDetailInfos[0].FaceDetailAttributesInfo, MODELS.FaceDetailAttributesInfo)
        and r.FaceDetailInfos[0].FaceDetailAttributesInfo.Smile == 60,
    ),
    (
        "AnalyzeFace",
        {"Mode": 1, "Image": BOTH},
        lambda r: isinstance(r.FaceShapeSet[0], MODELS.FaceShape) and isinstance(r.FaceShapeSet[0].Mouth[21], MODELS.Point),
    ),
    ("DeleteFace", {"PersonId": "ann", "FaceIds": ["1"]}, lambda r: (r.SucDeletedNum, r.SucFaceIds) == (0, [])),
    ("DeletePersonFromGroup", {"PersonId": "ann", "GroupId": "guests"}, lambda r: bool(r.RequestId)),
    ("DeletePerson", {"PersonId": "ann"}, lambda r: bool(r.RequestId)),
    ("DeleteGroup", {"GroupId": "staff"}, lambda r: bool(r.RequestId)),
]  # fmt: skip
ERRORS: list[tuple[str, Values, str]] = [
    ("DetectLiveFaceAccurate", {"Image": base64_of()}, "InvalidParameterValue.NoFaceInPhoto"),
    ("GetPersonBaseInfo", {"PersonId": "ann"}, "InvalidParameterValue.PersonIdNotExist"),
    ("DeletePerson", {"PersonId": "ann"}, "ResourceNotFound.ErrorPersonNotExisted"),
    ("SearchFaces", {"GroupIds": ["staff"], "Image": ANN}, "InvalidParameterValue.GroupIdNotExist"),
    ("SearchPersons", {"Image": ANN}, "MissingParameter"),
    ("CompareFace", {"ImageA": ANN}, "MissingParameter.ErrorParameterEmpty"),
    ("CompareFace", {"ImageA": ANN, "UrlB": "http://elsewhere/x"}, "FailedOperation.ImageDownloadError"),
    ("CompareFace", {"ImageA": ANN, "ImageB": base64_of()}, "InvalidParameterValue.NoFaceInPhoto"),
    ("DetectFace", {"MaxFaceNum": 121, "Image": ANN}, "LimitExceeded.ErrorFaceNumExceed"),
]


@pytest.mark.parametrize("form", FORMS)
async def test_every_interface_in_every_form(form: str) -> None:
    async with sandbox(keys=FORMS[form].get("keys", KEYS), fetcher=Pictures()) as port:
        ask = Official(port, **FORMS[form])
        for action, values, fits in TOUR:
            answer = await ask(action, **values)
            assert isinstance(answer, getattr(MODELS, f"{action}Response"))
            assert fits(answer), (action, answer)
        for action, values, code in ERRORS:
            assert await ask.code(action, **values) == code, action


def test_no_interface_is_left_out() -> None:
    asked = {action for action, _, _ in TOUR} | {action for action, _, _ in ERRORS}
    assert asked == set(Desk(Eye(), Gallery(time.time), KEYS, time.time, Fetcher(())).actions)


async def test_calls_in_json_and_bytes() -> None:
    """The package's calls for what has no types: unknown fields are sent on, and bodies of bytes, and calls not signed."""
    async with sandbox() as port:
        client = Official(port).client
        found = await asyncio.to_thread(client.call_json, "GetGroupList", {"Limit": 1})
        assert found["Response"]["GroupInfos"] == []
        for call, code in (
            (lambda: client.call_json("GetGroupList", {"Shoes": 1}), "UnknownParameter"),
            (lambda: client.call_json("GetShoes", {}), "InvalidAction"),
            (lambda: client.call_octet_stream("DetectFace", {}, photo("ann")), "UnsupportedOperation"),
            (lambda: client.call("GetGroupList", {}, {"SkipSign": True}), "AuthFailure.InvalidAuthorization"),
        ):
            with pytest.raises(Exception, match=code) as caught:
                await asyncio.to_thread(call)
            assert caught.value.get_code() == code  # type: ignore[attr-defined]  # the package's exception


async def test_pictures_that_are_too_large_for_the_form() -> None:
    """Two pictures do not fit where the signature is of the first kind, and a query is shorter still."""
    two = {"ImageA": "A" * 600_000, "ImageB": "A" * 600_000}
    async with sandbox() as port:
        assert await Official(port).code("CompareFace", **two) == "FailedOperation.ImageDecodeFailed"
        old = Official(port, signMethod="HmacSHA256")
        assert await old.code("CompareFace", **two) == "AuthFailure.SignatureFailure"
        get = Official(port, http={"reqMethod": "GET"})
        assert await get.code("DetectFace", Image="A" * 40_000) == "RequestSizeLimitExceeded"
        six = {"ImageA": "A" * 5_242_880, "ImageB": "A" * 5_242_880}
        assert await Official(port).code("CompareFace", **six) == "RequestSizeLimitExceeded"


# --- the older host's ---------------------------------------------------------------------------------------------------


class Former:
    """The vendor's package for the older host; an answer is its JSON and the HTTP status."""

    def __init__(self, port: int, host: str, keys: Credentials = KEYS) -> None:
        OLD.conf.Conf._Conf__SERVICE_ADDR = f"127.0.0.1:{port}"
        OLD.conf.Conf._Conf__HEADER_HOST = host
        self._client = OLD.Client(APPID, keys.secret_id, keys.secret_key, BUCKET)
        self._client.use_http()

    async def __call__(self, method: str, *arguments: Any, **more: Any) -> Any:
        answer = await asyncio.to_thread(getattr(self._client, f"face_{method}"), *arguments, **more)
        assert answer["httpcode"] == 200
        return answer


@asynccontextmanager
async def former(host: str = "recognition.image.myqcloud.com", keys: Credentials = KEYS) -> AsyncIterator[Former]:
    before = dict(vars(OLD.conf.Conf))
    async with sandbox(fetcher=Pictures()) as port:
        try:
            yield Former(port, host, keys)
        finally:
            for name in ("_Conf__SERVICE_ADDR", "_Conf__HEADER_HOST"):
                setattr(OLD.conf.Conf, name, before[name])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("ann", "ann~", "bob"):
        (tmp_path / f"{name} 照片.png").write_bytes(photo(name))
    return tmp_path


# The package opens files and leaves them to the collector.
leaves_files_open = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@leaves_files_open
@pytest.mark.parametrize("host", ["recognition.image.myqcloud.com", "service.image.myqcloud.com"])
async def test_identify_and_compare_by_file_buffer_and_address(host: str, files: Path) -> None:
    def ways(name: str) -> list[Any]:
        return [OLD.CIFile(files / f"{name} 照片.png"), OLD.CIBuffer(photo(name)), OLD.CIUrl(f"{HERE}/{name}")]

    async with former(host) as ask:
        for name, picture in (("ann", ways("ann")[0]), ("bob", ways("bob")[1]), ("cid", ways("cid")[2])):
            created = await ask("newperson", name, ["staff", "night"], picture, f"Name of {name}", f"tag of {name}")
            assert (created["code"], created["message"]) == (0, "OK")
            assert (created["data"]["suc_group"], created["data"]["group_ids"]) == (2, ["staff", "night"])
        for picture in ways("ann~"):
            found = await ask("identify", "staff", picture)
            first, *others = found["data"]["candidates"]
            assert (found["code"], first["person_id"], first["tag"], len(others)) == (0, "ann", "tag of ann", 2)
            assert first["confidence"] > 90
            assert 60 > others[0]["confidence"] >= others[1]["confidence"]
        for one in ways("ann"):
            for other, alike in [(way, True) for way in ways("ann~")] + [(way, False) for way in ways("bob")]:
                compared = await ask("compare", one, other)
                assert (compared["code"], compared["data"]["similarity"] > 75) == (0, alike)


@leaves_files_open
async def test_the_person_library_of_the_older_host(files: Path) -> None:
    async with former() as ask:
        first = (await ask("newperson", "ann", ["staff"], OLD.CIBuffer(photo("ann"))))["data"]["face_id"]
        by_buffers = OLD.CIBuffers([photo("ann~"), photo("ann"), photo()])
        added = (await ask("addface", "ann", by_buffers, "new"))["data"]
        assert (added["added"], added["ret_codes"]) == (1, [0, -1312, -1101])
        assert (await ask("addface", "ann", OLD.CIFiles([f"{files}/bob 照片.png"])))["data"]["added"] == 1
        assert (await ask("addface", "ann", OLD.CIUrls([f"{HERE}/cid", "http://elsewhere/x"])))["data"]["ret_codes"] == [0, -1308]
        faces = (await ask("getfaceids", "ann"))["data"]["face_ids"]
        assert (len(faces), faces[0], faces[1]) == (4, first, added["face_ids"][0])
        assert (await ask("getfaceinfo", faces[1]))["data"]["face_info"]["tag"] == "new"
        assert (await ask("delface", "ann", faces[1:]))["data"]["deleted"] == 3
        assert (await ask("setinfo", "ann", "Ann 安", "vip"))["code"] == 0
        info = (await ask("getinfo", "ann"))["data"]
        assert (info["person_name"], info["tag"], info["group_ids"]) == ("Ann 安", "vip", ["staff"])
        assert (await ask("getgroupids"))["data"]["group_ids"] == ["staff"]
        assert (await ask("getpersonids", "staff"))["data"]["person_ids"] == ["ann"]
        assert (await ask("delperson", "ann"))["data"]["deleted"] == 1
        for method, arguments, code in (
            ("getinfo", ["ann"], -1303),
            ("getpersonids", ["nowhere"], -1306),
            ("getfaceinfo", ["1"], -1305),
            ("identify", ["nowhere", OLD.CIBuffer(photo("ann"))], -1306),
            ("compare", [OLD.CIBuffer(photo("ann")), OLD.CIUrl("http://elsewhere/x")], -1308),
            ("newperson", ["a/b", ["staff"], OLD.CIBuffer(photo("ann"))], -1313),
            ("identify", ["staff", OLD.CIBuffer(bytes(1_500_000))], 23),
        ):
            answer = await ask(method, *arguments)
            assert answer["code"] == code, method
            if method == "compare":
                assert answer["data"]["fail_flag"] == 2


async def test_accounts_of_the_older_host_that_are_none() -> None:
    for keys, code in (
        (Credentials("AKIDOTHER", KEYS.secret_key), 11),
        (Credentials(KEYS.secret_id, "wrong"), 14),
    ):
        async with former(keys=keys) as ask:
            answer = await ask("getgroupids")
            assert (answer["code"], json.dumps(answer["data"])) == (code, "{}")
