"""What eye and daemon say to each other: length-limited, typed, validated on both sides.

The daemon believes an eye as far as a stranger: every field has bounds, and a message that breaks
one ends that eye. Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from kiosk.domain import Began, Box, Count, Crowd, Ended, Name, PresentationId, Shot, Slug, Told
from kiosk.ports import AnalysedPhoto, Shapes, Stage, Wish
from kiosk.settings import LivenessPolicy
from kiosk.slugs import TABLE

MAX_MESSAGE = 8 * 1024 * 1024
"""Bytes; a photo of 5 MB or a full-HD picture fits with room."""
MAX_PHOTO = 5_000_000
"""Bytes of a photo handed in; the vendor's limit."""

Text = Annotated[str, Meta(max_length=500)]
Jpeg = Annotated[bytes, Meta(max_length=MAX_PHOTO)]


class LookOrders(Struct, frozen=True, tag="look"):
    """The first message to an eye that watches a camera.

    `camera`, `quality`, `presentation`, `eye` and `liveness` are the settings' sections as JSON objects, `liveness_policy` is
    that of the camera's only portal; `codes`: whether QR codes are looked for;
    `origin`: when this camera was first opened, so that a replayed source goes on where it would be now;
    `crowd`: shots of people who are there together come as one `Crowd`.
    """

    name: Name
    camera: dict[str, object]
    quality: dict[str, object]
    presentation: dict[str, object]
    eye: dict[str, object]
    models_dir: str
    origin: float | None = None
    first_presentation: PresentationId = 1
    picture_every: float | None = None
    embed: bool = False
    liveness: dict[str, object] = {}
    liveness_policy: LivenessPolicy = "off"
    crowd: bool = False
    codes: bool = False


class AnalyseOrders(Struct, frozen=True, tag="analyse_photos"):
    """The first message to an eye that sees photos instead of watching a camera.

    `draws_only`: it will be sent no `Analyse`, and loads no models.
    """

    quality: dict[str, object]
    eye: dict[str, object]
    models_dir: str
    draws_only: bool = False


class GlanceOrders(Struct, frozen=True, tag="glance"):
    """The first message to an eye that looks at each frame of a camera as at a photo, and remembers none.

    `pictures`: each frame comes along as a JPEG.
    """

    name: Name
    camera: dict[str, object]
    quality: dict[str, object]
    eye: dict[str, object]
    models_dir: str
    wish: Wish
    pictures: bool = False


class Outcome(Struct, frozen=True, tag="outcome"):
    """How the probe of a presentation fared: `granted`, `refused` (may try again), `final`, or `unasked`: nobody was asked,
    and another one is wanted now.
    """

    presentation: PresentationId
    result: Annotated[str, Meta(pattern="^(granted|refused|final|unasked)$")]


class Analyse(Struct, frozen=True, tag="analyse"):
    request: Count
    photo: Jpeg
    wish: Wish


class Draw(Struct, frozen=True, tag="draw"):
    """Asks for the photo with `shapes` on it, in pixels of the upright photo."""

    request: Count
    photo: Jpeg
    shapes: Shapes


class Cut(Struct, frozen=True, tag="cut"):
    """Asks for the face in `box` of the photo after `turned` quarter turns clockwise, as a JPEG of `side` pixels at most."""

    request: Count
    photo: Jpeg
    box: Box
    turned: Annotated[int, Meta(ge=0, le=3)] = 0
    side: Annotated[int, Meta(ge=16, le=1024)] = 320


class Stop(Struct, frozen=True, tag="stop"):
    pass


class Started(Struct, frozen=True, tag="started"):
    """The eye is confined, its models are loaded and (when watching) a first frame was examined.

    `refused` names the socket families it tried and could not open; `notes`: what an operator should know of the camera.
    """

    opened_at: float
    width: Count
    height: Count
    fps: Annotated[float, Meta(ge=0, le=1000)]
    refused: tuple[Text, ...]
    start_seconds: dict[str, float]
    notes: Annotated[tuple[Text, ...], Meta(max_length=20)] = ()


