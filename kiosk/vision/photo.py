"""Reads photos that somebody hands in: enrolment pictures, and what reaches the sandbox. Trusts none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, Self

import cv2
import numpy as np

from kiosk.domain import Face
from kiosk.errors import PhotoRejected
from kiosk.ports import USUAL, AnalysedFace, AnalysedPhoto, Wish
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision.assessor import MOST_FACES, Assessor, load
from kiosk.vision.pixels import Image

MAX_SIDE = 4000
"""Pixels; the vendor's limit for JPEG."""
MIN_SIDE = 64
"""Pixels; the vendor's limit."""
MAX_SCANS = 100
"""Of a progressive JPEG, which has about ten. Each scan costs a pass over the whole picture however few bytes it has."""
FIND_WIDTHS = (640, 320)
MOST_LANDMARKS = 10
"""Faces of a photo whose landmarks are given; as many as the vendor's AnalyzeFace answers."""

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
        self._networks = load(models_dir, eye, FIND_WIDTHS, embed=True)
        self._assessor = Assessor(self._networks, quality, MOST_FACES)

    def read(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        """Every face with its quality and embedding; a photo without faces is a photo all the same.

        `landmarks`: of the MOST_LANDMARKS largest faces, whatever their quality, as far as they are found.

        Raises PhotoRejected: `image_format_unknown`, `image_too_large`, `image_too_small`, `image_decode_failed`.
        """
        header = read_header(photo)
        image = decode(photo, header)
        embedder = self._networks.embedder
        assert embedder is not None, "loaded with embed=True"
        faces = tuple(
            AnalysedFace(
                face=face,
                quality=report,
                embedding=embedder.embed(image, face),
                landmarks=self._points(image, face) if wish.landmarks and number < MOST_LANDMARKS else None,
            )
            for number, (face, report) in enumerate(self._assessor.assess(image))
        )
        return AnalysedPhoto(width=image.shape[1], height=image.shape[0], format=header.format, faces=faces)

    def _points(self, image: Image, face: Face) -> bytes | None:
        found = self._networks.landmarker.locate(image, face.box)
        return None if found is None else found.points[:, :2].astype("<f4").tobytes()

    def close(self) -> None:
        self._networks.landmarker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
