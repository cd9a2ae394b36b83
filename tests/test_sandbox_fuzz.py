"""Whatever is sent to a sandbox, it answers as the vendor would, gives nothing away, and keeps its size.

Well-made HTTP with anything in it: half of the requests are signed, so that what lies behind the gates is reached too.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.recognition.on_device.gallery import Gallery
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.iai.desk import Desk
from tests.process_stage import Server
from tests.sandbox_stage import APPID, BUCKET, KEYS, Eye, base64_of, photo
from tests.sdk_stage import MODELS, Values
from tests.signing_stage import FORM, old, old_over, tc3, v1

MOST_GROWTH = 96 * 2**20
"""Bytes by which the server may ever have grown: the largest request a few times over."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("fuzz") / "stderr")
    yield running
    running.connection.close()
    running.process.communicate(timeout=20)
    assert running.process.returncode == 0


pytestmark = pytest.mark.slow

fuzzed = settings(max_examples=200, deadline=None)
fuzzed_more = settings(max_examples=400, deadline=None)

# --- values -------------------------------------------------------------------------------------------------------------


def mostly(good: st.SearchStrategy[Any], other: st.SearchStrategy[Any], share: int = 6) -> st.SearchStrategy[Any]:
    """`other` once in a while."""
    return st.integers(0, share).flatmap(lambda number: other if number == share else good)


small = st.sampled_from([0, 1, 2, 1, 5, 34])
numbers = st.sampled_from([0, 10, 60.5, -1, 100, 121, 2**31, 2**63, 2**64, 10**30, -0.0, 1e308])
ids = st.sampled_from(["ann", "bob", "staff", "guests"])
words = st.sampled_from(
    ["", "a b", "安", "x" * 65, "x" * 1001, "\0", "\uffff", "1", "null", "-1", "é", "'; --", "../..", "\u202e"]
)
pictures = st.sampled_from([base64_of("ann"), base64_of("ann", "bob"), base64_of("bob~"), base64_of("cid#")])
other_pictures = st.sampled_from([base64_of(), "/9j/", "=", "", "data:image/png;base64,AA==", "\0"])
urls = st.sampled_from(["http://pictures.example/ann", "http://elsewhere/", "file:///etc/passwd", "//", "", "http://\0/"])
anything = st.recursive(
    st.none() | st.booleans() | numbers | words | pictures,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
description = st.fixed_dictionaries({"PersonExDescriptionIndex": mostly(small, numbers), "PersonExDescription": ids | words})
name = mostly(ids, words)
picture = mostly(pictures, other_pictures)
FITTING: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("Image", "ImageA", "ImageB"), picture),
    **dict.fromkeys(("Url", "UrlA", "UrlB"), mostly(st.none(), urls)),
    **dict.fromkeys(("GroupId", "PersonId", "GroupName", "PersonName", "Tag"), name),
    **dict.fromkeys(("GroupIds", "FaceIds", "GroupExDescriptions"), st.lists(name, max_size=3)),
    "Images": st.lists(picture, max_size=5),
    "Urls": mostly(st.none(), st.lists(urls, max_size=5)),
    "PersonExDescriptionInfos": st.lists(description, max_size=6),
    "FaceModelVersion": mostly(st.just("3.0"), words),
    "FaceAttributesType": mostly(st.sampled_from(["None", "Age,Mask", "Smile,eye,Mouth"]), words),
}
OLD_FITTING: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("appid", "bucket"), mostly(st.none(), words)),
    **dict.fromkeys(("person_id", "person_name", "tag", "group_id", "face_id", "session_id"), name),
    **dict.fromkeys(("image", "imageA", "imageB"), picture),
    **dict.fromkeys(("url", "urlA", "urlB"), mostly(st.none(), urls)),
    **dict.fromkeys(("group_ids", "face_ids"), st.lists(name, max_size=3)),
    "images": st.lists(picture, max_size=3),
    "urls": mostly(st.none(), st.lists(urls, max_size=3)),
}
UNSERVED = "AnalyzeDenseLandmarks"
NAMES = {
    action: [field.removeprefix("_") for field in vars(getattr(MODELS, f"{action}Request")()) if field != "_headers"]
    for action in (*Desk(Eye(), Gallery(time.time), KEYS, time.time, Fetcher(())).actions, UNSERVED)
}
OLD_NAMES = {
    **dict.fromkeys(("identify", "multidentify", "shoes"), ("group_id", "group_ids", "image", "url", "session_id")),
    "compare": ("imageA", "imageB", "urlA", "urlB", "appid", "bucket"),
    "newperson": ("person_id", "group_ids", "image", "url", "person_name", "tag"),
    "addface": ("person_id", "images", "urls", "tag"),
    **dict.fromkeys(("delperson", "delface", "setinfo", "getinfo"), ("person_id", "face_ids", "person_name", "tag")),
    **dict.fromkeys(("getgroupids", "getpersonids", "getfaceids", "getfaceinfo"), ("group_id", "person_id", "face_id")),
}


