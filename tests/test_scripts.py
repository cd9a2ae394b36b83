"""Set-up: what the scripts do, in which order, and what stops them; the locks; the check of the system.

The scripts run for real, in a copy of what they need; only the Python interpreter they are given is a
recorder, because a real environment takes a minute. scripts/test has made that one before these tests run.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kiosk import system
from kiosk.settings import SiteSettings

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted([*(file for file in (ROOT / "scripts").iterdir() if file.suffix != ".lock"), ROOT / ".ci" / "run"])
LOCKS = ["requirements.lock", "scripts/build.lock", "tests/requirements.lock"]
SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

RECORDER = """#!/bin/sh
[ "$2" = venv ] || printf '%s\\n' "${0##*/} $*" >>"$LOG"
case "$1 $2" in
    "-c "*maxsize*) echo "3.11.9 True $0" ;;
    "-m kiosk.system") exit "${SYSTEM_LACKS:-0}" ;;
    "-m pip") case " $* " in *" ${PIP_FAILS_ON:-nothing} "*) exit 1 ;; esac ;;
    "-m venv")
        printf 'venv\\n' >>"$LOG"
        for folder; do :; done
        rm -rf "$folder"
        mkdir -p "$folder/bin"
        for tool in python kiosk ruff mypy lint-imports pytest; do cp "$0" "$folder/bin/$tool"; done ;;
    check*) exit "${RUFF_FAILS:-0}" ;;
esac
"""


class Checkout:
    """A copy of the repository's set-up files in a folder with a blank, and a log of what was run."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.log = folder / "log"
        self.python = folder / "recorder"
        self.python.write_text(RECORDER)
        self.python.chmod(0o755)
        for file in ["pyproject.toml", "config/kiosk.toml", "systemd/kiosk.service", *LOCKS]:
            (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, self.root / file)
        for script in SCRIPTS:
            (self.root / script.relative_to(ROOT)).parent.mkdir(exist_ok=True)
            shutil.copy(script, self.root / script.relative_to(ROOT))

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs it from elsewhere; the log begins anew."""
        self.log.write_text("")
        environment = os.environ | {"LOG": str(self.log), "PYTHON": str(self.python)} | variables
        command = [str(self.root / script), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/", timeout=60)

    @property
    def ran(self) -> list[str]:
        return self.log.read_text().splitlines()

    @property
    def installed(self) -> list[str]:
        return [line for line in self.ran if line.startswith("python -m pip install")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed: apt-get install -y shellcheck")
def test_shellcheck_finds_nothing() -> None:
    command = [str(SHELLCHECK), "-x", "-P", str(ROOT), *map(str, SCRIPTS)]
    verdict = subprocess.run(command, capture_output=True, text=True, check=False)
    assert verdict.stdout == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_executable_and_stop_at_the_first_error(script: Path) -> None:
    sourced = script.name == "environment.sh"
    assert bool(mode(script) & 0o111) != sourced
    assert sourced or re.search(r"^set -eu", script.read_text(), re.MULTILINE)


def test_setup_installs_locked_packages_the_project_and_the_models(checkout: Checkout) -> None:
    done = checkout.run("scripts/setup")
    assert done.returncode == 0, done.stderr
    build, locked, project = checkout.installed
    for line, lock in (build, "scripts/build.lock"), (locked, "requirements.lock"):
        assert "--no-deps" in line
        assert "--require-hashes" in line
        assert line.endswith(f"-r {checkout.root}/{lock}")
    assert project.endswith("--no-build-isolation -e .")
    assert checkout.ran[-1].startswith("python -m kiosk.vision.models ")


def test_setup_asks_the_system_before_it_downloads(checkout: Checkout) -> None:
    done = checkout.run("scripts/setup", SYSTEM_LACKS="1")
    assert done.returncode == 1
    assert checkout.installed == []
    assert "venv" not in checkout.ran


def test_a_second_setup_installs_nothing(checkout: Checkout) -> None:
    checkout.run("scripts/setup")
    done = checkout.run("scripts/setup")
    assert (done.returncode, checkout.installed) == (0, [])
    assert checkout.ran[-1].startswith("python -m kiosk.vision.models ")


@pytest.mark.parametrize(("file", "count", "anew"), [("requirements.lock", 3, True), ("pyproject.toml", 1, False)])
def test_setup_redoes_what_a_change_asks_for(checkout: Checkout, file: str, count: int, anew: bool) -> None:
    checkout.run("scripts/setup")
    with (checkout.root / file).open("a") as changed:
        changed.write("# changed\n")
    checkout.run("scripts/setup")
    assert len(checkout.installed) == count
    assert ("venv" in checkout.ran) == anew


def test_a_moved_checkout_is_set_up_again(checkout: Checkout) -> None:
    checkout.run("scripts/setup")
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.run("scripts/setup")
    assert "venv" in checkout.ran


def test_an_interrupted_setup_is_done_again(checkout: Checkout) -> None:
    failed = checkout.run("scripts/setup", PIP_FAILS_ON="--use-pep517")
    assert failed.returncode != 0
    done = checkout.run("scripts/setup")
    assert (done.returncode, len(checkout.installed)) == (0, 3)


def test_an_old_python_is_refused_with_the_command_that_helps(checkout: Checkout) -> None:
    done = checkout.run("scripts/setup", PYTHON="/bin/false")
    assert done.returncode == 1
    assert "apt-get install -y python3.11-venv" in done.stderr


@pytest.mark.parametrize(("script", "command"), [("demo", "kiosk demo"), ("bench", "python -m kiosk.bench")])
def test_the_thin_scripts_hand_their_options_on(checkout: Checkout, script: str, command: str) -> None:
    done = checkout.run(f"scripts/{script}", "--seconds", "2")
    assert done.returncode == 0, done.stderr
    assert checkout.ran[-1] == f"{command} --seconds 2"


def test_ci_runs_every_check_in_order(checkout: Checkout) -> None:
    done = checkout.run(".ci/run")
    assert done.returncode == 0, done.stderr
    assert checkout.ran[-5:] == [
        "ruff check",
        "ruff format --check",
        "mypy ",
        "lint-imports ",
        "pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder",
    ]
    assert "-r tests/requirements.lock" in checkout.installed[-1]
    assert "== scripts/uml skipped: its kernel is not built" in done.stdout
    assert re.search(r"== all passed\n== \d+ s in all\n$", done.stdout)


def test_the_first_failing_check_ends_the_tests(checkout: Checkout) -> None:
    done = checkout.run("scripts/test", RUFF_FAILS="7")
    assert done.returncode == 7
    assert checkout.ran[-1] == "ruff check"
    assert "all passed" not in done.stdout
    assert " s in all" in done.stdout


def test_install_puts_everything_in_its_place(checkout: Checkout, tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    done = checkout.run("scripts/install.sh", DESTDIR=str(stage))
    assert done.returncode == 0, done.stderr
    assert "nothing was started" in done.stdout
    assert mode(stage / "etc/kiosk/kiosk.toml") == 0o640
    assert mode(stage / "etc/kiosk/credentials") == 0o700
    assert mode(stage / "etc/kiosk/credentials/tencent-secret-key") == 0o600
    assert (stage / "etc/systemd/system/kiosk.service").read_bytes() == (ROOT / "systemd/kiosk.service").read_bytes()
    assert 'GROUP="gpio"' in (stage / "etc/udev/rules.d/60-kiosk-gpio.rules").read_text()
    assert checkout.installed[-1].endswith(f"--force-reinstall {checkout.root}")
    assert checkout.ran[-1] == "kiosk models fetch"
    assert (stage / "var/cache/kiosk/models").is_dir()


def test_install_twice_keeps_settings_secrets_and_packages(checkout: Checkout, tmp_path: Path) -> None:
    etc = tmp_path / "stage/etc/kiosk"
    checkout.run("scripts/install.sh", DESTDIR=str(tmp_path / "stage"))
    (etc / "kiosk.toml").write_text("mine")
    (etc / "credentials/tencent-secret-id").write_text("mine")
    done = checkout.run("scripts/install.sh", DESTDIR=str(tmp_path / "stage"))
    assert done.returncode == 0, done.stderr
    assert (etc / "kiosk.toml").read_text() == "mine"
    assert (etc / "credentials/tencent-secret-id").read_text() == "mine"
    assert len(checkout.installed) == 1


def test_install_refuses_a_relative_stage(checkout: Checkout) -> None:
    done = checkout.run("scripts/install.sh", DESTDIR="stage")
    assert (done.returncode, checkout.ran) == (1, [])


def test_setup_fetches_the_models_to_where_the_settings_look() -> None:
    (named,) = re.findall(r'kiosk\.vision\.models "(\S+)"', (ROOT / "scripts/setup").read_text())
    assert Path(os.path.expandvars(named)) == SiteSettings().models_dir


def pins(lock: str) -> list[tuple[Requirement, str]]:
    """The lock's requirements, each with the text of its hashes."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / lock).read_text()).replace("\\\n", "")
    lines = [line for line in text.splitlines() if line.strip()]
    return [(Requirement(line.split(" --hash")[0].strip()), line) for line in lines]


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_pin_everything_with_hashes_and_name_no_place(lock: str) -> None:
    for requirement, line in pins(lock):
        assert [specifier.operator for specifier in requirement.specifier] == ["=="]
        assert "--hash=sha256:" in line
    assert not re.search(r"://|--index|--find-links|(?m:^\s*#\s*/)", (ROOT / lock).read_text())


