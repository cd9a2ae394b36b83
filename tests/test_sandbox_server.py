"""The sandbox as a server among strangers: bounded in time, bytes and work, over plain HTTP and TLS."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosk import http_server
from kiosk.errors import ConfigurationError, Transient
from kiosk.ports import USUAL, AnalysedPhoto, Wish
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.comparing import CompareFace
from kiosk.recognition.tencent.legacy_library import NewPerson
from kiosk.recognition.tencent.transport import Transport
from kiosk.sandbox import pace, server, tls
from kiosk.sandbox.faults import read_json
from kiosk.sandbox.pace import Pace
from kiosk.sandbox.server import create_app, serve
from tests.sandbox_front import front
from tests.sandbox_stage import APPID, BUCKET, KEYS, Eye, photo, soon


class Drowsy(Eye):
    """Looks at photos only when told to wake."""

    def __init__(self) -> None:
        super().__init__()
        self.awake = asyncio.Event()

    async def analyse(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        found = await super().analyse(photo, wish)
        await self.awake.wait()
        return found


async def until_seen(eye: Eye, photos: int) -> None:
    while eye.seen < photos:
        await asyncio.sleep(0.01)


# --- work ---------------------------------------------------------------------------------------------------------------


async def test_more_work_than_there_are_hands_for_is_told_to_slow_down() -> None:
    eye = Drowsy()
    async with front(eye, at_work=2) as sandbox:
        waiting = [asyncio.create_task(sandbox.code(sandbox.compare())) for _ in range(2)]
        await until_seen(eye, 2)
        assert await sandbox.code(sandbox.compare()) == "RequestLimitExceeded"
        assert await sandbox.code(sandbox.identify()) == "15"
        eye.awake.set()
        assert await asyncio.gather(*waiting) == ["0", "0"]
        assert await sandbox.code(sandbox.identify()) == "-1306"


async def test_work_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ANSWER_WITHIN", 0.1)
    async with front(Drowsy()) as sandbox, sandbox.clients() as (_, old):
        assert await sandbox.code(sandbox.compare()) == "FailedOperation.RequestTimeout"
        with pytest.raises(Transient) as caught:
            await old.call(NewPerson(person_id="ann", group_ids=("staff",), image=photo("ann")), soon())
        assert caught.value.code == "213"


async def test_each_interface_has_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SECOND", 1_000.0)
    async with front(qps=2) as sandbox:
        assert [await sandbox.code(sandbox.compare()) for _ in range(3)] == ["0", "0", "RequestLimitExceeded"]
        assert [await sandbox.code(sandbox.identify()) for _ in range(3)] == ["-1306", "-1306", "15"]


def test_a_rate_counts_any_second() -> None:
    rate = Pace(2)
    admitted = [rate.admits("identify", now) for now in (0.0, 0.5, 0.9, 1.0, 1.4, 1.5)]
    assert admitted == [True, True, False, True, False, True]
    assert all(Pace(None).admits("identify", 0.0) for _ in range(1_000))


async def test_latency_comes_after_the_work() -> None:
    eye = Eye()
    async with front(eye, latency=(300.0, 400.0)) as sandbox:
        call = asyncio.create_task(sandbox.talk(sandbox.compare(), within=60))
        await until_seen(eye, 2)
        assert not call.done()
        call.cancel()
    async with front(latency=(0.001, 0.002)) as sandbox:
        assert await sandbox.code(sandbox.compare()) == "0"


async def test_whoever_waits_at_the_end_is_hung_up_on(caplog: pytest.LogCaptureFixture) -> None:
    eye = Eye()
    async with front(eye, latency=(300.0, 300.0)) as sandbox:
        call = asyncio.create_task(sandbox.talk(sandbox.compare(), within=60))
        await until_seen(eye, 2)
    assert await call == b""
    assert "Exception" not in caplog.text


# --- bytes and time -----------------------------------------------------------------------------------------------------


async def test_all_bodies_together_are_bounded() -> None:
    async with front() as sandbox:
        sandbox.app._room.most = 10_000
        half = sandbox.compare(one="a" * 6_000)
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(half[:-100])
        while sandbox.app._room.held < 7_000:
            await asyncio.sleep(0.01)
        assert await sandbox.code(half) == "RequestLimitExceeded"
        writer.write(half[-100:])
        assert b'"Score"' in await reader.read()
        writer.close()
        assert sandbox.app._room.held == 0
        assert await sandbox.code(half) == "0"


async def test_a_caller_who_hangs_up_frees_what_they_sent() -> None:
    async with front() as sandbox:
        _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(sandbox.compare()[:-10])
        while not sandbox.app._room.held:
            await asyncio.sleep(0.01)
        writer.close()
        while sandbox.app._room.held:
            await asyncio.sleep(0.01)
        assert [call.code for call in sandbox.app.records.recent] == ["InvalidRequest"]


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of a body",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\n",
    ],
)
async def test_whoever_dribbles_is_hung_up_on(beginning: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REQUEST_WITHIN", 0.2)
    async with front() as sandbox:
        answer = await sandbox.talk(beginning)
        assert answer.count(b"HTTP/1.1") == beginning.count(b"HEAD")


@pytest.mark.parametrize("piece", [b"X-Header: y\r\n", b"x", b"%20"])
async def test_a_head_without_an_end_is_refused(piece: bytes) -> None:
    start = b"POST / HTTP/1.1\r\nX: " if b"\r\n" not in piece else b"POST / HTTP/1.1\r\n"
    endless = (b"POST /" if piece == b"%20" else start) + piece * (2_000_000 // len(piece))
    async with front() as sandbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(endless)
        try:
            answer = await reader.read(100)
        except ConnectionResetError:
            answer = b"HTTP/1.1 400 (lost: more came than was read)"
        assert answer.startswith(b"HTTP/1.1 400")
        writer.close()
        assert await sandbox.code(sandbox.compare()) == "0"


async def test_an_idle_connection_may_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REQUEST_WITHIN", 0.2)
    async with front() as sandbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        for _ in range(2):
            writer.write(sandbox.compare(more=""))
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
            await asyncio.sleep(0.5)
        writer.close()


async def test_requests_may_follow_each_other_closely() -> None:
    async with front() as sandbox:
        answer = await sandbox.talk(sandbox.compare(more="") * 2 + sandbox.compare())
        assert answer.count(b'"Score":100.0') == 3


async def test_a_caller_who_asks_first_is_told_to_go_on() -> None:
    async with front() as sandbox:
        head, _, body = sandbox.compare(more="Connection: close\r\nExpect: 100-continue\r\n").partition(b"\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert b'"Score":100.0' in await reader.read()
        writer.close()


async def test_a_proxy_names_the_whole_address() -> None:
    async with front() as sandbox:
        for raw in (sandbox.compare(), sandbox.identify()):
            _, path, rest = raw.split(b" ", 2)
            assert await sandbox.code(b"POST http://iai.tencentcloudapi.com" + path + b" " + rest) in {"0", "-1306"}


async def test_mangled_requests_are_never_an_error_of_ours() -> None:
    chance = random.Random(1)
    async with front() as sandbox:
        for _ in range(300):
            raw = bytearray(chance.choice((sandbox.compare(), sandbox.identify())))
            for _ in range(chance.randrange(1, 6)):
                at = chance.randrange(len(raw))
                match chance.randrange(4):
                    case 0:
                        raw[at] = chance.randrange(256)
                    case 1:
                        del raw[at : at + chance.randrange(1, 40)]
                    case 2:
                        raw[at:at] = chance.randbytes(chance.randrange(1, 40))
                    case _:
                        raw[at:at] = raw[chance.randrange(len(raw)) :][:60]
            reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
            writer.write(bytes(raw))
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            assert b"HTTP/1.1 5" not in answer, bytes(raw)
            assert b"Traceback" not in answer
        assert await sandbox.code(sandbox.compare()) == "0"
        assert sandbox.app._room.held == 0


@pytest.mark.parametrize("target", [b"*", b"http://x", b"x:1", b"/\xff", b"/%ff%00", b"//", b"/face/", b"/face/%69dentify"])
async def test_odd_targets_are_answered(target: bytes) -> None:
    async with front() as sandbox:
        answer = await sandbox.talk(b"POST " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        assert int(answer.split(b" ")[1]) in {200, 400, 404}


# --- TLS ----------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def over_tls(folder: Path) -> AsyncIterator[tuple[server.Sandbox, int, Path]]:
    proof = tls.certificate(folder, "127.0.0.1")
    app = create_app(Eye(), KEYS, APPID, BUCKET)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, "0.0.0.0", 0, port.set_result, proof.context()))
    try:
        yield app, await port, proof.ca_file
    finally:
        task.cancel()
        await asyncio.wait([task])


COMPARE = CompareFace(image_a=photo("ann"), image_b=photo("ann"))


async def test_https_for_whoever_trusts_the_certificate(tmp_path: Path) -> None:
    async with over_tls(tmp_path) as (_, port, ca_file):
        trusting = Caller([Transport(f"https://127.0.0.1:{port}", ca_file)])
        assert (await IaiClient(trusting, Account(KEYS)).call(COMPARE, soon())).score == 100.0
        await trusting.close()
        doubting = Caller([Transport(f"https://127.0.0.1:{port}")])
        with pytest.raises(Transient) as caught:
            await IaiClient(doubting, Account(KEYS)).call(COMPARE, soon())
        assert "CERTIFICATE_VERIFY_FAILED" in caught.value.detail
        await doubting.close()


@pytest.mark.parametrize("kind", ["drop", "reset", "truncated"])
async def test_faults_reach_the_socket_through_tls(kind: str, tmp_path: Path) -> None:
    async with over_tls(tmp_path) as (app, port, ca_file):
        app.script.follow(read_json(json.dumps({"fault": [{"kind": kind}]}).encode(), app.interfaces))
        transport = Transport(f"https://127.0.0.1:{port}", ca_file)
        with pytest.raises(Transient, match="cloud_unreachable"):
            await IaiClient(Caller([transport]), Account(KEYS)).call(COMPARE, soon())
        await transport.close()


def test_a_certificate_is_kept_and_renewed(tmp_path: Path) -> None:
    first = tls.certificate(tmp_path, "127.0.0.1")
    kept = first.chain_file.read_bytes()
    assert first.chain_file.stat().st_mode & 0o777 == 0o600
    assert tls.certificate(tmp_path, "127.0.0.1").chain_file.read_bytes() == kept
    other = tls.certificate(tmp_path, "192.0.2.7").chain_file.read_bytes()
    assert other != kept
    first.ca_file.write_bytes(kept)
    assert tls.certificate(tmp_path, "192.0.2.7").chain_file.read_bytes() != other
    first.chain_file.write_bytes(b"no certificate")
    ssl.create_default_context(cafile=tls.certificate(tmp_path, "localhost").ca_file)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigurationError, match="no certificate can be kept"):
        tls.certificate(file, "localhost")
