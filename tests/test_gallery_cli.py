"""`kiosk gallery`: every command on real files with a real eye, and an import that is killed."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from kiosk.enrolment.app import app
from kiosk.errors import ConfigurationError
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile

ALL = 1000
PEOPLE = ("P002", "P003", "P005")
CONFIG = """
[site]
name = "lab"
state_dir = "{state}"
[log]
level = "warning"
[on_device]
keep_photos = true
false_match_rate = 1e-3
"""


@dataclass
class Box:
    """A gallery of its own, and the commands on it."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "kiosk.toml"

    @property
    def file(self) -> Path:
        return self.folder / "state" / "gallery.sqlite"

    @property
    def key(self) -> Path:
        return self.folder / "state" / "gallery-key"

    def search(self, *groups: str) -> None:
        """Has the door search these groups."""
        with self.config.open("a", encoding="utf-8") as stream:
            stream.write(f"group_ids = {list(groups)}\n")

    def run(self, *arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [*map(str, arguments), "-c", str(self.config)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "kiosk", "gallery", *map(str, arguments), "-c", str(self.config)]

    def process(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120, check=False)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Gallery]:
        with Gallery.open(self.file, KeyFile(Path("gallery-key"), self.file.parent)) as gallery:
            yield gallery


def new_box(folder: Path) -> Box:
    folder.mkdir(parents=True, exist_ok=True)
    box = Box(folder)
    box.config.write_text(CONFIG.format(state=folder / "state"), encoding="utf-8")
    return box


@pytest.fixture
def empty(tmp_path: Path) -> Box:
    return new_box(tmp_path / "empty")


@pytest.fixture(scope="module")
def photos(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each of three people, with one photo in each that is out of place."""
    folder = tmp_path_factory.mktemp("photos")
    for person in PEOPLE:
        (folder / person).mkdir()
        for name in ("studio_portrait", "amateur_selfie"):
            shutil.copy(people / person / "assets" / f"{name}.jpg", folder / person)
    shutil.copy(people / "P003" / "assets" / "studio_posture.jpg", folder / "P002" / "a_wrong_one.jpg")
    shutil.copy(people / "P002" / "assets" / "emotions_sheet.jpg", folder / "P003")
    (folder / "P005" / "notes.txt").write_text("no photo")
    shutil.copy(people / "P002" / "assets" / "amateur_posture.jpg", folder / "again.jpg")
    return folder


@pytest.fixture(scope="module")
def imported(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a box into which they were imported, and what the command said."""
    box = new_box(tmp_path_factory.mktemp("imported"))
    listed = box.folder / "people.csv"
    listed.write_text("person,name,consent,groups\nP002,张三,no,staff night\nP003,Zoë <Q>,,\nP009,Nobody,,\n", encoding="utf-8")
    said = box.json("import", photos, "--people", listed, "--report", box.folder / "report.html", code=1)
    return box.folder, said


@pytest.fixture
def box(imported: tuple[Path, dict[str, Any]], tmp_path: Path) -> Box:
    """A copy of it."""
    box = new_box(tmp_path / "box")
    shutil.copytree(imported[0] / "state", box.folder / "state")
    return box


def _rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))


def synthetic(file: Path, count: int, prefix: str = "S", seed: int = 1) -> Path:
    vectors = np.random.default_rng(seed).normal(size=(count, 128)).astype(np.float32)
    np.savez(file, persons=[f"{prefix}{number:04d}" for number in range(count)], embeddings=vectors)
    return file


# Making one


def test_init_makes_gallery_and_key_and_says_where(empty: Box) -> None:
    said = empty.run("init")
    assert str(empty.file) in said.stdout
    assert str(empty.key) in said.stderr
    assert "keep a copy of the key" in said.stderr
    assert [path.stat().st_mode & 0o777 for path in (empty.file, empty.key)] == [0o600, 0o600]
    again = empty.run("init")
    assert "0 persons" in again.stdout
    assert again.stderr == ""