class Examined(Struct, frozen=True, tag="examined"):
    """One frame was looked at. `captured` and `dropped` count since the eye's start; `stage_seconds` is this frame's work.

    `unsound`: why the camera's pictures cannot be believed now; then no face is looked for, and nobody counts as present.
    """

    at: float
    captured: Count
    dropped: Count
    examined: Count
    faces: Annotated[int, Meta(ge=0, le=1000)]
    present: Annotated[tuple[PresentationId, ...], Meta(max_length=100)]
    stage_seconds: dict[Stage, float]
    unsound: Slug | None = None


class Picture(Struct, frozen=True, tag="picture"):
    """The newest frame with what the eye saw drawn on it."""

    at: float
    jpeg: Jpeg


class Glanced(Struct, frozen=True, tag="glanced"):
    """What one frame shows. `captured` and `dropped` count since the eye's start; `unsound` is as in Examined."""

    at: float
    captured: Count
    dropped: Count
    photo: AnalysedPhoto
    unsound: Slug | None = None
    jpeg: Jpeg | None = None


class Code(Struct, frozen=True, tag="code"):
    """A QR code was in the frame captured `at`; a stranger wrote its text."""

    at: float
    text: Annotated[str, Meta(min_length=1, max_length=500)]

    def __repr__(self) -> str:
        return f"Code(at={self.at}, {len(self.text)} characters)"


class Analysed(Struct, frozen=True, tag="analysed"):
    request: Count
    photo: AnalysedPhoto


class Drawn(Struct, frozen=True, tag="drawn"):
    request: Count
    png: Annotated[bytes, Meta(max_length=MAX_MESSAGE)]


class Thumbnail(Struct, frozen=True, tag="thumbnail"):
    request: Count
    jpeg: Jpeg


class Refused(Struct, frozen=True, tag="refused"):
    """A photo that is none."""

    request: Count
    slug: Slug
    detail: Text = ""


class Fault(Struct, frozen=True, tag="fault"):
    """Why the eye is about to end."""

    slug: Slug
    detail: Text = ""


Orders = LookOrders | AnalyseOrders | GlanceOrders
Question = Analyse | Draw | Cut
ToEye = Orders | Outcome | Question | Stop
Seeing = Started | Examined | Began | Told | Shot | Crowd | Ended | Picture | Code
FromEye = Seeing | Glanced | Analysed | Drawn | Thumbnail | Refused | Fault

encode = msgspec.msgpack.Encoder().encode
decode_to_eye = msgspec.msgpack.Decoder(ToEye).decode
_decode_from_eye = msgspec.msgpack.Decoder(FromEye).decode


def decode_from_eye(data: bytes) -> FromEye:
    """Raises msgspec.DecodeError for what is no message, or names a slug that is in no table."""
    message: FromEye = _decode_from_eye(data)
    for slug in _slugs(message):
        if slug not in TABLE:
            raise msgspec.ValidationError(f"{type(message).__name__} names {slug}, which is no slug")
    return message


def _slugs(message: FromEye) -> Iterator[str]:
    """All of them: metrics have a series for each, and sentences are looked up by them."""
    match message:
        case Fault(slug=slug) | Refused(slug=slug) | Told(slug=slug):
            yield slug
        case Examined(unsound=str(slug)):
            yield slug
        case Glanced(unsound=unsound, photo=photo):
            yield from (unsound,) if unsound else ()
            yield from _of_photo(photo)
        case Analysed(photo=photo):
            yield from _of_photo(photo)
        case Shot():
            yield from _of_shot(message)
        case Crowd(shots=shots):
            for shot in shots:
                yield from _of_shot(shot)
        case Ended(defects=defects, best=best, liveness=liveness):
            yield from (*defects, *(best.defects if best else ()), *filter(None, (liveness.cause,)))
        case _:
            pass


def _of_photo(photo: AnalysedPhoto) -> Iterator[str]:
    for face in photo.faces:
        yield from face.quality.defects


def _of_shot(shot: Shot) -> Iterator[str]:
    yield from (*shot.probe.quality.defects, *filter(None, (shot.liveness.cause,)))
