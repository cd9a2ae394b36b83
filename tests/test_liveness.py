"""Liveness: the judge and the challenge as functions of samples, and the model on real pictures."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk import slugs
from kiosk.bench import attacks
from kiosk.bench.liveness import wilson
from kiosk.capture import held
from kiosk.capture.qr import modules
from kiosk.domain import Box, Pose
from kiosk.settings import LivenessPolicy, LivenessSettings, Task
from kiosk.vision import landmarks, models
from kiosk.vision.antispoof import BORDER, AntiSpoof, surroundings
from kiosk.vision.border import framed
from kiosk.vision.challenge import FORWARD, TURN, Challenge, is_neutral, order
from kiosk.vision.finder import Finder
from kiosk.vision.liveness import STILL_FOR, LivenessJudge, LiveSample
from kiosk.vision.pixels import Image

BOX = Box(500, 200, 200, 240)
STEP = 0.1
SETTINGS = LivenessSettings(votes=5)
TASKS: tuple[Task, ...] = SETTINGS.tasks
POLICIES: tuple[LivenessPolicy, ...] = ("passive", "passive+challenge", "challenge")
OPEN = {"eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.1, "jawOpen": 0.02}

MOVES: dict[Task, tuple[Pose, dict[str, float]]] = {
    "blink": (Pose(0, 0, 0), OPEN | {"eyeBlinkLeft": 0.7, "eyeBlinkRight": 0.7}),
    "turn_left": (Pose(22, 0, 0), OPEN),
    "turn_right": (Pose(-22, 0, 0), OPEN),
    "nod": (Pose(0, -14, 0), OPEN),
    "open_mouth": (Pose(0, 0, 0), OPEN | {"jawOpen": 0.6}),
}


def sample(at: float, task: Task | None = None, *, live: float = 0.9, likeness: float | None = 0.8, box: Box = BOX) -> LiveSample:
    pose, shapes = MOVES[task] if task else (Pose(0, 0, 0), OPEN)
    return LiveSample(at, box, live, pose=pose, blendshapes=shapes, fingerprint=str(at).encode(), likeness=likeness)


def obey(prompt: str | None) -> Task | None:
    return next((task for task in TASKS if prompt == f"challenge_{task}"), None)


class Obedient:
    """Somebody who does what they are told, half a second later, and then looks ahead again."""

    def __init__(self, subject: Challenge | LivenessJudge) -> None:
        self._subject = subject
        self._asked: tuple[str, float] | None = None

    def prompt(self) -> str | None:
        return self._subject.prompt if isinstance(self._subject, Challenge) else self._subject.prompt()

    def doing(self, at: float) -> Task | None:
        told = self.prompt()
        if told is None or told == FORWARD:
            self._asked = None
            return None
        if self._asked is None or self._asked[0] != told:
            self._asked = told, at
        return obey(told) if at - self._asked[1] >= 0.4 else None

    def run(self, seconds: float = 8.0, *, live: float = 0.9, likeness: float | None = 0.8) -> Iterator[LiveSample]:
        for number in range(1, round(seconds / STEP)):
            one = sample(number * STEP, self.doing(number * STEP), live=live, likeness=likeness)
            self._subject.look(one)
            yield one


def obeyed(subject: Challenge | LivenessJudge, **how: float | None) -> None:
    for _ in Obedient(subject).run(live=how.get("live", 0.9) or 0.0, likeness=how.get("likeness", 0.8)):
        pass


def test_every_cause_and_prompt_has_its_sentences() -> None:
    for task in TASKS:
        entry = slugs.TABLE[f"challenge_{task}"]
        assert entry.kind == "prompt"
        assert all(entry.person)
    assert slugs.TABLE[FORWARD].kind == "prompt"


def test_an_order_is_chances_and_never_asks_twice() -> None:
    orders = {order(SETTINGS, seed) for seed in range(400)}
    assert len(orders) == 5 * 4 - 3 * 2, "those without a turn are never asked"
    assert all(len(set(one)) == 2 for one in orders)


@pytest.mark.parametrize(
    "wrong",
    [{"attack_below": 60}, {"asked": 3, "tasks": ("turn_left", "nod")}, {"tasks": ("nod", "nod")}, {"tasks": ("nod", "blink")}],
)
def test_settings_that_contradict_themselves_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LivenessSettings.model_validate(wrong)


@given(seed=st.integers(0, 2**32))
def test_whoever_does_what_is_asked_passes(seed: int) -> None:
    challenge = Challenge(SETTINGS, order(SETTINGS, seed))
    obeyed(challenge)
    assert (challenge.progress, challenge.cause, challenge.prompt) == ("passed", "", None)


@pytest.mark.parametrize("asked", TASKS)
@pytest.mark.parametrize("done", TASKS)
def test_only_the_movement_asked_for_counts(asked: Task, done: Task) -> None:
    challenge = Challenge(SETTINGS, (asked,))
    for number in range(1, 40):
        doing = done if challenge.prompt == f"challenge_{asked}" and number in (6, 7) else None
        challenge.look(sample(number * STEP, doing))
    assert challenge.progress == ("passed" if asked == done else "running" if done in ("blink", "nod") else "failed")
    assert challenge.cause in ("", "challenge_wrong")


@given(st.lists(st.sampled_from([None, *TASKS]), min_size=1, max_size=60), st.sampled_from(TASKS))
def test_a_movement_made_before_it_was_asked_for_never_counts(moves: list[Task | None], asked: Task) -> None:
    """Moves as long as nothing is asked, and never again."""
    challenge = Challenge(SETTINGS, (asked,))
    for number, move in enumerate(moves):
        challenge.look(sample(number * STEP, move if challenge.prompt == FORWARD else None))
        assert challenge.progress != "passed"


@pytest.mark.parametrize("task", TASKS)
def test_an_answer_sooner_than_anybody_can_react_fails(task: Task) -> None:
    challenge = Challenge(SETTINGS, (task,))
    challenge.look(sample(1.0))
    challenge.look(sample(1.1))
    assert challenge.prompt == f"challenge_{task}"
    challenge.look(sample(1.2, task))
    assert (challenge.progress, challenge.cause) == ("failed", "challenge_too_early")


@given(
    st.lists(st.tuples(st.floats(0.01, 0.6), st.sampled_from([None, *TASKS])), min_size=20, max_size=120), st.integers(0, 10**6)
)
def test_time_runs_out(steps: list[tuple[float, Task | None]], seed: int) -> None:
    """Whatever somebody does, a challenge is over after its tasks' time, twice each: for looking ahead and for the movement."""
    challenge = Challenge(SETTINGS, order(SETTINGS, seed))
    at = 100.0
    for step, move in steps:
        challenge.look(sample(at, move))
        if challenge.progress == "running":
            assert at - 100.0 <= 2 * SETTINGS.asked * SETTINGS.task_within
        at += step


