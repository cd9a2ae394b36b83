"""The sandbox: what the vendor's host would answer, asked over real connections by our client and by the vendor's own bytes."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from kiosk.domain import Box, Candidate, Face, Match, NonMatch, Probe, QualityReport
from kiosk.errors import (
    CameraError,
    ConfigurationError,
    KioskError,
    PhotoRejected,
    ProbeRejected,
    RecogniserError,
    Transient,
    Unauthorised,
)
from kiosk.recognition.tencent import repeats
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.clock import ServerClock
from kiosk.recognition.tencent.interface import Describing
from kiosk.recognition.tencent.legacy import LegacyRecogniser, candidates_of, identification
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_library import DelPerson, GetInfo, NewPerson, PersonAdded, PersonDetails
from kiosk.recognition.tencent.legacy_wire import MAX_BODY
from kiosk.recognition.tencent.signing import Credentials, sign_legacy
from kiosk.recognition.tencent.transport import Transport
from kiosk.sandbox.legacy import submission
from kiosk.sandbox.refusals import Refusal
from kiosk.sandbox.server import create_app, serve
from kiosk.settings import TencentLegacySettings
from tests.sandbox_stage import APPID, BUCKET, KEYS, POINTS, Eye, photo, sandbox, soon

DATA = Path(__file__).parent / "data" / "tencent"
FACE = Face(Box(10, 10, 80, 80), 0.9, POINTS)
REPORT = QualityReport({}, (), 4)


class Client(LegacyRecogniser):
    """A recogniser that can enrol as well, by default into its own groups."""

    async def new_person(
        self, person: str, image: bytes, deadline: float, *, groups: tuple[str, ...] = (), **more: str
    ) -> PersonAdded:
        where = groups or self._section.group_ids
        known = {f"person_{key}" if key == "name" else key: value for key, value in more.items()}
        return await self._client.call(NewPerson(person_id=person, group_ids=where, image=image, **known), deadline)

    async def among(self, image: bytes, deadline: float) -> list[Candidate]:
        return candidates_of(await self._client.call(identification(self._section.group_ids, image=image), deadline))

    async def get_info(self, person: str, deadline: float) -> PersonDetails:
        return await self._client.call(GetInfo(person), deadline)

    async def del_person(self, person: str, deadline: float) -> int:
        return (await self._client.call(DelPerson(person), deadline)).deleted


@asynccontextmanager
async def client_at(
    port: int, *, keys: Credentials = KEYS, wall: Callable[[], float] = time.time, **more: Any
) -> AsyncIterator[Client]:
    given = {"endpoint": f"http://127.0.0.1:{port}", "appid": APPID, "bucket": BUCKET, "group_ids": ("staff",), **more}
    section = TencentLegacySettings(**given)
    caller = Caller([Transport(section.endpoint)], server_clock=ServerClock(wall))
    interfaces = LegacyInterfaces(caller, keys, appid=section.appid, bucket=section.bucket, upload=section.upload)
    client = Client(interfaces, caller, section)
    try:
        yield client
    finally:
        await client.close()


def probe(name: str) -> Probe:
    return Probe(1, "front", 0.0, photo(name).ljust(64, b" "), (100, 100), FACE, REPORT)


async def code_of(call: Any) -> tuple[type[RecogniserError], str]:
    with pytest.raises(RecogniserError) as caught:
        await call
    return type(caught.value), caught.value.code


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "FIRST_PAUSE", 0.001)


# --- our client ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upload", ["multipart", "json"])
async def test_enrol_recognise_and_forget(upload: str) -> None:
    async with sandbox() as port, client_at(port, upload=upload) as client:
        created = await client.new_person("ann", photo("ann"), soon(), groups=("staff", "guests"), name="Ann 安", tag="vip")
        assert (created.suc_group, created.suc_face, created.group_ids) == (2, 1, ("staff", "guests"))
        await client.new_person("bob", photo("bob"), soon())
        info = await client.get_info("ann", soon())
        assert (info.person_name, info.tag, info.group_ids, info.face_ids) == (
            "Ann 安",
            "vip",
            ("staff", "guests"),
            (created.face_id,),
        )

        first, second = await client.among(photo("ann~", "bob"), soon())
        assert (first.person, first.face, first.tag, second.person) == ("ann", created.face_id, "vip", "bob")
        assert first.score > 88
        assert second.score < 60

        assert await client.del_person("ann", soon()) == 1
        assert [c.person for c in await client.among(photo("ann"), soon())] == ["bob"]
        assert (await code_of(client.get_info("ann", soon())))[1] == "-1303"
        assert (await code_of(client.del_person("ann", soon())))[1] == "-1303"


async def test_at_most_five_candidates_from_the_groups_asked_for() -> None:
    async with sandbox() as port, client_at(port) as client:
        for number in range(8):
            await client.new_person(f"p{number}", photo(f"p{number}"), soon(), groups=("staff" if number else "other",))
        candidates = await client.among(photo("p0"), soon())
        assert len(candidates) == 5
        assert "p0" not in {candidate.person for candidate in candidates}
        async with client_at(port, group_ids=("staff", "other")) as wider:
            assert (await wider.among(photo("p0"), soon()))[0].person == "p0"


async def test_a_door_s_verdicts() -> None:
    async with sandbox() as port, client_at(port, threshold=80.0, margin=5.0) as client:
        for name in ("ann", "bob"):
            await client.new_person(name, probe(name).jpeg, soon())
        match = await client.identify(probe("ann"), soon())
        assert isinstance(match, Match)
        assert (match.person, match.score) == ("ann", 100.0)
        stranger = await client.identify(probe("eve"), soon())
        assert isinstance(stranger, NonMatch)
        assert stranger.cause == "not_recognised"
        await client.new_person("ann2", probe("ann").jpeg, soon())
        assert (await client.identify(probe("ann"), soon())).cause == "ambiguous"  # type: ignore[union-attr]  # a NonMatch
        for name in ("ann", "ann2", "bob"):
            await client.del_person(name, soon())
        assert await client.identify(probe("ann"), soon()) == NonMatch("nobody_enrolled", 0.0, "tencent-legacy")


async def test_refusals_of_the_library_and_of_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Describing, "check", lambda _: None)  # our client would not send most of these
    eye = Eye({"gif": PhotoRejected("image_format_unknown"), "dead": CameraError("eye_lost")})
    async with sandbox(eye) as port, client_at(port, upload="json") as client:
        assert await code_of(client.among(photo("ann"), soon())) == (Unauthorised, "-1306")
        assert eye.seen == 0
        await client.new_person("ann", photo("ann"), soon())
        for call, kind, code in (
            (client.new_person("ann", photo("bob"), soon()), None, "-1302"),
            (client.new_person("b ob", photo("bob"), soon()), None, "-1313"),
            (client.new_person("b" * 65, photo("bob"), soon()), None, "-1304"),
            (client.new_person("", photo("bob"), soon()), None, "-1301"),
            (client.among(photo(), soon()), ProbeRejected, "-1101"),
            (client.among(b"GIF89a", soon()), ProbeRejected, "-1102"),
            (client.among(photo("gif"), soon()), ProbeRejected, "-1400"),
            (client.among(b"", soon()), ProbeRejected, "-1300"),
        ):
            found = await code_of(call)
            assert found == (kind or found[0], code)
        eye.seen = 0
        assert await code_of(client.among(photo("dead"), soon())) == (Transient, "213")
        assert eye.seen == 3


async def test_two_enrolments_of_one_person_at_once() -> None:
    async with sandbox() as port, client_at(port) as client:
        calls = [client.new_person("ann", photo("ann"), soon()) for _ in range(4)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sorted(getattr(result, "code", "0") for result in results) == ["-1302"] * 3 + ["0"]


@pytest.mark.parametrize(
    ("keys", "more", "code"),
    [
        (Credentials(KEYS.secret_id, "wrong"), {}, "14"),
        (Credentials("AKIDOTHER", KEYS.secret_key), {}, "11"),
        (KEYS, {"appid": "10000002"}, "10"),
        (KEYS, {"bucket": "elsewhere"}, "16"),
    ],
)
async def test_an_account_that_is_not_ours(keys: Credentials, more: dict[str, Any], code: str) -> None:
    async with sandbox() as port, client_at(port, keys=keys, **more) as client:
        assert await code_of(client.among(photo("ann"), soon())) == (Unauthorised, code)


@pytest.mark.parametrize("off", [-315_000_000, -3_600, -40, 1_000, 90_000])
async def test_a_wrong_clock_is_mended(off: float) -> None:
    async with sandbox() as port, client_at(port, wall=lambda: time.time() + off) as client:
        assert (await client.new_person("ann", photo("ann"), soon())).person_id == "ann"


# --- the vendor's bytes, and everybody else's ---------------------------------------------------------------------------


async def ask(port: int, raw: bytes) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return dict(json.loads(body))


async def test_the_vendors_own_requests_are_understood() -> None:
    by_file, by_url = ((DATA / f"legacy_py_identify_{form}.http").read_bytes() for form in ("file", "url"))
    async with sandbox(wall=lambda: 1_700_000_010.0) as port:
        assert (await ask(port, by_file))["code"] == -1306
        async with client_at(port, wall=lambda: 1_700_000_010.0, group_ids=("tencent",)) as client:
            await client.new_person("ann", photo("ann"), soon())
        answer = await ask(port, by_file)
        assert (answer["code"], answer["message"]) == (0, "OK")
        assert set(answer["data"]) == {"session_id", "candidates"}
        assert set(answer["data"]["candidates"][0]) == {"person_id", "face_id", "confidence", "tag"}
        assert (await ask(port, by_url))["code"] == -1308
    async with sandbox(wall=lambda: 1_700_000_031.0) as port:
        assert (await ask(port, by_file))["code"] == 9


def sign(now: float | None = None, **changes: Any) -> dict[str, str]:
    given = {"appid": APPID, "bucket": BUCKET, "now": int(now or time.time()), "nonce": 1, **changes}
    return {"Authorization": sign_legacy(KEYS, **given)}


@asynccontextmanager
async def enrolled(eye: Eye | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A sandbox that knows Ann of the staff, and a plain HTTP client for it."""
    async with sandbox(eye) as port:
        async with client_at(port) as client:
            await client.new_person("ann", photo("ann"), soon())
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:
            yield web


