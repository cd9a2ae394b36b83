"""Gets one archive of a package index onto the disk: found by the environment's own pip, never installed, never executed.

pip is asked only for the address, so that whatever mirror, index or folder it is configured for
is used; likewise npm, where there is one. The bytes are downloaded here, resumed after a cut, and
kept only if their SHA-256 is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO
from urllib.parse import unquote, urlsplit

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from kiosk.errors import ConfigurationError

RESOLVE_SECONDS = 300.0
"""pip may have to download the archive itself where the index does not serve metadata apart."""
READ_SECONDS = 30.0
"""A connection that says nothing for so long is cut and taken up again."""
FRUITLESS = 5
"""Attempts in a row that may bring no byte before the download is given up."""
PAUSE_SECONDS = 0.5
"""Before the second fruitless attempt; doubled before each further one."""
MAX_ARCHIVE = 200_000_000
"""Bytes; more than twice the largest archive in the manifest. A server may not fill the disk."""
QUIET_SECONDS = 5.0
"""Where there is no terminal, a line of progress is written at most so often."""

NPM_REGISTRY = "https://registry.npmjs.org"
"""Where npm is not installed and no `npm_config_registry` is set."""

Advance = Callable[[int, int | None], None]


Progress = Callable[[str, int, int | None], None]
"""Told a label and what its download has (bytes, of a total where known); may fall when it starts again."""


class _CutError(ConfigurationError):
    """The connection broke or the server asked to wait: worth another attempt."""


class _ArchiveInfo(msgspec.Struct, frozen=True):
    hash: str = ""
    hashes: dict[str, str] = {}


class _DownloadInfo(msgspec.Struct, frozen=True):
    url: str
    archive_info: _ArchiveInfo = _ArchiveInfo()


class _Install(msgspec.Struct, frozen=True):
    download_info: _DownloadInfo


class _Report(msgspec.Struct, frozen=True):
    """What is used of pip's installation report, version 1."""

    install: list[_Install]


def resolve(package: str, version: str, sha256: str) -> str:
    """Asks the environment's pip where `package` == `version` can be had; the address may be a file's.

    Raises ConfigurationError `fetch_failed`, also where pip would take an archive with another SHA-256.
    """
    report = _ask_pip(f"{package}=={version}")
    if len(report.install) != 1:
        raise ConfigurationError("fetch_failed", f"pip found {len(report.install)} archives where one was asked for")
    found = report.install[0].download_info
    # Before pip 23.1 there was only `hash`, written "sha256=…".
    digest = found.archive_info.hashes.get("sha256") or found.archive_info.hash.removeprefix("sha256=")
    if digest and digest != sha256:
        raise ConfigurationError("fetch_failed", f"pip offers an archive with SHA-256 {digest}, not {sha256}")
    return found.url


def _ask_pip(requirement: str) -> _Report:
    options = ("--dry-run", "--no-deps", "--ignore-installed", "--ignore-requires-python", "--only-binary", ":all:")
    silent = ("--quiet", "--no-input", "--disable-pip-version-check", "--report", "-")
    command = [sys.executable, "-P", "-m", "pip", "install", *options, *silent, requirement]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=RESOLVE_SECONDS, check=True, stdin=subprocess.DEVNULL)
        return msgspec.json.decode(answer.stdout, type=_Report)
    except subprocess.CalledProcessError as error:
        raise ConfigurationError("fetch_failed", f"pip: {_last_error(error.stderr)}") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError("fetch_failed", f"pip gave no answer within {RESOLVE_SECONDS:.0f} s") from error
    except msgspec.DecodeError as error:
        raise ConfigurationError("fetch_failed", f"pip's report cannot be read: {error}; is it older than 22.2?") from error


def _last_error(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["ended without a word"])[-1]


def resolve_npm(package: str, version: str) -> str:
    """Where the machine's npm registry keeps the archive of an unscoped package; needs no npm.

    Raises ConfigurationError `fetch_failed` where npm is there and does not tell its registry.
    """
    lower = os.environ.get("npm_config_registry")  # noqa: SIM112 (npm takes both spellings)
    registry = lower or os.environ.get("NPM_CONFIG_REGISTRY") or _ask_npm()
    return f"{registry.rstrip('/')}/{package}/-/{package}-{version}.tgz"


def _ask_npm() -> str:
    npm = shutil.which("npm")
    if npm is None:
        return NPM_REGISTRY
    try:
        answer = subprocess.run(
            [npm, "config", "get", "registry"], capture_output=True, timeout=READ_SECONDS, check=True, stdin=subprocess.DEVNULL
        )
    except subprocess.CalledProcessError as error:
        raise ConfigurationError("fetch_failed", f"npm: {_last_error(error.stderr)}") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError("fetch_failed", f"npm gave no answer within {READ_SECONDS:.0f} s") from error
    return answer.stdout.decode(errors="replace").strip()