@st.composite
def calls(draw: st.DrawFn, of: Mapping[str, Sequence[str]], fitting: dict[str, st.SearchStrategy[Any]]) -> tuple[str, Values]:
    """An interface, served or not, with most of its parameters, most of them of the right kind."""
    interface = draw(st.sampled_from(sorted(of)))
    optional = mostly(st.just(True), st.just(False), 12)
    sent = {
        name: draw(mostly(fitting.get(name, mostly(small, numbers)), anything, 15)) for name in of[interface] if draw(optional)
    }
    sent |= draw(mostly(st.just({}), st.dictionaries(words, anything, max_size=1), 15))
    return interface, {name: value for name, value in sent.items() if value is not None or draw(optional)}


now_calls = calls(NAMES, FITTING)
old_calls = calls(OLD_NAMES, OLD_FITTING)

# --- the current interfaces ---------------------------------------------------------------------------------------------


@fuzzed_more
@given(now_calls)
def test_any_parameters_in_json(server: Server, call: tuple[str, Values]) -> None:
    server.enrol()
    action, sent = call
    body = json.dumps(sent).encode()
    server.now(tc3(server.port, body, action=action), body)


@fuzzed_more
@given(now_calls, st.sampled_from(["GET", "v1", "v1 GET", "multipart"]))
def test_any_parameters_in_any_form(server: Server, call: tuple[str, Values], how: str) -> None:
    server.enrol()
    action, sent = call
    flat = {name: value for name, value in _flat("", sent) if "\0" not in name}
    if how == "GET":
        query = urlencode(flat)
        server.now(tc3(server.port, action=action, method="GET", query=query), method="GET", query=query)
    elif how == "v1":
        server.now({"content-type": FORM}, v1(server.port, flat, action=action).encode())
    elif how == "v1 GET":
        server.now({}, method="GET", query=v1(server.port, flat, action=action, method="GET"))
    else:
        body = b"".join(_part(f'name="{name}"', f"{value}".encode()) for name, value in sent.items()) + b"--B--\r\n"
        server.now(tc3(server.port, body, action=action, headers=MULTIPART), body)


PIECES = [
    *(b'[ ] { } " : , null NaN 1e999 - \\u0000 \\ud800 "Limit":1 "Limit":2 "GroupIds":["staff"] "Image":"/9j/"'.split()),
    *(b"\0", b"\xff", b"\xed\xa0\x80", b" ", b"[" * 3_000, b'{"a":' * 3_000, b"9" * 5_000),
]


@fuzzed
@given(
    st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.sampled_from(["GetGroupList", "SearchFaces", "AnalyzeFace"])
)
def test_any_body_in_json(server: Server, body: bytes, action: str) -> None:
    server.now(tc3(server.port, body, action=action), body)
    server.before("identify", {"content-type": "application/json", "authorization": old()}, body)


QUERY = [
    *b"Action=GetGroupList Limit=1 GroupIds.0=staff GroupIds.0.x=1 . = & % %00 %ff + ..".split(),
    *b"Signature= Timestamp=1 Version=2020-03-03".split(),
    *(b"9" * 5_000, b".0" * 500, b"x=1&" * 1_001),
]


@fuzzed
@given(st.lists(st.sampled_from(QUERY), max_size=10).map(b"".join))
def test_any_query(server: Server, text: bytes) -> None:
    query = text.decode()
    server.now({}, method="GET", query=query)
    server.now({"content-type": FORM}, text)
    server.now(tc3(server.port, method="GET", query=query), method="GET", query=query)


VALUES = [
    *(
        "",
        " ",
        "SKIP",
        "\xff",
        "9" * 5_000,
        "-1",
        "0",
        "99999999999999",
        "UNSIGNED-PAYLOAD",
        "en-US",
        "a/b;c=d;;=",
        "GetGroupList",
    ),
    *("TC3-HMAC-SHA256", "TC3-HMAC-SHA256 Credential=/2020-01-01/iai/tc3_request, SignedHeaders=;, Signature="),
    *("application/json", FORM, *(f"multipart/form-data{more}" for more in ("", "; boundary=", "; boundary=" + "x" * 300))),
]
HEADERS = [
    *("authorization", "content-type", "host", "accept", "expect"),
    *(f"x-tc-{name}" for name in ("action", "version", "timestamp", "token", "language", "content-sha256", "region")),
]


