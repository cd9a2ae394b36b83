"""Files that are broken, lie, cost too much or are two things at once, each with what it is."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Files = Iterator[tuple[str, bytes]]
_HTML = b"<html><script>alert(1)</script></html>"


def encoded(image: NDArray[Any], suffix: str = ".jpg", *options: int) -> bytes:
    done, buffer = cv2.imencode(suffix, image, options)
    assert done
    return buffer.tobytes()


def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    """Of a PNG; `length` is what it says of itself."""
    says = len(data) if length is None else length
    return struct.pack(">I", says) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *between: bytes, rows: int | None = None) -> bytes:
    """Black, of 8 bits, with chunks before its pixels; `rows` is how many it has."""
    pixels = zlib.compress(bytes(min(1 + width, 10_000) * (height if rows is None else rows)), 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(between) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def segment(marker: int, data: bytes) -> bytes:
    """Of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(width: int, height: int, components: int, blocks: int = 64, frame: int = 0xC0) -> bytes:
    """Flat: every block is two zero bits in each component. Four components are CMYK."""
    numbers = range(1, components + 1)
    head = struct.pack(">BHHB", 8, height, width, components) + b"".join(bytes([n, 0x11, 0]) for n in numbers)
    one_code = bytes([1] + [0] * 15 + [0])
    tables = segment(0xDB, bytes([0] + [1] * 64)) + segment(0xC4, b"\x00" + one_code) + segment(0xC4, b"\x10" + one_code)
    scan = bytes([components]) + b"".join(bytes([n, 0]) for n in numbers) + bytes([0, 63, 0])
    return b"\xff\xd8" + tables + segment(frame, head) + segment(0xDA, scan) + bytes(blocks * components // 4) + b"\xff\xd9"


def with_segment(photo: bytes, marker: int, data: bytes) -> bytes:
    return photo[:2] + segment(marker, data) + photo[2:]


def with_exif(photo: bytes, directory: bytes) -> bytes:
    return with_segment(photo, 0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + directory)


def hostile(picture: NDArray[np.uint8]) -> Files:
    """Made of a small picture."""
    jpg = encoded(picture)
    progressive = encoded(picture, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    yield from _damaged(
        {"jpg": jpg, "progressive": progressive, "png": encoded(picture, ".png"), "bmp": encoded(picture, ".bmp")}
    )
    yield from _unusual(picture)
    yield from _huge(encoded(picture, ".bmp"))
    yield from _costly(progressive)
    yield from _lying(jpg)
    yield from _two_faced(jpg)


def _damaged(photos: dict[str, bytes]) -> Files:
    noise = np.random.default_rng(7).bytes
    for name, photo in photos.items():
        for part in range(12):
            yield f"{name} cut at {part}/12", photo[: len(photo) * part // 12 + part % 3]
        for part in range(1, 6):
            at = len(photo) * part // 6
            yield f"{name} with noise at {part}/6", photo[:at] + noise(64) + photo[at + 64 :]
    yield "nothing", b""
    yield "zeros", bytes(100_000)
    yield "noise", noise(100_000)
    yield "noise called jpeg", b"\xff\xd8\xff" + noise(100_000)
    yield "noise called png", b"\x89PNG\r\n\x1a\n" + noise(100_000)
    yield "noise called bmp", b"BM" + noise(100_000)


def _unusual(picture: NDArray[np.uint8]) -> Files:
    alpha = np.dstack([picture, picture[:, :, :1]])
    yield "png of 16 bits", encoded(picture.astype(np.uint16) * 257, ".png")
    yield "png of 16 bits with alpha", encoded(alpha.astype(np.uint16) * 257, ".png")
    yield "png with alpha", encoded(alpha, ".png")
    yield "grey png", encoded(picture[:, :, 0], ".png")
    yield "grey jpeg", encoded(picture[:, :, 0])
    yield "cmyk jpeg", jpeg(64, 64, 4)
    yield "jpeg of 2 components", jpeg(64, 64, 2)
    yield "jpeg without components", jpeg(64, 64, 0)
    yield "jpeg of 255 components", jpeg(64, 64, 255)
    yield "lossless jpeg", jpeg(64, 64, 3, frame=0xC3)
    yield "arithmetic jpeg", jpeg(64, 64, 3, frame=0xC9)
    yield "1 × 1", encoded(picture[:1, :1], ".png")
    yield "1 × 4000", encoded(np.zeros((4000, 1, 3), np.uint8))
    for suffix in ("webp", "gif", "tiff", "ppm"):
        yield suffix, encoded(picture, f".{suffix}")
    yield "svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9e9' height='9e9'/>"


def _huge(bmp: bytes) -> Files:
    for width, height in ((65_535, 65_535), (0, 0), (2**31 - 1, 2**31 - 1), (4000, 2**31 - 1), (64, 0)):
        yield f"png of {width} × {height}", png(width, height, rows=1)
    yield "jpeg of 65500 × 65500", jpeg(65_500, 65_500, 3)
    yield "jpeg of 0 × 0", jpeg(0, 0, 3)
    yield "bmp of −2³¹ × −2³¹", bmp[:18] + struct.pack("<ii", -(2**31), -(2**31)) + bmp[26:]
    yield "bmp of 4000 × 4000 run lengths", bmp[:18] + struct.pack("<iiHHI", 4000, 4000, 1, 8, 1) + bmp[34:]


def _costly(progressive: bytes) -> Files:
    """All that the limits of size allow."""
    yield "largest grey png", png(4000, 4000)
    yield "largest png of 16 bits with alpha", encoded(np.zeros((4000, 4000, 4), np.uint16), ".png")
    yield "largest cmyk jpeg", jpeg(4000, 4000, 4, 500 * 500)
    yield "largest progressive cmyk jpeg", jpeg(4000, 4000, 4, frame=0xC2)
    yield "largest jpeg of many scans", jpeg(4000, 4000, 3, frame=0xC2)[:-2] + segment(0xDA, b"\1\1\0\0\0\0") * 98
    last = progressive.rindex(b"\xff\xda")
    yield "jpeg of many scans", progressive[:-2] + progressive[last:-2] * 90 + b"\xff\xd9"
    yield "png bomb in a text", png(64, 64, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9)))
    yield "png bomb in a profile", png(64, 64, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50_000_000), 9)))
    yield "png of endless texts", png(64, 64, *[chunk(b"tEXt", b"a\0b")] * 50_000)


