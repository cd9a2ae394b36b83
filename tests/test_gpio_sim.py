"""What only the kernel's own lines have: names, chips, levels, hogs, and what is left after a kill."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kiosk.errors import HardwareError
from kiosk.gpio.app import app
from kiosk.hardware import lines
from kiosk.hardware.inputs import open_input
from kiosk.hardware.lines import chips, locate
from kiosk.hardware.outputs import open_output
from kiosk.hardware.relay import KeptRelay, open_relay
from kiosk.settings.lines import LineAddress, parse
from tests.gpio_stage import Chip, chip, chip_of_its_own, needs_gpio_sim

__all__ = ["chip"]

pytestmark = [pytest.mark.gpio_sim, needs_gpio_sim]


def gpio(*arguments: str) -> tuple[int, str]:
    """Exit code and what was said."""
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout


async def wired(chip: Chip, url: str) -> KeptRelay:
    return await open_relay(url, chip.state_dir, lambda *_: None, lambda *_: None)


def test_chips_are_told_with_their_lines(chip: Chip) -> None:
    (seen,) = chips()
    assert (seen.path, seen.label, len(seen.lines)) == (f"/dev/{chip.name}", "kiosk-test", 8)
    assert [line.name for line in seen.lines] == ["LOCK", "CONTACT", "BUTTON", "LAMP", "", "TWIN", "TWIN", "HOGGED"]
    assert [line.used for line in seen.lines] == [False] * 7 + [True]


@pytest.mark.parametrize("place", ["LOCK", "{chip}/0", "/dev/{chip}/0", "kiosk-test/0", "kiosk-test/LOCK"])
def test_a_line_is_found_by_name_number_and_label(chip: Chip, place: str) -> None:
    found = locate(parse(f"gpiod:{place.format(chip=chip.name)}", "output"))
    assert (found.chip.name, found.line.offset) == (chip.name, 0)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("LOKC", "did you mean 'LOCK'"),
        ("TWIN", "several lines are called TWIN; write one of gpiod:{chip}/5, gpiod:{chip}/6"),
        ("{chip}/8", "has the lines 0 to 7"),
        ("kiosk-tset/0", "no chip kiosk-tset; did you mean 'kiosk-test'"),
    ],
)
async def test_what_is_not_there_is_told_with_what_is(chip: Chip, place: str, told: str) -> None:
    with pytest.raises(HardwareError) as caught:
        await wired(chip, f"gpiod:{place.format(chip=chip.name)}")
    assert caught.value.slug == "line_missing"
    assert told.format(chip=chip.name) in caught.value.detail


def test_two_chips_of_one_label_are_told_apart_by_device(chip: Chip, tmp_path: Path) -> None:
    with chip_of_its_own(tmp_path), pytest.raises(HardwareError, match="several chips are called kiosk-test"):
        locate(parse("gpiod:kiosk-test/0", "output"))


def test_a_link_to_a_chip_is_followed_and_no_chip_of_its_own(chip: Chip) -> None:
    link = Path("/dev/gpiochip99")
    link.symlink_to(f"/dev/{chip.name}")
    try:
        for place in ("gpiochip99/0", "/dev/gpiochip99/LOCK"):
            assert locate(parse(f"gpiod:{place}", "output")).chip.name == chip.name
        assert [one.name for one in chips()] == [chip.name]
    finally:
        link.unlink()


async def test_a_busy_line_names_its_holder(chip: Chip) -> None:
    with pytest.raises(HardwareError, match=r"line_busy: .*'a-hog' uses it"):
        await wired(chip, "gpiod:HOGGED")
    with pytest.raises(HardwareError, match=r"line_busy: .*'a-hog' uses it"):
        await open_input("gpiod:HOGGED", chip.state_dir, lambda *_: None, lambda *_: None)
    relay = await wired(chip, "gpiod:LOCK")
    with pytest.raises(HardwareError, match=r"line_busy: .*'kiosk' uses it"):
        await open_output("gpiod:LOCK", chip.state_dir)
    await relay.close()


async def test_a_chip_that_may_not_be_opened_names_the_group(chip: Chip) -> None:
    os.chown(f"/dev/{chip.name}", 0, 1)
    Path(f"/dev/{chip.name}").chmod(0o660)
    os.seteuid(65534)
    try:
        for url in ("gpiod:LOCK", f"gpiod:{chip.name}/0"):
            with pytest.raises(HardwareError, match=r"line_forbidden: .*add this user to the group 'daemon'"):
                await wired(chip, url)
        assert "may not look inside" in gpio("list")[1]
    finally:
        os.seteuid(0)


async def test_active_low_turns_output_and_input_round(chip: Chip) -> None:
    relay = await wired(chip, "gpiod:LOCK?active=low")
    assert chip.level("LOCK")
    await relay.pulse(30)
    assert not chip.level("LOCK")
    await relay.release()
    assert chip.level("LOCK")
    await relay.close()
    chip.pull("BUTTON", up=False)
    heard: asyncio.Queue[bool] = asyncio.Queue()
    button = await open_input(
        "gpiod:BUTTON?active=low", chip.state_dir, lambda _, active: heard.put_nowait(active), lambda *_: None
    )
    assert button.active
    chip.pull("BUTTON", up=True)
    assert await asyncio.wait_for(heard.get(), 5) is False
    await button.close()


async def test_bias_reaches_the_line(chip: Chip) -> None:
    chip.pull("BUTTON", up=False)
    button = await open_input("gpiod:BUTTON?bias=pull-up", chip.state_dir, lambda *_: None, lambda *_: None)
    assert button.active
    await button.close()


async def test_a_released_line_goes_back_to_its_pull(chip: Chip) -> None:
    """So it does here; a Raspberry Pi's kernel keeps the level instead, which is why everything is driven first."""
    chip.pull("LOCK", up=True)
    relay = await wired(chip, "gpiod:LOCK")
    assert not chip.level("LOCK")
    await relay.pulse(30)
    os.kill(relay.keeper_pid, signal.SIGKILL)
    await relay.close()
    assert chip.level("LOCK"), "the pull is wired to the unsafe side, and nobody drives the line any more"


