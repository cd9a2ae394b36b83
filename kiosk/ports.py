"""The seams: what a room needs of the world, as Protocols. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

from kiosk.domain import Box, Crowd, Embedding, Face, Measure, Point, PresentationId, Probe, QualityReport, Verdict

Stage = Literal["motion", "glance", "find", "quality", "landmarks", "mask", "liveness", "compare", "embed", "encode"]
"""What an eye does with a frame, as its work is measured."""

Line = Annotated[str, Meta(max_length=100)]


class Recogniser(Protocol):
    """Says whose face a probe shows. Called on the event loop, one probe per presentation at a time."""

    @property
    def name(self) -> str:
        """The engine's name as the journal and metrics show it."""

    async def identify(self, probe: Probe, deadline: float) -> Verdict:
        """1:N. Ends before `deadline` (monotonic seconds).

        Raises RecogniserError for every fault; a non-match is a value.
        """

    async def verify(self, probe: Probe, person: str, deadline: float) -> Verdict:
        """1:1: whether the probe is `person`'s; a Match names them, a NonMatch says `not_confirmed`.

        Inconclusive `reference_missing` where there is nothing to compare with. Otherwise as `identify`.
        """

    async def identify_many(self, crowd: Crowd, deadline: float) -> Mapping[PresentationId, Verdict]:
        """1:N for each of several: one verdict for every presentation of `crowd`. Otherwise as `identify`.

        Inconclusive `face_not_matched` where the engine's faces could not be told to be whose.
        """

    async def warm(self) -> None:
        """Opens what is slow to open. Faults are left for the first call to meet."""

    async def close(self) -> None: ...


class Relay(Protocol):
    """One lock's relay. Only the portal's task may call it."""

    @property
    def energised(self) -> bool: ...

    async def pulse(self, seconds: float) -> float:
        """Energises, returns the monotonic time at which the relay confirmed it; releases by itself.

        The release does not depend on this process. Raises HardwareError with slug `relay_busy`
        while a pulse runs, `relay_lost` where the relay does not answer.
        """

    async def hold(self) -> float:
        """Energises until `release`, also out of a pulse; returns the monotonic time at which the relay confirmed it.

        It ends by itself within 3 s once this process is gone or no longer comes round. Raises HardwareError `relay_lost`.
        """

    async def release(self) -> None:
        """Back to the safe state now."""

    async def close(self) -> None:
        """Safe state, then gives the line back."""


class Output(Protocol):
    """A lamp or a buzzer: nothing that guards anything. Event loop only."""

    def set(self, active: bool) -> None:
        """Raises HardwareError `line_lost` where the line is gone."""

    async def close(self) -> None:
        """Inactive, then gives the line back."""


class Input(Protocol):
    """A contact or a button, debounced. Event loop only."""

    @property
    def active(self) -> bool:
        """As of the last change that was told, or of opening; False once the line is lost."""

    async def close(self) -> None:
        """Nothing is told afterwards."""


class Wish(Struct, frozen=True):
    """What is wanted of a photo's faces; what is not asked for costs nothing.

    `quality`: measures, pose and grade (without: an empty report of grade 0); `embed`: the faces that get an embedding,
    with `largest` small ones beside it may be missing altogether; `upper`: these get one of their upper part too;
    `mask`: whether a mask is worn; `live`: whether the face looks like a living one; `landmarks`: of the ten largest;
    `rotate`: the photo is turned by the quarter turns at which its faces are surest; `closely`: with `quality`, every measure
    that can be taken, also where a defect is plain before.
    """

    quality: bool = True
    embed: Literal["none", "largest", "all"] = "all"
    upper: bool = False
    mask: bool = False
    live: bool = False
    landmarks: bool = False
    rotate: bool = False
    closely: bool = False


USUAL = Wish()
"""What a photo is asked for where nothing else is said."""


WORN = 0.5
"""From here on `AnalysedFace.mask` counts as a mask that is worn."""


class AnalysedFace(Struct, frozen=True):
    """A face found in a photo; embeddings are 128 float32, little endian, L2-normalised, None where not asked for.

    `upper`: of the part of the face that a mask leaves free; comparable with other `upper` ones only.
    `mask`: 0–1, how surely a mask is worn; −1 where not asked for or not to be told.
    `live`: 0–100, how likely the anti-spoofing network holds it for a living face rather than a print or a screen; −1 where
    not asked for or too small to tell.
    `landmarks`, where asked for and found: MediaPipe's 478 points as x, y in pixels of the photo, float32, little endian.
    """

    face: Face
    quality: QualityReport
    embedding: Embedding | None = None
    upper: Embedding | None = None
    mask: Annotated[float, Meta(ge=-1, le=1)] = -1.0
    live: Measure = -1.0
    landmarks: Annotated[bytes, Meta(min_length=3824, max_length=3824)] | None = None


class AnalysedPhoto(Struct, frozen=True):
    """`faces` by falling area; `width` and `height` in pixels after EXIF orientation.

    `turned`: quarter turns clockwise, 0–3, that brought the faces upright; all coordinates are of the photo so turned.
    """

    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]
    format: str
    faces: tuple[AnalysedFace, ...]
    turned: Annotated[int, Meta(ge=0, le=3)] = 0


class Outline(Struct, frozen=True, tag="outline"):
    """A box to be drawn, with lines of text beside it."""

    box: Box
    lines: Annotated[tuple[Line, ...], Meta(max_length=20)] = ()


class Dots(Struct, frozen=True, tag="dots"):
    """Points to be drawn; those of one `label` share a colour, and the picture's legend names it.

    `joined`: a line runs through them; `closed`: and back to the first.
    """

    label: Line
    points: Annotated[tuple[Point, ...], Meta(min_length=1, max_length=200)]
    joined: bool = False
    closed: bool = False


Shape = Outline | Dots
Shapes = Annotated[tuple[Shape, ...], Meta(max_length=500)]


class PhotoAnalyser(Protocol):
    """Decodes and measures untrusted photos outside this process."""

    async def analyse(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        """Raises PhotoRejected (`image_decode_failed`, `image_too_large`, `image_too_small`, …) for a bad photo,
        CameraError where the worker died on it (`eye_lost`), took too long (`eye_wedged`), or too many wait (`eye_busy`).
        """


Clock = Callable[[], float]
