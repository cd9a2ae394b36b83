"""Reads photos that somebody hands in: enrolment pictures, and what reaches the sandbox. Trusts none of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, Self

import cv2
import numpy as np

from kiosk.domain import Face, QualityReport
from kiosk.errors import PhotoRejected
from kiosk.ports import USUAL, AnalysedFace, AnalysedPhoto, Wish
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision import models
from kiosk.vision.antispoof import UNTOLD, AntiSpoof
from kiosk.vision.assessor import MOST_FACES, Assessed, Assessor, load, others
from kiosk.vision.finder import turned
from kiosk.vision.landmarks import Landmarks
from kiosk.vision.mask import UNKNOWN, MaskClassifier
from kiosk.vision.pixels import Image

MAX_SIDE = 4000
"""Pixels; the vendor's limit for JPEG."""
MIN_SIDE = 64
"""Pixels; the vendor's limit."""
MAX_SCANS = 100
"""Of a progressive JPEG, which has about ten. Each scan costs a pass over the whole picture however few bytes it has."""
FIND_WIDTHS = (320, 640)
MOST_LANDMARKS = 10
"""Faces of a photo whose landmarks are given; as many as the vendor's AnalyzeFace answers."""
NOT_GRADED = QualityReport(measures={}, defects=(), grade=0)

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_BMP = b"BM"
_SCAN = b"\xff\xda"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The JPEG markers that carry the size; the three left out define tables (ITU T.81, table B.1)."""
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xDA)) | {0x01}
_FILL = 0xFF


class Header(NamedTuple):
    """`width` and `height` as stored, before EXIF orientation."""

    format: str
    width: int
    height: int


class PhotoReader:
    """Use as a context manager or call `close`. Threads: one at a time."""

    def __init__(self, quality: QualitySettings, eye: EyeSettings, models_dir: Path) -> None:
        """Raises CameraError `model_missing` or `model_invalid`."""
        self._models_dir, self._threads = models_dir, eye.threads
        self._networks = load(models_dir, eye, FIND_WIDTHS, embed=True, mask=False)
        self._assessor = Assessor(self._networks, quality, masks=lambda: self._masks)

    def read(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        """The photo's faces, the MOST_FACES largest, with what is wished of them; none is no error.

        Where only the largest gets an embedding, small faces beside it may be missing. With `rotate`, the photo is turned so
        that its faces stand upright, whether or not some were found as it was. `landmarks`: whatever the quality.

        Raises PhotoRejected: `image_format_unknown`, `image_too_large`, `image_too_small`, `image_decode_failed`;
        CameraError `model_missing` or `model_invalid` at the first wish for masks or liveness and the first face that may
        wear a mask.
        """
        header = read_header(photo)
        return self.look(decode(photo, header), header.format, wish)

    def look(self, image: Image, form: str, wish: Wish = USUAL) -> AnalysedPhoto:
        """The same of a picture (BGR) in memory; `form` is what the answer calls its format."""
        finder = self._networks.finder
        turns = finder.quarter_turns(image) if wish.rotate else 0
        image = turned(image, turns) if turns else image
        found = finder.find(image, every=wish.embed != "largest")[:MOST_FACES]
        faces = tuple(self._look(image, found, number, wish) for number in range(len(found)))
        return AnalysedPhoto(width=image.shape[1], height=image.shape[0], format=form, faces=faces, turned=turns)

    def _look(self, image: Image, every: Sequence[Face], number: int, wish: Wish) -> AnalysedFace:
        face = every[number]
        seen = Assessed(face, NOT_GRADED)
        if wish.quality:
            closely = wish.closely
            seen = self._assessor.closely(image, face, others(every, number)) if closely else self._assessor.grade(image, face)
        found = seen.landmarks
        if wish.landmarks and number < MOST_LANDMARKS and found is None:
            face, found = self._assessor.locate(image, face)
            seen = seen._replace(face=face)
        embedder = self._networks.embedder
        assert embedder is not None, "loaded with embed=True"
        embeds = wish.embed == "all" or (wish.embed == "largest" and number == 0)
        return AnalysedFace(
            face=seen.face,
            quality=seen.report,
            embedding=embedder.embed(image, face) if embeds else None,
            upper=embedder.embed_upper(image, face) if embeds and wish.upper else None,
            mask=self._masks.worn(image, face.box) if wish.mask else UNKNOWN,
            live=self._live(image, face) if wish.live else UNTOLD,
            landmarks=_points(found) if wish.landmarks and number < MOST_LANDMARKS else None,
        )

    @cached_property
    def _masks(self) -> MaskClassifier:
        """Loaded at the first wish: most readers never hear one."""
        return MaskClassifier(models.path(self._models_dir, "mask"))

    def _live(self, image: Image, face: Face) -> float:
        share, _ = self._antispoof.live(image, face.box)
        return share if share == UNTOLD else 100 * share

    @cached_property
    def _antispoof(self) -> AntiSpoof:
        return AntiSpoof(models.path(self._models_dir, "antispoof"), self._threads)

    def close(self) -> None:
        self._networks.landmarker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _points(found: Landmarks | None) -> bytes | None:
    return None if found is None else found.points[:, :2].astype("<f4").tobytes()


def decode(photo: bytes, header: Header) -> Image:
    """The photo's pixels (BGR), upright by its EXIF orientation. Raises PhotoRejected."""
    if max(header.width, header.height) > MAX_SIDE:
        raise PhotoRejected("image_too_large", f"{header.width} × {header.height} px; at most {MAX_SIDE} a side")
    if min(header.width, header.height) < MIN_SIDE:
        raise PhotoRejected("image_too_small", f"{header.width} × {header.height} px; at least {MIN_SIDE} a side")
    if header.format == "jpeg" and photo.count(_SCAN) > MAX_SCANS:
        raise PhotoRejected("image_too_large", f"more than {MAX_SCANS} scans")
    try:
        # OpenCV returns None for a broken picture, which its type stub leaves out.
        image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PhotoRejected("image_decode_failed", header.format) from error
    if image is None or sorted(image.shape[:2]) != sorted((header.width, header.height)):
        raise PhotoRejected("image_decode_failed", f"{header.format} of {header.width} × {header.height} px")
    return np.asarray(image, dtype=np.uint8)


