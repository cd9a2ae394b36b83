"""Pictures sent to the older interfaces, seen by the eye, and what is wrong with them by the older codes."""

from __future__ import annotations

from kiosk.domain import Box
from kiosk.errors import CameraError, PhotoRejected
from kiosk.ports import AnalysedFace, AnalysedPhoto, PhotoAnalyser
from kiosk.sandbox.refusals import Refusal

_CODES = {"image_decode_failed": -1102, "image_format_unknown": -1400, "image_too_large": 23, "image_too_small": -1101}


class Photos:
    """Photos are decoded and measured by `analyser`, outside this process. Event loop only. Raises Refusal."""

    def __init__(self, analyser: PhotoAnalyser) -> None:
        self._analyser = analyser

    async def look(self, image: bytes | None, url: str) -> AnalysedPhoto:
        """At least one face is in it."""
        if url:
            raise Refusal(-1308, "the sandbox fetches nothing")
        if not image:
            raise Refusal(-1300)
        try:
            photo = await self._analyser.analyse(image)
        except PhotoRejected as error:
            raise Refusal(_CODES.get(error.slug, -1102), error.slug) from error
        except CameraError as error:
            raise Refusal(213, error.slug) from error
        if not photo.faces:
            raise Refusal(-1101)
        return photo

    async def largest_face(self, image: bytes | None, url: str) -> AnalysedFace:
        return (await self.look(image, url)).faces[0]


def rectangle(box: Box) -> dict[str, int]:
    return {"x": round(box.x), "y": round(box.y), "width": round(box.width), "height": round(box.height)}
