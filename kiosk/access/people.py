"""What the box knows of people besides their faces: who owns a card or code, and who may pass on which days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kiosk.access.facts import Subject
from kiosk.access.pin import check_hash
from kiosk.errors import ConfigurationError
from kiosk.settings import PersonSettings


class People:
    """The register.

    Raises ConfigurationError `configuration_invalid` where two people have one card or code, or a PIN's hash is none. The
    message names the people and not what they share: a code is as good as a key.
    """

    def __init__(self, people: Mapping[str, PersonSettings]) -> None:
        for name, person in people.items():
            check_hash(f"people.{name}.pin_hash", person.pin_hash)
            check_hash(f"people.{name}.duress_pin_hash", person.duress_pin_hash)
        self._people = dict(people)
        self._cards = _owners("card", ((name, _card(card)) for name, person in people.items() for card in person.cards))
        self._codes = _owners("code", ((name, code) for name, person in people.items() for code in person.codes))

    def by_card(self, card: str) -> str:
        """The owner's name, empty where nobody's. Capitals do not count."""
        return self._cards.get(_card(card), "")

    def by_code(self, code: str) -> str:
        """The owner's name, empty where nobody's."""
        return self._codes.get(code, "")

    def pin_hashes(self, person: str) -> tuple[str, str]:
        """Of the PIN and of the one under duress; empty where there is none, or nobody of that name."""
        known = self._people.get(person)
        return (known.pin_hash, known.duress_pin_hash) if known else ("", "")

    def subject(self, person: str, gallery_groups: Iterable[str], today: str | None) -> Subject:
        """`person` as rules see them; `gallery_groups` are those the recogniser told (Match.groups).

        `today`: the local date as `2026-12-24`, None while the clock is not trusted: then nobody with dates is valid.
        Somebody who is not registered has no dates, and is valid.
        """
        known = self._people.get(person, PersonSettings())
        groups = dict.fromkeys((*known.groups, *gallery_groups))
        return Subject(person, groups=tuple(groups), tags=known.tags, valid=_is_valid(known, today))


def _is_valid(person: PersonSettings, today: str | None) -> bool:
    first, last = person.valid_from, person.valid_until
    if first is None and last is None:
        return True
    if today is None:
        return False
    # Dates of this form sort as text.
    return (first is None or first.isoformat() <= today) and (last is None or today <= last.isoformat())


def _card(card: str) -> str:
    return card.casefold()


def _owners(what: str, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for name, value in pairs:
        owner = owners.setdefault(value, name)
        if owner != name:
            raise ConfigurationError("configuration_invalid", f"people.{owner} and people.{name} have the same {what}")
    return owners