async def test_what_a_killed_keeper_left_is_driven_safe_before_it_is_told(chip: Chip, monkeypatch: pytest.MonkeyPatch) -> None:
    driven: list[str] = []
    real = lines.GpiodOutput.__init__

    def note(self: lines.GpiodOutput, address: LineAddress) -> None:
        real(self, address)
        driven.append(f"{address.line} {'high' if chip.level('LOCK') else 'low'}")

    monkeypatch.setattr(lines.GpiodOutput, "__init__", note)
    chip.pull("LOCK", up=True)
    told: asyncio.Queue[list[str]] = asyncio.Queue()
    relay = await open_relay("gpiod:LOCK", chip.state_dir, lambda *_: None, lambda *_: told.put_nowait(list(driven)))
    await relay.pulse(30)
    os.kill(relay.keeper_pid, signal.SIGKILL)
    assert await asyncio.wait_for(told.get(), 5) == ["LOCK low"]
    await relay.close()


async def test_a_chip_that_is_pulled_out_loses_relay_and_lamp(chip: Chip) -> None:
    lost: asyncio.Queue[str] = asyncio.Queue()
    relay = await open_relay("gpiod:LOCK", chip.state_dir, lambda *_: None, lambda _, slug: lost.put_nowait(slug))
    lamp = await open_output("gpiod:LAMP", chip.state_dir)
    lamp.set(active=True)
    assert chip.level("LAMP")
    chip.unplug()
    with pytest.raises(HardwareError, match="relay_lost"):
        await relay.pulse(1)
    assert await asyncio.wait_for(lost.get(), 5) == "relay_lost"
    with pytest.raises(HardwareError, match="line_lost"):
        lamp.set(active=False)
    await lamp.close()
    await relay.close()
    with pytest.raises(HardwareError, match="line_missing"):
        await wired(chip, "gpiod:LOCK")


async def test_a_lamp_is_off_when_it_is_given_back(chip: Chip) -> None:
    lamp = await open_output("gpiod:LAMP", chip.state_dir)
    lamp.set(active=True)
    assert chip.level("LAMP")
    await lamp.close()
    assert not chip.level("LAMP")


def test_the_command_lists_chips_lines_and_who_uses_them(chip: Chip) -> None:
    _, told = gpio("list")
    assert f"/dev/{chip.name} (kiosk-test)" in told
    assert re.search(r"7 +HOGGED +input +a-hog", told)
    (seen,) = json.loads(gpio("list", "kiosk-test", "--json")[1])["chips"]
    assert [line["name"] for line in seen["lines"]][:2] == ["LOCK", "CONTACT"]
    assert "no such chip" in gpio("list", "gpiochip99")[1]


async def test_the_command_makes_outputs_safe_unless_they_are_in_use(chip: Chip, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    outputs = '{ lamp_red = "gpiod:LAMP", side = "sim:side" }'
    config.write_text(f'[portals.door]\nrelay = "gpiod:LOCK?active=low"\noutputs = {outputs}\n')
    done = await asyncio.to_thread(gpio, "safe", "--config", str(config))
    assert done == (0, "gpiod:LOCK?active=low: inactive\ngpiod:LAMP: inactive\n")
    relay = await wired(chip, "gpiod:LOCK?active=low")
    code, told = await asyncio.to_thread(gpio, "safe", "--config", str(config))
    assert code == 1
    assert "line_busy" in told
    assert "gpiod:LAMP: inactive" in told
    await relay.close()
