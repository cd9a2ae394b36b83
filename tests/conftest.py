"""What several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiosk.capture.script import assets
from kiosk.settings import SiteSettings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KIOSK_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where scripts/test has put the model weights."""
    return SiteSettings().models_dir


@pytest.fixture(scope="session")
def people() -> Path:
    """The pictures of the package openpeople: one folder a person, P001–P010."""
    return assets("P001").parent.parent
