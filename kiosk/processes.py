"""Signals to processes that asyncio has started."""

from __future__ import annotations

import asyncio
import contextlib
import os


def send(process: asyncio.subprocess.Process, number: int) -> None:
    """Sends the signal, unless the process is known to have ended. Event loop only.

    asyncio's own `kill` looks first whether it has ended (subprocess.Popen.send_signal polls), and where it just has takes away
    the exit code from whoever waits for it: that is told 255 then.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
