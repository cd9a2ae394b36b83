"""A sandbox for tests: the real server over an eye that reads people's names out of the picture."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace

from kiosk.domain import Box, Face, Pose, QualityReport
from kiosk.errors import KioskError, PhotoRejected
from kiosk.ports import USUAL, AnalysedFace, AnalysedPhoto, PhotoAnalyser, Wish
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.server import create_app, serve

KEYS = Credentials("AKIDEXAMPLE00000000000000000000000000", "EXAMPLEKEY000000000000000000000000")
APPID, BUCKET = "10000001", "tencentyun"
POINTS = (30, 30), (70, 30), (50, 50), (35, 70), (65, 70)
SHAPES = {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.7, "eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.8, "jawOpen": 0.9}
MEASURES = {"Sharpness": 72.4, "Brightness": 55.0, "InterEyeDistance": 50.0, "HeadPoseYaw": 90.0, "HeadPosePitch": -1.0}
LANDMARKS = np.array([(index, 2 * index) for index in range(478)], "<f4").tobytes()
HEADER = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x64\0\0\0\x64"
"""Of a PNG of 100 × 100 pixels, for clients that look before they send."""


def embedding(name: str) -> bytes:
    """Names far apart are far apart; `ann~` is near `ann`, at a cosine of about 0.75. `ann#` is nobody: she wears a mask."""
    seed = int.from_bytes(hashlib.sha256(name.rstrip("~").encode()).digest()[:4])
    vector = np.random.default_rng(seed).normal(size=128)
    vector = vector / np.linalg.norm(vector)
    if name.endswith("~"):
        other = np.random.default_rng(seed + 1).normal(size=128)
        vector = 0.75 * vector + 0.66 * other / np.linalg.norm(other)
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


def photo(*names: str) -> bytes:
    """A picture of these people, the largest first, for the eye below."""
    return HEADER + ",".join(names).encode()


def base64_of(*names: str) -> str:
    return base64.b64encode(photo(*names)).decode()


def _names(photo: bytes) -> list[str]:
    """Any JPEG shows one person."""
    if photo.startswith(b"\xff\xd8"):
        return ["somebody"]
    if not photo.startswith(HEADER):
        raise PhotoRejected("image_decode_failed")
    return [name for name in photo[len(HEADER) :].decode("latin-1").strip().split(",") if name]


@dataclass
class Eye:
    """Stands for the process that analyses photos. By name: what goes wrong, and a face's grade, score, side in pixels or box.

    A name with `#` wears a mask. Where people are `lying`, nobody is seen unless the photo is turned.
    """

    trouble: dict[str, Exception] = field(default_factory=dict)
    grades: dict[str, int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    sides: dict[str, int] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    format: str = "jpeg"
    size: tuple[int, int] = (100, 100)
    lying: bool = False
    seen: int = 0
    wishes: list[Wish] = field(default_factory=list)

    async def analyse(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        self.seen += 1
        self.wishes.append(wish)
        await asyncio.sleep(0)
        names = _names(photo)
        for name in names:
            if name in self.trouble:
                raise self.trouble[name]
        seen = names if wish.rotate or not self.lying else []
        faces = tuple(self._face(name, wish, largest=number == 0) for number, name in enumerate(seen))
        return AnalysedPhoto(*self.size, self.format, faces, turned=int(self.lying and wish.rotate))

    def _face(self, name: str, wish: Wish, *, largest: bool) -> AnalysedFace:
        """Nothing that was not wished for."""
        side = self.sides.get(name, 104 if wish.live else 80)
        face = Face(self.boxes.get(name, Box(10.4, -9.6, side, side)), self.scores.get(name, 0.9), POINTS)
        report = QualityReport({}, (), 0)
        if wish.quality:
            shapes = {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.7, "eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.8, "jawOpen": 0.9}
            face = replace(face, pose=Pose(50.0, -3.2, 4.0), blendshapes=shapes)
            measures = {
                "Sharpness": 72.4,
                "Brightness": 55.0,
                "InterEyeDistance": 50.0,
                "HeadPoseYaw": 90.0,
                "HeadPosePitch": -1.0,
                "Score": 71.0,
                "CompletenessEye": 95.0,
                "CompletenessChin": -1.0,
            }
            report = QualityReport(measures, (), self.grades.get(name, 4))
        embed = wish.embed == "all" or (wish.embed == "largest" and largest)
        return AnalysedFace(
            face=face,
            quality=report,
            embedding=embedding(name) if embed else None,
            upper=embedding(f"upper {name.replace('#', '')}") if embed and wish.upper else None,
            mask=(0.9 if "#" in name else 0.1) if wish.mask else -1.0,
            live=(8.0 if "#" in name else 97.0) if wish.live else -1.0,
            landmarks=LANDMARKS if wish.landmarks else None,
        )


@asynccontextmanager
async def sandbox(
    eye: PhotoAnalyser | None = None,
    *,
    keys: Credentials = KEYS,
    bucket: str = BUCKET,
    wall: Callable[[], float] = time.time,
    fetcher: Fetcher | None = None,
    for_seconds: float = 60,
) -> AsyncIterator[int]:
    """A real server on a free port."""
    app = create_app(eye or Eye(), keys, APPID, bucket, wall, fetcher)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(app, "127.0.0.1", 0, port.set_result))
    try:
        async with asyncio.timeout(for_seconds):
            yield await port
    finally:
        server.cancel()
        await asyncio.wait([server])


class Pictures(Fetcher):
    """People's pictures at addresses that end in their names."""

    def __init__(self) -> None:
        super().__init__(())

    async def fetch(self, url: str) -> bytes:
        if "pictures.example" not in url:
            raise KioskError("picture_not_fetched", "not one of ours")
        return photo(url.rpartition("/")[2])


def soon() -> float:
    """A deadline that no test of a sandbox meets."""
    return time.monotonic() + 10
