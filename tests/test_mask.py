"""Whether a mask is worn: masks drawn on synthetic people, and bare faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.domain import Box
from kiosk.ports import WORN
from kiosk.settings import EyeSettings
from kiosk.vision.assessor import Networks, load
from kiosk.vision.mask import UNKNOWN, MaskClassifier
from kiosk.vision.pixels import Image, shrink
from tests.vision_stage import COLOURS, NAMES, picture, scene, wearing

SHEETS = ("emotions_sheet", "character_sheet", "amateur_posture", "studio_posture")


@pytest.fixture(scope="module")
def networks(models_dir: Path) -> Iterator[Networks]:
    networks = load(models_dir, EyeSettings(), (320, 640), embed=True, mask=True)
    yield networks
    networks.landmarker.close()


@pytest.fixture(scope="module")
def masks(networks: Networks) -> MaskClassifier:
    assert networks.masks is not None
    return networks.masks


def _people(networks: Networks, people: Path, across: float = 160) -> Iterator[tuple[Image, Box]]:
    """Every portrait and selfie, its face so many pixels wide."""
    for name in NAMES:
        for kind in ("studio_portrait", "amateur_selfie"):
            image = picture(people, name, kind, 1024)
            factor = across / networks.finder.find(image)[0].box.width
            image = shrink(image, factor)
            yield image, networks.finder.find(image)[0].box


def _lights(image: Image) -> Mapping[str, Image]:
    height, width = image.shape[:2]
    gains = {
        "as it was": np.array(1.0),
        "dark": np.array(0.4),
        "warm": np.array([0.75, 1, 1.15]),
        "from the side": np.linspace(0.4, 1.2, width)[None, :, None],
        "from above": np.linspace(1.2, 0.4, height)[:, None, None],
    }
    return {name: np.clip(image.astype(np.float32) * gain, 0, 255).astype(np.uint8) for name, gain in gains.items()}


@pytest.mark.parametrize(("worn", "least"), [("full", 0.97), ("nose free", 0.9)])
def test_masks_are_seen(networks: Networks, masks: MaskClassifier, people: Path, worn: str, least: float) -> None:
    seen = []
    for image, box in _people(networks, people):
        found = networks.landmarker.locate(image, box)
        assert found is not None
        seen += [masks.worn(wearing(image, found.points, worn, colour), box) >= WORN for colour in COLOURS]
    assert len(seen) == 100
    assert np.mean(seen) >= least


def test_a_bare_face_wears_none_in_whatever_light(networks: Networks, masks: MaskClassifier, people: Path) -> None:
    worn = [masks.worn(lit, box) >= WORN for image, box in _people(networks, people) for lit in _lights(image).values()]
    assert len(worn) == 100
    assert sum(worn) <= 1


def test_grimaces_and_profiles_are_hardly_ever_masks(networks: Networks, masks: MaskClassifier, people: Path) -> None:
    surely = []
    for name in NAMES:
        for kind in SHEETS:
            image = picture(people, name, kind, 896)
            surely += [masks.worn(image, face.box) for face in networks.finder.find(image)]
    told = [worn for worn in surely if worn != UNKNOWN]
    assert len(told) > 200
    # The two are of a full black beard.
    assert sum(worn >= WORN for worn in told) <= 2


@pytest.mark.parametrize("across", [48, 300])
def test_far_and_near_faces_are_told_alike(networks: Networks, masks: MaskClassifier, people: Path, across: float) -> None:
    bare, masked = [], []
    for image, box in _people(networks, people, across):
        found = networks.landmarker.locate(image, box)
        assert found is not None
        bare.append(masks.worn(image, box) >= WORN)
        masked.append(masks.worn(wearing(image, found.points, "full", "blue"), box) >= WORN)
    assert (sum(bare), sum(masked)) == (0, 20)


def test_what_cannot_be_told_is_unknown(masks: MaskClassifier, people: Path) -> None:
    frame = scene(picture(people, "P002", "studio_portrait", 600))
    for box in (Box(5000, 10, 200, 200), Box(-190, 10, 200, 200), Box(100, 100, 20, 20), Box(100, 715, 300, 400)):
        assert masks.worn(frame, box) == UNKNOWN


def test_the_upper_face_under_a_mask_is_like_that_without(networks: Networks, people: Path) -> None:
    embedder = networks.embedder
    assert embedder is not None
    upper: list[float] = []
    whole: list[float] = []
    for image, box in _people(networks, people):
        found = networks.landmarker.locate(image, box)
        assert found is not None
        masked = wearing(image, found.points, "full", "white")
        faces = (image, networks.finder.find(image)[0]), (masked, networks.finder.find(masked)[0])
        for kind, embed in ((upper, embedder.embed_upper), (whole, embedder.embed)):
            bare, covered = (np.frombuffer(embed(*each), "<f4") for each in faces)
            assert np.linalg.norm(bare) == pytest.approx(1, abs=1e-5)
            kind.append(float(bare @ covered))
    assert np.mean(upper) > np.mean(whole) + 0.05


def test_no_picture_gives_anything_but_a_probability(masks: MaskClassifier) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (200, 200, 3), np.uint8)
    for image in (noise, np.zeros_like(noise), np.full_like(noise, 255), cv2.GaussianBlur(noise, (0, 0), 9)):
        assert 0 <= masks.worn(np.asarray(image, dtype=np.uint8), Box(10, 10, 150, 180)) <= 1
