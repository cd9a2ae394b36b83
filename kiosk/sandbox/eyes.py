"""Several eyes for photos."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from kiosk.eye.photos import PhotoEye
from kiosk.ports import USUAL, AnalysedPhoto, Wish
from kiosk.settings import EyeSettings, QualitySettings


class Eyes:
    """A ports.PhotoAnalyser: each photo goes to the eye that has been free the shortest. Async context manager."""

    def __init__(self, quality: QualitySettings, eye: EyeSettings, models_dir: Path, workers: int = 2) -> None:
        self._eyes = [PhotoEye(quality, eye, models_dir) for _ in range(workers)]
        self._free: asyncio.LifoQueue[PhotoEye] = asyncio.LifoQueue()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for eye in self._eyes:
            self._free.put_nowait(await self._stack.enter_async_context(eye))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def analyse(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        """See ports.PhotoAnalyser."""
        eye = await self._free.get()
        try:
            return await eye.analyse(photo, wish)
        finally:
            self._free.put_nowait(eye)
