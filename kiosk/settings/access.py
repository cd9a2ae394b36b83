"""Who may pass when: rules and their tests, schedules and holidays, and what the box knows of people."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from kiosk.settings.base import Identifier, Section

SlugText = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,47}$")]
Factor = Literal["pin", "card", "qr", "second_person"]
"""What a rule may ask for besides the face."""
Span = Annotated[str, StringConstraints(pattern=r"^([a-z]{3}(-[a-z]{3})?(,[a-z]{3}(-[a-z]{3})?)* )?\d\d:\d\d-\d\d:\d\d$")]
"""`mon-fri 08:00-18:00`, `sat,sun 10:00-14:00`; without days, every day. An end before the start is on the next day."""


class RuleSettings(Section):
    """One line of policy. Deny rules are tried first, then grants; the first match wins; else deny."""

    name: Identifier
    when: Annotated[str, Field(min_length=1, max_length=2000)]
    """A CEL condition over subject, verdict, quality, liveness, presentation, credential, portal, time and site."""
    effect: Literal["grant", "deny"]
    reason: SlugText = "denied_by_rule"
    """The slug shown and recorded when a deny rule matches."""
    unlock_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0
    unlock: tuple[Identifier, ...] = ()
    """Which of the portal's outputs a grant unlocks, by name; empty for its relay, which is called `relay`."""
    hold: Literal["none", "open", "toggle"] = "none"
    """`open`: the portal stays open until it is closed by command or rule; `toggle`: opens it so, or closes it again."""
    require: tuple[Factor, ...] = ()
    """What a grant waits for: a PIN, card or code of the same person, or a second person."""
    prompt: SlugText | Literal[""] = ""
    """What the person is told besides, as a slug."""
    alarm: SlugText | Literal[""] = ""
    """An alarm the rule raises when it decides."""
    notify: tuple[Identifier, ...] = ()
    """Whoever is to hear of it, by the names events carry."""
    checkout: Identifier | Literal[""] = ""
    """A checkout that the grant starts."""
    portals: tuple[Identifier, ...] = ()
    """The portals this rule is for; empty for all."""


class RuleTestSettings(Section):
    """One case for `kiosk rules test`."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    portal: Identifier | Literal[""] = ""
    """Empty for the first one of the file."""
    given: dict[str, bool | int | float | str | list[str]] = Field(default_factory=dict)
    """Facts by their dotted names, `"subject.person" = "alice"`; what is not said is as for a good match."""
    at: str = ""
    """Local time, `2026-12-24 18:30`, from which the calendar tells the rest; empty for noon on a Wednesday."""
    expect: Literal["grant", "deny"]
    rule: Identifier | Literal[""] = ""
    """The rule that must have made the decision; empty for any."""
    reason: SlugText | Literal[""] = ""
    """The reason a denial must have; empty for any."""
    require: tuple[Factor, ...] | None = None
    """What the grant must wait for; without it, for anything."""


class ScheduleSettings(Section):
    """When something is open, in the site's local time."""

    spans: tuple[Span, ...] = ()
    """`mon-fri 08:00-18:00`, `sat,sun 10:00-14:00`, `22:00-06:00` for every night into the next day."""
    holidays: Literal["closed", "as_usual"] | tuple[Span, ...] = "closed"
    """On a holiday: closed, no different, or these spans instead."""
    dates: dict[date, tuple[Span, ...]] = Field(default_factory=dict)
    """Exceptions: spans of that date instead of all others; empty for closed."""


class HolidaySettings(Section):
    """One of: certain dates, a date of every year, or a rule that moves."""

    dates: tuple[date, ...] = ()
    yearly: Annotated[str, StringConstraints(pattern=r"^(\d\d-\d\d)?$")] = ""
    """`12-25`: month and day."""
    rule: Annotated[str, StringConstraints(max_length=200)] = ""
    """A recurrence of RFC 5545, as `FREQ=YEARLY;BYMONTH=11;BYDAY=4TH`; `BYEASTER=1` counts days from Easter Sunday."""
    if_weekend: Literal["stays", "monday", "nearest"] = "stays"
    """Where a holiday that falls on a weekend is kept."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(map(bool, (self.dates, self.yearly, self.rule))) != 1:
            raise ValueError("say one of dates, yearly and rule")
        return self


class PersonSettings(Section):
    """What the box knows of a person besides the face; groups of the gallery count too."""

    groups: tuple[Identifier, ...] = ()
    tags: tuple[Identifier, ...] = ()
    valid_from: date | None = None
    """The first day on which the person may pass, in local time."""
    valid_until: date | None = None
    """The last one."""
    cards: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:-]{1,64}$")], ...] = ()
    """`26:12:3456`: bits of a Wiegand card, facility and number; else as the reader sends it."""
    codes: tuple[Annotated[str, StringConstraints(min_length=4, max_length=200)], ...] = ()
    """Plain QR codes; signed ones name the person themselves."""
    pin_hash: str = ""
    """Made by `kiosk credentials pin`."""
    duress_pin_hash: str = ""
    """Of a PIN that opens like the other one and raises a silent alarm."""


class CredentialSettings(Section):
    """Signed QR codes and PINs."""

    code_key_file: Path = Path("code-key")
    """The public key, in PEM, that signed codes are held to; a bare name is looked for among systemd's credentials first."""
    code_lifetime: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Seconds for which a signed code may be good at most, whatever it says."""
    pin_length: Annotated[int, Field(ge=4, le=12)] = 4
    """Digits of a PIN at least."""
