"""`python -m kiosk.bench.stub [KIND [CORE]]`: a server to be measured against; prints its port, then serves.

`fixed` reads any POST and always gives the same answer; `bare` does so on the sandbox's web server; `sandbox` is the
sandbox over an eye that remembers every photo. With CORE it runs on that core only.
"""

from __future__ import annotations

import asyncio
import os
import re
import struct
import sys

from starlette.types import Receive, Scope, Send

from kiosk.domain import Box, Face, QualityReport
from kiosk.ports import USUAL, AnalysedFace, AnalysedPhoto, Wish

KEY_ID, KEY = "AKIDEXAMPLE00000000000000000000000000", "EXAMPLEKEY000000000000000000000000"
APPID, BUCKET = "10000001", "sandbox"
_BODY = b'{"Response": {"Score": 87.3, "FaceModelVersion": "3.0", "RequestId": "00000000-0000-0000-0000-000000000000"}}'
# Without a charset: with one, the vendor's package reads no errors.
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class _Stub(asyncio.Protocol):
    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._left:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            found = _LENGTH.search(head)
            self._left = int(found[1]) if found else 0
            self._head, data = b"", body
        self._left -= len(data)
        if self._left <= 0:
            self._left = 0
            self._transport.write(_ANSWER)


def _tell(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


async def _fixed() -> None:
    server = await asyncio.get_running_loop().create_server(_Stub, "127.0.0.1", 0)
    _tell(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _bare() -> None:
    from kiosk import http_server  # noqa: PLC0415 (each kind loads what it needs)

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})

    await http_server.serve(app, "127.0.0.1", 0, _tell)


class _Memory:
    """Has seen every photo before, and remembers the same face."""

    async def analyse(self, _: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        face = Face(Box(100, 100, 200, 200), 0.9, ((160, 160), (240, 160), (200, 200), (170, 250), (230, 250)))
        embedding = struct.pack("<128f", 1.0, *127 * (0.0,))
        seen = AnalysedFace(face, QualityReport({}, (), 4), embedding, upper=embedding if wish.upper else None)
        return AnalysedPhoto(640, 480, "jpeg", (seen,))


async def _sandbox() -> None:
    from kiosk import logs  # noqa: PLC0415
    from kiosk.recognition.tencent.signing import Credentials  # noqa: PLC0415
    from kiosk.sandbox.server import create_app, serve  # noqa: PLC0415
    from kiosk.settings import LogSettings  # noqa: PLC0415

    logs.configure(LogSettings(format="json"))
    await serve(create_app(_Memory(), Credentials(KEY_ID, KEY), APPID, BUCKET), "127.0.0.1", 0, _tell)


if __name__ == "__main__":
    kind, core = sys.argv[1] if len(sys.argv) > 1 else "fixed", sys.argv[2:]
    if core:
        os.sched_setaffinity(0, {int(core[0])})
    asyncio.run({"fixed": _fixed, "bare": _bare, "sandbox": _sandbox}[kind]())
