"""The older host's other interfaces: requests with the fields the vendor's packages send, answers judged by their JSON alone."""

from __future__ import annotations

import asyncio
import base64
import copy
import email
import email.policy
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import ContractViolation, ProbeRejected, RecogniserError, Transient, Unauthorised
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.interface import answer_type
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_faces import Compare, Comparison, Identification, Identify, Identities, MultIdentify
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
    PersonAdded,
    SetInfo,
)
from kiosk.recognition.tencent.legacy_wire import MAX_BODY, LegacyInterface, Upload, payload_of, read
from kiosk.recognition.tencent.signing import Credentials, LegacySignature
from kiosk.recognition.tencent.transport import Transport

DATA = Path(__file__).parent / "data" / "tencent"
KEYS = Credentials("AKIDEXAMPLE00000000000000000000000000", "EXAMPLEKEY000000000000000000000000")
TARGET = (("appid", "10000001"), ("bucket", "tencentyun"))
PHOTO = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40" + bytes(range(256))
OTHER = b"BM" + bytes(12) + b"\x28\0\0\0\x40\0\0\0\x40\0\0\0other\r\n--"
PHOTO_64, OTHER_64 = (base64.b64encode(photo).decode() for photo in (PHOTO, OTHER))
URL = "http://test-123456.image.myqcloud.com/test.jpg"

Parts = list[tuple[str, str | bytes]]
CASES: list[tuple[LegacyInterface[Any], str, Parts, dict[str, Any]]] = [
    (
        Identify("staff", image=PHOTO),
        "identify",
        [("group_id", "staff"), ("image", PHOTO)],
        {"group_id": "staff", "image": PHOTO_64},
    ),
    (
        MultIdentify("staff", image=PHOTO, session_id="s1"),
        "multidentify",
        [("group_id", "staff"), ("session_id", "s1"), ("image", PHOTO)],
        {"group_id": "staff", "image": PHOTO_64, "session_id": "s1"},
    ),
    (
        MultIdentify(group_ids=("a", "b"), image=PHOTO),
        "multidentify",
        [("group_ids[0]", "a"), ("group_ids[1]", "b"), ("image", PHOTO)],
        {"group_ids": ["a", "b"], "image": PHOTO_64},
    ),
    (MultIdentify(group_ids=("a",), url=URL), "multidentify", [], {"group_ids": ["a"], "url": URL}),
    (
        Compare(PHOTO, image_b=OTHER),
        "compare",
        [("imageA", PHOTO), ("imageB", OTHER)],
        {"imageA": PHOTO_64, "imageB": OTHER_64},
    ),
    (
        Compare(url_a=URL, image_b=OTHER),
        "compare",
        [("urlA", URL), ("imageB", OTHER)],
        {"urlA": URL, "imageB": OTHER_64},
    ),
    (Compare(url_a=URL, url_b=URL), "compare", [], {"urlA": URL, "urlB": URL}),
    (
        NewPerson(person_id="ann", person_name="安", tag="t", group_ids=("a", "b"), image=PHOTO),
        "newperson",
        [
            *(("person_id", "ann"), ("person_name", "安"), ("tag", "t"), ("group_ids[0]", "a"), ("group_ids[1]", "b")),
            ("image", PHOTO),
        ],
        {"person_id": "ann", "person_name": "安", "tag": "t", "group_ids": ["a", "b"], "image": PHOTO_64},
    ),
    (
        NewPerson(person_id="ann", group_ids=("a",), url=URL),
        "newperson",
        [],
        {"person_id": "ann", "group_ids": ["a"], "url": URL},
    ),
    (DelPerson("ann"), "delperson", [], {"person_id": "ann"}),
    (
        AddFace("ann", "t", (PHOTO, OTHER)),
        "addface",
        [("person_id", "ann"), ("tag", "t"), ("images[0]", PHOTO), ("images[1]", OTHER)],
        {"person_id": "ann", "tag": "t", "images": [PHOTO_64, OTHER_64]},
    ),
    (AddFace("ann", urls=(URL,)), "addface", [], {"person_id": "ann", "urls": [URL]}),
    (DelFace("ann", ("1", "2")), "delface", [], {"person_id": "ann", "face_ids": ["1", "2"]}),
    (SetInfo("ann", "Ann", "t"), "setinfo", [], {"person_id": "ann", "person_name": "Ann", "tag": "t"}),
    (GetInfo("ann"), "getinfo", [], {"person_id": "ann"}),
    (GetGroupIds(), "getgroupids", [], {}),
    (GetPersonIds("staff"), "getpersonids", [], {"group_id": "staff"}),
    (GetFaceIds("ann"), "getfaceids", [], {"person_id": "ann"}),
    (GetFaceInfo("1"), "getfaceinfo", [], {"face_id": "1"}),
]

