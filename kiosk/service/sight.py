"""Whether one camera's pictures can be believed, as its eye says: counted, shown and written down when it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kiosk import slugs
from kiosk.service.tally import Tally

Record = Callable[[str, Mapping[str, object]], None]


class Sight:
    """Event loop only. `record` writes a journal row of a kind; it may do so later."""

    def __init__(self, camera: str, tally: Tally, record: Record) -> None:
        self._camera = camera
        self._tally = tally
        self._record = record
        self._since = 0.0
        self.unsound: str | None = None
        """The slug of what is wrong now."""

    def look(self, at: float, unsound: str | None) -> bool:
        """What the eye says of the pictures at monotonic seconds `at`; True where they have just become unsound.

        A slug that is not in the table is an eye's that cannot be believed either; it counts as frozen.
        """
        slug = "camera_frozen" if unsound is not None and unsound not in slugs.TABLE else unsound
        if slug == self.unsound:
            return False
        began = self.unsound is None
        if not began:
            self._record("camera_sound", {"camera": self._camera, "slug": self.unsound, "seconds": round(at - self._since, 1)})
        self.unsound, self._since = slug, at
        if slug is None:
            self._tally.camera_sound(self._camera)
            return False
        self._record("camera_unsound", {"camera": self._camera, "slug": slug})
        self._tally.camera_unsound(self._camera, slug)
        return began
