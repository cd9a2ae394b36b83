"""One portal's rows in the journal, in the order of what they tell.

What needs its row is told when it is on disk; all else waits for a moment only, so that a card that hangs holds up neither the
button inside nor a fire alarm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from kiosk.access.events import Committed, RecordFailed
from kiosk.errors import JournalError
from kiosk.journal.log import Journal
from kiosk.service.tally import Tally

_ROW_WITHIN = 0.2
"""Seconds that a row which nothing depends on gets before the portal goes on; none while another one hangs."""

_LAST_WITHIN = 2.0
"""Seconds that the last rows get at the end."""


class Rows:
    """Event loop only. `tell` hears how rows with a ticket ended."""

    def __init__(self, portal: str, journal: Journal, tally: Tally, tell: Callable[[Committed | RecordFailed], None]) -> None:
        self._portal = portal
        self._journal = journal
        self._tally = tally
        self._tell = tell
        self._under_way: set[asyncio.Task[None]] = set()
        self._hanging = False

    async def record(self, kind: str, presentation: int | None, body: Mapping[str, object]) -> None:
        """Raises JournalError `journal_unwritable`."""
        self._tally.heartbeat.pending("journal", begun := time.monotonic())
        try:
            await self._journal.append(kind, self._portal, presentation, body)
        finally:
            self._tally.heartbeat.completed("journal")
        self._tally.totals["journal_rows"] += 1
        self._tally.metrics.journal_row(time.monotonic() - begun)

    async def write(self, kind: str, presentation: int | None, body: Mapping[str, object], ticket: int = 0) -> None:
        """Returns at once for a row with a ticket."""
        task = asyncio.create_task(self._commit(kind, presentation, body, ticket))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        if not ticket and not self._hanging:
            done, _ = await asyncio.wait({task}, timeout=_ROW_WITHIN)
            self._hanging = not done

    async def finish(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_LAST_WITHIN)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._hanging = False

    async def _commit(self, kind: str, presentation: int | None, body: Mapping[str, object], ticket: int) -> None:
        try:
            await self.record(kind, presentation, body)
        except JournalError as error:
            self._tally.error(error)
            if ticket:
                self._tell(RecordFailed(time.monotonic(), ticket, error.slug))
            return
        if ticket:
            self._tell(Committed(time.monotonic(), ticket))
