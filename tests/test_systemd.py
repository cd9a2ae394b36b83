"""The unit: what systemd's own tools say of it, and that it fits the daemon and lets the eye do its work."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk import configuration, settings
from kiosk.errors import ConfigurationError

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "systemd" / "kiosk.service"
ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed: apt-get install -y systemd")


@pytest.fixture(scope="module")
def service() -> dict[str, str]:
    """The keys of [Service]; one that stands several times has its values joined by blanks."""
    section = UNIT.read_text(encoding="utf-8").partition("[Service]\n")[2].partition("[Install]")[0]
    keys: dict[str, str] = {}
    for line in section.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            keys[key] = f"{keys[key]} {value}" if key in keys else value
    return keys


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ANALYZE), *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def runnable(tmp_path: Path) -> Path:
    """The unit with a program that exists here; nothing else is changed."""
    copy = tmp_path / UNIT.name
    true = shutil.which("true")
    text, replaced = re.subn(r"(?m)^(Exec\w+=-?)\S+", rf"\1{true}", UNIT.read_text(encoding="utf-8"))
    assert replaced == 3
    copy.write_text(text, encoding="utf-8")
    return copy


@needs_systemd
def test_systemd_finds_nothing_wrong(runnable: Path) -> None:
    verdict = analyze("verify", "--man=no", "--recursive-errors=yes", str(runnable))
    assert (verdict.returncode, verdict.stdout + verdict.stderr) == (0, "")


@needs_systemd
def test_exposure_stays_under_two(runnable: Path) -> None:
    verdict = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(runnable))
    assert verdict.returncode == 0, verdict.stdout


def test_the_watchdog_and_the_restarts_fit_the_daemon(service: dict[str, str]) -> None:
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "main"
    assert service["WatchdogSec"] == "10"
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == str(ConfigurationError.EXIT_CODE)


def test_a_reload_is_the_signal_the_daemon_takes_for_one(service: dict[str, str]) -> None:
    assert service["ExecReload"] == "kill -HUP $MAINPID"


def test_every_variable_is_a_setting(service: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    variables = dict(word.split("=", 1) for word in service["Environment"].split())
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("%S", "/var/lib").replace("%C", "/var/cache"))
    read = configuration.load()
    assert read.site.state_dir == Path("/var/lib") / service["StateDirectory"]
    assert read.site.models_dir.is_relative_to(Path("/var/cache") / service["CacheDirectory"])


def test_the_credentials_are_the_ones_the_settings_name(service: dict[str, str]) -> None:
    handed_over = {line.partition(":")[0] for line in service["LoadCredential"].split()}
    legacy = settings.TencentLegacySettings()
    assert {str(legacy.secret_id_file), str(legacy.secret_key_file)} == handed_over


FILTERED_EYE = """
import errno, sys
import pyseccomp
from kiosk.eye.confinement import FORBIDDEN_FAMILIES, confine

allowed = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
for call in sys.argv[1:]:
    try:
        allowed.add_rule(pyseccomp.ALLOW, call)
    except OSError:  # a call of another architecture
        pass
allowed.load()
assert set(confine(required=True)) == set(FORBIDDEN_FAMILIES)
"""


def allowed_calls(words: list[str]) -> set[str]:
    """Expands systemd's groups into calls; `@default` is always allowed."""
    groups = [word for word in words if word.startswith("@")]
    calls = {word for word in words if not word.startswith("@")}
    for group in groups:
        listed = [line.strip() for line in analyze("syscall-filter", group).stdout.splitlines()[1:]]
        calls |= allowed_calls([word for word in listed if word and not word.startswith("#")])
    return calls


@needs_systemd
def test_the_eye_can_confine_itself_under_the_unit_s_filter(service: dict[str, str]) -> None:
    calls = allowed_calls([*service["SystemCallFilter"].split(), "@default"])
    eye = subprocess.run(
        [sys.executable, "-c", FILTERED_EYE, *sorted(calls)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert eye.returncode == 0, eye.stderr
