"""The older host's client: signatures, codes, requests as the vendor's own code sends them, and every way a cloud can fail."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from kiosk.domain import Box, Candidate, Face, Match, NonMatch, Probe, QualityReport
from kiosk.errors import (
    ClockRejected,
    ConfigurationError,
    ContractViolation,
    ProbeRejected,
    RecogniserError,
    Transient,
    Unauthorised,
)
from kiosk.recognition.judging import judge
from kiosk.recognition.tencent import repeats
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.clock import ServerClock
from kiosk.recognition.tencent.events import Asked, CallEvent, SkewLearnt, unwatched
from kiosk.recognition.tencent.legacy import LegacyRecogniser, candidates_of, identification
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_faces import Identification
from kiosk.recognition.tencent.legacy_form import Payload
from kiosk.recognition.tencent.legacy_wire import MAX_BODY, read
from kiosk.recognition.tencent.signing import Credentials, LegacySignature, sign_legacy
from kiosk.recognition.tencent.transport import MAX_ANSWER, Transport
from kiosk.settings import TencentLegacySettings
from tests.tencent_stage import (
    HTML,
    Behaviour,
    Cloud,
    certificate_in,
    drips,
    header,
    resets,
    says,
    sends,
    silent,
    soon,
    without_proxies,
)

DATA = Path(__file__).parent / "data" / "tencent"
VECTORS = json.loads((DATA / "legacy_vectors.json").read_text())
KEYS = Credentials("AKIDEXAMPLE00000000000000000000000000", "EXAMPLEKEY000000000000000000000000")
FROZEN, RANDOM = 1_700_000_000, 123_456_789
JPEG = b"\xff\xd8\xff\xc0\0\x11\x08\0\x64\0\x64\3" + bytes(9) + bytes(range(256)) + b"\r\n--\xff\xd9"


# --- signatures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"][:20])
def test_signatures_equal_the_vendors_byte_for_byte(vector: dict[str, str]) -> None:
    plain = dict(item.split("=") for item in vector["plain"].split("&"))
    signed = sign_legacy(
        Credentials(plain["k"], vector["secret_key"]),
        appid=plain["a"],
        bucket=plain["b"],
        now=int(plain["t"]),
        nonce=int(plain["r"]),
        lifetime=int(plain["e"]) - int(plain["t"]),
    )
    assert signed == vector["sign"]


def test_a_signature_is_verified_in_any_field_order() -> None:
    plain = f"a=1&b=x&k={KEYS.secret_id}&t=5&e=305".encode()  # the vendor's Java package: no r, no f
    digest = legacy_digest(plain)
    signature = LegacySignature.parse(base64.b64encode(digest + plain).decode())
    assert (signature.appid, signature.bucket, signature.issued, signature.expires) == ("1", "x", 5, 305)
    assert signature.made_with(KEYS)
    assert not signature.made_with(Credentials(KEYS.secret_id, "another"))


@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=1, max_value=255))
def test_one_changed_byte_breaks_a_signature(place: int, change: int) -> None:
    raw = bytearray(base64.b64decode(VECTORS[0]["sign"]))
    raw[place % len(raw)] ^= change
    try:
        signature = LegacySignature.parse(base64.b64encode(raw).decode())
    except Unauthorised:
        return
    assert not signature.made_with(KEYS)


@given(st.text())
@example("é")
@example(base64.b64encode(b"x" * 20 + b"a=1&k=2&e=\xc2\xb2&t=4").decode())
@example(base64.b64encode(b"x" * 20 + b"a=1&a=2&k=2&e=3&t=4").decode())
def test_what_is_no_signature_is_refused_with_the_vendors_code(header: str) -> None:
    with pytest.raises(Unauthorised) as caught:
        LegacySignature.parse(header)
    assert caught.value.code == "5"


def test_the_key_never_shows() -> None:
    assert KEYS.secret_key not in repr(KEYS) + str(KEYS) + f"{KEYS}"
    with pytest.raises(ConfigurationError) as caught:
        Credentials("id", "se cret\n")
    assert "se cret" not in str(caught.value)


def legacy_digest(plain: bytes) -> bytes:
    return hmac.new(KEYS.secret_key.encode(), plain, hashlib.sha1).digest()


# --- the verdict --------------------------------------------------------------------------------------------------------


def verdict(*scores: tuple[str, float], threshold: float = 80, margin: float = 5) -> Match | NonMatch:
    return judge((Candidate(*score) for score in scores), threshold=threshold, margin=margin, engine="e")


def test_a_match_needs_threshold_and_margin_over_another_person() -> None:
    assert verdict(("a", 80.0)) == Match("a", 80.0, 100.0, "e")
    assert verdict(("b", 85.0), ("a", 90.0)) == Match("a", 90.0, 5.0, "e")
    assert verdict(("a", 90.0), ("a", 89.0), ("b", 40.0)) == Match("a", 90.0, 50.0, "e")
    assert verdict(("a", 79.9)) == NonMatch("not_recognised", 79.9, "e")
    assert verdict(("a", 90.0), ("b", 85.1)) == NonMatch("ambiguous", 90.0, "e")
    assert verdict(("a", 90.0), ("b", 90.0), margin=0) == NonMatch("ambiguous", 90.0, "e")
    assert verdict() == NonMatch("nobody_enrolled", 0.0, "e")


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=8), st.floats(0, 100), st.floats(0, 100), st.randoms()
)
def test_a_verdict_does_not_depend_on_the_order(
    scores: list[tuple[str, float]], threshold: float, margin: float, random: Any
) -> None:
    first = verdict(*scores, threshold=threshold, margin=margin)
    random.shuffle(scores)
    assert verdict(*scores, threshold=threshold, margin=margin) == first
    if isinstance(first, Match):
        others = [score for person, score in scores if person != first.person]
        assert first.score >= threshold
        assert all(first.score - other >= margin and first.score > other for other in others)


# --- a cloud that knows people ------------------------------------------------------------------------------------------


def signatures(cloud: Cloud) -> list[LegacySignature]:
    return [LegacySignature.parse(header(request, "Authorization")) for request in cloud.requests]


def found(*people: tuple[str, float]) -> dict[str, Any]:
    candidates = [{"person_id": p, "face_id": "1", "confidence": c, "tag": ""} for p, c in people]
    return {"data": {"session_id": "s", "candidates": candidates}, "code": 0, "message": "OK"}


def refuses(code: int, **headers: str) -> Behaviour:
    return says({"code": code, "message": "no", "data": {}}, **headers)


OK = says(found(("ann", 91.5)))


def settings(port: int, **more: Any) -> TencentLegacySettings:
    given = {
        "endpoint": f"http://127.0.0.1:{port}",
        "appid": "10000001",
        "bucket": "tencentyun",
        "group_ids": ("tencent",),
        **more,
    }
    return TencentLegacySettings(**given)


class Engine(LegacyRecogniser):
    """The recogniser, and the candidates its verdicts rest on."""

    async def among(self, photo: bytes, deadline: float) -> list[Candidate]:
        return candidates_of(await self._client.call(identification(self._section.group_ids, image=photo), deadline))


@asynccontextmanager
async def engine_of(cloud: Cloud, *, options: dict[str, Any] | None = None, **more: Any) -> AsyncIterator[Engine]:
    section = settings(cloud.port, **more)
    async with asyncio.timeout(20):
        given = options or {}
        caller = Caller(
            [Transport(section.endpoint, section.ca_file)],
            server_clock=ServerClock(given.get("wall", time.time)),
            watch=given.get("watch", unwatched),
        )
        client = LegacyInterfaces(
            caller,
            KEYS,
            appid=section.appid,
            bucket=section.bucket,
            upload=section.upload,
            **({"nonce": given["nonce"]} if "nonce" in given else {}),
        )
        engine = Engine(client, caller, section)
        try:
            yield engine
        finally:
            await engine.close()


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "FIRST_PAUSE", 0.001)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)


# --- what is sent -------------------------------------------------------------------------------------------------------


def form(request: bytes) -> list[tuple[str, bytes]]:
    head, _, body = request.partition(b"\r\n\r\n")
    boundary = re.search(rb"boundary=(\S+)", head)
    assert boundary
    parts = body.split(b"--" + boundary[1])
    assert (parts[0], parts[-1]) == (b"", b"--\r\n")
    return [(re.findall(rb' name="([^"]*)"', part)[0].decode(), part.partition(b"\r\n\r\n")[2][:-2]) for part in parts[1:-1]]


FROZEN_CLOCK: dict[str, Any] = {"wall": lambda: float(FROZEN), "nonce": lambda: RANDOM}


async def test_a_form_says_what_the_vendors_package_says() -> None:
    capture = (DATA / "legacy_py_identify_file.http").read_bytes()
    image = dict(form(capture))["image"]
    async with Cloud(OK).running() as cloud, engine_of(cloud, options=FROZEN_CLOCK) as engine:
        await engine.among(image, soon())
    (request,) = cloud.requests
    assert request.startswith(b"POST /face/identify HTTP/1.1\r\n")
    assert header(request, "Authorization") == header(capture, "Authorization")
    assert form(request) == form(capture)
    assert b'name="image"; filename="image.jpeg"\r\nContent-Type: image/jpeg\r\n' in request
    assert request.count(b"filename=") == 1


async def test_json_says_what_the_vendors_package_says() -> None:
    capture = (DATA / "legacy_py_identify_url.http").read_bytes()
    async with Cloud(OK).running() as cloud, engine_of(cloud, upload="json", options=FROZEN_CLOCK) as engine:
        await engine.among(JPEG, soon())
    (request,) = cloud.requests
    ours, theirs = (list(json.loads(r.partition(b"\r\n\r\n")[2]).items()) for r in (request, capture))
    assert ours[:-1] == theirs[:-1]
    assert ours[-1] == ("image", base64.b64encode(JPEG).decode())
    assert header(request, "Content-Type") == header(capture, "Content-Type")
    assert header(request, "Authorization") == header(capture, "Authorization")


async def test_several_groups_and_no_bucket() -> None:
    async with Cloud(OK).running() as cloud:
        for upload in ("multipart", "json"):
            async with engine_of(cloud, upload=upload, bucket="", group_ids=("staff", "guests")) as engine:
                await engine.among(JPEG, soon())
    assert form(cloud.requests[0]) == [
        ("appid", b"10000001"), ("group_ids[0]", b"staff"), ("group_ids[1]", b"guests"), ("image", JPEG),
    ]  # fmt: skip
    sent = json.loads(cloud.requests[1].partition(b"\r\n\r\n")[2])
    assert list(sent) == ["appid", "group_ids", "image"]
    assert sent["group_ids"] == ["staff", "guests"]


@pytest.mark.parametrize(("upload", "size"), [("multipart", MAX_BODY), ("json", MAX_BODY * 3 // 4)])
async def test_a_probe_over_the_limit_is_never_sent(upload: str, size: int) -> None:
    async with Cloud(OK).running() as cloud, engine_of(cloud, upload=upload) as engine:
        with pytest.raises(ProbeRejected, match=f"{size} of them pictures.*1500000") as caught:
            await engine.among(JPEG.ljust(size), soon())
        assert caught.value.slug == "request_out_of_bounds"
        await engine.among(JPEG.ljust(size - 1_000), soon())
    assert len(cloud.requests) == 1
    assert len(cloud.requests[0].partition(b"\r\n\r\n")[2]) <= MAX_BODY


async def test_calls_share_a_connection_and_warming_opens_it() -> None:
    async with Cloud(says(b"", status="404 Not Found"), OK).running() as cloud, engine_of(cloud) as engine:
        await engine.warm()
        await engine.among(JPEG, soon())
        await engine.among(JPEG, soon())
    assert cloud.connections == 1
    assert cloud.requests[0].startswith(b"HEAD / ")


async def test_warming_leaves_faults_to_the_first_call() -> None:
    async with Cloud(OK).running() as cloud:
        pass
    async with engine_of(cloud) as engine:
        await engine.warm()
        with pytest.raises(Transient, match="cloud_unreachable"):
            await engine.among(JPEG, soon())


# --- what comes back ----------------------------------------------------------------------------------------------------


async def test_candidates_come_sorted_whatever_status_and_type() -> None:
    answer = found(("bob", 55.0), ("ann", 91.5))
    answer["data"]["candidates"].append({"person_id": "eve", "confidence": 60})
    script = (says(answer, Content_Type="text/html"), says(answer, status="500 Oops"))
    async with Cloud(*script).running() as cloud, engine_of(cloud) as engine:
        for _ in script:
            assert [(c.person, c.score) for c in await engine.among(JPEG, soon())] == [
                ("ann", 91.5), ("eve", 60.0), ("bob", 55.0),
            ]  # fmt: skip


def with_confidence(text: str) -> bytes:
    return json.dumps(found(("ann", 1.0))).replace("1.0", text).encode()


LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + json.dumps(found(("ann", 91.5))).encode()
CHUNK = b"%x\r\n" % 100_000 + bytes(100_000) + b"\r\n"

FAULTS: dict[str, tuple[Behaviour, type[RecogniserError], str]] = {
    "silence": (silent, Transient, "deadline_exceeded"),
    "slow headers": (drips(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1_000), Transient, "deadline_exceeded"),
    "slow body": (drips(LONG + b" " * 1_000), Transient, "deadline_exceeded"),
    "stalled body": (sends(LONG), Transient, "deadline_exceeded"),
    "dropped in the body": (sends(LONG, close=True), Transient, "cloud_unreachable"),
    "dropped before the head": (sends(b"", close=True), Transient, "cloud_unreachable"),
    "reset": (resets, Transient, "cloud_unreachable"),
    "no HTTP": (sends(b"220 smtp ready\r\n" * 2, close=True), Transient, "cloud_unreachable"),
    "redirect": (says(HTML, status="302 Found", Location="/elsewhere"), ContractViolation, "answer_makes_no_sense"),
    "captive portal": (says(HTML, Content_Type="application/json"), ContractViolation, "answer_makes_no_sense"),
    "gateway error": (says(HTML, status="502 Bad Gateway"), Transient, "cloud_error"),
    "truncated": (says(json.dumps(found(("ann", 9))).encode()[:-3]), ContractViolation, "answer_makes_no_sense"),
    "empty": (says(b""), ContractViolation, "answer_makes_no_sense"),
    "not UTF-8": (says(b'{"code":0,"data":{"candidates":[]},"x":"\xff"}'), ContractViolation, "answer_makes_no_sense"),
    "gzip": (says(b"\x1f\x8b\x08\x00", Content_Encoding="gzip"), ContractViolation, "answer_makes_no_sense"),
    "NaN": (says(with_confidence("NaN")), ContractViolation, "answer_makes_no_sense"),
    "Infinity": (says(with_confidence("Infinity")), ContractViolation, "answer_makes_no_sense"),
    "1e999": (says(with_confidence("1e999")), ContractViolation, "answer_makes_no_sense"),
    "over 100": (says(with_confidence("100.001")), ContractViolation, "answer_makes_no_sense"),
    "negative": (says(with_confidence("-0.1")), ContractViolation, "answer_makes_no_sense"),
    "text for a number": (says(with_confidence('"99"')), ContractViolation, "answer_makes_no_sense"),
    "null for a number": (says(with_confidence("null")), ContractViolation, "answer_makes_no_sense"),
    "no candidates": (says({"code": 0, "message": "OK", "data": {}}), ContractViolation, "answer_makes_no_sense"),
    "no data": (says({"code": 0, "message": "OK"}), ContractViolation, "answer_makes_no_sense"),
    "no code": (says({"data": {"candidates": []}}), ContractViolation, "answer_makes_no_sense"),
    "code as text": (says({**found(), "code": "0"}), ContractViolation, "answer_makes_no_sense"),
    "code false": (says({**found(), "code": False}), ContractViolation, "answer_makes_no_sense"),
    "a list": (says(b"[]"), ContractViolation, "answer_makes_no_sense"),
    "nested deeply": (says(b'{"data":' + b"[" * 200_000), ContractViolation, "answer_makes_no_sense"),
    "no person": (says(json.dumps(found(("", 99))).encode()), ContractViolation, "answer_makes_no_sense"),
    "oversized": (says(b" " * (MAX_ANSWER + 1)), ContractViolation, "answer_too_large"),
    "endless": (
        sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK * 12),
        ContractViolation,
        "answer_too_large",
    ),
}


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_ends_in_time_with_its_error(name: str) -> None:
    behaviour, kind, slug = FAULTS[name]
    deadline = 0.4 if slug == "deadline_exceeded" else 15.0
    async with Cloud(behaviour).running() as cloud, engine_of(cloud) as engine:
        with pytest.raises(RecogniserError) as caught:
            await engine.among(JPEG, soon(deadline))
    assert (type(caught.value), caught.value.slug) == (kind, slug)
    assert len(cloud.requests) == (3 if slug in {"cloud_unreachable", "cloud_error"} else 1)


@pytest.mark.usefixtures("_no_pauses")
async def test_nobody_listens() -> None:
    async with Cloud(OK).running() as cloud:
        pass
    async with engine_of(cloud) as engine:
        with pytest.raises(Transient, match="cloud_unreachable"):
            await engine.among(JPEG, soon())
        with pytest.raises(Transient, match="deadline_exceeded"):
            await engine.among(JPEG, time.monotonic())


async def test_a_redirect_carries_the_picture_nowhere() -> None:
    async with Cloud(OK).running() as other:
        location = f"http://127.0.0.1:{other.port}/face/identify"
        portal = Cloud(says(b"", status="307 Temporary Redirect", Location=location))
        async with portal.running() as cloud, engine_of(cloud) as engine:
            with pytest.raises(ContractViolation):
                await engine.among(JPEG, soon())
    assert (len(cloud.requests), other.connections) == (1, 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "data", "candidates", "person_id"]), inner)
    ),
    max_leaves=8,
)
almost = st.builds(
    lambda code, data, candidate: json.dumps(
        {"code": code, "message": "m", "data": data or {"candidates": [candidate]}}
    ).encode(),
    st.sampled_from([0, 0, 0, 9, 24, -1101, 77]) | json_values,
    json_values,
    st.fixed_dictionaries({"person_id": json_values | st.just("a"), "confidence": json_values | st.floats()}),
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()) | almost)
def test_any_body_yields_candidates_or_an_error_of_the_tree(body: bytes) -> None:
    try:
        answer = read(body, Identification)
    except RecogniserError:
        return
    assert all(0 <= candidate.confidence <= 100 for candidate in answer.candidates)


# --- retries and the clock ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize(
    ("script", "requests", "outcome"),
    [
        ([refuses(213), refuses(107), OK], 3, None),
        ([refuses(213)], 3, Transient),
        ([refuses(-1103), OK], 2, None),
        ([refuses(-1103)], 2, Transient),
        ([resets, OK], 2, None),
        ([refuses(-1101)], 1, ProbeRejected),
        ([refuses(14)], 1, Unauthorised),
        ([refuses(77)], 1, ContractViolation),
    ],
)
async def test_the_table_says_what_is_repeated(
    script: list[Behaviour], requests: int, outcome: type[RecogniserError] | None
) -> None:
    async with Cloud(*script).running() as cloud, engine_of(cloud) as engine:
        if outcome is None:
            assert (await engine.among(JPEG, soon()))[0].person == "ann"
        else:
            with pytest.raises(outcome):
                await engine.among(JPEG, soon())
    assert len(cloud.requests) == requests
    assert len({signature.plain for signature in signatures(cloud)}) == requests, "signed afresh each time"


async def test_a_pause_never_reaches_over_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "FIRST_PAUSE", 1_000.0)
    async with Cloud(refuses(213)).running() as cloud, engine_of(cloud) as engine:
        with pytest.raises(Transient) as caught:
            await engine.among(JPEG, soon())
    assert caught.value.code == "213"


def late(seconds: float, code: int = 9) -> Behaviour:
    return refuses(code, Date=formatdate(FROZEN + seconds, usegmt=True))


async def test_the_servers_clock_is_learnt_once_and_kept() -> None:
    seen: list[CallEvent] = []
    options = {**FROZEN_CLOCK, "watch": seen.append}
    async with Cloud(late(3_600), OK).running() as cloud, engine_of(cloud, options=options) as engine:
        await engine.among(JPEG, soon())
        await engine.among(JPEG, soon())
    assert [signature.issued - FROZEN for signature in signatures(cloud)] == [0, 3_600, 3_600]
    assert [round(event.seconds) for event in seen if isinstance(event, SkewLearnt)] == [3_600]


@pytest.mark.parametrize(
    ("script", "requests"),
    [
        ([late(3_600), late(7_200)], 2),
        ([late(0)], 1),
        ([refuses(9)], 1),
        ([refuses(9, Date="Mon, 99 Foo")], 1),
        ([refuses(9, Date="Fri, 31 Dec 9999 23:59:59 -2359")], 1),
    ],
)
async def test_a_clock_that_cannot_be_learnt_is_an_error(script: list[Behaviour], requests: int) -> None:
    async with Cloud(*script).running() as cloud, engine_of(cloud, options=FROZEN_CLOCK) as engine:
        with pytest.raises(ClockRejected) as caught:
            await engine.among(JPEG, soon())
    assert (caught.value.slug, caught.value.code) == ("clock_rejected", "9")
    assert len(cloud.requests) == requests


@pytest.mark.usefixtures("_no_pauses")
async def test_every_request_is_observed_and_nothing_secret_is_logged() -> None:
    seen: list[CallEvent] = []
    options = {"watch": seen.append}
    script = (refuses(213), resets, says(HTML), OK)
    async with Cloud(*script).running() as cloud, engine_of(cloud, options=options) as engine:
        with capture_logs() as logs, pytest.raises(ContractViolation) as caught:
            await engine.among(JPEG, soon())
        await engine.among(JPEG, soon())
    asked = [event for event in seen if isinstance(event, Asked)]
    assert {event.interface for event in asked} == {"identify"}
    assert [event.outcome for event in asked] == ["213", "cloud_unreachable", "answer_makes_no_sense", "0"]
    assert all(event.seconds >= 0 for event in asked)
    told = repr(logs) + repr(seen) + repr(caught.value)
    assert KEYS.secret_key not in told
    assert "\\xff\\xd8" not in told
    assert "xff" not in repr(Payload("image/jpeg", JPEG))


# --- transport ----------------------------------------------------------------------------------------------------------


async def test_a_proxy_of_the_environment_is_used_but_not_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Cloud(OK).running() as proxy, Cloud(OK).running() as cloud:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with engine_of(cloud) as engine:
            await engine.among(JPEG, soon())
        assert (proxy.connections, cloud.connections) == (0, 1)
        transport = Transport("http://faces.example")
        await transport.exchange("POST", "/face/identify", body=b"x", deadline=soon())
        await transport.close()
    assert proxy.requests[0].startswith(b"POST http://faces.example/face/identify HTTP/1.1\r\n")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certificate_in(tmp_path)


@pytest.mark.usefixtures("_no_pauses")
async def test_certificates_are_checked(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with Cloud(OK).running(tls) as cloud:
        endpoint = f"https://127.0.0.1:{cloud.port}"
        async with engine_of(cloud, endpoint=endpoint) as engine:
            with pytest.raises(Transient, match="CERTIFICATE_VERIFY_FAILED"):
                await engine.among(JPEG, soon())
        assert cloud.requests == []
        async with engine_of(cloud, endpoint=endpoint, ca_file=certificate) as engine:
            assert (await engine.among(JPEG, soon()))[0].person == "ann"


def test_what_cannot_work_is_refused_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="ca_file"):
        Transport("https://faces.example", tmp_path / "missing.pem")
    for wrong, where in (({"appid": "1&k=2"}, "appid"), ({"bucket": "a b"}, "bucket")):
        with pytest.raises(ValueError, match=where):
            settings(1, **wrong)
    caller = Caller([Transport("http://127.0.0.1:1")])
    with pytest.raises(ConfigurationError, match="group_ids"):
        LegacyRecogniser(LegacyInterfaces(caller, KEYS, appid="1"), caller, settings(1, group_ids=()))
    monkeypatch.setenv("ALL_PROXY", "gopher://proxy:1")
    with pytest.raises(ConfigurationError, match="proxy"):
        Transport("https://faces.example")


# --- the recogniser -----------------------------------------------------------------------------------------------------


def probe() -> Probe:
    face = Face(Box(0, 0, 100, 100), 0.9, ((30, 30), (70, 30), (50, 50), (35, 70), (65, 70)))
    return Probe(1, "front", 0.0, JPEG, (100, 100), face, QualityReport({}, (), 4))


async def test_the_recogniser_gives_verdicts_and_raises_faults() -> None:
    script = (OK, says(found(("ann", 91.5), ("bob", 90.0))), says(found()), refuses(-1306))
    async with Cloud(*script).running() as cloud, engine_of(cloud, threshold=80.0, margin=5.0) as engine:
        assert await engine.identify(probe(), soon()) == Match("ann", 91.5, 100.0, "tencent-legacy")
        assert await engine.identify(probe(), soon()) == NonMatch("ambiguous", 91.5, "tencent-legacy")
        assert await engine.identify(probe(), soon()) == NonMatch("nobody_enrolled", 0.0, "tencent-legacy")
        with pytest.raises(Unauthorised, match="group_unknown"):
            await engine.identify(probe(), soon())
