"""What stands in the log: one object a line under systemd, whoever wrote it."""

from __future__ import annotations

import logging
import warnings

import msgspec
import pytest

from kiosk import logs
from kiosk.settings import LogSettings


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in capsys.readouterr().err.splitlines()]


def test_a_librarys_warning_stands_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogSettings(format="json"))
    logging.getLogger("asyncio").warning("Unknown child process pid %d", 7)
    logging.getLogger("asyncio").info("nobody wants to know")
    [line] = written(capsys)
    assert (line["event"], line["level"], line["library"]) == ("library", "warning", "asyncio")
    assert line["message"] == "Unknown child process pid 7"


def test_its_traces_are_told_without_what_the_variables_held(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogSettings(format="json"))
    held = {"picture": b"a face"}
    try:
        held["nothing"]
    except KeyError:
        logging.getLogger("some.library").exception("broke")
    [line] = written(capsys)
    assert str(line["trace"]).endswith("KeyError: 'nothing'")
    assert "a face" not in str(line)


def test_python_warnings_stand_there_too(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure(LogSettings(format="json"))
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    [line] = written(capsys)
    assert "DeprecationWarning: old" in str(line["message"])


def test_configured_twice_a_line_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogSettings(format="json"))
    logs.configure(LogSettings(format="json", level="error"))
    logging.getLogger("library").warning("too quiet")
    logging.getLogger("library").error("loud")
    assert [line["message"] for line in written(capsys)] == ["loud"]
