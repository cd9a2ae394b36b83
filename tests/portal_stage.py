"""Probes and people for tests of recognition: who a face belongs to stands in its embedding."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kiosk.domain import Box, Crowd, Face, Probe, QualityReport, Shot
from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.enrolled import CURRENT
from kiosk.recognition.on_device.gallery import Gallery
from tests.sandbox_stage import POINTS, embedding, photo

FACE = Face(Box(10.0, 10.0, 200.0, 240.0), 0.9, POINTS)


def seen(name: str) -> AnalysedFace:
    """A face as an eye measures it; the upper half is another vector than the whole."""
    return AnalysedFace(FACE, QualityReport({}, (), 4), embedding(name), upper=embedding(f"upper {name}"))


def enrol(
    gallery: Gallery, name: str, *groups: str, tag: str = "", consent: bool | None = None, faces: Sequence[str] = ()
) -> None:
    """`faces`: whose faces the person has, by default their own."""
    first, *more = [gallery.new_face(seen(face)) for face in faces or (name,)]
    gallery.create_person(gallery.new_person(name, name, tag=tag), groups or ("staff",), first, CURRENT)
    for face in more:
        gallery.add_face(name, face, CURRENT, allow_same=False)
    if consent is not None:
        gallery.update_person(name, consent=consent)


def probe_of(name: str | None, *, masked: bool = False, presentation: int = 1) -> Probe:
    """Somebody before the camera; None: the eye sent no embeddings."""
    return Probe(
        presentation=presentation,
        camera="front",
        captured_at=time.monotonic(),
        jpeg=photo(name or "nobody"),
        size=(100, 100),
        face=FACE,
        quality=QualityReport({}, (), 4),
        embedding=None if name is None else embedding(name),
        upper=None if name is None else embedding(f"upper {name}"),
        masked=masked,
    )


SPREAD = (Box(5.0, 5.0, 40.0, 40.0), Box(55.0, 5.0, 40.0, 40.0), Box(5.0, 55.0, 40.0, 40.0))
"""Where the faces of a crowd are."""


def crowd_of(*names: str) -> Crowd:
    """These people, numbered from 1."""
    shots = tuple(Shot(probe_of(name, presentation=number), time.monotonic(), 1) for number, name in enumerate(names, 1))
    return Crowd(shots, photo(*names), (100, 100), SPREAD[: len(names)])
