"""Where the time of a call goes, as a table, a plot and JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any

from fpgaclass.card.measuring.predictions import Predictions
from fpgaclass.core import InvalidInputError

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from fpgaclass.core.figure import DescribedFigure

PARTS = ("host", "link", "kernel")
_WORDS = ("measured", "modelled", "simulated", "recorded")
_LARGEST, _SHORTEST_S, _LONGEST_S = 1e15, 1e-12, 1e9


@dataclass(frozen=True)
class Timing:
    """One size of batch.

    Attributes:
        events: in a call.
        host_s: seconds of a call in the host's program: filling and reading the buffers, starting.
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
        timings: by size of batch, from Python with pynq.
        site: where this was run, as its user calls it.
        design: identifies the kernel that ran: two runs of one kernel have the same.
        predictions: what the kernel answered to the largest batch.
        cpp: the same calls from the C++ host; () where it did not run.
        cpp_note: what the C++ host's results were like, or why it did not run.

    Example:
        >>> m = Measurement("virtual0", "krnl_rtl_1", 200.0, "PCIe", dict.fromkeys(PARTS, "modelled"),
        ...                 (Timing(100, 1e-5, 2e-5, 1e-5),), cpp=(Timing(100, 1e-6, 2e-5, 1e-5),))
        >>> round(m.timings[0].events_per_s)
        2500000
        >>> m.python_over_cpp
        {100: 10.0}
    """

    device: str
    kernel: str
    clock_mhz: float | None
    link: str
    sources: Mapping[str, str]
    timings: tuple[Timing, ...]
    site: str = ""
    design: str = ""
    predictions: Predictions | None = None
    cpp: tuple[Timing, ...] = ()
    cpp_note: str = ""

    @property
    def python_over_cpp(self) -> dict[int, float]:
        """The host's time in Python over that in C++, by size of batch."""
        by_events = {timing.events: timing for timing in self.cpp}
        return {
            timing.events: round(timing.host_s / by_events[timing.events].host_s, 2)
            for timing in self.timings
            if timing.events in by_events and by_events[timing.events].host_s > 0
        }

    def to_json(self) -> str:
        """Return all figures as JSON, in seconds."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Measurement:
        """Read what ``to_json`` wrote, in this version or another: what a newer one adds is left out.

        Raises:
            InvalidInputError: it is something else.
        """
        try:
            data = _fields(cls, json.loads(text))
            predictions = data.pop("predictions", None)
            timings = tuple(_timing(timing) for timing in data.pop("timings"))
            cpp = tuple(_timing(timing) for timing in data.pop("cpp", ()))
            made = cls(
                timings=timings,
                cpp=cpp,
                predictions=Predictions(**_fields(Predictions, predictions)) if predictions else None,
                **data,
            )
            made._check()
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise InvalidInputError(f"this is not the JSON of a Measurement ({error})") from error
        return made

    def _check(self) -> None:
        texts = ("device", "kernel", "link", "site", "design", "cpp_note")
        wrong = [name for name in texts if not _is_line(getattr(self, name))]
        if not isinstance(self.sources, dict):
            raise ValueError("sources: not what it should be")
        wrong += [part for part in PARTS if self.sources[part] not in _WORDS]
        if self.clock_mhz is not None and not _is_number(self.clock_mhz):
            wrong.append("clock_mhz")
        if wrong or not self.timings:
            raise ValueError(f"{', '.join(wrong) or 'timings'}: not what it should be")
        for timings in (self.timings, self.cpp):
            if len({timing.events for timing in timings}) != len(timings):
                raise ValueError("a size of batch stands there twice")
        if self.predictions is not None:
            self.predictions.kept()

    @property
    def caption(self) -> str:
        """What was run where, and where the figures come from."""
        clock = f" at {self.clock_mhz:g} MHz" if self.clock_mhz else ""
        parts = ", ".join(f"{part} {self.sources[part]}" for part in PARTS)
        site = f"{self.site}: " if self.site else ""
        return f"{site}{self.kernel}{clock} on {self.device}, {self.link}: {parts}"

    def __rich__(self) -> Group:
        """Return the table for a terminal, of 80 columns for batches of up to 100,000 events."""
        table = plain_table()
        for heading in self._headings():
            table.add_column(heading, justify="right", no_wrap=True)
        for row in self._rows():
            table.add_row(*row)
        return with_words(self.caption, table, self.cpp_note)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{escape(one).replace(chr(10), '<br>')}</th>" for one in self._headings())
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._rows()
        )
        note = f"<p>{escape(self.cpp_note)}</p>" if self.cpp_note else ""
        return f"<table><caption>{escape(self.caption)}</caption><tr>{heads}</tr>{rows}</table>{note}"

    def _headings(self) -> list[str]:
        split = [f"{part} µs\n{self.sources[part]}" for part in PARTS]
        both = ["C++ host\nµs\nmeasured", "Python\n/ C++"] if self.cpp else []
        return ["events", *split, "cycles", "total µs", "events/s", *both]

    def _rows(self) -> list[list[str]]:
        cpp = {timing.events: timing for timing in self.cpp}
        ratios = self.python_over_cpp
        rows = []
        for timing in self.timings:
            row = [
                f"{timing.events:,}",
                *(f"{getattr(timing, f'{part}_s') * 1e6:,.1f}" for part in PARTS),
                "" if timing.kernel_cycles is None else f"{timing.kernel_cycles:,}",
                f"{timing.total_s * 1e6:,.1f}",
                f"{timing.events_per_s:,.0f}",
            ]
            if self.cpp:
                other, ratio = cpp.get(timing.events), ratios.get(timing.events)
                row.append(f"{other.host_s * 1e6:,.1f}" if other else "")
                row.append(f"{ratio:,.1f}" if ratio else "")
            rows.append(row)
        return rows

    def plot(self) -> DescribedFigure:
        """Draw the time of a call and its shares against the events in it.

        Returns:
            A matplotlib figure; its ``alt_text`` says in words what it shows.
        """
        from fpgaclass.card.measuring.measurement_plot import draw

        return draw(self)


def plain_table() -> Table:
    """Return an empty table without lines between its columns, so that many fit a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0))


