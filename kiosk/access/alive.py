"""Whether a probe may be shown to a recogniser at all: only of a person who is there. Pure."""

from __future__ import annotations

from kiosk.domain import AttackPresentation, Inconclusive, Liveness
from kiosk.settings import LivenessPolicy
from kiosk.slugs import TABLE

ENGINE = "liveness"
"""What stands as the engine of such a verdict."""
CLOUD = "tencent-iai"
"""And of one that rests on the cloud's vote."""
ALIVE, SURELY_ALIVE = 40.0, 90.0
"""Scores of DetectLiveFaceAccurate: what the vendor recommends, and the strictest it names, which alone ends the eye's doubt."""


def wants_vote(policy: LivenessPolicy, liveness: Liveness) -> bool:
    """Whether the cloud's vote could change anything: not on an attack, nor after a challenge that was not passed."""
    return policy != "off" and (liveness.state == "live" or _only_votes_doubt(liveness))


def refusal(
    policy: LivenessPolicy, liveness: Liveness, vote: float | Inconclusive | None = None
) -> AttackPresentation | Inconclusive | None:
    """The verdict of a probe that nobody is to be asked about; None where recognition may go on.

    What the eye calls an attack is one, whatever the door asks for: an eye can refuse, only not grant. A door that asks for
    liveness takes nothing but `live`: an eye that did not look lets nobody in.

    `vote`: the cloud's score, 0–100, or why it gave none; None where it was not asked.
    """
    if liveness.state == "attack":
        return AttackPresentation(_known(liveness.cause) or "spoof_suspected", ENGINE)
    if policy == "off":
        return None
    if isinstance(vote, Inconclusive):
        return vote
    if vote is not None and not vote >= ALIVE:
        return AttackPresentation("liveness_rejected", CLOUD)
    lifted = vote is not None and vote >= SURELY_ALIVE and _only_votes_doubt(liveness)
    return None if liveness.state == "live" or lifted else Inconclusive("liveness_doubtful", ENGINE)


def objection(liveness: Liveness) -> str:
    """Slug of what the eye has against somebody of whom it sent no picture; empty where nothing."""
    if liveness.state not in ("attack", "doubt"):
        return ""
    return _known(liveness.cause) or ("spoof_suspected" if liveness.state == "attack" else "liveness_doubtful")


def _known(cause: str) -> str:
    """The cause, which comes from the eye and is believed as far as a stranger's, where it is one; else nothing."""
    return cause if cause in TABLE and TABLE[cause].kind == "liveness" else ""


def _only_votes_doubt(liveness: Liveness) -> bool:
    return (liveness.state, liveness.cause) == ("doubt", "liveness_doubtful")
