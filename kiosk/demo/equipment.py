"""What the demo's door has and asks for, by the portal's strategy."""

from __future__ import annotations

from kiosk.settings import PortalSettings, RuleSettings

READER = "door"
"""The simulated reader at doors that ask for a card."""
_RULE = RuleSettings(
    name="staff-may-enter",
    when="verdict.kind == 'match' && presentation.faces == 1",
    effect="grant",
    unlock_seconds=1.0,
)
RULES = {
    "identify": _RULE,
    "identify+confirm": _RULE.model_copy(update={"when": f"{_RULE.when} && verdict.confirmed"}),
    "claim+compare": _RULE.model_copy(update={"when": f"{_RULE.when} && credential.person == subject.person"}),
    "crowd": _RULE.model_copy(update={"when": "verdict.kind == 'match'"}),
}
ONE_TO_ONE = frozenset({"identify+confirm", "claim+compare"})
_CLAIM_WITHIN = 2.5
"""Seconds: the next act's person must not find the last one's card."""
_VERDICT_TTL, _SEEN_WITHIN = 3.0, 1.5
"""Seconds, where the sandbox on this box has two pictures to look at, or one of several faces, and the eye several faces."""


def card_of(person: str) -> str:
    """The number of a person's card."""
    return f"26:1:{person.removeprefix('P')}"


def equipped(portal: PortalSettings) -> PortalSettings:
    """With what its strategy needs: a reader for claims; for masks, which the older host cannot compare, today's."""
    extra: dict[str, object] = {}
    if portal.strategy == "claim+compare" and not portal.readers:
        extra |= {"readers": (f"sim:{READER}",), "claim_within": _CLAIM_WITHIN}
    if portal.strategy != "identify":
        extra |= {"verdict_ttl": _VERDICT_TTL, "presence_within": _SEEN_WITHIN}
    if portal.strategy in ONE_TO_ONE and portal.engines == ("tencent-legacy",):
        extra["fallback"] = "tencent-iai"
    return portal.model_copy(update=extra)
