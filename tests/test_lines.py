"""Lines: how they are written, and one contract for the simulated and the kernel's own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk.errors import HardwareError
from kiosk.hardware import lines
from kiosk.hardware.inputs import open_input, set_sim
from kiosk.hardware.keeper import LEASE
from kiosk.hardware.outputs import open_output
from kiosk.hardware.relay import KeptRelay, open_relay
from kiosk.ports import Input
from kiosk.settings import PortalSettings
from kiosk.settings.lines import LineAddress, Use, parse
from tests.gpio_stage import Bench, bench

__all__ = ["bench"]

HOLDER = """
import asyncio, sys
from pathlib import Path
from kiosk.hardware.relay import open_relay

async def main():
    relay = await open_relay(sys.argv[1], Path(sys.argv[2]), lambda *_: None, lambda *_: None)
    await relay.hold()
    print("holding", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.005)


class Heard:
    def __init__(self) -> None:
        self.changes: list[tuple[float, bool]] = []
        self.lost: list[str] = []
        self.released: list[str] = []

    @property
    def levels(self) -> list[bool]:
        return [active for _, active in self.changes]


@asynccontextmanager
async def listening(bench: Bench, heard: Heard, name: str = "CONTACT", **options: object) -> AsyncIterator[Input]:
    opened = await open_input(
        bench.url(name, **options),
        bench.state_dir,
        lambda at, active: heard.changes.append((at, active)),
        lambda _, slug: heard.lost.append(slug),
    )
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def wired(bench: Bench, heard: Heard, name: str = "LOCK") -> AsyncIterator[KeptRelay]:
    relay = await open_relay(
        bench.url(name), bench.state_dir, lambda _, why: heard.released.append(why), lambda _, slug: heard.lost.append(slug)
    )
    try:
        yield relay
    finally:
        await relay.close()


class TestHowTheyAreWritten:
    @pytest.mark.parametrize(
        ("url", "chip", "line"),
        [
            ("gpiod:/dev/gpiochip0/17", "/dev/gpiochip0", "17"),
            ("gpiod:gpiochip4/17", "gpiochip4", "17"),
            ("gpiod:pinctrl-rp1/17", "pinctrl-rp1", "17"),
            ("gpiod:GPIO17", "", "GPIO17"),
            ("gpiod:PQ.05", "", "PQ.05"),
            ("sim:door", "", "door"),
        ],
    )
    def test_chip_and_line(self, url: str, chip: str, line: str) -> None:
        address = parse(url, "output")
        assert (address.chip, address.line, address.active_low, address.bias) == (chip, line, False, "as-is")

    def test_every_option(self) -> None:
        output = parse("gpiod:LOCK?active=low&bias=pull-up&drive=open-drain&safe=inactive", "output")
        assert (output.active_low, output.bias, output.drive) == (True, "pull-up", "open-drain")
        assert parse("gpiod:CONTACT?active=low&bias=pull-up&debounce_ms=20", "input") == LineAddress(
            "gpiod:CONTACT?active=low&bias=pull-up&debounce_ms=20",
            "gpiod",
            "CONTACT",
            active_low=True,
            bias="pull-up",
            debounce=0.02,
        )

    @pytest.mark.parametrize(
        ("url", "told"),
        [
            ("gpiod:17", "lacks its chip; write gpiod:gpiochip0/17"),
            ("gpiod:/dev/gpiochip0", "lacks its line"),
            ("gpiod:gpiochip0/", "lacks its line"),
            ("gpiod:", "is no line"),
            ("gpio:17", "is no line"),
            ("sim:a/b", "letters, digits"),
            ("sim:../door", "letters, digits"),
            ("gpiod:LOCK?bais=pull-up", "no option 'bais'; did you mean 'bias'"),
            ("gpiod:LOCK?bias=up", "as-is, pull-up, pull-down, disabled"),
            ("gpiod:LOCK?active=low&active=high", "twice"),
            ("gpiod:LOCK?safe=active", "the safe state of an output is to be inactive"),
            ("gpiod:LOCK?debounce_ms=20", "an output has no option 'debounce_ms'"),
        ],
    )
    def test_a_mistake_is_told_with_what_would_be_right(self, url: str, told: str) -> None:
        with pytest.raises(ValueError, match=r"is no line|lacks|'") as caught:
            parse(url, "output")
        assert told in str(caught.value)

    @given(st.sampled_from(["gpiod:", "sim:", ""]), st.text("ab/?&=.%17-", max_size=30), st.sampled_from(["output", "input"]))
    def test_anything_is_a_line_or_a_mistake(self, scheme: str, rest: str, use: Use) -> None:
        try:
            address = parse(scheme + rest, use)
        except ValueError:
            return
        assert address.line
        assert scheme == f"{address.scheme}:"

    @pytest.mark.parametrize("milliseconds", ["-1", "1001", "2.5", "soon", ""])
    def test_a_debounce_is_a_sensible_number(self, milliseconds: str) -> None:
        with pytest.raises(ValueError, match="whole number from 0 to 1000"):
            parse(f"sim:contact?debounce_ms={milliseconds}", "input")

    @pytest.mark.parametrize(
        "portal",
        [
            {"relay": "gpiod:17"},
            {"relay": ""},
            {"contact": "sim:contact?drive=open-drain"},
            {"fire": "gpiod:gpiochip0/4?debounce_ms=soon"},
            {"outputs": {"buzzer": "gpiod:BUZZER?debounce_ms=5"}},
        ],
    )
    def test_the_settings_refuse_it_too(self, portal: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            PortalSettings.model_validate(portal)

    def test_a_settings_input_may_be_none(self) -> None:
        assert PortalSettings(contact="", relay="gpiod:GPIO17?active=low").contact == ""


class TestWhereThereIsNone:
    """On boxes without lines, and where the kernel keeps levels."""

    @pytest.mark.skipif(bool(list(Path("/dev").glob("gpiochip*"))), reason="this box has lines")
    async def test_every_part_is_refused(self, tmp_path: Path) -> None:
        def nothing(*_: object) -> None:
            pass

        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: open_relay("gpiod:GPIO17", tmp_path, nothing, nothing),
            lambda: open_input("gpiod:GPIO17", tmp_path, nothing, nothing),
            lambda: open_output("gpiod:GPIO17", tmp_path),
        ]
        for attempt in attempts:
            with pytest.raises(HardwareError, match="line_missing: gpiod:GPIO17: this box has no /dev/gpiochip"):
                await attempt()

    @pytest.mark.parametrize(("written", "told"), [("Y\n", ["pinctrl_rp1"]), ("N\n", [])])
    def test_drivers_that_keep_levels_are_found(self, tmp_path: Path, written: str, told: list[str]) -> None:
        file = tmp_path / "pinctrl_rp1" / "parameters" / "persist_gpio_outputs"
        file.parent.mkdir(parents=True)
        file.write_text(written)
        assert lines.keepers_of_levels(tmp_path) == told


