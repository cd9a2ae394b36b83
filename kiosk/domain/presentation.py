"""One person's unbroken appearance before a camera, as the eye tells of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.domain.bounds import Count, Measure, PresentationId, Slug
from kiosk.domain.face import Box
from kiosk.domain.probe import Probe, QualityReport


class Began(Struct, frozen=True, tag="began"):
    presentation: PresentationId
    at: float


class Told(Struct, frozen=True, tag="told"):
    """What the person should be told now; `slug` is a defect, a challenge's prompt, `looking` or `good`."""

    presentation: PresentationId
    at: float
    slug: Slug


class Liveness(Struct, frozen=True):
    """Whether a living person was before the camera.

    `score`: 0–100, −1 not told. `state`: `unchecked` where nobody looked, or not long enough. `cause`: slug of why it is no
    plain `live`, or empty. `frames`: how many voted.
    """

    score: Measure
    state: Literal["live", "attack", "doubt", "unchecked"]
    cause: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9_]{1,47})?$")]
    frames: Count


UNCHECKED = Liveness(-1, "unchecked", "", 0)


class Shot(Struct, frozen=True, tag="shot"):
    """A probe to be recognised. `usable_at`: capture time of the presentation's first usable frame."""

    probe: Probe
    usable_at: float
    attempt: Annotated[int, Meta(ge=1, le=100)]
    liveness: Liveness = UNCHECKED


MOST_TOGETHER = 10
"""Faces that one picture may be searched for: SearchPersons' limit (protocol: MaxFaceNum)."""


class Crowd(Struct, frozen=True, tag="crowd"):
    """Shots of people who are there together, and one picture of all these faces and no other.

    `size`: the picture's width and height in pixels; `boxes`: of the faces in it, in the order of `shots`.
    """

    shots: Annotated[tuple[Shot, ...], Meta(min_length=2, max_length=MOST_TOGETHER)]
    jpeg: Annotated[bytes, Meta(min_length=64, max_length=5_000_000)]
    size: tuple[Annotated[int, Meta(ge=64, le=4000)], Annotated[int, Meta(ge=64, le=4000)]]
    boxes: Annotated[tuple[Box, ...], Meta(min_length=2, max_length=MOST_TOGETHER)]

    def __post_init__(self) -> None:
        if len(self.shots) != len(self.boxes):
            raise ValueError("each shot has a box")
        if len({shot.probe.presentation for shot in self.shots}) < len(self.shots):
            raise ValueError("each presentation has one shot")

    def __repr__(self) -> str:
        return f"Crowd({len(self.shots)} faces, {self.size[0]}×{self.size[1]}, {len(self.jpeg)} bytes)"


class Ended(Struct, frozen=True, tag="ended"):
    """The person left. `defects` counts frames by the defect they were refused for; `best` is the best frame's report.

    `liveness`: what was known of it in the end.
    """

    presentation: PresentationId
    at: float
    began_at: float
    usable_at: float | None
    frames: Count
    shots: Count
    defects: Annotated[dict[Slug, Count], Meta(max_length=100)]
    best: QualityReport | None
    liveness: Liveness = UNCHECKED


PresentationEvent = Began | Told | Shot | Crowd | Ended
