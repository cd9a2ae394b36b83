"""The journal for people."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kiosk.journal import log

_TOO_LONG = frozenset({"policy", "facts"})
"""The rules' hash is the same on almost every row; what the rules were told, `kiosk rules explain` shows in words."""


def tail(path: Path, count: int, *, as_json: bool) -> str:
    """One row a line, as text or as a JSON object."""
    rows = log.tail(path, count)
    if as_json:
        return "\n".join(msgspec.json.encode(row).decode() for row in rows)
    return "\n".join(map(_line, rows))


def _line(row: log.Row) -> str:
    try:
        body = msgspec.json.decode(row.body, type=dict[str, object])
    except msgspec.MsgspecError:
        body = {"unreadable": row.body}
    what = ", ".join(f"{key} {value}" for key, value in body.items() if key not in _TOO_LONG)
    who = "" if row.presentation is None else f"#{row.presentation}"
    return f"{row.seq:>6}  {row.wall[:23]}  {row.kind:<14}  {row.portal:<8}  {who:<5}  {what}".rstrip()


def verify(path: Path, *, as_json: bool) -> tuple[str, bool]:
    """The finding, and whether the chain is whole."""
    found = log.verify(path)
    if as_json:
        return msgspec.json.encode(found).decode(), found.ok
    if not found.ok:
        return f"broken: row {found.bad_seq} {found.why}", False
    return f"whole: {found.rows} rows, head {found.head}", True
