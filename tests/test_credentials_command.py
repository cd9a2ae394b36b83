"""`kiosk credentials` as a user types it."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.access import code, pin
from kiosk.access.code import Token
from kiosk.vision.codes import CodeReader


def credentials(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kiosk", "credentials", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("keys")
    done = credentials("key", "--private", str(folder / "private.pem"), "--set", f"site.state_dir={folder}")
    assert done.returncode == 0, done.stderr
    return folder / "private.pem", folder / "code-key"


def token(text: str, public: Path) -> Token | code.Refused:
    key = code.import_key(public.read_bytes(), private=False)
    here = code.audiences("kiosk", "door")
    return code.read(text, key, time.time(), trusted=True, here=here, lifetime=60)


def test_keys_are_made_once_and_the_private_one_is_its_owners(pair: tuple[Path, Path]) -> None:
    private, public = pair
    assert [stat.S_IMODE(file.stat().st_mode) for file in pair] == [0o600, 0o644]
    before = private.read_bytes()
    again = credentials("key", "--private", str(private), "--public", str(public.with_name("other")))
    assert (again.returncode, "file_exists" in again.stderr) == (78, True)
    assert private.read_bytes() == before
    assert not public.with_name("other").exists()


@pytest.mark.parametrize(("options", "audience"), [((), "kiosk"), (("--portal", "door"), "kiosk/door")])
def test_a_code_is_issued_as_text(pair: tuple[Path, Path], options: tuple[str, ...], audience: str) -> None:
    done = credentials("issue", "alice", "--private", str(pair[0]), *options)
    issued = token(done.stdout.strip(), pair[1])
    assert isinstance(issued, Token)
    assert (issued.sub, issued.aud, issued.exp - issued.iat) == ("alice", audience, 60)


def test_no_two_codes_are_the_same_and_the_camera_can_read_them(pair: tuple[Path, Path], tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        done = credentials("issue", "alice", "--private", str(pair[0]), "--png", str(tmp_path / f"{name}.png"), "--show")
        *drawn, text = done.stdout.splitlines()
        texts.append(text)
        picture = cv2.imread(str(tmp_path / f"{name}.png"))
        assert picture is not None
        assert _seen(np.asarray(picture, dtype=np.uint8)) == {text}
        assert _seen(_photographed(drawn)) == {text}
    assert len(set(texts)) == 2


def _seen(picture: np.ndarray) -> set[str]:
    """What a camera reads that comes nearer; not every code is read from every distance."""
    sizes = [cv2.resize(picture, None, fx=size, fy=size, interpolation=cv2.INTER_AREA) for size in (0.6, 0.7, 0.8, 0.9, 1.0)]
    return {CodeReader().look(np.asarray(sized, dtype=np.uint8), 1.0) for sized in sizes} - {""}


def _photographed(lines: list[str]) -> np.ndarray:
    """What a terminal shows of half blocks."""
    rows = []
    for line in lines:
        blocks = re.sub(r"\x1b\[[0-9;]*m", "", line)
        rows += [[0 if one in "▀█" else 255 for one in blocks], [0 if one in "▄█" else 255 for one in blocks]]
    grey = np.kron(np.array(rows, dtype=np.uint8), np.ones((6, 6), np.uint8))
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("arguments", "slug"),
    [
        (("alice", "--private", "{}", "--seconds", "61"), "code_lives_too_long"),
        (("alice", "--private", "{}", "--portal", "dor"), "did you mean 'door'?"),
        (("a" * 65, "--private", "{}"), "id_unusable"),
        (("alice", "--private", "/nowhere/key"), "secret_missing"),
        (("alice", "--private", "{public}"), "key_unusable"),
    ],
)
def test_what_the_box_would_refuse_is_not_issued(pair: tuple[Path, Path], arguments: tuple[str, ...], slug: str) -> None:
    done = credentials("issue", *(one.replace("{}", str(pair[0])).replace("{public}", str(pair[1])) for one in arguments))
    assert (done.returncode, slug in done.stderr, done.stdout) == (78, True, "")


def test_a_pin_becomes_a_hash_that_fits_it() -> None:
    done = credentials("pin", typed="2580\n2580\n")
    assert pin.answer("2580", (done.stdout.strip(), "")) == "right"


@pytest.mark.parametrize(
    "typed", ["2580\n2581\n", "258\n258\n", "25a0\n25a0\n", "1234\n1234\n", "4321\n4321\n", "7777\n7777\n", ""]
)
def test_a_pin_that_is_none_or_everybodys_is_refused(typed: str) -> None:
    done = credentials("pin", typed=typed)
    assert (done.returncode, "pin_unusable" in done.stderr, done.stdout) == (78, True, "")


def check(file: Path, body: str) -> str:
    """What `kiosk check` says of a configuration, on one line."""
    file.write_text(f'[site]\nstate_dir = "{file.parent}"\n{body}')
    command = [sys.executable, "-m", "kiosk", "check", "--config", str(file)]
    return " ".join(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.split())


def test_check_says_what_is_wrong_with_credentials(tmp_path: Path) -> None:
    (tmp_path / "code-key").write_text("no key")
    said = check(
        tmp_path / "kiosk.toml",
        """
[people.alice]
cards = ["26:1:2"]
[people.bob]
cards = ["26:1:2"]
[portals.door]
codes = true
readers = ["osdp:/dev/none?address=3"]
[[rules]]
name = "staff"
when = "true"
effect = "grant"
require = ["pin"]
""",
    )
    for expected in (
        "problem configuration_invalid: people.alice and people.bob have the same card",
        "problem key_unusable: credentials.code_key_file",
        "warning portals.door: osdp:/dev/none?address=3 is not there now",
        "warning portals.door: osdp:/dev/none?address=3 has no key_file",
        "warning rule 'staff' requires a PIN, and nobody has one",
    ):
        assert expected in said


def test_check_says_where_no_code_could_ever_be_read(tmp_path: Path) -> None:
    wanted = "portals.door.codes is on"
    assert wanted in check(tmp_path / "kiosk.toml", "[portals.door]\ncodes = true\n")
    plain = '[portals.door]\ncodes = true\n[people.alice]\ncodes = ["PARCEL-0042"]\n'
    assert wanted not in check(tmp_path / "kiosk.toml", plain)
