"""Draws how each measure answers to each way of spoiling a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

Lines = Mapping[str, Sequence[tuple[float, float]]]


def plot(sweeps: Mapping[str, Lines], file: Path) -> None:
    """One panel a sweep. Loads matplotlib, which takes a second and 40 MB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(15, 12), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (name, lines) in enumerate(sweeps.items()):
        axes = figure.add_subplot(3, 3, number + 1)
        for label, points in lines.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
        axes.set(xlabel=name, ylim=(-3, 103))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(file, dpi=80)
