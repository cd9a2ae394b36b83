"""The sandbox's person library, in memory: what the vendor keeps behind its interfaces."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from kiosk.domain import Candidate
from kiosk.recognition.on_device.calibration import confidence
from kiosk.recognition.on_device.matching import Index
from kiosk.sandbox.refusals import Refusal

MOST_GROUPS = 5_000
MOST_PERSONS = 20_000
"""Groups of an application and persons of a group, by the vendor's documents."""
TOP = 5


@dataclass(frozen=True, slots=True)
class Person:
    person_id: str
    name: str
    tag: str
    groups: tuple[str, ...]
    faces: tuple[str, ...]


class Library:
    """Event loop only. Raises Refusal with the vendor's code."""

    def __init__(self) -> None:
        self._persons: dict[str, Person] = {}
        self._index = Index()

    def get(self, person_id: str) -> Person:
        """Raises Refusal −1303."""
        person = self._persons.get(person_id)
        if person is None:
            raise Refusal(-1303)
        return person

    def check_new(self, person_id: str, groups: Sequence[str]) -> None:
        """Raises Refusal −1302, −1310 or −1311 where such a person cannot be created."""
        if person_id in self._persons:
            raise Refusal(-1302)
        if len(self._index.groups | set(groups)) > MOST_GROUPS:
            raise Refusal(-1311)
        if any(self._index.group_size(group) >= MOST_PERSONS for group in groups):
            raise Refusal(-1310)

    def create(self, person_id: str, name: str, tag: str, groups: Sequence[str], embedding: bytes) -> Person:
        """Groups that do not exist come into being. Raises as `check_new` does."""
        self.check_new(person_id, groups)
        face = str(10**18 + secrets.randbelow(9 * 10**18))
        self._index.add(person_id, groups, face, embedding)
        person = Person(person_id, name, tag, tuple(dict.fromkeys(groups)), (face,))
        self._persons[person_id] = person
        return person

    def delete(self, person_id: str) -> None:
        """Raises Refusal −1303."""
        self.get(person_id)
        self._index.remove(person_id)
        del self._persons[person_id]

    def check_groups(self, groups: Sequence[str]) -> None:
        """Raises Refusal −1306 where one does not exist."""
        for group in groups:
            if not self._index.has_group(group):
                raise Refusal(-1306)

    def identify(self, embedding: bytes, groups: Sequence[str]) -> list[Candidate]:
        """At most five, the best first. Raises as `check_groups` does."""
        self.check_groups(groups)
        hits = self._index.search(embedding, groups, TOP)
        return [Candidate(hit.person, confidence(hit.cosine), hit.face, self._persons[hit.person].tag) for hit in hits]
