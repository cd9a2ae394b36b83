"""The configuration: what is read, what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.configuration import load, secret
from kiosk.errors import ConfigurationError
from kiosk.reference import reference
from kiosk.settings import Settings

ROOT = Path(__file__).parent.parent


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(write(tmp_path / "kiosk.toml", text))
    return str(caught.value)


def test_the_reference_file_is_what_the_settings_say() -> None:
    assert (ROOT / "config" / "kiosk.toml").read_text(encoding="utf-8") == reference()


def test_the_reference_file_loads_as_the_defaults_and_one_rule() -> None:
    read = load(ROOT / "config" / "kiosk.toml")
    assert [rule.name for rule in read.rules] == ["enrolled-people"]
    assert read.model_copy(update={"rules": ()}) == load()


def test_the_strongest_source_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "kiosk.toml", "[web]\nport = 1001\nhost = '127.0.0.2'\n[site]\nname = 'lobby'\n")
    monkeypatch.setenv("KIOSK_WEB__PORT", "1002")
    assert load(file).web.port == 1002
    read = load(file, {"web.port": "1003"})
    assert (read.web.port, read.web.host, read.site.name) == (1003, "127.0.0.2", "lobby")


def test_a_camera_can_be_changed_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "kiosk.toml", "[cameras.front]\nurl = 'file:a.mp4'\nfps = 10\n")
    monkeypatch.setenv("KIOSK_CAMERAS__FRONT__URL", "file:b.mp4")
    camera = load(file).cameras["front"]
    assert (camera.url, camera.fps) == ("file:b.mp4", 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[web]\nprot = 1\n", "web.prot: unknown setting; did you mean 'port'?"),
        ("[wbe]\nport = 1\n", "wbe: unknown setting; did you mean 'web'?"),
        ("[portals.door]\nrelais = 'sim:a'\n", "portals.door.relais: unknown setting; did you mean 'relay'?"),
        ("[web]\nport = 70000\n", "web.port: Input should be less than or equal to 65535, found 70000"),
        ("[cameras.front]\nurl = 'v4l:/dev/video0'\n", "did you mean 'v4l2'?"),
        ("[portals.door]\ncamera = 'frnt'\n", "which is not in [cameras]; did you mean 'front'?"),
        ("[portals.a]\n[portals.b]\n", "two portals share the relay 'sim:door'"),
        ("[portals.a]\n[portals.b]\nrelay = 'sim:b'\n", "two portals share the camera 'front'"),
        ("[portals.a]\nrecogniser = 'on-devise'\n", "portals.a.recogniser: Input should be 'tencent-legacy'"),
        ("[portals.a]\nrecogniser = 'on-device'\nfallback = 'on-device'\n", "portals.a: 'on-device' stands twice"),
        ("[portals.a]\nfallback = 'on-device'\nsecond_opinion = 'on-device'\n", "nor confirm itself"),
        ("[tencent_legacy]\nendpoint = 'http://example.com'\n", "would send faces unencrypted"),
        ("[web]\npage = true\nhost = '0.0.0.0'\n", "host must be loopback"),
        ("[[rules]]\nname = 'a'\nwhen = 'true'\neffect = 'allow'\n", "rules.0.effect"),
        (2 * "[[rules]]\nname='a'\nwhen='true'\neffect='deny'\n", "two rules are called 'a'"),
        ("[web\n", "not TOML"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, "[web]\nprot = 1\n[site]\nnmae = 'x'\n")
    assert "web.prot" in said
    assert "site.nmae" in said


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("KIOSK_WEB__PROT", "KIOSK_WEB__PORT"),
        ("KIOSK_WBE__PORT", "KIOSK_WEB__PORT"),
        ("KIOSK_CAMERAS__FRONT__ULR", "KIOSK_CAMERAS__*__URL"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch, variable: str, near: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConfigurationError, match="configuration_unknown_variable") as caught:
        load()
    assert near in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="configuration_missing"):
        load(tmp_path / "none.toml")


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().web = None  # type: ignore[assignment]  # that it cannot be assigned is the point


def test_the_engines_in_use_are_those_some_portal_names() -> None:
    assert load().engines == {"tencent-legacy"}
    read = load(None, {"portals.door.recogniser": "on-device", "portals.door.second_opinion": "tencent-iai"})
    assert read.portals["door"].engines == ("on-device", "tencent-iai")
    assert read.engines == {"on-device", "tencent-iai"}


def test_a_secret_is_read_from_systemds_credentials_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "key", " s3cret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert secret(Path("key")) == "s3cret"


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_missing_or_empty_secret_is_an_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        write(tmp_path / "key", content)
    with pytest.raises(ConfigurationError, match="secret_missing"):
        secret(tmp_path / "key")


def test_no_setting_holds_a_secret_itself() -> None:
    names = {name for section in Settings.model_fields.values() for name in getattr(section.annotation, "model_fields", {})}
    assert {name for name in names if "secret" in name or "token" in name} == {"secret_id_file", "secret_key_file", "token_file"}
