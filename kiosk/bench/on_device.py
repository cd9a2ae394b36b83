"""Recognition on the device: what a search, a change and opening the gallery cost, beside faiss and the memory's own speed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kiosk.bench.report import Report, median, percentile
from kiosk.domain import Box, Face, QualityReport
from kiosk.errors import ConfigurationError
from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.enrolled import CURRENT
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import create_key, read_key
from kiosk.recognition.on_device.matching import DIMENSIONS, Found, Index, Mask, Vector

FACES_EACH = 5
TOP = 5
_BATCH = 10_000
_FACE = Face(Box(0.0, 0.0, 100.0, 100.0), 1.0, ((30.0, 40.0), (70.0, 40.0), (50.0, 60.0), (35.0, 80.0), (65.0, 80.0)))

_WEIGH = """
import os, sys, time
from pathlib import Path
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import read_key
from kiosk.recognition.on_device.matching import DIMENSIONS

def rss():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

file, probe = Path(sys.argv[1]), bytes.fromhex(sys.argv[2])
base, begun = rss(), time.perf_counter()
gallery = Gallery.open(file, read_key(Path("key"), file.parent))
for step in (
    lambda: gallery.search(probe, ["all"], 5),
    lambda: gallery.search(probe, ["all"], 5, merged=True),
    lambda: gallery.search(probe, ["all"], 5, upper=True),
):
    step()
    print(time.perf_counter() - begun, rss() - base)
    begun = time.perf_counter()
"""


def measure(report: Report, persons: Sequence[int], rounds: int) -> None:
    """`persons` of five faces each: the first so many are enrolled in a file too.

    Raises ConfigurationError `configuration_missing` where faiss is not installed.
    """
    for count in persons:
        _report_searches(report, count, rounds)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gallery.sqlite"
        create_key(file.with_name("key"))
        with Gallery.open(file, read_key(Path("key"), file.parent)) as gallery:
            spent = _enrol(gallery, persons[0])
            _report_changes(report, gallery, persons[0], spent, rounds)
        _report_opening(report, file, persons[0])


def _report_searches(report: Report, persons: int, rounds: int) -> None:
    vectors, probes = _vectors(persons * FACES_EACH, seed=1), _vectors(rounds, seed=2)
    index = _index(vectors)
    faiss_search = _faiss(vectors)
    bits = vectors.view(np.int64)
    everybody = _allowed(index, persons, 1)
    searches: dict[str, Callable[[Vector], object]] = {
        "all bytes read once": lambda _: bits.sum(),
        "ours, among everybody": lambda probe: index.search(probe, TOP),
        "ours, in a group of everybody": lambda probe: index.search(probe, TOP, everybody),
        "ours, in a group of one in twenty": _within(index, _allowed(index, persons, 20)),
        "faiss IndexFlatIP, among everybody": faiss_search,
    }
    spent: dict[str, list[float]] = {name: [] for name in searches}
    for probe in (*probes[:3], *probes):
        for name, search in searches.items():
            spent[name].append(_milliseconds(lambda: search(probe)))  # noqa: B023 (called at once)
    same = sum(_persons(index.search(probe, TOP)) == faiss_search(probe) for probe in probes)
    limit = min(spent["all bytes read once"][3:])
    report.add(
        f"on-device: milliseconds a search among {persons * FACES_EACH:,} faces, one thread",
        f"{persons:,} persons × {FACES_EACH} random unit vectors of {DIMENSIONS} float32, {vectors.nbytes / 1e6:.0f} MB; the "
        f"{TOP} best persons; {rounds} random probes after 3 to warm up, each way by turns with the same probe. Reading: numpy's "
        "sum of the same bytes as 64-bit integers; the last column is by the best of each. faiss on one thread, its best faces "
        f"cut down to persons; {same} of {rounds} probes had the same {TOP} persons in the same order there and here.",
        [
            {
                "way": name,
                "best": min(times[3:]),
                "p50": median(times[3:]),
                "p95": percentile(times[3:], 0.95),
                "best_of_reading": min(times[3:]) / limit,
            }
            for name, times in spent.items()
        ],
    )


def _within(index: Index, allowed: Mask) -> Callable[[Vector], list[Found]]:
    return lambda probe: index.search(probe, TOP, allowed)


def _report_changes(report: Report, gallery: Gallery, persons: int, enrolled: float, rounds: int) -> None:
    """Each change with the search that follows it, so that the mirror's share is in."""
    probe = _vectors(1, seed=3)[0].tobytes()
    gallery.search(probe, ["all"], TOP)
    spent: dict[str, list[float]] = {}
    for number in range(rounds):
        person_id = f"new{number}"
        face = gallery.new_face(_seen(_vectors(1, seed=100 + number)[0]))
        other = gallery.new_face(_seen(_vectors(1, seed=5_000 + number)[0]))
        steps: dict[str, Callable[[], object]] = {
            "enrol a person": lambda: gallery.create_person(gallery.new_person(person_id, "Somebody"), ["all"], face, CURRENT),  # noqa: B023 (called at once)
            "add a face": lambda: gallery.add_face(person_id, other, CURRENT, allow_same=False),  # noqa: B023
            "delete a face": lambda: gallery.delete_faces(person_id, [other.face_id]),  # noqa: B023
            "delete a person": lambda: gallery.delete_person(person_id),  # noqa: B023
        }
        for name, step in steps.items():
            spent.setdefault(name, []).append(_milliseconds(step))
            spent.setdefault("the next search", []).append(_milliseconds(lambda: gallery.search(probe, ["all"], TOP)))
            spent.setdefault("a search, nothing changed", []).append(_milliseconds(lambda: gallery.search(probe, ["all"], TOP)))
    report.add(
        "on-device: milliseconds a change",
        f"in a gallery of {persons * FACES_EACH:,} faces on {_filesystem(gallery)}, {rounds} rounds; when a change is over it is "
        "on disk (fsync), and a deletion is swept out of the write-ahead log too. Searches by Gallery.search in one group of "
        "everybody, with the look whether another process has changed the file. "
        f"Enrolling all {persons:,} persons in one transaction took {enrolled:.1f} s.",
        [
            {"what": name, "p50": median(times), "p95": percentile(times, 0.95), "max": max(times)}
            for name, times in spent.items()
        ],
    )


