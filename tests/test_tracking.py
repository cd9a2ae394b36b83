"""Who is who before the camera: a small world of people who come, go, cross, hide and take each other's place."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from struct import pack
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import Began, Box, Ended, Face, QualityReport
from kiosk.settings import PresentationSettings
from kiosk.vision.appearance import COMPARED_EVERY, COMPARED_EVERY_IN_FLIGHT
from kiosk.vision.live_sample import LiveSample, Wanted
from kiosk.vision.presentation import Keep, PresentationTracker, Send, Step
from kiosk.vision.tracking import SAME_FROM, Trail, cosine, follow

FRAME = 1 / 15
SIZE = (1280, 720)
PEOPLE = tuple(range(4))
TURNED = 99
"""Nobody's direction: what a face from the side looks like to the embedder."""


@lru_cache(maxsize=2000)
def direction(person: int, grain: int) -> bytes:
    """A person's embedding, another one in each picture; of two pictures of one person the cosine is 0.6 at least."""
    chance, noise = random.Random(person), random.Random(1000 * person + grain)
    own = unit([chance.gauss(0, 1) for _ in range(128)])
    blur = unit([noise.gauss(0, 1) for _ in range(128)])
    return pack("<128f", *unit([a + 0.5 * b for a, b in zip(own, blur, strict=True)]))


def unit(numbers: Sequence[float]) -> list[float]:
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


@dataclass
class Sight:
    person: int
    box: Box
    grain: int = 0
    grade: int = 3
    turned: bool = False
    mood: int = 0
    asked: int = 0

    @property
    def face(self) -> Face:
        nose = 0.85 if self.turned else 0.5
        a, b, c, d, e = (
            (self.box.x + self.box.width * x, self.box.y + self.box.height * y)
            for x, y in ((0.3, 0.4), (0.7, 0.4), (nose, 0.6), (0.35, 0.8), (0.65, 0.8))
        )
        return Face(box=self.box, score=0.9, points=(a, b, c, d, e))

    def graded(self, *, closely: bool) -> tuple[Face, QualityReport]:
        grade = 0 if self.turned else self.grade
        return self.face, QualityReport({"Sharpness": 50.0 + self.grain % 7}, () if grade else ("turned_away",), grade)

    def embedding(self) -> bytes:
        self.asked += 1
        return direction(TURNED if self.turned else self.person, self.grain)

    def glance(self) -> bytes:
        return direction(1000 * (TURNED if self.turned else self.person) + self.mood, 0)

    def sample(self, at: float, face: Face, wanted: Wanted, known: bytes | None) -> LiveSample:
        raise AssertionError("nobody asks whether these people are alive")


def at_place(x: float) -> Box:
    return Box(x, 200, 160, 200)


def test_the_worlds_people_are_themselves_and_nobody_else() -> None:
    pictures = [(person, direction(person, grain)) for person in (*PEOPLE, TURNED) for grain in range(6)]
    for number, (person, one) in enumerate(pictures):
        for other, another in pictures[:number]:
            assert (cosine(one, another) > SAME_FROM) == (person == other)


@dataclass
class World:
    """Where everybody is, and what the tracker makes of it. `mood`: the faces look like this; `restless`: never as before."""

    settings: PresentationSettings
    places: dict[int, float] = field(default_factory=dict)
    hidden: dict[int, int] = field(default_factory=dict)
    turned: set[int] = field(default_factory=set)
    mood: int = 0
    restless: bool = False
    at: float = 100.0
    grain: int = 0
    sights: list[Sight] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tracker = PresentationTracker(self.settings)

    def frame(self, passed: float = FRAME) -> Step:
        self.at += passed
        self.grain += 1
        mood = self.grain if self.restless else self.mood
        self.sights = [
            Sight(person, at_place(x), self.grain % 50, 2 + self.grain % 3, person in self.turned, mood)
            for person, x in self.places.items()
            if not self.hidden.get(person)
        ]
        self.hidden = {person: left - 1 for person, left in self.hidden.items() if left > 1}
        return self.tracker.step(self.at, self.sights, SIZE)

    def frames(self, count: int) -> list[Step]:
        return [self.frame() for _ in range(count)]

    def ids(self) -> dict[int, int]:
        """The presentation of each person, after one more frame."""
        step = self.frame()
        return {sight.person: seen.face.track for sight, seen in zip(self.sights, step.seen, strict=True)}


def world(**settings: object) -> World:
    return World(PresentationSettings.model_validate(settings))


def sends(steps: Sequence[Step]) -> list[Send]:
    return [action for step in steps for action in step.actions if isinstance(action, Send)]


def test_whoever_takes_anothers_place_is_a_new_presentation_though_an_answer_is_in_flight() -> None:
    stage = world()
    stage.places = {0: 500}
    assert [send.presentation for send in sends(stage.frames(6))] == [1]
    stage.places = {1: 500}
    steps = stage.frames(12)
    assert [type(action) for step in steps for action in step.actions][:2] == [Ended, Began]
    assert [seen.face.track for seen in steps[-1].seen] == [2]
    assert [send.presentation for send in sends(steps)] == [2]