class TestInputs:
    @pytest.mark.parametrize("active", [True, False])
    async def test_the_first_state_is_read(self, bench: Bench, active: bool) -> None:
        bench.press("CONTACT", active)
        heard = Heard()
        async with listening(bench, heard) as contact:
            assert contact.active is active
        assert heard.changes == []

    async def test_every_edge_is_told_with_its_time(self, bench: Bench) -> None:
        heard = Heard()
        async with listening(bench, heard) as contact:
            begun = time.monotonic()
            for active in (True, False, True):
                bench.press("CONTACT", active)
                await until(lambda expected=active: contact.active is expected)  # type: ignore[misc]
        assert heard.levels == [True, False, True]
        assert begun <= heard.changes[0][0] <= heard.changes[1][0] <= heard.changes[2][0] <= time.monotonic()

    async def test_a_level_pressed_twice_is_no_change(self, bench: Bench) -> None:
        heard = Heard()
        async with listening(bench, heard) as contact:
            bench.press("CONTACT", True)
            await until(lambda: contact.active)
            bench.press("CONTACT", True)
            bench.press("CONTACT", False)
            await until(lambda: not contact.active)
        assert heard.levels == [True, False]

    async def test_bounces_are_not_told(self, bench: Bench) -> None:
        heard = Heard()
        async with listening(bench, heard, debounce_ms=400) as contact:
            for active in (True, False, True, False, True):
                bench.press("CONTACT", active)
            assert not contact.active
            await until(lambda: contact.active)
            bench.press("CONTACT", False)
            bench.press("CONTACT", True)
            bench.press("CONTACT", False)
            await until(lambda: not contact.active)
        assert heard.levels == [True, False]

    async def test_nobody_opens_it_twice(self, bench: Bench) -> None:
        async with listening(bench, Heard()):
            with pytest.raises(HardwareError, match="line_busy"):
                async with listening(bench, Heard()):
                    pass
        async with listening(bench, Heard()):
            pass

    async def test_after_closing_nothing_is_told(self, bench: Bench) -> None:
        heard = Heard()
        async with listening(bench, heard) as contact:
            pass
        bench.press("CONTACT", True)
        await asyncio.sleep(0.05)
        await contact.close()
        assert heard.changes == []

    async def test_a_line_that_goes_away_is_lost_once(self, bench: Bench) -> None:
        heard = Heard()
        bench.press("CONTACT", True)
        async with listening(bench, heard) as contact:
            bench.tear("CONTACT")
            await until(lambda: bool(heard.lost))
            assert not contact.active
        assert (heard.lost, heard.changes) == (["line_lost"], [])


