"""The current interfaces: requests as the captures have them, answers judged by their JSON alone."""

from __future__ import annotations

import base64
import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.errors import ContractViolation, ProbeRejected, RecogniserError, Throttled, Transient, Unauthorised
from kiosk.recognition.tencent.calls import Attempt, Caller, Group, Outgoing, Request
from kiosk.recognition.tencent.events import CallEvent, Retiring, Watch, unwatched
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.comparing import CompareFace, CompareMaskFace, Scored, VerifyFace
from kiosk.recognition.tencent.iai.detecting import Analysed, AnalyzeFace, Detected, FaceShape
from kiosk.recognition.tencent.iai.groups import CreateGroup, DeleteGroup
from kiosk.recognition.tencent.iai.interfaces import INTERFACES
from kiosk.recognition.tencent.iai.persons import (
    CopyPerson,
    CreateFace,
    CreatePerson,
    DeleteFace,
    DeletePerson,
    DeletePersonFromGroup,
    ModifyPersonBaseInfo,
)
from kiosk.recognition.tencent.iai.searching import PersonsFound
from kiosk.recognition.tencent.iai.wire import Interface, body_of, read
from kiosk.recognition.tencent.interface import answer_type
from kiosk.recognition.tencent.signing import Credentials

DATA = Path(__file__).parent / "data" / "tencent"
KEYS = Credentials("AKIDEXAMPLE00000000000000000000000000", "EXAMPLEKEY000000000000000000000000")
FROZEN = 1_700_000_000
REQUEST = "bcde47b5-e6d8-446e-a538-bcecffbe306a"

THE_ISSUES = [
    *("CompareMaskFace", "AnalyzeFace", "CompareFace", "DetectFace", "DetectFaceAttributes", "SearchPersons"),
    *("SearchFaces", "SearchPersonsReturnsByGroup", "SearchFacesReturnsByGroup", "VerifyFace", "VerifyPerson"),
    *("DetectLiveFaceAccurate", "DetectFaceSimilarity", "CreateGroup", "DeleteGroup", "GetGroupList", "GetGroupInfo"),
    *("CreatePerson", "DeletePerson", "DeletePersonFromGroup", "CreateFace", "DeleteFace", "CopyPerson"),
    *("GetPersonList", "GetPersonListNum", "GetPersonBaseInfo", "GetPersonGroupInfo", "ModifyPersonBaseInfo"),
    "ModifyPersonGroupInfo",
]

RECT = {"X": -12, "Y": 42, "Width": 98, "Height": 136}
PERSON = {"PersonId": "ann", "FaceId": "", "Score": 91.5, "PersonName": None, "Gender": None, "PersonGroupInfos": None}
FOUND = {"Candidates": [PERSON], "FaceRect": RECT, "RetCode": 0}
FOUND_BY_GROUP = {"GroupCandidates": [{"GroupId": "staff", "Candidates": [PERSON]}], "FaceRect": RECT, "RetCode": 0}
SCORED = {"Score": 66.25, "FaceModelVersion": "3.0"}
VERIFIED = {**SCORED, "IsMatch": True}
COUNTS = {"FaceProfile": 21, "LeftEye": 8, "RightEye": 8, "LeftEyeBrow": 8, "RightEyeBrow": 8, "Mouth": 22, "Nose": 13}
PICTURE = {"ImageWidth": 640, "ImageHeight": 440, "FaceModelVersion": "3.0"}
SHAPE = {part: [{"X": x, "Y": 7} for x in range(many)] for part, many in {**COUNTS, "LeftPupil": 1, "RightPupil": 1}.items()}
QUALITY = {"Score": 63, "Sharpness": 73, "Brightness": 47, "Completeness": {"Eyebrow": 99, "Cheek": 52, "Chin": None}}
TRAITS = {"Gender": 99, "Age": 51, "Glass": False, "Mask": True, "Pitch": 17, "Roll": -2, "Hair": {"Length": 1}, "EyeOpen": True}
DETAIL = {"Age": 0, "Emotion": {"Type": 0, "Probability": 0}, "Eye": {"EyeOpen": {"Type": 0, "Probability": 0.9994}}}