def part(disposition: str, value: bytes) -> bytes:
    return b"--B\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"


FORMS = {
    "the PHP package's buffer: no file name": [part('name="group_id"', b"staff"), part('name="image"', photo("ann"))],
    "picture first": [
        part('name="image"; filename="a"', photo("ann")),
        part('name="appid"', b"10000001"),
        part('name="group_id"', b"staff"),
    ],
    "a semicolon at the end": [part('name="group_id";', b"staff"), part('name="image"; filename="a.jpg";', photo("ann"))],
    "numbered groups": [part('name="group_ids[0]"', b"staff"), part('name="image"', photo("ann"))],
    "repeated groups": [part('name="group_ids[]"; filename="x"', b"staff"), part('name="image"', photo("ann"))],
    "unknown fields": [part('name="group_id"', b"staff"), part('name="mode"', b"\xff"), part('name="image"', photo("ann"))],
}


@pytest.mark.parametrize("name", FORMS)
async def test_forms_of_every_kind(name: str) -> None:
    headers = {**sign(), "Content-Type": "multipart/form-data; boundary=B"}
    async with enrolled() as web:
        answer = (await web.post("/face/identify", content=b"".join(FORMS[name]) + b"--B--\r\n", headers=headers)).json()
    assert (answer["code"], answer["data"]["candidates"][0]["confidence"]) == (0, 100.0)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_json_of_every_kind(kind: str) -> None:
    image = base64.b64encode(photo("ann")).decode()
    async with enrolled() as web:
        for body in ({"group_id": "staff"}, {"group_ids": ["staff"], "appid": 10000001, "bucket": BUCKET, "more": None}):
            answer = await web.post(
                "/face/identify", content=json.dumps({**body, "image": image}), headers={**sign(), "Content-Type": kind}
            )
            assert answer.json()["code"] == 0
            assert answer.headers["Content-Type"] == "application/json"


