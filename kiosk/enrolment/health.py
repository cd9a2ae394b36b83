"""What is wrong with a gallery: people whom the door would not know, or would take for each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kiosk.enrolment.bars import bars
from kiosk.enrolment.origin import MODEL, origin_of
from kiosk.recognition.on_device.calibration import cosine_for, score
from kiosk.recognition.on_device.enrolled import Person
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.settings import OnDeviceSettings


class Finding(NamedTuple):
    """`slug` says what is wrong; `other`: the person it concerns too; `score`: 0–100 between the two."""

    slug: str
    person: str
    detail: str = ""
    other: str = ""
    score: float | None = None


class Wanted(NamedTuple):
    """What a person's references are held to; `groups`: those the door searches, empty for all."""

    photos: int
    grade: int
    groups: frozenset[str]


def examine(gallery: Gallery, door: OnDeviceSettings, photos: int, grade: int) -> list[Finding]:
    """Everything, person by person, then pairs, the closest first."""
    wanted = Wanted(photos, grade, frozenset(door.group_ids))
    found = [finding for person in gallery.everybody() for finding in of_person(person, wanted)]
    return found + sorted(_pairs(gallery, door), key=lambda finding: -(finding.score or 0))


def of_person(person: Person, wanted: Wanted) -> Iterator[Finding]:
    """Pure. An embedding that was handed in has no grade to be judged by."""
    origins = [origin_of(face.tag) for face in person.faces]
    graded = [face.grade for face, origin in zip(person.faces, origins, strict=True) if origin is None or origin.photo]
    if len(person.faces) < wanted.photos:
        yield Finding("too_few_photos", person.person_id, f"{len(person.faces)} of {wanted.photos}")
    if graded and max(graded) < wanted.grade:
        yield Finding("reference_poor", person.person_id, f"grade {max(graded)}, {wanted.grade} wanted")
    masked = sum(origin.masked for origin in origins if origin)
    if masked:
        yield Finding("reference_masked", person.person_id, f"{masked} of {len(origins)}")
    models = sorted({origin.model for origin in origins if origin} - {MODEL})
    if models:
        yield Finding("model_expired", person.person_id, f"{', '.join(models)}; today's is {MODEL}")
    if wanted.groups and wanted.groups.isdisjoint(person.groups):
        yield Finding("group_not_searched", person.person_id, f"in {', '.join(person.groups)}")


def similar_pairs(gallery: Gallery, door: OnDeviceSettings) -> Iterator[tuple[str, str, float, bool]]:
    """Pairs of people, the score between them, and whether they count as one."""
    held_to = bars(door, len(gallery))
    for one, other, cosine in gallery.pairs(cosine_for(held_to.alike)):
        yield one, other, score(cosine), score(cosine) >= held_to.same


def _pairs(gallery: Gallery, door: OnDeviceSettings) -> Iterator[Finding]:
    for one, other, points, same in similar_pairs(gallery, door):
        yield Finding("enrolled_twice" if same else "similar_person", one, "", other, round(points, 1))
