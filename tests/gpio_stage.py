"""Lines to test on: the simulated ones, and a chip of the kernel's gpio-sim where there is one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from kiosk.hardware.inputs import set_sim
from kiosk.hardware.relay import read_state

CONFIG = Path("/sys/kernel/config/gpio-sim")
NO_GPIO_SIM = "no gpio-sim in this kernel, or not root; scripts/uml runs these tests in one that has it"
needs_gpio_sim = pytest.mark.skipif(not os.access(CONFIG, os.W_OK), reason=NO_GPIO_SIM)
NAMES = {0: "LOCK", 1: "CONTACT", 2: "BUTTON", 3: "LAMP", 5: "TWIN", 6: "TWIN", 7: "HOGGED"}


class Bench(Protocol):
    """Something to wire a relay and an input to."""

    state_dir: Path

    def url(self, name: str, **options: object) -> str: ...
    def press(self, name: str, active: bool) -> None: ...
    def energised(self, name: str) -> bool: ...
    def tear(self, name: str) -> None: ...


def _query(options: Mapping[str, object]) -> str:
    return "?" + "&".join(f"{name}={value}" for name, value in options.items()) if options else ""


class SimBench:
    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def url(self, name: str, **options: object) -> str:
        return f"sim:{name}{_query(options)}"

    def press(self, name: str, active: bool) -> None:
        set_sim(self.state_dir, name, active)

    def energised(self, name: str) -> bool:
        return read_state(self.state_dir, name).energised

    def tear(self, name: str) -> None:
        set_sim(self.state_dir, name, None)


class Chip:
    """A chip of gpio-sim's with eight lines; `plug` and `unplug` as of a USB expander."""

    _numbers = itertools.count()

    def __init__(self, state_dir: Path, label: str = "kiosk-test") -> None:
        self.state_dir = state_dir
        self.folder = CONFIG / f"kiosk-{os.getpid()}-{next(self._numbers)}"
        bank = self.folder / "bank0"
        bank.mkdir(parents=True)
        (bank / "label").write_text(label)
        (bank / "num_lines").write_text("8")
        for offset, name in NAMES.items():
            (bank / f"line{offset}").mkdir()
            (bank / f"line{offset}" / "name").write_text(name)
        hog = bank / "line7" / "hog"
        hog.mkdir()
        (hog / "name").write_text("a-hog")
        (hog / "direction").write_text("input")
        self.plug()

    def plug(self) -> None:
        (self.folder / "live").write_text("1")
        self.name = (self.folder / "bank0" / "chip_name").read_text().strip()
        device = (self.folder / "dev_name").read_text().strip()
        self._lines = Path("/sys/devices/platform") / device / self.name

    def unplug(self) -> None:
        (self.folder / "live").write_text("0")

    def remove(self) -> None:
        if (self.folder / "live").read_text().strip() == "1":
            self.unplug()
        for folder in [*self.folder.glob("bank0/line*/hog"), *self.folder.glob("bank0/line*")]:
            folder.rmdir()
        (self.folder / "bank0").rmdir()
        self.folder.rmdir()

    def offset(self, name: str) -> int:
        return next(offset for offset, known in NAMES.items() if known == name)

    def url(self, name: str, **options: object) -> str:
        return f"gpiod:{name}{_query(options)}"

    def pull(self, name: str, up: bool) -> None:
        """As a wire to 3.3 V or to ground would."""
        (self._lines / f"sim_gpio{self.offset(name)}" / "pull").write_text("pull-up" if up else "pull-down")

    def level(self, name: str) -> bool:
        """As a meter would show it."""
        return (self._lines / f"sim_gpio{self.offset(name)}" / "value").read_text().strip() == "1"

    def press(self, name: str, active: bool) -> None:
        self.pull(name, active)

    def energised(self, name: str) -> bool:
        return self.level(name)

    def tear(self, name: str) -> None:
        self.unplug()


@contextmanager
def chip_of_its_own(state_dir: Path, label: str = "kiosk-test") -> Iterator[Chip]:
    made = Chip(state_dir, label)
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(params=["sim", pytest.param("gpiod", marks=[pytest.mark.gpio_sim, needs_gpio_sim])])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """One contract for both."""
    if request.param == "sim":
        yield SimBench(tmp_path)
        return
    with chip_of_its_own(tmp_path) as made:
        yield made


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[Chip]:
    with chip_of_its_own(tmp_path) as made:
        yield made