ANSWERS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("CompareFace", "CompareMaskFace", "DetectLiveFaceAccurate"), SCORED),
    **dict.fromkeys(("VerifyFace", "VerifyPerson"), VERIFIED),
    "DetectFaceSimilarity": {"Score": 70},
    "AnalyzeFace": {**PICTURE, "FaceShapeSet": [SHAPE]},
    "DetectFace": {**PICTURE, "FaceInfos": [{**RECT, "FaceAttributesInfo": TRAITS, "FaceQualityInfo": QUALITY}]},
    "DetectFaceAttributes": {**PICTURE, "FaceDetailInfos": [{"FaceRect": RECT, "FaceDetailAttributesInfo": DETAIL}]},
    "SearchFaces": {"Results": [FOUND], "FaceNum": 1, "FaceModelVersion": "3.0"},
    "SearchPersons": {"Results": [FOUND], "PersonNum": 1, "FaceModelVersion": "3.0"},
    "SearchFacesReturnsByGroup": {"ResultsReturnsByGroup": [FOUND_BY_GROUP], "FaceNum": 1, "FaceModelVersion": "3.0"},
    "SearchPersonsReturnsByGroup": {"ResultsReturnsByGroup": [FOUND_BY_GROUP], "PersonNum": 1, "FaceModelVersion": "3.0"},
    "CreateGroup": {"FaceModelVersion": "3.0"},
    "GetGroupList": {"GroupInfos": [{"GroupId": "g", "GroupName": "员工", "CreationTimestamp": 1592210245686}], "GroupNum": 1},
    "GetGroupInfo": {"GroupId": "g", "GroupName": "员工", "GroupExDescriptions": ["年龄"], "Tag": None},
    "CreatePerson": {"FaceId": "3454", "FaceRect": RECT, "SimilarPersonId": "", "FaceModelVersion": "3.0"},
    "CreateFace": {"SucFaceNum": 1, "SucFaceIds": ["1"], "RetCode": [0, -1101], "SucIndexes": [0], "SucFaceRects": [RECT]},
    "DeleteFace": {"SucDeletedNum": 1, "SucFaceIds": ["1"]},
    "CopyPerson": {"SucGroupNum": 1, "SucGroupIds": ["g"]},
    "GetPersonList": {"PersonInfos": [{"PersonId": "ann", "FaceIds": ["1"]}], "PersonNum": 1, "FaceNum": 1},
    "GetPersonListNum": {"PersonNum": 2, "FaceNum": 2},
    "GetPersonBaseInfo": {"PersonName": "Ann", "Gender": 1, "FaceIds": ["1"]},
    "GetPersonGroupInfo": {"PersonGroupInfos": [{"GroupId": "g", "PersonExDescriptions": ["a"]}], "GroupNum": 1},
    **{name: {} for name in ("DeleteGroup", "DeletePerson", "DeletePersonFromGroup")},
    **{name: {} for name in THE_ISSUES if name.startswith("Modify")},
}


def enveloped(answer: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"Response": {**answer, "RequestId": REQUEST, **more}}, ensure_ascii=False).encode()


def failed(code: Any, message: Any = "no") -> bytes:
    return enveloped({"Error": {"Code": code, "Message": message}})


def understood(action: str, body: bytes) -> Any:
    return read(body, answer_type(INTERFACES[action]), lambda notice: None)


class Script(Caller):
    """A caller without a network: answers what it was told to, and keeps what was to be sent."""

    def __init__(self, *answers: bytes, host: str = "127.0.0.1:18080", watch: Watch = unwatched) -> None:
        super().__init__([], watch=watch)
        self._answers = list(answers)
        self._host = host
        self.requests: list[Request[Any]] = []
        self.sent: list[Outgoing] = []

    async def call(self, request: Request[Any], deadline: float) -> Any:
        self.requests.append(request)
        self.sent.append(request.build(Attempt(self._host, FROZEN)))
        return request.read(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])


