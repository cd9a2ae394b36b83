"""Patterns of lamps and buzzer, on real simulated lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosk.errors import HardwareError
from kiosk.hardware import signals
from kiosk.hardware.outputs import open_output
from kiosk.hardware.relay import read_state
from kiosk.hardware.signals import MOMENTS, PATTERNS, Pattern, Signals

NAMES = ("lamp_red", "lamp_green", "lamp_blue", "buzzer")


@asynccontextmanager
async def lit(folder: Path, *names: str, on_error: Callable[[HardwareError], None] = lambda _: None) -> AsyncIterator[Signals]:
    shown = Signals({name: await open_output(f"sim:{name}", folder) for name in names or NAMES}, on_error)
    try:
        yield shown
    finally:
        await shown.close()


def on(folder: Path) -> set[str]:
    return {name for name in NAMES if (folder / "sim" / f"{name}.json").exists() and read_state(folder, name).energised}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
async def test_every_pattern_is_seen_and_nothing_stays_on(tmp_path: Path, pattern: Pattern) -> None:
    begins = {name for name, beats in PATTERNS[pattern].items() if beats[0][0]}
    async with lit(tmp_path) as shown:
        shown.show(pattern)
        assert on(tmp_path) == begins
    assert on(tmp_path) == set()


def test_patterns_name_outputs_and_last() -> None:
    for beats in [beats for pattern in PATTERNS.values() for beats in pattern.items()]:
        assert beats[0] in NAMES
        assert all(0.05 <= seconds <= 3600 for _, seconds in beats[1])
    assert set(PATTERNS) > MOMENTS


async def test_a_state_is_played_again_and_again(tmp_path: Path) -> None:
    async with lit(tmp_path) as shown:
        shown.show("alarm")
        await until(lambda: read_state(tmp_path, "lamp_red").pulses >= 3)
        await until(lambda: not read_state(tmp_path, "lamp_red").energised)


async def test_a_moment_gives_way_to_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {**PATTERNS, "granted": {"lamp_green": ((True, 0.3),), "buzzer": ((True, 0.05), (False, 0.05), (True, 0.05))}}
    monkeypatch.setattr(signals, "PATTERNS", short)
    async with lit(tmp_path) as shown:
        shown.show("lockdown")
        shown.show("granted")
        assert on(tmp_path) == {"lamp_green", "buzzer"}
        shown.show("wait")
        assert "lamp_green" in on(tmp_path)
        await until(lambda: on(tmp_path) == {"lamp_blue"})
        assert read_state(tmp_path, "buzzer").pulses == 2


async def test_an_alarm_interrupts_a_moment(tmp_path: Path) -> None:
    async with lit(tmp_path) as shown:
        shown.show("granted")
        shown.show("alarm")
        assert on(tmp_path) == {"lamp_red", "buzzer"}


async def test_a_portal_without_lamps_shows_what_it_can(tmp_path: Path) -> None:
    async with lit(tmp_path, "buzzer") as shown:
        shown.show("denied")
        assert on(tmp_path) == {"buzzer"}


async def test_a_lamp_that_fails_is_told_once_and_spoils_nothing(tmp_path: Path) -> None:
    class Broken:
        def set(self, active: bool) -> None:
            raise HardwareError("line_lost", "unplugged")

        async def close(self) -> None:
            pass

    told: list[HardwareError] = []
    buzzer = await open_output("sim:buzzer", tmp_path)
    shown = Signals({"lamp_red": Broken(), "buzzer": buzzer}, told.append)
    shown.show("denied")
    shown.show("alarm")
    assert [error.slug for error in told] == ["line_lost"]
    assert on(tmp_path) == {"buzzer"}
    await shown.close()


async def test_an_output_is_not_opened_twice(tmp_path: Path) -> None:
    lamp = await open_output("sim:lamp_red", tmp_path)
    with pytest.raises(HardwareError, match="line_busy"):
        await open_output("sim:lamp_red", tmp_path)
    await lamp.close()
    await (await open_output("sim:lamp_red", tmp_path)).close()
