"""The sandbox as a server: how many calls a core answers without looking at photos, and how many with."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import msgspec
import numpy as np

from kiosk import logs
from kiosk.bench.load import Ask, cpu_seconds, pump
from kiosk.bench.report import Report, median, percentile
from kiosk.bench.stub import APPID, BUCKET, KEY, KEY_ID
from kiosk.capture.script import assets
from kiosk.eye.photos import PhotoEye
from kiosk.ports import Wish
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.comparing import CompareFace
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_library import NewPerson
from kiosk.recognition.tencent.limiter import Limiter
from kiosk.recognition.tencent.signing import Credentials, sha256_hex, sign_legacy, sign_tc3
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import EyeSettings, LogSettings, QualitySettings, SiteSettings
from kiosk.vision.pixels import shrink

CONNECTIONS = 8
_WARM = 0.5
"""Seconds before counting begins."""
_PICTURE = b"\xff\xd8\xff\xc0\x00\x11\x08\x01\xe0\x02\x80\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01" + bytes(171)
"""As far as a client looks, a JPEG of 640 × 480 px; 192 bytes."""
_SIDE = 600
"""Pixels of the long side of the real photos."""
_KEYS = Credentials(KEY_ID, KEY)
_PEOPLE = ("P002", "P003", "P005", "P006", "P008")


class _Kind(NamedTuple):
    """`server`: the stub's kind."""

    server: str
    ask: Ask


class _Load(NamedTuple):
    """`waits`: seconds of each call; CPU seconds of the server and of this process over `seconds`."""

    waits: list[float]
    seconds: float
    server: float
    client: float


async def measure(report: Report, seconds: float, calls: int) -> None:
    """`seconds` of each kind of small call; `calls` of CompareFace with photos."""
    logs.configure(LogSettings(level="warning"))
    await _measure_path(report, seconds)
    await _measure_photos(report, calls)


# --- without looking at photos -------------------------------------------------------------------------------------------


async def _measure_path(report: Report, seconds: float) -> None:
    pictures = {"ImageA": _base64(), "ImageB": _base64()}
    kinds = {
        "HTTP alone": _Kind("bare", Ask(_nothing, b"87.3")),
        "unsigned": _Kind("sandbox", Ask(_nothing, b'"Error"')),
        "signed, no such action": _Kind("sandbox", Ask(lambda port: _current(port, "NoSuchAction", {}), b"InvalidAction")),
        "CompareFace, TC3": _Kind("sandbox", Ask(lambda port: _current(port, "CompareFace", pictures), b'"Score":100.0')),
        "/face/identify": _Kind("sandbox", Ask(_old, b'"confidence":100.0')),
    }
    loads = {name: await _load(kind, seconds) for name, kind in kinds.items()}
    report.add(
        "sandbox: the HTTP and signature path",
        f"{seconds:g} s each after {_WARM:g} s to warm up; {CONNECTIONS} kept connections, one call at a time on each, each call "
        f"signed anew, pictures of {len(_PICTURE)} B. The eye gives a remembered answer; all else is real: HTTP, signature, "
        "clock, parameters, base64, comparison or search, envelope, log line (to /dev/null) and metrics. Server on one core, "
        "this process with the load on another. per core: calls for each CPU second of the server, whatever else the machine "
        "does. Where server % is near 100, the server's CPU is the bound; else the load or the neighbours are.",
        [_path_row(name, load) for name, load in loads.items()],
    )


def _path_row(name: str, load: _Load) -> dict[str, Any]:
    answered = len(load.waits)
    return {
        "call": name,
        "calls_per_s": round(answered / load.seconds),
        "per_core": round(answered / load.server),
        "cpu_us": round(1e6 * load.server / answered),
        "server_%": round(100 * load.server / load.seconds),
        "load_%": round(100 * load.client / load.seconds),
        "p50_ms": round(1000 * median(load.waits), 2),
        "p99_ms": round(1000 * percentile(load.waits, 0.99), 2),
    }


async def _load(kind: _Kind, seconds: float) -> _Load:
    cores = sorted(os.sched_getaffinity(0))
    async with _stub(kind.server, cores[0]) as (pid, port):
        if kind.server == "sandbox":
            await _enrol(port)
        os.sched_setaffinity(0, {cores[-1]})
        try:
            await pump(port, kind.ask, CONNECTIONS, _WARM)
            server, client, begun = cpu_seconds(pid), time.process_time(), time.perf_counter()
            waits = await pump(port, kind.ask, CONNECTIONS, seconds)
            spent = time.perf_counter() - begun
            return _Load(waits, spent, cpu_seconds(pid) - server, time.process_time() - client)
        finally:
            os.sched_setaffinity(0, cores)


