"""The way of the model weights: manifest, pip's answer, a download that breaks, the one member, the cache."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pty
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.errors import CameraError, ConfigurationError
from kiosk.vision import download, models

WEIGHTS = hashlib.shake_128(b"weights").digest(50_000)
MEMBER = "carrier/models/weights.onnx"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel(name: str = "carrier", version: str = "1.0", weights: bytes = WEIGHTS) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(MEMBER, weights)
        archive.writestr("carrier/__init__.py", "raise SystemExit('executed')")
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}-{version}.dist-info/RECORD", "")
    return written.getvalue()


class Shelf(ThreadingHTTPServer):
    """A package index on loopback, with byte ranges and, where told, broken connections."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.cuts: list[int] = []
        self.ranges = True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def offer(self, archive: bytes, name: str = "carrier", version: str = "1.0") -> None:
        file = f"{name}-{version}-py3-none-any.whl"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        self.files[f"/files/{file}"] = archive
        self.files[f"/files/{file}.metadata"] = metadata
        attribute = f'data-core-metadata="sha256={sha256(metadata)}" data-dist-info-metadata="sha256={sha256(metadata)}"'
        link = f'<a href="/files/{file}#sha256={sha256(archive)}" {attribute}>{file}</a>'
        self.files[f"/simple/{name}/"] = f"<!DOCTYPE html><html><body>{link}</body></html>".encode()


