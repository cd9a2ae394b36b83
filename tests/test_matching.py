"""Exact search over faces as numbers, held against comparing everything with everything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiosk.bench import on_device
from kiosk.bench.report import Report
from kiosk.errors import ContractViolation
from kiosk.recognition.on_device import matching
from kiosk.recognition.on_device.matching import DIMENSIONS, Index, Numbers, Vector, cosine_of, mean_vector, unit_vector

OWNERS = st.integers(0, 12)
SEEDS = st.integers(0, 40)
CLOSE = 1e-5


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few faces fill several."""
    monkeypatch.setattr(matching, "_BLOCK", 4)


def face(seed: int) -> Vector:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def embedding(seed: int) -> bytes:
    return face(seed).astype("<f4").tobytes()


def cosine(one: Vector, other: Vector) -> float:
    return float(one.astype(np.float64) @ other.astype(np.float64))


def numbers(*values: int) -> Numbers:
    return np.array(values, dtype=np.int64)


def add(index: Index, owner: int, name: int, seed: int) -> None:
    index.add(numbers(owner), numbers(name), face(seed)[None])


class Changes(RuleBasedStateMachine):
    """The index against a plain list of everything, under any order of adding and removing."""

    def __init__(self) -> None:
        super().__init__()
        self.index = Index()
        self.added = 0
        self.faces: list[tuple[int, int, Vector]] = []

    @initialize(block=st.integers(1, 5))
    def size(self, block: int) -> None:
        matching._BLOCK = block

    @rule(owners=st.lists(OWNERS, max_size=7), seed=SEEDS)
    def add(self, owners: list[int], seed: int) -> None:
        rows = [(owner, self.added + at, face(seed + at)) for at, owner in enumerate(owners)]
        self.added += len(rows)
        vectors = np.array([row[2] for row in rows], dtype=np.float32).reshape(-1, DIMENSIONS)
        self.index.add(numbers(*(row[0] for row in rows)), numbers(*(row[1] for row in rows)), vectors)
        self.faces += rows

    @rule(owners=st.sets(OWNERS, max_size=4))
    def remove(self, owners: set[int]) -> None:
        self.index.remove(numbers(*owners))
        self.faces = [known for known in self.faces if known[0] not in owners]

    @rule(seed=SEEDS, allowed=st.none() | st.sets(OWNERS), top=st.integers(1, 6))
    def search(self, seed: int, allowed: set[int] | None, top: int) -> None:
        mask = None if allowed is None else np.isin(np.arange(max(13, len(self.index.counts))), list(allowed))
        found = self.index.search(face(seed), top, mask)
        best: dict[int, float] = {}
        for owner, _, vector in self.faces:
            if allowed is None or owner in allowed:
                best[owner] = max(best.get(owner, -2.0), cosine(face(seed), vector))
        assert [hit.cosine for hit in found] == pytest.approx(sorted(best.values(), reverse=True)[:top], abs=CLOSE)
        assert len({hit.owner for hit in found}) == len(found)
        by_name = {name: (owner, vector) for owner, name, vector in self.faces}
        for hit in found:
            owner, vector = by_name[hit.face]
            assert owner == hit.owner
            assert cosine(face(seed), vector) == pytest.approx(hit.cosine, abs=CLOSE) == best[owner]

    @rule(of=st.none() | st.sets(OWNERS))
    def means(self, of: set[int] | None) -> None:
        found = {int(owner): mean for owners, means in self.index.means(of) for owner, mean in zip(owners, means, strict=True)}
        sums: dict[int, Vector] = {}
        for owner, _, vector in self.faces:
            if of is None or owner in of:
                sums[owner] = sums.get(owner, np.zeros(DIMENSIONS, dtype=np.float32)) + vector
        assert found.keys() == sums.keys()
        for owner, total in sums.items():
            assert cosine(found[owner], total) == pytest.approx(float(np.linalg.norm(total)), abs=1e-4)

    @rule(least=st.floats(-1, 1), about=st.integers(1, 9))
    def pairs(self, least: float, about: int) -> None:
        best: dict[tuple[int, int], float] = {}
        for one, _, left in self.faces:
            for other, _, right in self.faces:
                if one < other:
                    best[one, other] = max(best.get((one, other), -2.0), cosine(left, right))
        found = list(self.index.pairs(least, about))
        names = [(one, other) for one, other, _ in found]
        assert len(set(names)) == len(names)
        assert {pair for pair, value in best.items() if value > least + CLOSE} <= set(names)
        assert set(names) <= {pair for pair, value in best.items() if value > least - CLOSE}
        for one, other, value in found:
            assert value == pytest.approx(best[one, other], abs=CLOSE)

    @invariant()
    def counts(self) -> None:
        assert len(self.index) == len(self.faces)
        owners = [owner for owner, _, _ in self.faces]
        assert sorted(self.index.owners.tolist()) == sorted(owners)
        assert {at: int(count) for at, count in enumerate(self.index.counts) if count} == {
            owner: owners.count(owner) for owner in owners
        }


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_thousand_faces_and_the_one_that_is_meant() -> None:
    index = Index()
    index.add(np.arange(1_000), np.arange(1_000) + 10**18, np.array([face(seed) for seed in range(1_000)]))
    best, *others = index.search(face(711), 5)
    assert (best.owner, best.face, round(best.cosine, 5)) == (711, 10**18 + 711, 1.0)
    assert len(others) == 4
    assert index.search(face(711), 5, np.zeros(len(index.counts), dtype=bool)) == []
    index.remove(numbers(711))
    assert index.search(face(711), 5)[0].cosine < 0.5


