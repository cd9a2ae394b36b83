"""Every way to sign and to write a request to the sandbox, well and badly, over real connections."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.recognition.tencent.legacy_wire import MAX_BODY
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.iai.fields import nest, pairs
from kiosk.sandbox.legacy import gate
from kiosk.sandbox.refusals import Refused
from tests.sandbox_stage import APPID, KEYS, Pictures, base64_of, photo, sandbox
from tests.sdk_stage import Official
from tests.signing_stage import FORM, old, old_over, tc3, v1

DATA = Path(__file__).parent / "data" / "tencent"
FROZEN = 1_700_000_000.0
"""When the vendor's packages made what stands in DATA."""
Headers = dict[str, str]
JSON = {"content-type": "application/json"}


class Web:
    """A plain HTTP client of a sandbox."""

    def __init__(self, port: int, client: httpx.AsyncClient) -> None:
        self.port = port
        self._client = client

    async def now(
        self, body: bytes = b"", headers: dict[str, str] | None = None, *, method: str = "POST", query: str = ""
    ) -> Any:
        """The answer of a current interface."""
        answer = await self._client.request(method, f"/?{query}" if query else "/", content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert list(answer.json()) == ["Response"]
        assert len(answer.json()["Response"]["RequestId"]) == 36
        return answer.json()["Response"]

    async def code(self, *given: Any, **more: Any) -> str:
        return str((await self.now(*given, **more)).get("Error", {"Code": ""})["Code"])

    async def before(self, name: str, body: bytes, headers: dict[str, str]) -> Any:
        """The answer of an older interface."""
        answer = await self._client.post(f"/face/{name}", content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert set(answer.json()) == {"data", "code", "message"}
        return answer.json()


@asynccontextmanager
async def served(**how: Any) -> AsyncIterator[Web]:
    async with sandbox(**how) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield Web(port, client)


async def ask_raw(port: int, raw: bytes) -> Any:
    """The answer to exactly these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"http/1.1 200 ")
    assert b"\r\ncontent-type: application/json\r\n" in head
    return json.loads(body)


# --- TC3 ----------------------------------------------------------------------------------------------------------------


async def test_signatures_of_every_kind() -> None:
    more = ("content-type", "host", "x-tc-action", "x-tc-timestamp", "x-tc-version")
    async with served() as web:
        for options in (
            {},
            {"names": more},
            {"names": ("host", "content-type")},
            {"headers": {"content-type": "application/JSON; charset=utf-8"}},
            {"headers": {"host": "IAI.tencentcloudapi.com"}},
            {"now": time.time() - 290},
            {"now": time.time() + 290},
        ):
            signed = tc3(web.port, b"{}", **options)
            for _ in range(2):  # one request may be sent again
                assert (await web.now(b"{}", signed))["GroupNum"] == 0


async def test_signatures_that_are_none() -> None:
    async with served() as web:
        port, good = web.port, tc3(web.port, b"{}")
        for headers, code in (
            ({}, "MissingParameter"),
            ({name: value for name, value in good.items() if name != "authorization"}, "AuthFailure.InvalidAuthorization"),
            (good | {"authorization": "SKIP"}, "AuthFailure.InvalidAuthorization"),
            (good | {"authorization": "TC3-HMAC-SHA256 what"}, "AuthFailure.InvalidAuthorization"),
            (tc3(port, b"{}", service="cvm"), "AuthFailure.InvalidAuthorization"),
            (tc3(port, b"{}", date="2020-01-01"), "AuthFailure.SignatureFailure"),
            (tc3(port, b"{}", names=("host",)), "AuthFailure.SignatureFailure"),
            (tc3(port, b"{ }"), "AuthFailure.SignatureFailure"),
            (good | {"host": "elsewhere"}, "AuthFailure.SignatureFailure"),
            (
                tc3(port, b"{}", names=("content-type", "host", "x-tc-action")) | {"x-tc-action": "X"},
                "AuthFailure.SignatureFailure",
            ),
            (good | {"x-tc-content-sha256": "UNSIGNED-PAYLOAD"}, "AuthFailure.SignatureFailure"),
            ({name: value for name, value in good.items() if name != "x-tc-timestamp"}, "MissingParameter"),
            ({name: value for name, value in good.items() if name != "x-tc-version"}, "MissingParameter"),
            (good | {"x-tc-timestamp": "noon"}, "AuthFailure.SignatureExpire"),
            (tc3(port, b"{}", now=time.time() - 310), "AuthFailure.SignatureExpire"),
            (tc3(port, b"{}", now=time.time() + 310), "AuthFailure.SignatureExpire"),
        ):
            assert await web.code(b"{}", headers) == code


BODIES: list[tuple[Headers, bytes, str]] = [
    ({"x-tc-action": "Nothing"}, b"{}", "InvalidAction"),
    ({"x-tc-action": ""}, b"{}", "MissingParameter"),
    ({"x-tc-action": "DetectLiveFace"}, b"{}", "UnsupportedOperation.UnknowMethod"),
    ({"x-tc-version": "2018-03-01"}, b"{}", "NoSuchVersion"),
    ({"content-type": "text/plain"}, b"{}", "UnsupportedOperation"),
    ({"content-type": "application/octet-stream"}, b"\0\1", "UnsupportedOperation"),
    ({"content-type": FORM}, b"Limit=1", "UnsupportedOperation"),
    ({}, b"", "InvalidParameter"),
    ({}, b"[]", "InvalidParameter"),
    ({}, b"{", "InvalidParameter"),
    ({}, b"null", "InvalidParameter"),
    ({}, b'{"Limit": NaN}', "InvalidParameter"),
    ({}, b'{"Limit": 1e400}', "InvalidParameter"),
    ({}, b'{"Limit": 1.5}', "InvalidParameter"),
    ({}, b'{"Limit": true}', "InvalidParameter"),
    ({}, b'{"Limit": "\xff"}', "InvalidParameter"),
    ({}, b'{"Limit":' + b"[" * 100_000, "InvalidParameter"),
    ({}, b'{"Limit":' + b"1" * 100_000 + b"}", "InvalidParameter"),
    ({}, b'{"a":1,' * 20_000, "InvalidParameter"),
    ({}, b'{"Shoes": 1}', "UnknownParameter"),
    ({}, b'{"limit": 1}', "UnknownParameter"),
    ({}, b'{"Limit": 1, "Action": "GetGroupList"}', "UnknownParameter"),
    ({}, b'{"Offset": 99999999999999999999999}', "InvalidParameterValue.OffsetExceed"),
    ({}, b'{"Limit": 0}', "InvalidParameterValue.LimitExceed"),
    ({}, b'{"Limit": null, "Offset": 0}', ""),
    ({}, b'{"Limit": 0, "Limit": 1}', ""),
]


async def test_bodies_in_json() -> None:
    async with served() as web:
        for headers, body, code in BODIES:
            assert await web.code(body, tc3(web.port, body, headers=headers)) == code, (headers, body[:50])


async def test_a_posts_query_is_not_looked_at() -> None:
    async with served() as web:
        assert await web.code(b"{}", tc3(web.port, b"{}"), query="Limit=none") == ""


async def test_bodies_beyond_measure_and_other_methods() -> None:
    async with served() as web:
        assert await web.code(bytes(11 * 2**20)) == "RequestSizeLimitExceeded"
        assert await web.code(method="PUT") == "UnsupportedProtocol"
        query = urlencode({"Image": "A" * 40_000})
        assert await web.code(headers=tc3(web.port, method="GET", query=query), method="GET", query=query) == (
            "RequestSizeLimitExceeded"
        )


async def test_the_whole_address_may_stand_in_the_request_line() -> None:
    async with sandbox() as port:
        headers = tc3(port, b"{}", headers={"host": "iai.tencentcloudapi.com"})
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        raw = f"POST http://iai.tencentcloudapi.com/ HTTP/1.1\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode()
        assert (await ask_raw(port, raw))["Response"]["GroupNum"] == 0


# --- queries and forms --------------------------------------------------------------------------------------------------

ENROLMENT = {
    "GroupId": "staff", "PersonId": "ann", "PersonName": "Ann +&= 安", "Gender": "2", "Image": base64_of("ann"),
    "PersonExDescriptionInfos.1.PersonExDescriptionIndex": "1", "PersonExDescriptionInfos.1.PersonExDescription": "desk",
    "PersonExDescriptionInfos.0.PersonExDescriptionIndex": "0", "PersonExDescriptionInfos.0.PersonExDescription": "",
}  # fmt: skip


async def get(web: Web, action: str, fields: dict[str, str]) -> Any:
    query = urlencode(fields)
    return await web.now(headers=tc3(web.port, action=action, method="GET", query=query), method="GET", query=query)


async def form(web: Web, action: str, fields: dict[str, str]) -> Any:
    return await web.now(v1(web.port, fields, action=action).encode(), {"content-type": FORM})


async def form_sha1(web: Web, action: str, fields: dict[str, str]) -> Any:
    return await web.now(v1(web.port, fields, action=action, digest="sha1").encode(), {"content-type": f"{FORM}; charset=utf-8"})


async def query_v1(web: Web, action: str, fields: dict[str, str]) -> Any:
    return await web.now(method="GET", query=v1(web.port, fields, action=action, method="GET"))


@pytest.mark.parametrize("ask", [get, form, form_sha1, query_v1])
async def test_flattened_lists_and_structures(ask: Callable[[Web, str, dict[str, str]], Any]) -> None:
    async with served() as web:
        group = {"GroupId": "staff", "GroupName": "Staff", "GroupExDescriptions.0": "floor", "GroupExDescriptions.1": "place"}
        assert "Error" not in await ask(web, "CreateGroup", group)
        assert (await ask(web, "CreatePerson", ENROLMENT))["FaceRect"]["Width"] == 80
        search = {"GroupIds.0": "staff", "Image": base64_of("ann~"), "FaceMatchThreshold": "60.5", "NeedPersonInfo": "1"}
        (found,) = (await ask(web, "SearchFaces", search))["Results"][0]["Candidates"]
        assert (found["PersonName"], found["Gender"]) == (ENROLMENT["PersonName"], 2)
        assert found["PersonGroupInfos"] == [{"GroupId": "staff", "PersonExDescriptions": ["", "desk"]}]
        for wrong, code in (
            ({"GroupIds": "staff"}, "InvalidParameter"),
            ({"GroupIds.x": "staff"}, "InvalidParameter"),
            ({"GroupIds.0": "staff", "GroupIds": "x"}, "InvalidParameter"),
            ({"GroupIds": "x", "GroupIds.0": "staff"}, "InvalidParameter"),
            ({"GroupIds" + ".0" * 6: "staff"}, "InvalidParameter"),
            ({"MaxFaceNum": "one"}, "MissingParameter"),
            ({"GroupIds.0": "staff", "MaxFaceNum": "one"}, "InvalidParameter"),
            ({"GroupIds.0": "staff", "FaceMatchThreshold": "nan"}, "InvalidParameterValue.FaceMatchThresholdIllegal"),
            ({"GroupIds.0": "staff", "Shoes": "1"}, "UnknownParameter"),
            ({f"GroupIds.{number}": "staff" for number in range(101)}, "InvalidParameterValue.GroupIdsExceed"),
        ):
            assert (await ask(web, "SearchFaces", wrong))["Error"]["Code"] == code, wrong


MANDATORY = ("Action", "Version", "Timestamp", "Nonce", "SecretId", "Signature")


def _without(text: str, name: str) -> str:
    return "&".join(item for item in text.split("&") if not item.startswith(f"{name}="))


async def test_forms_signed_in_the_first_way() -> None:
    async with served() as web:
        port, kind = web.port, {"content-type": FORM}
        for text, code in (
            (v1(port), ""),
            (v1(port, SignatureMethod=None, digest="sha1"), ""),
            (v1(port, SignatureMethod="Sha512", digest="sha1"), ""),
            (v1(port, SignatureMethod="HmacSHA1"), "AuthFailure.SignatureFailure"),
            (v1(port) + "&Limit=1", "AuthFailure.SignatureFailure"),
            (v1(port, method="GET"), "AuthFailure.SignatureFailure"),
            (v1(port, SecretId="AKIDOTHER"), "AuthFailure.SecretIdNotFound"),
            (v1(port, Timestamp=int(time.time()) - 310), "AuthFailure.SignatureExpire"),
            (v1(port, Nonce="seven"), "InvalidParameter"),
            (v1(port, Version="2018-03-01"), "NoSuchVersion"),
            (v1(port, action="Nothing"), "InvalidAction"),
            (v1(port, Token="mine", Region="ap-guangzhou", Language="zh-CN", RequestClient="x"), ""),
            *((_without(v1(port), name), "MissingParameter") for name in MANDATORY),
            (v1(port) + "&x", "InvalidParameter"),
            (v1(port) + "&Action=x", "InvalidParameter"),
            ("Action=%ff", "InvalidParameter"),
            ("&".join(f"x{number}=" for number in range(1001)), "InvalidParameter"),
            (v1(port, {"Image": "A" * 2**20}, action="DetectFace"), "AuthFailure.SignatureFailure"),
        ):
            assert await web.code(text.encode(), kind) == code, text[:300]
        assert await web.code(v1(port).encode(), JSON) == "MissingParameter"
        assert "group" in (await web.now(v1(port, {"GroupId": "x"}, action="GetGroupInfo", Language="en-US").encode(), kind))[
            "Error"
        ]["Message"].lower()  # fmt: skip


async def test_temporary_keys_in_a_form() -> None:
    async with served(keys=Credentials(KEYS.secret_id, KEYS.secret_key, "mine")) as web:
        for token, code in (("mine", ""), ("stale", "AuthFailure.TokenFailure"), (None, "AuthFailure.TokenFailure")):
            assert await web.code(v1(web.port, Token=token).encode(), {"content-type": FORM}) == code


# --- multipart ----------------------------------------------------------------------------------------------------------


def part(disposition: str, value: bytes, more: str = "") -> bytes:
    return f"--B\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n".encode() + value + b"\r\n"


STAFF = part('name="GroupIds"', b'["staff"]', "Content-Type: application/json\r\n")
NUMBER = part('name="MaxFaceNum"', b"3")


MULTIPART: list[tuple[list[bytes], str]] = [
    ([STAFF, NUMBER, part('name="Image"; filename="Image"', photo("ann"))], ""),
    ([STAFF, part('name="Image"', base64_of("ann").encode())], ""),
    ([STAFF, part('name="Image"; filename="Image"', b"\xff")], "FailedOperation.ImageDecodeFailed"),
    ([STAFF, part('name="Image"', b"\xff")], "InvalidRequest"),
    ([part('name="GroupIds"', b"[", "Content-Type: application/json\r\n")], "InvalidRequest"),
    ([part('name="GroupIds"', b"[" * 9_000, "Content-Type: application/json\r\n")], "InvalidRequest"),
    ([part('name="GroupIds"', b'{"a": {}}', "Content-Type: application/json\r\n")], "InvalidParameter"),
    ([STAFF, part('name="MaxFaceNum"', b"three")], "InvalidParameter"),
    ([STAFF, STAFF], "InvalidParameter"),
    ([STAFF, part('name="Shoes"', b"1")], "UnknownParameter"),
    ([part('filename="Image"', b"1")], "InvalidRequest"),
    ([part('name="x"', b"")] * 201, "InvalidRequest"),
    ([NUMBER], "MissingParameter"),
    ([], "InvalidRequest"),
]


async def test_multipart_bodies() -> None:
    kind = {"content-type": "multipart/form-data; boundary=B"}
    async with served() as web:
        ask = Official(web.port)
        await ask("CreateGroup", GroupId="staff", GroupName="Staff")
        await ask("CreatePerson", GroupId="staff", PersonId="ann", PersonName="Ann", Image=base64_of("ann"))
        for parts, code in MULTIPART:
            body = b"".join(parts) + (b"--B--\r\n" if parts else b"")
            assert await web.code(body, tc3(web.port, body, action="SearchFaces", headers=kind)) == code, body[:200]


# --- what the vendor's packages sent ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("official_AnalyzeFace", ""),
        ("official_CompareMaskFace_images", ""),
        ("official_CompareMaskFace_urls", "FailedOperation.ImageDownloadError"),
        ("legacy_py_compare_file_file", 0),
        ("legacy_py_identify_file", -1306),
        ("legacy_py_identify_url", -1306),
    ],
)
async def test_their_bytes_are_understood(name: str, told: str | int) -> None:
    raw = (DATA / f"{name}.http").read_bytes()
    for at, expired in ((FROZEN + 10, False), (FROZEN + 301, True), (FROZEN - 301, True)):
        async with sandbox(wall=lambda at=at: at) as port:  # type: ignore[misc]  # a default that binds
            answer = await ask_raw(port, raw)
        found = answer["code"] if isinstance(told, int) else answer["Response"].get("Error", {"Code": ""})["Code"]
        assert found == (told if not expired else 9 if isinstance(told, int) else "AuthFailure.SignatureExpire")


VECTORS: dict[str, Any] = json.loads((DATA / "iai_vectors.json").read_text())


async def test_their_signatures_are_understood() -> None:
    """Their pictures are at addresses of nobody's."""
    told = {"octet stream": "UnsupportedOperation", "get list": "InvalidParameterValue.GroupIdIllegal"}
    told["tc3-post-json AnalyzeFace"] = ""
    async with served(wall=lambda: FROZEN) as web:
        for vector in VECTORS["tc3"]:
            data = bytes.fromhex(vector["data_hex"]) if "data_hex" in vector else vector["data"].encode()
            query = data.decode() if vector["method"] == "GET" else ""
            code = await web.code(b"" if query else data, vector["headers"], method=vector["method"], query=query)
            assert code == told.get(vector["name"], "FailedOperation.ImageDownloadError"), vector["name"]


async def test_their_forms_are_understood() -> None:
    async with served(wall=lambda: FROZEN) as web:
        for vector in VECTORS["v1"]:
            headers = {"content-type": FORM, "host": vector["host"]}
            assert await web.code(vector["data"].encode(), headers) == "FailedOperation.ImageDownloadError"
            assert await web.code(vector["data"].replace("=2&", "=3&").encode(), headers) == "AuthFailure.SignatureFailure"


# --- the older host -----------------------------------------------------------------------------------------------------

PAIR = json.dumps({"imageA": base64_of("ann"), "imageB": base64_of("ann")}).encode()


async def test_signatures_of_the_older_host() -> None:
    now = int(time.time())
    account = f"a={APPID}&k={KEYS.secret_id}"
    async with served() as web:
        for authorization, code in (
            (old_over(f"{account}&t={now}&e={now + 300}"), 0),  # the Java package's order
            (old_over(f"f=&u=0&r=1&e={now + 9}&t={now}&b=&k={KEYS.secret_id}&a={APPID}"), 0),
            (old(b=None), 0),
            (old(), 0),
            ("", 4),
            ("SKIP", 5),
            (base64.b64encode(b"a=1").decode(), 5),
            (old(t=None), 5),
            (old(t="noon"), 5),
            (old_over(f"{account}&t={now}&e={now + 30}&e={now + 31}"), 5),
            (old(a="10000002"), 10),
            (old(k="AKIDOTHER"), 11),
            (old(b="other"), 16),
            (old()[:-4] + "Zj0x", 14),
            (old(e=now - 1), 9),
            (old(t=now + 400, e=now + 500), 9),
            (old(e=now + 91 * 86_400), 9),
            (old(e=0), 9),  # a one-time signature for no file
            (old(f="/a.jpg"), 6),
        ):
            answer = await web.before("compare", PAIR, {**JSON, "authorization": authorization})
            assert answer["code"] == code, authorization


async def test_a_one_time_signature_is_for_a_file_and_for_once() -> None:
    headers = {**JSON, "authorization": old(e=0, f="/a.jpg")}
    async with served() as web:
        for code in (6, 13, 13):
            assert (await web.before("compare", PAIR, headers))["code"] == code
        assert (await web.before("compare", PAIR, {**JSON, "authorization": old(e=0, f="/a.jpg", r=8)}))["code"] == 6
        long_ago = old(e=0, f="/a.jpg", t=int(time.time()) - 91 * 86_400)
        assert (await web.before("compare", PAIR, {**JSON, "authorization": long_ago}))["code"] == 9
        assert (await web.before("compare", PAIR, {**JSON, "authorization": old()}))["code"] == 0


async def test_one_time_signatures_are_not_remembered_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MOST_SPENT", 2)
    now = time.time()
    async with served(wall=lambda: now) as web:
        for days, number, code in ((0, 1, 6), (0, 2, 6), (0, 3, 15), (91, 4, 6), (91, 5, 6), (91, 6, 15)):
            now = time.time() + days * 86_400
            headers = {**JSON, "authorization": old(e=0, f="/a.jpg", r=number, t=int(now))}
            assert (await web.before("compare", PAIR, headers))["code"] == code


OLD_BODIES: list[tuple[bytes, int]] = [
    (PAIR, 0),
    (b'{"urlA": "http://pictures.example/ann", "urlB": "http://pictures.example/ann", "appid": 10000001}', 0),
    (b'{"urlA": "http://elsewhere/ann", "urlB": "http://pictures.example/ann"}', -1308),
    (PAIR.replace(b"{", b'{"appid": "10000002",', 1), 6),
    (b'{"appid": ' + b"1" * 5_000 + b"}", 21),
    (b'{"appid": 1.5}', 21),
    (b'{"imageA": 1}', 21),
    (b"[]", 21),
    (b"{", 3),
    (b"\xff", 3),
    (b'{"session_id": "' + b"x" * 1001 + b'"}', -1304),
    (b'{"imageA": "' + b"A" * MAX_BODY + b'"}', 23),
]


async def test_json_for_the_older_host() -> None:
    async with served(fetcher=Pictures()) as web:
        for body, code in OLD_BODIES:
            answer = await web.before("compare", body, {**JSON, "authorization": old()})
            assert answer["code"] == code, body[:50]


async def test_pictures_by_their_addresses() -> None:
    """One wins over the other, as the documents have it; in a form too, as the PHP package sends it."""
    kind = {"content-type": "multipart/form-data; boundary=B"}
    ann = b"http://pictures.example/ann"
    both = part('name="urlA"', ann) + part('name="urlB";', ann) + b"--B--\r\n"
    async with served(fetcher=Pictures()) as web:
        assert (await web.before("compare", both, {**kind, "authorization": old()}))["data"]["similarity"] == 100
        ask = Official(web.port)
        same = await ask("CompareFace", UrlA=ann.decode(), ImageA=base64_of("bob"), UrlB="", ImageB=base64_of("ann"))
        assert same.Score == 100
        assert await ask.code("DetectFace", Url="http://pictures.example/") == "InvalidParameterValue.NoFaceInPhoto"
        assert await ask.code("DetectFace", Url="ftp://pictures.example/ann") == "InvalidParameterValue.UrlIllegal"
        assert await ask.code("DetectFace", Url="http://elsewhere/ann") == "FailedOperation.ImageDownloadError"
        large = f"http://pictures.example/{'x' * 4_000_000}"
        assert await ask.code("DetectFace", Url=large) == "FailedOperation.ImageSizeExceed"
        assert await ask.code("DetectFace", Url="") == "MissingParameter.ErrorParameterEmpty"


# --- without a server ---------------------------------------------------------------------------------------------------

words = st.text(st.characters(categories=["L", "N", "P", "S", "Z"]), max_size=5)
names = st.text(st.characters(categories=["L"]), min_size=1, max_size=5)
leaves = words | st.integers().map(str)
parameters = st.dictionaries(
    names, leaves | st.lists(leaves, min_size=1, max_size=12) | st.lists(st.dictionaries(names, leaves, min_size=1), min_size=1)
)


THEIRS = Official(1).client


@given(parameters)
def test_what_the_vendors_package_flattens_is_unfolded(sent: dict[str, Any]) -> None:
    flat = THEIRS._fix_params(sent)
    assert nest(pairs(urlencode(flat).encode())) == sent


@given(st.lists(st.sampled_from([b"a", b".", b"0", b"1", b"&", b"=", b"%", b"+", b"\xff"])).map(b"".join) | st.binary())
def test_any_query_is_understood_or_refused(text: bytes) -> None:
    try:
        found = nest(pairs(text))
    except Refused:
        return
    assert isinstance(found, dict)
