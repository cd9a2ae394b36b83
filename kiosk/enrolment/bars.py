"""From which score two enrolled faces are too close, by the door's own threshold and the calibration."""

from __future__ import annotations

from typing import NamedTuple

from kiosk.recognition.on_device.calibration import least_score
from kiosk.settings import OnDeviceSettings

_CHANCE = 1e-3
"""One stranger in so many comes as close to somebody by chance: rare enough to ask the operator."""


class Bars(NamedTuple):
    """Scores, 0–100. From `same` on, two faces count as one person's; from `alike` on they are worth a warning.

    Under `own`, two photos are not of one person.
    """

    own: float
    alike: float
    same: float


def bars(door: OnDeviceSettings, faces: int) -> Bars:
    """For a gallery of so many faces.

    `same` is what one stranger in a thousand reaches somewhere in the gallery, or the door's threshold where that is less:
    never is anybody enrolled whom the door would take for another. `alike` is nearer than that by the door's margin.
    """
    faces = max(faces, 1)
    at_the_door = least_score(door.false_match_rate, faces) if door.threshold is None else door.threshold
    same = min(at_the_door, least_score(_CHANCE, faces))
    return Bars(own=least_score(_CHANCE, 1), alike=max(same - door.margin, 0.0), same=same)
