"""The values that travel through the house: frozen, slotted, one way only.

They are msgspec structs, so the same types cross the socket between eye and daemon and are
validated there. Pixels are of the full frame unless said otherwise; ``*_at`` are seconds of the
system-wide monotonic clock, which eye and daemon share.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Pixels = Annotated[float, Meta(ge=-65_536, le=65_536)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Degrees = Annotated[float, Meta(ge=-180, le=180)]
Measure = Annotated[float, Meta(ge=-1, le=100)]
Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{1,47}$")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds = Annotated[float, Meta(ge=0)]
PresentationId = Annotated[int, Meta(ge=1, le=2**53)]
Count = Annotated[int, Meta(ge=0)]
Embedding = Annotated[bytes, Meta(min_length=512, max_length=512)]
"""128 float32, little endian, L2-normalised: the dot product of two is their cosine."""


class Box(Struct, frozen=True):
    """A rectangle in frame pixels, and the only type that converts coordinates.

    ``x``, ``y`` is the top left corner; a box may reach outside the frame.
    """

    x: Pixels
    y: Pixels
    width: Annotated[float, Meta(gt=0, le=65_536)]
    height: Annotated[float, Meta(gt=0, le=65_536)]

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def short_side(self) -> float:
        return min(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def scaled(self, factor: float) -> Box:
        """The same rectangle in a frame that is `factor` times as large."""
        return Box(self.x * factor, self.y * factor, self.width * factor, self.height * factor)

    def grown(self, margin: float) -> Box:
        """Larger by `margin` × its own size on every side."""
        return Box(
            self.x - self.width * margin,
            self.y - self.height * margin,
            self.width * (1 + 2 * margin),
            self.height * (1 + 2 * margin),
        )

    def moved(self, dx: float, dy: float) -> Box:
        return Box(self.x + dx, self.y + dy, self.width, self.height)

    def intersection(self, other: Box) -> float:
        """The shared area, in square pixels."""
        wide = min(self.right, other.right) - max(self.x, other.x)
        high = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(wide, 0.0) * max(high, 0.0)

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0–1."""
        shared = self.intersection(other)
        return shared / (self.area + other.area - shared)

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Integer ``left, top, right, bottom`` inside a frame of `width` × `height`.

        Empty (``left == right`` or ``top == bottom``) where the box lies outside.
        """
        left, right = (min(max(round(v), 0), width) for v in (self.x, self.right))
        top, bottom = (min(max(round(v), 0), height) for v in (self.y, self.bottom))
        return left, top, right, bottom


class Pose(Struct, frozen=True):
    """Head pose in degrees: yaw > 0 to the person's left, pitch > 0 up, roll > 0 to the person's right shoulder."""

    yaw: Degrees
    pitch: Degrees
    roll: Degrees


Point = tuple[Pixels, Pixels]
FivePoints = tuple[Point, Point, Point, Point, Point]


class Face(Struct, frozen=True):
    """One face in one frame.

    `points`: right eye, left eye, nose tip, right and left mouth corner (the person's right first),
    in frame pixels: the order YuNet gives and SFace aligns by. `pose` and `blendshapes` are there
    only where landmarks were computed.
    """

    box: Box
    score: Ratio
    points: FivePoints
    pose: Pose | None = None
    blendshapes: dict[str, Ratio] = {}
    track: int = 0

    @property
    def inter_eye(self) -> float:
        """Distance between the eye centres in pixels."""
        (rx, ry), (lx, ly) = self.points[0], self.points[1]
        return float(((rx - lx) ** 2 + (ry - ly) ** 2) ** 0.5)


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


class Candidate(Struct, frozen=True):
    """A person the recogniser proposes; `score` is a comparison score, 0–100."""

    person: Name
    score: Percent
    face: str = ""
    tag: str = ""
    groups: tuple[Name, ...] = ()


class Match(Struct, frozen=True, tag="match"):
    """The probe is this person's: score at or over the threshold and clear of the runner-up by the margin.

    `margin` is the distance to the best other person, 100 where there is none. `false_match_rate`: of strangers, the share that
    would reach this score, as far as the engine can tell; 1 where it cannot. `groups`: as the engine knows them.
    `confirmed`: whether a comparison one to one agreed.
    """

    person: Name
    score: Percent
    margin: Percent
    engine: Name
    tag: str = ""
    false_match_rate: Ratio = 1.0
    groups: tuple[Name, ...] = ()
    confirmed: bool = False


class NonMatch(Struct, frozen=True, tag="non_match"):
    """Nobody enrolled is this person, or two are too close to call (`cause` says which)."""

    cause: Slug
    score: Percent
    engine: Name


class AttackPresentation(Struct, frozen=True, tag="attack"):
    """Not a live person before the camera."""

    cause: Slug
    engine: Name


class Inconclusive(Struct, frozen=True, tag="inconclusive"):
    """No answer that means anything: a fault, a timeout, a refusal. Denies."""

    cause: Slug
    engine: Name


Verdict = Match | NonMatch | AttackPresentation | Inconclusive


CredentialKind = Literal["pin", "card", "qr", "claim"]
"""`claim`: by HTTP, from a system that identified the person itself."""


class Credential(Struct, frozen=True):
    """What somebody presented besides the face; never its value.

    `person`: whose it is, empty where nobody's; `duress`: it says that its owner is forced. `at`: monotonic seconds.
    """

    kind: CredentialKind
    at: float
    person: Annotated[str, Meta(max_length=64)] = ""
    duress: bool = False


Factor = Literal["pin", "card", "qr", "second_person"]


class Grant(Struct, frozen=True, tag="grant"):
    """`rule` lets `person` through; good until `expires_at` (monotonic seconds).

    `unlock`: the portal's outputs by name, empty for its relay. `require`: what has to come besides before anything moves.
    """

    person: Name
    rule: Name
    unlock_seconds: Seconds
    expires_at: float
    unlock: tuple[Name, ...] = ()
    hold: Literal["none", "open", "toggle"] = "none"
    require: tuple[Factor, ...] = ()
    prompt: str = ""
    alarm: str = ""
    notify: tuple[Name, ...] = ()
    checkout: str = ""
    duress: bool = False


class Deny(Struct, frozen=True, tag="deny"):
    reason: Slug
    rule: Name
    prompt: str = ""
    alarm: str = ""
    notify: tuple[Name, ...] = ()


Decision = Grant | Deny
