"""A cloud made of bytes: a real server that answers, or fails to answer, as a test's script says."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]
"""What is done with a request, whose body comes last."""
HTML = b"<html><body>Log in to HotelWiFi</body></html>"


class Cloud:
    """Answers each request by the next behaviour of `script` (the last one for ever); keeps what it was sent."""

    def __init__(self, *script: Behaviour) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1") -> AsyncIterator[Cloud]:
        server = await asyncio.start_server(self._serve, host, 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await asyncio.wait_for(asyncio.gather(*self._tasks), 10)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(head + body)
                behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                await behaviour(reader, writer, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def header(request: bytes, name: str) -> str:
    found = re.search(rb"(?im)^" + name.encode() + rb": ?(.*)\r$", request.partition(b"\r\n\r\n")[0] + b"\r\n")
    assert found, f"no {name}"
    return found[1].decode()


def sends(raw: bytes, *, close: bool = False) -> Behaviour:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(raw)
        await writer.drain()
        if close:
            raise ConnectionError

    return behave


def says(body: bytes | dict[str, Any], *, status: str = "200 OK", **headers: str) -> Behaviour:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    more = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return sends("\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *more, "", ""]).encode() + content)


def drips(raw: bytes) -> Behaviour:
    """One byte every 20 ms, until the other side goes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: bytes) -> None:
        gone = asyncio.ensure_future(reader.read(1))
        for at in range(len(raw)):
            writer.write(raw[at : at + 1])
            await asyncio.wait([gone], timeout=0.02)
            if gone.done():
                break
        await gone

    return behave


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: bytes) -> None:
    await reader.read(1)


async def resets(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionError


def soon(seconds: float = 15.0) -> float:
    return time.monotonic() + seconds


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def certificate_in(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, made now, trusted by nobody."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    file, bare = folder / "server.pem", folder / "c"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(bare)]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + bare.read_bytes())
    return file
