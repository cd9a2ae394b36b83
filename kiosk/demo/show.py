"""What the demo prints: one line a presentation while it runs, tables at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from kiosk import slugs
from kiosk.demo.judge import Judgement

_COLUMNS = (
    ("time", 8),
    ("who", 10),
    ("grade", 5),
    ("told", 28),
    ("verdict", 12),
    ("engine", 13),
    ("score", 5),
    ("rule", 15),
    ("door", 18),
    ("ms", 4),
)
_PORTAL = 6
_MARK = {"met": "[green]as expected[/green]", "failed": "[red]not as expected[/red]", "missed": "[yellow]eye was down[/yellow]"}


class Show:
    """Writes to `console`; quiet where the run prints JSON. `several`: portals, whose names are told."""

    def __init__(self, console: Console, *, several: bool = False) -> None:
        self._console = console
        self._several = several

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def head(self) -> None:
        self._line("portal", _row(name for name, _ in _COLUMNS), "bold")

    def event(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "presentation":
                granted = event["outcome"] == "granted"
                style = "green" if granted else "red"
                self._line(event["portal"], _row(_cells(event)), style)
            case "told" if slugs.TABLE[event["slug"]].kind == "prompt":
                self.say(f"[dim]asked: {event['sentence']}[/dim]")
            case "eye_lost":
                self.say(f"[yellow]eye lost:[/yellow] {slugs.to_operator(event['slug'])}; the door stays shut")
            case "eye_started":
                self.say("[dim]eye watching[/dim]")
            case "error" | "alarm":
                self.say(f"[red]{event['event']}:[/red] {event['slug']}")

    def _line(self, portal: str, row: str, style: str) -> None:
        named = f"{portal:{_PORTAL}} {row}" if self._several else row
        self._console.print(named, style=style, highlight=False, soft_wrap=True)

    def summary(self, result: Mapping[str, Any], judgements: Iterable[Judgement]) -> None:
        rows = list(judgements)
        if rows:
            table = Table("act", "expected", "happened", "", title="the scene", title_justify="left")
            for row in rows:
                table.add_row(row.act, row.expected, row.happened, _MARK[row.outcome])
            self._console.print(table)
        table = Table(show_header=False, title="summary", title_justify="left")
        for key, value in result.items():
            if not isinstance(value, list):
                table.add_row(key.replace("_", " "), _flat(value))
        self._console.print(table)


def _cells(event: Mapping[str, Any]) -> Iterable[str]:
    granted = event["outcome"] == "granted"
    milliseconds = event["face_to_relay_ms"]
    score = event["score"]
    yield from (event["time"], event["person"] or "–", _dash(event["grade"]), event["sentence"])
    engine = event["engine"]
    yield from (_dash(event["verdict"]), _dash(engine and engine.replace("tencent-", "")))
    yield from (_dash(score if score is None else f"{score:.1f}"), _dash(event["rule"]))
    yield "relay pulse" if granted else event["reason"]
    yield _dash(milliseconds if milliseconds is None else f"{milliseconds:.0f}")


def _row(cells: Iterable[str]) -> str:
    return " ".join(str(cell)[:width].ljust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True))


def _dash(value: object) -> str:
    return "–" if value is None else str(value)


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(inner)}" for key, inner in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
