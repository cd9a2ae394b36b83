"""The sandbox with its owner's port beside it, and what knocks at either: raw sockets, our client, plain HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from kiosk import http_server
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.signing import sha256_hex, sign_legacy, sign_tc3
from kiosk.recognition.tencent.transport import Transport
from kiosk.sandbox.admin import create_admin
from kiosk.sandbox.server import Sandbox, create_app, serve
from tests.sandbox_stage import APPID, BUCKET, KEYS, Eye, base64_of


@dataclass
class Front:
    app: Sandbox
    port: int
    admin: httpx.AsyncClient

    async def talk(self, raw: bytes, *, within: float = 20) -> bytes:
        """Everything that comes back until the other side hangs up. Raises ConnectionResetError."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw)
            async with asyncio.timeout(within):
                return await reader.read()
        finally:
            writer.close()

    def compare(self, *, now: float | None = None, more: str = "Connection: close\r\n", one: str = "ann") -> bytes:
        """CompareFace of one against Ann, as bytes."""
        body = json.dumps({"ImageA": base64_of(one), "ImageB": base64_of("ann")}).encode()
        host, stamp = f"127.0.0.1:{self.port}", int(now or time.time())
        signature = sign_tc3(KEYS, host=host, now=stamp, body_sha256=sha256_hex(body))
        return (
            f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAuthorization: {signature}\r\n"
            f"X-TC-Action: CompareFace\r\nX-TC-Version: 2020-03-03\r\nX-TC-Timestamp: {stamp}\r\nX-TC-Language: en-US\r\n"
            f"{more}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def identify(self, *, now: float | None = None) -> bytes:
        """`/face/identify` of Ann among the staff, as bytes."""
        body = json.dumps({"group_id": "staff", "image": base64_of("ann")}).encode()
        signature = sign_legacy(KEYS, appid=APPID, bucket=BUCKET, now=int(now or time.time()), nonce=1)
        return (
            f"POST /face/identify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: {signature}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def code(self, raw: bytes) -> str:
        """The vendor's code of the answer to this; `0` for success."""
        answer = json.loads((await self.talk(raw)).partition(b"\r\n\r\n")[2])
        if "code" in answer:
            return str(answer["code"])
        return str(answer["Response"].get("Error", {}).get("Code", "0"))

    async def faults(self, *faults: dict[str, Any], seed: int = 0) -> None:
        answer = await self.admin.put("/faults", json={"seed": seed, "fault": faults})
        assert answer.status_code == 200, answer.text

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[tuple[IaiClient, LegacyInterfaces]]:
        """Ours, of either generation."""
        address = f"http://127.0.0.1:{self.port}"
        current, old = Caller([Transport(address)]), Caller([Transport(address)])
        try:
            yield IaiClient(current, Account(KEYS)), LegacyInterfaces(old, KEYS, appid=APPID, bucket=BUCKET)
        finally:
            await current.close()
            await old.close()


@asynccontextmanager
async def front(eye: Any = None, **options: Any) -> AsyncIterator[Front]:
    """`options` are create_app's."""
    app = create_app(eye or Eye(), KEYS, APPID, BUCKET, **options)
    loop = asyncio.get_running_loop()
    port, admin_port = loop.create_future(), loop.create_future()
    servers = [
        asyncio.create_task(serve(app, "127.0.0.1", 0, port.set_result)),
        asyncio.create_task(http_server.serve(create_admin(app), "127.0.0.1", 0, admin_port.set_result)),
    ]
    try:
        async with (
            asyncio.timeout(60),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{await admin_port}", trust_env=False) as admin,
        ):
            yield Front(app, await port, admin)
    finally:
        for server in servers:
            server.cancel()
        await asyncio.wait(servers)
