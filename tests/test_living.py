"""From frames to what is sent: a living person, a picture held up, a challenge passed, failed, and finished by somebody else."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from kiosk import slugs
from kiosk.settings import LivenessPolicy, LivenessSettings
from kiosk.vision.pixels import Image
from tests.live_stage import ASKS, SHEETS, Play, doing, obedient, standing, watching

AHEAD = "challenge_look_ahead"


def held_up(people: Path) -> Image:
    """The same face in the black rim of a telephone."""
    image = doing(people, AHEAD).copy()
    cv2.rectangle(image, (500, 180), (800, 580), (20, 20, 20), 14)
    return image


def test_who_is_alive_is_sent_as_alive_and_asked_for_nothing(models_dir: Path, people: Path) -> None:
    with watching(models_dir, "passive") as eye:
        play = Play(eye)
        play.show(obedient(people), 1.5)
    (shot,) = play.shots()
    assert (shot.liveness.state, shot.liveness.frames, shot.attempt) == ("live", 3, 1)
    assert play.told() == ["looking", "good"]


@pytest.mark.parametrize("policy", ["passive", "passive+challenge", "challenge"])
def test_a_face_in_a_frame_of_its_own_is_sent_as_an_attack(models_dir: Path, people: Path, policy: LivenessPolicy) -> None:
    picture = held_up(people)
    with watching(models_dir, policy) as eye:
        play = Play(eye)
        play.show(lambda _: picture, 2.5)
    (shot,) = play.shots()
    assert (shot.liveness.state, shot.liveness.cause) == ("attack", "border_suspected")


def test_where_nobody_asks_no_network_is_loaded(models_dir: Path, people: Path) -> None:
    with watching(models_dir, "off") as eye:
        assert eye._networks.antispoof is None
        play = Play(eye)
        play.show(lambda _: held_up(people), 1.0)
    (shot,) = play.shots()
    assert shot.liveness.state == "unchecked"
    assert "liveness" not in {stage for each in play.seen for stage in each.stage_seconds}


@pytest.mark.parametrize("identity", ["embedding", "box"])
def test_who_does_what_a_challenge_asks_is_alive(models_dir: Path, people: Path, identity: str) -> None:
    with watching(models_dir, "challenge", identity=identity) as eye:
        play = Play(eye)
        play.show(obedient(people), 3.5)
    (shot,) = play.shots()
    assert (shot.liveness.state, shot.attempt) == ("live", 1)
    asked = [slug for slug in play.told() if slugs.TABLE[slug].kind == "prompt" and slug != AHEAD]
    assert len(asked) == ASKS.asked
    # A turned head is what was asked for, and nothing to be mended.
    assert set(play.told()) <= {"looking", "good", *SHEETS}
    assert shot.probe.quality.usable


def test_the_picture_sent_after_a_challenge_is_a_fresh_one(models_dir: Path, people: Path) -> None:
    with watching(models_dir, "challenge") as eye:
        play = Play(eye)
        while not play.shots():
            assert play.at < 120
            play.show(obedient(people), 1 / 15)
    assert play.at - play.shots()[0].probe.captured_at <= 0.6


def test_a_refused_attempt_keeps_what_the_same_presentation_has_shown(models_dir: Path, people: Path) -> None:
    with watching(models_dir, "challenge") as eye:
        play = Play(eye)
        play.show(obedient(people), 3.5)
        eye.outcome(1, "refused", play.at)
        before = len(play.told())
        play.show(obedient(people), 2.0)
    assert [(shot.attempt, shot.liveness.state) for shot in play.shots()] == [(1, "live"), (2, "live")]
    assert not set(play.told()[before:]) & set(SHEETS)


def test_later_frames_can_make_it_worse(models_dir: Path, people: Path) -> None:
    with watching(models_dir, "passive") as eye:
        play = Play(eye)
        play.show(obedient(people), 1.0)
        eye.outcome(1, "refused", play.at)
        play.show(lambda _: held_up(people), 2.5)
    assert [shot.liveness.state for shot in play.shots()] == ["live", "attack"]


def test_doubt_alone_leads_to_a_challenge(models_dir: Path, people: Path) -> None:
    doubting = LivenessSettings(tasks=ASKS.tasks, live_from=99, attack_below=1)
    with watching(models_dir, "passive+challenge", doubting) as eye:
        play = Play(eye)
        play.show(obedient(people), 3.5)
    (shot,) = play.shots()
    assert (shot.liveness.state, shot.liveness.score < 99) == ("live", True)
    assert AHEAD in play.told()


def test_who_does_nothing_stays_doubtful(models_dir: Path, people: Path) -> None:
    with watching(models_dir, "challenge", LivenessSettings(tasks=ASKS.tasks, task_within=1.5)) as eye:
        play = Play(eye)
        play.show(lambda _: doing(people, AHEAD), 4.0)
    (shot,) = play.shots()
    assert (shot.liveness.state, shot.liveness.cause) == ("doubt", "challenge_timed_out")


def test_nobody_is_sent_while_a_challenge_runs(models_dir: Path, people: Path) -> None:
    with watching(models_dir, "challenge") as eye:
        play = Play(eye)
        play.show(lambda _: doing(people, AHEAD), 4.0)
    assert play.shots() == []


@pytest.mark.parametrize("after", [0.3, 0.7, 1.1])
def test_somebody_else_cannot_finish_the_challenge(models_dir: Path, people: Path, after: float) -> None:
    """Whoever takes over stands in the same place from one frame to the next, and does nothing, or all that is asked."""
    other = standing(people, "P002")
    with watching(models_dir, "challenge", LivenessSettings(tasks=ASKS.tasks, task_within=1.5)) as eye:
        play = Play(eye)
        play.show(obedient(people), after)
        assert play.shots() == []
        play.show(lambda _: other, 3.0)
    (ended,) = play.ended()
    assert (ended.presentation, ended.shots) == (1, 0)
    assert ended.liveness.state != "live"
    assert {shot.liveness.state for shot in play.shots()} <= {"doubt", "attack"}
    assert all(shot.probe.presentation > 1 for shot in play.shots())


def test_the_first_person_who_comes_back_to_finish_it_is_not_believed(models_dir: Path, people: Path) -> None:
    other = standing(people, "P002")
    with watching(models_dir, "challenge") as eye:
        play = Play(eye)
        play.show(obedient(people), 0.7)
        play.show(lambda _: other, 0.5)
        play.show(obedient(people), 0.5)
    assert not any(shot.liveness.state == "live" for shot in play.shots())
    assert 1 in {ended.presentation for ended in play.ended()}