def test_without_a_gallery_a_question_makes_none(empty: Box) -> None:
    assert empty.json("list", code=1)["error"]["slug"] == "gallery_missing"
    assert not empty.file.parent.exists()


def test_a_gallery_without_its_key_gets_no_new_one(box: Box, photos: Path) -> None:
    box.key.unlink()
    assert box.json("list", code=1)["error"]["slug"] == "gallery_key_missing"
    assert box.json("import", photos, code=1)["error"]["slug"] == "gallery_key_missing"
    assert not box.key.exists()


def test_mistakes_end_with_their_exit_codes(empty: Box) -> None:
    empty.search("staff", "night")
    several = empty.process("enrol", "ann", "ann.jpg")
    assert (several.returncode, "which of the groups staff, night" in several.stderr) == (78, True)
    assert empty.process("list").returncode == 1
    for refused in (("export", "people.pdf"), ("list", "--set", "on_device.margin=x")):
        with pytest.raises(ConfigurationError):
            empty.run(*refused)
    assert "give a folder of photos" in empty.run("import", code=2).stderr


# Importing and enrolling


def test_an_import_says_what_became_of_everybody(imported: tuple[Path, dict[str, Any]]) -> None:
    _, said = imported
    wanted = {"persons": 4, "new": 3, "not_enrolled": 1, "taken": 6, "skipped": 0, "refused": 4}
    assert said["counts"] | wanted == said["counts"]
    assert said["not_enrolled"] == ["again"]
    assert said["without_photos"] == ["P009"]
    refused = {row["photo"]: row["reasons"] for row in said["noteworthy"] if row["outcome"] == "refused"}
    assert refused == {
        "P002/a_wrong_one.jpg": ["unlike_the_others"],
        "P003/emotions_sheet.jpg": ["several_faces"],
        "P005/notes.txt": ["image_format_unknown"],
        "again.jpg": ["enrolled_as_another"],
    }


def test_importing_again_changes_nothing(box: Box, photos: Path) -> None:
    before = box.json("list")
    said = box.run("import", photos, "--report", box.folder / "r.csv", code=1)
    assert "unchanged" in said.stdout
    rows = _rows(box.folder / "r.csv")
    assert [row["outcome"] for row in rows].count("skipped") == 6
    assert [row["outcome"] for row in rows].count("taken") == 0
    assert box.json("list") == before


def test_a_report_of_an_import_is_a_page(imported: tuple[Path, dict[str, Any]]) -> None:
    page = (imported[0] / "report.html").read_text(encoding="utf-8")
    assert "P002/a_wrong_one.jpg" in page
    assert "not the person of the other photos" in page
    assert (imported[0] / "report.html").stat().st_mode & 0o777 == 0o600


def test_enrolling_takes_good_photos_and_says_why_it_refuses_others(empty: Box, people: Path, tmp_path: Path) -> None:
    portrait = people / "P002" / "assets" / "studio_portrait.jpg"
    picture = cv2.imread(str(portrait))
    assert picture is not None
    cv2.imwrite(str(tmp_path / "dark.jpg"), (picture * 0.15).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "far.jpg"), cv2.resize(picture, (300, 300), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(tmp_path / "wall.jpg"), np.full((400, 400, 3), 128, np.uint8))
    names = ("dark", "far", "wall")
    options = ("--name", "Ann Miller", "--tag", "night shift", "--group", "staff", "--consent", "yes")
    said = empty.json("enrol", "ann", portrait, *(tmp_path / f"{name}.jpg" for name in names), tmp_path / "missing.jpg", *options)
    assert (said["new"], said["faces"]) == (True, 1)
    assert [photo["outcome"] for photo in said["photos"]] == ["taken", "refused", "refused", "refused", "refused"]
    reasons = [photo["reasons"] for photo in said["photos"]]
    assert reasons[1:] == [["too_dark"], ["face_too_coarse"], ["no_face"], ["photo_unreadable"]]
    found = empty.json("show", "ann")
    wanted = {"name": "Ann Miller", "tag": "night shift", "groups": ["staff"], "consent": "yes", "may_leave": "yes", "grade": 4}
    assert found | wanted == found


