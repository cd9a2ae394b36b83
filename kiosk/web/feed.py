"""What observers watch: the newest events, never a brake on the door."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress

Event = Mapping[str, object]


class Feed:
    """Event loop only. Each observer has a bounded queue; the oldest is dropped and counted when it is full."""

    def __init__(self, dropped: Callable[[], None], remembered: int = 50, queue: int = 200) -> None:
        self._dropped = dropped
        self._queue = queue
        self._recent: deque[Event] = deque(maxlen=remembered)
        self._observers: set[asyncio.Queue[Event | None]] = set()
        self._closed = False

    @property
    def recent(self) -> tuple[Event, ...]:
        return tuple(self._recent)

    def publish(self, event: Event) -> None:
        self._recent.append(event)
        for observer in self._observers:
            if observer.full():
                observer.get_nowait()
                self._dropped()
            observer.put_nowait(event)

    def close(self) -> None:
        """Ends every observer's iteration."""
        self._closed = True
        for observer in self._observers:
            with suppress(asyncio.QueueFull):
                observer.put_nowait(None)

    async def watch(self, idle: float = 1.0) -> AsyncIterator[Event | None]:
        """Recent events, then new ones as they come; None after `idle` seconds without any, as a sign of life."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(self._queue)
        for past in self._recent:
            queue.put_nowait(past)
        self._observers.add(queue)
        try:
            while not self._closed:
                try:
                    async with asyncio.timeout(idle):
                        event = await queue.get()
                except TimeoutError:
                    yield None
                else:
                    if event is None:
                        return
                    yield event
        finally:
            self._observers.discard(queue)