class TestSimulatedInputs:
    async def test_it_begins_as_the_url_says_until_it_is_set(self, tmp_path: Path) -> None:
        async def seen(url: str) -> bool:
            opened = await open_input(url, tmp_path, lambda *_: None, lambda *_: None)
            active = opened.active
            await opened.close()
            return active

        assert not await seen("sim:fire")
        assert await seen("sim:fire?initial=active")
        set_sim(tmp_path, "fire", False)
        assert not await seen("sim:fire?initial=active")

    async def test_a_relay_and_an_input_do_not_share_a_name(self, tmp_path: Path) -> None:
        relay = await open_relay("sim:door", tmp_path, lambda *_: None, lambda *_: None)
        with pytest.raises(HardwareError, match="line_busy"):
            await open_input("sim:door", tmp_path, lambda *_: None, lambda *_: None)
        await relay.close()

    @pytest.mark.parametrize("name", ["", "../x", "a/b"])
    def test_a_name_stays_in_its_folder(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(HardwareError, match="line_missing"):
            set_sim(tmp_path / "state", name, active=True)
        assert list(tmp_path.iterdir()) == []


class TestRelays:
    async def test_a_pulse_moves_the_line_and_ends_by_itself(self, bench: Bench) -> None:
        heard = Heard()
        async with wired(bench, heard) as relay:
            assert not bench.energised("LOCK")
            await relay.pulse(0.2)
            assert bench.energised("LOCK")
            await until(lambda: heard.released == ["timer"])
            assert not bench.energised("LOCK")
            with pytest.raises(HardwareError, match="refuses a pulse"):
                await relay.pulse(61)

    async def test_a_hold_outlasts_its_lease_and_ends_when_told(self, bench: Bench) -> None:
        heard = Heard()
        async with wired(bench, heard) as relay:
            before = time.monotonic()
            assert before <= await relay.hold() <= time.monotonic()
            await asyncio.sleep(LEASE + 0.5)
            assert relay.energised
            assert bench.energised("LOCK")
            with pytest.raises(HardwareError, match="relay_busy"):
                await relay.pulse(1)
            await relay.release()
            assert (relay.energised, bench.energised("LOCK"), heard.released) == (False, False, ["asked"])
            await relay.pulse(0.1)
            await until(lambda: heard.released == ["asked", "timer"])

    async def test_a_hold_takes_over_from_a_pulse(self, bench: Bench) -> None:
        heard = Heard()
        async with wired(bench, heard) as relay:
            await relay.pulse(0.3)
            await relay.hold()
            await relay.hold()
            await asyncio.sleep(0.6)
            assert bench.energised("LOCK")
        assert heard.released == []
        assert not bench.energised("LOCK")

    async def test_a_daemon_that_does_not_come_round_loses_its_hold_and_hears_of_it(self, bench: Bench) -> None:
        heard = Heard()
        async with wired(bench, heard) as relay:
            await relay.hold()
            time.sleep(LEASE + 0.5)  # nothing else runs meanwhile, as when the loop hangs
            assert not bench.energised("LOCK")
            await until(lambda: heard.released == ["lease"])
            await asyncio.sleep(1.2)
            assert (relay.energised, bench.energised("LOCK")) == (False, False)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
    async def test_a_hold_does_not_outlive_the_daemon(self, bench: Bench, number: signal.Signals) -> None:
        command = [sys.executable, "-c", HOLDER, bench.url("LOCK"), str(bench.state_dir)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as owner:
            assert owner.stdout is not None
            assert await asyncio.to_thread(owner.stdout.readline) == "holding\n"
            assert bench.energised("LOCK")
            os.killpg(owner.pid, number)
            await until(lambda: not bench.energised("LOCK"))
            owner.kill()
        assert LEASE < 3

    async def test_a_keeper_killed_in_a_pulse_leaves_the_line_safe(self, bench: Bench) -> None:
        heard = Heard()
        async with wired(bench, heard) as relay:
            await relay.pulse(30)
            os.kill(relay.keeper_pid, signal.SIGKILL)
            await until(lambda: heard.lost == ["relay_lost"])
            assert (relay.energised, bench.energised("LOCK")) == (False, False)
        async with wired(bench, heard):
            assert not bench.energised("LOCK")

    async def test_a_keeper_that_stops_listening_in_a_hold_is_made_to_let_go(self, bench: Bench) -> None:
        async with wired(bench, Heard()) as relay:
            await relay.hold()
            os.kill(relay.keeper_pid, signal.SIGSTOP)
            with pytest.raises(HardwareError, match="relay_lost"):
                await relay.release()
            assert not bench.energised("LOCK")

    async def test_nobody_takes_it_twice(self, bench: Bench) -> None:
        async with wired(bench, Heard()):
            with pytest.raises(HardwareError, match=r"line_busy|holds it"):
                async with wired(bench, Heard()):
                    pass
