"""One face against one other, one person, or life: scores of 0–100.

What a score means is in `thresholds`. An answer by another face model than the one asked for is a breach of contract:
its score would be read by the wrong table.
"""

from __future__ import annotations

from typing import Literal

from kiosk.domain import Percent
from kiosk.recognition.tencent.iai.fields import Address, Flag, Largest, Model, PersonId, Photo, Quality
from kiosk.recognition.tencent.iai.wire import MODEL, Answer, Interface, Version

_TWO = (("image_a", "url_a"), ("image_b", "url_b"))
_ONE = (("image", "url"),)


class Scored(Answer, frozen=True):
    score: Percent
    face_model_version: Literal["3.0"]


class Similar(Answer, frozen=True):
    """`score` from 70: the same person, at a false match rate of 1e-4; the vendor fixes both."""

    score: Percent


class Verified(Answer, frozen=True):
    """`is_match` is the vendor's own opinion (VerifyFace: a score of 60); judge by `score` and the model it is of."""

    score: Percent
    is_match: bool
    face_model_version: Version


class CompareFace(Interface[Scored], frozen=True):
    """Two faces, unmasked. Of several in a picture the surest counts, or with `face_matching_strategy` 1 the largest."""

    GROUP = "comparison"
    EITHER = _TWO

    image_a: Photo = None
    image_b: Photo = None
    url_a: Address = None
    url_b: Address = None
    face_model_version: Model = MODEL
    quality_control: Quality = None
    need_rotate_detection: Flag = None
    face_matching_strategy: Largest = None


class CompareMaskFace(Interface[Scored], frozen=True):
    """Two faces, masked up to the tip of the nose. Of several in a picture the largest counts."""

    GROUP = "comparison"
    EITHER = _TWO

    image_a: Photo = None
    image_b: Photo = None
    url_a: Address = None
    url_b: Address = None
    face_model_version: Model = MODEL
    quality_control: Quality = None


class DetectFaceSimilarity(Interface[Similar], frozen=True):
    """Two faces by the newest algorithm, whose threshold is fixed."""

    GROUP = "comparison"
    EITHER = _TWO

    image_a: Photo = None
    image_b: Photo = None
    url_a: Address = None
    url_b: Address = None
    quality_control: Quality = None


class VerifyFace(Interface[Verified], frozen=True):
    """A face against each of a person's faces."""

    GROUP = "verification"
    EITHER = _ONE

    person_id: PersonId
    image: Photo = None
    url: Address = None
    quality_control: Quality = None
    need_rotate_detection: Flag = None


class VerifyPerson(Interface[Verified], frozen=True):
    """A face against a person's faces merged into one; groups of model 3.0 only."""

    GROUP = "verification"
    EITHER = _ONE

    person_id: PersonId
    image: Photo = None
    url: Address = None
    quality_control: Quality = None
    need_rotate_detection: Flag = None


class DetectLiveFaceAccurate(Interface[Scored], frozen=True):
    """Whether a face is alive: from 40 on, says the vendor, who also names 5, 10, 70 and 90.

    The picture should be close to 3:4, the face larger than 100×100 px.
    """

    GROUP = "liveness_accurate"
    EITHER = _ONE

    image: Photo = None
    url: Address = None
    face_model_version: Model = MODEL
