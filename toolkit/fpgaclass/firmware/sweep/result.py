"""What a sweep found: its table, its picture, the points that no other beats, and the best for a budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fpgaclass.core import FirmwareError, InvalidInputError
from fpgaclass.firmware.board import Board
from fpgaclass.firmware.sweep.point import ERROR_FILE, SearchPoint

if TYPE_CHECKING:
    from fpgaclass.core.figure import DescribedFigure

SOURCE = "estimate by da4ml, before synthesis"


@dataclass(frozen=True)
class Budget:
    """What a point may cost, and what the sweep may take; None sets no limit.

    Attributes:
        lut: look-up tables of the network; without it the board's own number is the limit.
        latency_ns: time through the network's pipeline, ns.
        points: only the first so many settings are looked at.
        seconds: after which no further point is begun; those that run are finished.

    Raises:
        InvalidInputError: a limit is not positive.
    """

    lut: int | None = None
    latency_ns: float | None = None
    points: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, limit in asdict(self).items():
            if limit is None:
                continue
            kinds, what = ((int,), "whole number") if name in ("lut", "points") else ((int, float), "number")
            if isinstance(limit, bool) or not isinstance(limit, kinds) or not limit > 0:
                raise InvalidInputError(
                    f"the budget's {name} is {limit!r}", next_step=f"use a positive {what}, or leave it out"
                )

    def __str__(self) -> str:
        limits = []
        if self.lut is not None:
            limits.append(f"at most {self.lut:,} LUT")
        if self.latency_ns is not None:
            limits.append(f"at most {self.latency_ns:g} ns")
        return " and ".join(limits) or "what the board holds"


@dataclass(frozen=True)
class Search:
    """The points of a sweep; print it for the table.

    Attributes:
        points: in the order of the settings, failed ones included.
        board: that the costs were estimated for.
        budget: that ``search`` was given.
        lower_is_better: whether a smaller score is a better one.
        left_out: settings that the budget of points or seconds left no room for.
    """

    points: tuple[SearchPoint, ...]
    board: Board
    budget: Budget
    lower_is_better: bool = True
    left_out: int = 0

    @property
    def pareto(self) -> tuple[SearchPoint, ...]:
        """The points of which no other has a better score for as few LUTs; cheapest first."""
        front: list[SearchPoint] = []
        for point in sorted(self._done(), key=lambda one: (one.lut, self._cost(one))):
            if not front or self._cost(point) < self._cost(front[-1]):
                front.append(point)
        return tuple(front)

    def best(self, budget: Budget | None = None) -> SearchPoint:
        """Return the point of the best score within a budget; of equal scores the one of fewest LUTs.

        Args:
            budget: its ``lut`` and ``latency_ns`` count; the search's own if left out.

        Raises:
            FirmwareError: no point fits; names the smallest.
        """
        limits = self.budget if budget is None else budget
        fitting = [point for point in self._done() if self._fits(point, limits)]
        if fitting:
            return min(fitting, key=lambda one: (self._cost(one), one.lut))
        smallest = min(self._done(), key=lambda one: one.lut, default=None)
        if smallest is None:
            raise FirmwareError(
                f"{_all(self.points)} failed", next_step="see what went wrong in what the search prints"
            )
        raise FirmwareError(
            f"no point needs {limits} ({self.board.name}); the smallest needs {smallest.lut:,} LUT and "
            f"{smallest.latency_ns:.0f} ns (estimate)",
            next_step="add settings of fewer bits, such as a larger beta or smaller widths",
        )

    def to_json(self) -> str:
        """Return all points, which of them are on the Pareto front, and the board and budget, as JSON."""
        front = self.pareto
        points = [
            {**asdict(point), "folder": str(point.folder), "pareto": point in front} for point in self.points
        ]
        whole = {
            "board": self.board.name,
            "clock_mhz": self.board.clock_mhz,
            "source": SOURCE,
            "lower_is_better": self.lower_is_better,
            "budget": asdict(self.budget),
            "left_out": self.left_out,
            "points": points,
        }
        return json.dumps(whole, indent=2)

    def __str__(self) -> str:
        done, front = sorted(self._done(), key=lambda one: one.lut), self.pareto
        names = list(dict.fromkeys(name for point in done for name in point.setting))
        heads = ["", *names, "score", "LUT", "stages", "ns", ""]
        rows = [
            [
                "*" if point in front else "",
                *(setting_value(point.setting.get(name, "")) for name in names),
                f"{point.score:.4g}",
                f"{point.lut:,}",
                str(point.stages),
                f"{point.latency_ns:.1f}",
                "" if self._fits(point, self.budget) else "beyond the budget",
            ]
            for point in done
        ]
        widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(len(heads))]
        lines = [
            f"search for {self.board.title} at {self.board.clock_mhz:g} MHz: {counted(len(done), 'point')} "
            f"(LUTs, stages and ns: {SOURCE})",
            *("  ".join(map(str.rjust, row, widths)).rstrip() for row in [heads, *rows]),
            f"*  Pareto: no other point has a {'lower' if self.lower_is_better else 'higher'} score "
            f"for as few LUTs. Budget: {self.budget}.",
        ]
        failed = [point for point in self.points if point.error]
        lines += [f"failed: {setting_words(p.setting)}: {p.error}{_traceback(p)}" for p in failed]
        if any(map(_traceback, failed)):
            lines.append("A failed point stays so: remove its folder to try it again.")
        if self.left_out:
            were = "was" if self.left_out == 1 else "were"
            left_out = f"{counted(self.left_out, 'setting')} {were} left out"
            lines.append(f"{left_out}: the budget of points or seconds was spent")
        return "\n".join(lines)

    def plot(self, score_label: str = "score") -> DescribedFigure:
        """Draw score against LUTs, the latency as colour, the Pareto front as a line.

        Args:
            score_label: of the axis, such as ``"sigma68 of pT, 10 to 40 GeV"``.

        Raises:
            FirmwareError: no point was finished.
        """
        from matplotlib.ticker import LogLocator, NullFormatter

        from fpgaclass.core.figure import DescribedFigure

        done, front = self._done(), self.pareto
        if not done:
            raise FirmwareError("there is no finished point to draw", next_step="print the search")
        figure = DescribedFigure(figsize=(7.0, 4.5), layout="constrained")
        figure.alt_text = f"{score_label} against look-up tables, coloured by latency. {self}"
        axes = figure.subplots()
        axes.plot(
            [p.lut for p in front],
            [p.score for p in front],
            drawstyle="steps-post",
            color="0.6",
            zorder=1,
            label="Pareto front",
        )
        dots = axes.scatter(
            [p.lut for p in done],
            [p.score for p in done],
            c=[p.latency_ns for p in done],
            cmap="viridis",
            edgecolors="black",
            linewidths=[1.6 if p in front else 0.4 for p in done],
            s=60,
            zorder=2,
        )
        if self.budget.lut is not None:
            axes.axvline(self.budget.lut, ls="--", color="#D55E00", label=f"budget: {self.budget.lut:,} LUT")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"LUTs of the network ({SOURCE})")
        axes.set_ylabel(score_label)
        bar = figure.colorbar(dots, ax=axes)
        bar.set_label(f"latency (ns) at {self.board.clock_mhz:g} MHz (estimate)")
        axes.set_title(f"{self.board.title}: {counted(len(done), 'point')}", fontsize=10)
        axes.legend(frameon=False, fontsize=9)
        return figure

    def _done(self) -> list[SearchPoint]:
        return [point for point in self.points if not point.error]

    def _cost(self, point: SearchPoint) -> float:
        return point.score if self.lower_is_better else -point.score

    def _fits(self, point: SearchPoint, limits: Budget) -> bool:
        lut = self.board.resources.lut if limits.lut is None else limits.lut
        return point.lut <= lut and (limits.latency_ns is None or point.latency_ns <= limits.latency_ns)


def counted(number: int, thing: str) -> str:
    """Return a number of things in words: ``1 point``, ``2 points``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def _all(points: tuple[SearchPoint, ...]) -> str:
    return "the only point" if len(points) == 1 else f"all {len(points)} points"


def _traceback(point: SearchPoint) -> str:
    """Say where the whole of a failed point's error is, if it was kept."""
    path = point.folder / ERROR_FILE
    return f" (in full: {path})" if path.is_file() else ""


def setting_words(setting: Mapping[str, Any]) -> str:
    """Return a setting as a person writes it: ``beta=1e-06 width=32``."""
    return " ".join(f"{name}={setting_value(value)}" for name, value in setting.items())


def setting_value(value: Any) -> str:
    """Return one value of a setting as short text: ``1e-06``, ``32-16``."""
    if isinstance(value, list):
        return "-".join(map(setting_value, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
