"""Where a face is, and how it is turned. Pixels are of the full frame unless said otherwise."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from kiosk.domain.bounds import Degrees, Pixels, Ratio


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
