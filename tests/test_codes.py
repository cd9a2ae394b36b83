"""QR codes before the camera: found among people, and only codes; bounded in time."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from kiosk.capture import script
from kiosk.capture.qr import QUIET, modules
from kiosk.capture.scene import Stage
from kiosk.vision import codes
from kiosk.vision.codes import CodeReader
from kiosk.vision.pixels import Image

SIGNED = "eyJhbGciOiJFZDI1NTE5In0." + "a1B2-" * 24 + "." + "_z9Y" * 21 + "Qg"


def wall(text: str, size: int = 6, width: int = 1280, height: int = 720) -> Image:
    """A grey wall with a code on it, `size` pixels a module."""
    picture = np.full((height, width, 3), 150, np.uint8)
    code = np.kron(modules(text), np.ones((size, size), np.uint8))
    picture[60 : 60 + len(code), 500 : 500 + len(code)] = code[..., None]
    return picture


@pytest.mark.parametrize("text", ["PARCEL-0042", SIGNED, "你好", "x" * 490])
def test_a_code_is_read_whatever_it_says(text: str) -> None:
    assert CodeReader().look(wall(text, 6), 1.0) == text


@pytest.mark.parametrize("turn", [cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE])
def test_it_may_be_held_any_way_up(turn: int) -> None:
    assert CodeReader().look(np.asarray(cv2.rotate(wall("PARCEL-0042"), turn), dtype=np.uint8), 1.0) == "PARCEL-0042"


@pytest.mark.parametrize("text", ["PARCEL-0042", SIGNED])
def test_it_is_read_in_the_hand_of_somebody_in_a_scene(text: str) -> None:
    scene = script.load("demo")
    act = replace(scene.acts[0], at=0.0, lasts=6.0, code=text)
    stage, reader = Stage(replace(scene, acts=(act,), seconds=6.0), 1280, 720), CodeReader()
    read = [reader.look(stage.render(2.0 + 0.3 * look, look), 1000.0 * (1 + look)) for look in range(8)]
    assert set(read) <= {"", text}
    assert read.count(text) >= 4
    plain = Stage(replace(scene, acts=(replace(act, code=""),), seconds=6.0), 1280, 720)
    assert CodeReader().look(plain.render(2.0, 0), 1.0) == ""


def test_a_text_too_long_for_a_credential_is_none() -> None:
    assert CodeReader().look(wall("x" * (codes.LONGEST + 1), 6), 1.0) == ""


@pytest.mark.parametrize(
    "picture",
    [
        lambda rng: rng.integers(0, 255, (540, 960, 3), np.uint8),
        lambda _: np.zeros((1, 1, 3), np.uint8),
        lambda _: wall("PARCEL-0042", 1),
        lambda rng: wall("PARCEL-0042") ^ (rng.random((720, 1280, 1)) < 0.3).astype(np.uint8) * 255,
    ],
    ids=["noise", "a pixel", "too small", "spoilt"],
)
def test_what_is_no_code_gives_none(picture: Callable[[np.random.Generator], Image]) -> None:
    assert CodeReader().look(np.ascontiguousarray(picture(np.random.default_rng(1))), 1.0) == ""


def test_looks_keep_their_distance() -> None:
    reader, shown = CodeReader(), wall("PARCEL-0042")
    read = [bool(reader.look(shown, 1000.0 + at)) for at in (0.0, codes.EVERY / 2)]
    assert read == [True, False]
    # However dear the first look was on this machine, it is over by then.
    assert reader.look(shown, 2000.0)


def test_a_dear_look_is_paid_for_by_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter((0.0, 0.0, 0.4, 0.4, 0.4, 0.4))  # as a look begins, as it reads, as it ends
    monkeypatch.setattr(time, "thread_time", lambda: next(spent))
    reader, shown = CodeReader(), wall("PARCEL-0042")
    assert [bool(reader.look(shown, at)) for at in (10.0, 13.9, 14.1)] == [True, False, True]


def test_a_code_has_its_quiet_zone() -> None:
    pixels = modules("PARCEL-0042")
    assert pixels.shape[0] == pixels.shape[1]
    assert pixels[:QUIET].min() == pixels[:, -QUIET:].min() == 255
    assert pixels[QUIET, QUIET] == 0