class _Handler(BaseHTTPRequestHandler):
    server: Shelf

    def do_GET(self) -> None:
        if self.path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
        elif "httpx" in self.headers.get("User-Agent", ""):
            self._download(data)
        else:
            self._answer(200, data, len(data))

    def _download(self, data: bytes) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.ranges else 0
        if start >= len(data):
            self.send_error(416)
            return
        end = start + self.server.cuts.pop(0) if self.server.cuts else len(data)
        self._answer(206 if start else 200, data[start:end], len(data) - start, f"bytes {start}-{len(data) - 1}/{len(data)}")

    def _answer(self, status: int, body: bytes, length: int, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
        self.send_header("Content-Length", str(length))
        if status == 206:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """The only index pip knows."""
    with Shelf() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for variable in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
            monkeypatch.delenv(variable)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
        monkeypatch.setattr(download, "PAUSE_SECONDS", 0.001)
        yield server
        server.shutdown()
        thread.join()


Carry = Callable[..., models.Model]


@pytest.fixture
def carry(monkeypatch: pytest.MonkeyPatch) -> Carry:
    """Replaces the manifest by one model, carried by the given (package, archive) pairs."""

    def set_manifest(*carriers: tuple[str, bytes], member: str = MEMBER) -> models.Model:
        text = f'[finder]\nfile = "weights.onnx"\nsha256 = "{sha256(WEIGHTS)}"\nbytes = {len(WEIGHTS)}\n'
        text += 'project = "P"\norigin = "O"\nlicence = "MIT"\n'
        for package, archive in carriers or (("carrier", wheel()),):
            text += f'[[finder.carriers]]\npackage = "{package}"\nversion = "1.0"\n'
            text += f'member = "{member}"\nsha256 = "{sha256(archive)}"\n'
        manifest = models.read_manifest(text)
        monkeypatch.setattr(models, "manifest", lambda: manifest)
        return manifest[0]

    return set_manifest


@pytest.fixture
def without_pip(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves a second where pip's answer is not the point."""
    monkeypatch.setattr(
        download, "resolve", lambda name, version, _sha256: f"{shelf.url}/files/{name}-{version}-py3-none-any.whl"
    )


def nothing_is_cached(folder: Path) -> bool:
    return [file for file in folder.rglob("*") if file.is_file()] == []


def silent(_label: str, _done: int, _total: int | None) -> None:
    pass


def test_the_manifest_names_every_role_once_and_no_host() -> None:
    assert {model.role for model in models.manifest()} == {"finder", "landmarks", "embedding", "mask", "antispoof"}
    assert len(models.manifest()) == len({model.file for model in models.manifest()})
    for model in models.manifest():
        assert len(model.carriers) >= (1 if model.role == "antispoof" else 2), "only one package carries the antispoof weights"
        assert all(carrier.member.endswith(f"/{model.file}") for carrier in model.carriers)
    assert "://" not in Path(models.__file__).with_name("models.toml").read_text(encoding="utf-8")


def test_looking_up_a_model_loads_no_heavy_library() -> None:
    code = "import sys; from kiosk.vision import models; models.manifest(); print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"cv2", "mediapipe", "numpy", "httpx", "rich"} & set(answer.stdout.split())


def test_a_model_that_is_not_there_says_how_to_get_it(tmp_path: Path, carry: Carry) -> None:
    carry()
    with pytest.raises(CameraError, match="run `kiosk models fetch`") as missing:
        models.path(tmp_path, "finder")
    assert missing.value.slug == "model_missing"


@pytest.mark.parametrize("content", [WEIGHTS[:-1], WEIGHTS[:-1] + b"!", b""])
def test_a_model_that_holds_something_else_is_refused(tmp_path: Path, carry: Carry, content: bytes) -> None:
    file = tmp_path / carry().file
    file.write_bytes(WEIGHTS)
    assert models.path(tmp_path, "finder") == file
    fresh = file.with_name("fresh")
    fresh.write_bytes(content)
    fresh.replace(file)
    with pytest.raises(CameraError) as invalid:
        models.path(tmp_path, "finder")
    assert invalid.value.slug == "model_invalid"


def test_a_cut_connection_is_taken_up_where_it_broke(tmp_path: Path, shelf: Shelf, carry: Carry) -> None:
    model = carry()
    shelf.offer(wheel())
    shelf.cuts = [20_000, 10_000]
    heard: list[int] = []
    (fetched,) = models.fetch(tmp_path / "models", progress=lambda _label, done, _total: heard.append(done))
    assert fetched.carrier == model.carriers[0]
    assert shelf.asked == [None, "bytes=20000-", "bytes=30000-"]
    assert models.path(tmp_path / "models", "finder").read_bytes() == WEIGHTS
    assert heard == sorted(heard)
    assert heard[-1] == len(wheel())
    assert [file.name for file in (tmp_path / "models").iterdir()] == ["weights.onnx"]


@pytest.mark.usefixtures("without_pip")
def test_a_second_run_asks_nobody_and_says_so(
    tmp_path: Path, shelf: Shelf, carry: Carry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    carry()
    shelf.offer(wheel())
    models.fetch(tmp_path)
    assert "fetched finder from carrier 1.0" in capsys.readouterr().err
    monkeypatch.setattr(download, "resolve", None)
    (again,) = models.fetch(tmp_path)
    assert again.carrier is None
    assert capsys.readouterr().err == f"models: all 1 are in {tmp_path}\n"


@pytest.mark.usefixtures("without_pip")
def test_a_damaged_model_is_replaced(tmp_path: Path, shelf: Shelf, carry: Carry) -> None:
    file = tmp_path / carry().file
    file.write_bytes(b"damaged")
    shelf.offer(wheel())
    models.fetch(tmp_path, ["finder"], silent)
    assert file.read_bytes() == WEIGHTS


def test_the_next_carrier_is_tried(tmp_path: Path, shelf: Shelf, carry: Carry) -> None:
    model = carry(("absent", b"-"), ("carrier", wheel()))
    shelf.offer(wheel())
    (fetched,) = models.fetch(tmp_path, progress=silent)
    assert fetched.carrier == model.carriers[1]


def test_another_archive_under_the_same_name_is_refused(tmp_path: Path, shelf: Shelf, carry: Carry) -> None:
    carry(("carrier", wheel()))
    shelf.offer(wheel(weights=b"other"))
    with pytest.raises(ConfigurationError, match=r"carrier 1\.0: pip offers an archive with SHA-256") as refused:
        models.fetch(tmp_path, progress=silent)
    assert refused.value.slug == "fetch_failed"
    assert shelf.asked == []
    assert nothing_is_cached(tmp_path)


@pytest.mark.usefixtures("without_pip")
@pytest.mark.parametrize("weights", [WEIGHTS[:-1] + b"!", WEIGHTS + b"more" * 100_000, b""])
def test_another_member_than_the_manifest_s_is_refused(tmp_path: Path, shelf: Shelf, carry: Carry, weights: bytes) -> None:
    carry(("carrier", wheel(weights=weights)))
    shelf.offer(wheel(weights=weights))
    with pytest.raises(ConfigurationError, match=r"weights\.onnx has SHA-256"):
        models.fetch(tmp_path, progress=silent)
    assert nothing_is_cached(tmp_path)


@pytest.mark.usefixtures("without_pip")
def test_an_archive_without_the_member_is_refused(tmp_path: Path, shelf: Shelf, carry: Carry) -> None:
    carry(member="elsewhere/weights.onnx")
    shelf.offer(wheel())
    with pytest.raises(ConfigurationError, match="no readable member elsewhere"):
        models.fetch(tmp_path, progress=silent)
    assert nothing_is_cached(tmp_path)


def test_an_archive_in_a_folder_is_used(tmp_path: Path, shelf: Shelf, carry: Carry, monkeypatch: pytest.MonkeyPatch) -> None:
    carry()
    folder = tmp_path / "a folder of wheels"
    folder.mkdir()
    (folder / "carrier-1.0-py3-none-any.whl").write_bytes(wheel())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    models.fetch(tmp_path / "models", progress=silent)
    assert models.path(tmp_path / "models", "finder").read_bytes() == WEIGHTS
    assert shelf.asked == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, carry: Carry) -> None:
    carry()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file/models"):
        models.fetch(tmp_path / "file" / "models", progress=silent)


def test_an_unknown_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nose"):
        models.fetch(tmp_path, ["nose"], silent)


def test_the_table_shows_what_is_there(tmp_path: Path, carry: Carry) -> None:
    model = carry()
    assert list(models.table(tmp_path).columns[-1].cells) == ["missing"]
    (tmp_path / model.file).write_bytes(b"?")
    assert list(models.table(tmp_path).columns[-1].cells) == ["damaged"]
    (tmp_path / model.file).write_bytes(WEIGHTS)
    assert list(models.table(tmp_path).columns[-1].cells) == ["there"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 30_000), max_size=6), ranges=st.booleans())
