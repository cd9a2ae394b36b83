"""Figures with the method that made them, printed as tables and kept for `--json`."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from kiosk import __version__


class Report:
    def __init__(self) -> None:
        # Without a terminal rich assumes 80 columns, too few for the tables.
        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        self._benchmarks: list[dict[str, Any]] = []

    def add(self, name: str, method: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Prints a table of `rows` (same keys each) under its method, and keeps both."""
        if not self._benchmarks:
            self._console.print(f"kiosk {__version__} on {_machine()}")
        self._benchmarks.append({"name": name, "method": method, "rows": list(rows)})
        table = Table(title=f"\n[bold]{name}[/bold]", title_justify="left")
        for key in rows[0]:
            table.add_column(key.replace("_", " "), justify="left" if isinstance(rows[0][key], str) else "right")
        for row in rows:
            table.add_row(*(_cell(value) for value in row.values()))
        self._console.print(table)
        self._console.print(f"[dim]{method}[/dim]")

    def say(self, sentence: str) -> None:
        self._console.print(f"\n[bold]{sentence}[/bold]")

    def write(self, file: Path) -> None:
        body = {"version": __version__, "machine": _machine(), "benchmarks": self._benchmarks}
        file.write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=1))


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _cell(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