def captured(name: str) -> tuple[dict[str, str], bytes]:
    head, _, body = (DATA / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines), body


def picture(body: bytes, field: str) -> bytes:
    return base64.b64decode(json.loads(body)[field])


# --- requests -----------------------------------------------------------------------------------------------------------


def test_every_interface_of_the_issue_is_there() -> None:
    assert set(INTERFACES) == set(THE_ISSUES) == set(ANSWERS)
    for name, kind in INTERFACES.items():
        assert kind.GROUP in get_args(Group), name


def test_model_3_is_sent_by_every_interface_that_has_the_field() -> None:
    having = {
        name: item.default
        for name, kind in INTERFACES.items()
        for item in msgspec.structs.fields(kind)
        if item.encode_name == "FaceModelVersion"
    }
    assert set(having.values()) == {"3.0"}
    assert len(having) == 7


def urls(body: bytes) -> CompareMaskFace:
    return CompareMaskFace(
        url_a="http://test.image.myqcloud.com/testA.jpg", url_b="http://test.image.myqcloud.com/testB.jpg", quality_control=2
    )


CAPTURES: dict[str, Callable[[bytes], Interface[Any]]] = {
    "official_CompareMaskFace_urls": urls,
    "official_CompareMaskFace_images": lambda body: CompareMaskFace(
        picture(body, "ImageA"), picture(body, "ImageB"), quality_control=json.loads(body).get("QualityControl")
    ),
    "official_AnalyzeFace": lambda body: AnalyzeFace(1, picture(body, "Image"), need_rotate_detection=False),
}


@pytest.mark.parametrize("name", CAPTURES)
async def test_requests_equal_the_captures_to_the_last_byte_and_signature(name: str) -> None:
    headers, body = captured(name)
    request = CAPTURES[name](body)
    caller = Script(enveloped(ANSWERS[request.action()]))
    await IaiClient(caller, Account(KEYS)).call(request, time.monotonic() + 1)
    (sent,) = caller.sent
    assert sent.body == body
    assert (sent.method, sent.path) == ("POST", "/")
    own = dict(sent.headers)
    for header in ("User-Agent", "Accept-Encoding", "Accept", "Connection", "X-TC-TraceId", "X-TC-RequestClient"):
        del headers[header]
    assert own | {"Host": "127.0.0.1:18080", "Content-Length": str(len(body))} == headers
    order = [header for header in headers if header in own]
    assert list(own) == order


def test_the_vectors_body() -> None:
    assert body_of(AnalyzeFace(1, base64.b64decode("/9j/4AAQ"))) == b'{"Mode": 1, "Image": "/9j/4AAQ", "FaceModelVersion": "3.0"}'
    assert body_of(INTERFACES["GetGroupList"]()) == b"{}"


@given(st.text().filter(lambda text: text.isprintable()), st.floats(0, 100), st.integers(0, 4), st.booleans())
def test_bodies_are_what_json_dumps_makes(text: str, threshold: float, quality: int, flag: bool) -> None:
    parameters = {
        "PersonId": text,
        "Images": ["aGVsbG8=", "d29ybGQ="],
        "FaceMatchThreshold": threshold,
        "QualityControl": quality,
        "NeedRotateDetection": int(flag),
    }
    assert body_of(CreateFace(text, (b"hello", b"world"), None, threshold, quality, flag)) == json.dumps(parameters).encode()


