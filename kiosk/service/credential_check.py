"""What can be known of credentials without opening a reader, for `kiosk check`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from kiosk.access.people import People
from kiosk.errors import KioskError
from kiosk.service.credentials import read_key
from kiosk.settings import Settings

_EXTRAS = {"evdev": ("evdev", "hid"), "osdp": ("osdp", "osdp")}
"""By a reader's scheme: the module it needs, and the extra that brings it."""


def problems(settings: Settings) -> Iterator[str]:
    """What keeps the daemon from starting, or a reader from ever being read."""
    for build in (lambda: People(settings.people), lambda: read_key(settings.credentials.code_key_file, settings.site.state_dir)):
        try:
            build()
        except KioskError as error:
            yield str(error)
    for portal in settings.portals.values():
        for url in portal.readers:
            module, extra = _EXTRAS.get(url.partition(":")[0], ("", ""))
            if module and find_spec(module) is None:
                yield f"extra_missing: {url} needs it: install kiosk[{extra}]"


def warnings(settings: Settings) -> Iterator[str]:
    """What is probably not meant."""
    for name, portal in settings.portals.items():
        for url in portal.readers:
            scheme, _, rest = url.partition(":")
            place = rest.partition("?")[0]
            if scheme in _EXTRAS and not Path(place).exists():
                yield f"portals.{name}: {url} is not there now; it is looked for again and again"
            if scheme == "osdp" and "key_file=" not in rest:
                yield f"portals.{name}: {url} has no key_file: whoever is on the wire can read cards and send them"
        if portal.codes and not _codes_can_be_read(settings):
            yield f"portals.{name}.codes is on, and there is neither credentials.code_key_file nor a person with a code"
    for rule in settings.rules:
        if "pin" in rule.require and not any(person.pin_hash for person in settings.people.values()):
            yield f"rule '{rule.name}' requires a PIN, and nobody has one"


def _codes_can_be_read(settings: Settings) -> bool:
    if any(person.codes for person in settings.people.values()):
        return True
    try:
        return read_key(settings.credentials.code_key_file, settings.site.state_dir) is not None
    except KioskError:
        return True  # which is a problem already
