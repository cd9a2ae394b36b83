"""`kiosk cloud`: every command against a sandbox process with real photos, and the doctor before real faults."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from typer.testing import CliRunner, Result

from kiosk import check, logs
from kiosk.bench import client as client_bench
from kiosk.cloud import doctor, drawing, tape
from kiosk.cloud.app import cloud
from kiosk.cloud.command import picture
from kiosk.cloud.doctor import Examination
from kiosk.cloud.session import Session
from kiosk.cloud.tape import Replay
from kiosk.configuration import load
from kiosk.domain import Box
from kiosk.errors import ConfigurationError, PhotoRejected, Transient
from kiosk.eye.photos import PhotoEye
from kiosk.ports import Dots, Outline
from kiosk.recognition.build import account_of
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import IaiClient
from kiosk.recognition.tencent.iai.comparing import CompareFace
from kiosk.recognition.tencent.iai.detecting import Detected, FaceInfo, FaceQuality
from kiosk.recognition.tencent.iai.groups import GetGroupInfo
from kiosk.recognition.tencent.iai.interfaces import INTERFACES
from kiosk.settings import EyeSettings, QualitySettings, Settings, TencentIaiSettings, TencentLegacySettings
from kiosk.terminal import plain

KEY_ID, KEY = "AKIDEXAMPLE00000000000000000000000000", "EXAMPLEKEY000000000000000000000000"


@dataclass
class Sandbox:
    """A sandbox process of its own, and the configuration that leads to it."""

    endpoint: str
    config: Path

    def run(self, *arguments: object, code: int = 0, more: tuple[str, ...] = ()) -> Result:
        options = [option for setting in more for option in ("--set", setting)]
        result = CliRunner().invoke(cloud, [*map(str, arguments), "-c", str(self.config), *options])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def with_groups(self, groups: str) -> Sandbox:
        """The same one, but for the groups that are configured."""
        config = self.config.with_name("groups.toml")
        config.write_text(self.config.read_text(encoding="utf-8").replace("['staff']", groups), encoding="utf-8")
        return Sandbox(self.endpoint, config)

    def settings(self, **sections: dict[str, str]) -> Settings:
        return load(self.config, {f"{name}.{key}": value for name, keys in sections.items() for key, value in keys.items()})


@pytest.fixture(autouse=True)
def _the_log_stays_the_tests_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "configure", lambda _: None)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, people: Path) -> Path:
    """Portrait and selfie of the first four people, such as `P001-studio_portrait.jpg`, 800 px long: then tests are quick."""
    folder = tmp_path_factory.mktemp("photos")
    for person in ("P001", "P002", "P003", "P004"):
        for kind in ("studio_portrait", "amateur_selfie"):
            image = cv2.imread(str(people / person / "assets" / f"{kind}.jpg"))
            assert image is not None
            factor = 800 / max(image.shape[:2])
            small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            assert cv2.imwrite(str(folder / f"{person}-{kind}.jpg"), small)
    return folder


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, photos: Path) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("cloud")
    for name, value in (("id", KEY_ID), ("key", KEY)):
        (folder / name).write_text(value, encoding="utf-8")
    site = f"[site]\nmodels_dir = '{models_dir}'\n"
    (folder / "sandbox.toml").write_text(site, encoding="utf-8")
    options = ["--port", "0", "--config", f"{folder}/sandbox.toml", "--secret-id-file", f"{folder}/id"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kiosk", "sandbox", *options, "--secret-key-file", f"{folder}/key"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        endpoint = json.loads(process.stdout.readline())["listening"]
        keys = (
            f"endpoint = '{endpoint}'\nsecret_id_file = '{folder}/id'\nsecret_key_file = '{folder}/key'\ngroup_ids = ['staff']\n"
        )
        config = folder / "kiosk.toml"
        legacy = f"[tencent_legacy]\nappid = '10000001'\nbucket = 'sandbox'\n{keys}deadline = 20\n"
        iai = f"[tencent_iai]\nfallback_endpoint = ''\n{keys}deadline = 20\n"
        config.write_text(site + legacy + iai, encoding="utf-8")
        ready = Sandbox(endpoint, config)
        ready.json("groups", "create", "staff", "--name", "Staff")
        for person, number in (("ann", "P001"), ("bob", "P002")):
            portrait = photos / f"{number}-studio_portrait.jpg"
            ready.json("persons", "create", person, portrait, "-g", "staff", "--name", person.title())
        yield ready
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="module")
def ann(photos: Path) -> Path:
    """Another picture of Ann than the enrolled one."""
    return photos / "P001-amateur_selfie.jpg"


@pytest.fixture(scope="module")
def bob(photos: Path) -> Path:
    return photos / "P002-amateur_selfie.jpg"


# --- faces --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--each-face",)])
def test_search_finds_who_it_is(sandbox: Sandbox, ann: Path, options: tuple[str, ...]) -> None:
    found = sandbox.json("search", ann, "--names", *options)
    first, second = found["answer"]["Results"][0]["Candidates"][:2]
    assert (first["PersonId"], first["PersonName"], second["PersonId"]) == ("ann", "Ann", "bob")
    assert found["threshold"] == 90  # the vendor's table: a false match rate of 1e-4 in a gallery of up to 10,000
    assert found["match"] is (first["Score"] >= 90)


def test_search_by_group_tells_the_groups_apart(sandbox: Sandbox, ann: Path) -> None:
    (face,) = sandbox.json("search", ann, "--by-group")["answer"]["ResultsReturnsByGroup"]
    assert [(group["GroupId"], group["Candidates"][0]["PersonId"]) for group in face["GroupCandidates"]] == [("staff", "ann")]


def test_identify_and_multidentify_ask_the_older_host(sandbox: Sandbox, ann: Path) -> None:
    one = sandbox.json("identify", ann)
    assert (one["interface"], one["threshold"], one["match"]) == ("identify", 80, True)
    assert one["answer"]["candidates"][0]["person_id"] == "ann"
    several = sandbox.json("multidentify", ann, "--group", "staff")
    assert several["answer"]["results"][0]["candidates"][0]["person_id"] == "ann"


@pytest.mark.parametrize(
    ("options", "interface"),
    [
        (("compare",), "CompareFace"),
        (("compare", "--largest"), "CompareFace"),
        (("compare", "--similarity"), "DetectFaceSimilarity"),
        (("compare", "--legacy"), "compare"),
        (("compare-mask",), "CompareMaskFace"),
    ],
)
def test_comparisons_tell_people_apart(
    sandbox: Sandbox, photos: Path, ann: Path, bob: Path, options: tuple[str, ...], interface: str
) -> None:
    portrait = photos / "P001-studio_portrait.jpg"
    same, other = (sandbox.json(*options, portrait, photo) for photo in (ann, bob))
    assert (same["interface"], same["match"], other["match"]) == (interface, True, False)


@pytest.mark.parametrize("options", [(), ("--merged",)])
def test_verify(sandbox: Sandbox, ann: Path, bob: Path, options: tuple[str, ...]) -> None:
    assert sandbox.json("verify", "ann", ann, *options)["answer"]["IsMatch"] is True
    assert sandbox.json("verify", "ann", bob, *options)["answer"]["IsMatch"] is False


def test_where_no_table_covers_the_rate_there_is_no_verdict_but_a_raw_score_helps(sandbox: Sandbox, ann: Path) -> None:
    merged = sandbox.json("verify", "ann", ann, "--merged")
    assert (merged["threshold"], merged["match"]) == (None, None)
    assert "raw score" in merged["because"]
    text = sandbox.run("verify", "ann", ann, "--merged", more=("tencent_iai.threshold=60",)).stdout
    assert re.search(r"match: \S+ against 60 \(tencent_iai.threshold\)", text)


def test_detect_measures_and_draws(sandbox: Sandbox, ann: Path, tmp_path: Path) -> None:
    found = sandbox.json("detect", ann, "--draw", tmp_path / "out.png")
    (face,) = found["answer"]["FaceInfos"]
    assert face["FaceQualityInfo"]["Sharpness"] > 0
    _assert_drawn(tmp_path / "out.png", ann, found["answer"], corner=(face["X"], face["Y"]))


def test_what_was_not_asked_for_is_not_shown(sandbox: Sandbox, ann: Path) -> None:
    (face,) = sandbox.json("detect", ann, "--no-quality", "--no-attributes")["answer"]["FaceInfos"]
    assert (face["FaceQualityInfo"], face["FaceAttributesInfo"]) == (None, None)
    assert "sharpness" not in sandbox.run("detect", ann, "--no-quality").stdout


def test_analyze_draws_ninety_points(sandbox: Sandbox, photos: Path, tmp_path: Path) -> None:
    photo = photos / "P001-studio_portrait.jpg"
    text = sandbox.run("analyze", photo, "--draw", tmp_path / "out.png").stdout
    assert re.search(r"│ 1 │ \d+ × \d+ at \d+, \d+ +│ 90 +│", text)
    found = sandbox.json("analyze", photo)["answer"]
    tip = found["FaceShapeSet"][0]["FaceProfile"][0]
    _assert_drawn(tmp_path / "out.png", photo, found, corner=(tip["X"], tip["Y"]))


def test_a_draw_needs_a_file(sandbox: Sandbox, ann: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no-folder"):
        sandbox.run("detect", ann, "--draw", tmp_path / "no-folder" / "out.png")


def _assert_drawn(file: Path, photo: Path, answer: dict[str, Any], corner: tuple[int, int]) -> None:
    drawn, plain = cv2.imread(str(file)), cv2.imread(str(photo))
    assert drawn is not None
    assert plain is not None
    factor = drawn.shape[1] / answer["ImageWidth"]
    assert drawn.shape[0] == pytest.approx(answer["ImageHeight"] * factor, abs=1)
    assert max(drawn.shape[:2]) <= 1600
    assert max(drawn.shape[:2]) >= 900
    plain = cv2.resize(plain, (drawn.shape[1], drawn.shape[0]), interpolation=cv2.INTER_CUBIC)
    x, y = round(corner[0] * factor), round(corner[1] * factor)
    near = np.s_[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
    assert int(np.abs(drawn[near].astype(int) - plain[near].astype(int)).max()) > 40
    changed = (np.abs(drawn.astype(int) - plain.astype(int)).max(axis=2) > 40).mean()
    assert 0.0005 < changed < 0.2


# --- the library --------------------------------------------------------------------------------------------------------


def test_a_persons_life_in_todays_library(sandbox: Sandbox, photos: Path) -> None:
    portrait, selfie = (photos / f"P003-{kind}.jpg" for kind in ("studio_portrait", "amateur_selfie"))
    for group in ("guests", "night"):
        sandbox.json("groups", "create", group, "--tag", "t", "--field", "badge")
    assert {"guests", "night", "staff"} <= {one["GroupId"] for one in sandbox.json("groups", "list")["answer"]["GroupInfos"]}
    sandbox.json("persons", "create", "cy", portrait, "-g", "guests", "-g", "night", "--gender", "1")
    sandbox.json("persons", "change", "cy", "--name", "Cy 西")
    sandbox.json("persons", "describe", "guests", "cy", "7")
    added = sandbox.json("persons", "add-face", "cy", selfie)["answer"]
    assert added["SucFaceNum"] == 1
    shown = sandbox.json("persons", "show", "cy")["answer"]
    assert (shown["PersonName"], len(shown["FaceIds"])) == ("Cy 西", 2)
    assert "Cy 西" in sandbox.run("persons", "list", "guests").stdout
    assert sandbox.json("persons", "count", "guests")["answer"]["PersonNum"] == 1
    sandbox.json("persons", "delete-face", "cy", added["SucFaceIds"][0])
    sandbox.json("persons", "leave", "cy", "night")
    sandbox.json("persons", "join", "cy", "staff")
    member = sandbox.json("persons", "groups", "cy")["answer"]["PersonGroupInfos"]
    assert {one["GroupId"] for one in member} == {"guests", "staff"}
    sandbox.json("persons", "delete", "cy")
    for group in ("guests", "night"):
        sandbox.json("groups", "delete", group)
    assert sandbox.json("groups", "show", "guests", code=1)["error"]["slug"] == "group_unknown"


def test_a_persons_life_in_the_older_library(sandbox: Sandbox, photos: Path) -> None:
    portrait, selfie = (photos / f"P004-{kind}.jpg" for kind in ("studio_portrait", "amateur_selfie"))
    sandbox.json("persons", "create", "dee", portrait, "-g", "older", "--legacy", "--tag", "vip")
    assert "older" in sandbox.json("groups", "list", "--legacy")["answer"]["group_ids"]
    assert sandbox.json("persons", "list", "older", "--legacy")["answer"]["person_ids"] == ["dee"]
    added = sandbox.json("persons", "add-face", "dee", selfie, "--legacy")["answer"]
    faces = sandbox.json("persons", "faces", "dee")["answer"]["face_ids"]
    assert set(added["face_ids"]) < set(faces)
    assert sandbox.json("persons", "face", faces[0])["interface"] == "getfaceinfo"
    sandbox.json("persons", "delete-face", "dee", added["face_ids"][0], "--legacy")
    sandbox.json("persons", "change", "dee", "--name", "Dee", "--legacy")
    shown = sandbox.json("persons", "show", "dee", "--legacy")["answer"]
    assert (shown["person_name"], shown["tag"], len(shown["face_ids"])) == ("Dee", "vip", 1)
    assert sandbox.json("persons", "delete", "dee", "--legacy")["answer"]["deleted"] == 1


# --- how it fails -------------------------------------------------------------------------------------------------------


def test_an_error_shows_slug_code_and_sentence(sandbox: Sandbox) -> None:
    failed = sandbox.run("persons", "show", "nobody", code=1)
    assert failed.stdout == ""
    first, second, _ = failed.stderr.splitlines()
    assert first == "person_unknown  InvalidParameterValue.PersonIdNotExist"
    assert second.strip() == "the library does not know this person"
    error = sandbox.json("persons", "show", "nobody", "--legacy", code=1)["error"]
    assert (error["slug"], error["code"]) == ("person_unknown", "-1303")


def test_what_exceeds_a_bound_names_the_field(sandbox: Sandbox) -> None:
    error = sandbox.json("persons", "show", "no body", code=1)["error"]
    assert (error["slug"], error["field"]) == ("request_out_of_bounds", "PersonId")


def test_an_unreadable_photo_is_a_mistake_of_usage(sandbox: Sandbox, tmp_path: Path) -> None:
    assert "No such file" in sandbox.run("liveness", tmp_path / "none.jpg", code=2).output


@pytest.mark.parametrize(
    ("arguments", "override", "words"),
    [
        (("persons", "show", "ann"), "tencent_iai.secret_key_file=/nowhere/key", "secret_missing"),
        (("groups", "list", "--legacy"), "tencent_legacy.appid=", "appid is empty"),
    ],
)
def test_a_configuration_that_cannot_work_says_why(
    sandbox: Sandbox, arguments: tuple[str, ...], override: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        sandbox.run(*arguments, more=(override,))


def test_an_address_is_no_photo_to_draw_on() -> None:
    with pytest.raises(ConfigurationError, match="needs a photo in a file"):
        _ = picture("https://example.com/a.jpg").photo


def test_a_search_needs_groups(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="which groups"):
        sandbox.with_groups("[]").run("search", "https://example.com/a.jpg")


def test_the_program_itself_runs_the_commands(sandbox: Sandbox) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "kiosk", "cloud", *arguments], capture_output=True, text=True, check=False)

    counted = run("persons", "count", "staff", "--json", "-c", str(sandbox.config))
    assert json.loads(counted.stdout)["answer"]["PersonNum"] == 2
    refused = run("persons", "count", "nosuch", "-c", str(sandbox.config))
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (1, "group_unknown  InvalidParameterValue.GroupIdNotExist")
    assert run("persons", "count", "staff", "-c", "/nowhere").returncode == ConfigurationError.EXIT_CODE
    assert run("nosuch").returncode == 2


def test_the_commands_load_no_vision() -> None:
    lines = "import sys, kiosk.cloud.app; sys.exit(any(name in sys.modules for name in ('cv2', 'mediapipe', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", lines], check=False).returncode == 0


# --- drawing ------------------------------------------------------------------------------------------------------------


async def test_an_eye_without_models_draws_and_refuses_what_is_no_photo(ann: Path) -> None:
    async with PhotoEye(QualitySettings(), EyeSettings(), Path("/nowhere"), draws_only=True) as eye:
        shapes = (Outline(Box(-50, -50, 9000, 9000), ("text", "ünïcode")), Dots("p", ((0, 0), (5000, 5000)), joined=True))
        png = await eye.draw(ann.read_bytes(), shapes)
        assert png.startswith(b"\x89PNG")
        with pytest.raises(PhotoRejected, match="image_format_unknown"):
            await eye.draw(b"GIF89a", ())


def test_a_crowd_is_numbered_only() -> None:
    faces = [FaceInfo(10 * n, 0, 9, 9, None, FaceQuality(90, 90, 50)) for n in range(7)]
    few, crowd = (Detected(request_id="r", image_width=99, image_height=99, face_infos=some) for some in (faces[:2], faces))
    assert all(len(shape.lines) > 1 for shape in drawing.of_boxes(few) if isinstance(shape, Outline))
    assert [shape.lines for shape in drawing.of_boxes(crowd) if isinstance(shape, Outline)] == [(f"{n}",) for n in range(1, 8)]


def test_a_face_without_extent_is_not_drawn() -> None:
    nothing = Detected(request_id="r", image_width=99, image_height=99, face_infos=[FaceInfo(0, 0, 0, 0)])
    assert drawing.of_boxes(nothing) == []


def test_text_from_outside_cannot_colour_the_screen() -> None:
    assert Text.from_markup(plain("[red]x[/]\x1b[31m")).plain == "[red]x[/]?[31m"


# --- recording ----------------------------------------------------------------------------------------------------------


def test_a_recording_holds_no_key_no_signature_and_no_picture(sandbox: Sandbox, ann: Path, bob: Path, tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    for arguments in (("compare", ann, ann), ("identify", ann), ("compare", "--legacy", ann, bob)):
        sandbox.run("record", file, "--", *arguments)
    result = sandbox.run("record", file, "--", "persons", "show", "nobody", code=1)
    assert "1 exchange added" in result.stderr
    text = file.read_text(encoding="utf-8")
    encoded = base64.b64encode(ann.read_bytes()).decode()
    for secret in (KEY_ID, KEY, encoded[:40], encoded[3000:3040], "Signature="):
        assert secret not in text
    assert len(text) < 10_000
    now, old, _, failed = tape.load(file)
    assert now.headers["Authorization"] == old.headers["Authorization"] == "(hidden)"
    assert now.sent["json"]["ImageA"]["bytes"] == ann.stat().st_size
    assert ["group_id", "staff"] in old.sent["form"]
    assert "PersonIdNotExist" in failed.body


async def test_a_recording_can_be_replayed(sandbox: Sandbox, ann: Path, tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    photo = await asyncio.to_thread(ann.read_bytes)
    settings = sandbox.settings()
    with tape.Tape(file) as recorder:
        async with Session(settings, recorder) as session:
            live = await session.iai(CompareFace(photo, photo))
            with pytest.raises(Exception, match="group_unknown"):
                await session.iai(GetGroupInfo("nosuch"))
    client = IaiClient(Caller([Replay(tape.load(file))]), account_of(settings.tencent_iai))
    assert await client.call(CompareFace(photo, photo), time.monotonic() + 5) == live
    with pytest.raises(Exception, match="group_unknown"):
        await client.call(GetGroupInfo("nosuch"), time.monotonic() + 5)
    with pytest.raises(Transient, match="no such request"):
        await client.call(GetGroupInfo("other"), time.monotonic() + 0.1)


async def test_a_fault_is_recorded_and_replayed(tmp_path: Path) -> None:
    file, free = tmp_path / "tape.jsonl", f"http://127.0.0.1:{_free_port()}"
    with tape.Tape(file) as recorder:
        line = tape.Recording(recorder, free)
        with pytest.raises(Transient, match="cloud_unreachable"):
            await line.exchange("HEAD", "/", deadline=time.monotonic() + 5)
        await line.close()
    with pytest.raises(Transient, match="cloud_unreachable: as recorded"):
        await Replay(tape.load(file)).exchange("HEAD", "/", deadline=time.monotonic() + 5)


@given(st.dictionaries(st.sampled_from(["Image", "ImageA", "imageB", "Images"]), st.binary(min_size=30), min_size=1))
def test_no_picture_survives_whatever_it_holds(pictures: dict[str, bytes]) -> None:
    encoded = {name: base64.b64encode(picture).decode() for name, picture in pictures.items()}
    body = json.dumps({name: [text] if name == "Images" else text for name, text in encoded.items()}).encode()
    kept = json.dumps(tape._without_pictures([("Content-Type", "application/json")], body))
    assert not any(text in kept for text in encoded.values())


def test_an_address_loses_its_query() -> None:
    body = b'{"UrlA": "https://u:p@cos.example/a.jpg?sign=s3cret", "Urls": ["https://cos.example/b.jpg?sign=s3cret"]}'
    kept = tape._without_pictures([("Content-Type", "application/json")], body)["json"]
    assert kept == {"UrlA": "https://cos.example/a.jpg", "Urls": ["https://cos.example/b.jpg"]}


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tape").write_bytes(b"{}\n")
    with pytest.raises(ConfigurationError, match="is no recording"):
        tape.load(tmp_path / "tape")
    with pytest.raises(ConfigurationError, match="configuration_missing"):
        tape.load(tmp_path / "none")


# --- the doctor ---------------------------------------------------------------------------------------------------------


def _states(found: Examination) -> dict[str, str]:
    return {step.name: step.state for step in found.steps}


async def _examine(
    settings: Settings, section: TencentIaiSettings | TencentLegacySettings, wall: Callable[[], float] = time.time
) -> Examination:
    async with Session(settings) as session:
        return await doctor.examine(session, section, wall)


def test_a_healthy_way_on_one_screen(sandbox: Sandbox) -> None:
    text = sandbox.run("doctor").stdout
    assert "failed" not in text
    assert len(text.splitlines()) <= 24
    for words in ("today's interfaces", "the older host", "agrees with the server's", "accepted", "in service"):
        assert words in text


def test_the_doctor_speaks_json_and_exits_with_its_finding(sandbox: Sandbox) -> None:
    now, _ = sandbox.with_groups("['staff', 'nosuch']").json("doctor", code=1)
    assert now["steps"][-1] == {
        "name": "groups",
        "state": "failed",
        "found": "not in this account: nosuch",
        "milliseconds": None,
    }
    assert "groups create" in now["advice"]


async def test_nothing_listens(sandbox: Sandbox) -> None:
    settings = sandbox.settings(tencent_iai={"endpoint": f"http://127.0.0.1:{_free_port()}"})
    found = await _examine(settings, settings.tencent_iai)
    assert _states(found) == {"dns": "ok", "tcp": "failed"}
    assert "firewall" in found.advice


async def test_a_name_that_does_not_exist(sandbox: Sandbox) -> None:
    settings = sandbox.settings(tencent_iai={"endpoint": "https://no-such-host.invalid", "deadline": "30"})
    assert _states(await _examine(settings, settings.tencent_iai)) == {"dns": "failed"}


@pytest.mark.parametrize("host", ["tencent_iai", "tencent_legacy"])
async def test_a_wrong_key(sandbox: Sandbox, tmp_path: Path, host: str) -> None:
    (tmp_path / "key").write_text("ANOTHERKEY0000000000000000", encoding="utf-8")
    settings = sandbox.settings(**{host: {"secret_key_file": str(tmp_path / "key")}})
    found = await _examine(settings, getattr(settings, host))
    assert {"http": "ok", "clock": "ok", "signature": "failed"}.items() <= _states(found).items()
    assert "SecretKey" in found.advice
    assert not found.healthy


async def test_no_key_at_all(sandbox: Sandbox) -> None:
    settings = sandbox.settings(tencent_iai={"secret_key_file": "/nowhere/key"})
    found = await _examine(settings, settings.tencent_iai)
    assert _states(found) == {"dns": "ok", "tcp": "ok", "tls": "skipped", "keys": "failed"}


@pytest.mark.parametrize("host", ["tencent_iai", "tencent_legacy"])
@pytest.mark.parametrize("minutes", [-10, 10])
async def test_a_clock_ten_minutes_off_is_all_that_is_wrong(sandbox: Sandbox, host: str, minutes: int) -> None:
    settings = sandbox.settings()
    found = await _examine(settings, getattr(settings, host), lambda: time.time() + 60 * minutes)
    assert {"clock": "failed", "signature": "ok", "account": "ok"}.items() <= _states(found).items()
    (clock,) = (step for step in found.steps if step.name == "clock")
    seconds = int(re.findall(r"is (\d+) s", clock.found)[0])
    assert abs(seconds - 600) < 5
    assert ("behind" if minutes < 0 else "ahead of") in clock.found
    assert "timedatectl" in found.advice


IN_ARREARS = b'{"Response":{"Error":{"Code":"ResourceUnavailable.InArrears","Message":"arrears"},"RequestId":"r"}}'


def _http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    ("answer", "states", "words"),
    [
        (_http("200 OK", b"<html>log in</html>", "Content-Type: text/html"), {"http": "failed"}, "HTTP 200 with a web page"),
        (_http("302 Found", b"", "Location: http://portal/"), {"http": "failed"}, "HTTP 302 with something else"),
        (b"", {"http": "failed"}, "disconnected"),
        (
            _http("200 OK", IN_ARREARS),
            {"http": "ok", "clock": "skipped", "signature": "ok", "account": "failed"},
            "top up",
        ),
    ],
)
async def test_what_answers_is_told_from_the_vendor(sandbox: Sandbox, answer: bytes, states: dict[str, str], words: str) -> None:
    async with _stub(answer) as endpoint:
        settings = sandbox.settings(tencent_iai={"endpoint": endpoint})
        found = await _examine(settings, settings.tencent_iai)
    assert _states(found) == {"dns": "ok", "tcp": "ok", "tls": "skipped"} | states
    assert words in found.steps[-1].found
    assert ("portal" in found.advice) is (found.steps[-1].name == "http")


async def test_tls_that_is_none(sandbox: Sandbox) -> None:
    async with _stub(_http("400 Bad Request")) as endpoint:
        settings = sandbox.settings(tencent_iai={"endpoint": endpoint.replace("http:", "https:")})
        found = await _examine(settings, settings.tencent_iai)
    assert _states(found) == {"dns": "ok", "tcp": "ok", "tls": "failed"}


async def test_a_certificate_must_be_trusted(sandbox: Sandbox, tmp_path: Path) -> None:
    certificate = tmp_path / "server.pem"
    _issue(certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with _stub(_http("200 OK", IN_ARREARS), tls) as endpoint:
        settings = sandbox.settings(tencent_iai={"endpoint": endpoint})
        doubted = await _examine(settings, settings.tencent_iai)
        settings = sandbox.settings(tencent_iai={"endpoint": endpoint, "ca_file": str(certificate)})
        trusted = await _examine(settings, settings.tencent_iai)
    assert _states(doubted) == {"dns": "ok", "tcp": "ok", "tls": "failed"}
    assert doubted.steps[-1].found.startswith("certificate refused: self")
    assert {"tls": "ok", "account": "failed"}.items() <= _states(trusted).items()
    assert "good for 1 days" in next(step.found for step in trusted.steps if step.name == "tls")


def _issue(certificate: Path) -> None:
    """Good for two days, for this machine."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(certificate), "-out", "-"]
    made = subprocess.run([*openssl, *names], check=True, capture_output=True)
    certificate.write_bytes(certificate.read_bytes() + made.stdout)


@asynccontextmanager
async def _stub(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Gives every connection the same bytes once something was sent, then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(65_536):
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# --- around it ----------------------------------------------------------------------------------------------------------


def test_check_names_a_successor_that_exists_for_every_older_interface() -> None:
    for older, today in check.SUCCESSORS.items():
        named = [word for word in re.findall(r"[A-Z]\w+", today) if word in INTERFACES]
        assert named, older
    assert len(check.SUCCESSORS) == 13


async def test_the_benchmark_of_the_clients_measures_both() -> None:
    async with client_bench._server() as port, client_bench._our_call(port) as ours:
        rows = await client_bench._compare(60_000, 25, ours, client_bench._their_call(port))
    assert [row["client"] for row in rows] == ["ours", "vendor's"]
    assert all(row["median_us"] > 0 and row["p99_us"] >= row["median_us"] for row in rows)