def test_a_mask_must_come_off_unless_it_is_allowed(empty: Box, people: Path, tmp_path: Path) -> None:
    picture = cv2.imread(str(people / "P002" / "assets" / "studio_portrait.jpg"))
    assert picture is not None
    # Over nose, mouth and chin of this portrait, whose nose's tip lies at 1028, 1014.
    outline = [(650, 1000), (1030, 970), (1360, 1000), (1320, 1270), (1030, 1435), (690, 1270)]
    cv2.fillPoly(picture, [np.array(outline, np.int32)], (215, 190, 150))
    cv2.imwrite(str(tmp_path / "masked.jpg"), picture)
    said = empty.json("enrol", "ann", tmp_path / "masked.jpg", code=1)
    assert [one["reasons"] for one in said["photos"]] == [["mask_worn"]]
    empty.run("enrol", "ann", tmp_path / "masked.jpg", "--allow-mask")
    assert empty.json("show", "ann")["references"][0]["masked"] is True
    found = empty.json("health", "--least-photos", 1)["findings"]
    assert [(one["slug"], one["detail"]) for one in found] == [("reference_masked", "1 of 1")]


def test_nobody_is_enrolled_by_bad_photos_alone(empty: Box, people: Path) -> None:
    said = empty.run("enrol", "ann", people / "P002" / "assets" / "emotions_sheet.jpg", code=1)
    assert "several faces in view (16)" in said.stdout
    assert "nobody was enrolled" in said.stdout
    assert empty.json("list") == []


def test_a_photo_is_enrolled_once(box: Box, people: Path) -> None:
    portrait = people / "P002" / "assets" / "studio_portrait.jpg"
    said = box.json("enrol", "P002", portrait)
    assert [photo["reasons"] for photo in said["photos"]] == [["same_photo"]]
    assert said["faces"] == 2


def test_a_photo_is_known_again_though_the_key_has_changed(box: Box, people: Path) -> None:
    box.run("rotate-key")
    said = box.json("enrol", "P002", people / "P002" / "assets" / "studio_portrait.jpg")
    assert [photo["reasons"] for photo in said["photos"]] == [["same_photo"]]


def test_somebody_under_two_ids_is_refused_unless_it_is_meant(box: Box, people: Path) -> None:
    photo = people / "P002" / "assets" / "studio_posture.jpg"
    said = box.json("enrol", "ann", photo, code=1)
    assert [one["reasons"] for one in said["photos"]] == [["enrolled_as_another"]]
    assert said["photos"][0]["like"] == "P002"
    told = box.run("enrol", "ann", photo, "--allow-duplicate").stdout
    assert "warning" in told
    assert "P002 (张三), score" in " ".join(told.split())
    found = box.json("health", "--least-photos", 1)["findings"]
    assert [(one["slug"], {one["person"], one["other"]}) for one in found] == [("enrolled_twice", {"P002", "ann"})]


def test_an_id_that_the_vendor_would_refuse_is_refused(empty: Box, people: Path) -> None:
    photo = people / "P002" / "assets" / "studio_portrait.jpg"
    assert empty.json("enrol", "ann.miller", photo, code=1)["error"]["slug"] == "id_unusable"
    assert empty.json("enrol", "ann", photo, "--group", "the staff", code=1)["error"]["slug"] == "id_unusable"


# Asking and changing


