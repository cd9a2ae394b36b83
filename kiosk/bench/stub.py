"""`python -m kiosk.bench.stub`: a server that reads any POST and always gives the same answer; prints its port, then serves."""

from __future__ import annotations

import asyncio
import re
import sys

_BODY = b'{"Response": {"Score": 87.3, "FaceModelVersion": "3.0", "RequestId": "00000000-0000-0000-0000-000000000000"}}'
# Without a charset: with one, the vendor's package reads no errors.
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
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


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Stub, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
