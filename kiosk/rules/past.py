"""Decisions as the journal keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from kiosk.access.facts import Variables
from kiosk.access.policy import SAMPLES
from kiosk.errors import ConfigurationError, KioskError
from kiosk.journal import log

KINDS = ("granted", "denied", "withheld")
"""Rows that follow a decision of the rules; `withheld`: granted by a rule, then held back by the portal."""

_NEEDED = {root: frozenset(members) for root, members in SAMPLES["match"].items()} | {"time": frozenset({"trusted"})}
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Then(msgspec.Struct, frozen=True):
    """One row. `outcome`: what the rules said then; `reason`: of a denial.

    `facts`: what they were asked about; None in older rows, which do not keep all of it.
    """

    seq: int
    wall: str
    portal: str
    presentation: int | None
    kind: str
    outcome: str
    rule: str
    reason: str
    policy: str
    facts: Variables | None


class _Body(msgspec.Struct):
    rule: str = ""
    reason: str = ""
    policy: str = ""
    facts: Variables | None = None


_DECODER = msgspec.json.Decoder(_Body)


def decisions(path: Path, since: str = "") -> Iterator[Then]:
    """Oldest first, one after the other; rows that no rule decided are left out. `since`: as `moment` gives it.

    Raises JournalError.
    """
    return filter(lambda then: then.rule, map(_then, log.rows(path, KINDS, since)))


def find(path: Path, event: str) -> Then:
    """The decision with that row number, `#PRESENTATION`, or the `last` one. Raises JournalError, KioskError `event_unknown`."""
    if re.fullmatch(r"\d+", event):
        row = log.row(path, int(event))
        found = _then(row) if row is not None else None
        if row is not None and found is not None and (row.kind not in KINDS or not found.rule):
            raise KioskError("event_unknown", f"row {event}, '{row.kind}', is no decision of a rule")
    elif event == "last":
        found = _newest(path, None)
    elif named := re.fullmatch(r"[#p](\d+)", event):
        found = _newest(path, int(named.group(1)))
    else:
        raise KioskError("event_unknown", f"'{event}': give a row's number, p and a presentation's number, or `last`")
    if found is None:
        raise KioskError("event_unknown", f"the journal has no decision '{event}'; `kiosk journal tail` shows what there is")
    return found


def _newest(path: Path, presentation: int | None) -> Then | None:
    found = None
    for one in decisions(path):
        if presentation is None or one.presentation == presentation:
            found = one
    return found


def moment(since: str, now: datetime) -> str:
    """`7d`, `12h`, `30m`, `2w` back from now, a date or a time, as the journal writes it. Raises ConfigurationError."""
    if not since:
        return ""
    if span := re.fullmatch(r"(\d{1,5})([mhdw])", since):
        back = now - timedelta(**{_UNITS[span.group(2)]: int(span.group(1))})
        return back.astimezone(UTC).isoformat(timespec="milliseconds")
    try:
        return datetime.fromisoformat(since).astimezone(UTC).isoformat(timespec="milliseconds")
    except ValueError as error:
        raise ConfigurationError("configuration_invalid", f"--since {since}: write 7d, 12h, 30m or 2026-03-01") from error


def _then(row: log.Row) -> Then:
    try:
        body = _DECODER.decode(row.body)
    except msgspec.MsgspecError:
        body = _Body()
    # What the portal withheld, a rule had granted.
    outcome = "deny" if row.kind == "denied" else "grant"
    reason = "" if row.kind == "granted" else body.reason
    return Then(
        row.seq, row.wall, row.portal, row.presentation, row.kind, outcome, body.rule, reason, body.policy, _whole(body.facts)
    )


def _whole(facts: Variables | None) -> Variables | None:
    """None where a name is missing that a rule may ask for."""
    if facts is None:
        return None
    return facts if all(members <= facts.get(root, {}).keys() for root, members in _NEEDED.items()) else None
