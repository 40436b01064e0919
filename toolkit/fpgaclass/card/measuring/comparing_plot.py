"""The picture of a comparison: one curve for each run and host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fpgaclass.core.figure import DescribedFigure

if TYPE_CHECKING:
    from fpgaclass.card.measuring.comparing import Comparison, Row

# Okabe and Ito's colours, which people with any colour vision tell apart; markers say the same again.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^v<>"
_LONGEST = 40


def draw(comparison: Comparison) -> DescribedFigure:
    """Return the figure; its ``alt_text`` says in words what it shows."""
    rows = comparison.rows
    figure = DescribedFigure(figsize=(9.5, 4.4), layout="constrained")
    figure.alt_text = _alt_text(comparison, rows)
    latency, throughput = figure.subplots(1, 2)
    for position, label in enumerate(comparison.runs):
        for host in ("Python", "C++"):
            curve = [row for row in rows if (row.run, row.host) == (label, host)]
            if not curve:
                continue
            style: dict[str, Any] = {
                "color": _COLOURS[position % len(_COLOURS)],
                "marker": _MARKERS[position % len(_MARKERS)],
                "linestyle": "-" if curve[0].sources == "all measured" else "--",
                "markerfacecolor": None if host == "Python" else "white",
                "label": f"{shorten(label)}, {host}\n{curve[0].sources}",
                "markersize": 5,
            }
            events = [row.events for row in curve]
            latency.plot(events, [row.latency_s * 1e6 for row in curve], **style)
            throughput.plot(events, [row.events_per_s for row in curve], **style)
    for axes, name in ((latency, "time of a call (µs)"), (throughput, "events per second")):
        axes.set(xscale="log", yscale="log", xlabel="events in a call", ylabel=name)
        axes.grid(which="major", alpha=0.3)
    handles, labels = latency.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a site may have a dollar in its name
    return figure


def shorten(label: str) -> str:
    """Cut a name that would not fit into a picture."""
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"


def _alt_text(comparison: Comparison, rows: tuple[Row, ...]) -> str:
    sentences = ["Latency and throughput of runs at different places."]
    for label in comparison.runs:
        mine = [row for row in rows if row.run == label and row.host == "Python"]
        first, last = mine[0], mine[-1]
        sentences.append(
            f"{label} ({first.sources}): {first.latency_s * 1e6:,.0f} µs with {first.events:,} in a call, "
            f"{last.events_per_s:,.0f} events per second with {last.events:,}."
        )
    return " ".join([*sentences, *(f"{agreement}." for agreement in comparison.agreements)])
