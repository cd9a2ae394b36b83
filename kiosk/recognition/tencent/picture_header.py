"""A picture's format and size, read from its first bytes. Nothing is decoded."""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

from kiosk.errors import PhotoRejected

MAX_SEGMENTS = 1_000
"""JPEG segments looked at before the frame header must have come; real pictures have a dozen or two."""

_PNG = b"\x89PNG\r\n\x1a\n"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_END, _SCAN = 0xD9, 0xDA


class PictureHeader(NamedTuple):
    """`width` and `height` in pixels as stored, before any EXIF rotation."""

    format: Literal["jpeg", "png", "bmp"]
    width: int
    height: int


def read_header(picture: bytes) -> PictureHeader:
    """Raises PhotoRejected: `image_format_unknown` for anything but JPEG, PNG and BMP (a GIF is named as such),
    `image_decode_failed` where such a file's header is broken or names no size.
    """
    try:
        header = _parse(picture)
    except (struct.error, IndexError) as error:
        raise PhotoRejected("image_decode_failed", "the header is cut off") from error
    if header.width <= 0 or header.height <= 0:
        raise PhotoRejected("image_decode_failed", f"the {header.format} header says {header.width}×{header.height}")
    return header


def _parse(picture: bytes) -> PictureHeader:
    if picture.startswith(b"\xff\xd8"):
        return _jpeg(picture)
    if picture.startswith(_PNG):
        length, kind, width, height = struct.unpack_from(">I4sII", picture, len(_PNG))
        if kind != b"IHDR" or length != 13:
            raise PhotoRejected("image_decode_failed", "a PNG that does not begin with its header")
        return PictureHeader("png", width, height)
    if picture.startswith(b"BM"):
        return _bmp(picture)
    raise PhotoRejected("image_format_unknown", "a GIF" if picture.startswith(b"GIF8") else "not a JPEG, PNG or BMP")


def _jpeg(picture: bytes) -> PictureHeader:
    place = 2
    for _ in range(MAX_SEGMENTS):
        if picture[place] != 0xFF:
            raise PhotoRejected("image_decode_failed", f"no JPEG marker at byte {place}")
        marker = picture[place + 1]
        if marker == 0xFF or marker in _ALONE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", picture, place + 5)
            return PictureHeader("jpeg", width, height)
        (length,) = struct.unpack_from(">H", picture, place + 2)
        if length < 2 or marker in (_END, _SCAN):
            break
        place += 2 + length
    raise PhotoRejected("image_decode_failed", "a JPEG without a frame header")


def _bmp(picture: bytes) -> PictureHeader:
    """A negative height means that the rows run downwards."""
    (size,) = struct.unpack_from("<I", picture, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", picture, 18)
    return PictureHeader("bmp", width, abs(height))
