"""Whether a photo is good enough to know somebody by. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kiosk import slugs
from kiosk.ports import AnalysedFace, AnalysedPhoto, Wish
from kiosk.settings import EnrolmentSettings

WISH = Wish(embed="all", upper=True, mask=True, rotate=True)
"""What an eye is asked about every photo that is to be enrolled; for `all`, it overlooks no small face beside the large one."""
GRADE = 3
"""As the vendor advises for libraries (QualityControl 3): no more than one thing less than perfect."""
INTER_EYE = 70.0
"""Pixels: where OFIQ's InterEyeDistance is 50 of 100; the door asks for less, since it may look again."""
LEAST_INTER_EYE = 20.0
"""Pixels: with less no eye looks at a face."""
_MASK = 0.5


class Reason(NamedTuple):
    """Why a photo was not taken, or what should be looked at; `detail` has the figures."""

    slug: str
    detail: str = ""

    def in_words(self, language: slugs.Language = "en") -> str:
        words = slugs.to_operator(self.slug, language)
        return f"{words} ({self.detail})" if self.detail not in ("", words) else words


@dataclass(frozen=True, slots=True)
class Profile:
    """What enrolment asks of a photo: one face, no mask, `least_grade` 0–4 and `least_inter_eye` pixels between the eyes.

    Stricter than the door: a bad picture there costs a second, a bad reference costs every day. `allow_duplicate`: twins, and
    the same person under two ids, are enrolled with a warning.
    """

    least_grade: int = GRADE
    least_inter_eye: float = INTER_EYE
    allow_mask: bool = False
    allow_duplicate: bool = False

    def asked_of(self, settings: EnrolmentSettings) -> EnrolmentSettings:
        """The settings with this profile's own grade and distance between the eyes; about masks it decides for itself."""
        least_inter_eye = max(self.least_inter_eye, LEAST_INTER_EYE)
        return settings.model_copy(update={"level": self.least_grade, "min_inter_eye": least_inter_eye, "mask": "allowed"})

    def reasons(self, photo: AnalysedPhoto) -> tuple[Reason, ...]:
        """Everything that is wrong with it; empty where it is good. The photo was asked for with WISH."""
        if not photo.faces:
            return (Reason("no_face"),)
        if len(photo.faces) > 1:
            return (Reason("several_faces", f"{len(photo.faces)}"),)
        return tuple(self._wrong_with(photo.faces[0]))

    def _wrong_with(self, seen: AnalysedFace) -> Iterator[Reason]:
        if seen.mask >= _MASK and not self.allow_mask:
            yield Reason("mask_worn", f"{seen.mask:.0%} sure")
        if seen.face.inter_eye < self.least_inter_eye:
            yield Reason("face_too_coarse", f"{seen.face.inter_eye:.0f} of {self.least_inter_eye:g} px")
        if seen.quality.grade < self.least_grade:
            # The eyes' distance has been judged by this profile's own measure.
            defects = [defect for defect in seen.quality.defects if defect != "eyes_too_close"]
            yield from (Reason(defect) for defect in defects)
            if not seen.quality.defects:
                yield Reason("grade_too_low", f"{seen.quality.grade}, {self.least_grade} wanted")


def is_masked(seen: AnalysedFace) -> bool:
    return seen.mask >= _MASK
