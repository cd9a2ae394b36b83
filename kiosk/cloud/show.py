"""Answers as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from kiosk.cloud.bar import Bar
from kiosk.cloud.reply import Reply
from kiosk.cloud.session import Session
from kiosk.recognition.tencent.iai.searching import Membership
from kiosk.terminal import plain

_SCORES = frozenset({"score", "confidence", "similarity"})
_BOX = {"x", "y", "width", "height"}
_ABREAST = 5
"""Faces side by side in one table."""


def as_json(reply: Reply, session: Session) -> dict[str, Any]:
    """The answer under the vendor's names, the bar it is held to, and how the request went."""
    answer = msgspec.to_builtins(reply.answer)
    shown: dict[str, Any] = {"interface": reply.interface, "answer": answer}
    if reply.bar is not None:
        scores = list(_scores(reply.answer))
        shown |= {"threshold": reply.bar.least, "because": reply.bar.why}
        shown["match"] = reply.bar.passed(max(scores)) if scores else False
    if reply.drawn is not None:
        shown["drawn"] = str(reply.drawn.file)
    shown["requests"] = [
        {
            "endpoint": asked.endpoint,
            "outcome": asked.outcome,
            "milliseconds": round(asked.seconds * 1000, 1),
            **_stages(asked.stages),
        }
        for asked in session.asked
    ]
    return shown | ({"notices": session.notices} if session.notices else {})


def as_text(reply: Reply, session: Session, console: Console) -> None:
    """Tables, then a line about the request, then the vendor's notices."""
    for table in _tables(reply):
        console.print(table)
    if reply.bar is not None:
        console.print(_verdict(reply.bar, list(_scores(reply.answer))), soft_wrap=True)
    if reply.drawn is not None:
        console.print(f"drawn: {plain(str(reply.drawn.file))}", soft_wrap=True)
    for asked in session.asked:
        stages = ", ".join(f"{stage} {value:.0f}" for stage, value in asked.stages.items())
        line = f"{asked.interface} at {asked.endpoint}: {asked.seconds * 1000:.0f} ms ({stages}), outcome {asked.outcome}"
        console.print(f"[dim]{plain(line)}[/]", soft_wrap=True)
    for notice in session.notices:
        console.print(f"[yellow]notice[/] {plain(notice)}", soft_wrap=True)


def rows(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """A struct's fields as (name, text); a box in one text, nested ones under a path. Tables and absent fields are left out."""
    items = dict(_items(value))
    if items.keys() >= _BOX:
        x, y, width, height = (_cell(items.pop(name)) for name in ("x", "y", "width", "height"))
        yield (prefix.strip() or "box"), f"{width} × {height} at {x}, {y}"
    for name, item in items.items():
        if isinstance(item, Struct | Mapping):
            yield from rows(item, prefix if name.endswith("_info") else f"{prefix}{name} ")
        elif _is_mention(item):
            yield prefix + name.removesuffix("_infos") + "s", ", ".join(str(next(iter(_items(one)))[1]) for one in item)
        elif item not in (None, "", [], ()) and not _is_table(item):
            yield prefix + name.removesuffix("_timestamp"), _date(item) if name.endswith("_timestamp") else _cell(item)


def _tables(reply: Reply) -> Iterator[Table]:
    plainly = reply.answer if reply.view is None else reply.view
    if not isinstance(plainly, Struct):
        yield _list(reply.interface, plainly, reply.bar)
        return
    head = Table(title=reply.interface, title_justify="left", show_header=False)
    for name, text in rows(reply.answer):
        head.add_row(name.replace("_", " "), text)
    yield head
    yield from _lists(reply.answer, "", reply.bar)


def _lists(value: Any, prefix: str, bar: Bar | None) -> Iterator[Table]:
    """A table for every list of structs, inner ones after the one they belong to."""
    for name, item in _items(value):
        if _is_table(item) and not _is_mention(item):
            title = f"{prefix}{name}".replace("_", " ")
            yield from _faces(title, item) if _is_tall(item) else (_list(title, item, bar),)
            for number, inner in enumerate(item, 1):
                yield from _lists(inner, f"{title} {number}: ", bar)


def _list(title: str, items: Sequence[Struct], bar: Bar | None) -> Table:
    """One row an item; a score over the bar is green."""
    table = Table(title=title, title_justify="left")
    cells = [dict(rows(item)) for item in items]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    table.add_column("#", justify="right")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for number, (item, row) in enumerate(zip(items, cells, strict=True), 1):
        scores = [value for name, value in _items(item) if name in _SCORES]
        style = "green" if bar and scores and bar.passed(scores[0]) else None
        table.add_row(str(number), *(row.get(column, "") for column in columns), style=style)
    return table


def _faces(title: str, items: Sequence[Struct]) -> Iterator[Table]:
    """One column an item, for those with many measures."""
    for start in range(0, len(items), _ABREAST):
        part = items[start : start + _ABREAST]
        cells = [dict(rows(item)) for item in part]
        table = Table(title=title, title_justify="left")
        table.add_column("")
        for number in range(start + 1, start + len(part) + 1):
            table.add_column(f"face {number}", justify="right")
        for name in dict.fromkeys(name for row in cells for name in row):
            table.add_row(name.replace("_", " "), *(row.get(name, "") for row in cells))
        yield table


def _is_table(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Struct)


def _is_mention(value: Any) -> bool:
    """Groups that a person is in: their ids say enough."""
    return _is_table(value) and isinstance(value[0], Membership) and not value[0].person_ex_descriptions


def _is_tall(items: Sequence[Struct]) -> bool:
    return len(dict(rows(items[0]))) > 7


def _verdict(bar: Bar, scores: Sequence[float]) -> str:
    if bar.least is None:
        return f"[yellow]no threshold[/]: {plain(bar.why)}"
    if not scores:
        return "[red]nobody[/]"
    word = "[green]match[/]" if bar.passed(max(scores)) else "[red]no match[/]"
    return f"{word}: {max(scores):g} against {bar.least:.4g} ({plain(bar.why)})"


def _scores(value: Any) -> Iterator[float]:
    """Every score in an answer, however deep."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _scores(item)
    elif isinstance(value, Struct):
        for name, item in _items(value):
            if name in _SCORES:
                yield item
            else:
                yield from _scores(item)


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    return ((name, getattr(value, name)) for name in value.__struct_fields__)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return plain(str(value))


def _date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")


def _stages(stages: Mapping[str, float]) -> dict[str, Any]:
    return {"stages": {name: round(value, 1) for name, value in stages.items()}}
