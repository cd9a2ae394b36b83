"""A picture of a face, and how good it is."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.domain.bounds import Embedding, Measure, Name, PresentationId, Slug
from kiosk.domain.face import Face

Masking = Literal["unknown", "none", "on_chin", "mouth_only", "worn", "other_cover"]
"""How a mask is worn; `other_cover`: mouth or nose are covered, not by a mask; `unknown`: not looked for, or not to be told."""


class QualityReport(Struct, frozen=True):
    """What is wrong with a picture of a face, and how good it is.

    `measures`: 0–100 by OFIQ and vendor names, −1 where it could not be assessed; larger is better
    unless the name says otherwise. `defects`: slugs, the most helpful one to mend first.
    `grade`: 0 (not usable) to 4, as the vendor's QualityControl levels.
    """

    measures: dict[str, Measure]
    defects: tuple[Slug, ...]
    grade: Annotated[int, Meta(ge=0, le=4)]
    mask: Masking = "unknown"

    @property
    def usable(self) -> bool:
        return not self.defects


class Probe(Struct, frozen=True):
    """The one picture of a presentation that may be shown to a recogniser.

    `jpeg`: EXIF-free crop within the target's limits; `size`: its width and height in pixels;
    `embedding`, and `upper` of the part of the face that a mask leaves free: None where the eye was not asked for them;
    `masked`: whether a mask is worn, False where nobody asked.
    """

    presentation: PresentationId
    camera: Name
    captured_at: float
    jpeg: Annotated[bytes, Meta(min_length=64, max_length=5_000_000)]
    size: tuple[Annotated[int, Meta(ge=64, le=4000)], Annotated[int, Meta(ge=64, le=4000)]]
    face: Face
    quality: QualityReport
    embedding: Embedding | None = None
    upper: Embedding | None = None
    masked: bool = False

    def __repr__(self) -> str:
        return f"Probe(presentation={self.presentation}, {self.size[0]}×{self.size[1]}, {len(self.jpeg)} bytes)"