LIKELY = {"person_id": "ann", "face_id": "1", "confidence": 54.9, "tag": ""}
ANSWERS: dict[type[LegacyInterface[Any]], dict[str, Any]] = {
    Identify: {"candidates": [LIKELY]},
    MultIdentify: {"results": [{"candidates": [LIKELY], "face_rect": {"x": -3, "y": 2, "width": 90, "height": 91}}]},
    Compare: {"similarity": 76.5},
    NewPerson: {"person_id": "ann", "face_id": "1", "suc_group": 1, "suc_face": 1},
    DelPerson: {"deleted": 1},
    AddFace: {"added": 1, "face_ids": ["1"], "ret_codes": [0]},
    DelFace: {"deleted": 2, "face_ids": ["1", "2"]},
    SetInfo: {"person_id": "ann"},
    GetInfo: {"person_id": "ann", "person_name": "安", "tag": "", "group_ids": ["a"], "face_ids": ["1"]},
    GetGroupIds: {"group_ids": ["a"]},
    GetPersonIds: {"person_ids": ["ann"]},
    GetFaceIds: {"face_ids": ["1"]},
    GetFaceInfo: {"face_info": {"face_id": "1", "x": 1, "width": 5.5}},
}


def answered(data: Any, code: int = 0, message: str = "OK") -> bytes:
    return json.dumps({"data": data, "code": code, "message": message}).encode()


def understood(kind: type[LegacyInterface[Any]], body: bytes) -> Any:
    return read(body, answer_type(kind))


def parts_of(content_type: str, body: bytes) -> Parts:
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP)
    parts: Parts = []
    for part in message.iter_parts():
        name, content = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts.append((name, content if part.get_filename() else content.decode()))
    return parts


# --- requests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("request_", "path", "parts", "fields"), CASES)
def test_fields_and_forms_are_the_vendors(
    request_: LegacyInterface[Any], path: str, parts: Parts, fields: dict[str, Any]
) -> None:
    assert request_.interface() == path
    request_.check()
    form = payload_of(request_, TARGET, "multipart")
    plain = payload_of(request_, TARGET, "json")
    assert plain.content_type == "application/json"
    assert plain.body == json.dumps(dict(TARGET) | fields).encode(), "fields in the order the vendor's packages send them"
    if parts:
        assert parts_of(form.content_type, form.body) == [*TARGET, *parts]
    else:
        assert form.body == plain.body


def captured(name: str) -> tuple[bytes, Parts, bytes]:
    """First line, parts, body."""
    head, _, body = (DATA / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return first.encode(), parts_of(headers["Content-Type"], body), body


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("legacy_py_compare_file_file", Compare(PHOTO, image_b=PHOTO)),
        ("legacy_py_identify_file", Identify("tencent", image=PHOTO)),
    ],
)
def test_forms_have_the_parts_of_the_captures(name: str, own: LegacyInterface[Any]) -> None:
    first, parts, _ = captured(name)
    payload = payload_of(own, TARGET, "multipart")
    assert [part for part, _ in parts_of(payload.content_type, payload.body)] == [part for part, _ in parts]
    assert first == f"POST /face/{own.interface()} HTTP/1.1".encode()


def test_json_equals_the_capture_to_the_last_byte() -> None:
    *_, body = captured("legacy_py_identify_url")
    assert payload_of(Identify("tencent", url=URL), TARGET, "multipart").body == body


