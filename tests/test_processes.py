"""Signals to processes that have just ended, are about to, or have been waited for."""

from __future__ import annotations

import asyncio
import os
import signal

from kiosk import processes


async def sleeper() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec("sleep", "60")


async def test_what_ended_it_is_told_though_it_was_killed_once_more() -> None:
    for _ in range(50):
        process = await sleeper()
        os.kill(process.pid, signal.SIGTERM)
        for _ in range(20):
            processes.send(process, signal.SIGKILL)
        assert await process.wait() in (-signal.SIGTERM, -signal.SIGKILL)


async def test_whoever_was_waited_for_is_left_alone() -> None:
    process = await sleeper()
    processes.send(process, signal.SIGTERM)
    assert await process.wait() == -signal.SIGTERM
    processes.send(process, signal.SIGKILL)
    assert process.returncode == -signal.SIGTERM
