"""The measures worth a bar: what each is, and between which limits the settings want it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kiosk.domain import Face, QualityReport
from kiosk.ports import AnalysedFace
from kiosk.settings import QualitySettings

_FAR_APART = 200.0
"""Pixels between the eyes beyond which more does not show."""
_TURNED = 60.0
"""Degrees, likewise."""


class Gauge(NamedTuple):
    """`low` to `high` is the axis, `least` to `most` what is allowed; the last two are the axis' ends where there is no limit.

    `signed`: zero is the best, and the axis' middle.
    """

    name: str
    unit: str
    low: float
    high: float
    least: float
    most: float
    signed: bool = False

    @property
    def limits(self) -> tuple[float, ...]:
        """Those that lie within the axis."""
        return tuple(limit for limit in (self.least, self.most) if self.low < limit < self.high)

    def allows(self, value: float) -> bool:
        return self.least <= value <= self.most

    def written(self, value: float) -> str:
        """As a whole number with its unit."""
        whole = round(value)
        number = f"{whole:+d}" if self.signed and whole else f"{whole}"
        return f"{number} {self.unit}" if self.unit.isalpha() else f"{number}{self.unit}"

    def place(self, value: float) -> float:
        """Where on the axis the value lies, 0–1."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


class Reading(NamedTuple):
    """`value`: None where it could not be assessed."""

    gauge: Gauge
    value: float | None

    @property
    def good(self) -> bool | None:
        """None where nothing is known."""
        return None if self.value is None else self.gauge.allows(self.value)


def gauges(settings: QualitySettings) -> tuple[Gauge, ...]:
    """In the order in which they are shown."""
    return (
        Gauge("sharpness", "", 0, 100, settings.min_sharpness, 100),
        Gauge("brightness", "", 0, 100, settings.min_brightness, settings.max_brightness),
        Gauge("even light", "", 0, 100, settings.min_uniformity, 100),
        Gauge("contrast", "", 0, 100, settings.min_dynamic_range, 100),
        Gauge("eyes apart", "px", 0, _FAR_APART, settings.min_inter_eye, float("inf")),
        Gauge("yaw", "°", -_TURNED, _TURNED, -settings.max_yaw, settings.max_yaw, signed=True),
        Gauge("pitch", "°", -_TURNED, _TURNED, -settings.max_pitch, settings.max_pitch, signed=True),
        Gauge("roll", "°", -_TURNED, _TURNED, -settings.max_roll, settings.max_roll, signed=True),
        Gauge("eyes open", "", 0, 100, settings.min_eyes_open, 100),
        Gauge("uncovered", "", 0, 100, 0, 100),
        Gauge("score", "", 0, 100, 0, 100),
    )


def readings(seen: AnalysedFace, settings: QualitySettings) -> tuple[Reading, ...]:
    """One of each gauge."""
    values = _values(seen.face, seen.quality)
    return tuple(Reading(gauge, value) for gauge, value in zip(gauges(settings), values, strict=True))


def assessed(measure: float) -> float | None:
    """A measure, or None where it is −1: not assessed."""
    return None if measure < 0 else measure


def _values(face: Face, report: QualityReport) -> Iterator[float | None]:
    pose = face.pose
    yield from (_of(report, name) for name in ("Sharpness", "Brightness", "IlluminationUniformity", "DynamicRange"))
    yield face.inter_eye
    yield from (None, None, None) if pose is None else (pose.yaw, pose.pitch, pose.roll)
    yield from (_of(report, name) for name in ("EyesOpen", "FaceOcclusionPrevention", "Score"))


def _of(report: QualityReport, name: str) -> float | None:
    return assessed(report.measures.get(name, -1.0))
