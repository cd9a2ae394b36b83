"""Whether the time of day is believed."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest

from kiosk.clock import JUMP, TrustedClock, synchronised, zone
from kiosk.errors import ConfigurationError


class Hands:
    """A clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.steady = 100.0
        self.right = True

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def clock(self, *, trusted: bool = False) -> TrustedClock:
        manner: Literal["trusted", "synchronised"] = "trusted" if trusted else "synchronised"
        clock = TrustedClock(manner, lambda: self.wall, lambda: self.steady, lambda: self.right)
        clock.refresh()
        return clock


def test_a_synchronised_clock_is_believed_as_long_as_the_kernel_says_so() -> None:
    hands = Hands()
    clock = hands.clock()
    assert clock.now() == (1_800_000_000.0, True)
    hands.right = False
    clock.refresh()
    assert clock.now()[1] is False


def test_a_correction_by_what_synchronises_the_clock_is_believed() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall += 3600
    assert clock.now() == (1_800_003_600.0, True)


@pytest.mark.parametrize("seconds", [2 * JUMP, -2 * JUMP, 365 * 86400])
def test_a_clock_that_somebody_set_is_not_believed_again(seconds: float) -> None:
    hands = Hands()
    clock = hands.clock(trusted=True)
    assert clock.now()[1] is True
    hands.wall += seconds
    assert clock.now()[1] is False
    hands.pass_(60)
    assert clock.now()[1] is False
    assert clock.jumped


def test_slow_drift_and_sleep_are_no_jumps() -> None:
    hands = Hands()
    clock = hands.clock(trusted=True)
    for _ in range(100):
        hands.pass_(3600)
        hands.wall += 0.5
        assert clock.now()[1] is True


def test_the_real_clocks_agree_with_the_kernel() -> None:
    clock = TrustedClock("synchronised")
    assert clock.now()[1] is False
    clock.refresh()
    moment, trusted = clock.now()
    assert abs(moment - time.time()) < 60
    assert trusted is synchronised()


def test_zones_by_name_and_the_systems_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert datetime.fromtimestamp(0, zone("Asia/Shanghai")).hour == 8
    monkeypatch.setenv("TZ", "America/New_York")
    assert datetime.fromtimestamp(0, zone("local")).hour == 19
    monkeypatch.delenv("TZ")
    monkeypatch.setattr("kiosk.clock._LOCALTIME", Path("/nonexistent"))
    assert datetime.fromtimestamp(0, zone("local")).hour == 0


def test_a_zone_there_is_none_of_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Europe/Berlin") as refused:
        zone("Europe/Berln")
    assert refused.value.slug == "calendar_invalid"
