"""Several eyes that see photos: each photo goes to a free one, and a hostile one costs no more than its own eye."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from kiosk.domain import Box
from kiosk.errors import CameraError
from kiosk.eye.photos import PhotoEye
from kiosk.ports import USUAL, AnalysedPhoto, Shape, Wish
from kiosk.settings import EyeSettings, QualitySettings

_T = TypeVar("_T")
_GRACE = 1.0
"""Seconds that photos under way have to be finished when the pool closes."""


class PhotoPool:
    """A ports.PhotoAnalyser: at most `workers` processes, each of them bounded and replaced as PhotoEye says.

    Photos are taken in the order they came. The second worker, and each further one, is started when a photo finds no
    free one; a dead one is replaced at once. Use as an async context manager; event loop only.
    """

    def __init__(self, quality: QualitySettings, eye: EyeSettings, models_dir: Path, workers: int = 2) -> None:
        self._eyes = tuple(PhotoEye(quality, eye, models_dir) for _ in range(workers))
        self._unused = list(self._eyes)
        self._idle: list[PhotoEye] = []
        self._free = asyncio.Semaphore(0)
        self._waiting = 0
        self._most_waiting = eye.photos_waiting
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        """Raises CameraError where the first worker cannot start (`model_missing`, `confinement_unavailable`, …)."""
        eye = self._unused.pop()
        await eye.start()
        self._give_back(eye)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed = True
        for _ in range(self._waiting):
            self._free.release()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.gather(*(eye.end() for eye in self._eyes))

    async def analyse(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        """See ports.PhotoAnalyser. Raises CameraError `eye_busy` too, where `eye.photos_waiting` photos wait already.

        Where the caller is cancelled, a photo under way is finished for nobody: hanging up costs no worker.
        """
        return await self._ask(lambda eye: eye.analyse(photo, wish))

    async def draw(self, photo: bytes, shapes: Sequence[Shape]) -> bytes:
        """As PhotoEye does; waits and raises as `analyse`."""
        return await self._ask(lambda eye: eye.draw(photo, shapes))

    async def thumbnail(self, photo: bytes, box: Box, turned: int = 0, side: int = 320) -> bytes:
        """As PhotoEye does; waits and raises as `analyse`."""
        return await self._ask(lambda eye: eye.thumbnail(photo, box, turned, side))

    async def _ask(self, ask: Callable[[PhotoEye], Awaitable[_T]]) -> _T:
        eye = await self._next_free()
        return await asyncio.shield(self._run(self._use(eye, ask)))

    async def _next_free(self) -> PhotoEye:
        if not self._closed:
            await self._wait()
        if self._closed:
            raise CameraError("eye_lost", "the pool is closed")
        return self._idle.pop()

    async def _wait(self) -> None:
        if self._free.locked():
            if self._waiting >= self._most_waiting:
                raise CameraError("eye_busy", f"{self._waiting} photos wait already")
            if self._unused:
                self._run(self._make_ready(self._unused.pop()))
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1

    async def _use(self, eye: PhotoEye, ask: Callable[[PhotoEye], Awaitable[_T]]) -> _T:
        try:
            return await ask(eye)
        except asyncio.CancelledError as error:
            raise CameraError("eye_lost", "the pool is closed") from error
        finally:
            if eye.alive:
                self._give_back(eye)
            elif not self._closed:
                self._run(self._make_ready(eye))

    async def _make_ready(self, eye: PhotoEye) -> None:
        # Whoever gets an eye that could not be started tries again, and is the one to hear why.
        with suppress(CameraError):
            await eye.start()
        self._give_back(eye)

    def _give_back(self, eye: PhotoEye) -> None:
        self._idle.append(eye)
        self._free.release()

    def _run(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # The caller may be gone, and what went wrong was for them alone.
            task.exception()
