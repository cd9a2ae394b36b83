"""The configurations in config/examples: their rules hold what they promise, and two of them are played.

The scenes of the others – clinic, turnstile, vault, parcels – are played by hand: `kiosk demo --config config/examples/…`.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.access import soundness
from kiosk.access.calendar import Calendar
from kiosk.capture import script
from kiosk.check import survey
from kiosk.clock import zone
from kiosk.configuration import load
from kiosk.demo.carpenter import OPENS_AFTER, Carpenter
from kiosk.errors import ConfigurationError
from kiosk.hardware.inputs import open_input
from kiosk.journal.log import Row, tail
from kiosk.rules.app import app
from kiosk.rules.cases import run
from kiosk.settings import PortalSettings, RuleSettings, Settings

FILES = sorted((Path(__file__).parent.parent / "config" / "examples").glob("*.toml"))
ON_A_BOX = ("gallery_missing", "site.state_dir:", "system:")
"""Of what `kiosk check` may complain here: the gallery, its folder and packages come with a box."""

each = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def rules(command: str, file: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command in this process, which must end with 0; its JSON."""
    code = app([command, "--config", str(file), "--json"], standalone_mode=False)
    out = capsys.readouterr().out
    assert code in {None, 0}, out
    return msgspec.json.decode(out)


def failed(settings: Settings) -> list[str]:
    """The cases that do not hold; what is wrong with the rules, where they are not even taken."""
    calendar = Calendar(settings.schedules, settings.holidays, zone(settings.site.timezone))
    try:
        policy = soundness.load(settings)
    except ConfigurationError as error:
        return [error.detail]
    return [case.name for case in run(settings, policy, calendar) if not case.passed]


def loosened(rules: tuple[RuleSettings, ...]) -> Iterator[tuple[str, tuple[RuleSettings, ...]]]:
    """What a slip would leave of them: one rule less, or one rule with a part of its condition less."""
    for number, rule in enumerate(rules):
        before, after = rules[:number], rules[number + 1 :]
        yield f"without {rule.name}", (*before, *after)
        parts = rule.when.split("&&")
        less = ["&&".join(one for one in parts if one is not part) for part in parts if len(parts) > 1]
        for both in re.finditer(r"\((.*?) \|\| (.*?)\)", rule.when):
            less += [rule.when.replace(both[0], one) for one in both.groups()]
        for when in less:
            yield f"{rule.name} when only {when}", (*before, rule.model_copy(update={"when": when}), *after)


def test_they_are_all_here() -> None:
    assert [file.stem for file in FILES] == ["clinic", "mantrap", "office", "parcels", "turnstile", "vault"]


