"""How many are enrolled, and where."""

from __future__ import annotations

from typing import NamedTuple

from kiosk.recognition.on_device.gallery import Gallery


class Census(NamedTuple):
    groups: int
    persons: int
    faces: int


class Size(NamedTuple):
    group_id: str
    name: str
    persons: int


def census(gallery: Gallery) -> Census:
    return Census(gallery.group_count, gallery.person_count, len(gallery))


def sizes(gallery: Gallery) -> list[Size]:
    """Of every group."""
    return [Size(group.group_id, group.name, gallery.population([group.group_id])[0]) for group in gallery.groups]