async def test_temporary_keys_region_and_language_travel_unsigned() -> None:
    caller = Script(enveloped(SCORED), host="iai.tencentcloudapi.com")
    request = CompareFace(url_a="http://a/1", url_b="http://a/2")
    plain, full = Account(KEYS, region=""), Account(replace(KEYS, token="sts-token"), "ap-shanghai", "en-US")
    for account in (plain, full):
        await IaiClient(caller, account).call(request, 0)
    first, second = (dict(sent.headers) for sent in caller.sent)
    assert first["Authorization"] == second["Authorization"]
    assert (second["X-TC-Region"], second["X-TC-Language"], second["X-TC-Token"]) == ("ap-shanghai", "en-US", "sts-token")
    assert not {"X-TC-Region", "X-TC-Token"} & set(first)
    assert "sts-token" not in repr(full)
    assert KEYS.secret_key not in repr(full)


async def test_what_is_out_of_bounds_never_reaches_the_caller() -> None:
    caller = Script(b"")
    with pytest.raises(ProbeRejected, match="request_out_of_bounds"):
        await IaiClient(caller, Account(KEYS)).call(DeletePerson("a b"), 0)
    assert caller.requests == []


def test_a_request_shows_neither_face_nor_name() -> None:
    request = CreatePerson("staff", "Ann Example", "ann", image=b"\xff\xd8 face")
    for shown in (repr(request), str(request), str(request.__rich_repr__())):
        assert "Ann" not in shown
        assert "face" not in shown
    assert repr(request) == "CreatePerson(group_id=<str>, person_name=<str>, person_id=<str>, image=<bytes>)"


# --- writes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "codes"),
    [
        (CreateGroup("n", "g"), {"InvalidParameterValue.GroupIdAlreadyExist"}),
        (CreatePerson("g", "n", "p"), {"InvalidParameterValue.PersonIdAlreadyExist"}),
        (DeleteGroup("g"), {"InvalidParameterValue.GroupIdNotExist", "InvalidParameterValue.GroupIdNotExists"}),
        (DeletePerson("p"), {"InvalidParameterValue.PersonIdNotExist", "ResourceNotFound.ErrorPersonNotExisted"}),
        (DeletePersonFromGroup("p", "g"), {"FailedOperation.GroupPersonMapNotExist"}),
        (CopyPerson("p", ("g",)), {"FailedOperation.GroupPersonMapExist", "InvalidParameterValue.PersonExistInGroup"}),
        (CopyPerson("p", ("g", "h")), set()),
        (CreateFace("p"), set()),
        (DeleteFace("p", ("1",)), set()),
    ],
)
def test_a_repeated_write_is_settled_by_the_refusal_that_proves_it(request_: Interface[Any], codes: set[str]) -> None:
    assert request_.WRITE
    settled = request_.settled()
    assert set(settled) == codes
    assert all(isinstance(answer, answer_type(type(request_))) for answer in settled.values())


def test_only_these_write() -> None:
    assert {name for name, kind in INTERFACES.items() if kind.WRITE} == {
        "CreateGroup", "DeleteGroup", "CreatePerson", "DeletePerson", "DeletePersonFromGroup", "CreateFace", "DeleteFace",
        "CopyPerson",
    }  # fmt: skip
    assert not ModifyPersonBaseInfo.WRITE, "saying it twice changes nothing more"


# --- answers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", THE_ISSUES)
async def test_every_answer_is_typed_and_fields_unheard_of_are_ignored(action: str) -> None:
    answer = understood(action, enveloped(ANSWERS[action], SomethingNew={"a": [1]}))
    assert type(answer) is answer_type(INTERFACES[action])
    assert answer.request_id == REQUEST


