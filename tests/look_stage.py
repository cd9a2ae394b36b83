"""Files for whoever looks at photos: every way in which a file can be none, and pictures with a flaw each."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from kiosk.bench.spoiling import Face, blur, cover, fog, gamma, roll, side_light, sunglasses, turn
from kiosk.capture import masks
from kiosk.capture.script import assets
from kiosk.vision.pixels import Image
from tests.hostile_stage import encoded, hostile, with_exif
from tests.vision_stage import scene

_NAMES = {"dash": "-leading dash", "newline": "two\nlines", "escape": "\x1b[31mred", "markup": "[bold]x[nothing]"}


def broken(folder: Path, picture: Image) -> dict[str, Path]:
    """Some two hundred files in `folder`, each by what is wrong with it."""
    folder.mkdir()
    made = {}
    for number, (name, photo) in enumerate([*hostile(picture), *_foreign(), *_turned(encoded(picture))]):
        made[name] = folder / f"{number:03}"
        made[name].write_bytes(photo)
    return made | dict(_no_files(folder)) | dict(_odd_names(folder, encoded(picture)))


def _foreign() -> Iterator[tuple[str, bytes]]:
    """Other formats, most of them with a size that nobody has memory for."""
    huge = (65_535).to_bytes(2, "little") * 2
    frame = b"\x2c\0\0\0\0" + huge + b"\0\x02\x02\x4c\x01\0"
    yield "animated gif of 65535 × 65535", b"GIF89a" + huge + b"\0\0\0" + frame * 500 + b"\x3b"
    yield "webp of 16384 × 16384", b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f\xff\xff\xff\x0f" + bytes(16)
    size = (2**31 - 1).to_bytes(4, "little")
    entries = b"".join(tag + b"\x04\0\x01\0\0\0" + size for tag in (b"\0\x01", b"\x01\x01"))
    yield "tiff of 2³¹ × 2³¹", b"II*\0\x08\0\0\0\x02\0" + entries + bytes(4)
    yield "heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(1000)
    yield "avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(1000)
    yield "jpeg xl", b"\xff\x0a" + bytes(100)
    yield "jpeg 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100)
    yield "pdf", b"%PDF-1.7\n" + bytes(100)
    yield "zip", b"PK\x03\x04" + bytes(100)
    yield "text", b"a picture says more than a thousand words\n" * 100
    yield "utf-16", "图片".encode("utf-16") * 100


def _turned(jpg: bytes) -> Iterator[tuple[str, bytes]]:
    """By EXIF; only 1 to 8 mean something."""
    for value in (*range(10), 65_535):
        tag = b"\0\x01\x01\x12\0\x03\0\0\0\x01" + value.to_bytes(2, "big") + bytes(6)
        yield f"orientation {value}", with_exif(jpg, tag)


def _no_files(folder: Path) -> Iterator[tuple[str, Path]]:
    (folder / "folder").mkdir()
    yield "a folder", folder / "folder"
    os.mkfifo(folder / "pipe")
    yield "a pipe", folder / "pipe"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / "socket"))
    yield "a socket", folder / "socket"
    (folder / "dangling").symlink_to(folder / "gone")
    yield "a dangling link", folder / "dangling"
    (folder / "circle").symlink_to(folder / "circle")
    yield "a link to itself", folder / "circle"
    yield "not there", folder / "gone"
    yield "under a file", folder / "000" / "below"
    yield "a name too long", folder / ("x" * 300)
    yield "an endless device", Path("/dev/zero")
    # Whoever runs this, root too: nobody can read a process's memory from its beginning.
    yield "unreadable", Path("/proc/self/mem")
    with (folder / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
    yield "a terabyte", folder / "sparse"
    with (folder / "heavy").open("wb") as stream:
        stream.write(b"\xff\xd8\xff")
        stream.truncate(5_000_001)
    yield "a byte too many", folder / "heavy"


def _odd_names(folder: Path, photo: bytes) -> Iterator[tuple[str, Path]]:
    for what, name in {**_NAMES, "no text": os.fsdecode(b"\xff\xfe"), "chinese": "照片"}.items():
        file = folder / f"{name}.jpg"
        file.write_bytes(photo)
        yield f"named with {what}", file


class Flaw(NamedTuple):
    """A picture made of a good face, and the settings under which it shows the slug."""

    make: Callable[[Face], Image]
    settings: Mapping[str, Any] = {}


def _grey_of(face: Face) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


STRICT = {"level": 4}
FLAWS: Mapping[str, Flaw] = {
    "face_cut_off": Flaw(lambda face: _part(face, 0.22)),
    "too_near": Flaw(lambda face: _part(face, 0.0)),
    "face_too_small": Flaw(lambda face: _standing(face, 110)),
    "eyes_too_close": Flaw(lambda face: _standing(face, 200)),
    "mask_on": Flaw(lambda face: _masked(face, "high"), {"mask": "refused"}),
    "mask_off": Flaw(lambda face: face.image, {"mask": "required"}),
    "turned_away": Flaw(lambda face: turn(face, yaw=40)),
    "looking_up_or_down": Flaw(lambda face: turn(face, pitch=38)),
    "head_tilted": Flaw(lambda face: roll(face, 38)),
    "too_dark": Flaw(lambda face: gamma(face, 5.0)),
    "too_bright": Flaw(lambda face: np.asarray(np.clip(face.image * 2.6, 0, 255), np.uint8)),
    "uneven_light": Flaw(lambda face: side_light(face._replace(image=gamma(face, 0.5)), 3)),
    "low_contrast": Flaw(lambda face: fog(face, 0.9)),
    "blurred": Flaw(lambda face: blur(face, 5)),
    "face_covered": Flaw(lambda face: _masked(face, "high"), {"mask": "refused"}),
    "eyes_covered": Flaw(lambda face: sunglasses(face, "black")),
    "nose_covered": Flaw(lambda face: cover(face, "Nose", "grey")),
    "mouth_covered": Flaw(lambda face: cover(face, "Mouth", "black")),
    "brows_covered": Flaw(lambda face: cover(face, "Eyebrow", "black"), STRICT),
    "cheeks_covered": Flaw(lambda face: cover(face, "Cheek", "blue"), STRICT),
    "chin_covered": Flaw(lambda face: cover(face, "Chin", "blue"), STRICT),
    "eyes_closed": Flaw(lambda _: _asleep(), {"min_eyes_open": 50}),
    "parts_unseen": Flaw(_grey_of, STRICT),
    "landmarks_missing": Flaw(lambda face: roll(face, 150)),
}
WORN: Mapping[str, Callable[[Face], Image]] = {
    "none": lambda face: face.image,
    "worn": lambda face: _masked(face, "high"),
    "mouth_only": lambda face: _masked(face, "low"),
    "on_chin": lambda face: _masked(face, "chin"),
    "other_cover": lambda face: cover(face, "Nose", "grey"),
    "unknown": lambda face: roll(face, 150),
}


def _masked(face: Face, shape: masks.Shape) -> Image:
    return masks.draw(face.image, face.points[:, :2], 3, [shape], ["blue"])


def _asleep() -> Image:
    """One of the sheet's sixteen faces."""
    sheet = cv2.imread(str(assets("P002") / "emotions_sheet.jpg"))
    assert sheet is not None
    return np.ascontiguousarray(sheet[1320:1740, 170:520])


def _standing(face: Face, height: int) -> Image:
    """Far away in a large room."""
    factor = height / face.image.shape[0]
    return scene(np.asarray(cv2.resize(face.image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8))


def _part(face: Face, cut_away: float) -> Image:
    """The face from its upper to its lower edge, without some of its right half."""
    low, high = face.points[:, :2].min(axis=0), face.points[:, :2].max(axis=0)
    (left, top), (right, bottom) = (round(v) for v in low), (round(v) for v in high)
    if not cut_away:
        return np.ascontiguousarray(face.image[max(top - 4, 0) : bottom + 4])
    return np.ascontiguousarray(face.image[:, : round(right - cut_away * (right - left))])
