"""The demo's separate real parts: a sandbox process, a daemon process (with its eye) and the folder they live in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from kiosk.errors import CameraError, KioskError, Transient
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.legacy import LegacyClient
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import SiteSettings, TencentLegacySettings

APPID, BUCKET, GROUP = "10000001", "sandbox", "staff"
_CONFIGURATION = """\
[site]
name = "demo"
state_dir = {state}
models_dir = {models}

[cameras.front]
url = {camera}

[tencent_legacy]
endpoint = {endpoint}
appid = {appid}
bucket = {bucket}
secret_id_file = {secret_id}
secret_key_file = {secret_key}
group_ids = [{group}]

[portals.door]
camera = "front"
relay = "sim:door"
cloud_consent = true

[[rules]]
name = "staff-may-enter"
when = "verdict.kind == 'match' && verdict.score >= 80.0 && presentation.faces == 1"
effect = "grant"
unlock_seconds = 1.0

[web]
port = 0
events = true
page = {page}
{more}"""

_START_WITHIN = 60.0
_STOP_WITHIN = 10.0


class Stage:
    """Use as an async context manager: on entry sandbox and people are ready, on exit every process is gone."""

    def __init__(self, camera: str, *, page: bool, keep: Path | None = None, more: str = "") -> None:
        self.camera = camera
        self._page = page
        self._keep = keep
        self._more = more
        self._stack = AsyncExitStack()
        self.folder = Path()
        self.ready_seconds = 0.0
        self.web = ""
        self.sandbox: asyncio.subprocess.Process | None = None
        self.daemon: asyncio.subprocess.Process | None = None
        self._legacy: TencentLegacySettings | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.folder = self._keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kiosk-demo-")))
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in ("secret-id", "secret-key"):
                self._write_secret(name)
            endpoint = await self._start_sandbox(stack)
            self._legacy = TencentLegacySettings(
                endpoint=endpoint,
                appid=APPID,
                bucket=BUCKET,
                secret_id_file=self.folder / "secret-id",
                secret_key_file=self.folder / "secret-key",
                group_ids=(GROUP,),
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "journal.sqlite"

    @property
    def config(self) -> Path:
        return self.folder / "kiosk.toml"

    async def enrol(self, person: str, photo: bytes) -> None:
        """Through the vendor's own person interface, as an integrator would. Raises RecogniserError."""
        assert self._legacy is not None
        caller = Caller([Transport(self._legacy.endpoint, self._legacy.ca_file)])
        client = LegacyClient(self._legacy, self._credentials(), caller)
        try:
            await client.new_person(person, photo, time.monotonic() + 15.0, name=person)
        finally:
            await client.close()

    async def start_daemon(self, *, rewrite: bool = True) -> None:
        """Writes the configuration, unless told not to, and returns when the daemon said READY=1.

        Raises KioskError with its last words where it never did.
        """
        if rewrite:
            self.config.write_text(self._toml(), encoding="utf-8")
        with contextlib.closing(_notify_socket(self.folder / "notify")) as told:
            begun = time.monotonic()
            log = self._stack.enter_context((self.folder / "daemon.log").open("wb"))
            self.daemon = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "kiosk", "run", "--config", str(self.config)),
                env=_clean_environment() | {"NOTIFY_SOCKET": str(self.folder / "notify")},
                stdout=log,
                stderr=log,
            )
            self._stack.push_async_callback(_end, self.daemon)
            await self._until_ready(told)
            self.ready_seconds = time.monotonic() - begun

    async def stop_daemon(self) -> int:
        """SIGTERM, as systemd does; returns the exit code."""
        assert self.daemon is not None
        return await _end(self.daemon)

    async def events(self) -> AsyncIterator[Mapping[str, Any] | None]:
        """The daemon's event stream; None about once a second as a sign of life. Ends with the daemon."""
        async with httpx.AsyncClient(timeout=httpx.Timeout(5.0), trust_env=False) as client:
            try:
                async with client.stream("GET", f"{self.web}/events") as response:
                    async for line in response.aiter_lines():
                        yield msgspec.json.decode(line) if line else None
            except httpx.TransportError as error:
                raise Transient(
                    "cloud_unreachable", f"the daemon's event stream broke off: {error.__class__.__name__}"
                ) from error

    async def health(self) -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as client:
            answer = await client.get(f"{self.web}/health")
        decoded: dict[str, Any] = msgspec.json.decode(answer.content)
        return decoded

    def last_words(self, name: str) -> str:
        """The end of a process's log."""
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-8:])

    def _write_secret(self, name: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text("AKID" + secrets.token_hex(16) if name == "secret-id" else secrets.token_hex(16), encoding="utf-8")

    def _credentials(self) -> Credentials:
        return Credentials((self.folder / "secret-id").read_text(), (self.folder / "secret-key").read_text())

    async def _start_sandbox(self, stack: AsyncExitStack) -> str:
        log = stack.enter_context((self.folder / "sandbox.log").open("wb"))
        self.sandbox = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kiosk", "sandbox", "--port", "0", "--appid", APPID, "--bucket", BUCKET),
            *("--secret-id-file", str(self.folder / "secret-id"), "--secret-key-file", str(self.folder / "secret-key")),
            env=_clean_environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        stack.push_async_callback(_end, self.sandbox)
        assert self.sandbox.stdout is not None
        async with asyncio.timeout(_START_WITHIN):
            line = await self.sandbox.stdout.readline()
        if not line:
            raise CameraError("eye_lost", f"the sandbox did not start:\n{self.last_words('sandbox')}")
        return str(msgspec.json.decode(line)["listening"])

    async def _until_ready(self, told: socket.socket) -> None:
        assert self.daemon is not None
        loop = asyncio.get_running_loop()
        gone = asyncio.create_task(self.daemon.wait())
        try:
            async with asyncio.timeout(_START_WITHIN):
                while True:
                    message = asyncio.create_task(loop.sock_recv(told, 4096))
                    await asyncio.wait({message, gone}, return_when=asyncio.FIRST_COMPLETED)
                    if not message.done():
                        message.cancel()
                        raise KioskError("eye_lost", f"the daemon did not become ready:\n{self.last_words('daemon')}")
                    lines = message.result().decode().splitlines()
                    self.web = next((line.partition("=")[2] for line in lines if line.startswith("X_KIOSK_WEB=")), self.web)
                    if "READY=1" in lines:
                        return
        finally:
            gone.cancel()

    def _toml(self) -> str:
        assert self._legacy is not None
        texts = {
            "state": self.folder / "state",
            "models": SiteSettings().models_dir,
            "camera": self.camera,
            "endpoint": self._legacy.endpoint,
            "appid": APPID,
            "bucket": BUCKET,
            "group": GROUP,
            "secret_id": self._legacy.secret_id_file,
            "secret_key": self._legacy.secret_key_file,
        }
        quoted = {name: msgspec.json.encode(str(text)).decode() for name, text in texts.items()}
        return _CONFIGURATION.format(**quoted, page=str(self._page).lower(), more=self._more)


def _notify_socket(path: Path) -> socket.socket:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path.unlink(missing_ok=True)
    told.bind(str(path))
    told.setblocking(False)
    return told


def _clean_environment() -> dict[str, str]:
    """Without settings meant for another kiosk, and without systemd's own variables."""
    foreign = ("KIOSK_", "NOTIFY_SOCKET", "WATCHDOG_", "CREDENTIALS_DIRECTORY")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


async def _end(process: asyncio.subprocess.Process) -> int:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            process.kill()
    return await process.wait()
