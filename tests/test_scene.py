"""The scripted hall: its script, its motion and its pictures."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from kiosk.capture import cutout, motion, script
from kiosk.capture.frame import Image
from kiosk.capture.scene import Stage
from kiosk.capture.source import open_source
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings

DEMO = script.load("demo")
ONE_ACT = """
title = "one"
seconds = 4.0
enrolled = ["P002"]

[[acts]]
name = "somebody"
at = 1.0
lasts = 2.4
person = "P002"
expect = "grant:P002"
"""


@pytest.fixture
def one_act(tmp_path: Path) -> Path:
    path = tmp_path / "one.toml"
    path.write_text(ONE_ACT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(DEMO, 640, 360)


def act_named(part: str) -> script.Act:
    return next(act for act in DEMO.acts if part in act.name)


def difference(a: Image, b: Image) -> float:
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())


class TestScript:
    def test_the_demo_shows_grants_and_every_kind_of_refusal(self) -> None:
        expected = [act.expect for act in DEMO.acts]
        assert {"grant:P002", "grant:P003", "grant:P006", "grant:P008"} <= set(expected)
        refusals = {slug for act in DEMO.acts for slug in act.refused}
        assert refusals == {"not_recognised", "face_too_small", "blurred", "turned_away", "several_faces"}
        assert DEMO.seconds <= 30

    def test_the_demo_leaves_the_hall_empty_between_acts(self) -> None:
        gaps = [later.at - earlier.ends for earlier, later in itertools.pairwise(DEMO.acts)]
        gaps.append(DEMO.seconds - DEMO.acts[-1].ends + DEMO.acts[0].at)
        assert min(gaps) >= 0.9 - 1e-9

    def test_every_scene_of_the_package_is_one(self) -> None:
        for name in script.PACKAGED:
            assert script.load(name).enrolled

    def test_what_somebody_shows_hides_their_face_and_nothing_else(self) -> None:
        attack = script.load("attack")
        act = next(act for act in attack.acts if act.shows)
        alone = structs.replace(act, shows=None)
        with_it, without = (Stage(structs.replace(attack, acts=(one,)), 640, 360).render(act.at + 1.8, 1) for one in (act, alone))
        changed = np.abs(with_it.astype(np.int16) - without).max(axis=2) > 20
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert 0.3 * 360 < rows[-1] - rows[0] < 0.75 * 360
        assert 0.15 * 640 < columns[-1] - columns[0] < 0.35 * 640

    def test_strangers_are_not_enrolled(self) -> None:
        for act in DEMO.acts:
            assert ("not_recognised" in act.refused) == (act.person not in DEMO.enrolled)

    def test_reading_it_needs_neither_opencv_nor_numpy(self) -> None:
        code = (
            "import sys; from kiosk.capture.script import load; load('demo'); "
            "sys.exit(','.join({'cv2', 'numpy'} & set(sys.modules)) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")

    @given(st.floats(0, 1000))
    def test_acts_are_in_view_from_at_until_they_end_in_every_round(self, t: float) -> None:
        now = t % DEMO.seconds
        assert DEMO.acts_at(t) == [act for act in DEMO.acts if act.at <= now < act.at + act.lasts]
        assert len(DEMO.acts_at(t)) <= 1

    def test_the_next_act_after_the_last_is_the_first(self) -> None:
        assert DEMO.next_act(0) == DEMO.acts[0]
        assert DEMO.next_act(DEMO.acts[0].at + 0.1) == DEMO.acts[1]
        assert DEMO.next_act(DEMO.acts[-1].ends) == DEMO.acts[0]

    def test_acts_are_put_in_order(self, one_act: Path) -> None:
        first = ONE_ACT[ONE_ACT.index("[[acts]]") :].replace("1.0", "0.0").replace("2.4", "1.0").replace("somebody", "early")
        one_act.write_text(ONE_ACT + first, encoding="utf-8")
        assert [act.name for act in script.load(str(one_act)).acts] == ["early", "somebody"]

    @pytest.mark.parametrize("name", script.PACKAGED)
    def test_every_scene_leaves_the_hall_empty_between_acts(self, name: str) -> None:
        scene = script.load(name)
        gaps = [later.at - earlier.ends for earlier, later in itertools.pairwise(scene.acts)]
        assert min(*gaps, scene.seconds - scene.acts[-1].ends + scene.acts[0].at) >= 0.8

    def test_strategies_are_shown_with_masks(self) -> None:
        for name in ("masked", "claims", "crowd"):
            assert any(act.masked for act in script.load(name).acts)

    @pytest.mark.parametrize(
        ("right", "wrong", "told"),
        [
            ("lasts = 2.4", "lats = 2.4", "`lats`.*`lasts`"),
            ("seconds = 4.0", "second = 4.0", "`second`.*`seconds`"),
            ("at = 1.0", 'at = "soon"', r"float.*acts\[0\]\.at"),
            ("at = 1.0", "at = 2.0", r"acts\[0\] \(somebody\): `at` \+ `lasts` is 4.4.*4"),
            ('person = "P002"', 'person = "Ann"', r"acts\[0\]\.person"),
            ('person = "P002"', "", "`person`"),
            ('person = "P002"', 'person = "P003"', "grants `P002`.*`person`"),
            ('enrolled = ["P002"]', "enrolled = []", "grants `P002`.*`enrolled`"),
            ("grant:P002", "deny:blured", "`blured`.*`blurred`"),
            ('person = "P002"', 'person = "P002"\nmasked = ["P003"]', "`P003`, who does not come along"),
            ('person = "P002"', 'person = "P002"\nmasked = ["P001"]\nwith = "P001"', "`P001` wears a mask; P002, P003"),
            ("grant:P002", "wave", r"acts\[0\]\.expect"),
            ("seconds = 4.0", "seconds = ", "not TOML"),
        ],
    )
    def test_a_mistake_is_named_with_what_is_right(self, one_act: Path, right: str, wrong: str, told: str) -> None:
        assert right in ONE_ACT
        one_act.write_text(ONE_ACT.replace(right, wrong, 1), encoding="utf-8")
        with pytest.raises(CameraError, match=f"source_invalid: .*{told}"):
            script.load(str(one_act))

    def test_a_missing_script_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match=r"camera_missing: .*scene:demo"):
            script.load(str(tmp_path / "none.toml"))


class TestMotion:
    @pytest.mark.parametrize("act", DEMO.acts, ids=lambda act: act.name)
    def test_nobody_jumps(self, act: script.Act) -> None:
        """From frame to frame a face moves by less than its own size, so that it can be followed."""
        times = np.arange(0, act.lasts, 1 / 15)
        for earlier, later in itertools.pairwise(times):
            for a, b in zip(motion.places(act, earlier), motion.places(act, later), strict=True):
                wide = min(a.face, b.face) * 9 / 16 * 0.75
                assert abs(a.x - b.x) < 0.75 * wide
                assert 0.7 < a.face / b.face < 1.4

    @pytest.mark.parametrize("act", DEMO.acts, ids=lambda act: act.name)
    def test_those_who_approach_stand_where_the_script_says(self, act: script.Act) -> None:
        for place, x in zip(motion.places(act, act.lasts / 2), [act.x] if act.beside is None else [0.33, 0.67], strict=True):
            assert place.face == pytest.approx(act.face, rel=0.01)
            assert place.x == pytest.approx(x, abs=0.1 if act.move == "across" else 0.01)
            assert place.seen_through == motion.HALL

    @given(st.floats(0, 2.4, exclude_max=True))
    def test_who_is_too_far_away_never_comes_near(self, t: float) -> None:
        act = act_named("too far")
        assert all(place.face * 720 * 0.75 < 60 for place in motion.places(act, t))

    @pytest.mark.parametrize("act", DEMO.acts, ids=lambda act: act.name)
    def test_everybody_is_out_of_view_in_the_end(self, act: script.Act) -> None:
        for place in motion.places(act, act.lasts - 0.001):
            left, _, right, _ = place.seen_through
            shut = right - left < 0.01
            assert shut or place.x < left - 0.1 or place.x > right + 0.1


class TestPictures:
    def test_the_empty_hall_is_still_but_for_noise(self, stage: Stage) -> None:
        empty = [stage.render(t, grain) for grain, t in enumerate((0.2, 3.6, 30.1, 6.9))]
        for picture in empty[1:]:
            assert 0 < difference(empty[0], picture) < 1.5

    def test_no_two_frames_are_equal(self, stage: Stage) -> None:
        frames = {stage.render(2.0 + grain / 30, grain).tobytes() for grain in range(30)}
        assert len(frames) == 30

    def test_the_same_moment_and_grain_give_the_same_picture(self, stage: Stage) -> None:
        assert np.array_equal(stage.render(5.0, 3), stage.render(5.0, 3))

    @pytest.mark.parametrize("act", DEMO.acts, ids=lambda act: act.name)
    def test_an_act_is_seen_where_it_is_and_only_there(self, stage: Stage, act: script.Act) -> None:
        hall = stage.render(0.2, 1)
        picture = stage.render(act.at + act.lasts / 2, 1)
        for place in motion.places(act, act.lasts / 2):
            x, y, reach = round(place.x * 640), round(place.y * 360), round(place.face * 360 / 4)
            where = np.s_[y - reach : y + reach, x - reach : x + reach]
            assert difference(hall[where], picture[where]) > 25
        assert difference(hall[:, :40], picture[:, :40]) == 0

    def test_nobody_is_seen_right_before_and_after_an_act(self, stage: Stage) -> None:
        hall = stage.render(0.2, 1)
        for act in DEMO.acts:
            assert difference(hall, stage.render(act.at - 0.01, 1)) == 0
            assert difference(hall, stage.render(act.ends - 0.001, 1)) < 0.3

    def test_a_blurred_person_is_less_sharp(self, stage: Stage) -> None:
        sharp, blurred = act_named("an employee"), act_named("out of focus")
        assert sharp.person == blurred.person
        bends = [
            float(np.abs(np.diff(face.astype(int), 2, axis=1)).mean())
            for face in (stage.render(act.at + 1.2, 1)[100:160, 290:350] for act in (sharp, blurred))
        ]
        assert bends[1] < bends[0] / 3

    def test_brightness_is_a_factor(self, one_act: Path) -> None:
        faces = []
        for factor in ("0.4", "1.0"):
            one_act.write_text(ONE_ACT + f"brightness = {factor}\n", encoding="utf-8")
            faces.append(Stage(script.load(str(one_act)), 640, 360).render(2.2, 1)[110:150, 300:340].mean())
        assert faces[0] == pytest.approx(0.4 * faces[1], rel=0.1)


class TestCutOut:
    def test_the_background_goes_and_the_person_stays(self) -> None:
        y, x = np.mgrid[0:400, 0:300]
        person = (x - 150) ** 2 + ((y - 200) / 1.6) ** 2 < 80**2
        picture = np.repeat((110 + y[..., None] / 20 + (x[..., None] - 150) ** 2 / 2500).astype(np.uint8), 3, axis=2)
        picture[person] = (60, 90, 180)
        sprite, where = cutout._cut(picture)
        assert list(where) == pytest.approx([70, 72], abs=4)
        high, wide = sprite.shape[:2]
        assert high == pytest.approx(256, abs=6)
        assert wide == pytest.approx(160, abs=6)
        assert sprite[high // 2, wide // 2].tolist() == [60, 90, 180, 0]
        for corner in (sprite[0, 0], sprite[0, -1], sprite[-1, 0], sprite[-1, -1]):
            assert corner.tolist() == [0, 0, 0, 255]

    def test_colour_never_exceeds_coverage(self) -> None:
        for act in DEMO.acts:
            for level in cutout.cut_out(act, act.person, 360).levels:
                assert (level.pixels[..., :3].max(axis=2).astype(int) + level.pixels[..., 3] <= 258).all()

    def test_without_the_pictures_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(script, "find_spec", lambda _: None)
        with pytest.raises(CameraError, match=r"source_invalid: .*install kiosk\[demo\]"):
            Stage(DEMO, 320, 180)

    def test_a_person_who_is_not_there_is_named(self, one_act: Path) -> None:
        one_act.write_text(ONE_ACT.replace("P002", "P999"), encoding="utf-8")
        with pytest.raises(CameraError, match=r"source_invalid: .*P999"):
            open_source("front", CameraSettings(url=f"scene:{one_act}", width=320, height=180))


class TestSceneCamera:
    def test_it_goes_on_where_it_would_be_now(self) -> None:
        settings = CameraSettings(url="scene:demo", width=320, height=180, fps=15)
        origin = time.monotonic() - 61.8
        source = open_source("front", settings, origin)
        shown = source.read()
        following = source.read()
        source.close()
        assert source.opened_at == origin
        assert shown.sequence >= 61.8 * 15 - 1
        assert shown.captured_at == pytest.approx(origin + shown.sequence / 15)
        assert following.sequence > shown.sequence
        expected = Stage(DEMO, 320, 180).render(shown.sequence / 15, shown.sequence)
        assert np.array_equal(shown.image, expected)
        assert shown.image.shape == (180, 320, 3)

    def test_without_loop_it_ends(self, one_act: Path) -> None:
        settings = CameraSettings(url=f"scene:{one_act}", width=320, height=180, loop=False)
        with pytest.raises(CameraError, match=r"source_ended: .*4 s"):
            open_source("front", settings, time.monotonic() - 4.01).read()


class TestCurtain:
    """Scenes that begin when they are told to, and are played once."""

    def test_the_hall_is_empty_before_and_after(self, one_act: Path, tmp_path: Path) -> None:
        curtain = tmp_path / "curtain"
        settings = CameraSettings(url=f"scene:{one_act}?curtain={curtain}", width=320, height=180, fps=30)
        source = open_source("front", settings)
        empty = source.read().image
        curtain.write_text(repr(time.monotonic() - 2.2))
        somebody = source.read().image
        source.close()
        curtain.write_text(repr(time.monotonic() - 5.0))
        late = open_source("front", settings)
        after = late.read().image
        late.close()
        assert difference(empty, somebody) > 5
        assert difference(empty, after) < 1.5

    def test_several_show_the_same_moment(self, one_act: Path, tmp_path: Path) -> None:
        curtain = tmp_path / "curtain"
        curtain.write_text(repr(time.monotonic() - 2.0))
        settings = CameraSettings(url=f"scene:{one_act}?curtain={curtain}", width=320, height=180)
        begun = float(curtain.read_text())
        for name in ("one", "other"):
            source = open_source(name, settings)
            frame = source.read()
            source.close()
            expected = Stage(script.load(str(one_act)), 320, 180).render(frame.captured_at - begun, frame.sequence)
            assert np.array_equal(frame.image, expected)

    def test_what_holds_no_time_is_refused(self, one_act: Path, tmp_path: Path) -> None:
        (tmp_path / "curtain").write_text("soon")
        source = open_source("front", CameraSettings(url=f"scene:{one_act}?curtain={tmp_path}/curtain", width=320, height=180))
        with pytest.raises(CameraError, match=r"source_invalid: .*holds no time"):
            source.read()
        source.close()


def test_what_depends_on_the_hour_is_expected_of_the_hour(one_act: Path) -> None:
    one_act.write_text(ONE_ACT + 'while_open = "office"\n', encoding="utf-8")
    scene = script.load(str(one_act))
    assert scene.during(["office", "night"]) == scene
    (closed,) = scene.during(["night"]).acts
    assert (closed.granted, closed.refused) == ((), ("no_rule_matched",))
    assert DEMO.during([]) == DEMO


class TestMasks:
    @pytest.mark.parametrize("person", sorted(script.mask_places()))
    def test_a_mask_covers_mouth_and_chin_and_leaves_eyes_and_hair(self, person: str) -> None:
        bare = script.Act("walks up", 0.0, 2.4, person, "deny:not_recognised")
        one, other = (cutout.cut_out(act, person, 360).levels[0] for act in (bare, structs.replace(bare, masked=(person,))))
        changed = np.abs(one.pixels[..., :3].astype(int) - other.pixels[..., :3].astype(int)).max(axis=2) > 0
        rows = np.flatnonzero(changed.any(axis=1))
        face = bare.face * 360
        assert one.anchor[1] - 0.2 * face < rows[0] < one.anchor[1] + 0.15 * face
        assert one.anchor[1] + 0.35 * face < rows[-1] < one.anchor[1] + 0.75 * face

    def test_three_stand_apart(self) -> None:
        act = next(act for act in script.load("crowd").acts if len(act.people) == 3)
        left, middle, right = (place.x for place in motion.places(act, act.lasts / 2))
        assert middle == pytest.approx(0.5, abs=0.02)
        assert right - middle == pytest.approx(middle - left, abs=0.02)
        assert right - middle > 0.2
