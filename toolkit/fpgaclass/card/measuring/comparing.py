"""Runs of one kernel at different places, side by side: latency, throughput, agreement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpgaclass.card.measuring.measurement import PARTS, Measurement, Timing, as_text, plain_table, with_words
from fpgaclass.core import InvalidInputError

if TYPE_CHECKING:
    from rich.console import Group, JustifyMethod

    from fpgaclass.core.figure import DescribedFigure

_LARGEST = 64 << 20


@dataclass(frozen=True)
class Agreement:
    """How the predictions of a run compare with those of the first.

    Attributes:
        run: its label.
        same_kernel: whether both ran one kernel; None where a run does not say.
        events: how many were compared.
        first_difference: index of the first event that differs, or None. 1,024 also stands for "later".
        note: why they could not be compared, or empty.
    """

    run: str
    same_kernel: bool | None
    events: int
    first_difference: int | None
    note: str = ""

    def __str__(self) -> str:
        if self.note:
            return f"{self.run}: predictions cannot be compared: {self.note}"
        kernel = {True: "the same kernel", False: "another kernel", None: "a kernel that is not named"}
        if self.first_difference is None:
            found = f"the same predictions of {self.events:,} event{'' if self.events == 1 else 's'}"
        else:
            found = f"other predictions, first of event {self.first_difference:,}"
        return f"{self.run}: {kernel[self.same_kernel]}, {found}"


@dataclass(frozen=True)
class Row:
    """One size of batch in one run from one host.

    Attributes:
        events: in a call.
        run: its label.
        host: ``"Python"`` or ``"C++"``.
        latency_s: seconds of a call.
        events_per_s: throughput of one call after the other.
        relative: latency over that of the first run from the same host, or None.
        sources: where the figures of host, link and kernel come from.
    """

    events: int
    run: str
    host: str
    latency_s: float
    events_per_s: float
    relative: float | None
    sources: str


@dataclass(frozen=True)
class Comparison:
    """Runs by label, in the order given; all else is made of them."""

    runs: Mapping[str, Measurement]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Return a row for each size of batch, run and host."""
        found = []
        sizes = sorted({timing.events for run in self.runs.values() for timing in run.timings})
        for size in sizes:
            base: dict[str, float] = {}  # of the first run, where it has this size
            for position, (label, run) in enumerate(self.runs.items()):
                for host, timings in _hosts(run):
                    timing = next((one for one in timings if one.events == size), None)
                    if timing is None:
                        continue
                    relative = timing.total_s / base[host] if host in base else None
                    if position == 0:
                        base[host] = timing.total_s
                    figures = (timing.total_s, timing.events_per_s, relative)
                    found.append(Row(size, label, host, *figures, _sources(run)))
        return tuple(found)

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """Compare the predictions of each run with those of the first."""
        first, *others = self.runs
        return tuple(_agree(self.runs[first], other, self.runs[other]) for other in others)

    @property
    def agree(self) -> bool:
        """Whether every run was compared and none differs."""
        return all(one.first_difference is None and not one.note for one in self.agreements)

    def to_json(self) -> str:
        """Return rows and agreements as JSON, in seconds."""
        rows, agreements = map(asdict, self.rows), map(asdict, self.agreements)
        return json.dumps({"rows": list(rows), "agreement": list(agreements), "agree": self.agree}, indent=1)

    def __rich__(self) -> Group:
        """Return the table for a terminal."""
        from rich.text import Text

        first, rows = next(iter(self.runs)), self.rows
        table = plain_table()
        for name in ("events", "run", "host", "latency µs", "events/s", f"latency /\n{first}"):
            side: JustifyMethod = "left" if name in ("run", "host") else "right"
            narrow = name == "run" or name.startswith("latency /")
            table.add_column(Text(name), justify=side, overflow="fold", no_wrap=not narrow)
        for row, after in zip(rows, [*rows[1:], None], strict=True):
            table.add_row(
                f"{row.events:,}",
                Text(row.run),
                row.host,
                f"{row.latency_s * 1e6:,.1f}",
                f"{row.events_per_s:,.0f}",
                "" if row.relative is None else f"{row.relative:.2f}",
                end_section=after is None or after.events != row.events,
            )
        notes = [f"{label}: {_sources(run)}" for label, run in self.runs.items()]
        notes += map(str, self.agreements)
        return with_words("latency and throughput of calls", table, "\n".join(notes))

    def __str__(self) -> str:
        return as_text(self)

    def plot(self) -> DescribedFigure:
        """Draw latency and throughput of all runs against the events of a call.

        Returns:
            A matplotlib figure; its ``alt_text`` says in words what it shows. Dashed: not all measured.
        """
        from fpgaclass.card.measuring.comparing_plot import draw

        return draw(self)


def compare(runs: Mapping[str, Measurement] | Sequence[Measurement]) -> Comparison:
    """Put measurements side by side.

    Args:
        runs: label to measurement; of a sequence the sites, or the devices, are the labels.

    Raises:
        InvalidInputError: there is nothing to compare with.

    Example:
        >>> print(compare([here, there]))  # doctest: +SKIP
    """
    if not isinstance(runs, Mapping):
        runs = _labelled([(run.site or run.device, run) for run in runs])
    if len(runs) < 2:
        raise InvalidInputError("two runs or more are compared")
    return Comparison(dict(runs))


def read_runs(files: Sequence[str | Path]) -> dict[str, Measurement]:
    """Read measurements, labelled with their sites or, where these are missing, with the names of the files.

    Raises:
        InvalidInputError: a file cannot be read or is something else; it is named.
    """
    found = []
    for file in map(Path, files):
        try:
            if file.stat().st_size > _LARGEST:
                raise InvalidInputError("this is too large for a Measurement", where=str(file))
            run = Measurement.from_json(file.read_text())
        except OSError as error:
            raise InvalidInputError(f"a run cannot be read: {error.strerror}", where=str(file)) from error
        except ValueError as error:
            if isinstance(error, InvalidInputError) and error.where:
                raise
            what = error.what if isinstance(error, InvalidInputError) else "this is not text"
            next_step = "make it with `fpgaclass card measure --out`, or Measurement.to_json()"
            raise InvalidInputError(what, where=str(file), next_step=next_step) from error
        found.append((run.site or file.stem, run))
    return _labelled(found)


def _labelled(runs: Sequence[tuple[str, Measurement]]) -> dict[str, Measurement]:
    labels: dict[str, Measurement] = {}
    for name, run in runs:
        label, count = name, 1
        while label in labels:
            count += 1
            label = f"{name} ({count})"
        labels[label] = run
    return labels


def _hosts(run: Measurement) -> list[tuple[str, tuple[Timing, ...]]]:
    return [("Python", run.timings), *([("C++", run.cpp)] if run.cpp else [])]


def _sources(run: Measurement) -> str:
    words = {run.sources[part] for part in PARTS}
    if len(words) == 1:
        return f"all {words.pop()}"
    return ", ".join(f"{part} {run.sources[part]}" for part in PARTS)


def _agree(first: Measurement, label: str, other: Measurement) -> Agreement:
    same = first.design == other.design if first.design and other.design else None
    if first.predictions is None or other.predictions is None:
        return Agreement(label, same, 0, None, "a run has none")
    events = min(first.predictions.events, other.predictions.events)
    try:
        difference: Any = first.predictions.first_difference(other.predictions)
    except InvalidInputError as error:
        return Agreement(label, same, 0, None, error.what)
    if first.predictions.events != other.predictions.events:
        events = min(events, len(first.predictions.kept()), len(other.predictions.kept()))
    return Agreement(label, same, events, difference)
