"""The picture of waveforms: levels for single bits, labelled boxes for words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fpgaclass.core import InvalidInputError
from fpgaclass.core.figure import DescribedFigure

if TYPE_CHECKING:
    from fpgaclass.card.waves.waveform import Signal, Waveform

_HANDSHAKES = ("ARVALID", "ARREADY", "RVALID", "RREADY", "AWVALID", "AWREADY", "WVALID", "WREADY", "BVALID")
_STREAM = ("TVALID", "TREADY", "TDATA", "TLAST")
_DEFAULT = (
    *("ap_start", "ap_done", *(f"m_axi_gmem_{name}" for name in _HANDSHAKES), "m_axi_gmem_ARADDR"),
    *(f"{port}_{name}" for port in ("in_r", "out_r") for name in _STREAM),
)
_INK, _WORD, _UNKNOWN = "#0072B2", "#E69F00", "#CC79A7"
_MOST_CHANGES = 5000
_LETTER = 0.011  # of the width of the picture


def draw(waveform: Waveform, names: Sequence[str], first_s: float, last_s: float) -> DescribedFigure:
    """Return the figure; its ``alt_text`` says in words what it shows."""
    if not last_s > first_s:
        raise InvalidInputError(f"nothing lies between {first_s} s and {last_s} s")
    signals = [waveform.find(name) for name in names] or _known(waveform)
    figure = DescribedFigure(figsize=(9.5, 0.9 + 0.3 * len(signals)), layout="constrained")
    axes = figure.subplots()
    for row, signal in enumerate(signals):
        base = -float(row)
        edges, values = _stretches(signal, first_s, last_s)
        micros = [edge * 1e6 for edge in edges]
        if signal.width == 1:
            levels = [base + 0.65 * (value or 0) for value in values]
            axes.step(micros, [*levels, levels[-1]], where="post", color=_INK, linewidth=1.2)
        else:
            _draw_words(axes, base, micros, values, signal.width)
    names_shown = [signal.name.removeprefix("kernel.") for signal in signals]
    axes.set_yticks([0.3 - row for row in range(len(signals))], names_shown, fontsize=8)
    axes.set(
        xlim=(first_s * 1e6, last_s * 1e6), ylim=(-len(signals) + 0.7, 1.0), xlabel="time (µs, simulated)"
    )
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.3)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    figure.alt_text = _alt_text(signals, first_s, last_s)
    return figure


def _known(waveform: Waveform) -> list[Signal]:
    """Return what one wants to see of a kernel, or the first signals of any other file."""
    found = [waveform.signals[f"kernel.{name}"] for name in _DEFAULT if f"kernel.{name}" in waveform.signals]
    return found or list(waveform.signals.values())[:12]


def _stretches(signal: Signal, first_s: float, last_s: float) -> tuple[list[float], list[int | None]]:
    """Return the edges of the stretches in which a signal is constant, and its values in them."""
    edges, values = [first_s], [signal.at(first_s)]
    for time, value in zip(signal.times, signal.values, strict=True):
        if first_s < time < last_s and value != values[-1]:
            edges.append(time)
            values.append(value)
        if len(edges) > _MOST_CHANGES:
            what = f"{signal.name} changes more than {_MOST_CHANGES:,} times: too much for one picture"
            raise InvalidInputError(what, next_step="draw a shorter stretch with first_s and last_s")
    return [*edges, last_s], values


def _draw_words(axes: Any, base: float, edges: list[float], values: list[int | None], width: int) -> None:
    whole = edges[-1] - edges[0]
    for begin, end, value in zip(edges, edges[1:], values, strict=False):
        colour = _UNKNOWN if value is None else _WORD
        box = {"facecolor": colour, "alpha": 0.35, "edgecolor": "#333333", "linewidth": 0.6}
        axes.fill_between([begin, end], base, base + 0.65, **box)
        text = "?" if value is None else f"{value:x}"
        if len(text) * _LETTER * whole < end - begin and width <= 64:
            middle = (begin + end) / 2
            axes.text(middle, base + 0.3, text, ha="center", va="center", fontsize=7)


def _alt_text(signals: Sequence[Signal], first_s: float, last_s: float) -> str:
    parts = []
    for signal in signals:
        rises = sum(
            1
            for time, value in zip(signal.times, signal.values, strict=True)
            if first_s <= time <= last_s and value
        )
        name = signal.name.removeprefix("kernel.")
        verb = f"goes high {rises} times" if signal.width == 1 else f"takes {rises} values above 0"
        parts.append(f"{name} {verb}")
    length = (last_s - first_s) * 1e6
    return f"Waveforms over {length:.3g} µs of simulated time: {', '.join(parts)}."