Later = Callable[[], str]


def later(*, ahead: float = 0, **how: Any) -> dict[str, Later]:
    """The header, signed when it is sent: a signature lives for half a minute, and tests are collected long before they run."""
    return {"Authorization": lambda: sign(now=time.time() + ahead, **how)["Authorization"]}


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=B"}
GOOD = json.dumps({"group_id": "staff", "image": base64.b64encode(photo("ann")).decode()}).encode()


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({**JSON}, GOOD, 4),
        ({**JSON, "Authorization": "TC3-HMAC-SHA256 Credential=x"}, GOOD, 5),
        ({**JSON, **later(ahead=-100)}, GOOD, 9),
        ({**JSON, **later(ahead=3_600)}, GOOD, 9),
        ({**JSON, **later(lifetime=91 * 86_400)}, GOOD, 9),
        ({**JSON, **later(lifetime=89 * 86_400)}, GOOD, 0),
        ({**JSON, **later(bucket="")}, GOOD, 0),
        ({**JSON, **later(bucket="other")}, GOOD, 16),
        ({**JSON, **later()}, b'{"appid": "2", "group_id": "staff"}', 6),
        ({**JSON, **later()}, b'{"bucket": "other", "group_id": "staff"}', 6),
        ({**JSON, **later()}, b'{"group_id": "staff"}', -1300),
        ({**JSON, **later()}, b'{"image": "/9j/"}', -1301),
        ({**JSON, **later()}, b'{"group_id": "staff", "image": "data:image/jpeg;base64,/9j/"}', -1102),
        ({**JSON, **later()}, b'{"group_id": "a/b", "image": "/9j/"}', -1313),
        ({**JSON, **later()}, b'{"group_id": ["staff"]}', 21),
        ({**JSON, **later()}, b'{"group_id": "staff"', 3),
        ({**JSON, **later()}, b'{"x":' + b"[" * 200_000, 3),
        ({**JSON, **later()}, b'{"group_id": "staff", "image": "' + b"A" * MAX_BODY + b'"}', 23),
        ({"Content-Type": "text/plain", **later()}, b"hello", 3),
        (later(), b"", 3),
        ({**FORM, **later()}, b"", 3),
        ({**FORM, **later()}, part('name="group_id"', b"staff"), 3),
        ({**FORM, **later()}, part('filename="nameless"', b"staff") + b"--B--\r\n", 3),
        ({**FORM, **later()}, part('name="group_id"', b"\xff") + b"--B--\r\n", 21),
        ({**FORM, **later()}, part('name="x"', b"") * 300 + b"--B--\r\n", 21),
        ({"Content-Type": "multipart/form-data", **later()}, part('name="group_id"', b"staff"), 3),
    ],
)
async def test_what_is_wrong_has_the_vendors_code(headers: dict[str, str | Later], body: bytes, code: int) -> None:
    sent = {name: value() if callable(value) else value for name, value in headers.items()}
    async with enrolled() as web:
        answer = await web.post("/face/identify", content=body, headers=sent)
    assert answer.status_code == 200
    assert answer.json()["code"] == code
    assert set(answer.json()) == {"data", "code", "message"}


