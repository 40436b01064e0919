"""Where the time of a call goes, as a table, a plot and JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from fpgaclass.core import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

PARTS = ("host", "link", "kernel")
_COLOURS = {"host": "#0072B2", "link": "#E69F00", "kernel": "#009E73", "total": "#333333"}
_MARKERS = {"host": "o", "link": "s", "kernel": "^", "total": "D"}


@dataclass(frozen=True)
class Timing:
    """One size of batch.

    Attributes:
        events: in a call.
        host_s: seconds of a call in Python, numpy and pynq: filling and reading the buffers, starting.
        link_s: seconds between host and card: transfers, register accesses, launch.
        kernel_s: seconds in the kernel.
        kernel_cycles: clocks in the kernel, exact; None on a real card, which does not tell.
    """

    events: int
    host_s: float
    link_s: float
    kernel_s: float
    kernel_cycles: int | None = None

    @property
    def total_s(self) -> float:
        """Seconds of a call."""
        return self.host_s + self.link_s + self.kernel_s

    @property
    def events_per_s(self) -> float:
        """Throughput of one call after the other."""
        return self.events / self.total_s


@dataclass(frozen=True)
class Measurement:
    """The time of calls of several sizes, split into host, link and kernel.

    Attributes:
        device: the card's tag and name.
        kernel: the compute unit.
        clock_mhz: of the kernel; None where it is not known.
        link: what the link is, or is modelled as.
        sources: for ``host``, ``link`` and ``kernel``: measured, modelled or simulated.
        timings: by size of batch.

    Example:
        >>> m = Measurement("virtual0", "krnl_rtl_1", 200.0, "PCIe", dict.fromkeys(PARTS, "modelled"),
        ...                 (Timing(100, 1e-5, 2e-5, 1e-5),))
        >>> round(m.timings[0].events_per_s)
        2500000
    """

    device: str
    kernel: str
    clock_mhz: float | None
    link: str
    sources: Mapping[str, str]
    timings: tuple[Timing, ...]

    def to_json(self) -> str:
        """Return all figures as JSON, in seconds."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Measurement:
        """Read what ``to_json`` wrote.

        Raises:
            InvalidInputError: it is something else.
        """
        try:
            fields = json.loads(text)
            timings = tuple(Timing(**timing) for timing in fields.pop("timings"))
            return cls(timings=timings, **fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"this is not the JSON of a Measurement ({error})") from error

    @property
    def caption(self) -> str:
        """What was run where, and where the figures come from."""
        clock = f" at {self.clock_mhz:g} MHz" if self.clock_mhz else ""
        parts = ", ".join(f"{part} {self.sources[part]}" for part in PARTS)
        return f"{self.kernel}{clock} on {self.device}, {self.link}: {parts}"

    def __rich__(self) -> Table:
        """Return the table for a terminal."""
        from rich.table import Table

        table = Table(title=self.caption, title_justify="left")
        for heading in self._headings():
            table.add_column(heading, justify="right")
        for row in self._rows():
            table.add_row(*row)
        return table

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=110).print(self)
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{escape(heading)}</th>" for heading in self._headings())
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._rows()
        )
        return f"<table><caption>{escape(self.caption)}</caption><tr>{heads}</tr>{rows}</table>"

    def _headings(self) -> list[str]:
        split = [f"{part} µs ({self.sources[part]})" for part in PARTS]
        return ["events", *split, "cycles", "total µs", "events/s"]

    def _rows(self) -> list[list[str]]:
        return [
            [
                f"{timing.events:,}",
                *(f"{getattr(timing, f'{part}_s') * 1e6:,.1f}" for part in PARTS),
                "" if timing.kernel_cycles is None else f"{timing.kernel_cycles:,}",
                f"{timing.total_s * 1e6:,.1f}",
                f"{timing.events_per_s:,.0f}",
            ]
            for timing in self.timings
        ]

    def plot(self) -> Figure:
        """Draw the time of a call and its shares against the events in it.

        Returns:
            A matplotlib figure; its ``alt_text`` says in words what it shows.
        """
        from fpgaclass.core.figure import DescribedFigure

        figure = DescribedFigure(figsize=(9.5, 4.0), layout="constrained")
        figure.alt_text = self._alt_text()
        times, shares = figure.subplots(1, 2, width_ratios=(3, 2))
        events = [timing.events for timing in self.timings]
        for part in (*PARTS, "total"):
            label = f"{part} ({self.sources[part]})" if part in self.sources else part
            values = [getattr(timing, f"{part}_s") * 1e6 for timing in self.timings]
            style = {"linestyle": "--" if part == "total" else "-", "marker": _MARKERS[part], "markersize": 5}
            times.plot(events, values, label=label, color=_COLOURS[part], **style)
        times.set(xscale="log", yscale="log", xlabel="events in a call", ylabel="time of a call (µs)")
        times.grid(which="major", alpha=0.3)
        times.legend(frameon=False)
        self._draw_shares(shares)
        figure.suptitle(self.caption, fontsize=9)
        return figure

    def _draw_shares(self, axes: Any) -> None:
        below = [0.0] * len(self.timings)
        for part in PARTS:
            share = [100 * getattr(timing, f"{part}_s") / timing.total_s for timing in self.timings]
            axes.bar(range(len(share)), share, bottom=below, color=_COLOURS[part], label=part)
            for position, (height, base) in enumerate(zip(share, below, strict=True)):
                if height > 7:
                    middle = base + height / 2
                    ink = "black" if part == "link" else "white"
                    axes.text(position, middle, f"{height:.0f}", ha="center", va="center", color=ink)
            below = [base + height for base, height in zip(below, share, strict=True)]
        labels = [f"{timing.events:,}" for timing in self.timings]
        axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        axes.set(xlabel="events in a call", ylabel="share of the time (%)", ylim=(0, 100))

    def _alt_text(self) -> str:
        first, last = self.timings[0], self.timings[-1]
        return (
            f"Time of a call against its events. {_in_words(first)} {_in_words(last)} "
            f"Throughput goes from {first.events_per_s:,.0f} to {last.events_per_s:,.0f} events per second."
        )


def _in_words(timing: Timing) -> str:
    shares = {part: getattr(timing, f"{part}_s") / timing.total_s for part in PARTS}
    largest = max(shares, key=lambda part: shares[part])
    events = "1 event" if timing.events == 1 else f"{timing.events:,} events"
    micros = f"{timing.total_s * 1e6:,.0f} µs"
    return f"With {events} a call takes {micros}, {shares[largest]:.0%} of it {largest}."


def ordered(timings: Sequence[Timing]) -> tuple[Timing, ...]:
    """Return timings by size of batch."""
    return tuple(sorted(timings, key=lambda timing: timing.events))
