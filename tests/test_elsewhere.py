"""What the eye sees on one processor held against another: the comparison, and what the script needs before it begins."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kiosk.bench import elsewhere
from kiosk.bench.elsewhere import Sight
from kiosk.ports import AnalysedFace
from kiosk.vision.landmarks import engine_for

SCRIPT = Path(__file__).parent.parent / "scripts" / "aarch64"


@pytest.fixture(scope="module")
def sight(models_dir: Path, people: Path) -> Sight:
    return elsewhere.see(people / "P002" / "assets" / "amateur_selfie.jpg", models_dir)


def changed(sight: Sight, **fields: object) -> Sight:
    (face,) = sight.faces
    return msgspec.structs.replace(sight, faces=(msgspec.structs.replace(face, **fields),))


def floats(numbers: bytes | None) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    assert numbers is not None
    return np.frombuffer(numbers, "<f4")


def test_a_photo_is_seen_with_the_engine_of_this_processor(sight: Sight) -> None:
    assert sight.engine == engine_for("auto")
    (face,) = sight.faces
    assert face.landmarks is not None
    assert elsewhere.wrong(sight, sight, sight.engine) == ""


def test_another_engine_than_expected_is_wrong(sight: Sight) -> None:
    other = msgspec.structs.replace(sight, engine="abacus")
    assert elsewhere.wrong(sight, other, sight.engine) == f"the landmark engine is abacus, not {sight.engine}"
    assert elsewhere.wrong(sight, other, "abacus") == ""


def test_seeing_nobody_is_wrong_even_where_both_do(sight: Sight) -> None:
    nobody = msgspec.structs.replace(sight, faces=())
    for here, there in ((sight, nobody), (nobody, sight), (nobody, nobody)):
        assert "faces, not" in elsewhere.wrong(here, there, sight.engine)


def test_a_face_elsewhere_or_of_somebody_else_is_wrong(sight: Sight) -> None:
    (face,) = sight.faces
    beside = changed(sight, face=msgspec.structs.replace(face.face, box=face.face.box.moved(2, 0)))
    bent = floats(face.landmarks).copy()
    bent[100] += 2
    for there in (
        beside,
        changed(sight, landmarks=bent.astype("<f4").tobytes()),
        changed(sight, landmarks=None),
        changed(sight, embedding=np.roll(floats(face.embedding), 1).tobytes()),
    ):
        assert elsewhere.wrong(sight, there, sight.engine) == "the faces are not the same"


@pytest.mark.parametrize(("engine", "code"), [(engine_for("auto"), 0), ("abacus", 1)])
def test_two_files_are_compared(sight: Sight, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str, code: int) -> None:
    files = [str(tmp_path / name) for name in ("here", "there")]
    for file in files:
        Path(file).write_bytes(msgspec.msgpack.encode(sight))
    assert elsewhere.main(["compare", *files, engine]) == code
    assert "face 1: box 0.000 px, landmarks 0.000 px, likeness 1.000000" in capsys.readouterr().out


def script(tmp_path: Path, *arguments: str, tools: tuple[str, ...] = ()) -> str:
    """What the script complains about where only a few programs can be found."""
    for tool in ("dirname", "id", *tools):
        found = shutil.which(tool)
        (tmp_path / tool).symlink_to(found if found and tool not in tools else "/bin/true")
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT), *arguments],
        env=os.environ | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_the_script_names_what_it_needs(tmp_path: Path) -> None:
    assert "apt-get install -y qemu-user-static" in script(tmp_path)


def test_the_script_names_the_second_thing_it_needs(tmp_path: Path) -> None:
    assert "apt-get install -y mmdebstrap debian-archive-keyring" in script(tmp_path, tools=("qemu-aarch64-static",))


def test_the_script_knows_its_cores(tmp_path: Path) -> None:
    said = script(tmp_path, "cortex-a8", tools=("qemu-aarch64-static", "mmdebstrap"))
    assert "cortex-a72 and cortex-a76" in said


def test_sights_travel_whole(sight: Sight) -> None:
    there = msgspec.msgpack.decode(msgspec.msgpack.encode(sight), type=Sight)
    assert there == sight
    assert isinstance(there.faces[0], AnalysedFace)
