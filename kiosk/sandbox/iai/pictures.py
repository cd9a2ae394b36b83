"""Pictures sent to the current interfaces, seen by the eye, and what is wrong with them by the vendor's codes."""

from __future__ import annotations

import base64
import binascii
import re

from msgspec.structs import replace

from kiosk.domain import Box
from kiosk.errors import CameraError, KioskError, PhotoRejected
from kiosk.ports import USUAL, AnalysedFace, AnalysedPhoto, PhotoAnalyser, Wish
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.iai.parameters import EMPTY, ILLEGAL
from kiosk.sandbox.refusals import Refused

MAX_BASE64 = 5 * 1024 * 1024
"""Characters; the documents say 5 M, and the larger reading refuses nobody whom the vendor takes."""
LONG_SIDE = 2000
"""Pixels, of anything but JPEG, whose limit the eye knows."""
ENROLLED = Wish(quality=True, embed="largest", upper=True)
"""With what the gallery keeps of a face."""
NO_FACE = f"{ILLEGAL}NoFaceInPhoto"
UNQUALIFIED = "FailedOperation.FaceQualityNotQualified"
_CODES = {
    "image_decode_failed": "FailedOperation.ImageDecodeFailed",
    "image_format_unknown": "FailedOperation.ImageDecodeFailed",
    "image_too_large": "FailedOperation.ImageResolutionExceed",
    "image_too_small": "FailedOperation.ImageResolutionTooSmall",
}
_TROUBLE = {"eye_busy": "RequestLimitExceeded", "eye_wedged": "FailedOperation.RequestTimeout"}


class Pictures:
    """Photos are decoded and measured by `analyser`, outside this process. Event loop only. Raises Refused."""

    def __init__(self, analyser: PhotoAnalyser, fetcher: Fetcher) -> None:
        self._analyser = analyser
        self._fetcher = fetcher

    async def look(self, image: str | None, url: str | None, wish: Wish = USUAL) -> AnalysedPhoto:
        """At least one face is in it. Of picture and address, the address counts."""
        picture = await self._fetched(url) if url else _decoded(image)
        try:
            photo = await self._analyser.analyse(picture, wish)
        except PhotoRejected as error:
            raise Refused(_CODES.get(error.slug, "FailedOperation.ImageDecodeFailed")) from error
        except CameraError as error:
            raise Refused(_TROUBLE.get(error.slug, "FailedOperation.ServerError")) from error
        if photo.format != "jpeg" and max(photo.width, photo.height) > LONG_SIDE:
            raise Refused("FailedOperation.ImageResolutionExceed")
        if not photo.faces:
            raise Refused(NO_FACE)
        return photo

    async def face(
        self,
        image: str | None,
        url: str | None,
        control: int,
        wish: Wish = ENROLLED,
        *,
        surest: bool = False,
        rotate: bool = False,
    ) -> AnalysedFace:
        """The largest face or the `surest` one; it must be as good as `control` asks.

        `rotate`: a picture without an upright face is turned until it has one.
        """
        wish = replace(wish, quality=wish.quality or control > 0, embed="largest", rotate=rotate)
        photo = await self.look(image, url, wish)
        if surest and len(photo.faces) > 1:
            # Most photos show one face, and to look for others takes as long as all the rest.
            photo = await self.look(image, url, replace(wish, embed="all"))
        face = max(photo.faces, key=lambda face: face.face.score) if surest else photo.faces[0]
        if not qualified(face, control):
            raise Refused(UNQUALIFIED)
        return face

    async def _fetched(self, url: str) -> bytes:
        if not _is_address(url):
            raise Refused(f"{ILLEGAL}UrlIllegal")
        try:
            picture = await self._fetcher.fetch(url)
        except KioskError as error:
            raise Refused("FailedOperation.ImageDownloadError") from error
        if 4 * len(picture) > 3 * MAX_BASE64:
            raise Refused("FailedOperation.ImageSizeExceed")
        return picture


def qualified(face: AnalysedFace, control: int) -> bool:
    """By the eye's own grade, which is 0 for a face with any defect. `control` 0 takes every face."""
    return face.quality.grade >= control


def rectangle(box: Box) -> dict[str, int]:
    return {"X": round(box.x), "Y": round(box.y), "Width": round(box.width), "Height": round(box.height)}


def _is_address(url: str) -> bool:
    return re.fullmatch(r"https?://[!-~]+", url, re.IGNORECASE) is not None


def _decoded(image: str | None) -> bytes:
    if image is None:
        raise Refused(EMPTY)
    if not image:
        raise Refused(f"{ILLEGAL}ImageEmpty")
    if len(image) > MAX_BASE64:
        raise Refused("FailedOperation.ImageSizeExceed")
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("FailedOperation.ImageDecodeFailed") from error
