"""The vendor's own SDK and our client make the same calls to one server, and it cannot tell them apart where it matters.

The signatures differ by the second they were made in, unless ours is told the SDK's: so it is, and they are equal.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from kiosk.errors import ProbeRejected
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.clock import ServerClock
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.comparing import (
    CompareFace,
    CompareMaskFace,
    DetectFaceSimilarity,
    DetectLiveFaceAccurate,
    VerifyFace,
    VerifyPerson,
)
from kiosk.recognition.tencent.iai.detecting import AnalyzeFace, DetectFace, DetectFaceAttributes
from kiosk.recognition.tencent.iai.fields import Description
from kiosk.recognition.tencent.iai.groups import CreateGroup, DeleteGroup, GetGroupInfo, GetGroupList
from kiosk.recognition.tencent.iai.interfaces import INTERFACES
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
from kiosk.recognition.tencent.iai.searching import (
    SearchFaces,
    SearchFacesReturnsByGroup,
    SearchPersons,
    SearchPersonsReturnsByGroup,
)
from kiosk.recognition.tencent.iai.wire import Interface
from kiosk.recognition.tencent.interface import answer_type
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport

models: Any = importlib.import_module("tencentcloud.iai.v20200303.models")
sdk: Any = importlib.import_module("tencentcloud.iai.v20200303.iai_client")
profiles: Any = importlib.import_module("tencentcloud.common.profile.client_profile")
http_profiles: Any = importlib.import_module("tencentcloud.common.profile.http_profile")
credential: Any = importlib.import_module("tencentcloud.common.credential")

KEYS = Credentials("AKIDEXAMPLE00000000000000000000000000", "EXAMPLEKEY000000000000000000000000")
PHOTO = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40" + bytes(range(256))
OTHER = PHOTO + b"other"
A, B = (base64.b64encode(photo).decode() for photo in (PHOTO, OTHER))
URL = "http://test.image.myqcloud.com/testA.jpg?x=1&y=é".replace("é", "%C3%A9")

Parameters = dict[str, Any]
CASES: list[tuple[Interface[Any], Parameters]] = [
    (CompareFace(PHOTO, OTHER), {"ImageA": A, "ImageB": B, "FaceModelVersion": "3.0"}),
    (
        CompareFace(PHOTO, None, None, URL, "3.0", 4, need_rotate_detection=True, face_matching_strategy=1),
        {
            "FaceMatchingStrategy": 1, "NeedRotateDetection": 1, "QualityControl": 4, "FaceModelVersion": "3.0",
            "UrlB": URL, "ImageA": A,
        },
    ),
    (CompareMaskFace(url_a=URL, url_b=URL), {"UrlA": URL, "UrlB": URL, "FaceModelVersion": "3.0"}),
    (
        CompareMaskFace(PHOTO, OTHER, quality_control=0),
        {"QualityControl": 0, "ImageB": B, "ImageA": A, "FaceModelVersion": "3.0"},
    ),
    (DetectFaceSimilarity(PHOTO, OTHER, quality_control=1), {"QualityControl": 1, "ImageB": B, "ImageA": A}),
    (DetectLiveFaceAccurate(PHOTO), {"FaceModelVersion": "3.0", "Image": A}),
    (
        VerifyFace("ann", PHOTO, None, 2, need_rotate_detection=False),
        {"NeedRotateDetection": 0, "QualityControl": 2, "Image": A, "PersonId": "ann"},
    ),
    (VerifyPerson("-%@#&_", url=URL), {"Url": URL, "PersonId": "-%@#&_"}),
    (AnalyzeFace(1, PHOTO), {"FaceModelVersion": "3.0", "Image": A, "Mode": 1}),
    (AnalyzeFace(url=URL, need_rotate_detection=True), {"NeedRotateDetection": 1, "FaceModelVersion": "3.0", "Url": URL}),
    (
        DetectFace(120, 34, PHOTO, None, need_face_attributes=True, need_quality_detection=True),
        {
            "NeedQualityDetection": 1, "NeedFaceAttributes": 1, "FaceModelVersion": "3.0", "Image": A, "MinFaceSize": 34,
            "MaxFaceNum": 120,
        },
    ),
    (
        DetectFaceAttributes(5, PHOTO, None, "Age,Mask", need_rotate_detection=True),
        {"FaceModelVersion": "3.0", "NeedRotateDetection": 1, "FaceAttributesType": "Age,Mask", "Image": A, "MaxFaceNum": 5},
    ),
    (
        SearchFaces(("g1", "g2"), PHOTO, None, 10, 80, 5, need_person_info=True, quality_control=1, face_match_threshold=60.5),
        {
            "FaceMatchThreshold": 60.5, "QualityControl": 1, "NeedPersonInfo": 1, "MaxPersonNum": 5, "MinFaceSize": 80,
            "MaxFaceNum": 10, "Image": A, "GroupIds": ["g1", "g2"],
        },
    ),
    (
        SearchPersons(("g1",), PHOTO, None, 1, 34, 5, 3, 60, need_person_info=False, need_rotate_detection=True),
        {
            "NeedRotateDetection": 1, "NeedPersonInfo": 0, "FaceMatchThreshold": 60, "QualityControl": 3, "MaxPersonNum": 5,
            "MinFaceSize": 34, "MaxFaceNum": 1, "Image": A, "GroupIds": ["g1"],
        },
    ),
    (
        SearchFacesReturnsByGroup(("g",), PHOTO, None, 2, 34, 10, need_person_info=True, quality_control=1),
        {
            "QualityControl": 1, "NeedPersonInfo": 1, "MaxPersonNumPerGroup": 10, "MinFaceSize": 34, "MaxFaceNum": 2, "Image": A,
            "GroupIds": ["g"],
        },
    ),
    (
        SearchPersonsReturnsByGroup(("g",), None, URL, None, None, 3, 0, 0.0, need_person_info=True),
        {
            "NeedPersonInfo": 1, "FaceMatchThreshold": 0.0, "QualityControl": 0, "MaxPersonNumPerGroup": 3, "Url": URL,
            "GroupIds": ["g"],
        },
    ),
    (
        CreateGroup('员工 "é" 😀', "staff", ("部门", "组名"), ""),
        {
            "Tag": "", "FaceModelVersion": "3.0", "GroupExDescriptions": ["部门", "组名"], "GroupId": "staff",
            "GroupName": '员工 "é" 😀',
        },
    ),
    (DeleteGroup("staff"), {"GroupId": "staff"}),
    (GetGroupInfo("staff"), {"GroupId": "staff"}),
    (GetGroupList(), {}),
    (GetGroupList(0, 1000), {"Limit": 1000, "Offset": 0}),
    (CopyPerson("ann", ("g1", "g2")), {"GroupIds": ["g1", "g2"], "PersonId": "ann"}),
    (
        CreateFace("ann", (PHOTO, OTHER), None, 60, 2, need_rotate_detection=True),
        {"NeedRotateDetection": 1, "QualityControl": 2, "FaceMatchThreshold": 60, "Images": [A, B], "PersonId": "ann"},
    ),
    (CreateFace("ann", urls=(URL,)), {"Urls": [URL], "PersonId": "ann"}),
    (
        CreatePerson("g", "安", "ann", 2, (Description(0, "a"), Description(1, "")), PHOTO, None, 3, 2),
        {
            "QualityControl": 2, "UniquePersonControl": 3, "Image": A, "Gender": 2, "PersonId": "ann", "PersonName": "安",
            "PersonExDescriptionInfos": [
                {"PersonExDescription": "a", "PersonExDescriptionIndex": 0},
                {"PersonExDescription": "", "PersonExDescriptionIndex": 1},
            ],
            "GroupId": "g",
        },
    ),
    (DeleteFace("ann", ("1", "2")), {"FaceIds": ["1", "2"], "PersonId": "ann"}),
    (DeletePerson("ann"), {"PersonId": "ann"}),
    (DeletePersonFromGroup("ann", "g"), {"GroupId": "g", "PersonId": "ann"}),
    (GetPersonBaseInfo("ann"), {"PersonId": "ann"}),
    (GetPersonGroupInfo("ann", 0, 100), {"Limit": 100, "Offset": 0, "PersonId": "ann"}),
    (GetPersonList("g", 10), {"Offset": 10, "GroupId": "g"}),
    (GetPersonListNum("g"), {"GroupId": "g"}),
    (ModifyPersonBaseInfo("ann", "Ann", 1), {"Gender": 1, "PersonName": "Ann", "PersonId": "ann"}),
    (
        ModifyPersonGroupInfo("g", "ann", (Description(4, "x"),)),
        {
            "PersonExDescriptionInfos": [{"PersonExDescriptionIndex": 4, "PersonExDescription": "x"}],
            "PersonId": "ann", "GroupId": "g",
        },
    ),
]  # fmt: skip

COUNTED = {
    "Score": 61.5, "IsMatch": True, "FaceModelVersion": "3.0", "RequestId": "a574102d-1b86-48a7-a08b-6a741a8fedb6",
    "ImageWidth": 64, "ImageHeight": 64, "FaceShapeSet": [], "FaceInfos": [], "FaceDetailInfos": [], "Results": [],
    "ResultsReturnsByGroup": [], "GroupInfos": [], "GroupNum": 0, "GroupId": "g", "GroupName": "n", "SucFaceNum": 0,
    "SucFaceIds": [], "RetCode": [], "SucIndexes": [], "SucDeletedNum": 0, "SucGroupNum": 0, "SucGroupIds": [],
    "PersonInfos": [], "PersonNum": 0, "FaceNum": 0, "PersonName": "n", "Gender": 1, "FaceIds": [], "PersonGroupInfos": [],
}  # fmt: skip
"""An answer to whatever is asked."""

OWN_BUSINESS = {"user-agent", "accept", "accept-encoding", "connection", "x-tc-traceid", "x-tc-requestclient"}
"""Headers in which clients may differ."""


class Seen(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Stub(ThreadingHTTPServer):
    """Answers everything alike, and remembers what was asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(self.command, self.path, headers, body))
        answer = json.dumps({"Response": COUNTED}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 – the library's name
        pass


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with Stub() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def official(address: str, *, token: str | None = None, region: str = "ap-guangzhou", language: str = "zh-CN") -> Any:
    plain = http_profiles.HttpProfile(protocol="http", endpoint=address)
    profile = profiles.ClientProfile(httpProfile=plain, language=language)
    return sdk.IaiClient(credential.Credential(KEYS.secret_id, KEYS.secret_key, token), region, profile)


def ask_official(client: Any, action: str, parameters: Parameters) -> Any:
    """The model puts the parameters in the vendor's order, whatever order they come in."""
    request = getattr(models, f"{action}Request")()
    request.from_json_string(json.dumps(parameters))
    return getattr(client, action)(request)


async def ask_ours(address: str, request: Interface[Any], now: int, account: Account) -> Any:
    caller = Caller([Transport(f"http://{address}")], server_clock=ServerClock(wall=lambda: float(now)))
    try:
        return await IaiClient(caller, account).call(request, time.monotonic() + 30)
    finally:
        await caller.close()


def comparable(seen: Seen) -> tuple[str, str, dict[str, str], bytes]:
    return seen.method, seen.path, {k: v for k, v in seen.headers.items() if k not in OWN_BUSINESS}, seen.body


def test_every_interface_is_asked() -> None:
    assert {request.action() for request, _ in CASES} == set(INTERFACES)


@pytest.mark.parametrize("name", sorted(INTERFACES))
def test_fields_are_the_sdks_in_the_sdks_order(name: str) -> None:
    vendors = [attribute[1:] for attribute in vars(getattr(models, f"{name}Request")()) if attribute != "_headers"]
    assert [item.encode_name for item in msgspec.structs.fields(INTERFACES[name])] == vendors


@pytest.mark.parametrize("name", sorted(INTERFACES))
def test_answers_hold_fields_of_the_sdks_only(name: str) -> None:
    vendors = {attribute[1:] for attribute in vars(getattr(models, f"{name}Response")())}
    own = {item.encode_name for item in msgspec.structs.fields(answer_type(INTERFACES[name]))}
    assert own == vendors


@pytest.mark.parametrize(("request_", "parameters"), CASES, ids=lambda v: v.action() if isinstance(v, Interface) else "")
async def test_both_clients_send_the_same(stub: Stub, request_: Interface[Any], parameters: Parameters) -> None:
    answer = await asyncio.to_thread(ask_official, official(stub.address), request_.action(), parameters)
    now = int(stub.seen[0].headers["x-tc-timestamp"])
    ours = await ask_ours(stub.address, request_, now, Account(KEYS))
    theirs, own = map(comparable, stub.seen)
    assert own == theirs
    assert ours.request_id == answer.RequestId


async def test_both_clients_send_temporary_keys_and_language_alike(stub: Stub) -> None:
    client = official(stub.address, token="sts-token", region="ap-shanghai", language="en-US")
    await asyncio.to_thread(ask_official, client, "DeletePerson", {"PersonId": "ann"})
    now = int(stub.seen[0].headers["x-tc-timestamp"])
    await ask_ours(stub.address, DeletePerson("ann"), now, Account(replace(KEYS, token="sts-token"), "ap-shanghai", "en-US"))
    theirs, own = map(comparable, stub.seen)
    assert own == theirs
    assert own[2]["x-tc-token"] == "sts-token"


async def test_what_we_refuse_the_sdk_would_send(stub: Stub) -> None:
    """The bounds are ours: the SDK leaves them to the server."""
    await asyncio.to_thread(ask_official, official(stub.address), "DeletePerson", {"PersonId": "a b"})
    with pytest.raises(ProbeRejected):
        await ask_ours(stub.address, DeletePerson("a b"), 1_700_000_000, Account(KEYS))
    assert len(stub.seen) == 1
