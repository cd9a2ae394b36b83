"""The eye's whole seeing on real pictures: what it looks at, what it leaves out, and whom a probe shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.domain import Ended, Shot
from kiosk.settings import EyeSettings, PresentationSettings, QualitySettings
from kiosk.vision import models
from kiosk.vision.embedding import Embedder
from kiosk.vision.examiner import Examination, Examiner
from kiosk.vision.finder import Finder
from kiosk.vision.pixels import Image, shrink
from kiosk.vision.stillness import LOOK_WITHIN, Stillness
from kiosk.vision.tracking import SAME_FROM, cosine

FRAME = 1 / 15
NOBODY = np.full((720, 1280, 3), 120, np.uint8)


def examiner(models_dir: Path, *, embed: bool = False, **presentation: object) -> Examiner:
    settings = PresentationSettings.model_validate(presentation)
    eye = EyeSettings(landmarker="litert")
    return Examiner("front", QualitySettings(), settings, eye, models_dir, embed=embed, first_presentation=1)


@lru_cache(maxsize=10)
def portrait(people: Path, name: str, height: int) -> Image:
    image = cv2.imread(str(people / name / "assets" / "studio_portrait.jpg"), cv2.IMREAD_REDUCED_COLOR_2)
    return shrink(np.asarray(image, dtype=np.uint8), height / image.shape[0]) if image is not None else NOBODY


def row(*portraits: Image) -> Image:
    """People side by side, standing on the frame's lower edge."""
    frame = NOBODY.copy()
    left = (frame.shape[1] - sum(each.shape[1] for each in portraits)) // 2
    for each in portraits:
        frame[frame.shape[0] - each.shape[0] :, left : left + each.shape[1]] = each
        left += each.shape[1]
    return frame


def play(eye: Examiner, frames: Sequence[Image], begin: float = 50.0) -> list[Examination]:
    return [eye.examine(frame, begin + number * FRAME) for number, frame in enumerate(frames)]


def shots(seen: Sequence[Examination]) -> list[Shot]:
    return [event for each in seen for event in each.events if isinstance(event, Shot)]


