"""Which face of a frame is whose: by where it is and, where that leaves a doubt, by its embedding. Pure."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple, Protocol

from kiosk.domain import Box, Embedding, Face, QualityReport
from kiosk.vision.live_sample import LiveSample, Wanted

MIN_OVERLAP = 0.1
"""Intersection over union of one face in two frames. At 15 frames a second somebody walking across still has 0.2."""
SURE_OVERLAP = 0.4
"""With less than this, somebody else may have come in between."""
SURE_WITHIN = 0.25
"""Seconds between two frames after which where a face is says little about whose it is."""
SAME_FROM = 0.5
"""Cosine from which two pictures taken seconds apart show one person. In the demo's scene usable pictures of one person had
0.79 at least, any pictures of two people 0.47 at most."""
FRONTAL_NOSE = 0.3
"""Of the distance between the eyes that the nose is off their middle, at about 35° of yaw. Of a face turned further the
embedding says little: one that never left its place is compared when it looks ahead again."""
CALM_FROM, LEAPT_BELOW = 0.97, 0.93
"""Cosines of two glances a frame apart. In the demo's scene, with each of eight people put in each other's place from one frame
to the next, it fell from above the first to below the second in all of 889 cases; of one person's 246 frames in 9."""
_STEADINESS = 0.5
"""Of the speed kept from frame to frame; the rest is new."""
_FORESIGHT = 0.3
"""Seconds for which a face is expected to go on as it went."""
_NUMBERS = Struct("<128f")


class Sighting(Protocol):
    """One face of one frame, looked at only as closely as is asked for."""

    @property
    def face(self) -> Face:
        """As it was found."""

    def graded(self, *, closely: bool) -> tuple[Face, QualityReport]:
        """How good the picture is, and the face with what was found for it; not `closely`: by its geometry only."""

    def embedding(self) -> Embedding | None:
        """None where there is nothing to make it with."""

    def glance(self) -> Embedding | None:
        """What the face looks like at first sight: alike, by its cosine, in the next frame only. None as for `embedding`."""

    def sample(self, at: float, face: Face, wanted: Wanted, known: Embedding | None) -> LiveSample:
        """What `wanted` asks, of `face` as `graded` gave it; likeness to `known` only of a face that looks ahead."""


class Trail:
    """Where one person's face has been, and what the person is known by."""

    def __init__(self, at: float, box: Box) -> None:
        self.box = box
        self.seen_at = at
        self.reference: Embedding | None = None
        """Of the picture kept last: with it whoever is seen later is compared."""
        self.compared_at = at
        """When an embedding last said that this is the person."""
        self.patience = math.inf
        """Seconds after which it is asked again, wherever the face is."""
        self._glance: Embedding | None = None
        self._calm = False
        self._speed = (0.0, 0.0)

    def move(self, at: float, box: Box) -> None:
        """The face was seen in `box`."""
        passed = at - self.seen_at
        if passed > 0:
            (x, y), (before_x, before_y) = box.centre, self.box.centre
            kept, new = _STEADINESS, (1 - _STEADINESS) / passed
            self._speed = self._speed[0] * kept + (x - before_x) * new, self._speed[1] * kept + (y - before_y) * new
        self.box, self.seen_at = box, at

    def glimpse(self, glance: Embedding | None) -> None:
        """The face looks like this now."""
        self._calm = glance is not None and self._glance is not None and cosine(self._glance, glance) >= CALM_FROM
        self._glance = glance

    def leaps(self, sighting: Sighting) -> bool:
        """Whether the face, after it had kept still, looks like another one from one frame to the next."""
        if self.reference is None or not self._calm or self._glance is None:
            return False
        glance = sighting.glance()
        return glance is not None and cosine(self._glance, glance) < LEAPT_BELOW

    def overlap(self, at: float, box: Box) -> float:
        """With where the face was, or with where it should be by now: the larger."""
        ahead = min(at - self.seen_at, _FORESIGHT)
        expected = self.box.moved(self._speed[0] * ahead, self._speed[1] * ahead)
        return max(self.box.overlap(box), expected.overlap(box))


