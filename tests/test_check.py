"""`kiosk check`: what can be known of the configured engines without running them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kiosk.check import Survey, survey
from kiosk.configuration import load
from kiosk.hardware import lines
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile, create_key
from kiosk.settings import SiteSettings
from tests.portal_stage import enrol


def checked(tmp_path: Path, toml: str = "", **portal: Any) -> Survey:
    file = tmp_path / "kiosk.toml"
    (tmp_path / "key").write_text("AKIDEXAMPLE")
    site = f'[site]\nstate_dir = "{tmp_path}"\nmodels_dir = "{SiteSettings().models_dir}"\n[cameras.front]\nurl = "scene:demo"\n'
    file.write_text(site + toml, encoding="utf-8")
    return survey(load(file, {f"portals.door.{name}": str(value) for name, value in portal.items()}))


def account(section: str, tmp_path: Path, more: str = "") -> str:
    key = f"{tmp_path}/key"
    return f'[{section}]\ngroup_ids = ["staff"]\nsecret_id_file = "{key}"\nsecret_key_file = "{key}"\n{more}'


def text(found: Survey) -> str:
    console = Console(width=300)
    with console.capture() as capture:
        console.print(found.summary)
    return capture.get()


@pytest.fixture
def enrolled(tmp_path: Path) -> Path:
    create_key(tmp_path / "gallery-key")
    with Gallery.open(tmp_path / "gallery.sqlite", KeyFile(Path("gallery-key"), tmp_path)) as gallery:
        enrol(gallery, "ann")
    return tmp_path


def test_a_box_without_a_cloud_needs_no_account(enrolled: Path) -> None:
    found = checked(enrolled, recogniser="on-device")
    assert found.problems == []
    assert found.successors is None
    assert "on-device → relay" in text(found)
    assert "people 1, faces 1, match from 50.0" in text(found)
    assert "tencent" not in text(found) + str(found.warnings)


def test_a_missing_gallery_and_a_missing_key_are_problems(enrolled: Path) -> None:
    (enrolled / "gallery-key").unlink()
    (problem,) = checked(enrolled, recogniser="on-device").problems
    assert problem.startswith("on_device: gallery_key_missing")
    (enrolled / "gallery.sqlite").unlink()
    (problem,) = checked(enrolled, recogniser="on-device").problems
    assert problem.startswith("on_device: gallery_missing")
    assert str(enrolled / "gallery.sqlite") in problem


def test_a_false_match_rate_nobody_measured_is_a_warning(enrolled: Path) -> None:
    rare = "[on_device]\nfalse_match_rate = 1e-9\n"
    found = checked(enrolled, rare, recogniser="on-device")
    assert any("what is rarer is extrapolated" in line for line in found.warnings)
    raw = f"{rare}threshold = 60.0\n"
    assert not any("calibration" in line for line in checked(enrolled, raw, recogniser="on-device").warnings)


def test_a_threshold_that_nobody_reaches_is_a_problem(enrolled: Path) -> None:
    (problem,) = checked(enrolled, "[on_device]\nfalse_match_rate = 1e-12\n", recogniser="on-device").problems
    assert "no likeness would do" in problem


def test_an_empty_gallery_is_a_warning(enrolled: Path) -> None:
    with Gallery.open(enrolled / "gallery.sqlite", KeyFile(Path("gallery-key"), enrolled)) as gallery:
        gallery.delete_person("ann")
    found = checked(enrolled, recogniser="on-device")
    assert found.problems == []
    assert any(line.startswith("nobody is enrolled") for line in found.warnings)


def test_each_cloud_in_use_is_looked_at_and_no_other(tmp_path: Path) -> None:
    found = checked(tmp_path, account("tencent_iai", tmp_path, "false_match_rate = 1e-6\n"), recogniser="tencent-iai")
    (problem,) = found.problems
    assert "a false match rate of 1e-06 is not documented" in problem
    assert checked(tmp_path, account("tencent_iai", tmp_path), recogniser="tencent-iai").problems == []
    both = checked(tmp_path, account("tencent_iai", tmp_path), recogniser="tencent-iai", second_opinion="tencent-legacy")
    assert "tencent_legacy.appid is empty; it stands in the vendor's console" in both.problems
    assert both.successors is not None
    assert "tencent-iai, confirmed by tencent-legacy → relay" in text(both)


def test_consent_is_missed_only_where_nobody_could_be_recognised_without(enrolled: Path) -> None:
    cloud = account("tencent_iai", enrolled)
    says = "portals.door.cloud_consent is false: no face may leave the box, so nobody is recognised"
    assert says not in checked(enrolled, cloud, recogniser="tencent-iai", fallback="on-device").warnings
    (enrolled / "gallery.sqlite").unlink()
    assert says in checked(enrolled, cloud, recogniser="tencent-iai").warnings


def test_a_door_that_a_photo_opens_is_a_warning(tmp_path: Path) -> None:
    says = "portals.door.liveness is off: a photo of somebody enrolled opens the door"
    assert says in checked(tmp_path, recogniser="tencent-iai", liveness="off").warnings
    assert says not in checked(tmp_path, recogniser="tencent-iai").warnings
    for policy in ("passive", "passive+challenge", "challenge"):
        assert says not in checked(tmp_path, recogniser="tencent-iai", liveness=policy).warnings


@pytest.mark.skipif(bool(list(Path("/dev").glob("gpiochip*"))), reason="this box has lines")
def test_a_line_that_is_not_there_is_a_problem(enrolled: Path) -> None:
    found = checked(enrolled, recogniser="on-device", relay="gpiod:GPIO17", fire="gpiod:gpiochip0/4", contact="sim:contact")
    assert found.problems == [
        "portals.door.relay: line_missing: gpiod:GPIO17: this box has no /dev/gpiochip",
        "portals.door.fire: line_missing: gpiod:gpiochip0/4: this box has no /dev/gpiochip",
    ]


def test_a_kernel_that_keeps_levels_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "keepers_of_levels", lambda: ["pinctrl_rp1"])
    told = [warning for warning in checked(tmp_path, relay="gpiod:GPIO17").warnings if "strict_gpiod" in warning]
    assert [warning.partition(" ")[0] for warning in told] == ["pinctrl_rp1"]
    assert not any("strict_gpiod" in warning for warning in checked(tmp_path, relay="sim:door").warnings)


def test_the_clouds_vote_on_liveness_needs_an_account(enrolled: Path) -> None:
    says = "tencent_iai.secret_id_file"
    voting = "[liveness]\ncloud = true\n"
    assert any(says in problem for problem in checked(enrolled, voting, recogniser="on-device").problems)
    assert not any(says in problem for problem in checked(enrolled, voting, recogniser="on-device", liveness="off").problems)
    assert not any(says in problem for problem in checked(enrolled, recogniser="on-device").problems)


def test_a_strategy_that_misses_something_is_a_warning(tmp_path: Path) -> None:
    def told(**portal: str) -> str:
        asked = {f"portals.door.{name}": value for name, value in portal.items()}
        return "\n".join(survey(load(None, {"site.state_dir": str(tmp_path), **asked})).warnings)

    assert "strategy" not in told(recogniser="tencent-iai")
    compared = told(recogniser="tencent-legacy", strategy="identify+confirm")
    assert "/face/compare needs photos" in compared
    assert "takes no masks" in compared
    assert "CompareMaskFace needs photos" in told(recogniser="tencent-legacy", strategy="identify+confirm", confirm="tencent-iai")
    claimed = told(recogniser="tencent-iai", strategy="claim+compare")
    assert "only a claim by HTTP" in claimed
    assert "only a claim by HTTP" not in told(recogniser="tencent-iai", strategy="claim+compare", codes="true")
    assert "confirm is not used" in told(recogniser="tencent-iai", strategy="crowd", confirm="on-device")