def test_scores_boxes_and_points() -> None:
    scored: Scored = understood("CompareFace", enveloped(SCORED))
    assert (scored.score, scored.face_model_version) == (66.25, "3.0")
    found: PersonsFound = understood("SearchPersons", enveloped(ANSWERS["SearchPersons"]))
    assert (found.results[0].candidates[0].person_id, found.results[0].candidates[0].score) == ("ann", 91.5)
    assert found.results[0].face_rect.x == -12, "a box may begin outside the picture"
    detected: Detected = understood("DetectFace", enveloped(ANSWERS["DetectFace"]))
    (face,) = detected.face_infos
    assert face.face_quality_info is not None
    assert face.face_quality_info.completeness is not None
    assert (face.face_quality_info.sharpness, face.face_quality_info.completeness.chin) == (73, None)
    analysed: Analysed = understood("AnalyzeFace", enveloped(ANSWERS["AnalyzeFace"]))
    shape: FaceShape = analysed.face_shape_set[0]
    assert sum(len(points) for points in shape.parts().values()) == 90
    assert (shape.mouth[21].x, shape.left_pupil[0].y) == (21, 7)


def test_a_face_that_failed_quality_has_no_candidates() -> None:
    failing = {**ANSWERS["SearchPersons"], "Results": [{"Candidates": [], "FaceRect": RECT, "RetCode": -1601}], "PersonNum": 0}
    found: PersonsFound = understood("SearchPersons", enveloped(failing))
    assert (found.results[0].ret_code, found.results[0].candidates) == (-1601, [])


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("FailedOperation.FaceQualityNotQualified", ProbeRejected),
        ("RequestLimitExceeded", Throttled),
        ("InternalError", Transient),
        ("AuthFailure.SignatureFailure", Unauthorised),
        ("ResourceNotFound.SomethingNew", ContractViolation),
    ],
)
@pytest.mark.parametrize("action", ["CompareFace", "DeletePerson"])
def test_an_error_is_the_tables(action: str, code: str, kind: type[RecogniserError]) -> None:
    with pytest.raises(kind) as caught:
        understood(action, failed(code))
    assert caught.value.code == code
    assert REQUEST in caught.value.detail


def test_an_error_beside_a_score_is_an_error() -> None:
    both = enveloped(SCORED, Error={"Code": "InternalError", "Message": ""})
    with pytest.raises(Transient):
        understood("CompareFace", both)


def changed(action: str, path: tuple[str | int, ...], value: Any) -> bytes:
    """An answer with one value replaced, or taken away where `value` is `...`."""
    answer = copy.deepcopy({"Response": {**ANSWERS[action], "RequestId": REQUEST}})
    place: Any = answer
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(answer).encode()


CANDIDATE = ("Response", "Results", 0, "Candidates", 0)
SENSELESS: dict[str, tuple[str, bytes]] = {
    **{
        f"score {value!r}": ("CompareFace", changed("CompareFace", ("Response", "Score"), value))
        for value in (..., None, "66", True, [66], float("nan"), float("inf"), -0.01, 100.01)
    },
    **{
        f"candidate's score {value!r}": ("SearchPersons", changed("SearchPersons", (*CANDIDATE, "Score"), value))
        for value in (..., None, float("nan"), 101)
    },
    "score of 1e999": ("CompareFace", enveloped(SCORED).replace(b"66.25", b"1e999")),
    "nobody": ("SearchPersons", changed("SearchPersons", (*CANDIDATE, "PersonId"), "")),
    "no person": ("SearchPersons", changed("SearchPersons", (*CANDIDATE, "PersonId"), ...)),
    "no results": ("SearchPersons", changed("SearchPersons", ("Response", "Results"), ...)),
    "no return code": ("SearchPersons", changed("SearchPersons", ("Response", "Results", 0, "RetCode"), ...)),
    "another model": ("CompareMaskFace", changed("CompareMaskFace", ("Response", "FaceModelVersion"), "2.0")),
    "no model": ("SearchPersons", changed("SearchPersons", ("Response", "FaceModelVersion"), ...)),
    "no match said": ("VerifyFace", changed("VerifyFace", ("Response", "IsMatch"), ...)),
    "no request id": ("CompareFace", changed("CompareFace", ("Response", "RequestId"), ...)),
    "empty request id": ("DeletePerson", changed("DeletePerson", ("Response", "RequestId"), "")),
    "error without request id": ("CompareFace", b'{"Response":{"Error":{"Code":"InternalError"}}}'),
    "error without code": ("CompareFace", enveloped({"Error": {"Message": "x"}})),
    "error with a sentence for a code": ("CompareFace", enveloped({"Error": {"Code": "no such thing"}})),
    "error as text": ("CompareFace", enveloped({"Error": "InternalError"})),
    "no envelope": ("CompareFace", json.dumps({**SCORED, "RequestId": REQUEST}).encode()),
    "response null": ("DeletePerson", b'{"Response":null}'),
    "89 points": ("AnalyzeFace", changed("AnalyzeFace", ("Response", "FaceShapeSet", 0, "Nose", 0), ...)),
    "half a pixel": ("AnalyzeFace", changed("AnalyzeFace", ("Response", "FaceShapeSet", 0, "Nose", 0, "X"), 0.5)),
    "captive portal": ("CompareFace", b"<html>Log in to HotelWiFi</html>"),
    "empty": ("CompareFace", b""),
    "truncated": ("CompareFace", enveloped(SCORED)[:-3]),
    "not UTF-8": ("CompareFace", enveloped(SCORED, New="x").replace(b'"x"', b'"\xff"')),
    "nested deeply": ("CompareFace", b'{"Response":' + b"[" * 200_000),
    "a number": ("CompareFace", b"0"),
}


