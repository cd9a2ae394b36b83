"""The cloud's further vote on whether a living person stands there: DetectLiveFaceAccurate."""

from __future__ import annotations

import time
from collections.abc import Callable

from kiosk.domain import Inconclusive, Probe
from kiosk.errors import RecogniserError
from kiosk.ports import Clock
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import IaiClient
from kiosk.recognition.tencent.iai.comparing import DetectLiveFaceAccurate


class LiveVote:
    """Event loop only. Owns the caller, which `client` calls by."""

    name = "tencent-iai"

    def __init__(self, client: IaiClient, caller: Caller, seconds: float, clock: Clock = time.monotonic) -> None:
        """`seconds`: what one vote may take at most."""
        self._client = client
        self._caller = caller
        self.seconds = seconds
        self._clock = clock

    async def ask(self, probe: Probe, may_leave: Callable[[Probe], bool], deadline: float) -> float | Inconclusive | None:
        """The score, 0–100; None where the picture may not leave the device; Inconclusive with its slug where something failed.

        Ends before `deadline` (monotonic seconds). Raises nothing of the error tree.
        """
        try:
            if not may_leave(probe):
                return None
            answer = await self._client.call(
                DetectLiveFaceAccurate(image=probe.jpeg), min(deadline, self._clock() + self.seconds)
            )
        except RecogniserError as error:
            return Inconclusive(error.slug, self.name)
        return answer.score

    async def warm(self) -> None:
        """Opens the connection, so that a face meets no handshake."""
        await self._caller.warm()

    async def close(self) -> None:
        await self._caller.close()
