"""People of a scene who do what a challenge asks: who hears it, what they do and when, and what comes of it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import cv2
import msgspec
import numpy as np
import pytest
from msgspec import structs
from rich.console import Console

from kiosk import slugs
from kiosk.bench import attacks, challenged
from kiosk.capture import motion, script
from kiosk.capture.movements import AGAIN, HOLDS, MOVEMENTS, SLOWEST, SOONEST, Movement, Understanding, performers, portraits
from kiosk.capture.pictures import Pictures
from kiosk.capture.scene import SceneCamera, Stage
from kiosk.capture.source import listener, open_source
from kiosk.demo import _shown_best
from kiosk.demo.show import Show
from kiosk.domain import Ended, Pose, Shot
from kiosk.eye import messages
from kiosk.settings import CameraSettings, LivenessSettings, Task
from kiosk.vision import models
from kiosk.vision.challenge import REACTION, is_neutral, movements
from kiosk.vision.embedding import Embedder
from kiosk.vision.finder import Finder
from kiosk.vision.landmarks import Landmarker, load
from kiosk.vision.live_sample import LiveSample
from kiosk.vision.tracking import cosine
from tests.eye_stage import Watch

CHALLENGE = script.load("challenge")
OBEDIENT = next(act for act in CHALLENGE.acts if act.granted)
CUTOUT = next(act for act in CHALLENGE.acts if act.on == "cutout")


class TestUnderstanding:
    def test_everything_a_challenge_can_ask_is_understood(self) -> None:
        assert set(MOVEMENTS) == {*get_args(Task), "look_ahead"}
        for movement in MOVEMENTS:
            assert slugs.TABLE[f"challenge_{movement}"].kind == "prompt"

    def test_nobody_answers_before_they_can_have_read_it(self) -> None:
        understanding = Understanding()
        waits = set()
        for number in range(20):
            at = 100.0 * number
            understanding.hear("challenge_nod", at)
            begins = next(late for late in range(2000) if understanding.movement(at + late / 1000) == "nod") / 1000
            assert SOONEST <= begins <= SLOWEST + 0.001
            waits.add(begins)
        assert len(waits) > 10
        assert REACTION < SOONEST

    def test_a_movement_ends_of_itself_and_comes_again_while_it_is_asked_for(self) -> None:
        understanding = Understanding()
        understanding.hear("challenge_blink", 0)
        seen = [understanding.movement(SLOWEST + late) for late in (0.01, HOLDS + 0.01, AGAIN + 0.01)]
        assert seen == ["blink", "look_ahead", "blink"]

    @pytest.mark.parametrize("slug", ["", "looking", "good", "challenge_look_ahead", "challenge_dance", "blink_"])
    def test_whatever_else_is_said_ends_it(self, slug: str) -> None:
        understanding = Understanding()
        understanding.hear("challenge_blink", 0)
        understanding.hear(slug, 0.1)
        assert {understanding.movement(late / 10) for late in range(50)} == {"look_ahead"}

    def test_who_was_told_nothing_does_nothing(self) -> None:
        assert {Understanding().movement(late / 10) for late in range(50)} == {"look_ahead"}


class TestWhoHears:
    @pytest.mark.parametrize("view", [{}, {"rotate": 180}, {"mirror": True}])
    def test_a_scene_does(self, view: dict[str, Any]) -> None:
        source = open_source("front", CameraSettings(url="scene:challenge", width=640, height=360, **view))
        assert isinstance(listener(source), SceneCamera)
        source.close()

    def test_pictures_do_not(self, people: Path) -> None:
        folder = people / "P002" / "assets"
        for view in ({}, {"mirror": True}):
            source = open_source("front", CameraSettings.model_validate({"url": f"dir:{folder}", **view}))
            assert listener(source) is None
            source.close()

    def test_it_is_the_class_that_counts_and_not_what_a_source_can_do(self, people: Path) -> None:
        class Pretender(Pictures):
            def hear(self, slug: str) -> None:
                raise AssertionError(slug)

        settings = CameraSettings(url="dir:anywhere")
        assert listener(Pretender("front", [people], settings, None)) is None


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(CHALLENGE, 1280, 720)


@pytest.fixture(scope="module")
def landmarker(models_dir: Path) -> Iterator[Landmarker]:
    with load(models.path(models_dir, "landmarks"), "litert", 1) as landmarker:
        yield landmarker


class TestMovements:
    """What the challenge's own eyes make of the pictures, in the hall and at the size in which they are shown."""

    def sample(self, stage: Stage, models_dir: Path, landmarker: Landmarker, act: script.Act, movement: Movement) -> LiveSample:
        image = stage.render(act.at + 2.5, 1, movement)
        (face,) = Finder(models.path(models_dir, "finder"), 320).find(image)
        place = motion.places(act, 2.5)[0]
        assert abs(face.box.centre[0] / 1280 - place.x) < 0.03
        found = landmarker.locate(image, face.box)
        assert found is not None
        return LiveSample(0.0, face.box, pose=found.pose, blendshapes=found.blendshapes)

    @pytest.mark.parametrize("movement", MOVEMENTS)
    def test_an_obedient_person_is_seen_to_do_what_is_asked_and_nothing_else(
        self, stage: Stage, models_dir: Path, landmarker: Landmarker, movement: Movement
    ) -> None:
        neutral = self.sample(stage, models_dir, landmarker, OBEDIENT, "look_ahead")
        seen = self.sample(stage, models_dir, landmarker, OBEDIENT, movement)
        assert is_neutral(seen) == (movement == "look_ahead")
        assert neutral.pose is not None
        assert movements(seen, neutral.pose) == ({movement} - {"look_ahead"})

    @pytest.mark.parametrize("movement", MOVEMENTS)
    def test_a_cutout_with_holes_for_the_eyes_blinks_and_cannot_turn(
        self, stage: Stage, models_dir: Path, landmarker: Landmarker, movement: Movement
    ) -> None:
        seen = self.sample(stage, models_dir, landmarker, CUTOUT, movement)
        done = movements(seen, Pose(0.0, 0.0, 0.0))
        assert not done & {"turn_left", "turn_right"}
        assert ("blink" in done) == (movement == "blink")

    def test_who_does_not_obey_is_the_same_whatever_is_asked(self, stage: Stage) -> None:
        idle = next(act for act in CHALLENGE.acts if not act.obeys)
        assert len({stage.render(idle.at + 2, 1, movement).tobytes() for movement in MOVEMENTS}) == 1

    def test_a_substitute_stands_there_from_one_frame_to_the_next(self) -> None:
        act = structs.replace(OBEDIENT, substitute="P002", substitute_at=3.0)
        stage = Stage(structs.replace(CHALLENGE, acts=(act,)), 640, 360)
        shown = [stage.render(act.at + t, 1, "nod").tobytes() for t in (2.9, 3.1)]
        first, other = (
            Stage(structs.replace(CHALLENGE, acts=(structs.replace(act, person=person, substitute=None),)), 640, 360)
            for person in ("P005", "P002")
        )
        assert shown == [first.render(act.at + 2.9, 1, "nod").tobytes(), other.render(act.at + 3.1, 1, "nod").tobytes()]