def download(url: str, target: Path, sha256: str, advance: Advance) -> None:
    """Brings `url` to `target`; what an earlier attempt left there is taken up.

    Raises ConfigurationError `fetch_failed`; a file with a wrong SHA-256 is removed, a partial one is kept for next time.
    """
    taken_up = target.exists()
    _bring(url, target, advance)
    if _matches(target, sha256):
        return
    target.unlink()
    if taken_up:
        _bring(url, target, advance)
        if _matches(target, sha256):
            return
        target.unlink()
    raise ConfigurationError("fetch_failed", f"what was downloaded does not have the SHA-256 {sha256}")


def _matches(file: Path, sha256: str) -> bool:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256


def _bring(url: str, target: Path, advance: Advance) -> None:
    parts = urlsplit(url)
    if parts.scheme == "file":
        _bring_from_disk(Path(unquote(parts.path)), target, advance)
    elif parts.scheme in {"http", "https"}:
        _bring_over_http(url, target, advance)
    else:
        raise ConfigurationError("fetch_failed", f"no way to download from a {parts.scheme}: address")


def _bring_from_disk(source: Path, target: Path, advance: Advance) -> None:
    try:
        with source.open("rb") as stream, target.open("wb") as copy:
            _pour(iter(lambda: stream.read(1 << 20), b""), copy, os.fstat(stream.fileno()).st_size, advance)
    except OSError as error:
        raise ConfigurationError("fetch_failed", f"{error.filename or source}: {error.strerror}") from error


def _bring_over_http(url: str, target: Path, advance: Advance) -> None:
    fruitless = 0
    with httpx.Client(follow_redirects=True, max_redirects=5, timeout=READ_SECONDS, verify=_trust()) as client:
        while True:
            had = target.stat().st_size if target.exists() else 0
            try:
                _attempt(client, url, target, had, advance)
            except _CutError:
                grew = target.exists() and target.stat().st_size > had
                fruitless = 0 if grew else fruitless + 1
                if fruitless == FRUITLESS:
                    raise
            else:
                return
            if fruitless:
                time.sleep(PAUSE_SECONDS * 2 ** (fruitless - 1))


def _trust() -> ssl.SSLContext:
    """What httpx trusts, what the system trusts, and the bundle pip was given; the SHA-256 decides in the end."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    given = os.environ.get("PIP_CERT")
    if given and Path(given).is_file():
        context.load_verify_locations(given)
    return context


def _attempt(client: httpx.Client, url: str, target: Path, had: int, advance: Advance) -> None:
    # Bytes as they lie on the server: a compressed answer could not be taken up in the middle.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
    try:
        with client.stream("GET", url, headers=headers) as answer:
            _accept(answer, target, had, advance)
    except httpx.TransportError as error:
        raise _CutError("fetch_failed", f"{urlsplit(url).hostname}: {str(error) or error.__class__.__name__}") from error
    except httpx.HTTPError as error:
        raise ConfigurationError("fetch_failed", f"{urlsplit(url).hostname}: {error}") from error


def _accept(answer: httpx.Response, target: Path, had: int, advance: Advance) -> None:
    status, length = answer.status_code, answer.headers.get("Content-Length", "")
    left = int(length) if length.isdecimal() else None
    if status == httpx.codes.PARTIAL_CONTENT and answer.headers.get("Content-Range", "").startswith(f"bytes {had}-"):
        mode, start = "ab", had
    elif status == httpx.codes.OK:
        mode, start = "wb", 0
    elif status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and had:
        # Everything is there already, or it is something else: the SHA-256 tells.
        return
    elif status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(status):
        raise _CutError("fetch_failed", f"{answer.url.host} answers {status} {answer.reason_phrase}")
    else:
        raise ConfigurationError("fetch_failed", f"{answer.url.host} answers {status} {answer.reason_phrase}")
    with target.open(mode) as copy:
        _pour(answer.iter_raw(), copy, None if left is None else start + left, advance, start)


def _pour(blocks: Iterator[bytes], copy: IO[bytes], total: int | None, advance: Advance, done: int = 0) -> None:
    for block in blocks:
        done += len(block)
        if done > MAX_ARCHIVE:
            raise ConfigurationError("fetch_failed", f"the archive is larger than {MAX_ARCHIVE} bytes")
        copy.write(block)
        advance(done, total)


@contextmanager
def terminal_progress(stream: TextIO) -> Iterator[Progress]:
    """A bar with size, speed and time left on a terminal; elsewhere a plain line now and then."""
    if not stream.isatty():
        yield _Lines(stream)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(file=stream)) as bar:
        tasks: dict[str, TaskID] = {}

        def show(label: str, done: int, total: int | None) -> None:
            if label not in tasks:
                tasks[label] = bar.add_task(label, total=total)
            bar.update(tasks[label], completed=done, total=total)

        yield show


class _Lines:
    """Progress for a log: the first block, then at most one line in QUIET_SECONDS, and the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._spoke_at: dict[str, float] = {}

    def __call__(self, label: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if done != total and now - self._spoke_at.get(label, -QUIET_SECONDS) < QUIET_SECONDS:
            return
        self._spoke_at[label] = now
        size = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB" if done else "…"
        # Losing a line of progress to a closed pipe is no reason to lose the download.
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(f"{label}: {size}\n")
            self._stream.flush()
