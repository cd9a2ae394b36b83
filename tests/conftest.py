"""What several test files share."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

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
    spec = importlib.util.find_spec("openpeople")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data" / "curated"
