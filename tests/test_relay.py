"""The relay and its keeper, with real processes and real signals."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosk.errors import HardwareError
from kiosk.hardware.relay import KeptRelay, open_relay, read_state

OWNER = """
import asyncio, sys
from pathlib import Path
from kiosk.hardware.relay import open_relay

async def main():
    relay = await open_relay("sim:door", Path(sys.argv[1]), lambda *_: None, lambda *_: None)
    await relay.pulse(float(sys.argv[2]))
    print("energised", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


class Heard:
    def __init__(self) -> None:
        self.released: asyncio.Queue[str] = asyncio.Queue()
        self.lost: asyncio.Queue[str] = asyncio.Queue()


@asynccontextmanager
async def opened(folder: Path, heard: Heard | None = None) -> AsyncIterator[KeptRelay]:
    heard = heard or Heard()
    relay = await open_relay(
        "sim:door", folder, lambda _, why: heard.released.put_nowait(why), lambda _, slug: heard.lost.put_nowait(slug)
    )
    try:
        yield relay
    finally:
        await relay.close()


def wait_until(condition: Callable[[], bool], within: float = 5.0) -> float:
    """Seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within, "it never came true"
        time.sleep(0.005)
    return time.monotonic() - begun


async def test_a_pulse_is_confirmed_seen_and_ends_by_itself(tmp_path: Path) -> None:
    heard = Heard()
    async with opened(tmp_path, heard) as relay:
        assert not read_state(tmp_path, "door").energised
        before = time.monotonic()
        at = await relay.pulse(0.2)
        assert before <= at <= time.monotonic()
        assert relay.energised
        assert read_state(tmp_path, "door").energised
        assert await asyncio.wait_for(heard.released.get(), 5) == "timer"
        state = read_state(tmp_path, "door")
        assert (relay.energised, state.energised, state.pulses) == (False, False, 1)
        assert state.at - at >= 0.2


async def test_a_busy_relay_refuses_and_its_pulse_is_not_made_longer(tmp_path: Path) -> None:
    heard = Heard()
    async with opened(tmp_path, heard) as relay:
        at = await relay.pulse(0.3)
        with pytest.raises(HardwareError, match="relay_busy"):
            await relay.pulse(5)
        await asyncio.wait_for(heard.released.get(), 5)
        state = read_state(tmp_path, "door")
        assert state.pulses == 1
        assert state.at - at < 5


async def test_release_ends_a_pulse_at_once(tmp_path: Path) -> None:
    heard = Heard()
    async with opened(tmp_path, heard) as relay:
        await relay.pulse(30)
        await relay.release()
        assert await asyncio.wait_for(heard.released.get(), 5) == "asked"
        assert not read_state(tmp_path, "door").energised


async def test_closing_is_safe_in_the_middle_of_a_pulse(tmp_path: Path) -> None:
    async with opened(tmp_path) as relay:
        await relay.pulse(30)
    assert not read_state(tmp_path, "door").energised


async def test_the_second_owner_is_told_who_holds_the_line(tmp_path: Path) -> None:
    async with opened(tmp_path) as relay:
        with pytest.raises(HardwareError, match=rf"relay_missing: sim:door: process {relay.keeper_pid} holds it"):
            async with opened(tmp_path):
                pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_keeper_that_ends_is_noticed_and_the_line_is_safe(tmp_path: Path, number: signal.Signals) -> None:
    heard = Heard()
    async with opened(tmp_path, heard) as relay:
        await relay.pulse(30)
        os.kill(relay.keeper_pid, number)
        assert await asyncio.wait_for(heard.lost.get(), 5) == "relay_lost"
        assert not relay.energised
        assert not read_state(tmp_path, "door").energised
        with pytest.raises(HardwareError, match="relay_lost"):
            await relay.pulse(1)


async def test_a_keeper_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    async with opened(tmp_path) as relay:
        os.kill(relay.keeper_pid, signal.SIGSTOP)
        with pytest.raises(HardwareError, match="relay_lost"):
            await relay.pulse(1)
    assert not read_state(tmp_path, "door").energised


async def test_a_keeper_that_stops_listening_in_a_pulse_is_made_to_let_go(tmp_path: Path) -> None:
    async with opened(tmp_path) as relay:
        await relay.pulse(30)
        os.kill(relay.keeper_pid, signal.SIGSTOP)
        with pytest.raises(HardwareError, match="relay_lost"):
            await relay.release()
        await asyncio.to_thread(wait_until, lambda: not read_state(tmp_path, "door").energised)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 61.0, float("nan"), float("inf")])
async def test_the_keeper_itself_bounds_every_pulse(tmp_path: Path, seconds: float) -> None:
    async with opened(tmp_path) as relay:
        with pytest.raises(HardwareError, match="refuses a pulse"):
            await relay.pulse(seconds)
        state = read_state(tmp_path, "door")
        assert (relay.energised, state.energised, state.pulses) == (False, False, 0)
        await relay.pulse(30)
        assert read_state(tmp_path, "door").energised


async def test_what_was_written_last_does_not_count_once_the_keeper_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as relay:
        await relay.pulse(30)
        os.kill(relay.keeper_pid, signal.SIGKILL)
    written = (tmp_path / "sim" / "door.json").read_text()
    assert '"energised": true' in written
    assert read_state(tmp_path, "door").why == "keeper gone"


@pytest.mark.parametrize("name", ["", "../door", "a/b"])
async def test_a_relays_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(HardwareError, match="relay_missing"):
        await open_relay(f"sim:{name}", tmp_path / "state", lambda *_: None, lambda *_: None)
    assert list(tmp_path.iterdir()) == []


async def test_a_torn_state_is_no_relay(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    (tmp_path / "sim" / "door.json").write_bytes(b"")
    with pytest.raises(HardwareError, match="relay_missing"):
        read_state(tmp_path, "door")


def start_owner(folder: Path, seconds: float) -> subprocess.Popen[str]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "energised\n"
    assert read_state(folder, "door").energised
    return owner


def end(owner: subprocess.Popen[str]) -> None:
    owner.kill()
    owner.wait()
    assert owner.stdout is not None
    owner.stdout.close()


def test_killing_the_daemon_releases_at_once(tmp_path: Path) -> None:
    owner = start_owner(tmp_path, 30)
    owner.kill()
    assert wait_until(lambda: not read_state(tmp_path, "door").energised) < 5
    end(owner)


def test_a_stopped_daemon_cannot_hold_the_door_open(tmp_path: Path) -> None:
    owner = start_owner(tmp_path, 0.3)
    os.killpg(owner.pid, signal.SIGSTOP)  # as Ctrl-Z does: everything in the daemon's group stops
    wait_until(lambda: read_state(tmp_path, "door").why == "timer")
    assert not read_state(tmp_path, "door").energised
    end(owner)


def test_a_relay_that_never_was_is_missing(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="relay_missing"):
        read_state(tmp_path, "door")
