"""A false match rate becomes the score the vendor's tables give, between documented points and never beyond them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import ConfigurationError
from kiosk.recognition.tencent.iai.interfaces import INTERFACES
from kiosk.recognition.tencent.thresholds import TABLES, FalseMatchRate, RawScore, least_score

SEARCHES = ("SearchFaces", "SearchPersons", "SearchFacesReturnsByGroup", "SearchPersonsReturnsByGroup")
COMPARISONS = ("CompareFace", "CompareMaskFace", "VerifyFace")


@pytest.mark.parametrize("interface", COMPARISONS)
@pytest.mark.parametrize(("rate", "score"), [(1e-3, 40), (1e-4, 50), (1e-5, 60)])
def test_comparisons_by_model_3(interface: str, rate: float, score: float) -> None:
    assert least_score(interface, FalseMatchRate(rate)) == score


@pytest.mark.parametrize(("rate", "score"), [(1e-3, 70), (1e-4, 80), (1e-5, 90)])
def test_comparisons_by_model_2_and_by_the_older_host(rate: float, score: float) -> None:
    assert least_score("CompareFace", FalseMatchRate(rate), model="2.0") == score
    assert least_score("VerifyFace", FalseMatchRate(rate), model="2.0") == score
    assert least_score("compare", FalseMatchRate(rate), model="legacy") == score


@pytest.mark.parametrize("interface", SEARCHES)
@pytest.mark.parametrize(
    ("gallery", "rate", "score"),
    [
        (10_000, 1e-2, 70), (10_000, 1e-3, 80), (10_000, 1e-4, 90),
        (100_000, 1e-2, 80), (100_000, 1e-3, 90), (100_000, 1e-4, 100),
        (300_000, 1e-2, 85), (300_000, 1e-3, 95),
    ],
)  # fmt: skip
def test_searches_by_gallery(interface: str, gallery: int, rate: float, score: float) -> None:
    assert least_score(interface, FalseMatchRate(rate), gallery=gallery) == score


def test_between_documented_points_over_the_logarithm() -> None:
    assert least_score("CompareFace", FalseMatchRate(10**-3.5)) == pytest.approx(45)
    halfway = round(math.sqrt(10_000 * 100_000))
    assert least_score("SearchFaces", FalseMatchRate(1e-3), gallery=halfway) == pytest.approx(85, abs=1e-3)
    assert least_score("SearchFaces", FalseMatchRate(10**-2.5), gallery=halfway) == pytest.approx(80, abs=1e-3)


@pytest.mark.parametrize("gallery", [1, 50, 9_999])
def test_a_small_gallery_takes_the_smallest_documented_one(gallery: int) -> None:
    assert least_score("SearchPersons", FalseMatchRate(1e-4), gallery=gallery) == 90


def test_the_fixed_threshold() -> None:
    assert least_score("DetectFaceSimilarity", FalseMatchRate(1e-4)) == 70
    with pytest.raises(ConfigurationError, match=r"0\.0001 alone is"):
        least_score("DetectFaceSimilarity", FalseMatchRate(1e-3))


@pytest.mark.parametrize(
    ("interface", "rate", "model", "gallery", "told"),
    [
        ("CompareFace", 1e-2, "3.0", 1, "0.01 is not documented, 1e-05 to 0.001 is"),
        ("CompareFace", 9e-6, "3.0", 1, "9e-06 is not documented"),
        ("CompareFace", 1e-4, "4.0", 1, "face model 4.0, only for 3.0 and 2.0"),
        ("CompareMaskFace", 1e-4, "2.0", 1, "face model 2.0, only for 3.0"),
        ("SearchFaces", 1e-4, "2.0", 10_000, "face model 2.0"),
        ("CompareFace", 1e-4, "3.0", 2, "2 faces are more than the largest documented gallery, 1"),
        ("SearchFaces", 1e-3, "3.0", 300_001, "300001 faces are more than the largest documented gallery, 300000"),
        ("SearchFaces", 1e-4, "3.0", 100_001, "0.0001 is not documented for a gallery of 300000, 0.001 to 0.01 is"),
        ("SearchFaces", 1e-5, "3.0", 50, "1e-05 is not documented for a gallery of 10000"),
        ("SearchFaces", 1e-3, "3.0", 0, "a gallery of 0"),
        ("VerifyPerson", 1e-4, "3.0", 1, "no table of false match rates is documented"),
        ("DetectLiveFaceAccurate", 1e-4, "3.0", 1, "give a raw score"),
        ("identify", 1e-4, "legacy", 1, "give a raw score"),
        ("CompareFace", 0.0, "3.0", 1, "not between 0 and 1"),
        ("CompareFace", float("nan"), "3.0", 1, "not between 0 and 1"),
        ("CompareFace", 50.0, "3.0", 1, "not between 0 and 1"),
    ],
)
def test_nothing_is_guessed(interface: str, rate: float, model: str, gallery: int, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        least_score(interface, FalseMatchRate(rate), model=model, gallery=gallery)
    assert caught.value.slug == "configuration_invalid"
    assert told in caught.value.detail
    assert interface in caught.value.detail


@pytest.mark.parametrize("score", [0.0, 66.6, 100.0])
def test_a_raw_score_is_taken_as_it_is(score: float) -> None:
    assert least_score("identify", RawScore(score), model="whatever", gallery=10**9) == score


@pytest.mark.parametrize("score", [-0.1, 100.1, float("nan"), float("inf")])
def test_a_raw_score_is_within_the_scale(score: float) -> None:
    with pytest.raises(ConfigurationError, match="not within 0 and 100"):
        least_score("identify", RawScore(score))


rates = st.floats(min_value=1e-5, max_value=1e-2)
galleries = st.integers(min_value=1, max_value=300_000)


@given(st.sampled_from(["CompareFace", "SearchPersons"]), rates, rates, galleries, galleries)
def test_fewer_false_matches_or_more_people_never_lower_the_score(
    interface: str, one: float, other: float, few: int, many: int
) -> None:
    few, many = (1, 1) if interface == "CompareFace" else sorted((few, many))
    strict, lax = sorted((one, other))
    try:
        most = least_score(interface, FalseMatchRate(strict), gallery=many)
        least = least_score(interface, FalseMatchRate(lax), gallery=few)
    except ConfigurationError:
        return
    assert 0 <= least <= most + 1e-9
    assert most <= 100


def test_every_interface_with_a_score_is_in_a_table_or_named_as_raw_only() -> None:
    raw_only = {"VerifyPerson", "DetectLiveFaceAccurate"}
    scored = {name for name in INTERFACES if name.startswith(("Compare", "Verify", "Search"))} | raw_only
    assert scored | {"DetectFaceSimilarity", "compare"} == set(TABLES) | raw_only
