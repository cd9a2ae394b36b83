"""`kiosk look` and `kiosk quality report`, run as people run them."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kiosk import slugs
from kiosk.bench.spoiling import Face as Spoilt
from kiosk.bench.spoiling import blur, gamma
from kiosk.capture.soundness import Unsound
from kiosk.domain import Box, Face, Masking, Pose, QualityReport, Told
from kiosk.enrolment.profile import Profile
from kiosk.eye.pool import PhotoPool
from kiosk.look import drawing, page, told
from kiosk.look.gauges import gauges, readings
from kiosk.look.grading import BINS, Graded, reasons_of, summary, worst_first
from kiosk.look.seeing import WISH, Seen, advice
from kiosk.look.show import Show
from kiosk.ports import AnalysedFace, AnalysedPhoto, Dots, Outline
from kiosk.settings import EnrolmentSettings, EyeSettings, QualitySettings
from kiosk.slugs import ADVICE
from kiosk.vision.assessor import load
from kiosk.vision.measures import Signals
from kiosk.vision.pixels import Image, cut, shrink
from kiosk.vision.quality import grade
from tests.eye_stage import Watch
from tests.look_stage import FLAWS, WORN, broken
from tests.vision_stage import encoded, picture, scene

ROOT = Path(__file__).parent.parent


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "kiosk", *map(str, arguments)]


def kiosk(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def photo_file(folder: Path, name: str, image: Image) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encoded(image, file.suffix))
    return file


# What a face is said to be.


def test_everything_is_told_of_every_face(people: Path, tmp_path: Path) -> None:
    two = photo_file(tmp_path, "two.png", scene(*(picture(people, name, "studio_portrait", 600) for name in ("P002", "P008"))))
    done = kiosk("look", two, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (found,) = lines(done.stdout)
    assert (found["source"], found["format"], found["width"], found["height"]) == (str(two), "png", 1280, 720)
    assert len(found["faces"]) == 2
    for face in found["faces"]:
        assert set(face) == {"box", "found", "inter_eye", "pose", "grade", "defects", "advice", "mask", "liveness", "measures"}
        assert set(face["measures"]) == set(grade(Signals(_face(), (9, 9)), QualitySettings()).measures)
        assert (face["grade"], face["defects"], face["mask"]["worn"]) == (4, [], "none")
        assert face["advice"] == {"slug": "good", "sentence": "Thank you, one moment"}
        assert face["measures"]["SingleFacePresent"] < 60


def test_measures_are_taken_whatever_is_wrong(people: Path, tmp_path: Path) -> None:
    dark = np.asarray((picture(people, "P002", "studio_portrait", 600) * 0.15), np.uint8)
    (found,) = lines(kiosk("look", photo_file(tmp_path, "dark.jpg", dark), "--json").stdout)
    (face,) = found["faces"]
    assert "too_dark" in face["defects"]
    assert all(face["measures"][name] is not None for name in ("EyesOpen", "HeadPoseYaw", "Sharpness"))


def test_enrolment_is_stricter_and_turns_photos(people: Path, tmp_path: Path) -> None:
    small = picture(people, "P002", "studio_portrait", 300)
    lying = photo_file(tmp_path, "lying.png", np.ascontiguousarray(np.rot90(small)))
    (lax,) = lines(kiosk("look", lying, "--json").stdout)
    (strict,) = lines(kiosk("look", lying, "--json", "--enrolment", "--draw", tmp_path / "drawn.png").stdout)
    assert (lax["turned"], strict["turned"]) == (0, 90)
    assert "eyes_too_close" in strict["faces"][0]["defects"]
    drawn = cv2.imread(str(tmp_path / "drawn.png"))
    assert drawn is not None
    assert drawn.shape[0] == drawn.shape[1] * lying_shape(lying)


def lying_shape(file: Path) -> float:
    image = cv2.imread(str(file))
    assert image is not None
    return float(image.shape[0] / image.shape[1])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_what_is_drawn_lies_on_the_photo_as_it_was(turns: int) -> None:
    before = np.zeros((40, 100), np.uint8)
    before[5:15, 20:50] = 1
    after = np.rot90(before, -turns)
    rows, columns = np.nonzero(after)
    box = Box(float(columns.min()), float(rows.min()), float(np.ptp(columns)) + 1, float(np.ptp(rows)) + 1)
    seen = msgspec.structs.replace(_seen(), face=msgspec.structs.replace(_face(), box=box, points=((box.x, box.y),) * 5))
    photo = AnalysedPhoto(after.shape[1], after.shape[0], "png", (seen,), turns)
    dots, outline = drawing.shapes_of(photo, QualitySettings())
    assert isinstance(dots, Dots)
    assert isinstance(outline, Outline)
    assert outline.box == Box(20, 5, 30, 10)
    assert set(dots.points) <= {(20.0, 5.0), (50.0, 5.0), (20.0, 15.0), (50.0, 15.0)}
    assert all(line.isascii() for line in outline.lines)


def test_how_alive_a_face_looks_is_told(people: Path) -> None:
    done = kiosk("look", people / "P003" / "assets" / "studio_portrait.jpg")
    assert re.search(r"liveness: \d+ of 100", done.stdout)
    assert "Thank you, one moment" in done.stdout


# What could not be assessed, and bars.


def _face(pose: Pose | None = None) -> Face:
    return Face(Box(100, 100, 120, 150), 0.9, ((130, 150), (190, 150), (160, 180), (140, 210), (180, 210)), pose)


def _seen(report: QualityReport | None = None, pose: Pose | None = None) -> AnalysedFace:
    return AnalysedFace(_face(pose), report or grade(Signals(_face(pose), (640, 480)), QualitySettings()))


def printed(renderable: Any) -> str:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(renderable)
    return console.export_text()


def test_what_is_not_assessed_has_no_bar_and_no_number() -> None:
    text = printed(Show(QualitySettings(), "en").picture(Seen("x.jpg", AnalysedPhoto(640, 480, "jpeg", (_seen(),)))))
    for name in ("sharpness", "brightness", "yaw", "pitch", "roll", "eyes open"):
        assert re.search(rf"{name} +not assessed", text), text
    assert "-1" not in text
    assert re.search(r"EyesOpen +not assessed", text)
    assert "landmarks_missing" in text
    html = "".join(
        page.render(
            "x", [_graded("a.jpg", _seen())], summary([_graded("a.jpg", _seen())], EnrolmentSettings()), EnrolmentSettings(), "en"
        )
    )
    assert html.count("not assessed") >= 12
    values = told.of_face(_seen(), "en")
    assert values["pose"] is None
    assert values["measures"]["EyesOpen"] is None
    assert values["mask"]["sure"] is None


def test_a_bar_shows_value_and_limits() -> None:
    turned = _seen(QualityReport({"Sharpness": 20.0, "Brightness": 50.0}, ("turned_away", "blurred"), 0), Pose(-30, 0, 0))
    text = printed(Show(QualitySettings(), "zh").live(Seen("v4l2:/dev/video0", AnalysedPhoto(640, 480, "frame", (turned,))), "5"))
    assert slugs.to_person("turned_away", "zh") in text
    assert re.search(r"sharpness +━━━─{3}┊─+ 20", text), text
    assert re.search(r"yaw +─{4}━┿━━─+┊─+ -30°", text), text
    assert re.search(r"pitch +─+┊─+━─+┊─+ 0°", text), text


def test_nobody_in_view_and_a_dark_camera_are_told() -> None:
    show = Show(QualitySettings(), "en")
    empty = AnalysedPhoto(640, 480, "frame", ())
    assert slugs.to_operator("no_face") in printed(show.live(Seen("scene:demo", empty), "5"))
    assert slugs.to_operator("camera_dark") in printed(show.live(Seen("scene:demo", empty, "camera_dark"), "5"))


def test_who_comes_in_company_is_told_to_come_alone() -> None:
    two = Seen("scene:demo", AnalysedPhoto(640, 480, "frame", (_seen(), _seen())))
    assert slugs.to_person("several_faces") in printed(Show(QualitySettings(), "en", one_at_a_time=True).live(two, "5"))
    assert slugs.to_person("several_faces") not in printed(Show(QualitySettings(), "en").live(two, "5"))


def test_text_from_outside_is_neither_markup_nor_control() -> None:
    text = printed(
        Show(QualitySettings(), "en").picture(Seen("[bold]\x1b[31m\n.jpg", slug="photo_unreadable", detail="[/x]\x07"))
    )
    assert "[bold]?[31m?.jpg" in text
    assert "[/x]?" in text


@given(st.floats(-1e6, 1e6), st.sampled_from(range(11)))
def test_every_value_has_a_place_on_its_axis(value: float, number: int) -> None:
    gauge = gauges(QualitySettings())[number]
    assert 0 <= gauge.place(value) <= 1
    assert gauge.written(value).rstrip("°px ") != "-0"
    assert all(gauge.allows(limit) for limit in gauge.limits)


def test_gauges_follow_the_settings() -> None:
    by_name = {gauge.name: gauge for gauge in gauges(QualitySettings(min_sharpness=55, max_yaw=12))}
    assert by_name["sharpness"].limits == (55.0,)
    assert by_name["yaw"].limits == (-12.0, 12.0)
    seen = _seen(QualityReport({"Sharpness": 54.0}, (), 3))
    good = {one.gauge.name: one.good for one in readings(seen, QualitySettings(min_sharpness=55))}
    assert (good["sharpness"], good["contrast"]) == (False, None)


# Files that are none.


class _Memory(threading.Thread):
    """The most bytes that a process, and any of its children, ever had."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.own = self.child = 0

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.own = max(self.own, _peak(self._pid))
            self.child = max([self.child, *(_peak(int(child)) for child in _children(self._pid))])

    def stop(self) -> None:
        self._over.set()
        self.join()