@pytest.mark.parametrize("upload", ["multipart", "json"])
def test_a_body_at_the_limit(upload: Upload) -> None:
    def sized(length: int) -> Compare:
        return Compare(PHOTO.ljust(length, b"\0"), url_b=URL)

    frame = len(payload_of(sized(len(PHOTO)), TARGET, upload).body) - len(PHOTO if upload == "multipart" else PHOTO_64)
    room = MAX_BODY - frame
    most = room if upload == "multipart" else room // 4 * 3
    assert MAX_BODY - 4 < len(payload_of(sized(most), TARGET, upload).body) <= MAX_BODY
    with pytest.raises(ProbeRejected) as caught:
        payload_of(sized(most + 4), TARGET, upload)
    assert (caught.value.slug, caught.value.field) == ("request_out_of_bounds", "compare")
    assert f"{most + 4} of them pictures; the limit is {MAX_BODY} bytes" in caught.value.detail


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Compare(b"GIF89a" + bytes(20), url_b=URL), "imageA"),
        (Compare(PHOTO, url_b="file:///etc/passwd"), "urlB"),
        (Compare(PHOTO), "imageB/urlB"),
        (Compare(PHOTO, URL, OTHER), "imageA/urlA"),
        (MultIdentify(image=PHOTO), "group_id/group_ids"),
        (MultIdentify("a", ("b",), PHOTO), "group_id/group_ids"),
        (MultIdentify(group_ids=("a b",), image=PHOTO), "group_ids[0]"),
        (NewPerson(person_id="a/b", group_ids=("g",), image=PHOTO), "person_id"),
        (NewPerson(person_id="x" * 65, group_ids=("g",), image=PHOTO), "person_id"),
        (NewPerson(person_id="ann", group_ids=(), image=PHOTO), "group_ids"),
        (AddFace("ann", images=(PHOTO,) * 21), "images"),
        (AddFace("ann", images=(PHOTO, b"GIF89a")), "images[1]"),
        (DelFace("ann", ()), "face_ids"),
        (DelFace("ann", ("1",) * 21), "face_ids"),
        (SetInfo("ann", "\ud800"), "person_name"),
        (GetInfo("a\tb"), "person_id"),
        (GetFaceInfo(""), "face_id"),
    ],
)
def test_what_the_vendor_would_refuse_is_not_sent(request_: LegacyInterface[Any], field: str) -> None:
    with pytest.raises(ProbeRejected) as caught:
        request_.check()
    assert (caught.value.slug, caught.value.field) == ("request_out_of_bounds", field)


def test_a_request_shows_neither_face_nor_name() -> None:
    assert repr(SetInfo("ann", "Ann Example")) == "SetInfo(person_id=<str>, person_name=<str>)"
    assert "PNG" not in repr(Compare(PHOTO, image_b=PHOTO)) + repr(payload_of(Compare(PHOTO, url_b=URL), TARGET, "multipart"))


# --- writes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "codes"),
    [
        (NewPerson(person_id="ann", group_ids=("g",), url=URL), {"-1302"}),
        (DelPerson("ann"), {"-1303"}),
        (AddFace("ann", urls=(URL,)), {"-1312"}),
        (AddFace("ann", urls=(URL, URL)), set()),
        (DelFace("ann", ("1",)), {"-1305"}),
        (DelFace("ann", ("1", "2")), set()),
    ],
)
def test_a_repeated_write_is_settled_by_the_refusal_that_proves_it(request_: LegacyInterface[Any], codes: set[str]) -> None:
    assert request_.WRITE
    assert set(request_.settled()) == codes
    assert all(isinstance(answer, answer_type(type(request_))) for answer in request_.settled().values())


def test_nothing_else_writes() -> None:
    assert {kind.interface() for kind in ANSWERS if kind.WRITE} == {"newperson", "delperson", "addface", "delface"}


# --- answers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_is_typed(kind: type[LegacyInterface[Any]]) -> None:
    answer = understood(kind, answered({**ANSWERS[kind], "session_id": "s", "something_new": [1]}))
    assert type(answer) is answer_type(kind)
    assert answer.session_id == "s"


