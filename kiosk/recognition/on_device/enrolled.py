"""Stand-in: what the gallery holds."""

from __future__ import annotations

from kiosk.recognition.on_device.gallery import CURRENT, OLD

__all__ = ["CURRENT", "OLD"]
