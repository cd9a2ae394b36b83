"""Pictures sent to the older interfaces, seen by the eye, and what is wrong with them by the older codes."""

from __future__ import annotations

from kiosk.domain import Box
from kiosk.errors import CameraError, KioskError, PhotoRejected
from kiosk.ports import AnalysedFace, AnalysedPhoto, PhotoAnalyser, Wish
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.refusals import Refusal

EVERY_FACE = Wish(quality=False, embed="all")
LARGEST_FACE = Wish(quality=False, embed="largest")
ENROLLED_FACE = Wish(quality=True, embed="largest", upper=True)
"""With what the gallery keeps of a face."""

_CODES = {"image_decode_failed": -1102, "image_format_unknown": -1400, "image_too_large": 23, "image_too_small": -1101}


class Photos:
    """Photos are decoded and measured by `analyser`, outside this process. Event loop only. Raises Refusal."""

    def __init__(self, analyser: PhotoAnalyser, fetcher: Fetcher) -> None:
        self._analyser = analyser
        self._fetcher = fetcher

    async def look(self, image: bytes | None, url: str, wish: Wish = EVERY_FACE) -> AnalysedPhoto:
        """At least one face is in it. Of picture and address, the address counts."""
        picture = await self._fetched(url) if url else image
        if not picture:
            raise Refusal(-1300)
        try:
            photo = await self._analyser.analyse(picture, wish)
        except PhotoRejected as error:
            raise Refusal(_CODES.get(error.slug, -1102), error.slug) from error
        except CameraError as error:
            raise Refusal(15 if error.slug == "eye_busy" else 213, error.slug) from error
        if not photo.faces:
            raise Refusal(-1101)
        return photo

    async def largest_face(self, image: bytes | None, url: str, wish: Wish = ENROLLED_FACE) -> AnalysedFace:
        return (await self.look(image, url, wish)).faces[0]

    async def _fetched(self, url: str) -> bytes:
        try:
            return await self._fetcher.fetch(url)
        except KioskError as error:
            raise Refusal(-1308, error.slug) from error


def rectangle(box: Box) -> dict[str, int]:
    return {"x": round(box.x), "y": round(box.y), "width": round(box.width), "height": round(box.height)}