def test_people_are_listed_and_sorted(box: Box) -> None:
    assert [row["person"] for row in box.json("list")] == ["P002", "P003", "P005"]
    assert [row["name"] for row in box.json("list", "--sort", "name")] == ["P005", "Zoë <Q>", "张三"]
    assert [row["person"] for row in box.json("list", "--group", "night")] == ["P002"]
    assert box.json("list", "--group", "nigth", code=1)["error"]["detail"] == "'nigth'; did you mean 'night'?"
    text = box.run("list", "--most", 2).stdout
    assert "张三" in text
    assert "… and 1 more" in text


def test_no_command_shows_an_embedding(box: Box) -> None:
    with box.opened() as gallery:
        kept = [one for person in gallery.export(embeddings=True) for one in person["embeddings"]]
    box.run("export", box.folder / "e.json")
    shown = [box.run("show", "P002", "--json").stdout, box.run("list", "--json").stdout, (box.folder / "e.json").read_text()]
    assert len(kept) == 6
    assert not any(embedding[:20] in text for embedding in kept for text in shown)
    assert all("embedding" not in text for text in shown)


def test_an_unknown_person_is_named_with_the_nearest_there_is(box: Box) -> None:
    assert box.json("show", "P00", code=1)["error"]["slug"] == "person_unknown"
    assert "did you mean 'P00" in box.run("show", "P00", code=1).stderr


def test_consent_is_the_persons_word_or_the_groups(box: Box) -> None:
    def may_leave() -> dict[str, str]:
        return {row["person"]: row["may_leave"] for row in box.json("list")}

    assert may_leave() == {"P002": "no", "P003": "unset", "P005": "unset"}
    box.run("consent", "--group", "people", "yes")
    assert may_leave() == {"P002": "no", "P003": "yes", "P005": "yes"}
    box.run("consent", "P003", "no")
    box.run("consent", "P002", "unset")
    assert may_leave() == {"P002": "unset", "P003": "no", "P005": "yes"}
    for mistake in (("P003", "perhaps"), ("P003", "yes", "--group", "people"), ("yes",)):
        box.run("consent", *mistake, code=2)


def test_removing_leaves_a_signed_record(box: Box) -> None:
    box.run("remove", "P002", "--yes", "--reason", "left the company")
    box.run("remove", "--group", "people", "--yes")
    assert box.json("list") == []
    said = box.json("deletions", "--verify")
    assert [(one["whose"], one["why"], len(one["face_ids"])) for one in said["records"]] == [
        ("P002", "left the company", 2),
        ("P003", "", 2),
        ("P005", "", 2),
    ]
    assert "left the company" in box.run("deletions", "--verify").stdout


def test_a_record_that_was_changed_is_found(box: Box) -> None:
    box.run("remove", "P002", "--yes", "--reason", "left the company")
    with contextlib.closing(sqlite3.connect(box.file)) as database, database:
        assert database.execute("DELETE FROM deletions").rowcount == 1
    box.run("deletions", code=0)
    assert box.json("deletions", "--verify", code=1)["error"]["slug"] == "gallery_unreadable"


def test_a_group_takes_with_it_only_who_is_in_no_other(box: Box) -> None:
    assert "0 of its 1 people" in box.run("remove", "--group", "night", "--yes").stdout
    assert box.json("show", "P002")["groups"] == ["staff"]


def test_nothing_is_removed_without_a_yes(box: Box) -> None:
    assert box.json("remove", "P002", code=1)["error"]["slug"] == "unconfirmed"
    assert _typed(box, "n", "remove", "P002") == 1
    assert len(box.json("list")) == 3
    assert _typed(box, "y", "remove", "P002") == 0
    assert len(box.json("list")) == 2


