"""A gallery's file under any order of changes by two who have it open, held against a plain model."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiosk.recognition.on_device.enrolled import OLD
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why
from tests.gallery_stage import KEY, add, cosine, embedding, enrol

PERSONS = st.sampled_from("abcde")
GROUPS = st.sampled_from(("staff", "guests", "night"))
SEEDS = st.integers(0, 25)
HANDS = st.sampled_from((0, 1))
UPPER = 1_000
"""Added to a face's seed: of its upper part, which every other face has."""


class Broken(Exception):
    """Ends a transaction."""


@dataclass
class Model:
    """Persons' groups and faces; seeds stand for faces."""

    groups: list[str] = field(default_factory=list)
    persons: dict[str, list[str]] = field(default_factory=dict)
    faces: dict[str, dict[str, int]] = field(default_factory=dict)

    def why_not_new(self, person: str) -> Why | None:
        return Why.PERSON_EXISTS if person in self.persons else None

    def members(self, groups: set[str]) -> set[str]:
        return {person for person, of in self.persons.items() if groups & set(of)}

    def cosines(self, seed: int, among: set[str], *, upper: bool, merged: bool) -> dict[str, float]:
        found = {}
        for person in among:
            seeds = [known + UPPER * upper for known in self.faces[person].values() if not upper or known % 2]
            vectors = [np.frombuffer(embedding(known), "<f4").astype(float) for known in seeds]
            if merged and vectors:
                total = np.sum(vectors, axis=0)
                vectors = [total / np.linalg.norm(total)]
            probe = np.frombuffer(embedding(seed), "<f4").astype(float)
            if vectors:
                found[person] = max(float(vector @ probe) for vector in vectors)
        return found

    def forget(self, person: str) -> None:
        del self.persons[person], self.faces[person]