def test_scores_and_boxes() -> None:
    identities: Identities = understood(MultIdentify, answered(ANSWERS[MultIdentify]))
    assert (identities.results[0].candidates[0].confidence, identities.results[0].face_rect.x) == (54.9, -3)
    identified: Identification = understood(Identify, answered(ANSWERS[Identify]))
    assert identified.candidates[0].person_id == "ann"
    compared: Comparison = understood(Compare, answered(ANSWERS[Compare]))
    assert compared.similarity == 76.5


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"fail_flag": 1}, "imageA"),
        ({"fail_flag": 2, "session_id": "s"}, "imageB"),
        ({"fail_flag": 0}, ""),
        ({"fail_flag": 3}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_failed_comparison_says_which_picture(data: Any, field: str) -> None:
    with pytest.raises(ProbeRejected) as caught:
        understood(Compare, answered(data, -1101, "ERROR"))
    assert (caught.value.slug, caught.value.code, caught.value.field) == ("face_not_found", "-1101", field)
    assert caught.value.detail.endswith(field)


def test_code_24_is_the_retirement() -> None:
    with pytest.raises(Unauthorised, match="interface_retired"):
        understood(GetInfo, answered({}, 24))


def changed(kind: type[LegacyInterface[Any]], path: tuple[str | int, ...], value: Any) -> bytes:
    data: Any = copy.deepcopy(ANSWERS[kind])
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return answered(data)


SENSELESS: dict[str, tuple[type[LegacyInterface[Any]], bytes]] = {
    **{
        f"similarity {value!r}": (Compare, changed(Compare, ("similarity",), value))
        for value in (None, "76", True, float("nan"), float("inf"), -0.1, 100.1)
    },
    "no similarity": (Compare, answered({})),
    "no data": (Compare, b'{"code":0,"message":"OK"}'),
    "confidence": (MultIdentify, changed(MultIdentify, ("results", 0, "candidates", 0, "confidence"), 100.5)),
    "nobody": (MultIdentify, changed(MultIdentify, ("results", 0, "candidates", 0, "person_id"), "")),
    "no box": (MultIdentify, changed(MultIdentify, ("results", 0, "face_rect"), None)),
    "code as text": (Compare, b'{"code":"0","data":{"similarity":99}}'),
    "no code": (Compare, b'{"data":{"similarity":99}}'),
    "captive portal": (Compare, b"<html>"),
    "empty": (Compare, b""),
    "truncated": (Compare, answered({"similarity": 99})[:-2]),
    "not UTF-8": (Compare, b'{"code":0,"data":{"similarity":99},"message":"\xff"}'),
    "nested deeply": (Compare, b'{"code":0,"data":' + b"[" * 200_000),
    "fail_flag as text": (Compare, answered({"fail_flag": "1"}, -1101)),
}


@pytest.mark.parametrize("name", SENSELESS)
def test_what_makes_no_sense_is_a_breach_of_contract(name: str) -> None:
    kind, body = SENSELESS[name]
    with pytest.raises(ContractViolation) as caught:
        understood(kind, body)
    assert caught.value.slug == "answer_makes_no_sense"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["similarity", "results", "candidates", "face_rect", "fail_flag", "person_id"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(list(ANSWERS)),
    st.binary()
    | st.tuples(json_values, st.sampled_from([0, 0, 9, 24, -1101, 77])).map(lambda pair: answered(*pair))
    | json_values.map(lambda value: json.dumps(value).encode()),
)
def test_any_body_yields_a_typed_answer_or_an_error_of_the_tree(kind: type[LegacyInterface[Any]], body: bytes) -> None:
    try:
        answer = understood(kind, body)
    except RecogniserError:
        return
    assert type(answer) is answer_type(kind)
    if isinstance(answer, Comparison):
        assert 0 <= answer.similarity <= 100


# --- over the wire ------------------------------------------------------------------------------------------------------


class Host:
    """Answers in turn, the last for ever; None drops the connection. Remembers what was asked."""

    def __init__(self, *script: bytes | None) -> None:
        self._script = list(script)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Host]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                self.asked.append((first, headers, await reader.readexactly(int(headers["content-length"]))))
                answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
                if answer is None:
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass  # the client hung up
        finally:
            writer.close()


@asynccontextmanager
async def client_of(host: Host) -> AsyncIterator[LegacyInterfaces]:
    caller = Caller([Transport(f"http://127.0.0.1:{host.port}")])
    yield LegacyInterfaces(caller, KEYS, appid="10000001", bucket="tencentyun")
    await caller.close()


async def test_a_comparison_over_the_wire() -> None:
    async with Host(answered(ANSWERS[Compare])).running() as host, client_of(host) as client:
        compared = await client.call(Compare(PHOTO, image_b=OTHER), time.monotonic() + 20)
    assert compared.similarity == 76.5
    ((first, headers, body),) = host.asked
    assert first == "POST /face/compare HTTP/1.1"
    assert parts_of(headers["content-type"], body) == [*TARGET, ("imageA", PHOTO), ("imageB", OTHER)]
    signature = LegacySignature.parse(headers["authorization"])
    assert signature.made_with(KEYS)
    assert (signature.appid, signature.bucket) == ("10000001", "tencentyun")


async def test_a_write_whose_answer_was_lost_is_settled_by_its_repeat() -> None:
    request = NewPerson(person_id="ann", group_ids=("g",), image=PHOTO)
    script = (None, answered({}, -1302, "ERROR_PERSON_EXISTED"))
    async with Host(*script).running() as host, client_of(host) as client:
        assert await client.call(request, time.monotonic() + 20) == PersonAdded(person_id="ann", group_ids=("g",))
        with pytest.raises(ContractViolation, match="state_conflict"):
            await client.call(request, time.monotonic() + 20)
    assert len(host.asked) == 3


async def test_a_write_that_nothing_settles_is_sent_once() -> None:
    async with Host(None).running() as host, client_of(host) as client:
        with pytest.raises(Transient, match="outcome_unknown"):
            await client.call(DelFace("ann", ("1", "2")), time.monotonic() + 20)
    assert len(host.asked) == 1