def _nothing(port: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 2\r\n\r\n{}" % port


def _current(port: int, action: str, fields: dict[str, str]) -> bytes:
    body, now, host = msgspec.json.encode(fields), int(time.time()), f"127.0.0.1:{port}"
    signature = sign_tc3(_KEYS, host=host, now=now, body_sha256=sha256_hex(body))
    return (
        f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAuthorization: {signature}\r\n"
        f"X-TC-Action: {action}\r\nX-TC-Version: 2020-03-03\r\nX-TC-Timestamp: {now}\r\nX-TC-Language: en-US\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def _old(port: int) -> bytes:
    body = msgspec.json.encode({"appid": APPID, "bucket": BUCKET, "group_id": "staff", "image": _base64()})
    signature = sign_legacy(_KEYS, appid=APPID, bucket=BUCKET, now=int(time.time()), nonce=1)
    return (
        f"POST /face/identify HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def _base64() -> str:
    return base64.b64encode(_PICTURE).decode("ascii")


async def _enrol(port: int) -> None:
    caller = Caller([Transport(f"http://127.0.0.1:{port}")])
    client = LegacyInterfaces(caller, _KEYS, appid=APPID, bucket=BUCKET)
    await client.call(NewPerson(person_id="somebody", group_ids=("staff",), image=_PICTURE), time.monotonic() + 10)
    await caller.close()


@asynccontextmanager
async def _stub(kind: str, core: int) -> AsyncIterator[tuple[int, int]]:
    """A server's process id and port."""
    command = (sys.executable, "-m", "kiosk.bench.stub", kind, str(core))
    async with _process(*command) as (pid, line):
        yield pid, int(line)


@asynccontextmanager
async def _process(*command: str) -> AsyncIterator[tuple[int, bytes]]:
    """Its id, and the first line it prints."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=quiet)
    assert process.stdout is not None, "it was asked for"
    try:
        async with asyncio.timeout(60):
            line = await process.stdout.readline()
        yield process.pid, line
    finally:
        process.terminate()
        await process.wait()


# --- with photos ---------------------------------------------------------------------------------------------------------


async def _measure_photos(report: Report, calls: int) -> None:
    photos = [(_photo(name, "studio_portrait"), _photo(name, "amateur_selfie")) for name in _PEOPLE]
    workers = len(os.sched_getaffinity(0))
    command = (sys.executable, "-m", "kiosk", "sandbox", "--port", "0", "--workers", str(workers))
    keys = ("--secret-id", KEY_ID, "--secret-key", KEY)
    async with _process(*command, *keys) as (pid, line):
        endpoint = str(msgspec.json.decode(line)["listening"])
        rows = [await _compare(endpoint, pid, photos, calls, at_once) for at_once in (1, workers, 2 * workers)]
    report.add(
        "sandbox: CompareFace with photos",
        f"{calls} calls each after {len(photos)} to warm up; `kiosk sandbox --workers {workers}` and this client share "
        f"{workers} core(s); portrait against selfie of {len(photos)} synthetic people, {_SIDE} px on the long side, "
        f"{sum(len(photo) for pair in photos for photo in pair) // (2 * len(photos) * 1000)} kB on average; two photos a call. "
        "CPU of the server's process and of its eyes for one call: what they leave of a core's time is idle or the neighbours'.",
        rows,
    )
    report.add(
        "sandbox: what an eye does with one photo",
        f"medians of {calls} photos each, one after the other, one eye; each row asks it for more than the one before",
        await _eye_rows([photo for pair in photos for photo in pair], calls),
    )


async def _compare(endpoint: str, pid: int, photos: Sequence[tuple[bytes, bytes]], calls: int, at_once: int) -> dict[str, Any]:
    caller = Caller([Transport(endpoint)], Limiter(rate=100_000))
    client = IaiClient(caller, Account(_KEYS))
    waits: list[float] = []

    async def call(number: int) -> None:
        begun = time.perf_counter()
        one, other = photos[number % len(photos)]
        answer = await client.call(CompareFace(image_a=one, image_b=other), time.monotonic() + 60)
        assert answer.score > 50, "the same person"
        waits.append(1000 * (time.perf_counter() - begun))

    async def several(share: range) -> None:
        for number in share:
            await call(number)

    await several(range(len(photos)))
    waits.clear()
    server, eyes, begun = cpu_seconds(pid), sum(map(cpu_seconds, _children(pid))), time.perf_counter()
    await asyncio.gather(*(several(range(start, calls, at_once)) for start in range(at_once)))
    spent = time.perf_counter() - begun
    await caller.close()
    return {
        "at_once": at_once,
        "calls_per_s": calls / spent,
        "p50_ms": median(waits),
        "p99_ms": percentile(waits, 0.99),
        "server_cpu_ms": 1000 * (cpu_seconds(pid) - server) / calls,
        "eyes_cpu_ms": 1000 * (sum(map(cpu_seconds, _children(pid))) - eyes) / calls,
    }


async def _eye_rows(photos: Sequence[bytes], count: int) -> list[dict[str, Any]]:
    wishes = {
        "decode and find": Wish(quality=False, embed="none"),
        "and embed the largest face": Wish(quality=False, embed="largest"),
        "and measure its quality": Wish(embed="largest"),
    }
    rows = []
    async with PhotoEye(QualitySettings(), EyeSettings(), SiteSettings().models_dir) as eye:
        for name, wish in wishes.items():
            waits = []
            for number in range(-len(photos), count):
                begun = time.perf_counter()
                await eye.analyse(photos[number % len(photos)], wish)
                waits.append(1000 * (time.perf_counter() - begun))
            rows.append({"asked_to": name, "ms_a_photo": median(waits[len(photos) :])})
    return rows


def _photo(name: str, kind: str) -> bytes:
    image = np.asarray(cv2.imread(str(assets(name) / f"{kind}.jpg")), np.uint8)
    done, jpeg = cv2.imencode(".jpg", shrink(image, _SIDE / max(image.shape[:2])))
    assert done
    return jpeg.tobytes()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
