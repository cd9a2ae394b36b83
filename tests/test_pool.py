"""Photos in a pool of real eye processes: order, bounds, hostile files, killed and stopped workers."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.errors import CameraError, PhotoRejected
from kiosk.eye.pool import PhotoPool
from kiosk.ports import AnalysedPhoto, Wish
from kiosk.settings import EyeSettings, QualitySettings
from tests.hostile_stage import encoded, hostile

QUICK = Wish(quality=False, embed="none")


@asynccontextmanager
async def a_pool(models_dir: Path, workers: int = 2, **eye: object) -> AsyncIterator[PhotoPool]:
    async with PhotoPool(QualitySettings(), EyeSettings.model_validate(eye), models_dir, workers) as pool:
        yield pool


def pids(pool: PhotoPool) -> list[int]:
    return [eye._eye.pid for eye in pool._eyes if eye._eye is not None]


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.fixture(scope="module")
def portrait(people: Path) -> bytes:
    return encoded(np.asarray(cv2.imread(str(people / "P002" / "assets" / "studio_portrait.jpg"), cv2.IMREAD_REDUCED_COLOR_4)))


# Workers.


async def test_a_second_worker_starts_when_a_photo_finds_none_free(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir) as pool:
        for _ in range(3):
            assert len((await pool.analyse(portrait, QUICK)).faces) == 1
        assert len(pids(pool)) == 1
        read = await asyncio.gather(*(pool.analyse(portrait, QUICK) for _ in range(20)))
        assert [len(photo.faces) for photo in read] == [1] * 20
        while len(pids(pool)) < 2 or not all(eye.alive for eye in pool._eyes):
            await asyncio.sleep(0.05)
        everybody = pids(pool)
        await asyncio.gather(*(pool.analyse(portrait, QUICK) for _ in range(4)))
        assert pids(pool) == everybody
    assert all(gone(pid) for pid in everybody)


async def test_without_models_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="model_missing"):
        async with a_pool(tmp_path):
            pass


async def test_photos_are_taken_in_the_order_they_came(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir, workers=1) as pool:
        done: list[int] = []

        async def ask(number: int) -> None:
            await pool.analyse(portrait, QUICK)
            done.append(number)

        asking = []
        for number in range(12):
            asking.append(asyncio.create_task(ask(number)))
            await asyncio.sleep(0)
        await asyncio.gather(*asking)
        assert done == list(range(12))


async def test_one_photo_too_many_is_refused_and_the_others_are_not(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir, workers=1, photos_waiting=3) as pool:
        under_way = [asyncio.create_task(pool.analyse(portrait, QUICK)) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(CameraError, match="3 photos wait already") as refused:
            await pool.analyse(portrait, QUICK)
        assert refused.value.slug == "eye_busy"
        assert [len(photo.faces) for photo in await asyncio.gather(*under_way)] == [1] * 4
        assert len((await pool.analyse(portrait, QUICK)).faces) == 1


# Cancelling and closing.


async def test_hanging_up_costs_no_worker_and_no_turn(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir, workers=1, photos_waiting=3) as pool:
        before = pids(pool)
        for _ in range(3):
            asking = [asyncio.create_task(pool.analyse(portrait, QUICK)) for _ in range(3)]
            await asyncio.sleep(0.005)
            for task in asking:
                task.cancel()
            assert await asyncio.gather(*asking, return_exceptions=True)
            assert all(task.cancelled() for task in asking)
        assert len((await pool.analyse(portrait, QUICK)).faces) == 1
        assert pids(pool) == before


async def test_closing_ends_every_process_and_everybody_waiting_hears_of_it(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir, workers=1) as pool:
        (worker,) = pids(pool)
        os.kill(worker, signal.SIGSTOP)
        asking = [asyncio.create_task(pool.analyse(portrait, QUICK)) for _ in range(3)]
        await asyncio.sleep(0.05)
    heard = await asyncio.gather(*asking, return_exceptions=True)
    assert [getattr(error, "slug", error) for error in heard] == ["eye_lost"] * 3
    assert gone(worker)
    with pytest.raises(CameraError, match="closed"):
        await pool.analyse(portrait)


async def test_closing_while_a_worker_starts_leaves_none_behind(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir) as pool:
        await asyncio.gather(*(pool.analyse(portrait, QUICK) for _ in range(2)))
        async with asyncio.timeout(25):
            while len(everybody := pids(pool)) < 2:
                await asyncio.sleep(0)
    assert all(gone(pid) for pid in everybody)


# Workers that fail.


async def test_a_worker_killed_between_two_photos_is_replaced_unnoticed(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir, workers=1) as pool:
        (worker,) = pids(pool)
        os.kill(worker, signal.SIGKILL)
        while pool._eyes[0].alive:
            await asyncio.sleep(0.01)
        assert len((await pool.analyse(portrait, QUICK)).faces) == 1
        assert worker not in pids(pool)


@pytest.mark.parametrize(("number", "slug"), [(signal.SIGKILL, "eye_lost"), (signal.SIGSEGV, "eye_lost"), (None, "eye_wedged")])
async def test_a_worker_that_fails_on_a_photo_is_replaced(
    models_dir: Path, portrait: bytes, number: signal.Signals | None, slug: str
) -> None:
    async with a_pool(models_dir, workers=1, photo_within=1.0) as pool:
        (worker,) = pids(pool)
        os.kill(worker, signal.SIGSTOP)
        asking = [asyncio.create_task(pool.analyse(portrait, QUICK)) for _ in range(3)]
        await asyncio.sleep(0.05)
        if number is not None:
            os.kill(worker, number)
            os.kill(worker, signal.SIGCONT)
        first, *others = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(first, CameraError)
        assert first.slug == slug
        assert all(isinstance(photo, AnalysedPhoto) and len(photo.faces) == 1 for photo in others)
        assert gone(worker)


async def test_while_one_worker_hangs_the_other_goes_on(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir, photo_within=30) as pool:
        await asyncio.gather(*(pool.analyse(portrait, QUICK) for _ in range(2)))
        while len(pool._idle) < 2:
            await asyncio.sleep(0.05)
        os.kill(pids(pool)[0], signal.SIGSTOP)
        asking = [asyncio.create_task(pool.analyse(portrait, QUICK)) for _ in range(8)]
        async with asyncio.timeout(25):
            while sum(task.done() for task in asking) < 7:
                await asyncio.sleep(0.05)
        assert not all(task.done() for task in asking)
        os.kill(pids(pool)[0], signal.SIGCONT)
        assert [len(photo.faces) for photo in await asyncio.gather(*asking)] == [1] * 8


# Memory.


async def test_a_photo_that_needs_more_memory_than_there_is_costs_only_itself(models_dir: Path, portrait: bytes) -> None:
    async with a_pool(models_dir, workers=1, photo_memory_mb=256) as pool:
        assert len((await pool.analyse(portrait)).faces) == 1
        (worker,) = pids(pool)
        has = 1024 * int(status(worker)["VmData"].split()[0])
        soft, hard = resource.prlimit(worker, resource.RLIMIT_DATA)
        assert soft == hard
        assert has < soft < has + 256_000_000
        resource.prlimit(worker, resource.RLIMIT_DATA, (has + 20_000_000, hard))
        with pytest.raises((PhotoRejected, CameraError), match=r"image_decode_failed|eye_lost"):
            await pool.analyse(encoded(np.zeros((4000, 4000, 3), np.uint8)))
        assert len((await pool.analyse(portrait)).faces) == 1


def status(pid: int) -> dict[str, str]:
    return dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def test_the_kernel_holds_a_process_to_its_memory() -> None:
    code = """if True:
        from kiosk.eye.confinement import limit_memory
        limit_memory(50_000_000)
        kept = bytearray(20_000_000)
        try:
            bytearray(60_000_000)
        except MemoryError:
            raise SystemExit(7)
    """
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 7


# Hostile files.


async def test_no_file_whatever_is_in_it_harms_the_pool(models_dir: Path, portrait: bytes) -> None:
    picture = np.asarray(cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_REDUCED_COLOR_4), dtype=np.uint8)
    files = dict(hostile(picture))
    assert len(files) > 100
    async with a_pool(models_dir, photos_waiting=1000) as pool:
        answers = await asyncio.gather(*(pool.analyse(photo) for photo in files.values()), return_exceptions=True)
        everything = dict(zip(files, answers, strict=True))
        assert {
            name: answer for name, answer in everything.items() if not isinstance(answer, AnalysedPhoto | PhotoRejected)
        } == {}
        read = {name for name, answer in everything.items() if isinstance(answer, AnalysedPhoto)}
        assert {"png of 16 bits", "png of 16 bits with alpha", "png with alpha", "grey png", "grey jpeg", "cmyk jpeg"} <= read
        assert {"jpeg and zip", "jpeg and html", "jpeg and jpeg", "jpeg with html in a comment"} <= read
        assert not {"webp", "gif", "tiff", "svg", "1 × 1", "nothing", "html and jpeg", "gif and jpeg"} & read
        assert len((await pool.analyse(portrait)).faces) == 1
