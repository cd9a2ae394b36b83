"""What was seen, as values for JSON. Pure."""

from __future__ import annotations

from typing import Any

from kiosk import slugs
from kiosk.look.gauges import assessed
from kiosk.look.seeing import Seen, advice, liveness
from kiosk.ports import AnalysedFace
from kiosk.slugs import Language


def of_picture(seen: Seen, language: Language) -> dict[str, Any]:
    """Either `faces` or `error`; what could not be assessed is null. `unsound`: what is wrong with a camera's pictures."""
    if seen.photo is None:
        meaning = slugs.to_operator(seen.slug, language)
        return {"source": seen.source, "error": {"slug": seen.slug, "meaning": meaning, "detail": seen.detail}}
    photo = seen.photo
    return {
        "source": seen.source,
        "format": photo.format,
        "width": photo.width,
        "height": photo.height,
        "turned": 90 * photo.turned,
        "unsound": seen.slug or None,
        "faces": [of_face(face, language) for face in photo.faces],
    }


def of_face(seen: AnalysedFace, language: Language) -> dict[str, Any]:
    """`box` and `inter_eye` in pixels, `pose` in degrees, `found`, `mask.sure` 0–1, everything else 0–100."""
    face, report, alive = seen.face, seen.quality, liveness(seen)
    return {
        "box": {name: round(getattr(face.box, name), 1) for name in ("x", "y", "width", "height")},
        "found": round(face.score, 3),
        "inter_eye": round(face.inter_eye, 1),
        "pose": None if face.pose is None else {axis: round(getattr(face.pose, axis), 1) for axis in ("yaw", "pitch", "roll")},
        "grade": report.grade,
        "defects": list(report.defects),
        "advice": {"slug": advice(seen), "sentence": slugs.to_person(advice(seen), language)},
        "mask": {"worn": report.mask, "sure": None if seen.mask < 0 else round(seen.mask, 3)},
        "liveness": _rounded(alive),
        "measures": {name: _rounded(assessed(value)) for name, value in report.measures.items()},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
