"""What one frame says about whether a face is alive: values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kiosk.domain import Box, Pose


class Wanted(NamedTuple):
    """What a frame should tell. `vote`: the network's word and the fingerprint; `moves`: pose and blendshapes; `likeness`."""

    vote: bool
    moves: bool
    likeness: bool


class LiveSample(NamedTuple):
    """One look at one track. `at`: monotonic seconds of the frame.

    `live`: the model's probability of a living face, 0–1, −1 where it could not be asked; `kind`: slug of the attack it would
    be. `suspicions`: of signals without a model, slug → 0–1, an attack from 0.5. `fingerprint`: of the face's pixels as the
    camera gave them, equal for equal pixels; empty where nobody took it. `likeness`: cosine to the face the track began with,
    None where not compared.
    """

    at: float
    box: Box
    live: float = -1.0
    kind: str = "spoof_suspected"
    pose: Pose | None = None
    blendshapes: Mapping[str, float] = {}
    suspicions: Mapping[str, float] = {}
    fingerprint: bytes = b""
    likeness: float | None = None
