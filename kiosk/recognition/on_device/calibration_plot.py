"""The calibration as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kiosk.recognition.on_device.calibration import Curve, Fit, description, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMPOSTOR, GENUINE, FIT = "#b2473e", "#3b6ea5", "#222222"
RAREST = 1e-6
NAMED = (1e-3, 1e-4, 1e-5)


def draw(path: Path) -> None:
    """Writes both scales: how the measured pairs spread, the fitted rates, and dashed what no data support.

    The file's suffix says what is written: `.svg` or `.png`. Loads matplotlib, which takes a second and 40 MB.
    Raises OSError where the file cannot be written, ValueError for another suffix.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415

    what = description()
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    whole, upper = figure.subplots(1, 2)
    _panel(whole, "Whole faces", what.whole)
    _panel(upper, "Upper faces, one of each pair with a mask drawn on", what.upper)
    figure.suptitle(f"On-device scores, fitted {what.made}")
    figure.savefig(path)


def _panel(axes: Axes, title: str, fit: Fit) -> None:
    counts = fit.counts
    middles = counts.start + counts.width * (np.arange(len(counts.impostors)) + 0.5)
    for label, colour, numbers in (("impostors", IMPOSTOR, counts.impostors), ("genuine", GENUINE, counts.genuine)):
        shares = np.array(numbers) / max(sum(numbers), 1)
        axes.bar(middles, shares, counts.width, color=colour, alpha=0.45, label=f"{label}: {sum(numbers):,} pairs")
    axes.set(title=title, xlabel="cosine", ylabel="share of the pairs in a bin", xlim=(-0.4, 1.0))
    rates = axes.twinx()
    rates.set(yscale="log", ylim=(RAREST, 1.5), ylabel="rate")
    _curves(rates, fit)
    _measured(rates, fit)
    for rate in NAMED:
        rates.axvline(fit.curve.cosine_for(points(rate)), color=FIT, linewidth=0.6, alpha=0.5)
        rates.text(fit.curve.cosine_for(points(rate)) + 0.005, 0.7, f"{points(rate):.0f}", fontsize=8)
    bars, curves = axes.get_legend_handles_labels(), rates.get_legend_handles_labels()
    axes.legend(bars[0] + curves[0], bars[1] + curves[1], loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=8)


def _curves(rates: Axes, fit: Fit) -> None:
    reached = fit.curve.cosine_for(points(fit.reach))
    for begin, end, style, label in (
        (fit.curve.mean, reached, "-", f"fit: {fit.people} people"),
        (reached, 1.0, "--", f"extrapolated: rarer than {fit.reach:.1e}"),
    ):
        cosines = np.linspace(begin, end, 100)
        rates.plot(cosines, [_rate(fit.curve, cosine) for cosine in cosines], style, color=FIT, linewidth=1.5, label=label)
    impostors, genuine = np.array(fit.counts.impostors), np.array(fit.counts.genuine)
    edges = fit.counts.start + fit.counts.width * np.arange(len(impostors) + 1)
    for label, colour, places, numbers in (
        ("impostor pairs at or above", IMPOSTOR, edges[:-1], impostors[::-1].cumsum()[::-1]),
        ("genuine pairs below", GENUINE, edges[1:], genuine.cumsum()),
    ):
        seen = numbers > 0
        rates.plot(places[seen], numbers[seen] / max(numbers.max(), 1), color=colour, linewidth=1, label=label)


def _measured(rates: Axes, fit: Fit) -> None:
    seen = [rate for rate in fit.rates if rate.measured > 0]
    rates.errorbar(
        [rate.cosine for rate in seen],
        [rate.measured for rate in seen],
        [
            [rate.measured - min(rate.measured, max(rate.measured_interval[0], RAREST / 10)) for rate in seen],
            [max(rate.measured_interval[1] - rate.measured, 0) for rate in seen],
        ],
        fmt="o",
        color=IMPOSTOR,
        markersize=4,
        capsize=3,
        label="each pair of people counted alike, 95 %",
    )


def _rate(curve: Curve, cosine: float) -> float:
    return float(10 ** (1 - curve.score(cosine) / 10))