class TestScript:
    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"person": "P002", "expect": "grant:P002"}, "no picture shows `P002` move; P005 can obey"),
            ({"on": "cutout"}, "a `cutout` `shows` one of P002, P003"),
            ({"on": "cutout", "shows": "P009"}, "a `cutout` `shows` one of P002, P003"),
        ],
    )
    def test_what_there_are_no_pictures_for_is_a_mistake(self, changes: dict[str, Any], told: str) -> None:
        scene = structs.replace(CHALLENGE, acts=(structs.replace(OBEDIENT, **changes),))
        (mistake,) = script._mistakes(scene)
        assert told in mistake

    def test_nobody_obeys_unless_the_script_says_so(self) -> None:
        for name in script.PACKAGED:
            if name != "challenge":
                assert not any(act.obeys for act in script.load(name).acts)

    def test_the_employee_who_obeys_and_the_ones_on_cutouts_are_different_people(self) -> None:
        assert not performers().keys() & portraits().keys()


def test_the_bench_lets_pass_who_does_what_is_asked_and_no_cut_out(models_dir: Path, landmarker: Landmarker) -> None:
    finder, embedder = Finder(models.path(models_dir, "finder"), 320), Embedder(models.path(models_dir, "embedding"))
    photo = np.asarray(cv2.imread(str(script.assets("P002") / "studio_portrait.jpg")), np.uint8)
    face = finder.find(photo)[0]
    shown = partial(challenged._attack, attacks.EYES, photo, face, 4)
    assert challenged.challenged(challenged._obedient, challenged.Onlooker(finder, landmarker, embedder), 4).cause == ""
    assert challenged.challenged(shown, challenged.Onlooker(finder, landmarker, embedder), 4).cause in {
        "challenge_timed_out",
        "challenge_wrong",
    }