@pytest.mark.parametrize("frames", [6, 17, 40])
def test_whoever_takes_a_still_face_s_place_is_somebody_new_in_that_very_frame(frames: int) -> None:
    stage = world()
    stage.places = {0: 500}
    stage.frames(frames)
    stage.places = {1: 500}
    assert stage.ids() == {1: 2}


def test_a_face_that_never_was_still_is_compared_no_more_often_for_it() -> None:
    stage = world()
    stage.places = {0: 500}
    stage.restless = True
    stage.frames(6)
    asked = 0
    for _ in range(30):
        stage.frame()
        asked += stage.sights[0].asked
    assert asked <= 30 * FRAME / COMPARED_EVERY_IN_FLIGHT


def test_a_leap_of_the_same_face_costs_a_comparison_and_nothing_else() -> None:
    stage = world()
    stage.places = {0: 500}
    stage.frames(6)
    stage.tracker.outcome(1, "granted", stage.at)
    stage.frames(1)
    stage.mood = 1
    assert stage.ids() == {0: 1}
    assert stage.sights[0].asked == 1
    assert stage.ids() == {0: 1}
    assert stage.sights[0].asked == 0


def test_a_picture_kept_of_one_person_is_not_sent_for_the_next() -> None:
    stage = world(settle=0.5, good_enough=4)
    stage.grain = 46
    stage.places = {0: 500}
    assert not sends(stage.frames(1))
    stage.places = {1: 500}
    assert {send.presentation for send in sends(stage.frames(20))} == {2}


@pytest.mark.parametrize("frames", [1, 4, 8])
def test_somebody_hidden_for_a_moment_stays_who_they_are(frames: int) -> None:
    stage = world()
    stage.places = {0: 500}
    stage.frames(6)
    stage.hidden = {0: frames}
    stage.frames(frames)
    stage.places = {0: 900}
    assert stage.ids() == {0: 1}


def test_somebody_else_after_a_gap_is_somebody_else() -> None:
    stage = world()
    stage.places = {0: 500}
    stage.frames(6)
    stage.places = {}
    stage.frames(3)
    stage.places = {1: 500}
    assert stage.ids() == {1: 2}


def test_two_who_cross_keep_their_numbers() -> None:
    stage = world(several="all")
    for step in range(25):
        stage.places = {0: 200 + 30 * step, 1: 920 - 30 * step}
        if abs(stage.places[0] - stage.places[1]) < 60:
            stage.hidden = {1: 1}
        stage.frame()
    assert stage.ids() == {0: 1, 1: 2}


def test_each_of_a_crowd_is_asked() -> None:
    stage = world(several="all")
    stage.places = {person: 100 + 280 * person for person in PEOPLE}
    assert sorted(send.presentation for send in sends(stage.frames(30))) == [1, 2, 3, 4]


def test_of_two_alike_the_primary_one_stays_it_and_the_central_one_is_it() -> None:
    stage = world(several="largest")
    stage.places = {0: 20, 1: 560}
    assert [send.presentation for send in sends(stage.frames(8))] == [2]
    stage.places = {0: 520, 1: 610}
    assert sends(stage.frames(8)) == []


def test_whoever_was_granted_and_comes_back_is_not_asked_before_the_cool_down_is_over() -> None:
    stage = world(cool_down=5)
    stage.places = {0: 500}
    stage.frames(6)
    stage.tracker.outcome(1, "granted", stage.at)
    granted_at = stage.at
    stage.places = {}
    stage.frames(15)
    stage.places = {0: 300}
    again: list[Send] = []
    while not again:
        again = sends([stage.frame()])
    assert again[0].presentation == 2
    assert granted_at + 5 <= stage.at < granted_at + 6


def test_somebody_else_is_asked_during_the_cool_down() -> None:
    stage = world(cool_down=60)
    stage.places = {0: 500}
    stage.frames(6)
    stage.tracker.outcome(1, "granted", stage.at)
    stage.places = {1: 500}
    assert sends(stage.frames(40))


def test_a_still_face_is_compared_but_now_and_then() -> None:
    stage = world()
    stage.places = {0: 500}
    stage.frames(6)
    stage.tracker.outcome(1, "granted", stage.at)
    asked = 0
    for _ in range(150):
        stage.frame()
        asked += sum(sight.asked for sight in stage.sights)
    assert 8 <= asked <= 11


def test_a_face_that_turns_away_stays_the_same_persons() -> None:
    stage = world()
    stage.places = {0: 500}
    stage.frames(6)
    stage.turned = {0}
    stage.frames(60)
    assert stage.ids() == {0: 1}


def test_without_doubt_nobody_asks_for_an_embedding() -> None:
    trail = Trail(100.0, at_place(500))
    trail.reference, trail.patience = direction(0, 1), 1.0
    sight = Sight(1, at_place(505))
    (claim,) = follow([trail], [sight], 100.0 + FRAME, 100.0).values()
    assert (claim.trail, claim.confirmed, sight.asked) == (trail, False, 0)


