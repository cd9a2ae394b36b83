"""`kiosk sandbox` as its user starts it: a process with eyes, people from a folder, and one line that says where it is."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import numpy as np
import pytest

from kiosk.errors import ConfigurationError, PhotoRejected
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.searching import SearchPersons
from kiosk.recognition.tencent.signing import Credentials
from kiosk.recognition.tencent.transport import Transport
from kiosk.sandbox import command, seeding
from kiosk.vision.pixels import shrink
from tests.sandbox_stage import Eye, photo, soon

# --- options ------------------------------------------------------------------------------------------------------------


def test_keys_are_given_read_or_made(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("fromfile\n")
    given = command.account("1", "b", ("AKIDx", None), (None, file))
    assert given == (Credentials("AKIDx", "fromfile"), "1", "b", False)
    one, other = (command.account("1", "b", (None, None), (None, None)) for _ in range(2))
    assert one.new
    assert re.fullmatch(r"AKID\w{32}", one.credentials.secret_id)
    assert one.credentials.secret_key != other.credentials.secret_key
    assert one.credentials.secret_key not in repr(one)


@pytest.mark.parametrize(
    ("values", "files"),
    [
        (("AKIDx", None), (None, None)),
        ((None, "k"), (None, None)),
        (("AKIDx", "k"), (Path("x"), None)),
        ((None, None), (Path("x"), None)),
    ],
)
def test_half_a_pair_of_keys_is_none(values: Any, files: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"give either --secret-|secret_missing"):
        command.account("1", "b", values, files)


def test_latencies_are_milliseconds() -> None:
    assert (command.span("120"), command.span("50-200"), command.span("0")) == ((0.12, 0.12), (0.05, 0.2), (0.0, 0.0))
    for wrong in ("", "x", "-5", "200-50", "1.5", "5-", "٣"):
        with pytest.raises(ConfigurationError, match="write milliseconds"):
            command.span(wrong)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--secret-id", "AKIDx"], "give either --secret-key or --secret-key-file"),
        (["--latency", "slow"], "write milliseconds"),
        (["--fetch-from", "http://x"], "no HOST or HOST:PORT"),
        (["--faults", "/nonexistent"], "/nonexistent: No such file"),
        (["--seed", "/nonexistent"], "no photos"),
        (["--host", "no.such.name.invalid", "--tls"], "no address to listen on"),
    ],
)
@pytest.mark.slow
def test_mistakes_end_with_ex_config(options: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kiosk", "sandbox", "--port", "0", "--workers", "1", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


# --- seeding ------------------------------------------------------------------------------------------------------------


def folder_of_people(folder: Path) -> Path:
    for path, names in {
        "ann/1.jpg": ["ann"],
        "ann/deeper/2.PNG": ["ann~"],
        "ann/notes.txt": ["eve"],
        "bob.jpeg": ["bob", "ann"],
        "Ann Smith.bmp": ["smith"],
        "张三/a.jpg": ["zhang"],
        "nobody/a.jpg": [],
        "nobody/b.jpg": ["broken"],
        "twice/a.jpg": ["twice"],
        "twice/b.jpg": ["twice"],
    }.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photo(*names))
    return folder


async def test_a_folder_of_photos_becomes_people(tmp_path: Path) -> None:
    photos = seeding.people(folder_of_people(tmp_path))
    gallery, advanced = Gallery(lambda: 0.0), []
    eye = Eye({"broken": PhotoRejected("image_decode_failed")})
    seeded = await seeding.seed(photos, "staff", eye, gallery, 2, lambda: advanced.append(1))
    assert (seeded.persons, seeded.faces, seeded.known, len(advanced)) == (5, 6, 0, 9)
    assert sorted((file.relative_to(tmp_path).as_posix(), why) for file, why in seeded.refused) == [
        ("nobody/a.jpg", "face_not_found"),
        ("nobody/b.jpg", "image_decode_failed"),
        ("twice/b.jpg", "state_conflict: same_face"),
    ]
    people = {person.person_id: (person.name, len(person.faces)) for person in gallery.members(["staff"])}
    assert people == {
        "ann": ("ann", 2),
        "bob": ("bob", 1),
        "Ann%20Smith": ("Ann Smith", 1),
        "%E5%BC%A0%E4%B8%89": ("张三", 1),
        "twice": ("twice", 1),
    }


async def test_who_is_there_already_stays_as_they_are(tmp_path: Path) -> None:
    photos = seeding.people(folder_of_people(tmp_path))
    gallery, eye = Gallery(lambda: 0.0), Eye()
    await seeding.seed(photos, "staff", eye, gallery, 2, lambda: None)
    eye.seen = 0
    again = await seeding.seed({"ann": photos["ann"]}, "others", eye, gallery, 2, lambda: None)
    assert (again.persons, again.faces, again.known, eye.seen) == (0, 0, 1, 0)
    assert list(gallery.person("ann").groups) == ["staff"]


def test_a_folder_without_photos_or_with_a_name_too_long_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no photos"):
        seeding.people(tmp_path)
    (tmp_path / f"{'张' * 22}.jpg").touch()
    with pytest.raises(ConfigurationError, match="too long a name"):
        seeding.people(tmp_path)


# --- the process --------------------------------------------------------------------------------------------------------


@contextmanager
def running(*options: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "kiosk", "sandbox", "--port", "0", "--workers", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            yield msgspec.json.decode(line), process
        finally:
            process.terminate()


def small(people: Path, name: str, kind: str) -> bytes:
    image = np.asarray(cv2.imread(str(people / name / "assets" / f"{kind}.jpg")), np.uint8)
    done, jpeg = cv2.imencode(".jpg", shrink(image, 600 / image.shape[0]))
    assert done
    return jpeg.tobytes()


@pytest.mark.slow
async def test_the_whole_of_it(people: Path, tmp_path: Path) -> None:
    for name in ("P002", "P003"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "portrait.jpg").write_bytes(small(people, name, "studio_portrait"))
    (tmp_path / "faults.toml").write_text('[[fault]]\nkind = "drop"\ncount = 1\n')
    options = "--seed", f"{tmp_path}/photos", "--seed-group", "staff", "--tls", "--data", f"{tmp_path}/data"
    with running(*options, "--faults", f"{tmp_path}/faults.toml") as (told, process):
        assert (told["groups"], told["persons"], told["faces"]) == (1, 2, 2)
        assert told["ca_file"] == f"{tmp_path}/data/ca.pem"
        caller = Caller([Transport(told["listening"], Path(told["ca_file"]))])
        client = IaiClient(caller, Account(Credentials(told["secret_id"], told["secret_key"])))
        found = await client.call(SearchPersons(group_ids=("staff",), image=small(people, "P003", "amateur_selfie")), soon())
        await caller.close()
        best = found.results[0].candidates[0]
        assert (best.person_id, best.score > 50) == ("P003", True)
        async with httpx.AsyncClient(base_url=told["admin"], trust_env=False) as admin:
            calls = (await admin.get("/calls")).json()
            assert [call["code"] for call in calls] == ["0", "drop"]
        assert httpx.get(told["page"], trust_env=False).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "enrolled in 'staff': 2 persons, 2 faces" in errors
    assert told["secret_key"] not in errors
    assert "Traceback" not in errors