def test_however_it_is_cut_the_bytes_arrive(tmp_path: Path, shelf: Shelf, cuts: list[int], ranges: bool) -> None:
    shelf.files["/weights"] = WEIGHTS
    shelf.cuts, shelf.ranges = list(cuts[: download.FRUITLESS - 1]), ranges
    target = tmp_path / "archive"
    target.unlink(missing_ok=True)
    download.download(f"{shelf.url}/weights", target, sha256(WEIGHTS), lambda _done, _total: None)
    assert target.read_bytes() == WEIGHTS


@pytest.mark.parametrize("left_over", [WEIGHTS[:100], b"x" * 100, WEIGHTS, b"x" * 60_000])
def test_what_an_earlier_run_left_is_taken_up_or_thrown_away(tmp_path: Path, shelf: Shelf, left_over: bytes) -> None:
    shelf.files["/weights"] = WEIGHTS
    target = tmp_path / "archive"
    target.write_bytes(left_over)
    download.download(f"{shelf.url}/weights", target, sha256(WEIGHTS), lambda _done, _total: None)
    assert target.read_bytes() == WEIGHTS
    assert shelf.asked[0] == f"bytes={len(left_over)}-"


def test_a_server_that_never_sends_a_byte_is_given_up(tmp_path: Path, shelf: Shelf) -> None:
    shelf.files["/weights"] = WEIGHTS
    shelf.cuts = [0] * 100
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1"):
        download.download(f"{shelf.url}/weights", tmp_path / "archive", sha256(WEIGHTS), lambda _done, _total: None)
    assert len(shelf.asked) == download.FRUITLESS


def test_redirects_are_followed_and_wrong_bytes_are_not_kept(tmp_path: Path, shelf: Shelf) -> None:
    shelf.moved["/old"] = "/weights"
    shelf.files["/weights"] = b"an error page"
    with pytest.raises(ConfigurationError, match="does not have the SHA-256"):
        download.download(f"{shelf.url}/old", tmp_path / "archive", sha256(WEIGHTS), lambda _done, _total: None)
    assert nothing_is_cached(tmp_path)