@given(number=st.integers(0, 60), seed=st.integers(0, 10**6))
def test_another_person_cannot_finish_it(number: int, seed: int) -> None:
    """From any frame of the challenge on somebody else stands there, and does all that is asked."""
    challenge = Challenge(SETTINGS, order(SETTINGS, seed))
    person = Obedient(challenge)
    for frame in range(1, 90):
        if challenge.progress == "passed":
            assert frame <= number + 1, "it was over before the other came"
            break
        challenge.look(sample(frame * STEP, person.doing(frame * STEP), likeness=0.2 if frame > number else 0.8))
    else:
        assert (challenge.progress, challenge.cause) == ("failed", "person_changed")


def test_a_challenge_nobody_compared_faces_in_is_not_passed() -> None:
    challenge = Challenge(SETTINGS, order(SETTINGS, 1))
    obeyed(challenge, likeness=None)
    assert (challenge.progress, challenge.cause) == ("failed", "identity_not_held")


@pytest.mark.parametrize("broken", [sample(2.0), sample(1.2, box=Box(10, 10, 200, 240)), sample(1.1)])
def test_a_face_that_was_gone_or_jumped_fails(broken: LiveSample) -> None:
    challenge = Challenge(SETTINGS, ("nod",))
    challenge.look(sample(1.0))
    challenge.look(sample(1.1))
    challenge.look(broken)
    assert (challenge.progress, challenge.cause) == ("failed", "track_broken")


def test_a_face_without_pose_or_expression_is_not_neutral() -> None:
    assert is_neutral(sample(1.0))
    assert not is_neutral(LiveSample(1.0, BOX, pose=Pose(0, 0, 0)))
    assert not is_neutral(LiveSample(1.0, BOX, blendshapes=OPEN))


def shown(judge: LivenessJudge, lives: list[float], suspicion: float = 0) -> LivenessJudge:
    for number, live in enumerate(lives):
        judge.look(sample(number * STEP, live=live)._replace(suspicions={"spoof_suspected": suspicion}))
    return judge