@pytest.mark.parametrize("name", SENSELESS)
def test_what_makes_no_sense_is_a_breach_of_contract(name: str) -> None:
    action, body = SENSELESS[name]
    with pytest.raises(ContractViolation) as caught:
        understood(action, body)
    assert (caught.value.slug, caught.value.code) == ("answer_makes_no_sense", "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any) -> list[tuple[str | int, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(step, *rest) for step, inner in steps for rest in ((), *paths(inner))]


almost = st.sampled_from([(a, ("Response", *path)) for a, answer in ANSWERS.items() for path in paths(answer)]).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), json_values.map(lambda value: changed(pair[0], pair[1], value)))
)
anything = st.tuples(
    st.sampled_from(THE_ISSUES),
    st.binary()
    | json_values.map(lambda value: json.dumps({"Response": value}).encode())
    | st.tuples(json_values, json_values).map(lambda pair: failed(pair[0], pair[1]))
    | json_values.map(lambda value: enveloped({}, DeprecatedWarning=value)),
)


@settings(max_examples=400)
@given(almost | anything)
def test_any_body_yields_a_typed_answer_or_an_error_of_the_tree(case: tuple[str, bytes]) -> None:
    action, body = case
    try:
        answer = understood(action, body)
    except RecogniserError:
        return
    assert type(answer) is answer_type(INTERFACES[action])
    if isinstance(answer, Scored):
        assert 0 <= answer.score <= 100
    if isinstance(answer, PersonsFound):
        assert all(0 <= c.score <= 100 and c.person_id for result in answer.results for c in result.candidates)


# --- retirement ---------------------------------------------------------------------------------------------------------


async def test_a_notice_of_retirement_is_told_once_for_each_interface() -> None:
    told: list[CallEvent] = []
    caller = Script(enveloped(VERIFIED, DeprecatedWarning="This action is offline soon"), watch=told.append)
    client = IaiClient(caller, Account(KEYS))
    for _ in range(2):
        await client.call(VerifyFace("ann", url="http://a/1"), 0)
    caller = Script(enveloped({"Error": {"Code": "InternalError", "Message": ""}}, DeprecatedWarning={"a": 1}), watch=told.append)
    client = IaiClient(caller, Account(KEYS))
    with pytest.raises(Transient):
        await client.call(DeletePerson("ann"), 0)
    assert told == [Retiring("VerifyFace", "This action is offline soon"), Retiring("DeletePerson", "{'a': 1}")]
