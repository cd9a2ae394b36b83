"""What several test files share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from kiosk.capture.script import assets
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


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where scripts/test has put the model weights."""
    return SiteSettings().models_dir


@pytest.fixture(scope="session")
def people() -> Path:
    """The pictures of the package openpeople: one folder a person, P001–P010."""
    return assets("P001").parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: side by side with the others, and not alone at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    every = Counter(item.path for item in items)
    items.sort(key=lambda item: -slow[item.path] / every[item.path])
