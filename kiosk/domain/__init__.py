"""The values that travel through the house: frozen, slotted, one way only.

They are msgspec structs, so the same types cross the socket between eye and daemon and are
validated there. Pixels are of the full frame unless said otherwise; ``*_at`` are seconds of the
system-wide monotonic clock, which eye and daemon share.
"""

from kiosk.domain.bounds import Count, Degrees, Embedding, Measure, Name, Percent, Pixels, PresentationId, Ratio, Seconds, Slug
from kiosk.domain.decision import Credential, CredentialKind, Decision, Deny, Factor, Grant
from kiosk.domain.face import Box, Face, FivePoints, Point, Pose
from kiosk.domain.presentation import MOST_TOGETHER, UNCHECKED, Began, Crowd, Ended, Liveness, PresentationEvent, Shot, Told
from kiosk.domain.probe import Masking, Probe, QualityReport
from kiosk.domain.verdict import AttackPresentation, Candidate, Inconclusive, Match, NonMatch, Verdict

__all__ = [
    "MOST_TOGETHER",
    "UNCHECKED",
    "AttackPresentation",
    "Began",
    "Box",
    "Candidate",
    "Count",
    "Credential",
    "CredentialKind",
    "Crowd",
    "Decision",
    "Degrees",
    "Deny",
    "Embedding",
    "Ended",
    "Face",
    "Factor",
    "FivePoints",
    "Grant",
    "Inconclusive",
    "Liveness",
    "Masking",
    "Match",
    "Measure",
    "Name",
    "NonMatch",
    "Percent",
    "Pixels",
    "Point",
    "Pose",
    "PresentationEvent",
    "PresentationId",
    "Probe",
    "QualityReport",
    "Ratio",
    "Seconds",
    "Shot",
    "Slug",
    "Told",
    "Verdict",
]