people = st.sampled_from(PEOPLE)
spots = st.sampled_from([100.0, 300.0, 330.0, 420.0, 700.0, 1000.0])
moves = st.one_of(
    st.tuples(st.just("enter"), people, spots),
    st.tuples(st.just("leave"), people, st.just(0.0)),
    st.tuples(st.just("walk"), people, st.sampled_from([-60.0, -20.0, 20.0, 60.0])),
    st.tuples(st.just("hide"), people, st.integers(1, 12).map(float)),
    st.tuples(st.just("turn"), people, st.just(0.0)),
    st.tuples(st.just("replace"), people, people.map(float)),
    st.tuples(st.just("answer"), people, st.integers(0, 2).map(float)),
)
scripts = st.lists(st.tuples(moves, st.sampled_from([FRAME, FRAME, 0.1, 0.3, 0.7]), st.integers(1, 8)), max_size=40)


class Witness:
    """Knows who everybody really is, and holds every frame to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.alive: set[int] = set()
        self.kept: dict[int, int] = {}
        self.sent: dict[int, int] = {}
        self.out: dict[int, float] = {}
        self.shots: dict[int, list[float]] = {}
        self.closed: set[int] = set()
        self.asked_from: dict[int, float] = {}
        self.rests: dict[int, float] = {}
        self.wrong_since: dict[int, float] = {}

    def check(self, step: Step) -> None:
        world = self.world
        truth = {seen.face.track: sight for sight, seen in zip(world.sights, step.seen, strict=True)}
        assert len(truth) == len(step.seen)
        for action in step.actions:
            match action:
                case Began(presentation=number):
                    self.alive.add(number)
                case Ended(presentation=number):
                    self.alive.remove(number)
                    self.out.pop(number, None)
                    assert number not in truth
                case Keep(number, _):
                    self.kept[number] = truth[number].person
                case Send():
                    self._sent(action, truth)
                case _:
                    pass
        assert set(truth) <= self.alive
        for number, sight in truth.items():
            self._is_truthful(number, sight)

    def _sent(self, send: Send, truth: dict[int, Sight]) -> None:
        number, at = send.presentation, self.world.at
        person = truth[number].person
        assert self.kept[number] == person, "a picture of somebody who is not there"
        assert not truth[number].turned or self.world.settings.settle
        assert at >= self.rests.get(person, 0.0)
        assert at >= self.asked_from.get(number, 0.0)
        assert number not in self.closed
        assert number not in self.out
        times = self.shots.setdefault(number, [])
        times.append(at)
        assert send.attempt == len(times) <= self.world.settings.attempts
        assert all(later - earlier >= self.world.settings.retry_after for earlier, later in pairwise(times))
        self.sent[number], self.out[number] = person, at

    def _is_truthful(self, number: int, sight: Sight) -> None:
        """A presentation that was sent is of that person, or will be found out within its patience."""
        if self.sent.get(number, sight.person) == sight.person or sight.turned:
            self.wrong_since.pop(number, None) if not sight.turned else None
            return
        since = self.wrong_since.setdefault(number, self.world.at)
        assert self.world.at - since < (COMPARED_EVERY_IN_FLIGHT if number in self.out else COMPARED_EVERY)

    def answer(self, result: Literal["granted", "refused", "final"]) -> None:
        for number in list(self.out):
            self.world.tracker.outcome(number, result, self.world.at)
            del self.out[number]
            if result == "refused":
                self.asked_from[number] = self.world.at + self.world.settings.retry_after
                continue
            self.closed.add(number)
            if result == "granted":
                self.rests[self.sent[number]] = self.world.at + self.world.settings.cool_down


def play(world: World, witness: Witness, move: tuple[str, int, float]) -> None:
    kind, person, value = move
    match kind:
        case "enter":
            world.places[person] = value
        case "leave":
            world.places.pop(person, None)
        case "walk" if person in world.places:
            world.places[person] += value
        case "hide":
            world.hidden[person] = int(value)
        case "turn":
            world.turned ^= {person}
        case "replace" if person in world.places:
            other = int(value)
            here, there = world.places.pop(person), world.places.pop(other, None)
            world.places[other] = here
            if there is not None and other != person:
                world.places[person] = there
        case "answer":
            witness.answer(("granted", "refused", "final")[int(value)])


@given(scripts, st.sampled_from(["one_at_a_time", "largest", "all"]), st.integers(1, 3), st.sampled_from([0.0, 0.2, 1.0]))
def test_whatever_people_do_what_is_sent_shows_who_is_there(
    script: list[tuple[tuple[str, int, float], float, int]],
    several: Literal["one_at_a_time", "largest", "all"],
    attempts: int,
    settle: float,
) -> None:
    stage = world(several=several, attempts=attempts, settle=settle, retry_after=0.3, cool_down=2.0)
    witness = Witness(stage)
    for move, passed, frames in script:
        play(stage, witness, move)
        for _ in range(frames):
            witness.check(stage.frame(passed))
    stage.places = {}
    witness.check(stage.frame(10))
    assert not witness.alive
    assert not stage.tracker.following