def _lying(jpg: bytes) -> Files:
    yield "png of more pixels than it says", png(64, 64, rows=1_000_000)
    yield "png of fewer pixels than it says", png(4000, 4000, rows=1)
    for length in (2**31 - 1, 2**32 - 1, 10**9, 70_000, 3):
        yield f"png chunk of {length} bytes", png(64, 64, chunk(b"tEXt", b"a\0b" * 9, length))
    animation = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    size = 2**31 - 1
    yield "png of endless frames", png(64, 64, animation)
    yield (
        "png of a huge frame",
        png(64, 64, animation, chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, size, size, 0, 0, 0, 1, 0, 0))),
    )
    yield "png without pixels", png(64, 64).replace(b"IDAT", b"iDAT")
    yield "exif that holds itself", with_exif(jpg, b"\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\x08")
    yield "exif of 65535 entries", with_exif(jpg, b"\xff\xff" + bytes(5000))
    yield "exif of orientation 200", with_exif(jpg, b"\0\x01\x01\x12\0\x03\0\0\0\x01\0\xc8\0\0\0\0\0\0")


def _two_faced(jpg: bytes) -> Files:
    yield "jpeg and zip", jpg + b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
    yield "jpeg and html", jpg + _HTML
    yield "jpeg and jpeg", jpg + jpg
    yield "jpeg with html in a comment", with_segment(jpg, 0xFE, _HTML * 1000)
    yield "html and jpeg", _HTML + jpg
    yield "gif and jpeg", b"GIF89a" + jpg