class Life(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "gallery.sqlite"
        self.hands = [Gallery.open(self.file, KEY), Gallery.open(self.file, KEY)]
        self.model = Model()
        self.deleted = 0

    def teardown(self) -> None:
        for hand in self.hands:
            hand.close()
        self.folder.cleanup()

    @rule(hand=HANDS, person=PERSONS, groups=st.lists(GROUPS, min_size=1, max_size=3, unique=True), seed=SEEDS)
    def create(self, hand: int, person: str, groups: list[str], seed: int) -> None:
        if person in self.model.persons:
            with refused(Why.PERSON_EXISTS):
                enrol(self.hands[hand], person, seed, *groups)
            return
        made = enrol(self.hands[hand], person, seed, *groups, upper=seed + UPPER if seed % 2 else None)
        self.model.groups += [group for group in groups if group not in self.model.groups]
        self.model.persons[person] = groups
        self.model.faces[person] = {made.faces[0].face_id: seed}

    @rule(hand=HANDS, person=PERSONS, seed=SEEDS)
    def add_face(self, hand: int, person: str, seed: int) -> None:
        if person not in self.model.persons or seed in self.model.faces[person].values():
            with refused(Why.SAME_FACE if person in self.model.persons else Why.PERSON_UNKNOWN):
                add(self.hands[hand], person, seed)
            return
        face = add(self.hands[hand], person, seed, upper=seed + UPPER if seed % 2 else None)
        self.model.faces[person][face.face_id] = seed

    @rule(hand=HANDS, person=PERSONS, data=st.data())
    def delete_faces(self, hand: int, person: str, data: st.DataObject) -> None:
        known = self.model.faces.get(person)
        if known is None:
            return
        going = data.draw(st.lists(st.sampled_from(sorted(known)), unique=True))
        if len(going) == len(known):
            with refused(Why.LAST_FACE):
                self.hands[hand].delete_faces(person, going)
            return
        assert self.hands[hand].delete_faces(person, [*going, "77", "no face"]) == going
        for face in going:
            del known[face]
        self.deleted += bool(going)

    @rule(hand=HANDS, person=PERSONS, groups=st.lists(GROUPS, min_size=1, max_size=2))
    def join(self, hand: int, person: str, groups: list[str]) -> None:
        of = self.model.persons.get(person)
        if of is None or not set(groups) <= set(self.model.groups) or set(groups) & set(of):
            missing = Why.PERSON_UNKNOWN if of is None else Why.GROUP_UNKNOWN
            with refused(Why.IN_GROUP if of is not None and set(groups) <= set(self.model.groups) else missing):
                self.hands[hand].join(person, groups, OLD)
            return
        self.hands[hand].join(person, groups, OLD)
        of += dict.fromkeys(groups)

    @rule(hand=HANDS, person=PERSONS, group=GROUPS)
    def leave(self, hand: int, person: str, group: str) -> None:
        of = self.model.persons.get(person)
        if of is None or group not in of:
            with refused(Why.PERSON_UNKNOWN, Why.GROUP_UNKNOWN, Why.NOT_IN_GROUP):
                self.hands[hand].leave(person, group)
            return
        self.hands[hand].leave(person, group)
        of.remove(group)
        if not of:
            self.model.forget(person)
            self.deleted += 1

    @rule(hand=HANDS, person=PERSONS)
    def delete(self, hand: int, person: str) -> None:
        if person not in self.model.persons:
            with refused(Why.PERSON_UNKNOWN):
                self.hands[hand].delete_person(person)
            return
        self.hands[hand].delete_person(person)
        self.model.forget(person)
        self.deleted += 1

    @rule(hand=HANDS, group=GROUPS)
    def delete_group(self, hand: int, group: str) -> None:
        if group not in self.model.groups:
            with refused(Why.GROUP_UNKNOWN):
                self.hands[hand].delete_group(group)
            return
        self.hands[hand].delete_group(group)
        self.model.groups.remove(group)
        for person, of in list(self.model.persons.items()):
            if of == [group]:
                self.model.forget(person)
                self.deleted += 1
            elif group in of:
                of.remove(group)

    @rule(hand=HANDS, person=PERSONS, seed=SEEDS, look=st.booleans(), inner=st.booleans())
    def begin_and_break_off(self, hand: int, person: str, seed: int, look: bool, inner: bool) -> None:
        gallery = self.hands[hand]
        with suppress(Broken, GalleryRefusal), gallery.together():
            if inner:
                with suppress(Broken), gallery.together():
                    enrol(gallery, "f", seed, "night")
                    raise Broken
                assert "f" not in [found.person_id for found in gallery.everybody()]
            enrol(gallery, "g", seed, "staff", "night")
            if look:
                assert gallery.search_all(embedding(seed), 9)[0].cosine == pytest.approx(1, abs=1e-5)
                assert "g" in [hit.person for hit in gallery.search(embedding(seed), ["night"], 9)]
            gallery.delete_person(person)
            raise Broken

    @rule(hand=HANDS)
    def reopen(self, hand: int) -> None:
        self.hands[hand].close()
        self.hands[hand] = Gallery.open(self.file, KEY)

    @rule(
        hand=HANDS,
        seed=SEEDS,
        groups=st.none() | st.sets(GROUPS, min_size=1),
        top=st.integers(1, 6),
        upper=st.booleans(),
        merged=st.booleans(),
    )
    def search(self, hand: int, seed: int, groups: set[str] | None, top: int, upper: bool, merged: bool) -> None:
        self.look(self.hands[hand], seed, None if groups is None else groups & set(self.model.groups), top, upper, merged)

    def look(self, gallery: Gallery, seed: int, groups: set[str] | None, top: int, upper: bool, merged: bool) -> None:
        if groups is None:
            hits, among = gallery.search_all(embedding(seed), top, upper=upper, merged=merged), set(self.model.persons)
        else:
            hits = gallery.search(embedding(seed), sorted(groups), top, upper=upper, merged=merged)
            among = self.model.members(groups)
            assert gallery.population(sorted(groups)) == (len(among), sum(len(self.model.faces[p]) for p in among))
        expected = self.model.cosines(seed, among, upper=upper, merged=merged)
        assert [hit.cosine for hit in hits] == pytest.approx(sorted(expected.values(), reverse=True)[:top], abs=1e-5)
        for hit in hits:
            assert hit.cosine == pytest.approx(expected[hit.person], abs=1e-5)
            assert gallery.likeness(hit.person, embedding(seed), upper=upper, merged=merged) == pytest.approx(
                hit.cosine, abs=1e-5
            )
            if not merged:
                known = self.model.faces[hit.person][hit.face]
                assert cosine(embedding(seed), embedding(known + UPPER * upper)) == pytest.approx(hit.cosine, abs=1e-5)

    @invariant()
    def one_follows_every_step(self) -> None:
        """The other looks now and then only."""
        for upper, merged in itertools.product((False, True), repeat=2):
            self.look(self.hands[0], 3, None, 9, upper, merged)
        for group in self.model.groups:
            self.look(self.hands[0], 3, {group}, 9, upper=False, merged=False)

    @invariant()
    def both_know_the_same(self) -> None:
        for gallery in self.hands:
            persons = {person.person_id: person for person in gallery.everybody()}
            assert {name: list(person.groups) for name, person in persons.items()} == self.model.persons
            faces = {name: [face.face_id for face in person.faces] for name, person in persons.items()}
            assert faces == {name: list(of) for name, of in self.model.faces.items()}
            groups = {group.group_id: group.persons for group in gallery.groups}
            assert groups == {group: len(self.model.members({group})) for group in self.model.groups}
            assert list(groups) == self.model.groups
            assert (len(gallery), gallery.person_count) == (sum(map(len, faces.values())), len(persons))
            assert len(gallery.deletions()) == self.deleted


def refused(*whys: Why) -> pytest.RaisesExc[GalleryRefusal]:
    return pytest.raises(GalleryRefusal, check=lambda error: error.why in whys)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