@pytest.mark.parametrize(
    ("portal", "scene"),
    [
        ({}, "demo"),
        ({"liveness": "challenge"}, "challenge"),
        ({"liveness": "challenge", "strategy": "identify"}, "challenge"),
        ({"liveness": "challenge", "strategy": "claim+compare"}, "claims"),
        ({"liveness": "passive+challenge"}, "demo"),
    ],
)
def test_the_demo_plays_what_shows_it_best(portal: dict[str, str], scene: str) -> None:
    assert _shown_best(portal) == scene


def test_the_demo_says_what_is_asked_and_no_other_advice() -> None:
    console = Console(record=True, file=io.StringIO())
    for slug in ("looking", "challenge_nod", "good"):
        Show(console).event({"event": "told", "presentation": 1, "slug": slug, "sentence": slugs.to_person(slug, "en")})
    assert console.export_text() == "asked: Please nod\n"


TAKEOVERS = """
title = "people who change places"
seconds = 13.0
enrolled = ["P002"]

[[acts]]
name = "a stranger does what an employee was asked to do"
at = 0.9
lasts = 5.2
person = "P002"
substitute = "P005"
substitute_at = 1.9
obeys = true
x = 0.62
expect = "deny:not_recognised"

[[acts]]
name = "an employee stands where a stranger has begun"
at = 7.0
lasts = 5.2
person = "P005"
substitute = "P002"
substitute_at = 1.9
obeys = true
x = 0.38
expect = "deny:liveness_doubtful"
"""


@pytest.mark.slow
async def test_nobody_finishes_what_another_has_begun(models_dir: Path, tmp_path: Path) -> None:
    """The one who does what is asked is believed as the one who does it, and never as the other."""
    scene = tmp_path / "takeovers.toml"
    scene.write_text(TAKEOVERS, encoding="utf-8")
    watch = Watch(models_dir, f"scene:{scene}", policy="challenge", liveness=LivenessSettings(task_within=1.5), embed=True)
    shots: list[Shot] = []
    ended: list[Ended] = []
    async with watch.running() as supervisor:
        opened = (await watch.until(messages.Started)).opened_at
        while not ended or ended[-1].at - opened < 13 + 6.5:
            message = await watch.said.get()
            if isinstance(message, Shot):
                supervisor.tell(messages.Outcome(message.probe.presentation, "final"))
                shots.append(message)
            elif isinstance(message, Ended):
                ended.append(message)
    acts = script.load(str(scene)).acts
    # A little earlier, so that the frame that shows the substitute is surely after it.
    changes = [opened + act.at + act.substitute_at + start - 0.03 for act in acts for start in (0, 13)]
    # Two answers and a return between them take longer. What was begun ends with the change, and not when somebody leaves.
    begun = [each for each in ended for change in changes if each.began_at < change <= each.at]
    assert len(begun) >= 2
    for each in begun:
        assert each.shots == 0
        assert each.liveness.state in {"unchecked", "doubt"}
        assert not any(each.began_at < change < each.at - 1.5 for change in changes)
    embedder = Embedder(models.path(models_dir, "embedding"))
    image = cv2.imread(str(script.assets("P002") / "studio_portrait.jpg"), cv2.IMREAD_REDUCED_COLOR_4)
    assert image is not None
    photo = np.asarray(image, np.uint8)
    employee = embedder.embed(photo, Finder(models.path(models_dir, "finder"), 320).find(photo)[0])
    for shot in shots:
        assert shot.probe.embedding is not None
        if shot.liveness.state == "live":
            assert cosine(employee, shot.probe.embedding) < 0.36


@pytest.mark.slow
def test_who_does_what_is_asked_is_let_in_and_nobody_else() -> None:
    """With all processes: a print, an employee who does it, one who does nothing, and a cutout that can only blink."""
    command = [sys.executable, "-m", "kiosk", "demo", "--liveness", "challenge", "--json"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    result = msgspec.json.decode(done.stdout)
    acts = {act["act"]: act for act in result["acts"]}
    # The first act may have begun before anybody watched.
    assert acts.keys() >= {act.name for act in CHALLENGE.acts[1:]}
    assert {act["outcome"] for act in acts.values()} == {"met"}
    assert "grant:P005" in acts[OBEDIENT.name]["happened"]
    assert (result["wrong_grants"], result["errors"]) == (0, 0)
    assert result["relay_pulses"] == result["grants"] == 1
