"""Portals and their rules."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from kiosk.settings.base import Identifier, PositiveSeconds, Section
from kiosk.settings.eye import LivenessPolicy

RELAY_SCHEMES = ("sim",)
Recogniser = Literal["tencent-legacy", "tencent-iai", "on-device"]


class PortalSettings(Section):
    camera: Identifier = "front"
    """The name of a camera in [cameras]."""
    relay: str = "sim:door"
    """`sim:NAME` is a simulated relay."""
    recogniser: Recogniser = "tencent-legacy"
    """`tencent-legacy`: /face/identify; `tencent-iai`: SearchPersons; `on-device`: the gallery on this box."""
    fallback: Recogniser | Literal["none"] = "none"
    """Asked while the recogniser cannot be reached; never because it did not recognise somebody."""
    second_opinion: Recogniser | Literal["none"] = "none"
    """Asked about every match; unless it names the same person, nobody is let in. It does not see pictures that may not leave."""
    strategy: Literal["identify"] = "identify"
    cloud_consent: bool = False
    """Whether pictures of people about whom the gallery says nothing may be sent to the cloud. Of others the gallery decides."""
    liveness: LivenessPolicy = "passive"
    """`passive`: by looking only; `passive+challenge`: asks for movements where looking leaves doubt; `challenge`: always.

    Looking sees most prints and screens, not a print cut out along the face: only `challenge` asks for what that cannot do.
    """
    verdict_ttl: PositiveSeconds = 1.5
    """Seconds after which a verdict is too late to open anything."""
    presence_within: PositiveSeconds = 0.6
    """The person must have been seen within this many seconds when the relay fires."""
    max_unlock: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Seconds; no rule may unlock for longer."""

    @field_validator("relay")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme, _, rest = url.partition(":")
        if scheme not in RELAY_SCHEMES or not rest:
            raise ValueError(f"'{url}' is no relay; write sim:NAME")
        return url

    @model_validator(mode="after")
    def _engines_differ(self) -> Self:
        for name in self.engines:
            if self.engines.count(name) > 1:
                raise ValueError(
                    f"'{name}' stands twice among recogniser, fallback and second_opinion; "
                    "an engine cannot stand in for itself, nor confirm itself"
                )
        return self

    @property
    def engines(self) -> tuple[str, ...]:
        """Whoever may be asked, the recogniser first."""
        return (self.recogniser, *(name for name in (self.fallback, self.second_opinion) if name != "none"))


class RuleSettings(Section):
    """One line of policy. Deny rules are tried first, then grants; the first match wins; else deny."""

    name: Identifier
    when: Annotated[str, Field(min_length=1, max_length=2000)]
    """A CEL condition over subject, verdict, quality, presentation, portal and time."""
    effect: Literal["grant", "deny"]
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,47}$")] = "denied_by_rule"
    """The slug shown and recorded when a deny rule matches."""
    unlock_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0
    portals: tuple[Identifier, ...] = ()
    """The portals this rule is for; empty for all."""
