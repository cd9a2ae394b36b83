"""The demo's separate real parts: a daemon process with its eye, a sandbox process where a cloud is asked, a gallery where the
device itself is, and the folder they live in.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
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

from kiosk.demo import enrolling
from kiosk.demo.equipment import ONE_TO_ONE, RULES, card_of, equipped
from kiosk.demo.processes import clean_environment, end, notify_socket
from kiosk.errors import CameraError, ConfigurationError, KioskError, Transient
from kiosk.eye.photos import PhotoEye
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile, create_key
from kiosk.recognition.strategy import DEVICE
from kiosk.settings import (
    CameraSettings,
    EyeSettings,
    OnDeviceSettings,
    PersonSettings,
    PortalSettings,
    QualitySettings,
    Section,
    SiteSettings,
    TencentIaiSettings,
    TencentLegacySettings,
    WebSettings,
)

APPID, BUCKET, GROUP = "10000001", "sandbox", "staff"
AGREED = PortalSettings(cloud_consent=True)
"""A portal whose users let the cloud see them."""
_RATE = 1e-2
"""Of the demo's few people. The vendor's tables begin at 10,000, and would ask of so few what is right for so many."""
_START_WITHIN = 60.0


class Stage:
    """Use as an async context manager: on entry sandbox and people are ready, on exit every process is gone.

    Entering raises KioskError where a part does not start, or the folder to keep holds an earlier run.
    """

    def __init__(
        self, camera: str, *, page: bool, portal: PortalSettings = AGREED, keep: Path | None = None, more: str = ""
    ) -> None:
        """`portal`: whom to ask; `more`: TOML to add to the configuration."""
        self.camera = camera
        self._page = page
        self._portal = equipped(portal)
        self._keep = keep
        self._more = more
        self._site = SiteSettings(name="demo")
        self._group = GROUP
        self._stack = AsyncExitStack()
        self._enrolling = AsyncExitStack()
        self._at_home: tuple[Gallery, PhotoEye] | None = None
        self._clouds: dict[str, TencentLegacySettings | TencentIaiSettings] = {}
        self._people: list[str] = []
        self.folder = Path()
        self.ready_seconds = 0.0
        self.web = ""
        self.sandbox: asyncio.subprocess.Process | None = None
        self.daemon: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._enrolling.aclose)
            self.folder = self._kept() or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kiosk-demo-")))
            self._site = self._site.model_copy(update={"state_dir": self.folder / "state"})
            self._site.state_dir.mkdir(parents=True, exist_ok=True)
            if set(self._portal.engines) != {DEVICE}:
                for name in ("secret-id", "secret-key"):
                    self._write_secret(name)
                self._clouds = self._sections(await self._start_sandbox(stack))
            if DEVICE in self._portal.engines or self._portal.strategy in ONE_TO_ONE:
                self._at_home = await self._open_gallery()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    @property
    def state_dir(self) -> Path:
        return self._site.state_dir

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "journal.sqlite"

    @property
    def config(self) -> Path:
        return self.folder / "kiosk.toml"

    @property
    def knows(self) -> str:
        """Where its people are enrolled."""
        cloud = "sandbox cloud ready; enrolled through its person interface" if self._clouds else ""
        home = "enrolled in the gallery of this device" if self._at_home else ""
        return " and ".join(filter(None, (cloud, home)))

    async def enrol(self, person: str, photo: bytes) -> None:
        """Wherever the portal may look for people; before the daemon starts. Raises KioskError."""
        # The sandbox has one library for both generations of interfaces.
        match self._clouds.get("tencent-iai") or self._clouds.get("tencent-legacy"):
            case TencentIaiSettings() as section:
                await enrolling.in_todays_cloud(section, person, photo)
            case TencentLegacySettings() as section:
                await enrolling.in_older_cloud(section, person, photo)
        self._people.append(person)
        if self._at_home is not None:
            await enrolling.on_device(*self._at_home, self._group, person, photo)

    async def start_daemon(self, *, rewrite: bool = True) -> None:
        """Writes the configuration, unless told not to, and returns when the daemon said READY=1.

        Raises KioskError with its last words where it never did.
        """
        await self._enrolling.aclose()
        if rewrite:
            self._configure()
        with contextlib.closing(notify_socket(self.folder / "notify")) as told:
            begun = time.monotonic()
            log = self._stack.enter_context((self.folder / "daemon.log").open("wb"))
            self.daemon = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "kiosk", "run", "--config", str(self.config), *self._overrides()),
                env=clean_environment() | {"NOTIFY_SOCKET": str(self.folder / "notify")},
                stdout=log,
                stderr=log,
            )
            self._stack.push_async_callback(end, self.daemon)
            await self._until_ready(told)
            self.ready_seconds = time.monotonic() - begun

    async def stop_daemon(self) -> int:
        """Returns the exit code."""
        assert self.daemon is not None
        return await end(self.daemon)

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

    def _kept(self) -> Path | None:
        """Raises ConfigurationError where an earlier run lies there: who is inside, or locked out, would be as that left them."""
        if self._keep is not None and any(self._keep.glob("state/*")):
            what = f"{self._keep} holds an earlier run: move it away, or name another folder"
            raise ConfigurationError("configuration_invalid", what)
        return self._keep

    def _write_secret(self, name: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text("AKID" + secrets.token_hex(16) if name == "secret-id" else secrets.token_hex(16), encoding="utf-8")

    def _sections(self, endpoint: str) -> dict[str, TencentLegacySettings | TencentIaiSettings]:
        """How the daemon asks the sandbox, by engine; only those the portal names."""
        secret_id, secret_key = self.folder / "secret-id", self.folder / "secret-key"
        both: dict[str, TencentLegacySettings | TencentIaiSettings] = {
            "tencent-legacy": TencentLegacySettings(
                endpoint=endpoint,
                appid=APPID,
                bucket=BUCKET,
                secret_id_file=secret_id,
                secret_key_file=secret_key,
                group_ids=(GROUP,),
            ),
            "tencent-iai": TencentIaiSettings(
                endpoint=endpoint,
                fallback_endpoint="",
                secret_id_file=secret_id,
                secret_key_file=secret_key,
                group_ids=(GROUP,),
                false_match_rate=_RATE,
            ),
        }
        return {name: section for name, section in both.items() if name in self._portal.engines}

    async def _open_gallery(self) -> tuple[Gallery, PhotoEye]:
        """Both until the daemon starts."""
        key = self._site.state_dir / "gallery-key"
        if not key.exists():
            create_key(key)
        gallery = Gallery.open(self._site.state_dir / "gallery.sqlite", KeyFile(key, self._site.state_dir), keep_photos=True)
        self._enrolling.callback(gallery.close)
        eye = await self._enrolling.enter_async_context(PhotoEye(QualitySettings(), EyeSettings(), self._site.models_dir))
        return gallery, eye

    async def _start_sandbox(self, stack: AsyncExitStack) -> str:
        log = stack.enter_context((self.folder / "sandbox.log").open("wb"))
        self.sandbox = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kiosk", "sandbox", "--port", "0", "--appid", APPID, "--bucket", BUCKET),
            *("--secret-id-file", str(self.folder / "secret-id"), "--secret-key-file", str(self.folder / "secret-key")),
            env=clean_environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        stack.push_async_callback(end, self.sandbox)
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

    def _configure(self) -> None:
        self.config.write_text(self._toml(), encoding="utf-8")

    def _overrides(self) -> tuple[str, ...]:
        """What the daemon is told besides, on its command line."""
        return ()

    def _toml(self) -> str:
        sections = {
            "[site]": self._site,
            "[cameras.front]": CameraSettings(url=self.camera),
            **{f"[{name.replace('-', '_')}]": section for name, section in self._clouds.items()},
            "[on_device]": OnDeviceSettings(keep_photos=self._at_home is not None),
            "[portals.door]": self._portal,
            "[[rules]]": RULES[self._portal.strategy],
            **{f"[people.{name}]": PersonSettings(cards=(card_of(name),)) for name in self._people if self._portal.readers},
            "[web]": WebSettings(port=0, events=True, page=self._page, admin=self._page),
        }
        return "\n".join((*(_table(header, section) for header, section in sections.items()), self._more))


def _table(header: str, section: Section) -> str:
    """What differs from the defaults. JSON's strings, numbers and lists are TOML's too."""
    given = section.model_dump(mode="json", exclude_defaults=True)
    return "".join((f"{header}\n", *(f"{name} = {msgspec.json.encode(value).decode()}\n" for name, value in given.items())))
