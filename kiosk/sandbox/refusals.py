"""How the sandbox says no: by the vendor's codes."""

from __future__ import annotations

from kiosk.errors import KioskError
from kiosk.recognition.tencent.codes import LEGACY


class Refusal(KioskError):
    """Answered as `{"code": …, "message": …, "data": {}}`."""

    def __init__(self, code: int, detail: str = "") -> None:
        entry = LEGACY[code]
        super().__init__(entry.slug, detail or entry.meaning)
        self.code = code
