"""How the demo's processes are begun, heard and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

from kiosk import processes

_STOP_WITHIN = 10.0


def notify_socket(path: Path) -> socket.socket:
    """Where a daemon says READY=1, as to systemd (sd_notify(3)); does not block."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path.unlink(missing_ok=True)
    told.bind(str(path))
    told.setblocking(False)
    return told


def clean_environment() -> dict[str, str]:
    """Without settings meant for another kiosk, and without systemd's own variables."""
    foreign = ("KIOSK_", "NOTIFY_SOCKET", "WATCHDOG_", "CREDENTIALS_DIRECTORY")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def cancel_on_sigterm() -> None:
    """From now on SIGTERM cancels this task. It would end it at once otherwise, and what it has begun would go on alone."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def end(process: asyncio.subprocess.Process) -> int:
    """SIGTERM, as systemd does, and SIGKILL where that is not heard; returns the exit code."""
    if process.returncode is None:
        processes.send(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            processes.send(process, signal.SIGKILL)
    return await process.wait()
