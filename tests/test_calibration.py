"""Scores of recognition on the device: the scales, what they were fitted on, and how they are fitted."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.bench.calibrate import Looker, Seen, _toml
from kiosk.bench.fitting import Collection, Faces, fit
from kiosk.capture.masks import draw
from kiosk.recognition.on_device.calibration import (
    Curve,
    Description,
    Fit,
    confidence,
    cosine_for,
    description,
    fixed_similarity,
    least_score,
    old_similarity,
    points,
    reach,
    score,
)
from kiosk.recognition.tencent.thresholds import TABLES
from kiosk.vision import models

APART = ("P002", "P003", "P005", "P006", "P008")
"""The others of openpeople look too much like one another."""
SCALES = (score, confidence, old_similarity, fixed_similarity)

cosines = st.floats(-1, 1)
masks = st.booleans()


# The scales.


@given(cosines, cosines, st.sampled_from(SCALES))
def test_scores_rise_with_the_cosine(one: float, other: float, scale: Callable[[float], float]) -> None:
    low, high = sorted((one, other))
    assert 0 <= scale(low) <= scale(high) <= 100


@given(st.floats(0, 100), masks)
def test_a_score_has_its_cosine(wanted: float, masked: bool) -> None:
    assert score(cosine_for(wanted, masked=masked), masked=masked) == pytest.approx(wanted, abs=1e-6)


@given(cosines, masks)
def test_a_cosine_has_its_score_up_to_the_end_of_the_scale(cosine: float, masked: bool) -> None:
    end = cosine_for(100, masked=masked)
    assert cosine_for(score(cosine, masked=masked), masked=masked) == pytest.approx(min(cosine, end), abs=1e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_the_scales_run_from_0_to_100(scale: Callable[[float], float]) -> None:
    assert (scale(-1), scale(1)) == (0, 100)
    assert (scale(-1.00001), scale(1.00001)) == (0, 100)
    with pytest.raises(AssertionError):
        scale(float("nan"))


def test_a_score_means_a_rate() -> None:
    """Of a million pairs of strangers, whose cosines are as the curve says."""
    curve = Curve(0.1, 0.09)
    strangers = np.random.default_rng(1).normal(0.1, 0.09, 1_000_000)
    for rate, of_scale in ((0.5, 13.01), (1e-2, 30), (1e-3, 40)):
        assert points(rate) == pytest.approx(of_scale, abs=0.01)
        assert np.mean(strangers >= curve.cosine_for(of_scale)) == pytest.approx(rate, rel=0.1)


@given(st.floats(-0.3, 0.3), st.floats(0.03, 0.15))
def test_the_tail_is_stricter_than_a_normal_one_and_begins_without_a_bend(mean: float, deviation: float) -> None:
    curve, normal = Curve(mean, deviation), NormalDist(mean, deviation)
    begin = curve.cosine_for(40)
    for rate in (1e-4, 1e-5, 1e-7):
        assert curve.cosine_for(points(rate)) > normal.inv_cdf(1 - rate)
    before, after = curve.score(begin) - curve.score(begin - 1e-4), curve.score(begin + 1e-4) - curve.score(begin)
    assert before == pytest.approx(after, rel=0.01)


def test_other_scales_stand_on_the_same_rates() -> None:
    """One in a thousand, ten thousand, a hundred thousand, as the vendor names them."""
    for current, old in ((40, 70), (50, 80), (60, 90)):
        assert old_similarity(cosine_for(current)) == pytest.approx(old)
    assert fixed_similarity(cosine_for(50)) == pytest.approx(70)
    assert confidence(cosine_for(60)) == pytest.approx(90)


def test_the_least_score_is_the_vendors_for_the_galleries_it_names() -> None:
    (table,) = TABLES["SearchFaces"]
    for size, curve in table.curves.items():
        for rate, documented in curve.items():
            assert least_score(rate, size) == pytest.approx(documented, abs=0.3)
    for rate, documented in TABLES["CompareFace"][0].curves[1].items():
        assert least_score(rate, 1) == pytest.approx(documented)


def test_the_least_score_stays_on_the_scale() -> None:
    assert least_score(1e-9, 300_000) == 100
    assert least_score(0.5, 0) == least_score(0.5, 1) == pytest.approx(points(0.5))
    for rate in (0.0, 1.0):
        with pytest.raises(AssertionError):
            least_score(rate, 1)


# What the scales rest on.


@pytest.fixture(params=[False, True], ids=["whole", "upper"])
def scale(request: pytest.FixtureRequest) -> Fit:
    return description().upper if request.param else description().whole


def test_the_calibration_is_of_the_model_in_use() -> None:
    (embedding,) = (model for model in models.manifest() if model.role == "embedding")
    assert description().model == embedding.sha256


def test_the_fit_is_on_the_strict_side(scale: Fit) -> None:
    assert [rate.false_matches for rate in scale.rates] == [1e-2, 1e-3, 1e-4, 1e-5]
    for rate in scale.rates:
        assert rate.measured <= rate.false_matches
        assert rate.cosine >= np.mean(rate.cosine_interval)
        assert rate.cosine == pytest.approx(scale.curve.cosine_for(points(rate.false_matches)), abs=1e-4)


def test_the_description_adds_up(scale: Fit) -> None:
    fitted = [source for source in scale.sources if source.fitted]
    assert sum(source.people for source in fitted) == scale.people
    assert sum(source.impostor_pairs for source in fitted) == scale.impostor_pairs == sum(scale.counts.impostors)
    assert sum(source.genuine_pairs for source in fitted) == scale.genuine_pairs == sum(scale.counts.genuine)


def test_what_the_data_support_is_said() -> None:
    for masked in (False, True):
        assert 1e-4 < reach(masked=masked) < 1e-2
    assert reach() == 3 / description().whole.pairs_of_people


def test_a_description_is_read_as_it_was_written() -> None:
    text = _toml(description())
    assert msgspec.convert(tomllib.loads(text), Description) == description()


@pytest.mark.parametrize(("suffix", "begin"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_plot(tmp_path: Path, suffix: str, begin: bytes) -> None:
    # In a process of its own: reading photos puts a stand-in in matplotlib's place.
    file = tmp_path / f"calibration.{suffix}"
    script = f"from pathlib import Path; from kiosk.recognition.on_device.calibration_plot import draw; draw(Path({str(file)!r}))"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=120)
    assert file.read_bytes().startswith(begin)
    if suffix == "svg":
        assert "extrapolated: rarer than" in file.read_text()


# Real pictures of synthetic people, seen by the product's own eye.


@pytest.fixture(scope="module")
def looker(models_dir: Path) -> Iterator[Looker]:
    looker = Looker(models_dir)
    yield looker
    looker.close()


@pytest.fixture(scope="module")
def pictures(looker: Looker, people: Path) -> dict[str, tuple[Seen, Seen]]:
    """Portrait and selfie."""
    return {name: (_see(looker, people, name, "studio_portrait"), _see(looker, people, name, "amateur_selfie")) for name in APART}


def _see(looker: Looker, people: Path, name: str, kind: str) -> Seen:
    (seen,) = looker.look(name, people / name / "assets" / f"{kind}.jpg")
    return seen


def test_portraits_and_selfies_score_above_50_where_they_should_and_nowhere_else(pictures: dict[str, tuple[Seen, Seen]]) -> None:
    for name, (portrait, selfie) in pictures.items():
        for other, (others_portrait, others_selfie) in pictures.items():
            if name == other:
                assert score(float(portrait.whole @ selfie.whole)) > 50
            else:
                shown = [portrait.whole, selfie.whole]
                assert max(score(float(one @ two)) for one in shown for two in (others_portrait.whole, others_selfie.whole)) < 50


def test_masked_selfies_score_highest_with_the_same_persons_portrait(pictures: dict[str, tuple[Seen, Seen]]) -> None:
    recognised = []
    for name, (_, selfie) in pictures.items():
        assert len(selfie.masked) == 2
        for probe in selfie.masked:
            scores = {other: score(float(portrait.upper @ probe), masked=True) for other, (portrait, _) in pictures.items()}
            recognised.append(scores.pop(name))
            assert recognised[-1] > max(scores.values()) + 10
            assert max(scores.values()) < 40
    # Drawn masks differ by where the finder saw the face; one covers the nose up to the eyes.
    assert sum(score > 40 for score in recognised) >= 8


def test_a_mask_changes_the_upper_face_less_than_the_person_does(pictures: dict[str, tuple[Seen, Seen]]) -> None:
    for portrait, _ in pictures.values():
        for probe in portrait.masked:
            assert score(float(portrait.upper @ probe), masked=True) > 60


def test_masks_cover_the_mouth_and_leave_the_eyes(looker: Looker, people: Path) -> None:
    import cv2  # noqa: PLC0415

    image = np.asarray(cv2.imread(str(people / "P002" / "assets" / "studio_portrait.jpg"), cv2.IMREAD_REDUCED_COLOR_4))
    (face, *_) = looker._networks.finder.find(image)
    found = looker._networks.landmarker.locate(image, face.box)
    assert found is not None
    for seed in range(12):
        changed = (draw(image, found.points[:, :2], seed).astype(int) != image).any(axis=2)
        right_eye, left_eye, _, right_mouth, left_mouth = ((round(y), round(x)) for x, y in face.points)
        assert [changed[place] for place in (right_eye, left_eye, right_mouth, left_mouth)] == [False, False, True, True]


# Fitting.

DIMENSIONS = 128


def crowd(name: str, people: int, photos: int, *, alike: float = 0.0, fitted: bool = True, seed: int = 1) -> Collection:
    """Random people; `alike`: the cosine that any two have at least, roughly."""
    dice = np.random.default_rng(seed)
    common = np.eye(DIMENSIONS)[0] * alike**0.5
    vectors = []
    for _ in range(people):
        person = dice.normal(size=DIMENSIONS) / DIMENSIONS**0.5 * (1 - alike) ** 0.5 + common
        vectors += [person + dice.normal(size=DIMENSIONS) * 0.03 for _ in range(photos)]
    rows = np.array(vectors)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    whose = [f"{name}{number // photos}" for number in range(people * photos)]
    faces = Faces(rows, whose, [f"{who}-{number}" for number, who in enumerate(whose)])
    return Collection(name, fitted, faces, faces)


def test_a_fit_finds_the_strangers_spread() -> None:
    made = fit([crowd("a", 60, 2)])
    assert (made.people, made.photos, made.pairs_of_people) == (60, 120, 60 * 59 // 2)
    assert (made.impostor_pairs, made.genuine_pairs) == (60 * 59 // 2 * 4, 60)
    assert made.curve.mean == pytest.approx(0, abs=0.01)
    # Random directions in 128 dimensions: 1/√128, a little less for the photos' own noise; and the strict end of it.
    assert 0.07 < made.curve.deviation < 0.1
    for rate in made.rates[:2]:
        assert rate.measured < rate.false_matches
        assert rate.measured_interval[0] <= rate.measured <= rate.measured_interval[1]
        assert rate.missed == 0
    assert made.reach == 3 / made.pairs_of_people


def test_strangers_meet_within_a_collection_only() -> None:
    one, other = crowd("a", 20, 1, alike=0.2), crowd("b", 20, 1, alike=0.2, seed=2)
    made = fit([one, other])
    assert made.pairs_of_people == 2 * 20 * 19 // 2
    assert made.curve.mean == pytest.approx(0.2, abs=0.03)


def test_a_person_with_many_photos_counts_as_one() -> None:
    faces = crowd("a", 12, 1).references
    again = [*range(12), *[0] * 30]
    many = Faces(faces.vectors[again], [faces.people[n] for n in again], [f"photo {n}" for n in range(len(again))])
    few, flooded = (fit([Collection("a", True, each, each)]) for each in (faces, many))
    assert flooded.curve == few.curve
    assert flooded.impostor_pairs > few.impostor_pairs


def test_what_is_held_against_the_fit_is_no_part_of_it() -> None:
    real, lookalikes = crowd("real", 20, 2), crowd("synthetic", 10, 2, alike=0.6, fitted=False)
    faces = crowd("masked", 50, 1, seed=3).references
    strangers = Faces(faces.vectors, ["masked"] * 50, faces.photos)
    alone, held = fit([real]), fit([real, lookalikes], strangers)
    assert held.curve == alone.curve
    assert held.counts == alone.counts
    assert [(source.name, source.fitted) for source in held.sources] == [("real", True), ("synthetic", False), ("masked", False)]
    assert held.sources[1].false_matches[0] > 0.5
    assert held.sources[2].impostor_pairs == 40 * 50


def test_masked_probes_meet_the_references_of_other_photos() -> None:
    bare, masked = crowd("a", 10, 2).references, crowd("a", 10, 2, seed=5).references
    made = fit([Collection("a", True, bare, masked)])
    assert (made.impostor_pairs, made.genuine_pairs) == (10 * 9 * 4, 10 * 2)


def test_one_person_is_no_population() -> None:
    with pytest.raises(ValueError, match="two people"):
        fit([crowd("a", 1, 5)])


def test_openpeople_alone_is_never_written() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kiosk.bench.calibrate", "--write"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "--people" in done.stderr