class Claim(NamedTuple):
    """A sighting may be a trail's. `certainty`: 0 by place in doubt, 1 by place, above 1 by the embedding."""

    certainty: float
    overlap: float
    trail: Trail
    number: int

    @property
    def confirmed(self) -> bool:
        return self.certainty > 1


def same(one: Embedding, other: Embedding) -> bool:
    """Whether two embeddings are of one person, seconds apart before one camera."""
    return cosine(one, other) >= SAME_FROM


def cosine(one: Embedding, other: Embedding) -> float:
    return float(sum(map(operator.mul, _NUMBERS.unpack(one), _NUMBERS.unpack(other))))


def follow(trails: Sequence[Trail], sightings: Sequence[Sighting], at: float, last_at: float) -> dict[int, Claim]:
    """The trail that each sighting, by its number, goes on with; those left out are newcomers.

    `last_at`: of the frame before. Embeddings are asked for only where the place leaves a doubt and the trail has a reference.
    """
    near = [
        Claim(0.0, overlap, trail, number)
        for trail in trails
        for number, sighting in enumerate(sightings)
        if (overlap := trail.overlap(at, sighting.face.box)) >= MIN_OVERLAP
    ]
    crowd = Counter(key for claim in near for key in (claim.number, claim.trail))
    judged = []
    for claim in near:
        trail = claim.trail
        contested = crowd[claim.number] > 1 or crowd[trail] > 1
        gap = trail.seen_at != last_at or at - last_at > SURE_WITHIN
        due = at - trail.compared_at >= trail.patience or trail.leaps(sightings[claim.number])
        due = due and _faces_camera(sightings[claim.number].face)
        doubt = contested or gap or due or claim.overlap < SURE_OVERLAP
        judged.append(_judged(claim, sightings[claim.number]) if doubt else claim._replace(certainty=1.0))
    taken = _taken({}, judged)
    followed = {claim.trail for claim in taken.values()}
    for claim in taken.values():
        if claim.trail.reference is not None:
            claim.trail.glimpse(sightings[claim.number].glance())
    # Somebody hidden for a moment may come back elsewhere; only the embedding can say so.
    elsewhere = [
        _judged(Claim(0.0, 0.0, trail, number), sighting)
        for number, sighting in enumerate(sightings)
        for trail in trails
        if number not in taken and trail not in followed and trail.reference is not None
    ]
    return _taken(taken, [claim for claim in elsewhere if claim is not None and claim.confirmed])


def _faces_camera(face: Face) -> bool:
    (right_x, right_y), (left_x, left_y), (nose_x, nose_y), *_ = face.points
    across, down = left_x - right_x, left_y - right_y
    along = (nose_x - (right_x + left_x) / 2) * across + (nose_y - (right_y + left_y) / 2) * down
    return abs(along) <= FRONTAL_NOSE * (across**2 + down**2)


def _judged(claim: Claim, sighting: Sighting) -> Claim | None:
    """With the embedding's word where there is one; None where it says that this is somebody else."""
    reference = claim.trail.reference
    embedding = None if reference is None else sighting.embedding()
    if reference is None or embedding is None:
        return claim
    return claim._replace(certainty=1 + cosine(reference, embedding)) if same(reference, embedding) else None


def _taken(taken: dict[int, Claim], claims: Sequence[Claim | None]) -> dict[int, Claim]:
    """The most certain claims first; each trail and each sighting once."""
    followed = {claim.trail for claim in taken.values()}
    for claim in sorted((claim for claim in claims if claim), key=lambda each: (-each.certainty, -each.overlap)):
        if claim.number not in taken and claim.trail not in followed:
            taken[claim.number] = claim
            followed.add(claim.trail)
    return taken