async def test_a_body_of_unknown_length_is_refused_while_it_comes() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(MAX_BODY // 16)

    async with enrolled() as web:
        answer = await web.post("/face/identify", content=endless(), headers={**FORM, **sign()})
        assert answer.json()["code"] == 23
        assert (await web.post("/face/identify", content=GOOD, headers={**JSON, **sign()})).json()["code"] == 0


async def test_unknown_paths_and_methods_speak_json() -> None:
    async with enrolled() as web:
        for answer in (await web.post("/face/nothing"), await web.get("/nothing"), await web.get("/face/identify")):
            assert answer.status_code in {404, 405}
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.json()["code"] == 3


async def test_the_unforeseen_tells_the_caller_nothing() -> None:
    eye = Eye({"bug": RuntimeError("secret inside")})
    async with enrolled(eye) as web:
        body = json.dumps({"group_id": "staff", "image": base64.b64encode(photo("bug")).decode()})
        answer = await web.post("/face/identify", content=body, headers={**JSON, **sign()})
    assert (answer.status_code, answer.json()["code"]) == (500, 213)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_an_embedding_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with enrolled() as web:
        monkeypatch.setattr("tests.sandbox_stage.embedding", lambda _: bytes(512))
        answer = await web.post("/face/identify", content=GOOD, headers={**JSON, **sign()})
    assert answer.json()["code"] == 213


async def test_requests_are_logged_without_faces_and_keys() -> None:
    with capture_logs() as logs:
        async with enrolled() as web:
            await web.post("/face/identify", content=GOOD, headers={**JSON, **sign()})
    entries = [entry for entry in logs if entry["event"] == "sandbox_request"]
    assert [(entry["interface"], entry["code"]) for entry in entries] == [("newperson", "0"), ("identify", "0")]
    assert KEYS.secret_key not in repr(logs)
    assert "PNG" not in repr(logs)


# --- parsing without a server -------------------------------------------------------------------------------------------

pieces = st.sampled_from(
    [b"--B", b"--B--", b"\r\n", b"\n", b"Content-Disposition: form-data; ", b'name="image"', b'name="appid"', b":", b";"]
)


@given(st.lists(pieces | st.binary(max_size=4), max_size=30).map(b"".join), st.sampled_from([b"B", b"", b"\xff"]))
def test_any_form_is_understood_or_refused(body: bytes, boundary: bytes) -> None:
    try:
        sent = submission._from_form(body, boundary)
    except Refusal:
        return
    assert isinstance(sent, submission.Submission)


@given(st.binary(max_size=2_000))
def test_a_picture_survives_the_form_unchanged(picture: bytes) -> None:
    request = httpx.Request("POST", "http://x/", files=[("image", ("a.jpg", picture))])
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    assert submission._from_form(request.read(), boundary).image == picture


# --- serving ------------------------------------------------------------------------------------------------------------


async def test_it_serves_loopback_only_and_says_when_the_port_is_taken() -> None:
    app = create_app(Eye(), KEYS, APPID, BUCKET)
    with pytest.raises(ConfigurationError, match="loopback"):
        await serve(app, "0.0.0.0", 0, lambda _: None)
    async with sandbox() as port:
        with pytest.raises(KioskError, match="address_in_use"):
            await serve(app, "127.0.0.1", port, lambda _: None)
        async with client_at(port) as client:
            await client.warm()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