def read_header(photo: bytes) -> Header:
    """Format and size without decoding. Raises PhotoRejected `image_format_unknown` or `image_decode_failed`."""
    if photo.startswith(_JPEG):
        return _jpeg_header(photo)
    if photo.startswith(_PNG):
        return _png_header(photo)
    if photo.startswith(_BMP):
        return _bmp_header(photo)
    raise PhotoRejected("image_format_unknown", "not a JPEG, PNG or BMP")


def _png_header(photo: bytes) -> Header:
    """Walks all chunks, because OpenCV reserves whatever memory a chunk's length asks for before it looks for the data."""
    at, kinds = len(_PNG), [b""]
    while at < len(photo) and kinds[-1] != b"IEND":
        kinds.append(photo[at + 4 : at + 8])
        at += 12 + _number(photo, at, 4, "big")
    if at > len(photo) or kinds[1:2] != [b"IHDR"] or kinds.count(b"IHDR") != 1 or kinds[-1] != b"IEND":
        raise PhotoRejected("image_decode_failed", "the chunks of the PNG do not fit together")
    return Header("png", _number(photo, 16, 4, "big"), _number(photo, 20, 4, "big"))


def _jpeg_header(photo: bytes) -> Header:
    """Walks the segments up to the frame header."""
    at = 2
    while at + 1 < len(photo) and photo[at] == _FILL:
        marker = photo[at + 1]
        if marker in _FRAME_HEADERS:
            return Header("jpeg", _number(photo, at + 7, 2, "big"), _number(photo, at + 5, 2, "big"))
        if marker == _FILL:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + _number(photo, at + 2, 2, "big")
    raise PhotoRejected("image_decode_failed", "a JPEG without a frame header")


def _bmp_header(photo: bytes) -> Header:
    """The first version of the format had 12 header bytes and two-byte sizes; a negative height means top row first."""
    if _number(photo, 14, 4, "little") == 12:
        return Header("bmp", _number(photo, 18, 2, "little"), _number(photo, 20, 2, "little"))
    return Header("bmp", _number(photo, 18, 4, "little", signed=True), abs(_number(photo, 22, 4, "little", signed=True)))


def _number(photo: bytes, at: int, size: int, order: Literal["little", "big"], *, signed: bool = False) -> int:
    raw = photo[at : at + size]
    if len(raw) < size:
        raise PhotoRejected("image_decode_failed", "the header is cut off")
    return int.from_bytes(raw, order, signed=signed)
