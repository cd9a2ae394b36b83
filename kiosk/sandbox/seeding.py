"""People enrolled at the start from a folder of photos."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from kiosk.errors import ConfigurationError, KioskError
from kiosk.ports import AnalysedFace, PhotoAnalyser, Wish
from kiosk.recognition.on_device.enrolled import OLD
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}
_MOST_ID = 64
"""Characters, by the vendor's documents."""
_WISH = Wish(embed="largest", upper=True)

Photos = Mapping[str, list[Path]]


@dataclass(slots=True)
class Seeded:
    """`known`: persons who were there before; `refused`: photos, and the slug why."""

    persons: int = 0
    faces: int = 0
    known: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)


def people(folder: Path) -> Photos:
    """Photos by person: of each folder in it, and files named after somebody. Raises ConfigurationError where there is none."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.suffix.lower() in SUFFIXES and path.is_file():
            first, *rest = path.relative_to(folder).parts
            found.setdefault(first if rest else path.stem, []).append(path)
    if not found:
        raise ConfigurationError("configuration_invalid", f"{folder}: no photos ({', '.join(sorted(SUFFIXES))}) to enrol there")
    for name in found:
        if len(identifier(name)) > _MOST_ID:
            raise ConfigurationError("configuration_invalid", f"{folder / name}: too long a name for a person's id")
    return found


def identifier(name: str) -> str:
    """A person's id from their name: what the vendor's alphabet lacks is escaped as in addresses."""
    return re.sub("[.~]", lambda found: f"%{ord(found[0]):02X}", quote(name, safe="-@#&_"))


async def seed(
    photos: Photos, group: str, analyser: PhotoAnalyser, gallery: Gallery, workers: int, advance: Callable[[], None]
) -> Seeded:
    """Enrols everybody who is not there yet, by the largest face of each photo; `advance` is called for every photo.

    A photo that cannot be used is passed over; who has no usable one is not enrolled.
    """
    seeded, turns = Seeded(), asyncio.Semaphore(workers)

    async def look(photo: Path) -> AnalysedFace | None:
        try:
            async with turns:
                found = await analyser.analyse(await asyncio.to_thread(photo.read_bytes), _WISH)
        except (KioskError, OSError) as error:
            seeded.refused.append((photo, error.slug if isinstance(error, KioskError) else f"{error.strerror}"))
            return None
        finally:
            advance()
        if not found.faces:
            seeded.refused.append((photo, "face_not_found"))
            return None
        return found.faces[0]

    async def enrol(name: str, files: list[Path]) -> None:
        faces = [(file, await look(file)) for file in files]
        _keep(gallery, name, group, [(file, face) for file, face in faces if face is not None], seeded)

    async with asyncio.TaskGroup() as tasks:
        for name, files in photos.items():
            if _is_known(gallery, identifier(name)):
                seeded.known += 1
                for _ in files:
                    advance()
            else:
                tasks.create_task(enrol(name, files))
    return seeded


def _is_known(gallery: Gallery, person_id: str) -> bool:
    try:
        gallery.person(person_id)
    except GalleryRefusal as refusal:
        if refusal.why is Why.PERSON_UNKNOWN:
            return False
        raise
    return True


def _keep(gallery: Gallery, name: str, group: str, faces: list[tuple[Path, AnalysedFace]], seeded: Seeded) -> None:
    person_id, enrolled = identifier(name), False
    for file, seen in faces:
        try:
            face = gallery.new_face(seen)
            if enrolled:
                gallery.add_face(person_id, face, OLD, allow_same=False)
            else:
                gallery.create_person(gallery.new_person(person_id, name), [group], face, OLD)
        except KioskError as error:
            seeded.refused.append((file, str(error)))
            continue
        seeded.persons += not enrolled
        seeded.faces += 1
        enrolled = True
