"""What several test files share."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

from kiosk.capture.script import assets
from kiosk.logs import Libraries
from kiosk.settings import SiteSettings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KIOSK_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command run inside a test sets the logs up for its own standard error, which ends with the test."""
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    for handler in [handler for handler in logging.getLogger().handlers if isinstance(handler, Libraries)]:
        logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where scripts/test has put the model weights."""
    return SiteSettings().models_dir


@pytest.fixture(scope="session")
def people() -> Path:
    """The pictures of the package openpeople: one folder a person, P001–P010."""
    return assets("P001").parent.parent


SCENES = frozenset({"test_demo.py", "test_demo_strategies.py", "test_examples.py", "test_obeying.py"})
"""Files that play scenes with all processes, each of them enough work for a small machine."""


class OneSceneAtATime(LoadFileScheduling):  # type: ignore[misc]  # the library has no types
    """Whole files side by side, but those with scenes one after the other: two would take each other's frames."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "scenes" if Path(file).name in SCENES else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneSceneAtATime:
    return OneSceneAtATime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Scenes first, then slow files: side by side with the others, and not alone at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    every = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.name not in SCENES, -slow[item.path] / every[item.path]))