@each
def test_the_rules_are_sound_and_nothing_is_doubtful(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rules("check", file, capsys)
    assert (found["mistakes"], found["warnings"]) == ([], [])


@each
def test_the_cases_hold_and_come_to_every_rule(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried = rules("test", file, capsys)
    assert tried["failed"] == 0
    assert tried["passed"] == len(load(file).rule_tests) >= 8
    assert rules("coverage", file, capsys)["never_tested"] == []


@each
def test_no_part_of_a_rule_can_be_lost_without_a_case_that_fails(file: Path) -> None:
    settings = load(file)
    assert failed(settings) == []
    unnoticed = [slip for slip, rules in loosened(settings.rules) if not failed(settings.model_copy(update={"rules": rules}))]
    assert unnoticed == []


@each
def test_what_check_finds_is_only_what_a_box_has(file: Path) -> None:
    problems = survey(load(file), file).problems
    assert [problem for problem in problems if not any(known in problem for known in ON_A_BOX)] == []


@each
def test_with_the_lines_in_the_comments_it_is_a_configuration_too(file: Path, tmp_path: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        code, _, comment = line.partition("#")
        for simulated in ('"sim:', '"scene:'):
            if simulated in code:
                begin = code.index(simulated) + 1
                real = comment.partition(" – ")[0].strip()
                lines[number] = code[:begin] + real + code[code.index('"', begin) :]
    real_box = tmp_path / "kiosk.toml"
    real_box.write_text("\n".join(lines), encoding="utf-8")
    settings = load(real_box)
    assert all(camera.url.startswith("v4l2:") for camera in settings.cameras.values())
    assert "sim:" not in settings.model_dump_json()


@each
def test_its_scenes_are_of_its_people_and_hours(file: Path) -> None:
    settings = load(file)
    for camera in settings.cameras.values():
        scene = script.load(camera.url.partition(":")[2])
        assert {person for act in scene.acts for person in act.granted} <= settings.people.keys()
        assert {act.while_open for act in scene.acts} - {""} <= settings.schedules.keys()
        assert scene.seconds <= 14


def test_nobody_opens_the_vault_alone() -> None:
    (vault,) = (load(file) for file in FILES if file.stem == "vault")
    grants = [rule for rule in vault.rules if rule.effect == "grant"]
    assert grants
    assert all("second_person" in rule.require for rule in grants)


def play(name: str, keep: Path) -> tuple[dict[str, Any], list[Row]]:
    """What the demo of an example printed, and the rows it left."""
    (file,) = (file for file in FILES if file.stem == name)
    command = [sys.executable, "-m", "kiosk", "demo", "--config", str(file), "--json", "--keep", str(keep)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = msgspec.json.decode(done.stdout)
    assert {act["outcome"] for act in result["acts"]} == {"met"}
    assert (result["wrong_grants"], result["errors"], result["journal_whole"]) == (0, 0, True)
    return result, tail(keep / "state" / "journal.sqlite", 200)


@pytest.mark.slow
def test_the_office_is_played_as_its_hours_are_now(tmp_path: Path) -> None:
    result, rows = play("office", tmp_path)
    assert len(result["acts"]) == 4
    doors = [row.kind for row in rows if row.kind in {"granted", "opened", "locked", "closed"}]
    assert doors == ["granted", "opened", "locked", "closed"] * result["grants"]


@pytest.mark.slow
def test_in_the_mantrap_one_door_waits_for_the_other(tmp_path: Path) -> None:
    result, rows = play("mantrap", tmp_path)
    assert len(result["acts"]) == 4
    assert result["by_reason"]["interlocked"] == 1
    told = [(row.portal, row.kind) for row in rows if row.kind in {"granted", "withheld", "opened", "closed"}]
    assert told.index(("outer", "granted")) < told.index(("inner", "withheld")) < told.index(("outer", "closed"))
    assert told.index(("outer", "closed")) < told.index(("inner", "granted")) < told.index(("inner", "closed"))


async def test_an_unlocked_door_is_opened_and_falls_shut(tmp_path: Path) -> None:
    door = PortalSettings(contact="sim:door?initial=active")
    moved: asyncio.Queue[bool] = asyncio.Queue()
    contact = await open_input(door.contact, tmp_path, lambda _, shut: moved.put_nowait(shut), lambda *_: None)
    carpenter = Carpenter(tmp_path, {"front": door, "back": PortalSettings()})
    now = time.monotonic()
    for portal, energised, at in (("back", True, now), ("front", False, now), ("front", True, now - OPENS_AFTER)):
        carpenter.hear({"event": "relay", "portal": portal, "energised": energised, "at": at})
    working = asyncio.create_task(carpenter.work())
    async with asyncio.timeout(30):
        assert [await moved.get(), await moved.get()] == [False, True]
    working.cancel()
    assert moved.empty()
    await contact.close()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("portals.door.relay=gpiod:GPIO17", "moves no real lines"),
        ("portals.door.recogniser=tencent-iai", "asks no cloud"),
        ("cameras.front.url=scene:ofice", "scene ofice"),
    ],
)
def test_what_would_not_be_a_demo_is_not_played(override: str, told: str) -> None:
    (file,) = (file for file in FILES if file.stem == "office")
    command = [sys.executable, "-m", "kiosk", "demo", "--config", str(file), "--set", override]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode != 0
    assert told in done.stderr
