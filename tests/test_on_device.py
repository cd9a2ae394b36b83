"""Matching on the device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kiosk.errors import ContractViolation
from kiosk.recognition.on_device.matching import DIMENSIONS, Index, cosine_of, mean_vector, unit_vector

GROUPS = ("staff", "guests", "night")


def face(seed: int) -> bytes:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


def cosine(one: bytes, other: bytes) -> float:
    return float(np.frombuffer(one, "<f4").astype(float) @ np.frombuffer(other, "<f4").astype(float))


class Enrolment(RuleBasedStateMachine):
    """The index against a plain list of everything, under any order of adding and removing."""

    def __init__(self) -> None:
        super().__init__()
        self.index = Index()
        self.added = 0
        self.faces: list[tuple[str, str, bytes]] = []
        self.groups: dict[str, set[str]] = {}

    @rule(person=st.sampled_from("abcdef"), groups=st.sets(st.sampled_from(GROUPS), max_size=2), seed=st.integers(0, 40))
    def add(self, person: str, groups: set[str], seed: int) -> None:
        self.added += 1
        self.index.add(person, groups, f"f{self.added}", face(seed))
        self.faces.append((person, f"f{self.added}", face(seed)))
        for group in groups:
            self.groups.setdefault(group, set()).add(person)

    @rule(person=st.sampled_from("abcdef"))
    def remove(self, person: str) -> None:
        kept = [known for known in self.faces if known[0] != person]
        assert self.index.remove(person) == len(self.faces) - len(kept)
        self.faces = kept
        for members in self.groups.values():
            members.discard(person)

    @rule(person=st.sampled_from("abcdef"), group=st.sampled_from(GROUPS))
    def join(self, person: str, group: str) -> None:
        if any(known[0] == person for known in self.faces):
            self.index.join(person, group)
            self.groups.setdefault(group, set()).add(person)

    @rule(person=st.sampled_from("abcdef"), group=st.sampled_from(GROUPS))
    def leave(self, person: str, group: str) -> None:
        self.index.leave(person, group)
        self.groups.get(group, set()).discard(person)

    @rule(group=st.sampled_from(GROUPS))
    def forget(self, group: str) -> None:
        self.index.forget_group(group)
        self.groups.pop(group, None)

    @rule(seed=st.integers(0, 40), groups=st.sets(st.sampled_from(GROUPS)), top=st.integers(1, 5))
    def search(self, seed: int, groups: set[str], top: int) -> None:
        best: dict[str, float] = {}
        for person, _, embedding in self.faces:
            if any(person in self.groups.get(group, ()) for group in groups):
                best[person] = max(best.get(person, -2.0), cosine(face(seed), embedding))
        hits = self.index.search(face(seed), groups, top)
        expected = sorted(best.values(), reverse=True)[:top]
        assert [hit.cosine for hit in hits] == pytest.approx(expected, abs=1e-5)
        assert all(best[hit.person] == pytest.approx(hit.cosine, abs=1e-5) for hit in hits)
        assert len({hit.person for hit in hits}) == len(hits)
        for hit in hits:
            of_face = {name: (person, embedding) for person, name, embedding in self.faces}
            assert of_face[hit.face][0] == hit.person
            assert cosine(face(seed), of_face[hit.face][1]) == pytest.approx(hit.cosine, abs=1e-5)

    @invariant()
    def counts(self) -> None:
        assert len(self.index) == len(self.faces)
        assert self.index.groups == set(self.groups)
        assert {group: self.index.group_size(group) for group in self.groups} == {g: len(m) for g, m in self.groups.items()}


TestEnrolment = Enrolment.TestCase
TestEnrolment.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_thousand_faces_and_the_one_that_is_meant() -> None:
    index = Index()
    for number in range(1_000):
        index.add(f"p{number}", ["staff"], f"f{number}", face(number))
    best, *others = index.search(face(711), ["staff"])
    assert (best.person, best.face, round(best.cosine, 5)) == ("p711", "f711", 1.0)
    assert len(others) == 4
    assert index.search(face(711), ["elsewhere"]) == []
    index.remove("p711")
    assert index.search(face(711), ["staff"])[0].cosine < 0.5


@pytest.mark.parametrize(
    "embedding",
    [
        b"",
        face(1)[:-4],
        face(1) + bytes(4),
        bytes(4 * DIMENSIONS),
        (np.frombuffer(face(1), "<f4") * 2).tobytes(),
        np.full(DIMENSIONS, np.nan, "<f4").tobytes(),
        np.full(DIMENSIONS, np.inf, "<f4").tobytes(),
    ],
)
def test_what_is_no_unit_vector_is_refused(embedding: bytes) -> None:
    with pytest.raises(ContractViolation, match="eye_contract"):
        unit_vector(embedding)


def test_one_vector_for_several() -> None:
    one, other = face(1), face(2)
    assert cosine(mean_vector([one]), one) == pytest.approx(1, abs=1e-6)
    both = mean_vector([one, other])
    assert cosine(both, one) == pytest.approx(cosine(both, other), abs=1e-6)
    assert cosine_of(both, one) > 0.6
    opposite = (-np.frombuffer(one, "<f4")).tobytes()
    assert mean_vector([one, opposite]) == one
    with pytest.raises(ContractViolation):
        mean_vector([one, bytes(512)])
