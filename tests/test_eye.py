"""A real eye process: what it reports, what it cannot do, and what its supervisor does when it fails."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosk.domain import Shot, Told
from kiosk.errors import CameraError, PhotoRejected
from kiosk.eye import messages
from kiosk.eye.photos import PhotoEye
from kiosk.settings import EyeSettings, LivenessSettings, QualitySettings
from tests.eye_stage import EYE, Watch


async def test_an_eye_watches_tells_and_takes_a_probe(models_dir: Path) -> None:
    watch = Watch(models_dir)
    async with watch.running() as supervisor:
        started = await watch.until(messages.Started)
        assert started.refused == ("inet", "inet6", "netlink", "packet")
        assert (started.width, started.height) == (1280, 720)
        shot = await watch.until(Shot)
        assert shot.probe.jpeg.startswith(b"\xff\xd8\xff")
        assert b"Exif" not in shot.probe.jpeg[:64]
        assert min(shot.probe.size) >= 64
        assert len(shot.probe.jpeg) <= 1_000_000
        assert "jpeg" not in repr(shot.probe)
        supervisor.tell(messages.Outcome(shot.probe.presentation, "granted"))
        examined = await watch.until(messages.Examined)
        assert examined.captured >= examined.examined > 0


async def test_probes_carry_an_embedding_where_the_orders_ask_for_it(models_dir: Path) -> None:
    for embed in (False, True):
        watch = Watch(models_dir, embed=embed)
        async with watch.running():
            shot = await watch.until(Shot)
        assert (shot.probe.embedding is not None) == embed
        assert not shot.probe.masked
        assert shot.probe.upper is None


async def test_it_tells_the_living_from_pictures_held_up(models_dir: Path) -> None:
    """Twice an employee, and between that a stranger with a print and with a telephone, over and over."""
    watch = Watch(models_dir, "scene:attack", policy="passive")
    told: dict[int, tuple[str, str]] = {}
    async with watch.running() as supervisor:
        while len(told) < 4:
            shot = await watch.until(Shot)
            supervisor.tell(messages.Outcome(shot.probe.presentation, "final"))
            told[shot.probe.presentation] = shot.liveness.state, shot.liveness.cause
    assert sorted(told.values()) == [("attack", "border_suspected")] * 2 + [("live", "")] * 2


async def test_it_asks_for_movements_and_says_when_none_came(models_dir: Path) -> None:
    watch = Watch(models_dir, policy="challenge", liveness=LivenessSettings(task_within=0.5))
    prompts = []
    async with watch.running():
        while "challenge_timed_out" not in prompts:
            message = await asyncio.wait_for(watch.said.get(), 30)
            if isinstance(message, Told):
                prompts.append(message.slug)
            elif isinstance(message, Shot):
                prompts.append(message.liveness.cause)
                assert message.liveness.state == "doubt"
    first, *asked = [slug for slug in prompts if slug.startswith("challenge_")]
    assert first == "challenge_look_ahead"
    assert asked


async def test_it_holds_no_secret_and_only_its_own_channel(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENCENT_SECRET_KEY", "s3cret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/kiosk")
    watch = Watch(models_dir)
    async with watch.running() as supervisor:
        await watch.until(messages.Started)
        environment = Path(f"/proc/{supervisor.pid}/environ").read_bytes()
        assert b"s3cret" not in environment
        assert b"CREDENTIALS" not in environment
        assert supervisor.pid is not None
        assert len(sockets(supervisor.pid)) == 1


@pytest.mark.slow
async def test_in_a_minute_of_frames_no_inet_socket_is_ever_opened(models_dir: Path, tmp_path: Path) -> None:
    watch = Watch(models_dir)
    async with watch.running() as supervisor:
        while supervisor.pid is None:
            await asyncio.sleep(0.01)
        pid, trace = supervisor.pid, tmp_path / "trace"
        tracer = await strace(pid, trace)
        started = await watch.until(messages.Started)
        assert set(started.refused) == {"inet", "inet6", "netlink", "packet"}
        until, families, filtered = time.monotonic() + 60, set[str](), set[str]()
        while time.monotonic() < until:
            families |= {family_of(inode) for inode in sockets(pid)}
            filtered |= {field(task, "Seccomp") for task in Path(f"/proc/{pid}/task").iterdir()}
            await asyncio.sleep(0.25)
        assert families == {"unix"}
        assert filtered == {"2"}
        assert supervisor.pid == pid
        assert watch.said.qsize() > 600
        if tracer is not None:
            tracer.terminate()
            await tracer.wait()
            opened = [line for line in trace.read_text().splitlines() if "socket(" in line and "= -1" not in line]
            assert [line for line in opened if "AF_UNIX" not in line] == []


async def strace(pid: int, file: Path) -> asyncio.subprocess.Process | None:
    """Follows the process's sockets where strace is installed; /proc and the eye's own attempts say the same without it."""
    if shutil.which("strace") is None:
        return None
    command = ("strace", "-f", "-qq", "-e", "trace=socket", "-o", str(file), "-p", str(pid))
    return await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)


def sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def family_of(inode: str) -> str:
    inet = [(family, 9) for family in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "netlink")]
    for family, column in (("unix", 6), *inet, ("packet", 8)):
        table = Path(f"/proc/net/{family}")
        if table.exists() and any(line.split()[column] == inode for line in table.read_text().splitlines()[1:]):
            return family
    return "unknown"


def field(task: Path, name: str) -> str:
    lines = (task / "status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


@pytest.mark.parametrize(("number", "slug"), [(signal.SIGKILL, "eye_lost"), (signal.SIGSTOP, "eye_wedged")])
async def test_a_killed_or_stopped_eye_is_replaced(models_dir: Path, number: signal.Signals, slug: str) -> None:
    watch = Watch(models_dir)
    async with watch.running() as supervisor:
        first = await watch.until(messages.Started)
        pid = supervisor.pid
        assert pid is not None
        os.kill(pid, number)
        async with asyncio.timeout(10):
            assert (await watch.lost.get())[0] == slug
        again = await watch.until(messages.Started)
        assert supervisor.pid not in (None, pid)
        assert supervisor.restarts == 1
        assert again.opened_at == first.opened_at, "a replayed scene goes on where it would be now"


async def test_a_missing_camera_is_named_and_tried_again(models_dir: Path) -> None:
    watch = Watch(models_dir, url="v4l2:/dev/video99")
    async with watch.running() as supervisor, asyncio.timeout(30):
        for _ in range(2):
            slug, detail = await watch.lost.get()
            assert slug == "camera_missing"
            assert "/dev/video99" in detail
        assert supervisor.restarts >= 1


async def test_without_models_it_does_not_start_at_all(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with pytest.raises(CameraError, match="model_missing"):
        await watch.supervisor.run()
    assert watch.supervisor.restarts == 0


async def test_the_back_off_grows_to_its_bound(models_dir: Path) -> None:
    eye = EyeSettings(backoff_first=0.05, backoff_most=0.2)
    watch = Watch(models_dir, url="file:/nowhere.mp4", eye=eye)
    async with watch.running(), asyncio.timeout(60):
        for _ in range(4):
            assert (await watch.lost.get())[0] in {"camera_missing", "source_invalid"}


async def test_an_eye_ends_with_its_supervisor(models_dir: Path) -> None:
    watch = Watch(models_dir)
    async with watch.running() as supervisor:
        await watch.until(messages.Started)
        pid = supervisor.pid
        assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@asynccontextmanager
async def photo_eye(models_dir: Path) -> AsyncIterator[PhotoEye]:
    async with PhotoEye(QualitySettings(), EYE, models_dir) as eye:
        yield eye


async def test_photos_are_measured_and_bad_ones_named(models_dir: Path, people: Path) -> None:
    async with photo_eye(models_dir) as eye:
        portrait = (people / "P002" / "assets" / "studio_portrait.jpg").read_bytes()
        analysed = await eye.analyse(portrait)
        assert (analysed.width, analysed.height, len(analysed.faces)) == (2048, 2048, 1)
        assert len(analysed.faces[0].embedding or b"") == 512
        for photo, slug in ((b"GIF89a" + bytes(100), "image_format_unknown"), (portrait[:1000], "image_decode_failed")):
            with pytest.raises(PhotoRejected, match=slug):
                await eye.analyse(photo)
        with pytest.raises(PhotoRejected, match="image_too_large"):
            await eye.analyse(bytes(5_000_001))


async def test_a_photo_eye_that_dies_is_replaced(models_dir: Path, people: Path) -> None:
    async with photo_eye(models_dir) as eye:
        portrait = (people / "P002" / "assets" / "studio_portrait.jpg").read_bytes()
        await eye.analyse(portrait)
        worker = eye._eye
        assert worker is not None
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(CameraError, match="eye_lost"):
            await eye.analyse(portrait)
        assert len((await eye.analyse(portrait)).faces) == 1