@pytest.mark.parametrize(
    ("url", "why"),
    [("{shelf}/absent", "answers 404"), ("ftp://127.0.0.1/x", "ftp: address"), ("file:///absent/archive", "No such file")],
)
def test_an_address_that_leads_nowhere_is_said(tmp_path: Path, shelf: Shelf, url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        download.download(url.format(shelf=shelf.url), tmp_path / "archive", sha256(WEIGHTS), lambda _done, _total: None)


def test_an_endless_archive_does_not_fill_the_disk(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.files["/weights"] = WEIGHTS
    monkeypatch.setattr(download, "MAX_ARCHIVE", 10_000)
    with pytest.raises(ConfigurationError, match="larger than 10000"):
        download.download(f"{shelf.url}/weights", tmp_path / "archive", sha256(WEIGHTS), lambda _done, _total: None)
    assert (tmp_path / "archive").stat().st_size <= 10_000


def test_progress_in_a_log_is_a_few_plain_lines() -> None:
    log = io.StringIO()
    with download.terminal_progress(log) as progress:
        progress("finder", 0, None)
        for done in range(0, 1_000_001, 10_000):
            progress("finder", done, 1_000_000)
    assert log.getvalue() == "finder: …\nfinder: 1.0 of 1.0 MB\n"


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    reader, writer = pty.openpty()
    with open(writer, "w", encoding="utf-8") as terminal, download.terminal_progress(terminal) as progress:  # noqa: PTH123 (a descriptor)
        progress("finder", 0, None)
        progress("finder", 500_000, 1_000_000)
        progress("finder", 1_000_000, 1_000_000)
    shown = b""
    # A terminal hands over what is there, piece by piece, and fails once its other end is closed.
    with contextlib.suppress(OSError):
        while piece := os.read(reader, 65_536):
            shown += piece
    os.close(reader)
    assert b"finder" in shown
    assert b"1.0/1.0 MB" in shown


def npm_package(weights: bytes = WEIGHTS, kind: bytes = tarfile.REGTYPE) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, data in (("package/index.js", b"throw 1"), (f"package/{MEMBER}", weights)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = (kind, 0) if kind != tarfile.REGTYPE else (kind, len(data))
            entry.linkname = "../../etc/passwd" if kind == tarfile.SYMTYPE else ""
            archive.addfile(entry, io.BytesIO(data))
    return written.getvalue()


@pytest.fixture
def npm_carry(monkeypatch: pytest.MonkeyPatch) -> Carry:
    def set_manifest(archive: bytes) -> models.Model:
        text = f'[antispoof]\nfile = "weights.onnx"\nsha256 = "{sha256(WEIGHTS)}"\nbytes = {len(WEIGHTS)}\n'
        text += 'project = "P"\norigin = "O"\nlicence = "MIT"\n[[antispoof.carriers]]\nregistry = "npm"\n'
        text += f'package = "carrier"\nversion = "1.0"\nmember = "package/{MEMBER}"\nsha256 = "{sha256(archive)}"\n'
        manifest = models.read_manifest(text)
        monkeypatch.setattr(models, "manifest", lambda: manifest)
        return manifest[0]

    return set_manifest


@pytest.mark.parametrize("spelling", ["npm_config_registry", "NPM_CONFIG_REGISTRY"])
def test_a_package_of_npms_registry_carries_a_model(
    tmp_path: Path, shelf: Shelf, npm_carry: Carry, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(spelling, f"{shelf.url}/")
    model = npm_carry(npm_package())
    shelf.files["/carrier/-/carrier-1.0.tgz"] = npm_package()
    shelf.cuts = [20_000]
    (fetched,) = models.fetch(tmp_path / "models", progress=silent)
    assert fetched.carrier == model.carriers[0]
    assert models.path(tmp_path / "models", "antispoof").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    "archive", [npm_package(WEIGHTS[:-1] + b"!"), npm_package(kind=tarfile.SYMTYPE), npm_package(kind=tarfile.DIRTYPE), b"no tar"]
)
def test_a_package_of_npms_registry_without_the_model_is_refused(
    tmp_path: Path, shelf: Shelf, npm_carry: Carry, monkeypatch: pytest.MonkeyPatch, archive: bytes
) -> None:
    monkeypatch.setenv("npm_config_registry", shelf.url)
    npm_carry(archive)
    shelf.files["/carrier/-/carrier-1.0.tgz"] = archive
    with pytest.raises(ConfigurationError) as refused:
        models.fetch(tmp_path / "models", progress=silent)
    assert refused.value.slug == "fetch_failed"
    assert not (tmp_path / "models" / "weights.onnx").exists()


def test_npm_is_asked_for_its_registry_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert download.resolve_npm("carrier", "1.0") == "https://registry.npmjs.org/carrier/-/carrier-1.0.tgz"
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\n[ "$*" = "config get registry" ] && echo "http://127.0.0.1:4873/"\n')
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    assert download.resolve_npm("carrier", "1.0") == "http://127.0.0.1:4873/carrier/-/carrier-1.0.tgz"
    npm.write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    with pytest.raises(ConfigurationError, match="broken") as failed:
        download.resolve_npm("carrier", "1.0")
    assert failed.value.slug == "fetch_failed"
