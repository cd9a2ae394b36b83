"""Our client of today's interfaces beside the vendor's own package: the same calls to one server on this machine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from kiosk.bench.report import Report, median, percentile
from kiosk.errors import ConfigurationError

SIZES = (0, 60_000, 300_000)
"""Bytes of each of the two pictures; 0: two addresses instead."""
_KEY_ID, _KEY = "AKIDEXAMPLE00000000000000000000000000", "EXAMPLEKEY000000000000000000000000"
_URL = "http://test.image.myqcloud.com/test.jpg"
_BLOCK = 25
"""Calls made by one client before it is the other's turn, so that both meet the same neighbours on the machine."""
_SOF = b"\xff\xd8\xff\xc0\x00\x11\x08\x01\xe0\x02\x80\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
"""The beginning of a JPEG of 640 × 480 px."""

_OURS = """
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.comparing import CompareMaskFace
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
"""
_THEIRS = """
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.iai.v20200303 import iai_client, models
"""
_WEIGH = """
import os, sys, time
begun = time.perf_counter()
{imports}
spent = time.perf_counter() - begun
with open("/proc/self/statm") as statm:
    pages = int(statm.read().split()[1])
print(spent * 1000, pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(sys.modules))
"""


class _Timing(NamedTuple):
    wall: list[float]
    """Milliseconds of each call."""
    cpu: list[float]
    """Milliseconds of this process's CPU a call, one figure a block."""


Call = Callable[[int], Awaitable[None]]


async def measure(report: Report, calls: int, starts: int) -> None:
    """`calls` of each client at each size; `starts` of a fresh interpreter for import time and memory.

    Raises ConfigurationError `configuration_missing` where the vendor's package is not installed.
    """
    async with _server() as port, _our_call(port) as ours:
        theirs = _their_call(port)
        rows = [row for size in SIZES for row in await _compare(size, calls, ours, theirs)]
    report.add(
        "client: CompareMaskFace, ours and the vendor's",
        f"{calls} calls of each at each size after 25 to warm up, one after the other over a kept connection, in blocks of "
        f"{_BLOCK} by turns in one process; plain HTTP to a server in another process on this machine. Pictures start as "
        "bytes: base64, JSON, SHA-256, signature, HTTP and reading the answer are all in. CPU: of the client's process.",
        rows,
    )
    report.add(
        "client: import",
        f"medians of {starts} fresh interpreters each, by turns: all a caller of CompareMaskFace imports; "
        "resident memory afterwards, with a bare interpreter's beside it.",
        _weights(starts),
    )


async def _compare(size: int, calls: int, ours: Call, theirs: Call) -> list[dict[str, Any]]:
    clients = {"ours": ours, "vendor's": theirs}
    timings = {name: _Timing([], []) for name in clients}
    for call in clients.values():
        await _block(call, size, _Timing([], []))
    for _ in range(max(calls // _BLOCK, 1)):
        for name, call in clients.items():
            await _block(call, size, timings[name])
    vendor = median(timings["vendor's"].cpu)
    return [
        {
            "images": f"2 × {size} B",
            "client": name,
            "median_us": round(median(timing.wall) * 1000),
            "p99_us": round(percentile(timing.wall, 0.99) * 1000),
            "cpu_us": round(median(timing.cpu) * 1000),
            "cpu_of_vendor's": f"{median(timing.cpu) / vendor:.2f}",
        }
        for name, timing in timings.items()
    ]


async def _block(call: Call, size: int, timing: _Timing) -> None:
    cpu = time.process_time()
    for _ in range(_BLOCK):
        begun = time.perf_counter()
        await call(size)
        timing.wall.append((time.perf_counter() - begun) * 1000)
    timing.cpu.append((time.process_time() - cpu) / _BLOCK * 1000)


@contextlib.asynccontextmanager
async def _our_call(port: int) -> AsyncIterator[Call]:
    from kiosk.recognition.tencent.calls import Caller  # noqa: PLC0415 (only this benchmark needs them)
    from kiosk.recognition.tencent.iai.client import Account, IaiClient  # noqa: PLC0415
    from kiosk.recognition.tencent.iai.comparing import CompareMaskFace  # noqa: PLC0415
    from kiosk.recognition.tencent.limiter import Limiter  # noqa: PLC0415
    from kiosk.recognition.tencent.signing import Credentials  # noqa: PLC0415
    from kiosk.recognition.tencent.transport import Transport  # noqa: PLC0415

    # The vendor's rate would be what is measured otherwise.
    caller = Caller([Transport(f"http://127.0.0.1:{port}")], Limiter(rate=100_000))
    client = IaiClient(caller, Account(Credentials(_KEY_ID, _KEY)))
    pictures = {size: _picture(size) for size in SIZES if size}

    async def call(size: int) -> None:
        if size:
            request = CompareMaskFace(image_a=pictures[size], image_b=pictures[size])
        else:
            request = CompareMaskFace(url_a=_URL, url_b=_URL)
        answer = await client.call(request, time.monotonic() + 60)
        assert answer.score == 87.3

    try:
        yield call
    finally:
        await caller.close()


def _their_call(port: int) -> Call:
    try:
        from tencentcloud.common import credential  # noqa: PLC0415 (a package of the tests)
        from tencentcloud.common.profile.client_profile import ClientProfile  # noqa: PLC0415
        from tencentcloud.common.profile.http_profile import HttpProfile  # noqa: PLC0415
        from tencentcloud.iai.v20200303 import iai_client, models  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError("configuration_missing", f"{error}; install kiosk[test]") from error

    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{port}"))
    client = iai_client.IaiClient(credential.Credential(_KEY_ID, _KEY), "ap-guangzhou", profile)
    pictures = {size: _picture(size) for size in SIZES if size}

    async def call(size: int) -> None:
        request = models.CompareMaskFaceRequest()
        request.FaceModelVersion = "3.0"
        if size:
            request.ImageA = base64.b64encode(pictures[size]).decode("ascii")
            request.ImageB = base64.b64encode(pictures[size]).decode("ascii")
        else:
            request.UrlA = request.UrlB = _URL
        assert client.CompareMaskFace(request).Score == 87.3

    return call


def _picture(size: int) -> bytes:
    """As far as a client looks, a JPEG; the rest is noise, as of a compressed picture."""
    return _SOF + os.urandom(size - len(_SOF))


@contextlib.asynccontextmanager
async def _server() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "kiosk.bench.stub", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None, "it was asked for"
    try:
        async with asyncio.timeout(20):
            port = int(await process.stdout.readline())
        yield port
    finally:
        process.kill()
        await process.wait()


def _weights(starts: int) -> list[dict[str, Any]]:
    imports = {"bare interpreter": "", "ours": _OURS, "vendor's": _THEIRS}
    found: dict[str, list[list[float]]] = {name: [] for name in imports}
    for _ in range(starts + 1):
        for name, lines in imports.items():
            done = subprocess.run(
                [sys.executable, "-c", _WEIGH.format(imports=lines)], capture_output=True, check=True, text=True
            )
            found[name].append([float(word) for word in done.stdout.split()])
    rows = []
    for name, runs in found.items():
        spent, memory, modules = (median([run[i] for run in runs[1:]]) for i in range(3))
        rows.append({"client": name, "import_ms": round(spent, 1), "rss_MB": round(memory, 1), "modules": int(modules)})
    return rows