def with_words(above: str, table: Table, below: str) -> Group:
    """Return a table between two texts, which may be wider than it is."""
    from rich.console import Group
    from rich.text import Text

    return Group(Text(above), table, *([Text(below)] if below else []))


def as_text(shown: Any) -> str:
    """Return what a terminal wide enough for all of it would show."""
    from rich.console import Console

    text = io.StringIO()
    # In a notebook rich would show it at once as HTML, and ipykernel asks for colours.
    Console(file=text, width=130, force_jupyter=False, color_system=None).print(shown)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def ordered(timings: Sequence[Timing]) -> tuple[Timing, ...]:
    """Return timings by size of batch."""
    return tuple(sorted(timings, key=lambda timing: timing.events))


def _fields(kind: type[Any], data: object) -> dict[str, Any]:
    """Return those entries of a JSON object that a dataclass has."""
    if not isinstance(data, dict):
        raise ValueError(f"{type(data).__name__} in place of an object")
    return {field.name: data[field.name] for field in fields(kind) if field.name in data}


def _timing(data: object) -> Timing:
    """Read a timing; a negative or endless time would draw nonsense, and a part left out tell untruths."""
    known = _fields(Timing, data)
    if isinstance(data, dict) and len(known) != len(data):
        unknown = ", ".join(sorted(set(data) - set(known)))
        raise ValueError(f"a timing has {unknown}, of which this version knows nothing: update fpgaclass")
    timing = Timing(**known)
    values = {field.name: getattr(timing, field.name) for field in fields(timing)}
    cycles = values.pop("kernel_cycles")
    for name, value in {**values, "kernel_cycles": 0 if cycles is None else cycles}.items():
        if not _is_number(value) or (name in ("events", "kernel_cycles") and not isinstance(value, int)):
            raise ValueError(f"{name} is {value!r}")
    if timing.events < 1 or not _SHORTEST_S < timing.total_s < _LONGEST_S:
        raise ValueError(f"{timing.events} events in {timing.total_s} s: a call has events and takes time")
    return timing


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and 0 <= value < _LARGEST


def _is_line(text: object) -> bool:
    return isinstance(text, str) and text.isprintable()
