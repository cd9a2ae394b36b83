"""Calibration on the device."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.recognition.on_device.calibration import KNOTS, confidence, fixed_similarity, old_similarity, score

SCALES = (confidence, score, old_similarity, fixed_similarity)


@given(st.floats(-1, 1), st.floats(-1, 1), st.sampled_from(SCALES))
def test_scores_rise_with_the_cosine(one: float, other: float, scale: Callable[[float], float]) -> None:
    low, high = sorted((one, other))
    assert 0 <= scale(low) <= scale(high) <= 100


def test_scales_meet_at_the_rates_the_vendor_names() -> None:
    """One in a thousand, ten thousand, a hundred thousand."""
    for cosine_, current, old, fixed in ((0.363, 40, 70, 60), (0.44, 50, 80, 70), (0.5, 60, 90, 80)):
        assert score(cosine_) == pytest.approx(current)
        assert old_similarity(cosine_) == pytest.approx(old)
        assert fixed_similarity(cosine_) == pytest.approx(fixed)


def test_what_is_known_of_real_photos_falls_on_the_right_side() -> None:
    """The closest impostors of the test set at 0.42, the farthest genuine pair at 0.494."""
    assert score(0.42) < 50 < score(0.494)
    assert fixed_similarity(0.42) < 70 < fixed_similarity(0.494)


@pytest.mark.parametrize(
    ("at", "least", "most"),
    [
        (0.363, 55, 60),
        (0.42, 60, 72),
        (0.419, 60, 72),
        (0.5, 80, 85),
        (0.6, 88, 90),
        (0.95, 97, 99),
        (0.13, 0, 40),
        (1.00001, 100, 100),
    ],
)
def test_confidence_stands_where_it_should(at: float, least: float, most: float) -> None:
    assert least <= confidence(at) <= most


def test_the_knots_rise() -> None:
    for axis in zip(*KNOTS, strict=True):
        assert list(axis) == sorted(set(axis))
