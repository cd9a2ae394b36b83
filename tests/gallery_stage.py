"""What the gallery's tests share: faces out of a seed, and galleries of them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from kiosk.domain import Box, Face, QualityReport
from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.enrolled import OLD, NewFace, Person
from kiosk.recognition.on_device.gallery import Gallery

KEY = bytes(range(32))
PHOTO = b"\xff\xd8" + np.random.default_rng(0).bytes(9_000) + b"\xff\xd9"
"""Not decoded here, and more than a page of the file holds."""
_POINTS = ((30.0, 40.0), (60.0, 40.0), (45.0, 60.0), (35.0, 80.0), (55.0, 80.0))


def embedding(seed: int) -> bytes:
    vector = np.random.default_rng(seed).normal(size=128)
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


def cosine(one: bytes, other: bytes) -> float:
    return float(np.frombuffer(one, "<f4").astype(float) @ np.frombuffer(other, "<f4").astype(float))


def seen(seed: int, *, upper: int | None = None) -> AnalysedFace:
    """The face of this seed as the eye would tell of it; `upper`: the seed of its upper part."""
    face = Face(Box(10.0 + seed, 20.0, 100.0, 120.0), 0.9, _POINTS)
    return AnalysedFace(face, QualityReport({}, (), 3), embedding(seed), None if upper is None else embedding(upper))


def enrol(gallery: Gallery, person_id: str, seed: int, *groups: str, name: str = "", upper: int | None = None) -> Person:
    face = gallery.new_face(seen(seed, upper=upper), photo=PHOTO)
    return gallery.create_person(gallery.new_person(person_id, name or f"name of {person_id}"), groups or ("staff",), face, OLD)


def add(gallery: Gallery, person_id: str, seed: int, *, upper: int | None = None) -> NewFace:
    face = gallery.new_face(seen(seed, upper=upper), photo=PHOTO)
    gallery.add_face(person_id, face, OLD, allow_same=False)
    return face


def best(gallery: Gallery, seed: int, *groups: str) -> tuple[str, float] | None:
    """Who is most like the face of this seed."""
    hits = gallery.search(embedding(seed), groups, 1) if groups else gallery.search_all(embedding(seed), 1)
    return next(((hit.person, round(hit.cosine, 4)) for hit in hits), None)


def bytes_of(file: Path) -> bytes:
    """All that the disk holds of a gallery."""
    return b"".join(part.read_bytes() for part in sorted(file.parent.glob(f"{file.name}*")))


def sealed(gallery: Gallery, person_id: str) -> list[bytes]:
    """The ciphertexts that are kept of a person."""
    rows = itertools.chain.from_iterable(
        gallery._store.rows(
            "SELECT f.embedding, f.upper, o.photo FROM faces f JOIN persons p ON p.number = f.person "
            "LEFT JOIN photos o ON o.face = f.number WHERE p.id = ?",
            person_id,
        )
    )
    return [value for value in rows if value is not None]
