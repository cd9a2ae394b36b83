"""`scripts/calibrate`: fits the scales of on-device scores to photos of people."""

from __future__ import annotations

import json
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
import typer
from numpy.typing import NDArray

from kiosk.bench.fitting import DRAWS, Collection, Faces, fit
from kiosk.bench.report import Report
from kiosk.capture.masks import draw
from kiosk.capture.script import assets
from kiosk.domain import Face
from kiosk.errors import PhotoRejected
from kiosk.recognition.on_device import calibration
from kiosk.recognition.on_device.calibration import Description, Fit, Interval, Rate, Source, points
from kiosk.settings import EyeSettings, QualitySettings, SiteSettings
from kiosk.vision import models
from kiosk.vision.assessor import Assessor, load
from kiosk.vision.photo import FIND_WIDTHS, decode, read_header
from kiosk.vision.pixels import Image, cut, shrink

SYNTHETIC = "openpeople: synthetic, with lookalikes"
_HEAD = ["# Written by scripts/calibrate: how cosines of faces become scores, and what that rests on."]
PHOTOS = frozenset((".jpg", ".jpeg", ".png", ".bmp"))
SHEET = "_sheet"
"""In the names of openpeople's pictures that show one person many times."""
SHEET_WIDTH = 1600
MASKS = 2
"""Drawn on each photo."""
MARGIN, LARGEST = 0.6, 300
"""Of the face's box, kept around the face that gets a mask; and its width in pixels at most."""

Vector = NDArray[np.float64]


class Seen(NamedTuple):
    """One face of a photo; `masked`: of the upper face with masks on, as far as the finder still saw it."""

    person: str
    photo: str
    whole: Vector
    upper: Vector
    masked: list[Vector]


class Looker:
    """The product's own eye: what its quality gate turns away is left out."""

    def __init__(self, models_dir: Path) -> None:
        self._networks = load(models_dir, EyeSettings(), FIND_WIDTHS, embed=True, mask=False)
        self._sheets = load(models_dir, EyeSettings(), (SHEET_WIDTH,), embed=True, mask=False)
        self.left_out = self.lost = 0

    def look(self, person: str, file: Path) -> Iterator[Seen]:
        """The largest face of the photo; of a sheet, all."""
        networks = self._sheets if SHEET in file.stem else self._networks
        assessor = Assessor(networks, QualitySettings(), 20)
        try:
            photo = file.read_bytes()
            image = decode(photo, read_header(photo))
        except PhotoRejected:
            self.left_out += 1
            return
        faces = assessor.assess(image)
        for face, report in faces if SHEET in file.stem else faces[:1]:
            if report.usable:
                yield Seen(person, str(file), self._whole(image, face), self._upper(image, face), self._masked(image, face, file))
            else:
                self.left_out += 1

    def close(self) -> None:
        for networks in (self._networks, self._sheets):
            networks.landmarker.close()

    def _masked(self, image: Image, face: Face, file: Path) -> list[Vector]:
        found = self._networks.landmarker.locate(image, face.box)
        if found is None:
            return []
        part, corner = cut(image, face.box.grown(MARGIN))
        factor = min(1.0, LARGEST / face.box.width)
        part, places = shrink(part, factor), (found.points[:, :2] - corner) * factor
        box = face.box.moved(-corner[0], -corner[1]).scaled(factor)
        vectors = []
        for number in range(MASKS):
            worn = draw(part, places, zlib.crc32(f"{file.name} {face.box.x:.0f} {number}".encode()))
            there = [other for other in self._networks.finder.find(worn) if other.box.overlap(box) > 0.3]
            vectors += [self._upper(worn, other) for other in there[:1]]
            self.lost += not there
        return vectors

    def _whole(self, image: Image, face: Face) -> Vector:
        assert self._networks.embedder is not None, "loaded with embed=True"
        return np.frombuffer(self._networks.embedder.embed(image, face), "<f4").astype(float)

    def _upper(self, image: Image, face: Face) -> Vector:
        assert self._networks.embedder is not None, "loaded with embed=True"
        return np.frombuffer(self._networks.embedder.embed_upper(image, face), "<f4").astype(float)


def calibrate(
    people: Annotated[
        list[Path] | None,
        typer.Option(help="A folder with a folder of photos for each person, all of one kind. May be given more than once."),
    ] = None,
    strangers: Annotated[
        Path | None, typer.Option(help="A folder of photos of masked people who are in none of the others; held against the fit.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Make the fit the product's calibration.")] = False,
) -> None:
    """Fits cosines to false match rates.

    Strangers are paired within a folder only: photos of different kinds differ by more than the people, which flatters.
    The synthetic people of openpeople are always held against the fit and never part of it: their generator has drawn
    some faces several times, which says nothing of how alike people are.
    """
    if write and not people:
        raise typer.BadParameter("--write needs --people: ten synthetic people are no calibration")
    looker = Looker(SiteSettings().models_dir)
    try:
        groups = {folder.name: _look(looker, folder, "*/*") for folder in people or ()}
        synthetic = _look(looker, assets("P001").parent.parent, "*/assets/*")
        masked = _look(looker, strangers, "*") if strangers else []
    finally:
        looker.close()
    print(f"{looker.left_out} photos or faces left out by the quality gate; {looker.lost} faces not found under a mask")
    description = describe(groups, synthetic, masked)
    _print(Report(), description)
    if write:
        file, text = Path(calibration.__file__).with_suffix(".toml"), _toml(description)
        # A fit to very few people may give cosines beyond 1, which the product would refuse to read.
        msgspec.convert(tomllib.loads(text), Description)
        file.write_text(text, encoding="utf-8")
        print(f"written: {file}")