def _report_opening(report: Report, file: Path, persons: int) -> None:
    probe = _vectors(1, seed=3)[0].tobytes()
    done = subprocess.run([sys.executable, "-c", _WEIGH, str(file), probe.hex()], capture_output=True, check=True, text=True)
    names = ("open and search by faces", "then by merged persons", "then by upper faces")
    report.add(
        "on-device: opening a gallery, and what it holds in memory",
        f"{persons * FACES_EACH:,} faces with upper embeddings, a file of {file.stat().st_size / 1e6:.0f} MB in the page cache, "
        "in a fresh process with everything imported: until the first answer of its kind, every embedding decrypted; resident "
        "memory over that of the process before it opened the gallery, all indices so far together.",
        [
            {"step": name, "seconds": f"{float(seconds):.2f}", "rss_MB": float(memory)}
            for name, (seconds, memory) in zip(names, (line.split() for line in done.stdout.splitlines()), strict=True)
        ],
    )


def _enrol(gallery: Gallery, persons: int) -> float:
    """Seconds it took; the drawing of the vectors not counted."""
    seen = [_seen(vector) for vector in _vectors(persons * FACES_EACH, seed=1)]
    begun = time.perf_counter()
    gallery.create_group("all", "Everybody", CURRENT)
    with gallery.together():
        for number in range(persons):
            first, *others = seen[number * FACES_EACH : (number + 1) * FACES_EACH]
            person = gallery.new_person(f"p{number}", f"Person {number}")
            gallery.create_person(person, ["all"], gallery.new_face(first), CURRENT)
            for other in others:
                gallery.add_face(person.person_id, gallery.new_face(other), CURRENT, allow_same=False)
    return time.perf_counter() - begun


def _seen(vector: Vector) -> AnalysedFace:
    return AnalysedFace(_FACE, QualityReport({}, (), 4), vector.tobytes(), vector[::-1].tobytes())


def _index(vectors: Vector) -> Index:
    index = Index()
    for low in range(0, len(vectors), _BATCH):
        rows = np.arange(low, min(low + _BATCH, len(vectors)))
        index.add(rows // FACES_EACH, rows, vectors[rows])
    return index


def _allowed(index: Index, persons: int, one_in: int) -> Mask:
    allowed = np.zeros(len(index.counts), dtype=np.bool_)
    allowed[:persons:one_in] = True
    return allowed


def _faiss(vectors: Vector) -> Callable[[Vector], list[int]]:
    try:
        import faiss  # noqa: PLC0415 (a package of the benchmarks)
    except ImportError as error:
        raise ConfigurationError("configuration_missing", f"{error}; install kiosk[bench]") from error

    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(DIMENSIONS)
    flat.add(vectors)

    def search(probe: Vector) -> list[int]:
        _, rows = flat.search(probe[None], TOP * FACES_EACH)
        return list(dict.fromkeys(int(row) // FACES_EACH for row in rows[0]))[:TOP]

    return search


def _persons(found: Sequence[Found]) -> list[int]:
    return [hit.owner for hit in found]


def _vectors(count: int, seed: int) -> Vector:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def _filesystem(gallery: Gallery) -> str:
    """Of the gallery's file, as the kernel names it."""
    assert gallery.file is not None
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    around = {str(parent) for parent in gallery.file.parents}
    return max((place for place in mounts if place[0] in around), key=lambda place: len(place[0]))[1]
