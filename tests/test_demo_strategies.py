"""Each way from a face to a person with all its processes, on scenes of an act or two; the calls it takes are counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytestmark = pytest.mark.slow

# A scene repeats, and nobody who was granted is asked again within the cool-down of five seconds.
CONFIRMED = """
title = "two with masks"
seconds = 8.2
enrolled = ["P003", "P008"]

[[acts]]
name = "an employee with a mask"
at = 0.9
lasts = 3.2
person = "P003"
masked = ["P003"]
expect = "grant:P003"

[[acts]]
name = "another"
at = 5.0
lasts = 3.2
person = "P008"
masked = ["P008"]
expect = "grant:P008"
"""
CLAIMED = """
title = "two with cards"
seconds = 8.2
enrolled = ["P002", "P003"]

[[acts]]
name = "an employee with mask and card"
at = 0.9
lasts = 3.2
person = "P003"
masked = ["P003"]
claim = "P003"
expect = "grant:P003"

[[acts]]
name = "an employee with a card"
at = 5.0
lasts = 3.2
person = "P002"
claim = "P002"
expect = "grant:P002"
"""
TOGETHER = """
title = "two at once"
seconds = 8.0
enrolled = ["P002", "P003"]

[[acts]]
name = "two employees, one with a mask"
at = 0.9
lasts = 4.2
person = "P002"
with = "P003"
masked = ["P003"]
face = 0.27
expect = ["grant:P002", "grant:P003"]
"""


def play(folder: Path, scene: str, seconds: float, *options: str) -> dict[str, Any]:
    file = folder / "scene.toml"
    file.write_text(scene, encoding="utf-8")
    command = [sys.executable, "-m", "kiosk", "demo", "--json", "--camera", f"scene:{file}", "--seconds", str(seconds), *options]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = msgspec.json.decode(done.stdout)
    assert result["acts"], "no act was seen from beginning to end"
    assert {act["outcome"] for act in result["acts"]} == {"met"}
    assert (result["wrong_grants"], result["errors"]) == (0, 0)
    assert result["calls_by_admission"] == {
        name: pytest.approx(count / result["grants"], abs=0.01) for name, count in result["calls"].items()
    }
    return result


def test_a_mask_found_by_the_older_cloud_is_confirmed_by_todays(tmp_path: Path) -> None:
    result = play(tmp_path, CONFIRMED, 9.5, "--strategy", "identify+confirm", "--recogniser", "tencent-legacy")
    assert result["calls"].keys() == {"identify", "CompareMaskFace"}
    assert result["calls"]["CompareMaskFace"] <= result["calls"]["identify"]


def test_a_claim_is_compared_and_nobody_searched_for(tmp_path: Path) -> None:
    result = play(tmp_path, CLAIMED, 9.5, "--strategy", "claim+compare", "--recogniser", "tencent-iai")
    assert result["calls"].keys() <= {"CompareFace", "CompareMaskFace"}


def test_two_who_come_together_are_searched_for_together(tmp_path: Path) -> None:
    # Where watching begins within the act, only the next one counts: 0.9 + 8 + 4.2 + 1 s.
    result = play(tmp_path, TOGETHER, 14.5, "--strategy", "crowd", "--recogniser", "tencent-legacy")
    assert result["calls"]["multidentify"] >= 1
    assert result["calls"].keys() <= {"multidentify", "identify"}
