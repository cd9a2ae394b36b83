"""`kiosk sandbox`: the server with eyes of its own for the photos it is sent, its people, and its owner's port."""

from __future__ import annotations

import asyncio
import re
import secrets
import signal
import string
import sys
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kiosk import configuration, http_server
from kiosk.errors import ConfigurationError
from kiosk.eye.pool import PhotoPool
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox import faults, seeding
from kiosk.sandbox.admin import create_admin
from kiosk.sandbox.census import census
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.library import open_gallery
from kiosk.sandbox.server import WORK_PER_EYE, Sandbox, Span, check_host, create_app, serve
from kiosk.sandbox.tls import certificate
from kiosk.settings import Settings

_ADMIN_HOST = "127.0.0.1"
_SHOWN = 20
"""Photos that could not be used, named one by one."""
_LETTERS = string.ascii_letters + string.digits


class Place(NamedTuple):
    """Where it listens; `admin_port` on loopback, always."""

    host: str
    port: int
    admin_port: int
    tls: bool


class Account(NamedTuple):
    """`new`: the credentials were made up here, so they must be told."""

    credentials: Credentials
    appid: str
    bucket: str
    new: bool


class People(NamedTuple):
    """Where they are kept, and where new ones come from."""

    data: Path | None
    seed: Path | None
    group: str


class Manners(NamedTuple):
    """`latency`: seconds, from – to."""

    latency: Span
    qps: int | None
    workers: int
    fetch_from: tuple[str, ...]
    faults: Path | None


class Options(NamedTuple):
    place: Place
    account: Account
    people: People
    manners: Manners


def account(appid: str, bucket: str, values: tuple[str | None, str | None], files: tuple[Path | None, Path | None]) -> Account:
    """SecretId and SecretKey each come from a value or a file; where there are none at all, a new pair is made.

    Raises ConfigurationError `configuration_invalid` or `secret_missing`.
    """
    if not any((*values, *files)):
        return Account(Credentials("AKID" + _random(32), _random(32)), appid, bucket, new=True)
    found = [_key(*each) for each in zip(("secret-id", "secret-key"), values, files, strict=True)]
    return Account(Credentials(*found), appid, bucket, new=False)


def _key(name: str, value: str | None, file: Path | None) -> str:
    if file is not None and value is None:
        return configuration.secret(file)
    if value is None or file is not None:
        raise ConfigurationError("configuration_invalid", f"give either --{name} or --{name}-file")
    return value


def span(text: str) -> Span:
    """`120` or `50-200`, in milliseconds. Raises ConfigurationError `configuration_invalid`."""
    found = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text, re.ASCII)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise ConfigurationError("configuration_invalid", f"--latency {text}: write milliseconds as 120 or 50-200")
    return int(found[1]) / 1000, int(found[2] or found[1]) / 1000


async def run_sandbox(settings: Settings, options: Options) -> None:
    """Serves until SIGTERM or SIGINT; prints one JSON line with its addresses once it listens. Raises KioskError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = asyncio.create_task(_run(settings, options))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    running.cancel()
    await asyncio.wait({running})
    if not running.cancelled():
        running.result()


async def _run(settings: Settings, options: Options) -> None:
    place, people, manners = options.place, options.people, options.manners
    async with AsyncExitStack() as stack:
        gallery = stack.enter_context(open_gallery(people.data))
        eyes = PhotoPool(settings.quality, settings.eye, settings.site.models_dir, manners.workers)
        # What can be wrong with the options is found before the eyes take their time to open.
        check_host(place.host, tls=place.tls)
        app = _app(eyes, gallery, options)
        photos = people.seed and seeding.people(people.seed)
        await stack.enter_async_context(eyes)
        if people.seed and photos:
            await _seed(people.seed, photos, people.group, eyes, gallery, manners.workers)
        folder = people.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kiosk-sandbox-")))
        proof = certificate(folder, place.host) if place.tls else None
        context = proof.context() if proof else None
        admin, admin_port = await _listening(
            lambda ready: http_server.serve(create_admin(app), _ADMIN_HOST, place.admin_port, ready)
        )
        stack.push_async_callback(_end, admin)
        public, port = await _listening(lambda ready: serve(app, place.host, place.port, ready, context))
        stack.push_async_callback(_end, public)
        _tell(options, port, admin_port, proof.ca_file if proof else None, gallery)
        await asyncio.wait({admin, public}, return_when=asyncio.FIRST_COMPLETED)
        for task in (admin, public):
            if task.done():
                task.result()


def _app(analyser: PhotoAnalyser, gallery: Gallery, options: Options) -> Sandbox:
    account, manners = options.account, options.manners
    app = create_app(
        analyser,
        account.credentials,
        account.appid,
        account.bucket,
        gallery=gallery,
        fetcher=Fetcher(manners.fetch_from),
        latency=manners.latency,
        qps=manners.qps,
        at_work=WORK_PER_EYE * manners.workers,
    )
    if manners.faults is not None:
        app.script.follow(_plan(manners.faults, app.interfaces))
    return app


async def _listening(
    start: Callable[[Callable[[int], None]], Coroutine[Any, Any, None]],
) -> tuple[asyncio.Task[None], int]:
    """A server's task, and its port. Raises what keeps it from listening."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(start(port.set_result))
    waiting: set[asyncio.Future[Any]] = {task, port}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    return task, port.result()


async def _end(server: asyncio.Task[None]) -> None:
    server.cancel()
    await asyncio.wait({server})


def _plan(file: Path, interfaces: tuple[str, ...]) -> faults.Plan:
    try:
        return faults.read_toml(file.read_bytes(), interfaces)
    except OSError as error:
        raise ConfigurationError("configuration_missing", f"{file}: {error.strerror}") from error
    except ConfigurationError as error:
        raise ConfigurationError(error.slug, f"{file}: {error.detail}") from error


async def _seed(
    folder: Path, photos: seeding.Photos, group: str, analyser: PhotoAnalyser, gallery: Gallery, workers: int
) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = TextColumn("enrolling"), BarColumn(), MofNCompleteColumn(), TextColumn("photos"), TimeRemainingColumn()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=sum(map(len, photos.values())))
        seeded = await seeding.seed(photos, group, analyser, gallery, workers, lambda: bar.advance(task))
    known = f", {seeded.known} were there before" if seeded.known else ""
    console.print(f"enrolled in '{group}': {seeded.persons} persons, {seeded.faces} faces{known}", markup=False)
    for file, why in seeded.refused[:_SHOWN]:
        console.print(f"not used: {file.relative_to(folder)}: {why}", markup=False)
    if len(seeded.refused) > _SHOWN:
        console.print(f"not used: {len(seeded.refused) - _SHOWN} more")


def _tell(options: Options, port: int, admin_port: int, ca_file: Path | None, gallery: Gallery) -> None:
    place, account = options.place, options.account
    host = f"[{place.host}]" if ":" in place.host else place.host
    admin = f"http://{_ADMIN_HOST}:{admin_port}"
    line: dict[str, object] = {
        "listening": f"{'https' if place.tls else 'http'}://{host}:{port}",
        "appid": account.appid,
        "bucket": account.bucket,
        "admin": admin,
        "page": f"{admin}/",
        "ca_file": ca_file and str(ca_file.absolute()),
        **census(gallery)._asdict(),
    }
    if account.new:
        line |= {"secret_id": account.credentials.secret_id, "secret_key": account.credentials.secret_key}
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
