"""The presentation tracker: who is there, what is sent and when."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import Began, Box, Ended, Face, Pose, QualityReport, Told
from kiosk.settings import LivenessPolicy, LivenessSettings, PresentationSettings
from kiosk.vision.live_sample import LiveSample, Wanted
from kiosk.vision.liveness import LivenessJudge
from kiosk.vision.presentation import Action, Drop, Keep, PresentationTracker, Send, Step

FRAME = 1 / 15
FRAME_SIZE = (1280, 720)
HERE = Box(500, 200, 160, 200)
THERE = Box(900, 200, 150, 190)
FAR = Box(100, 300, 40, 50)
AHEAD = Pose(0, 0, 0)
EYES_OPEN = {"eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.1, "jawOpen": 0.0}


@dataclass(frozen=True)
class Sight:
    """A face with what a look at it would find."""

    face: Face
    report: QualityReport
    person: bytes | None = None
    live: float = 0.9
    pose: Pose = AHEAD

    def graded(self, *, closely: bool) -> tuple[Face, QualityReport]:
        return self.face, self.report

    def embedding(self) -> bytes | None:
        return self.person

    def glance(self) -> bytes | None:
        return self.person

    def sample(self, at: float, face: Face, wanted: Wanted, known: bytes | None) -> LiveSample:
        assert wanted.vote <= self.report.usable
        seen = LiveSample(at, face.box, pose=self.pose, blendshapes=EYES_OPEN)
        return seen._replace(live=self.live, fingerprint=str(at).encode()) if wanted.vote else seen


def sighting(
    box: Box = HERE, grade: int = 3, defect: str = "blurred", sharpness: float = 70.0, person: bytes | None = None
) -> Sight:
    points = tuple((box.x + box.width * part, box.y + box.height * part) for part in (0.3, 0.7, 0.5, 0.35, 0.65))
    a, b, c, d, e = points
    report = QualityReport({"Sharpness": sharpness}, () if grade else (defect,), grade)
    return Sight(Face(box=box, score=0.9, points=(a, b, c, d, e)), report, person)


def judges(policy: LivenessPolicy) -> Callable[[], LivenessJudge | None]:
    return lambda: None if policy == "off" else LivenessJudge(LivenessSettings(votes=5, within=1.0, task_within=1.0), policy, 7)


class Stage:
    """Plays frames at 15 a second and remembers what came of them."""

    def __init__(self, first: int = 1, policy: LivenessPolicy = "off", **settings: object) -> None:
        self.tracker = PresentationTracker(PresentationSettings.model_validate(settings), first, judges(policy))
        self.at = 100.0
        self.actions: list[Action] = []
        self.last = Step([], ())

    def show(self, *sightings: Sight, frames: int = 1) -> list[Action]:
        fresh: list[Action] = []
        for _ in range(frames):
            self.at += FRAME
            self.last = self.tracker.step(self.at, sightings, FRAME_SIZE)
            fresh += self.last.actions
        self.actions += fresh
        return fresh

    def outcome(self, result: str, presentation: int = 1) -> None:
        self.tracker.outcome(presentation, result, self.at)


def sends(actions: Sequence[Action]) -> list[Send]:
    return [action for action in actions if isinstance(action, Send)]


def told(actions: Sequence[Action]) -> list[str]:
    return [action.slug for action in actions if isinstance(action, Told)]


@dataclass(frozen=True)
class Counted(Sight):
    """Notes each look at it in `looks`."""

    looks: list[bool] = field(default_factory=list)

    def graded(self, *, closely: bool) -> tuple[Face, QualityReport]:
        self.looks.append(closely)
        return super().graded(closely=closely)


def counted(grade: int, looks: list[bool], *, near: bool = True) -> Counted:
    """`near`: landmarks are found."""
    plain = sighting(grade=grade)
    face = msgspec.structs.replace(plain.face, pose=Pose(0, 0, 0)) if near else plain.face
    return Counted(face, plain.report, looks=looks)


def test_who_is_looked_at_in_vain_is_looked_at_in_every_other_frame() -> None:
    stage, looks = Stage(), list[bool]()
    stage.show(counted(0, looks), frames=8)
    assert len(looks) == 8
    stage.show(counted(0, looks), frames=30)
    assert 8 + 14 <= len(looks) <= 8 + 16
    shown = stage.show(counted(4, looks), frames=2)
    assert sends(shown), "the second of them was looked at, and sent at once"


def test_who_is_too_far_for_landmarks_is_looked_at_in_every_frame() -> None:
    stage, looks = Stage(), list[bool]()
    stage.show(counted(0, looks, near=False), frames=30)
    assert len(looks) == 30


def test_one_person_comes_is_sent_once_and_leaves() -> None:
    stage = Stage(first=7)
    stage.show(sighting(), frames=10)
    stage.outcome("granted", 7)
    stage.show(sighting(), frames=10)
    stage.show(frames=15)
    assert isinstance(stage.actions[0], Began)
    assert [send.presentation for send in sends(stage.actions)] == [7]
    ended = stage.actions[-1]
    assert isinstance(ended, Ended)
    assert (ended.presentation, ended.frames, ended.shots, ended.defects) == (7, 20, 1, {})
    assert ended.began_at == ended.usable_at == pytest.approx(100 + FRAME)
    assert ended.best == sighting().report
    assert told(stage.actions) == ["looking", "good"]


def test_the_best_of_the_settling_time_is_sent() -> None:
    stage = Stage(settle=0.2)
    stage.show(sighting(grade=0))
    stage.show(sighting(sharpness=65))
    stage.show(sighting(sharpness=79))
    stage.show(sighting(sharpness=66), frames=3)
    (send,) = sends(stage.actions)
    assert send.report.measures["Sharpness"] == 79
    assert send.usable_at == pytest.approx(100 + 2 * FRAME)
    assert [type(action) for action in stage.actions].count(Keep) == 2


def test_a_picture_that_nobody_was_asked_about_is_taken_again_at_once_and_costs_no_attempt() -> None:
    stage = Stage(attempts=1)
    assert len(sends(stage.show(sighting(), frames=10))) == 1
    stage.outcome("unasked")
    assert [send.attempt for send in sends(stage.show(sighting(), frames=10))] == [1]
    stage.outcome("refused")
    stage.outcome("unasked")
    assert sends(stage.show(sighting(), frames=30)) == []


def test_a_better_grade_beats_a_sharper_picture() -> None:
    stage = Stage()
    stage.show(sighting(grade=3, sharpness=61))
    stage.show(sighting(grade=2, sharpness=100), frames=5)
    assert sends(stage.actions)[0].report.grade == 3


def test_a_good_enough_picture_is_sent_at_once_but_never_from_one_frame() -> None:
    stage = Stage(settle=5)
    assert not sends(stage.show(sighting(grade=4)))
    assert len(sends(stage.show(sighting(grade=4)))) == 1


def test_one_frame_is_never_sent_however_short_the_settling_time() -> None:
    stage = Stage(settle=0, good_enough=1)
    stage.show(sighting(grade=4))
    stage.show(frames=20)
    assert not sends(stage.actions)


def test_nothing_unusable_is_sent() -> None:
    stage = Stage(settle=0, good_enough=1)
    stage.show(sighting(grade=0), frames=60)
    assert not sends(stage.actions)
    stage.show(frames=15)
    ended = stage.actions[-1]
    assert isinstance(ended, Ended)
    assert (ended.defects, ended.usable_at, ended.shots) == ({"blurred": 60}, None, 0)


def test_while_a_shot_is_out_no_other_is_taken() -> None:
    stage = Stage(attempts=20)
    stage.show(sighting(grade=4), frames=100)
    assert len(sends(stage.actions)) == 1


def test_after_a_refusal_another_attempt_follows_until_the_budget_is_spent() -> None:
    stage = Stage(attempts=3, retry_after=1.0)
    times = []
    for _ in range(100):
        for send in sends(stage.show(sighting(grade=4))):
            times.append((stage.at, send.attempt))
            stage.outcome("refused")
    assert [attempt for _, attempt in times] == [1, 2, 3]
    assert all(1.0 <= later - earlier < 1.2 for (earlier, _), (later, _) in pairwise(times))


@pytest.mark.parametrize("result", ["granted", "final"])
def test_a_final_answer_ends_the_asking(result: str) -> None:
    stage = Stage()
    stage.show(sighting(grade=4), frames=3)
    stage.outcome(result)
    stage.show(sighting(grade=4), frames=100)
    assert len(sends(stage.actions)) == 1


def test_an_answer_for_somebody_who_left_is_passed_by() -> None:
    stage = Stage()
    stage.show(sighting(grade=4), frames=3)
    stage.show(frames=20)
    stage.outcome("refused", presentation=1)
    stage.outcome("granted", presentation=99)
    stage.show(sighting(grade=4), frames=3)
    assert [send.presentation for send in sends(stage.actions)] == [1, 2]


def test_two_people_at_the_door_are_asked_to_come_one_at_a_time() -> None:
    stage = Stage()
    stage.show(sighting(HERE, 4), sighting(THERE, 4), frames=20)
    assert not sends(stage.actions)
    assert [seen.report.defects for seen in stage.last.seen] == [("several_faces",)] * 2
    assert {seen.told for seen in stage.last.seen} == {"several_faces"}


def test_a_face_in_the_background_disturbs_nobody_and_is_not_sent() -> None:
    stage = Stage()
    stage.show(sighting(HERE, 4), sighting(FAR, 4), frames=20)
    assert [send.presentation for send in sends(stage.actions)] == [1]


def test_what_was_kept_before_a_second_person_came_is_dropped() -> None:
    stage = Stage(settle=0.5)
    stage.show(sighting(HERE, 3), frames=4)
    assert Drop(1) in stage.show(sighting(HERE, 3), sighting(THERE, 3))
    stage.show(sighting(HERE, 0), frames=20)
    assert not sends(stage.actions)


def test_largest_takes_the_largest() -> None:
    stage = Stage(several="largest")
    stage.show(sighting(THERE, 4), sighting(HERE, 4), frames=20)
    (send,) = sends(stage.actions)
    assert send.presentation == stage.last.seen[1].face.track


def test_a_short_gap_keeps_the_presentation_but_not_its_picture() -> None:
    stage = Stage(settle=0.3)
    stage.show(sighting(), frames=3)
    stage.show(frames=5)
    assert Drop(1) in stage.show(sighting())
    stage.show(frames=20)
    assert Counter(type(action) for action in stage.actions)[Began] == 1


def test_a_face_that_jumps_is_somebody_else() -> None:
    stage = Stage()
    stage.show(sighting(HERE, 4), frames=3)
    stage.show(sighting(THERE, 4), frames=3)
    assert [send.presentation for send in sends(stage.actions)] == [1, 2]
    assert [seen.face.track for seen in stage.last.seen] == [2]


def test_a_walking_face_stays_itself() -> None:
    stage = Stage()
    for step in range(30):
        stage.show(sighting(HERE.moved(step * 25, 0)))
    assert {seen.face.track for seen in stage.last.seen} == {1}


def test_two_faces_keep_their_numbers_in_whatever_order_they_are_found() -> None:
    stage = Stage()
    stage.show(sighting(HERE), sighting(THERE))
    stage.show(sighting(THERE), sighting(HERE))
    assert [seen.face.track for seen in stage.last.seen] == [2, 1]


def test_advice_changes_only_once_it_holds() -> None:
    stage = Stage()
    stage.show(sighting(grade=0, defect="blurred"), frames=10)
    for _ in range(10):
        stage.show(sighting(grade=0, defect="too_dark"), frames=2)
        stage.show(sighting(grade=0, defect="blurred"), frames=2)
    assert told(stage.actions) == ["looking", "blurred"]


def test_the_most_helpful_advice_is_given() -> None:
    stage = Stage()
    bad = sighting(grade=0)
    report = QualityReport(bad.report.measures, ("blurred", "too_dark", "face_too_small"), 0)
    stage.show(Sight(bad.face, report), frames=10)
    assert told(stage.actions) == ["looking", "face_too_small"]


def test_nothing_is_told_while_an_answer_is_awaited() -> None:
    stage = Stage()
    stage.show(sighting(grade=4), frames=3)
    assert told(stage.actions) == ["looking", "good"]
    assert not stage.show(sighting(grade=0), frames=20)
    stage.outcome("refused")
    assert "blurred" in told(stage.show(sighting(grade=0), frames=20))


spots = st.sampled_from([HERE, HERE.moved(30, 5), HERE.moved(90, 0), THERE, THERE.moved(-60, 0), FAR, Box(200, 50, 300, 380)])
looks = st.builds(sighting, spots, st.integers(0, 4), st.sampled_from(["blurred", "too_dark"]), st.floats(0, 100))
sightings = st.builds(
    lambda look, live, pose: replace(look, live=live, pose=pose),
    looks,
    st.sampled_from([0.9, 0.9, 0.4, 0.05]),
    st.sampled_from([AHEAD, AHEAD, Pose(30, 0, 0)]),
)
moments = st.tuples(
    st.sampled_from([0.03, FRAME, FRAME, FRAME, 0.3, 0.59, 0.61, 2.0]),
    st.lists(sightings, max_size=3),
    st.sampled_from(["", "", "granted", "refused", "refused", "final"]),
)


def test_nothing_is_sent_before_the_votes_are_in() -> None:
    stage = Stage(policy="passive", settle=0.0, good_enough=1)
    stage.show(sighting(), frames=4)
    assert sends(stage.actions) == []
    stage.show(sighting(), frames=2)
    (send,) = sends(stage.actions)
    assert (send.liveness.state, send.liveness.score, send.attempt) == ("live", 90, 1)


def test_unusable_pictures_do_not_vote_and_start_no_clock() -> None:
    stage = Stage(policy="passive")
    stage.show(sighting(grade=0), frames=60)
    stage.show(sighting(), frames=8)
    (send,) = sends(stage.actions)
    assert send.liveness.state == "live"


def test_an_attack_of_which_no_picture_was_sent_is_told_in_the_end() -> None:
    stage = Stage(policy="passive", settle=5.0)
    stage.show(replace(sighting(), live=0.05), frames=8)
    stage.show(frames=15)
    ended = stage.actions[-1]
    assert isinstance(ended, Ended)
    assert (ended.shots, ended.liveness.state, ended.liveness.score) == (0, "attack", 5)


def test_whoever_was_let_in_a_moment_ago_is_not_asked_to_move() -> None:
    someone = np.full(128, 128**-0.5, "<f4").tobytes()
    stage = Stage(policy="challenge", cool_down=2.0)
    here = replace(sighting(person=someone), live=0.9)
    stage.tracker._resting.append((stage.at + 2.0, someone))
    stage.show(here, frames=20)
    assert not [slug for slug in told(stage.actions) if slug.startswith("challenge")]
    stage.show(here, frames=20)
    assert "challenge_look_ahead" in told(stage.actions)


def test_two_people_in_view_end_a_challenge() -> None:
    stage = Stage(policy="challenge")
    stage.show(sighting(), frames=4)
    stage.show(sighting(), sighting(THERE), frames=12)
    stage.show(sighting(), frames=6)
    (send,) = sends(stage.actions)
    assert (send.liveness.state, send.liveness.cause) == ("doubt", "track_broken")


class Witness:
    """Holds every step to what must be true whatever happens before the camera."""

    def __init__(self, settings: PresentationSettings, first: int, policy: LivenessPolicy) -> None:
        self.settings = settings
        self.policy = policy
        self.worst: dict[int, str] = {}
        self.newest = first - 1
        self.alive: set[int] = set()
        self.kept: set[int] = set()
        self.out: set[int] = set()
        self.shots: Counter[int] = Counter()
        self.closed: set[int] = set()

    def check(self, step: Step, crowded: bool) -> None:
        present = [seen.face.track for seen in step.seen]
        assert len(set(present)) == len(present)
        for action in step.actions:
            getattr(self, f"_{type(action).__name__.lower()}")(action, present, crowded)
        assert set(present) <= self.alive
        assert self.kept <= self.alive

    def _began(self, began: Began, present: list[int], crowded: bool) -> None:
        assert began.presentation == self.newest + 1
        assert began.presentation in present
        self.newest = began.presentation
        self.alive.add(began.presentation)

    def _told(self, told: Told, present: list[int], crowded: bool) -> None:
        assert told.presentation in present

    def _keep(self, keep: Keep, present: list[int], crowded: bool) -> None:
        assert keep.seen.report.usable
        assert not crowded
        assert keep.seen.face.track == keep.presentation
        self.kept.add(keep.presentation)

    def _drop(self, drop: Drop, present: list[int], crowded: bool) -> None:
        self.kept.remove(drop.presentation)

    def _send(self, send: Send, present: list[int], crowded: bool) -> None:
        assert send.presentation in present
        assert not crowded
        assert send.report.usable
        assert (send.liveness.state == "unchecked") == (self.policy == "off")
        assert self.worst.get(send.presentation, "live") in ("live", send.liveness.state), "it never gets better"
        self.worst[send.presentation] = send.liveness.state
        assert send.presentation not in self.out | self.closed
        self.kept.remove(send.presentation)
        self.out.add(send.presentation)
        self.shots[send.presentation] += 1
        assert send.attempt == self.shots[send.presentation] <= self.settings.attempts

    def _ended(self, ended: Ended, present: list[int], crowded: bool) -> None:
        self.alive.remove(ended.presentation)
        self.kept.discard(ended.presentation)
        self.out.discard(ended.presentation)
        assert ended.presentation not in present
        assert ended.shots == self.shots[ended.presentation]
        assert ended.at >= ended.began_at


@given(
    st.lists(moments, max_size=60),
    st.sampled_from(["one_at_a_time", "largest"]),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.2]),
    st.integers(1, 1000),
    st.sampled_from(["off", "off", "passive", "passive+challenge", "challenge"]),
)
def test_whatever_happens_the_rules_hold(
    script: list[tuple[float, list[Sight], str]],
    several: Literal["one_at_a_time", "largest"],
    attempts: int,
    settle: float,
    first: int,
    policy: LivenessPolicy,
) -> None:
    settings = PresentationSettings(several=several, attempts=attempts, settle=settle, retry_after=0.2)
    tracker, witness = PresentationTracker(settings, first, judges(policy)), Witness(settings, first, policy)
    at, chance = 0.0, random.Random(first)
    for passed, faces, answer in script:
        at += passed
        areas = sorted(each.face.box.area for each in faces)
        crowded = several == "one_at_a_time" and len(areas) > 1 and areas[-2] >= 0.25 * areas[-1]
        witness.check(tracker.step(at, faces, FRAME_SIZE), crowded)
        if answer and witness.out:
            presentation = chance.choice(sorted(witness.out))
            tracker.outcome(presentation, answer, at)
            witness.out.remove(presentation)
            if answer != "refused":
                witness.closed.add(presentation)
    end = tracker.step(at + 10, [], FRAME_SIZE)
    witness.check(end, crowded=False)
    assert not witness.alive
