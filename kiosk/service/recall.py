"""What outlives a restart, rebuilt from the journal: who is where, and which portals are locked down or released."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from kiosk.access.areas import OUTSIDE, Areas
from kiosk.access.events import Command
from kiosk.journal.log import Row, of_kinds
from kiosk.settings import PortalSettings

_ROWS = 100_000
"""The newest rows that are looked through: years of commands, weeks of a busy turnstile."""

_ENDS: Mapping[str, str] = {"end_lockdown": "lockdown", "end_release": "release"}


def recall(journal: Path, boot: str, portals: Mapping[str, PortalSettings], areas: Areas) -> dict[str, list[Command]]:
    """Fills `areas`; the commands still in force by portal. Reads the file: not on the event loop of a running door.

    A passage before the last boot counts as of now, so that `timed` anti-passback denies rather longer than shorter.
    Raises JournalError `journal_missing`, `journal_broken`.
    """
    in_force: defaultdict[str, list[Command]] = defaultdict(list)
    for row in of_kinds(journal, ("passed", "commanded"), _ROWS):
        body = msgspec.json.decode(row.body)
        if row.kind == "passed":
            _pass(row, body, boot, areas)
        elif row.portal in portals:
            _obey(body["command"], in_force[row.portal], portals[row.portal], areas)
    return dict(in_force)


def _pass(row: Row, body: Mapping[str, Any], boot: str, areas: Areas) -> None:
    for person in body["people"]:
        areas.enter(person, body["to"], row.monotonic if row.boot == boot else time.monotonic())


def _obey(command: str, in_force: list[Command], settings: PortalSettings, areas: Areas) -> None:
    if command == "clear_area" and settings.area_to != OUTSIDE:
        areas.clear(settings.area_to)
    ended = _ENDS.get(command, command)
    if ended in in_force:
        in_force.remove(ended)
    if command in {"lockdown", "release"}:
        in_force.append(cast("Command", command))