def test_locks_agree_with_each_other() -> None:
    pinned: dict[tuple[str, str], str] = {}
    for lock in LOCKS:
        for requirement, _ in pins(lock):
            key = (canonicalize_name(requirement.name), str(requirement.marker))
            assert pinned.setdefault(key, str(requirement.specifier)) == str(requirement.specifier)


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        "requirements.lock": [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["demo"]],
        "scripts/build.lock": project["dependency-groups"]["build"],
        "tests/requirements.lock": project["project"]["optional-dependencies"]["test"],
    }
    for lock, lines in asked.items():
        pinned = {canonicalize_name(requirement.name): requirement for requirement, _ in pins(lock)}
        for wanted in map(Requirement, lines):
            (pin,) = pinned[canonicalize_name(wanted.name)].specifier
            assert wanted.specifier.contains(pin.version), f"{lock}: run scripts/lock"


def test_exactly_one_package_brings_cv2() -> None:
    for lock in ("requirements.lock", "tests/requirements.lock"):
        names = [requirement.name for requirement, _ in pins(lock) if requirement.name.startswith("opencv")]
        assert names == ["opencv-contrib-python"]


def test_a_missing_library_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "LIBRARIES", {"libc.so.6": "libc6", "libabsent.so.7": "libabsent7", "libgone.so.1": "libabsent7"})
    assert [each.what for each in system.missing()] == ["libabsent.so.7", "libgone.so.1"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert system.report().endswith("install with\n  sudo apt-get install -y libabsent7")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert system.report().endswith("install with\n  apt-get install -y libabsent7")
    assert system.main() == 1


def test_a_complete_system_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(system, "LIBRARIES", {"libc.so.6": "libc6"})
    assert system.main() == 0
    assert "all shared libraries are there" in capsys.readouterr().out


def test_the_system_is_checked_without_any_installed_package() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import kiosk.system; print(len(kiosk.system.missing()))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip().isdigit()