@pytest.mark.parametrize(
    ("lives", "state", "cause", "score"),
    [
        ([0.9] * 4, "unchecked", "", -1),
        ([0.9, 0.1, 0.9, 0.2, 0.8], "live", "", 80),
        ([0.1] * 5, "attack", "spoof_suspected", 10),
        ([0.4] * 5, "doubt", "liveness_doubtful", 40),
        ([0.4] * 5 + [0.99] * 50, "doubt", "liveness_doubtful", 40),
        ([0.9] * 5 + [0.05] * 5, "attack", "spoof_suspected", 5),
        ([0.1] * 5 + [0.99] * 50, "attack", "spoof_suspected", 10),
        ([-1.0] * 40, "doubt", "liveness_not_told", -1),
    ],
)
def test_the_first_votes_decide_and_waiting_makes_nothing_better(
    lives: list[float], state: str, cause: str, score: float
) -> None:
    told = shown(LivenessJudge(SETTINGS), lives).state()
    assert (told.state, told.cause, told.score) == (state, cause, score)


def test_a_door_that_does_not_ask_is_told_nothing() -> None:
    judge = shown(LivenessJudge(SETTINGS, "off"), [0.0] * 20)
    assert judge.state().state == "unchecked"
    assert judge.prompt() is None


@given(policy=st.sampled_from(POLICIES), lives=st.lists(st.floats(0, 1), min_size=20, max_size=120), every=st.floats(0.02, 0.5))
def test_a_still_picture_never_becomes_live_by_waiting(policy: LivenessPolicy, lives: list[float], every: float) -> None:
    """Whatever the model says of it: the same pixels again and again are an attack before anything else can be."""
    judge = LivenessJudge(SETTINGS, policy)
    for number, live in enumerate(lives):
        judge.look(sample(number * every, live=live)._replace(fingerprint=b"the same"))
        assert judge.state().state in ("unchecked", "attack")
    assert (judge.state().cause == "picture_static") == (number * every >= STILL_FOR)


@given(lives=st.lists(st.floats(0.7, 1), min_size=80, max_size=120), pictures=st.integers(1, SETTINGS.votes - 1))
def test_a_few_pictures_in_turn_never_become_live(lives: list[float], pictures: int) -> None:
    judge = LivenessJudge(SETTINGS)
    for number, live in enumerate(lives):
        judge.look(sample(number * STEP, live=live)._replace(fingerprint=str(number % pictures).encode()))
    assert judge.state().cause == "picture_static"