def test_whoever_steps_in_front_at_once_is_not_sent_with_the_others_picture(models_dir: Path, people: Path) -> None:
    one, other = row(portrait(people, "P002", 500)), row(portrait(people, "P008", 500))
    with examiner(models_dir, embed=True, settle=0.4, good_enough=4, attempts=1) as eye:
        eye.examine(one, 50.0)
        seen = play(eye, [other] * 12, 50.0 + FRAME)
    (shot,) = shots(seen)
    assert shot.probe.presentation == 2
    assert [event.presentation for each in seen for event in each.events if isinstance(event, Ended)] == [1]
    embedder, finder = Embedder(models.path(models_dir, "embedding")), Finder(models.path(models_dir, "finder"), 320)
    picture = np.asarray(cv2.imdecode(np.frombuffer(shot.probe.jpeg, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)
    sent = embedder.embed(picture, finder.find(picture)[0])
    assert cosine(sent, embedder.embed(other, finder.find(other)[0])) > SAME_FROM
    assert cosine(sent, embedder.embed(one, finder.find(one)[0])) < SAME_FROM


def test_whoever_steps_in_front_while_an_answer_is_awaited_is_somebody_new(models_dir: Path, people: Path) -> None:
    one, other = row(portrait(people, "P002", 500)), row(portrait(people, "P005", 500))
    with examiner(models_dir) as eye:
        first = play(eye, [one] * 6)
        assert [shot.probe.presentation for shot in shots(first)] == [1]
        seen = play(eye, [other] * 8, 50.0 + 6 * FRAME)
    assert all(each.present == (2,) for each in seen), "in the first frame already"
    assert [shot.probe.presentation for shot in shots(seen)] == [2]


def test_by_the_box_alone_no_embedder_is_loaded(models_dir: Path, people: Path) -> None:
    with examiner(models_dir, identity="box") as eye:
        seen = play(eye, [row(portrait(people, "P002", 500))] * 6)
        assert eye._networks.embedder is None
    assert len(shots(seen)) == 1
    assert "compare" not in {stage for each in seen for stage in each.stage_seconds}


def test_embeddings_that_only_hold_the_identity_stay_in_the_eye(models_dir: Path, people: Path) -> None:
    with examiner(models_dir) as eye:
        (shot,) = shots(play(eye, [row(portrait(people, "P002", 500))] * 4))
    assert (shot.probe.embedding, shot.probe.upper, shot.probe.masked) == (None, None, False)


def test_of_a_crowd_each_is_shot(models_dir: Path, people: Path) -> None:
    crowd = row(*(portrait(people, name, 310) for name in ("P002", "P003", "P005", "P008")))
    with examiner(models_dir, several="all", identity="box") as eye:
        seen = play(eye, [crowd] * 20)
    assert sorted(shot.probe.presentation for shot in shots(seen)) == [1, 2, 3, 4]


@pytest.mark.parametrize("degrees", [-26.0, 26.0])
@pytest.mark.parametrize("name", ["P002", "P005", "P006"])
def test_the_embedding_of_a_leaning_head_is_that_of_the_upright_one(
    models_dir: Path, people: Path, name: str, degrees: float
) -> None:
    plain = row(portrait(people, name, 500))
    turn = cv2.getRotationMatrix2D((640.0, 430.0), degrees, 1.0)
    leaning = np.asarray(cv2.warpAffine(plain, turn, (1280, 720), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)
    sent = []
    for frame in (plain, leaning):
        with examiner(models_dir, embed=True) as eye:
            (shot,) = shots(play(eye, [frame] * 8))
        sent.append(shot.probe.embedding or b"")
    assert cosine(*sent) > 0.9


def test_while_an_answer_is_awaited_nobody_looks_for_landmarks(models_dir: Path, people: Path) -> None:
    with examiner(models_dir) as eye:
        seen = play(eye, [row(portrait(people, "P002", 500))] * 10)
    sent = next(number for number, each in enumerate(seen) if shots([each]))
    assert all("landmarks" not in each.stage_seconds for each in seen[sent + 1 :])
    assert all(each.present == (1,) for each in seen)


def test_before_the_next_attempt_quality_is_looked_at_now_and_then(models_dir: Path, people: Path) -> None:
    someone = row(portrait(people, "P002", 500))
    with examiner(models_dir, retry_after=2.0) as eye:
        first = play(eye, [someone] * 4)
        (shot,) = shots(first)
        eye.outcome(shot.probe.presentation, "refused", 50.0 + 3 * FRAME)
        seen = play(eye, [someone] * 24, 50.0 + 4 * FRAME)
    assert 6 <= sum("landmarks" in each.stage_seconds for each in seen) <= 9


def test_where_nothing_moves_nobody_is_looked_for_but_twice_a_second(models_dir: Path, people: Path) -> None:
    someone = row(portrait(people, "P002", 500))
    with examiner(models_dir) as eye:
        empty = play(eye, [NOBODY] * 45)
        looked = [50.0 + number * FRAME for number, each in enumerate(empty) if "find" in each.stage_seconds]
        assert len(looked) <= 8
        assert max(later - earlier for earlier, later in zip(looked, [*looked[1:], 53.0], strict=True)) <= LOOK_WITHIN
        there = play(eye, [someone] * 30, 60.0)
        assert all("find" in each.stage_seconds and each.present for each in there)
        gone = play(eye, [NOBODY] * 12, 62.0)
        assert not gone[0].present


NOISE = np.random.default_rng(3).normal(0, 4, (8, 720, 1280, 3))


def noisy(frame: Image, number: int, brighter: float = 0.0) -> Image:
    return np.asarray(np.clip(frame + NOISE[number % 8] + brighter, 0, 255), dtype=np.uint8)


def test_noise_and_a_lamp_are_no_movement() -> None:
    still = Stillness()
    assert [still.holds(noisy(NOBODY, number, 3.0 * number), number * FRAME) for number in range(6)] == [False, *[True] * 5]


@pytest.mark.parametrize("step", [2, 40])
def test_a_face_that_comes_in_is_movement_however_slow(people: Path, step: int) -> None:
    still, face = Stillness(), portrait(people, "P005", 100)
    holds = []
    for number in range(30):
        frame = NOBODY.copy()
        frame[300:400, : min(step * number, 100)] = face[:, 100 - min(step * number, 100) : 100]
        holds.append(still.holds(noisy(frame, number), 100 + number * FRAME / 4))
    assert holds[:2] == [False, True] or step == 40
    assert False in holds[1:28]