def test_who_has_many_faces_takes_nobodys_place() -> None:
    """Twenty faces of one owner are all closer than the best of the next."""
    index = Index()
    for name in range(20):
        add(index, 1, name, 1)
    for owner in (2, 3, 4):
        add(index, owner, 100 + owner, owner)
    first, *others = index.search(face(1), 4)
    assert first.owner == 1
    assert {hit.owner for hit in others} == {2, 3, 4}


@pytest.mark.parametrize("order", [(3, 1, 2), (2, 3, 1), (1, 2, 3)])
def test_equals_stand_in_the_order_of_their_numbers(order: tuple[int, ...]) -> None:
    index = Index()
    for owner in order:
        add(index, owner, 10 * owner + 1, 7)
        add(index, owner, 10 * owner, 7)
    assert [(hit.owner, hit.face) for hit in index.search(face(7), 2)] == [(1, 10), (2, 20)]


def test_one_row_among_all_and_picked_out_are_compared_alike() -> None:
    """Few allowed rows go another way than many."""
    index = Index()
    index.add(np.arange(100), np.arange(100), np.array([face(seed) for seed in range(100)]))
    few, many = np.zeros(len(index.counts), dtype=bool), np.zeros(len(index.counts), dtype=bool)
    few[[5, 50, 99]] = True
    many[:] = True
    mine = {hit.owner: hit.cosine for hit in index.search(face(5), 100, many)}
    assert {hit.owner: hit.cosine for hit in index.search(face(5), 100, few)} == {
        owner: pytest.approx(mine[owner], abs=1e-6) for owner in (5, 50, 99)
    }


def test_memory_goes_back_with_the_faces() -> None:
    index = Index()
    index.add(np.arange(100), np.arange(100), np.array([face(seed) for seed in range(100)]))
    index.remove(np.arange(1, 100))
    assert len(index._blocks) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        b"",
        embedding(1)[:-4],
        embedding(1) + bytes(4),
        bytes(4 * DIMENSIONS),
        (face(1) * 2).tobytes(),
        np.full(DIMENSIONS, np.nan, "<f4").tobytes(),
        np.full(DIMENSIONS, np.inf, "<f4").tobytes(),
    ],
)
def test_what_is_no_unit_vector_is_refused(wrong: bytes | None) -> None:
    with pytest.raises(ContractViolation, match="eye_contract"):
        unit_vector(wrong)


def test_one_vector_for_several() -> None:
    one, other = embedding(1), embedding(2)
    assert cosine_of(mean_vector([one]), one) == pytest.approx(1, abs=1e-6)
    both = mean_vector([one, other])
    assert cosine_of(both, one) == pytest.approx(cosine_of(both, other), abs=1e-6)
    assert cosine_of(both, one) > 0.6
    opposite = (-face(1)).tobytes()
    assert cosine_of(mean_vector([one, opposite]), one) == pytest.approx(1, abs=1e-6)
    with pytest.raises(ContractViolation):
        mean_vector([one, bytes(512)])


@given(st.lists(SEEDS, min_size=1, max_size=4))
def test_a_merged_person_is_what_the_mean_of_their_faces_is(seeds: list[int]) -> None:
    index = Index()
    for name, seed in enumerate(seeds):
        add(index, 3, name, seed)
    ((owners, means),) = index.means()
    assert owners.tolist() == [3]
    assert cosine_of(means[0].tobytes(), mean_vector([embedding(seed) for seed in seeds])) == pytest.approx(1, abs=1e-6)


def test_the_benchmark_measures_and_faiss_finds_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = Report()
    on_device.measure(report, (60, 120), 4)
    assert "4 of 4 probes had the same 5 persons" in " ".join(capsys.readouterr().out.split())
    report.write(tmp_path / "report.json")
    tables = [table["rows"] for table in json.loads((tmp_path / "report.json").read_bytes())["benchmarks"]]
    assert [len(rows) for rows in tables] == [5, 5, 6, 3]
    assert all(value > 0 for row in tables[0] for value in row.values() if isinstance(value, float))
