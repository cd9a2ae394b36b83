"""A supervised eye process, and what it said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from kiosk.eye import messages
from kiosk.eye.supervisor import EyeSupervisor
from kiosk.settings import CameraSettings, EyeSettings, LivenessPolicy, LivenessSettings, PresentationSettings, QualitySettings

T = TypeVar("T", bound=messages.FromEye)
EYE = EyeSettings(backoff_first=0.05, wedged_after=1.5)


class Watch:
    """What a supervised eye said, and when it was lost."""

    def __init__(
        self,
        models_dir: Path,
        url: str = "scene:demo",
        eye: EyeSettings = EYE,
        fps: float = 15.0,
        *,
        embed: bool = False,
        policy: LivenessPolicy = "off",
        liveness: LivenessSettings | None = None,
        codes: bool = False,
    ) -> None:
        self.said: asyncio.Queue[messages.FromEye] = asyncio.Queue()
        self.lost: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        orders = messages.LookOrders(
            name="front",
            camera=CameraSettings(url=url, fps=fps).model_dump(mode="json"),
            quality=QualitySettings().model_dump(mode="json"),
            presentation=PresentationSettings().model_dump(mode="json"),
            eye=eye.model_dump(mode="json"),
            models_dir=str(models_dir),
            embed=embed,
            liveness=(liveness or LivenessSettings()).model_dump(mode="json"),
            liveness_policy=policy,
            codes=codes,
        )
        self.supervisor = EyeSupervisor(orders, eye, self.said.put_nowait, lambda *why: self.lost.put_nowait(why))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[EyeSupervisor]:
        task = asyncio.create_task(self.supervisor.run())
        try:
            yield self.supervisor
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def until(self, kind: type[T], within: float = 30.0) -> T:
        async with asyncio.timeout(within):
            while True:
                message = await self.said.get()
                if isinstance(message, kind):
                    return message

    async def loss(self, within: float = 30.0) -> tuple[str, str]:
        """Slug and detail of the next death."""
        async with asyncio.timeout(within):
            return await self.lost.get()

    def last_examined(self) -> float:
        """When the newest frame it has told of was captured; empties what it said."""
        newest = 0.0
        while not self.said.empty():
            message = self.said.get_nowait()
            newest = message.at if isinstance(message, messages.Examined) else newest
        return newest
