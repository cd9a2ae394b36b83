"""Keeps one portal's credential readers open: what is lost is opened anew, with a bounded back-off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from kiosk.errors import HardwareError
from kiosk.hardware.readers.opening import open_reader
from kiosk.hardware.readers.reader import OnValue

_FIRST, _MOST = 0.5, 15.0
"""Seconds between attempts to open a reader."""

_log = structlog.get_logger()

OnChange = Callable[[str, str, float], None]
"""A reader's URL, the slug of its loss or of a fault – empty where it is there (again) – and monotonic seconds."""


class Readers:
    """Event loop only. `heard` gets what each reader read, with the reader's URL first."""

    def __init__(self, urls: Sequence[str], state_dir: Path, heard: Callable[[str], OnValue], changed: OnChange) -> None:
        self._urls = tuple(urls)
        self._state_dir = state_dir
        self._heard = heard
        self._changed = changed
        self.up: dict[str, bool] = dict.fromkeys(self._urls, False)
        """Which of them are there now."""

    async def run(self) -> None:
        """Until cancelled; closes them all. Raises ConfigurationError for a reader that can never be opened."""
        async with asyncio.TaskGroup() as group:
            for url in self._urls:
                group.create_task(self._keep(url), name=f"reader {url}")

    async def _keep(self, url: str) -> None:
        backoff, told = _FIRST, ""
        while True:
            lost = asyncio.Event()
            try:
                reader = await open_reader(url, self._state_dir, self._heard(url), self._on_fault(url, lost))
            except HardwareError as error:
                if error.slug != told:
                    _log.warning("reader", reader=url, slug=error.slug, detail=error.detail)
                    self._changed(url, error.slug, time.monotonic())
                    told = error.slug
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, _MOST)
                continue
            backoff, told = _FIRST, "reader_lost"
            self.up[url] = True
            self._changed(url, "", time.monotonic())
            try:
                await lost.wait()
            finally:
                self.up[url] = False
                await reader.close()

    def _on_fault(self, url: str, lost: asyncio.Event) -> Callable[[float, str], None]:
        def on_fault(at: float, slug: str) -> None:
            if slug == "reader_lost":
                lost.set()
            self._changed(url, slug, at)

        return on_fault
