"""The journal for people."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.table import Table

from kiosk.journal import log


def tail(path: Path, count: int, *, as_json: bool) -> Table | str:
    """A table, or one JSON object a line."""
    rows = log.tail(path, count)
    if as_json:
        return "\n".join(msgspec.json.encode(row).decode() for row in rows)
    table = Table("seq", "time (UTC)", "kind", "portal", "presentation", "what")
    for row in rows:
        body = msgspec.json.decode(row.body)
        what = ", ".join(f"{key} {value}" for key, value in body.items() if key != "policy")
        table.add_row(str(row.seq), row.wall[:23], row.kind, row.portal, str(row.presentation or ""), what)
    return table


def verify(path: Path, *, as_json: bool) -> tuple[str, bool]:
    """The finding, and whether the chain is whole."""
    found = log.verify(path)
    if as_json:
        return msgspec.json.encode(found).decode(), found.ok
    if not found.ok:
        return f"broken: row {found.bad_seq} {found.why}", False
    return f"whole: {found.rows} rows, head {found.head}", True