def describe(groups: Mapping[str, list[Seen]], synthetic: list[Seen], masked: list[Seen]) -> Description:
    """Both scales, fitted to `groups`, to `synthetic` only where there are none."""
    collections = [
        *(_Group(name, fitted=True, seen=seen) for name, seen in groups.items()),
        _Group(SYNTHETIC, fitted=not groups, seen=synthetic),
    ]
    model = next(model for model in models.manifest() if model.role == "embedding")
    return Description(
        made=datetime.now(UTC).date().isoformat(),
        model=model.sha256,
        whole=fit([each.whole() for each in collections]),
        upper=fit([each.upper() for each in collections], _faces(masked, "upper") if masked else None),
    )


class _Group(NamedTuple):
    name: str
    fitted: bool
    seen: list[Seen]

    def whole(self) -> Collection:
        faces = _faces(self.seen, "whole")
        return Collection(self.name, self.fitted, faces, faces)

    def upper(self) -> Collection:
        return Collection(self.name, self.fitted, _faces(self.seen, "upper"), _faces(self.seen, "masked"))


def _faces(seen: Sequence[Seen], which: Literal["whole", "upper", "masked"]) -> Faces:
    rows = [(vector, each) for each in seen for vector in (each.masked if which == "masked" else [getattr(each, which)])]
    vectors = np.array([vector for vector, _ in rows]).reshape(len(rows), -1)
    return Faces(vectors, [each.person for _, each in rows], [each.photo for _, each in rows])


def _look(looker: Looker, folder: Path, pattern: str) -> list[Seen]:
    """Everybody in `folder`; a person is called by the first part of the path."""
    files = sorted(file for file in folder.glob(pattern) if file.suffix.lower() in PHOTOS)
    if not files:
        raise typer.BadParameter(f"no photos in {folder} ({pattern})")
    people = [file.relative_to(folder).parts[0] if "/" in pattern else folder.name for file in files]
    return [seen for person, file in zip(people, files, strict=True) for seen in looker.look(person, file)]


def _print(report: Report, description: Description) -> None:
    for name, scale in (("whole faces", description.whole), ("upper faces", description.upper)):
        method = (
            f"{scale.people} people, {scale.photos} photos, {scale.impostor_pairs} impostor pairs of {scale.pairs_of_people} "
            f"pairs of people, {scale.genuine_pairs} genuine pairs. Supported: rates down to {scale.reach:.1e}. "
            f"Intervals of 95 %, {DRAWS} draws of the people."
        )
        report.add(name, method, [_row(rate, scale) for rate in scale.rates])
        at = "False match rates at the cosines for 1e-3, 1e-4, 1e-5."
        report.add(f"{name}: sources", at, [_line(source) for source in scale.sources])


def _row(rate: Rate, scale: Fit) -> dict[str, str]:
    return {
        "rate": f"{rate.false_matches:.0e}" + ("" if rate.false_matches >= scale.reach else " (extrapolated)"),
        "score": f"{points(rate.false_matches):.0f}",
        "cosine": f"{rate.cosine:.3f}",
        "plain fit": _span(rate.cosine_interval, ".3f"),
        "false matches": f"{rate.measured:.2e} ({_span(rate.measured_interval, '.1e')})",
        "missed": f"{rate.missed:.2%} ({_span(rate.missed_interval, '.2%')})",
    }


def _line(source: Source) -> dict[str, str]:
    return {
        "source": source.name + ("" if source.fitted else " (not fitted)"),
        "people": str(source.people or "?"),
        "photos": str(source.photos),
        "impostor pairs": str(source.impostor_pairs),
        "genuine pairs": str(source.genuine_pairs),
        "false matches": " ".join(f"{share:.1e}" for share in source.false_matches),
    }


def _span(interval: Interval, form: str) -> str:
    return " – ".join(format(value, form) for value in interval)


def _toml(description: Description) -> str:
    """Only what a description holds: scalars, lists of numbers, tables and lists of tables."""
    return "\n".join(_HEAD + list(_table("", msgspec.to_builtins(description)))) + "\n"


def _table(path: str, values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if not _holds_tables(value):
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in values.items():
        if _holds_tables(value):
            for one in value if isinstance(value, tuple) else [value]:
                inner = f"{path}{name}"
                yield f"\n[[{inner}]]" if isinstance(value, tuple) else f"\n[{inner}]"
                yield from _table(f"{inner}.", one)


def _holds_tables(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, tuple) and isinstance(value[0], dict))


if __name__ == "__main__":
    typer.run(calibrate)
