"""The picture of a measurement: the time of a call against its events, and where it goes."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from fpgaclass.core.figure import DescribedFigure

if TYPE_CHECKING:
    from fpgaclass.card.measuring.measurement import Measurement, Timing

PARTS = ("host", "link", "kernel")
_COLOURS = {"host": "#0072B2", "link": "#E69F00", "kernel": "#009E73", "total": "#333333"}
_MARKERS = {"host": "o", "link": "s", "kernel": "^", "total": "D"}


def draw(measurement: Measurement) -> DescribedFigure:
    """Return the figure; its ``alt_text`` says in words what it shows."""
    figure = DescribedFigure(figsize=(9.5, 4.0), layout="constrained")
    figure.alt_text = _alt_text(measurement)
    times, shares = figure.subplots(1, 2, width_ratios=(3, 2))
    events = [timing.events for timing in measurement.timings]
    for part in (*PARTS, "total"):
        label = f"{part} ({measurement.sources[part]})" if part in measurement.sources else part
        values = [getattr(timing, f"{part}_s") * 1e6 for timing in measurement.timings]
        style = {"linestyle": "--" if part == "total" else "-", "marker": _MARKERS[part], "markersize": 5}
        times.plot(events, values, label=label, color=_COLOURS[part], **style)
    if measurement.cpp:
        sizes = [timing.events for timing in measurement.cpp]
        host = [timing.host_s * 1e6 for timing in measurement.cpp]
        style = {"linestyle": ":", "marker": "o", "markersize": 5, "markerfacecolor": "white"}
        times.plot(sizes, host, label="host in C++ (measured)", color=_COLOURS["host"], **style)
    times.set(xscale="log", yscale="log", xlabel="events in a call", ylabel="time of a call (µs)")
    times.grid(which="major", alpha=0.3)
    figure.legend(*times.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    _draw_shares(measurement, shares)
    # A site may have a dollar in its name, and may be long.
    figure.suptitle("\n".join(textwrap.wrap(measurement.caption, 130)), fontsize=9, parse_math=False)
    return figure


def _draw_shares(measurement: Measurement, axes: Any) -> None:
    below = [0.0] * len(measurement.timings)
    for part in PARTS:
        share = [100 * getattr(timing, f"{part}_s") / timing.total_s for timing in measurement.timings]
        axes.bar(range(len(share)), share, bottom=below, color=_COLOURS[part], label=part)
        for position, (height, base) in enumerate(zip(share, below, strict=True)):
            if height > 7:
                middle = base + height / 2
                ink = "black" if part == "link" else "white"
                axes.text(position, middle, f"{height:.0f}", ha="center", va="center", color=ink)
        below = [base + height for base, height in zip(below, share, strict=True)]
    labels = [f"{timing.events:,}" for timing in measurement.timings]
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    axes.set(xlabel="events in a call", ylabel="share of the time (%)", ylim=(0, 100))


def _alt_text(measurement: Measurement) -> str:
    first, last = measurement.timings[0], measurement.timings[-1]
    text = (
        f"Time of a call against its events. {_in_words(first)} {_in_words(last)} "
        f"Throughput goes from {first.events_per_s:,.0f} to {last.events_per_s:,.0f} events per second."
    )
    ratios = measurement.python_over_cpp
    if ratios:
        small, large = min(ratios), max(ratios)
        text += (
            f" The host's part takes {ratios[small]:,.0f} times as long in Python as in C++ with "
            f"{_events(small)} and {ratios[large]:,.1f} times with {_events(large)}."
        )
    return text


def _in_words(timing: Timing) -> str:
    shares = {part: getattr(timing, f"{part}_s") / timing.total_s for part in PARTS}
    largest = max(shares, key=lambda part: shares[part])
    micros = f"{timing.total_s * 1e6:,.0f} µs"
    return f"With {_events(timing.events)} a call takes {micros}, {shares[largest]:.0%} of it {largest}."


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"