@fuzzed
@given(
    st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES) | st.none(), max_size=3),
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
)
def test_any_headers(server: Server, changes: dict[str, str | None], method: str) -> None:
    for given_headers in (tc3(server.port, b"{}"), {"content-type": "application/json", "authorization": old()}):
        headers = {name: value for name, value in {**given_headers, **changes}.items() if value is not None}
        if "authorization" in given_headers and "x-tc-action" in given_headers:
            server.now(headers, b"{}", method=method)
        else:
            server.before("getgroupids", headers, b"{}", method)


# --- forms and the older interfaces -------------------------------------------------------------------------------------

MULTIPART = {"content-type": "multipart/form-data; boundary=B"}
DISPOSITION = b"Content-Disposition: form-data; "
PARTS = [
    *(b"--B", b"--B--", b"\r\n", b"\n", b"--", DISPOSITION, b'name="image"', b'; filename="a.jpg"', b";", b":", b"\0", b"staff"),
    *(b'name="group_ids[0]"', b'name="group_ids[99999999]"', b'name="\xff"', photo("ann"), b"=ZZ", b"{}", b"x" * 5_000),
    *(b"Content-Type: application/json", b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable"),
    *(b"--B\r\n" + DISPOSITION + b'name="%s"\r\n\r\n' % name for name in (b"image", b"GroupIds", b"Image", b"person_id")),
]


@fuzzed
@given(
    st.lists(st.sampled_from(PARTS), max_size=24).map(b"".join), st.sampled_from(["identify", "compare", "newperson", "addface"])
)
def test_any_form(server: Server, body: bytes, name: str) -> None:
    server.before(name, {**MULTIPART, "authorization": old()}, body)
    server.now(tc3(server.port, body, action="SearchFaces", headers=MULTIPART), body)


@fuzzed_more
@given(old_calls, st.booleans())
def test_any_parameters_of_the_older_interfaces(server: Server, call: tuple[str, Values], as_form: bool) -> None:
    server.enrol()
    interface, sent = call
    headers, body = {"content-type": "application/json"}, json.dumps(sent).encode()
    if as_form:
        items = [(f"{key}[{n}]", v) for key, value in sent.items() if isinstance(value, list) for n, v in enumerate(value)]
        items += [(key, value) for key, value in sent.items() if not isinstance(value, list)]
        headers, body = MULTIPART, b"".join(_part(f'name="{key}"', f"{v}".encode()) for key, v in items) + b"--B--\r\n"
    server.before(interface, {**headers, "authorization": old()}, body)


PLAIN = [
    *f"a={APPID} b= b={BUCKET} k={KEYS.secret_id} e=0 e=99999999999 t=0 t=x t=1700000000 t= f=/a.jpg f= r=1 u=0 = a é".split(),
    *("a=" + "1" * 5_000, "\0"),
]


@fuzzed
@given(st.lists(st.sampled_from(PLAIN), max_size=8).map("&".join) | st.text(max_size=20), st.booleans())
def test_any_signature_of_the_older_interfaces(server: Server, plain: str, whole: bool) -> None:
    text = old_over(plain) if whole else base64.b64encode(plain.encode()).decode()
    server.before("getgroupids", {"content-type": "application/json", "authorization": text}, b"{}")


# --- in the end ---------------------------------------------------------------------------------------------------------


def _large() -> Iterator[bytes]:
    size = 10 * 2**20 - 100
    yield b"[" * size
    yield b'{"a":' * (size // 5)
    yield b'{"GroupIds":[' + b'"",' * (size // 3 - 10) + b'""]}'
    yield b"{" + b",".join(b'"%07d":1' % n for n in range(size // 12)) + b"}"
    yield b'{"Image":"' + b"A" * (size - 20) + b'"}'
    yield b'{"Limit":' + b"9" * (size - 20) + b"}"
    yield b"x=" + b"%41" * (size // 3 - 1)


def test_it_has_not_grown(server: Server) -> None:
    """After all of the above, if they were run, and after requests as large as may be."""
    for body in _large():
        for action in ("GetGroupList", "SearchFaces"):
            assert server.now(tc3(server.port, body, action=action), body) != ""
        assert server.before("identify", {"content-type": "application/json", "authorization": old()}, body[:1_500_000]) != 0
        assert server.now(tc3(server.port, body, headers=MULTIPART), body) == "InvalidRequest"
        assert server.now({"content-type": FORM}, body) == "AuthFailure.SignatureFailure"
    server.good()
    assert server.peak() - server.size_at_first < MOST_GROWTH
    assert "Traceback" not in server.errors()


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield prefix, value
    for name, inner in items or ():
        yield from _flat(f"{prefix}.{name}" if prefix else f"{name}", inner)


def _part(disposition: str, value: bytes) -> bytes:
    return b"--B\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"
