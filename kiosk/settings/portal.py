"""Portals: what they are made of, and how they behave."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from kiosk.settings.base import Identifier, PositiveSeconds, Section
from kiosk.settings.eye import LivenessPolicy
from kiosk.settings.lines import parse

READER_SCHEMES = ("evdev", "wiegand", "osdp", "sim")
SIGNALS = ("lamp_red", "lamp_green", "lamp_blue", "buzzer")
"""Outputs that tell people something, and guard nothing."""
Recogniser = Literal["tencent-legacy", "tencent-iai", "on-device"]


class PortalSettings(Section):
    camera: Identifier = "front"
    """The name of a camera in [cameras]."""
    relay: str = "sim:door"
    """The lock: `gpiod:/dev/gpiochip0/17` or `gpiod:LINE-NAME`, with `?active=low&bias=pull-up&drive=open-drain`; `sim:NAME`."""
    outputs: dict[Identifier, str] = Field(default_factory=dict)
    """Further relays by name, which rules may unlock, and `lamp_red`, `lamp_green`, `lamp_blue` and `buzzer`."""
    contact: str = ""
    """The door position switch, active while the door is closed; like a relay, with `&debounce_ms=20`. Empty for none.
    `sim:` inputs begin inactive, with `?initial=active` active."""
    request_to_exit: str = ""
    """The button or sensor inside."""
    request_to_exit_unlocks: bool = True
    """Whether it moves the lock, or only says that the door is not forced."""
    tamper: str = ""
    """A contact that is active while the case is shut."""
    fire: str = ""
    """The fire alarm's contact, active while there is none: it releases the portal when it opens or its cable is cut."""
    readers: tuple[str, ...] = ()
    """Of credentials: `evdev:/dev/input/by-id/…`, `wiegand:/dev/gpiochip0/5/6`, `osdp:/dev/ttyUSB0?address=1`, `sim:NAME`."""
    codes: bool = False
    """Whether QR codes shown to the camera count as credentials."""
    recogniser: Recogniser = "tencent-legacy"
    """`tencent-legacy`: /face/identify; `tencent-iai`: SearchPersons; `on-device`: the gallery on this box."""
    fallback: Recogniser | Literal["none"] = "none"
    """Asked while the recogniser cannot be reached; never because it did not recognise somebody."""
    second_opinion: Recogniser | Literal["none"] = "none"
    """Asked about every match; unless it names the same person, nobody is let in. It does not see pictures that may not leave."""
    strategy: Literal["identify", "identify+confirm", "claim+compare", "crowd"] = "identify"
    """`identify+confirm`: the candidate is compared one to one besides; `claim+compare`: a credential says who, the face
    confirms; `crowd`: all faces in view are searched for in one go,
    and those who are granted together share an opening."""
    confirm: Recogniser | Literal["same"] = "same"
    """Who compares one to one; `same`: whoever searched, or the recogniser. While it is out of reach, `fallback` does."""
    claim_within: PositiveSeconds = 15.0
    """Seconds for which a credential claims a person, and for which a second factor or person is waited for."""
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

    exit_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Seconds for which a request to exit and the command `unlock_once` unlock, and for which a request masks the forced-door
    alarm; `max_unlock` bounds the first two."""
    relock_on_open: bool = True
    """Lock again as soon as the door has opened; needs `contact`."""
    held_open_after: PositiveSeconds = 30.0
    """Seconds after which an open door is an alarm."""
    outside: bool = True
    """Whether strangers can walk up to it: then a grant without liveness is warned of."""
    interlock: Identifier | Literal[""] = ""
    """Of the portals that name the same interlock one is open at a time, as in a mantrap."""
    area_from: Identifier | Literal[""] = ""
    """Where whoever passes comes from; empty for outside."""
    area_to: Identifier | Literal[""] = ""
    """Where they are then; anti-passback and occupancy count by areas, across the portals of the box."""
    anti_passback: Literal["off", "soft", "hard", "timed"] = "off"
    """Whoever is in an area may not enter it again: `soft` lets them and says so, `timed` denies for a time."""
    anti_passback_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """Of `timed`."""
    occupancy_limit: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """People in `area_to` at most."""
    lock_out_after: Annotated[int, Field(ge=1, le=100)] = 5
    """Failures within a minute after which the portal takes a rest."""
    lock_out_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """How long."""
    open_during: Identifier | Literal[""] = ""
    """A schedule during which the portal is held open."""
    first_person_in: bool = False
    """Whether it then opens only after somebody was granted."""
    untrusted_clock: Literal["deny", "allow"] = "deny"
    """Whether rules that need the time may be asked while the clock is not known to be right."""

    @field_validator("relay", "contact", "request_to_exit", "tamper", "fire")
    @classmethod
    def _known_scheme(cls, url: str, field: ValidationInfo) -> str:
        if field.field_name == "relay":
            parse(url, "output")
        elif url:
            parse(url, "input")
        return url

    @field_validator("outputs")
    @classmethod
    def _known_outputs(cls, outputs: dict[str, str]) -> dict[str, str]:
        for url in outputs.values():
            parse(url, "output")
        if "relay" in outputs:
            raise ValueError("'relay' is the portal's own; give the output another name")
        return outputs

    @field_validator("readers")
    @classmethod
    def _known_readers(cls, readers: tuple[str, ...]) -> tuple[str, ...]:
        for url in readers:
            known(url, READER_SCHEMES, "reader")
        return readers

    @model_validator(mode="after")
    def _parts_meet(self) -> Self:
        if self.first_person_in and not self.open_during:
            raise ValueError("first_person_in needs open_during, the schedule it is about")
        if (self.anti_passback != "off" or self.occupancy_limit is not None) and not self.area_to:
            raise ValueError("anti_passback and occupancy_limit need area_to, the area they count")
        return self

    @model_validator(mode="after")
    def _engines_differ(self) -> Self:
        named = [name for name in (self.recogniser, self.fallback, self.second_opinion) if name != "none"]
        for name in named:
            if named.count(name) > 1:
                raise ValueError(
                    f"'{name}' stands twice among recogniser, fallback and second_opinion; "
                    "an engine cannot stand in for itself, nor confirm itself"
                )
        return self

    @property
    def engines(self) -> tuple[str, ...]:
        """Whoever may be asked, each once, the recogniser first."""
        others = (name for name in (self.fallback, self.second_opinion, self.confirm) if name not in {"none", "same"})
        return tuple(dict.fromkeys((self.recogniser, *others)))


def known(url: str, schemes: tuple[str, ...], what: str) -> None:
    """Raises ValueError where `url` has none of the `schemes`."""
    scheme, _, rest = url.partition(":")
    if scheme not in schemes or not rest:
        raise ValueError(f"'{url}' is no {what}; write one of {', '.join(f'{one}:…' for one in schemes)}")
