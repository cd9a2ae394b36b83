"""One photo as the eye sees it on this processor, and whether that is what it sees on another.

`python -m kiosk.bench.elsewhere see PHOTO MODELS_DIR >SIGHT` and `… compare HERE THERE ENGINE`; `scripts/aarch64` runs both.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from kiosk.ports import AnalysedFace, Wish
from kiosk.settings import EyeSettings, QualitySettings
from kiosk.vision.landmarks import engine_for
from kiosk.vision.photo import PhotoReader

PIXELS = 1.0
"""By which boxes and landmarks may differ; Cortex-A72 and A76 under qemu differed from x86-64 by 0.03 px."""
LIKENESS = 0.999
"""Cosine from which two embeddings of one picture are the same; 0.999997 measured likewise."""


class Sight(Struct, frozen=True):
    """What was seen, and in how many seconds the models were loaded and the photo read."""

    machine: str
    engine: str
    loaded: float
    read: float
    faces: tuple[AnalysedFace, ...]


class Gap(NamedTuple):
    """How far two sights of one face are apart: pixels, pixels, cosine."""

    box: float
    landmarks: float
    likeness: float

    @property
    def small(self) -> bool:
        return max(self.box, self.landmarks) <= PIXELS and self.likeness >= LIKENESS


def see(photo: Path, models_dir: Path) -> Sight:
    """Raises KioskError where a model does not load or the photo is refused."""
    eye = EyeSettings()
    begun = time.perf_counter()
    with PhotoReader(QualitySettings(), eye, models_dir) as reader:
        loaded = time.perf_counter()
        faces = reader.read(photo.read_bytes(), Wish(landmarks=True)).faces
    done = time.perf_counter()
    return Sight(platform.machine(), engine_for(eye.landmarker), loaded - begun, done - loaded, faces)


def gaps(here: Sight, there: Sight) -> list[Gap]:
    """How far apart the two are on each face. Raises ValueError where they saw different numbers of faces."""
    return [
        Gap(_apart(_box(ours), _box(theirs)), _apart(ours.landmarks, theirs.landmarks), _likeness(ours, theirs))
        for ours, theirs in zip(here.faces, there.faces, strict=True)
    ]


def wrong(here: Sight, there: Sight, engine: str) -> str:
    """Why `there`, with the landmark engine it ought to have chosen, is not what was seen `here`; empty where it is."""
    if there.engine != engine:
        return f"the landmark engine is {there.engine}, not {engine}"
    if not here.faces or len(here.faces) != len(there.faces):
        return f"{len(there.faces)} faces, not {len(here.faces)}"
    return "" if all(gap.small for gap in gaps(here, there)) else "the faces are not the same"


def _apart(ours: bytes | None, theirs: bytes | None) -> float:
    """The largest difference of two arrays of float32; infinite where either is missing."""
    if ours is None or theirs is None:
        return float("inf")
    return float(np.abs(np.frombuffer(ours, "<f4") - np.frombuffer(theirs, "<f4")).max())


def _box(seen: AnalysedFace) -> bytes:
    box = seen.face.box
    return np.array([box.x, box.y, box.width, box.height], "<f4").tobytes()


def _likeness(ours: AnalysedFace, theirs: AnalysedFace) -> float:
    assert ours.embedding is not None, "a photo reader embeds"
    assert theirs.embedding is not None, "a photo reader embeds"
    return float(np.frombuffer(ours.embedding, "<f4") @ np.frombuffer(theirs.embedding, "<f4"))


def main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["see", photo, models_dir]:
            sys.stdout.buffer.write(msgspec.msgpack.encode(see(Path(photo), Path(models_dir))))
            return 0
        case ["compare", *files, engine]:
            here, there = (msgspec.msgpack.decode(Path(file).read_bytes(), type=Sight) for file in files)
            print(f"{there.machine} with {there.engine}: models in {there.loaded:.1f} s, photo in {there.read:.1f} s")
            for number, gap in enumerate(gaps(here, there) if len(here.faces) == len(there.faces) else (), 1):
                print(f"face {number}: box {gap.box:.3f} px, landmarks {gap.landmarks:.3f} px, likeness {gap.likeness:.6f}")
            reason = wrong(here, there, engine)
            print(f"WRONG: {reason}" if reason else f"the same as on {here.machine} with {here.engine}")
            return 1 if reason else 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
