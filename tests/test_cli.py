"""The commands as a user types them."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from kiosk import __version__, slugs
from kiosk.journal.log import Journal
from kiosk.settings import SiteSettings

ROOT = Path(__file__).parent.parent


def kiosk(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kiosk", *arguments], capture_output=True, text=True, timeout=60, check=False, cwd="/"
    )


def test_version() -> None:
    assert kiosk("version").stdout.strip() == __version__


@pytest.mark.parametrize("room", ["cloud", "gallery", "rules", "camera", "look", "quality", "gpio", "credentials"])
def test_a_room_is_entered(room: str) -> None:
    done = kiosk(room, "--help")
    assert (done.returncode, f"Usage: kiosk {room}" in done.stdout) == (0, True)


def test_the_reference_is_printed() -> None:
    assert kiosk("reference").stdout == (ROOT / "config" / "kiosk.toml").read_text()


def test_a_mistake_in_the_configuration_ends_with_ex_config(tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text("[web]\nprot = 1\n")
    done = kiosk("run", "--config", str(tmp_path / "kiosk.toml"))
    assert done.returncode == 78
    assert "configuration_invalid" in done.stderr
    assert "did you mean 'port'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("override", "words"),
    [("web.prot=1", "did you mean 'port'?"), ("web.port", "write it as section.key=value"), ("web.port=x", "valid integer")],
)
def test_an_override_is_checked_like_the_file(override: str, words: str) -> None:
    done = kiosk("check", "--set", override)
    assert (done.returncode, words in done.stderr) == (78, True)


def test_check_names_everything_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text(
        f"""
[site]
state_dir = "{tmp_path}"
models_dir = "{tmp_path}/models"
[cameras.front]
url = "v4l2:/dev/video99"
[[rules]]
name = "typo"
when = "verdikt.kind == 'match'"
effect = "grant"
"""
    )
    done = kiosk("check", "--config", str(tmp_path / "kiosk.toml"))
    assert done.returncode == 78
    for words in (
        "/dev/video99 is no camera device",
        "model_missing",
        "secret_missing",
        "appid is empty",
        "unknown name 'verdikt.kind'",
    ):
        assert words in done.stdout, done.stdout


def test_check_says_what_would_run(tmp_path: Path) -> None:
    for name in ("id", "key"):
        (tmp_path / name).write_text("x" * 20)
    (tmp_path / "kiosk.toml").write_text(
        f"""
[site]
state_dir = "{tmp_path}"
models_dir = "{SiteSettings().models_dir}"
[cameras.front]
url = "scene:demo"
[tencent_legacy]
appid = "10000001"
group_ids = ["staff"]
secret_id_file = "{tmp_path}/id"
secret_key_file = "{tmp_path}/key"
[[rules]]
name = "staff"
when = "verdict.kind == 'match'"
effect = "grant"
"""
    )
    done = kiosk("check", "--config", str(tmp_path / "kiosk.toml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scene:demo" in done.stdout
    assert "cloud_consent is false" in done.stdout
    assert "ready to run" in done.stdout


async def test_journal_verify_fails_where_a_byte_was_changed(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite")
    await journal.append("granted", "door", 1, {"person": "alice"})
    await journal.close()
    site = ("--set", f"site.state_dir={tmp_path}")
    whole = kiosk("journal", "verify", "--json", *site)
    assert (whole.returncode, msgspec.json.decode(whole.stdout)["ok"]) == (0, True)
    assert "alice" in kiosk("journal", "tail", *site).stdout
    file = tmp_path / "journal.sqlite"
    file.write_bytes(file.read_bytes().replace(b"alice", b"alicf"))
    broken = kiosk("journal", "verify", *site)
    assert (broken.returncode, broken.stdout) == (1, "broken: row 1 was changed after it was written\n")


def test_a_missing_journal_is_a_clear_error(tmp_path: Path) -> None:
    done = kiosk("journal", "tail", "--set", f"site.state_dir={tmp_path}")
    assert (done.returncode, "journal_missing" in done.stderr) == (1, True)


@pytest.mark.parametrize("module", ["cv2", "mediapipe", "numpy"])
def test_the_daemon_never_loads_native_vision(module: str) -> None:
    code = f"import sys, kiosk.service, kiosk.cli; print({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_slug_stands_in_two_parts_of_the_table() -> None:
    assert Counter(slug for part in slugs.PARTS for slug in part) == Counter(dict.fromkeys(slugs.TABLE, 1))


def test_every_slug_has_its_sentences() -> None:
    for slug, entry in slugs.TABLE.items():
        assert all(entry.operator), slug
        assert bool(entry.person[0]) == bool(entry.person[1]), slug
    shown = {"guidance", "refusal", "portal"}
    silent = {slug for slug, entry in slugs.TABLE.items() if entry.kind in shown and not any(entry.person)}
    assert silent == {"command_done", "command_too_late", "door_forced", "duress", "input_lost"}
    assert slugs.to_person("blurred", "zh") == "请保持不动"
    assert slugs.to_operator("blurred") == "face less sharp than min_sharpness"
