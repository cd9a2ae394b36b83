"""One request and its answer on the socket: whole, or on purpose not."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable

from starlette.types import Receive, Scope, Send

from kiosk.sandbox.doors import Trouble

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time. What is closed then is reset."""
_DRIBBLES = 10

Headers = Iterable[tuple[bytes, bytes]]


class Room:
    """Bytes of requests' bodies that may be held at the same time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0


class Exchange:
    """Of one request; for its task alone. It reaches below HTTP, so it needs a connection of `kiosk.http_server`.

    `received` and `sent`: bytes of the bodies so far; `begun`: the caller has some of an answer.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, room: Room) -> None:
        self._transport: asyncio.Transport = scope["state"]["transport"]
        self._receive = receive
        self._send = send
        self._room = room
        self.received = 0
        self.sent = 0
        self.begun = False

    async def body(self, most: int) -> tuple[bytes, Trouble | None]:
        """What was received, and what is wrong with it, as soon as it is known. It is held until `let_go`."""
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                return b"", Trouble.HUNG_UP
            chunk = message["body"]
            body += chunk
            self.received += len(chunk)
            self._room.held += len(chunk)
            if self.received > most:
                return b"", Trouble.TOO_LARGE
            if self._room.held > self._room.most:
                return b"", Trouble.BUSY
            if not message["more_body"]:
                return bytes(body), None

    def let_go(self) -> None:
        self._room.held -= self.received

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        await self._begin(status, headers, len(body))
        await self._go_on(body, more=False)

    async def answer_slowly(self, headers: Headers, body: bytes, seconds: float) -> None:
        """Its body comes in pieces over so many seconds."""
        await self._begin(200, headers, len(body))
        size = len(body) // _DRIBBLES + 1
        for start in range(0, len(body), size):
            await asyncio.sleep(seconds / _DRIBBLES)
            await self._go_on(body[start : start + size], more=start + size < len(body))

    async def answer_half(self, headers: Headers, body: bytes) -> None:
        """Says how long the answer is, and hangs up in the middle of it."""
        await self._begin(200, headers, len(body))
        await self._go_on(body[: len(body) // 2], more=True)
        self._transport.close()
        await self._wait_for_the_end()

    async def hang_up(self, *, reset: bool) -> None:
        """Without an answer."""
        if reset:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()
        await self._wait_for_the_end()

    async def _begin(self, status: int, headers: Headers, length: int) -> None:
        self.begun = True
        said = [*headers, (b"content-length", b"%d" % length)]
        await self._send({"type": "http.response.start", "status": status, "headers": said})

    async def _go_on(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self.sent += len(body)

    async def _wait_for_the_end(self) -> None:
        # An application that ends without an answer before it has seen the end is given one by the library.
        while (await self._receive())["type"] != "http.disconnect":
            pass
