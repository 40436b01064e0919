"""The plots a trigger physicist expects, each with axes, units and a description.

Every function returns a matplotlib ``Figure`` that shows itself in a notebook when it is the last line of
a cell, and is saved with ``figure.savefig(...)``. Its ``alt_text`` says in words what the picture shows;
Jupyter puts it beside the picture, for those who cannot see it. ``subplots`` makes such a figure for plots
of your own. Colours stay apart for colour-blind eyes (Okabe and Ito), and markers differ as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaclass.core import InvalidInputError
from fpgaclass.muon.performance import Resolution
from fpgaclass.muon.trigger import Rate, TurnOn

if TYPE_CHECKING:
    from fpgaclass.core.figure import DescribedFigure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Line colours in order."""
_MARKERS = ("o", "s", "^", "D", "v", "P")


def subplots(
    alt_text: str,
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] = (7.0, 4.5),
    source: str = "simulated",
    **options: Any,
) -> tuple[DescribedFigure, Any]:
    """Make a figure with axes, as ``matplotlib.pyplot.subplots`` does, that carries a description.

    Args:
        alt_text: what the picture shows, in words.
        rows, columns: of axes.
        size: width and height in inches.
        source: where the data come from, written above the right corner: simulated,
            measured, modelled or recorded.
        options: further arguments of ``Figure.subplots`` (not ``squeeze``).

    Returns:
        The figure, and its axes (one, or an array of them).

    Example:
        >>> figure, axes = subplots("A histogram of pT, falling.")
        >>> _ = axes.set_xlabel("pT (GeV)")
    """
    from fpgaclass.core.figure import DescribedFigure

    if not alt_text.strip():
        raise InvalidInputError("a figure needs a description: say in words what it shows")
    figure = DescribedFigure(figsize=size, layout="constrained")
    figure.alt_text = alt_text
    axes = figure.subplots(rows, columns, **options)
    corner = np.asarray(axes, dtype=object).reshape(rows, columns)[0, -1]
    corner.set_title(source, loc="right", fontsize=8, style="italic", color="0.45")
    return figure, axes


def plot_resolution(results: Mapping[str, Resolution], title: str = "") -> DescribedFigure:
    """Plot sigma68 and bias against true pT, one line an algorithm.

    Args:
        results: name of the algorithm -> its ``resolution``.
        title: above the plot.

    Raises:
        InvalidInputError: nothing to plot.
    """
    _refuse_empty(results)
    words = [
        f"{name}: {np.nanmin(r.sigma68):.3f} to {np.nanmax(r.sigma68):.3f}" for name, r in results.items()
    ]
    figure, (top, bottom) = subplots(
        "Two panels against true pT. Above, sigma68 of the relative pT error, by algorithm: "
        + "; ".join(words)
        + ". Below, its bias (median).",
        rows=2,
        size=(7.0, 6.0),
        sharex=True,
        gridspec_kw={"height_ratios": (2, 1)},
    )
    for (name, r), style in zip(results.items(), _styles(len(results)), strict=True):
        half = (r.centres - r.edges[:-1], r.edges[1:] - r.centres)
        top.errorbar(r.centres, r.sigma68, xerr=half, yerr=r.sigma68_error, label=name, **style)
        bottom.errorbar(r.centres, r.bias, xerr=half, yerr=r.bias_error, **style)
    top.set_ylabel(r"$\sigma_{68}$ of $(p_T^{reco} - p_T)\,/\,p_T$")
    top.set_ylim(bottom=0)
    top.legend()
    bottom.set_ylabel("bias (median)")
    bottom.axhline(0, color="0.5", linewidth=0.8)
    bottom.set_xlabel(r"true $p_T$ (GeV)")
    _finish(title, top, bottom)
    return figure


def plot_turn_on(curves: Mapping[str, TurnOn], title: str = "") -> DescribedFigure:
    """Plot efficiency against true pT with Clopper-Pearson errors, one curve an algorithm.

    Args:
        curves: name of the algorithm -> its ``turn_on``.
        title: above the plot.

    Raises:
        InvalidInputError: nothing to plot.
    """
    _refuse_empty(curves)
    first = next(iter(curves.values()))
    figure, axes = subplots(
        f"Efficiency against true pT for a threshold of {first.threshold:g} GeV: from 0 at low pT it rises "
        f"through {first.plateau:.0%} at the threshold to a plateau. Algorithms: {', '.join(curves)}."
    )
    for (name, c), style in zip(curves.items(), _styles(len(curves)), strict=True):
        there = c.total > 0
        error = np.array((c.efficiency - c.low, c.high - c.efficiency))[:, there]
        label = f"{name} (cut {c.cut:.1f} GeV)"
        axes.errorbar(c.centres[there], c.efficiency[there], yerr=error, label=label, **style)
    axes.axhline(first.plateau, color="0.5", linewidth=0.8, linestyle=":")
    axes.axvline(first.threshold, color="0.5", linewidth=0.8, linestyle=":")
    axes.set_ylim(0, 1.05)
    axes.set_xlabel(r"true $p_T$ (GeV)")
    axes.set_ylabel("efficiency")
    axes.legend(loc="lower right")
    _finish(title, axes)
    return figure


def plot_rate(rates: Mapping[str, Rate], title: str = "") -> DescribedFigure:
    """Plot the relative rate against the threshold, with that of a perfect measurement.

    Args:
        rates: name of the algorithm -> its ``rate``.
        title: above the plot.

    Raises:
        InvalidInputError: nothing to plot.
    """
    _refuse_empty(rates)
    first = next(iter(rates.values()))
    figure, axes = subplots(
        "Relative trigger rate against threshold, on a logarithmic scale, falling. Algorithms: "
        f"{', '.join(rates)}; dashed, a perfect measurement."
    )
    for (name, r), style in zip(rates.items(), _styles(len(rates)), strict=True):
        axes.errorbar(r.thresholds, r.rate, yerr=r.error, label=name, **style)
    axes.plot(first.thresholds, first.ideal, color="0.3", linestyle="--", label="perfect measurement")
    axes.set_yscale("log")
    axes.set_xlabel(f"threshold (GeV), where the efficiency is {first.plateau:.0%}")
    axes.set_ylabel("rate / rate of all muons")
    axes.legend()
    _finish(title, axes)
    return figure


def _styles(n: int) -> list[dict[str, Any]]:
    return [
        {
            "color": COLOURS[i % len(COLOURS)],
            "marker": _MARKERS[i % len(_MARKERS)],
            "markersize": 4,
            "linewidth": 1.2,
            "capsize": 2,
        }
        for i in range(n)
    ]


def _refuse_empty(results: Mapping[str, Any]) -> None:
    if not isinstance(results, Mapping) or not results:
        raise InvalidInputError('there is nothing to plot; give {"name": result, ...}')


def _finish(title: str, *axes: Any) -> None:
    for one in axes:
        one.grid(alpha=0.3)
    if title:
        axes[0].set_title(title)
