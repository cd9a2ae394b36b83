"""Who is to be imported: folders of photos, files of embeddings, lists of names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from kiosk.domain import Box, Face, QualityReport
from kiosk.enrolment.enrolling import Order
from kiosk.enrolment.judging import Sight
from kiosk.enrolment.profile import Reason
from kiosk.errors import KioskError
from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.enrolled import UNCHANGED, Consent, Unchanged
from kiosk.recognition.on_device.matching import DIMENSIONS

ID = re.compile(r"[A-Za-z0-9%@#&_-]{1,64}")
"""The vendor's alphabet for ids, so that nobody has to be renamed to be enrolled there too."""
_NUMBERED = re.compile(r"(?P<person>[^.]+)(\.[0-9]+)?\.[^.]+")
_OTHERS = frozenset({"thumbs.db", "desktop.ini"})
"""What file managers leave behind; files whose names begin with a dot are passed over too."""
_SAYS = {"yes": True, "no": False, "unset": None}
_NO_FACE = Face(Box(0, 0, 1, 1), 0.0, ((0, 0), (0, 0), (0, 0), (0, 0), (0, 0)))


class Photos(NamedTuple):
    """A person's, as (label, file); `reason`: why they cannot be enrolled at all."""

    person: str
    files: tuple[tuple[str, Path], ...]
    reason: Reason | None = None


class Embeddings(NamedTuple):
    person: str
    references: tuple[Sight, ...]


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a list says of a person beside the photos."""

    name: str = ""
    tag: str = ""
    consent: Consent | Unchanged = UNCHANGED
    groups: tuple[str, ...] = ()

    def order(self, person: str, groups: Sequence[str]) -> Order:
        """`groups`: where the list names none."""
        return Order(person, self.groups or tuple(groups), self.name, self.tag, self.consent)


def photos_in(folder: Path, besides: Path | None = None) -> list[Photos]:
    """Folders named by person, and files named PERSON.jpg or PERSON.NUMBER.jpg; `besides`: a file that is no photo.

    Raises KioskError `nothing_to_import`.
    """
    found: dict[str, list[tuple[str, Path]]] = {}
    try:
        entries = sorted(entry for entry in folder.iterdir() if not (besides and besides.exists() and entry.samefile(besides)))
    except OSError as error:
        raise KioskError("nothing_to_import", f"{folder}: {error.strerror}") from error
    for entry in entries:
        numbered = _NUMBERED.fullmatch(entry.name)
        person = entry.name if entry.is_dir() or not numbered else numbered["person"]
        files = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        labelled = [(str(file.relative_to(folder)), file) for file in files if file.is_file() and _is_meant(file, folder)]
        if labelled:
            found.setdefault(person, []).extend(labelled)
    if not found:
        raise KioskError("nothing_to_import", f"{folder} holds no photos")
    return [Photos(person, tuple(files), None if is_id(person) else Reason("id_unusable")) for person, files in found.items()]


def embeddings_in(file: Path) -> list[Embeddings]:
    """A .npz with arrays `persons` (text) and `embeddings` (n × 128), or lines of JSON with `person` and `embedding`.

    Lengths do not matter: every embedding is brought to 1. Raises KioskError `embeddings_unusable`.
    """
    found: dict[str, list[Sight]] = {}
    try:
        rows = _arrays(file) if file.suffix == ".npz" else _lines(file)
        for number, (person, vector) in enumerate(rows, 1):
            found.setdefault(person, []).append(_reference(f"{file.name} {number}", person, vector))
    except OSError as error:
        raise KioskError("embeddings_unusable", f"{file}: {error.strerror or error}") from error
    if not found:
        raise KioskError("nothing_to_import", f"{file} holds no embeddings")
    return [Embeddings(person, tuple(references)) for person, references in found.items()]


def particulars_in(file: Path) -> dict[str, Particulars]:
    """A CSV with a column `person`, and any of `name`, `tag`, `consent` (yes, no, unset) and `groups` (parted by blanks).

    Raises KioskError `people_unusable`.
    """
    found = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restkey="", strict=True)
            odd = set(reader.fieldnames or ()) - {"person", "name", "tag", "consent", "groups"}
            if odd or "person" not in (reader.fieldnames or ()):
                raise KioskError("people_unusable", f"{file}: columns are person, name, tag, consent, groups")
            for row in reader:
                found[row["person"]] = _particulars(row, f"{file}, line {reader.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KioskError("people_unusable", f"{file}: {error}") from error
    return found


def is_id(text: str) -> bool:
    return ID.fullmatch(text) is not None


def _is_meant(file: Path, folder: Path) -> bool:
    parts = file.relative_to(folder).parts
    return not any(part.startswith(".") for part in parts) and file.name.lower() not in _OTHERS


def _particulars(row: Mapping[str, str | None], where: str) -> Particulars:
    says, groups = row.get("consent") or "", tuple((row.get("groups") or "").split())
    if says and says not in _SAYS:
        raise KioskError("people_unusable", f"{where}: consent is yes, no or unset")
    if not all(map(is_id, groups)):
        raise KioskError("people_unusable", f"{where}: a group's id has up to 64 letters, digits and %@#&_-")
    return Particulars(row.get("name") or "", row.get("tag") or "", _SAYS[says] if says else UNCHANGED, groups)


class _Line(Struct, forbid_unknown_fields=True):
    person: str
    embedding: Annotated[list[float], Meta(min_length=DIMENSIONS, max_length=DIMENSIONS)]


def _lines(file: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    decode = msgspec.json.Decoder(_Line).decode
    with file.open("rb") as stream:
        for number, text in enumerate(stream, 1):
            try:
                line = decode(text)
            except msgspec.MsgspecError as error:
                raise KioskError("embeddings_unusable", f"{file}, line {number}: {error}") from error
            yield line.person, np.array(line.embedding)


def _arrays(file: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            persons, embeddings = arrays["persons"], arrays["embeddings"]
    except (ValueError, KeyError, EOFError) as error:
        raise KioskError("embeddings_unusable", f"{file}: {error}") from error
    if persons.shape != embeddings.shape[:1] or embeddings.shape[1:] != (DIMENSIONS,) or embeddings.dtype.kind != "f":
        shapes = f"persons {persons.shape}, embeddings {embeddings.dtype}{embeddings.shape}"
        raise KioskError("embeddings_unusable", f"{file}: {shapes}; (n,) and float(n, {DIMENSIONS}) are wanted")
    yield from zip(map(str, persons.tolist()), embeddings, strict=True)


def _reference(label: str, person: str, vector: npt.NDArray[Any]) -> Sight:
    if not is_id(person):
        return Sight(label, reasons=(Reason("id_unusable"),))
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not 0 < length < float("inf"):
        return Sight(label, reasons=(Reason("embedding_invalid"),))
    unit = (vector / length).astype("<f4").tobytes()
    return Sight(label, AnalysedFace(_NO_FACE, QualityReport({}, (), 0), unit))