def _typed(box: Box, answer: str, *arguments: object) -> int:
    """The exit code where somebody at a terminal types the answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(box.command(*arguments), stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    code = process.wait(60)
    os.close(ours)
    return code


# Looking after it


def test_health_finds_nothing_wrong_with_a_good_gallery(box: Box) -> None:
    assert box.json("health", "--strict")["findings"] == []
    assert "nothing is wrong with the 3 enrolled" in box.run("health").stdout


def test_health_names_what_is_wrong(box: Box, tmp_path: Path) -> None:
    one = np.random.default_rng(3).normal(size=128)
    other = one + 0.45 * np.random.default_rng(4).normal(size=128)
    np.savez(tmp_path / "e.npz", persons=["twin-1", "twin-2"], embeddings=np.array([one, other], dtype=np.float32))
    box.run("import", "--embeddings", tmp_path / "e.npz", "--allow-duplicate", "--group", "visitors")
    box.search("people", "staff")
    found = box.json("health", "--strict", code=1)
    assert found["counts"] == {"enrolled_twice": 1, "group_not_searched": 2, "too_few_photos": 2}
    assert {one["person"] for one in found["findings"]} == {"twin-1", "twin-2"}
    box.run("health")
    text = box.run("health", "--strict", code=1).stdout
    assert "two people who may be one" in text
    assert "5 findings about 2 of the 5 enrolled" in text


def test_a_contact_sheet_shows_everybody_and_loads_nothing(box: Box, tmp_path: Path) -> None:
    box.run("import", "--embeddings", synthetic(tmp_path / "e.npz", 1, "ghost-"))
    sheet = box.folder / "sheet.html"
    box.run("export", sheet)
    page = sheet.read_text(encoding="utf-8")
    assert sheet.stat().st_mode & 0o777 == 0o600
    assert page.count("<article") == 4
    assert page.count('src="data:image/') == 3
    assert page.count("<svg") == 1
    assert "Zoë &lt;Q&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page


def test_people_are_exported_as_csv_and_json(box: Box) -> None:
    box.run("export", box.folder / "people.csv", "--group", "people")
    rows = _rows(box.folder / "people.csv")
    assert [(row["person"], row["faces"], row["grade"]) for row in rows] == [("P003", "2", "4"), ("P005", "2", "4")]
    box.run("export", box.folder / "people.txt", "--format", "json")
    assert [one["name"] for one in json.loads((box.folder / "people.txt").read_text())["people"]] == ["张三", "Zoë <Q>", "P005"]
    assert box.run("export", box.folder / "none" / "x.csv", code=1).stderr.startswith("file_unwritable")


def test_a_backup_brings_back_what_was_there_but_not_who_was_deleted(box: Box) -> None:
    box.run("backup", box.folder / "backup")
    assert "file_exists" in box.run("backup", box.folder / "backup", code=1).stderr
    box.run("consent", "P003", "yes")
    box.run("remove", "P005", "--yes")
    assert "unconfirmed" in box.run("restore", box.folder / "backup", code=1).stderr
    box.run("restore", box.folder / "backup", "--yes")
    assert {row["person"]: row["consent"] for row in box.json("list")} == {"P002": "no", "P003": "unset"}
    assert [one["whose"] for one in box.json("deletions", "--verify")["records"]] == ["P005"]


def test_a_backup_made_before_the_key_was_changed_needs_that_key(box: Box) -> None:
    box.run("backup", box.folder / "backup")
    old = shutil.copy(box.key, box.folder / "old-key")
    assert str(box.key) in box.run("rotate-key").stdout
    assert box.key.read_bytes() != Path(old).read_bytes()
    assert [row["person"] for row in box.json("list")] == list(PEOPLE)
    assert "gallery_key_wrong" in box.run("restore", box.folder / "backup", "--yes", code=1).stderr
    box.run("restore", box.folder / "backup", "--yes", "--backup-key", old)
    assert [row["person"] for row in box.json("list")] == list(PEOPLE)


def test_a_backup_opens_on_another_box_with_the_key(box: Box, empty: Box) -> None:
    box.run("backup", box.folder / "backup")
    assert "gallery_key_missing" in empty.run("restore", box.folder / "backup", code=1).stderr
    empty.key.parent.mkdir(exist_ok=True)
    shutil.copy(box.key, empty.key)
    empty.run("restore", box.folder / "backup")
    assert [row["person"] for row in empty.json("list")] == list(PEOPLE)


def test_the_calibration_says_on_what_it_rests(box: Box) -> None:
    said = box.json("calibration", "--plot", box.folder / "calibration.png")
    assert said["door"]["faces"] == 6
    assert said["whole"]["people"] > 0
    assert (box.folder / "calibration.png").read_bytes().startswith(b"\x89PNG")
    text = box.run("calibration").stdout
    assert f"the door, with 6 faces enrolled, asks for a score of {said['door']['threshold']:g}" in text
    assert "the data reach down to" in text
    assert box.run("calibration", "--plot", box.folder / "none" / "c.png", code=1).stderr.startswith("file_unwritable")


def test_the_calibration_needs_no_gallery(empty: Box) -> None:
    assert empty.json("calibration")["door"]["faces"] == 0
    assert not empty.file.exists()


# Many people, and the end of the world


def test_many_people_are_imported_with_a_bar(empty: Box, tmp_path: Path) -> None:
    lines = [{"person": f"S{n}", "embedding": np.random.default_rng(n).normal(size=128).tolist()} for n in range(30)]
    (tmp_path / "e.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
    ours, theirs = pty.openpty()
    command = empty.command("import", "--embeddings", tmp_path / "e.jsonl", "--json")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # what a terminal gives when nobody writes to it any more
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    said, _ = process.communicate(timeout=60)
    assert json.loads(said)["counts"]["new"] == 30
    assert "30/30" in shown.decode()


def test_an_import_killed_at_any_moment_leaves_nothing_half_and_goes_on(empty: Box, tmp_path: Path) -> None:
    """SIGKILL at moments drawn by how far the import is, in the first of which the gallery itself is being made."""
    file = synthetic(tmp_path / "e.npz", ALL)
    moments = [0, *sorted(random.sample(range(1, ALL - 100), 3))]
    seen = 0
    for moment in moments:
        seen = _killed_at(empty, file, max(moment, seen))
        assert seen < ALL, f"killed too late for {moment}"
    said = empty.json("import", "--embeddings", file)
    assert (said["counts"]["new"], said["counts"]["unchanged"], said["not_enrolled"]) == (ALL - seen, seen, [])
    _whole(empty)
    with empty.opened() as gallery:
        gallery.check()
        assert (gallery.person_count, len(gallery), gallery.group("people").persons) == (ALL, ALL, ALL)


def _killed_at(box: Box, file: Path, moment: int) -> int:
    """Kills the import once so many are enrolled; says how many are."""
    process = subprocess.Popen(box.command("import", "--embeddings", file), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and (_count(box) or -1) < moment and not (moment == 0 and box.key.exists()):
            time.sleep(0.002)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL, f"it ended before {moment} were enrolled"
    return _whole(box)


def _whole(box: Box) -> int:
    """How many persons there are; fails where anything is half there."""
    if not box.file.exists():
        return 0
    with contextlib.closing(sqlite3.connect(box.file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not database.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'persons'").fetchone()[0]:
            return 0
        for part in ("faces", "memberships"):
            missing = f"SELECT count(*) FROM persons WHERE number NOT IN (SELECT person FROM {part})"
            assert database.execute(missing).fetchone() == (0,), part
        assert (
            database.execute("SELECT count(*) FROM faces").fetchone()
            == database.execute("SELECT count(DISTINCT person) FROM faces").fetchone()
        )
        return int(database.execute("SELECT count(*) FROM persons").fetchone()[0])


def _count(box: Box) -> int | None:
    """Persons, as a reader of the file sees them; None where it cannot tell yet."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{box.file}?mode=ro", uri=True, timeout=5)) as database:
            return int(database.execute("SELECT count(*) FROM persons").fetchone()[0])
    except sqlite3.Error:
        return None
