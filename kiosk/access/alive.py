"""Whether a probe may be shown to a recogniser at all: only of a person who is there. Pure."""

from __future__ import annotations

from kiosk.domain import AttackPresentation, Inconclusive, Liveness
from kiosk.settings import LivenessPolicy
from kiosk.slugs import TABLE

ENGINE = "liveness"
"""What stands as the engine of such a verdict."""


def refusal(policy: LivenessPolicy, liveness: Liveness) -> AttackPresentation | Inconclusive | None:
    """The verdict of a probe that nobody is to be asked about; None where recognition may go on.

    What the eye calls an attack is one, whatever the door asks for: an eye can refuse, only not grant. A door that asks for
    liveness takes nothing but `live`: an eye that did not look lets nobody in.
    """
    if liveness.state == "attack":
        # The cause comes from the eye, which is believed as far as a stranger.
        known = liveness.cause in TABLE and TABLE[liveness.cause].kind == "liveness"
        return AttackPresentation(liveness.cause if known else "spoof_suspected", ENGINE)
    if policy == "off" or liveness.state == "live":
        return None
    return Inconclusive("liveness_doubtful", ENGINE)
