"""What a build costs: cells against the board's totals, pipeline, latency; each says where it comes from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fpgaclass.firmware.board import Board, Resources

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPEN_SYNTHESIS = "open-synthesis estimate"


@dataclass(frozen=True)
class Report:
    """The cost and timing of a firmware.

    Attributes:
        board: the board's name.
        network: cells of the network alone.
        shell: cells of the kernel shell around it (bus, registers, buffers).
        available: cells of the board's device.
        cells_source: where the cell counts come from.
        pipeline_stages: clocks from an event's edge to its result, inside the network.
        initiation_interval: clocks between two events that the network can take.
        clock_mhz: the kernel's clock, MHz.
        clock_source: where the clock comes from.
    """

    board: str
    network: Resources
    shell: Resources
    available: Resources
    cells_source: str
    pipeline_stages: int
    initiation_interval: int
    clock_mhz: float
    clock_source: str

    @property
    def latency_ns(self) -> float:
        """Time through the network's pipeline at the report's clock, ns."""
        return self.pipeline_stages * 1e3 / self.clock_mhz

    def use(self, kind: str) -> float:
        """Return the fraction of the board's ``kind`` of cell (``"lut"``, ``"ff"``...) that is used."""
        used: int = getattr(self.network, kind) + getattr(self.shell, kind)
        total: int = getattr(self.available, kind)
        return used / total

    def to_json(self) -> str:
        """Return the report as JSON, latency included."""
        return json.dumps({**asdict(self), "latency_ns": self.latency_ns}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what ``to_json`` wrote."""
        data: dict[str, Any] = json.loads(text)
        data.pop("latency_ns")
        cells: dict[str, Any] = {key: Resources(**data.pop(key)) for key in ("network", "shell", "available")}
        return cls(**data, **cells)

    def __str__(self) -> str:
        rows = [f"{'':6} {'network':>9} {'shell':>8} {'board':>10} {'used':>8}   ({self.cells_source})"]
        for kind in ("lut", "ff", "dsp", "bram"):
            network, shell = getattr(self.network, kind), getattr(self.shell, kind)
            total = getattr(self.available, kind)
            rows.append(f"{kind:6} {network:>9,} {shell:>8,} {total:>10,} {self.use(kind):>8.2%}")
        rows.append(
            f"pipeline {self.pipeline_stages} stages, a new event every {self.initiation_interval} clock, "
            f"{self.latency_ns:.1f} ns at {self.clock_mhz:g} MHz ({self.clock_source})"
        )
        return "\n".join(rows)

    def plot(self) -> Figure:
        """Draw the use of each kind of cell: network and shell as a share of the board, in per cent."""
        from matplotlib.figure import Figure

        kinds = ("lut", "ff", "dsp", "bram")
        figure = Figure(figsize=(6.4, 2.6), layout="constrained")
        axes = figure.subplots()
        start = [0.0] * len(kinds)
        for part, colour in (("network", "#2b6cb0"), ("shell", "#a0aec0")):
            cells = getattr(self, part)
            share = [100 * getattr(cells, kind) / getattr(self.available, kind) for kind in kinds]
            axes.barh([kind.upper() for kind in kinds], share, left=start, color=colour, label=part)
            start = [a + b for a, b in zip(start, share, strict=True)]
        for row, kind in enumerate(kinds):
            count = getattr(self.network, kind) + getattr(self.shell, kind)
            axes.annotate(f" {count:,}", (start[row], row), va="center", fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(0, max(0.1, max(start) * 1.25))
        axes.set_xlabel(f"share of the {self.board}'s cells (%), {self.cells_source}")
        clock = f"{self.clock_mhz:g} MHz ({self.clock_source})"
        axes.set_title(f"{self.pipeline_stages} stages, {self.latency_ns:.0f} ns at {clock}", fontsize=9)
        axes.legend(frameon=False, fontsize=9)
        return figure


def make_report(board: Board, network: Resources, shell: Resources, stages: int) -> Report:
    """Put an open-synthesis report together."""
    return Report(
        board=board.name,
        network=network,
        shell=shell,
        available=board.resources,
        cells_source=OPEN_SYNTHESIS,
        pipeline_stages=stages,
        initiation_interval=1,
        clock_mhz=board.clock_mhz,
        clock_source="estimate",
    )
