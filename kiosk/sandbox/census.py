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
    groups = gallery.groups
    persons = gallery.members(group.group_id for group in groups)
    return Census(len(groups), len(persons), sum(len(person.faces) for person in persons))


def sizes(gallery: Gallery) -> list[Size]:
    """Of every group."""
    return [Size(group.group_id, group.name, len(group.members)) for group in gallery.groups]