def _peak(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return 1024 * int((re.search(r"VmHWM:\s+(\d+)", text) or ["", "0"])[1])


def _children(pid: int) -> list[str]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += file.read_text().split()
        except OSError:
            continue
    return found


def test_no_file_crashes_it_and_each_is_a_result_or_a_clear_error(people: Path, tmp_path: Path) -> None:
    files = broken(tmp_path / "broken", picture(people, "P003", "studio_portrait", 256))
    assert len(files) > 150
    with subprocess.Popen(
        command("look", "--json", "--", *files.values()), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        memory = _Memory(process.pid)
        memory.start()
        out, complaints = process.communicate(timeout=300)
        memory.stop()
    assert (process.returncode, complaints) == (1, "")
    answers = dict(zip(files, lines(out), strict=True))
    said = {name: answer["error"]["slug"] if "error" in answer else "seen" for name, answer in answers.items()}
    assert set(said.values()) == {
        "seen", "image_decode_failed", "image_format_unknown", "image_too_large", "image_too_small", "photo_unreadable",
    }  # fmt: skip
    for answer in answers.values():
        if "error" in answer:
            assert answer["error"]["meaning"] == slugs.to_operator(answer["error"]["slug"])
            assert answer["error"]["detail"]
    assert {said[name] for name in files if name.startswith(("named with", "orientation"))} == {"seen"}
    assert (said["a terabyte"], said["a byte too many"]) == ("image_too_large", "image_too_large")
    for name in ("a folder", "a pipe", "a socket", "a dangling link", "a link to itself", "unreadable", "an endless device"):
        assert said[name] == "photo_unreadable", name
    for name in ("animated gif of 65535 × 65535", "webp of 16384 × 16384", "tiff of 2³¹ × 2³¹", "heic", "avif", "svg", "text"):
        assert said[name] == "image_format_unknown", name
    assert {said[name] for name in ("png of 16 bits with alpha", "png with alpha", "grey jpeg", "cmyk jpeg")} == {"seen"}
    assert 0 < memory.own < 150e6
    assert 0 < memory.child < 1e6 * (EyeSettings().photo_memory_mb + 500)


def test_a_folder_of_such_files_is_reported_on(people: Path, tmp_path: Path) -> None:
    files = broken(tmp_path / "broken", picture(people, "P003", "studio_portrait", 256))
    done = kiosk("quality", "report", tmp_path / "broken", "--json", "--out", tmp_path / "page.html")
    assert (done.returncode, done.stderr) == (1, "")
    (found,) = lines(done.stdout)
    absent = {"a folder", "not there", "under a file", "a name too long", "an endless device", "unreadable"}
    assert sum(found["counts"].values()) == len(files) - len(absent)
    assert {"image_decode_failed", "image_too_large", "image_too_small", "photo_unreadable"} <= set(found["reasons"])
    assert "[bold]x[nothing].jpg" in (tmp_path / "page.html").read_text()


def test_files_with_odd_names_are_told_as_text(people: Path, tmp_path: Path) -> None:
    files = broken(tmp_path / "broken", picture(people, "P003", "studio_portrait", 256))
    done = kiosk("look", "--", *(file for name, file in files.items() if name.startswith(("named", "a ", "un"))))
    assert (done.returncode, done.stderr) == (1, "")
    for words in ("[bold]x[nothing].jpg", "two?lines.jpg", "?[31mred.jpg", "照片.jpg", "image_too_large", "photo_unreadable"):
        assert words in done.stdout, words


def test_a_mistyped_camera_gets_a_hint() -> None:
    done = kiosk("look", "v4l:/dev/video0", "--json")
    assert done.returncode == 1
    assert "did you mean 'v4l2'?" in lines(done.stdout)[0]["error"]["detail"]


@pytest.mark.parametrize(
    "arguments", [(), ("a.jpg", "scene:demo"), ("a.jpg", "--live"), ("a.jpg", "b.jpg", "--draw", "x.png"), ("file:",)]
)
def test_what_makes_no_sense_is_a_mistake_of_use(arguments: Sequence[str]) -> None:
    done = kiosk("look", *arguments)
    assert (done.returncode, "configuration_invalid" in done.stderr) == (78, True)


# Cameras.


def test_a_camera_is_looked_at_for_a_while_and_the_best_is_told(people: Path, tmp_path: Path) -> None:
    photo_file(tmp_path, "dir/1.png", scene())
    photo_file(tmp_path, "dir/2.png", scene(picture(people, "P005", "studio_portrait", 600)))
    done = kiosk("look", f"dir:{tmp_path / 'dir'}", "--json", "--seconds", "3", "--draw", tmp_path / "out.png")
    (found,) = lines(done.stdout)
    assert (done.returncode, found["format"], found["unsound"]) == (0, "frame", None)
    assert [face["grade"] for face in found["faces"]] == [4]
    assert cv2.imread(str(tmp_path / "out.png")) is not None


def test_a_camera_of_the_settings_is_found_by_its_name(people: Path, tmp_path: Path) -> None:
    photo_file(tmp_path, "dir/1.png", scene(picture(people, "P005", "studio_portrait", 600)))
    url, settings = f"dir:{tmp_path / 'dir'}", tmp_path / "kiosk.toml"
    settings.write_text(f'[cameras.back]\nurl = "{url}"\nregion = [0.0, 0.0, 1.0, 0.5]\n[portals.door]\ncamera = "back"\n')
    done = kiosk("look", "back", "--json", "--seconds", "1", "--config", settings)
    (found,) = lines(done.stdout)
    assert (found["source"], found["width"], found["height"]) == (url, 1280, 360)


def test_a_camera_that_is_not_there_is_said_without_its_password() -> None:
    done = kiosk("look", "rtsp://admin:hunter2@127.0.0.1:9/video", "--json")
    assert (done.returncode, lines(done.stdout)[0]["error"]["slug"]) == (1, "camera_missing")
    assert "hunter2" not in done.stdout + done.stderr


@pytest.fixture
def unsound(people: Path, tmp_path: Path) -> Mapping[str, str]:
    """A recording of each fault a camera can have."""
    dice = np.random.default_rng(3)
    person = scene(picture(people, "P005", "studio_portrait", 300), width=640, height=360)
    photo_file(tmp_path, "camera_dark/1.png", np.zeros((360, 640, 3), np.uint8))
    photo_file(tmp_path, "camera_saturated/1.png", np.full((360, 640, 3), 255, np.uint8))
    photo_file(tmp_path, "camera_frozen/1.png", person)
    noisy = [np.asarray(np.clip(person + dice.normal(0, 12, person.shape), 0, 255), np.uint8) for _ in range(24)]
    clips = {"camera_looped": noisy, "camera_flickers": [image // (1 + number % 2) for number, image in enumerate(noisy)]}
    for slug, frames in clips.items():
        writer = cv2.VideoWriter(str(tmp_path / f"{slug}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 15, (640, 360))
        for frame in frames:
            writer.write(frame)
        writer.release()
    folders = {slug: f"dir:{tmp_path / slug}" for slug in ("camera_dark", "camera_saturated", "camera_frozen")}
    return folders | {slug: f"file:{tmp_path / slug}.avi" for slug in clips}


def test_every_fault_of_a_camera_is_told(unsound: Mapping[str, str]) -> None:
    assert set(unsound) == set(get_args(Unsound))
    for slug, url in unsound.items():
        sized = (
            "cameras.front.soundness=always",
            "cameras.front.width=640",
            "cameras.front.height=360",
            f"cameras.front.url={url}",
        )
        done = kiosk("look", "front", "--json", "--seconds", "5", *(word for one in sized for word in ("--set", one)))
        assert done.returncode == 0, done.stderr
        (found,) = lines(done.stdout)
        assert (slug, found["faces"]) == (found["unsound"], [])


def test_live_shows_each_face_until_its_time_is_over(people: Path, tmp_path: Path) -> None:
    photo_file(tmp_path, "dir/1.png", scene(picture(people, "P005", "studio_portrait", 600)))
    url = f"dir:{tmp_path / 'dir'}"
    done = kiosk("look", "--live", url, "--seconds", "1", "--set", "site.language=zh")
    assert (done.returncode, done.stderr) == (0, "")
    assert slugs.to_person("good", "zh") in done.stdout
    assert "sharpness" in done.stdout
    many = lines(kiosk("look", "--live", url, "--seconds", "1", "--json").stdout)
    assert len(many) > 1
    assert {len(one["faces"]) for one in many} == {1}


def test_live_takes_the_first_camera_and_ends_with_ctrl_c(people: Path, tmp_path: Path) -> None:
    photo_file(tmp_path, "dir/1.png", scene(picture(people, "P005", "studio_portrait", 600)))
    words = command("look", "--live", "--json", "--set", f"cameras.front.url=dir:{tmp_path / 'dir'}")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert len(first["faces"]) == 1
    assert (process.returncode, complaints) == (0, "")


# Every slug.


@pytest.fixture(scope="module")
def bare(models_dir: Path, people: Path) -> Spoilt:
    """A good picture of one face, and where its landmarks are."""
    networks = load(models_dir, EyeSettings(landmarker="litert"), (320,), embed=False)
    image = picture(people, "P002", "studio_portrait", 1024)
    (found, *_) = networks.finder.find(image)
    part, _ = cut(image, found.box.grown(0.6))
    part = shrink(part, 160 / found.box.width)
    landmarks = networks.landmarker.locate(part, networks.finder.find(part)[0].box)
    networks.landmarker.close()
    assert landmarks is not None
    return Spoilt("P002", part, landmarks.points)


async def _reports(models_dir: Path, settings: QualitySettings, pictures: Mapping[str, Image]) -> dict[str, AnalysedFace]:
    async with PhotoPool(settings, EyeSettings(), models_dir, 1) as eye:
        photos = {name: await eye.analyse(encoded(image, ".png"), WISH) for name, image in pictures.items()}
    return {name: photo.faces[0] for name, photo in photos.items()}


async def test_every_defect_is_shown_by_a_picture_through_a_real_eye(models_dir: Path, bare: Spoilt) -> None:
    assert set(FLAWS) | {"several_faces", "good", "looking"} == set(ADVICE)
    kinds = {json.dumps(flaw.settings): flaw.settings for flaw in FLAWS.values()}
    for kind in kinds.values():
        pictures = {slug: flaw.make(bare) for slug, flaw in FLAWS.items() if flaw.settings == kind}
        seen = await _reports(models_dir, QualitySettings.model_validate(kind), {**pictures, "good": bare.image})
        assert {
            slug: face.quality.defects for slug, face in seen.items() if slug != "good" and slug not in face.quality.defects
        } == {}
        assert advice(seen["good"]) == ("mask_off" if kind.get("mask") == "required" else "good")


async def test_every_way_to_wear_a_mask_is_shown_by_a_picture(models_dir: Path, bare: Spoilt) -> None:
    assert set(WORN) == set(get_args(Masking))
    seen = await _reports(models_dir, QualitySettings(), {how: make(bare) for how, make in WORN.items()})
    assert {how: face.quality.mask for how, face in seen.items()} == {how: how for how in WORN}


async def test_people_before_a_camera_are_told_the_rest(models_dir: Path, people: Path, tmp_path: Path) -> None:
    two = [picture(people, name, "studio_portrait", 500) for name in ("P002", "P008")]
    photo_file(tmp_path, "1.png", scene(two[0]))
    photo_file(tmp_path, "2.png", scene(*two))
    watch = Watch(models_dir, f"dir:{tmp_path}")
    heard: set[str] = set()
    async with watch.running(), asyncio.timeout(60):
        while not heard >= {"looking", "good", "several_faces"}:
            heard.add((await watch.until(Told)).slug)


# The report on a folder.


def _graded(label: str, *faces: AnalysedFace, slug: str = "") -> Graded:
    photo = None if slug else AnalysedPhoto(640, 480, "jpeg", faces)
    seen = Seen(label, photo, slug)
    return Graded(label, seen, reasons_of(seen, Profile()))


def _good(sharpness: float = 90.0, score: float = 80.0) -> AnalysedFace:
    points = ((100.0, 150.0), (200.0, 150.0), (150.0, 180.0), (120.0, 210.0), (180.0, 210.0))
    face = Face(Box(100, 100, 120, 150), 0.9, points, Pose(1, 2, 3))
    return AnalysedFace(face, QualityReport({"Sharpness": sharpness, "Score": score}, (), 4))


def test_a_summary_counts_every_photo_once() -> None:
    every = [
        _graded("good.jpg", _good()),
        _graded("two.jpg", _good(), _good()),
        _graded("none.jpg"),
        _graded("far.jpg", _seen()),
        _graded("broken.jpg", slug="image_decode_failed"),
        _graded("notes.txt", slug="image_format_unknown"),
    ]
    found = summary(every, EnrolmentSettings())
    assert (found.accepted, found.refused, found.no_pictures, found.photos) == (1, 4, 1, 5)
    assert dict(found.reasons)["no_face"] == 1
    assert dict(found.reasons)["several_faces"] == 1
    assert found.grades == (1, 0, 0, 0, 1)
    for histogram in found.histograms:
        assert len(histogram.counts) == BINS
        assert sum(histogram.counts) + histogram.unknown == 2
    assert [one.label for one in worst_first(every)][-1] == "good.jpg"
    assert "notes.txt" not in [one.label for one in worst_first(every)]


def test_of_two_good_photos_the_worse_comes_first() -> None:
    assert [one.label for one in worst_first([_graded("a", _good(score=90)), _graded("b", _good(score=60))])] == ["b", "a"]


@given(st.lists(st.floats(0, 100), max_size=30))
def test_a_histogram_loses_nothing(values: list[float]) -> None:
    found = summary([_graded(str(number), _good(value)) for number, value in enumerate(values)], EnrolmentSettings())
    sharpness = next(one for one in found.histograms if one.gauge.name == "sharpness")
    assert sum(sharpness.counts) == len(values)
    assert sharpness.outside == sum(value < EnrolmentSettings().min_sharpness for value in values)


class _Page(HTMLParser):
    """What a page would fetch or run, its pictures, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.tags: list[str] = []
        self.pictures: list[str] = []
        self.words: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"] or ""
        for name, value in attrs:
            if name in {"src", "href", "srcset", "action", "data"} or "url(" in (value or ""):
                (self.pictures if (value or "").startswith("data:image/jpeg;base64,") else self.outside).append(value or "")
            assert not name.startswith("on")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def album(people: Path, tmp_path: Path, bare: Spoilt) -> Path:
    folder = tmp_path / "album"
    good = [picture(people, name, "studio_portrait", 700) for name in ("P002", "P005")]
    photo_file(folder, "staff/ann.jpg", good[0])
    photo_file(folder, "staff/<script>alert(1)<.png", good[1])
    photo_file(folder, "staff/lying.png", np.ascontiguousarray(np.rot90(good[1])))
    photo_file(folder, "guests/two.jpg", scene(*good, width=1500))
    photo_file(folder, "guests/wall.jpg", scene())
    photo_file(folder, "guests/blurred.png", blur(bare, 5))
    photo_file(folder, "guests/dark.png", gamma(bare, 5))
    photo_file(folder, "guests/mask.png", WORN["worn"](bare))
    (folder / "guests" / "cut.jpg").write_bytes((folder / "staff" / "ann.jpg").read_bytes()[:5000])
    (folder / "list.csv").write_text("person,name\n")
    (folder / ".hidden").write_text("")
    return folder


def test_a_folder_becomes_a_page_that_needs_nothing_else(album: Path) -> None:
    file = album / "report.html"
    for _ in range(2):  # The second time the page itself lies in the folder.
        done = kiosk("quality", "report", album, "--out", file)
        assert (done.returncode, done.stderr) == (1, ""), done.stderr
        assert "3 of 9 photos would be accepted, 6 refused" in done.stdout
    seen = _Page(file.read_text())
    assert seen.outside == []
    assert len(seen.pictures) == 8
    assert not {"script", "link", "iframe", "object", "form"} & set(seen.tags)
    assert seen.policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    text = " ".join(seen.words)
    assert "staff/<script>alert(1)<.png" in text
    for slug in ("several_faces", "no_face", "blurred", "too_dark", "mask_worn", "image_decode_failed"):
        assert slugs.to_operator(slug) in text, slug
        assert slugs.to_person(slug) in text, slug
    assert "list.csv" in text
    assert ".hidden" not in text
    assert seen.tags.count("svg") >= 12
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_as_json_writes_no_page(album: Path, tmp_path: Path) -> None:
    done = kiosk("quality", "report", album, "--json", cwd=tmp_path)
    (found,) = lines(done.stdout)
    assert found["counts"] == {"accepted": 3, "refused": 6, "no_picture": 1}
    by_name = {photo["source"]: photo for photo in found["photos"]}
    assert [reason["slug"] for reason in by_name["guests/two.jpg"]["reasons"]] == ["several_faces"]
    assert by_name["staff/lying.png"]["outcome"] == "accepted"
    assert by_name["list.csv"]["outcome"] == "no_picture"
    assert [photo["outcome"] for photo in found["photos"]] == ["refused"] * 6 + ["accepted"] * 3 + ["no_picture"]
    assert list(tmp_path.glob("*.html")) == []


def test_good_photos_alone_end_well_in_chinese_too(people: Path, tmp_path: Path) -> None:
    photo_file(tmp_path, "photos/p.jpg", picture(people, "P002", "studio_portrait", 700))
    done = kiosk("quality", "report", "photos", "--set", "site.language=zh", cwd=tmp_path)
    assert done.returncode == 0
    assert '<html lang="zh">' in (tmp_path / "quality-report.html").read_text()


def test_the_page_is_opened_where_that_is_asked(people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/opened"\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(browser))
    photo_file(tmp_path, "photos/p.jpg", picture(people, "P002", "studio_portrait", 700))
    assert kiosk("quality", "report", "photos", "--open", cwd=tmp_path).returncode == 0
    assert (tmp_path / "opened").read_text() == (tmp_path / "quality-report.html").as_uri()


@pytest.mark.parametrize(
    ("name", "slug"), [("empty", "nothing_to_import"), ("gone", "photo_unreadable"), ("file", "photo_unreadable")]
)
def test_where_there_is_nothing_that_is_said(tmp_path: Path, name: str, slug: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    done = kiosk("quality", "report", tmp_path / name)
    assert (done.returncode, done.stderr.startswith(slug)) == (1, True), done.stderr