def test_an_encoder_that_repeats_a_face_costs_time_and_no_entrance() -> None:
    judge = LivenessJudge(SETTINGS)
    for number in range(20):
        judge.look(sample(number * STEP)._replace(fingerprint=str(number // 4).encode()))
        assert judge.state().state == ("live" if number >= 16 else "unchecked")


@given(policy=st.sampled_from(POLICIES), lives=st.lists(st.floats(0, 0.594), min_size=5, max_size=150))
def test_a_print_with_the_cameras_noise_never_becomes_live_by_waiting(policy: LivenessPolicy, lives: list[float]) -> None:
    judge = LivenessJudge(SETTINGS, policy)
    for number, live in enumerate(lives):
        judge.look(sample(number * STEP, live=live))
        assert judge.state().state != "live"


@given(first=st.floats(0.21, 0.59), later=st.lists(st.floats(0, 1), max_size=150))
def test_doubt_gets_no_second_draw(first: float, later: list[float]) -> None:
    judge = LivenessJudge(SETTINGS)
    for number, live in enumerate([first] * SETTINGS.votes + later):
        judge.look(sample(number * STEP, live=live))
        assert judge.state().state != "live"


@given(seed=st.integers(0, 2**32))
def test_doubt_asks_for_movements_where_the_door_wants_it(seed: int) -> None:
    judge = LivenessJudge(SETTINGS, "passive+challenge", seed)
    assert judge.prompt() is None
    obeyed(judge, live=0.4)
    assert judge.state().state == "live"
    assert judge.state().score == 40


def test_no_doubt_asks_for_nothing_unless_it_is_always_asked() -> None:
    judge = shown(LivenessJudge(SETTINGS, "passive+challenge"), [0.9] * 30)
    assert (judge.state().state, judge.prompt()) == ("live", None)
    judge = shown(LivenessJudge(SETTINGS, "challenge"), [0.9] * 20)
    assert judge.state().state == "unchecked"
    assert judge.prompt() is not None
    judge = LivenessJudge(SETTINGS, "challenge")
    obeyed(judge)
    assert judge.state().state == "live"


def test_a_failed_challenge_leaves_doubt_with_its_cause() -> None:
    judge = shown(LivenessJudge(SETTINGS, "passive+challenge"), [0.4] * 80)
    assert (judge.state().state, judge.state().cause) == ("doubt", "challenge_timed_out")


def test_no_movement_makes_an_attack_alive() -> None:
    judge = LivenessJudge(SETTINGS, "challenge")
    obeyed(judge, live=0.05)
    assert judge.state().state == "attack"
    assert judge.prompt() is None


@pytest.mark.parametrize(("strength", "state"), [(0.6, "attack"), (0.4, "live")])
def test_half_of_the_votes_make_a_suspicion_an_attack(strength: float, state: str) -> None:
    judge = shown(LivenessJudge(SETTINGS), [0.9] * 5, suspicion=strength)
    assert judge.state().state == state


@pytest.fixture(scope="module")
def finder(models_dir: Path) -> Finder:
    return Finder(models.path(models_dir, "finder"), 320)


@pytest.fixture(scope="module")
def network(models_dir: Path) -> AntiSpoof:
    return AntiSpoof(models.path(models_dir, "antispoof"))


Present = Callable[[str, str], LivenessJudge]


@pytest.fixture(scope="module")
def present(finder: Finder, network: AntiSpoof, people: Path) -> Present:
    """Six frames of a person's portrait, presented alive or as an attack, before a judge that only looks."""

    def judge(person: str, species: str) -> LivenessJudge:
        photo = portrait(people, person)
        frames = {**attacks.SPECIES, "live": attacks.live}[species](
            photo, finder.find(photo)[0].box, np.random.default_rng(zlib.crc32(person.encode())), 6
        )
        judge = LivenessJudge(SETTINGS)
        for number, image in enumerate(frames):
            judge.look(network.sample(image, finder.find(image)[0], number * STEP))
        return judge

    return judge


def portrait(people: Path, person: str) -> Image:
    return np.asarray(cv2.imread(str(people / person / "assets" / "studio_portrait.jpg")), np.uint8)


@pytest.mark.parametrize("person", ["P002", "P003", "P006"])
def test_a_portrait_looks_alive_and_simulated_prints_and_screens_of_it_do_not(present: Present, person: str) -> None:
    assert present(person, "live").state().state == "live"
    for species, causes in (
        ("print flat", {"print_suspected", "screen_suspected", BORDER}),
        ("phone replay", {"print_suspected", "screen_suspected", BORDER}),
        ("tablet replay", {"print_suspected", "screen_suspected", BORDER}),
        ("static picture on loop", {"picture_static"}),
    ):
        told = present(person, species).state()
        assert told.state == "attack", species
        assert told.cause in causes


def test_the_network_sees_the_frame_in_blue_green_red(network: AntiSpoof, finder: Finder, people: Path) -> None:
    """A print is told by its colours; with red and blue exchanged the network answers otherwise."""
    photo = portrait(people, "P002")
    image = next(attacks.live(photo, finder.find(photo)[0].box, np.random.default_rng(2), 1))
    face = finder.find(image)[0]
    told = network.sample(image, face, 1.0, likeness=0.5)
    assert (told.live > 0.8, told.likeness, told.box) == (True, 0.5, face.box)
    assert told.fingerprint == network.sample(image.copy(), face, 2.0).fingerprint
    assert told.fingerprint != network.sample(np.asarray(255 - image, np.uint8), face, 2.0).fingerprint
    assert network.sample(np.ascontiguousarray(image[..., ::-1]), face, 1.0).live != pytest.approx(told.live, abs=1e-4)


def test_the_network_says_the_same_of_a_mirrored_picture(network: AntiSpoof, finder: Finder, people: Path) -> None:
    """Asked once it does not: 0.42 of this cut-out, 0.50 of its mirror image."""
    photo = portrait(people, "P005")
    image = next(attacks.cut_out(photo, finder.find(photo)[0].box, np.random.default_rng(5), 1))
    told, kind = network.live(image, Box(540, 240, 200, 240))
    assert network.live(np.ascontiguousarray(image[:, ::-1]), Box(540, 240, 200, 240)) == (told, kind)


def test_a_face_too_small_or_outside_is_not_told(network: AntiSpoof, finder: Finder, people: Path) -> None:
    photo = portrait(people, "P002")
    face = finder.find(photo)[0]
    for box in (Box(100, 100, 40, 60), Box(-500, -500, 100, 100)):
        assert network.sample(photo, type(face)(box, 0.9, face.points), 1.0).live == -1


@given(
    x=st.floats(-100, 1300),
    y=st.floats(-100, 800),
    width=st.floats(10, 900),
    height=st.floats(10, 900),
    frame=st.integers(1, 2000),
)
def test_what_the_network_sees_lies_inside_the_frame(x: float, y: float, width: float, height: float, frame: int) -> None:
    seen = surroundings(Box(x, y, width, height), frame, 720)
    assert seen.x >= -1e-6
    assert seen.y >= -1e-6
    assert seen.right <= frame + 1e-6
    assert seen.bottom <= 720 + 1e-6


def drawn(*sides: str) -> Image:
    """A sheet's edges round `FACE`."""
    image = np.full((720, 1280, 3), 200, np.uint8)
    lines = {"left": ((470, 140), (460, 560)), "right": ((800, 140), (805, 560))}
    lines |= {"top": ((470, 142), (800, 150)), "bottom": ((460, 555), (805, 560))}
    for side in sides:
        cv2.line(image, *lines[side], (150, 150, 150), 4)
    return image


FACE = Box(560, 260, 160, 200)
SIDES = ("left", "right", "top", "bottom")


def test_only_edges_on_all_four_sides_are_a_frame() -> None:
    assert framed(drawn(*SIDES), FACE)
    assert not framed(drawn(), FACE)
    for missing in SIDES:
        assert not framed(drawn(*(side for side in SIDES if side != missing)), FACE), missing
    broken = drawn(*SIDES)
    broken[540:575, 630:645] = 200
    assert not framed(broken, FACE)


def with_code(image: Image) -> Image:
    """A white card with a code on it right under `FACE`, wider than that."""
    shown = image.copy()
    code = cv2.resize(modules("PARCEL-0042"), (220, 220), interpolation=cv2.INTER_NEAREST)
    shown[475:695, 530:750] = code[..., None]
    return shown


def test_a_code_under_the_chin_is_no_frame_by_itself_and_hides_none() -> None:
    assert not framed(with_code(drawn()), FACE)
    for missing in ("left", "right", "top"):
        assert not framed(with_code(drawn(*(side for side in SIDES if side != missing))), FACE), missing
    printed = np.full((720, 1280, 3), 120, np.uint8)
    cv2.rectangle(printed, (440, 140), (840, 719), (235, 235, 235), -1)
    cv2.rectangle(printed, (480, 180), (800, 474), (150, 150, 150), -1)
    assert framed(with_code(printed), FACE)
    # A sheet's lower edge hidden by the card, or a card before a door frame: nothing in the picture tells them apart.
    assert framed(with_code(drawn("left", "right", "top")), FACE)


@given(
    x=st.floats(-900, 2000), y=st.floats(-900, 2000), width=st.floats(1, 900), height=st.floats(1, 900), side=st.integers(1, 90)
)
def test_a_face_anywhere_is_looked_round(x: float, y: float, width: float, height: float, side: int) -> None:
    assert not framed(np.zeros((side, 2 * side, 3), np.uint8), Box(x, y, width, height))


@pytest.mark.parametrize("person", ["P002", "P003", "P008"])
def test_tilting_a_flat_picture_does_not_turn_its_head(models_dir: Path, finder: Finder, people: Path, person: str) -> None:
    photo = cv2.resize(portrait(people, person), (1024, 1024), interpolation=cv2.INTER_AREA)
    yaws = []
    with landmarks.load(models.path(models_dir, "landmarks"), "litert", 1) as landmarker:
        for degrees in (-50, -30, 0, 30, 50):
            image = held.tilted(np.asarray(photo, np.uint8), degrees)
            found = landmarker.locate(image, finder.find(image)[0].box)
            assert found is not None
            yaws.append(found.pose.yaw)
    assert max(yaws) - min(yaws) < TURN


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 16.1), (10, 29.9, 70.1), (20, 83.9, 100.0)])
def test_the_interval_of_a_share(count: int, low: float, high: float) -> None:
    assert wilson(count, 20) == pytest.approx((low, high), abs=0.05)
    assert wilson(0, 0) == (0, 100)
