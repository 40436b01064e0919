"""What a build costs: cells against the board's totals, pipeline, latency; each says where it comes from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware.board import Resources
from fpgaclass.firmware.checking.deviation import Deviation
from fpgaclass.firmware.network import LayerCost

if TYPE_CHECKING:
    from fpgaclass.core.figure import DescribedFigure

OPEN_SYNTHESIS = "open-synthesis estimate"
PLACE_AND_ROUTE = "place-and-route"
VENDOR = "vendor"
LAYERS = "da4ml's estimate"
KINDS = ("lut", "ff", "dsp", "bram")


@dataclass(frozen=True)
class Report:
    """The cost and timing of a firmware.

    Attributes:
        board: the board's name.
        network: cells of the network alone.
        shell: cells of what is around it (bus, registers, buffers; or the serial port of a Lattice device).
        available: cells of the board's device.
        cells_source: where the cell counts come from.
        pipeline_stages: clocks from an event's edge to its result, inside the network.
        initiation_interval: clocks between two events that the network can take.
        clock_mhz: the kernel's clock, MHz.
        clock_source: where the clock comes from.
        layers: what each layer adds, by da4ml's estimate; synthesis finds less where layers share logic.
        deviation: how far the firmware is from the model that was given, where that was looked at.
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
    layers: tuple[LayerCost, ...] = ()
    deviation: Deviation | None = None

    @property
    def latency_ns(self) -> float:
        """Time through the network's pipeline at the report's clock, ns."""
        return self.pipeline_stages * 1e3 / self.clock_mhz

    def use(self, kind: str) -> float:
        """Return the fraction of the board's ``kind`` of cell (``"lut"``, ``"ff"``...) that is used.

        Raises:
            InvalidInputError: there is no such kind of cell.
        """
        if kind not in KINDS:
            raise InvalidInputError(f"no kind of cell {kind!r}", next_step=f"use one of {', '.join(KINDS)}")
        used: int = getattr(self.network, kind) + getattr(self.shell, kind)
        total: int = getattr(self.available, kind)
        return used / total

    def shortfall(self) -> dict[str, int]:
        """Return kind of cell -> how many the board has too few; empty if the design fits."""
        needed = {kind: getattr(self.network, kind) + getattr(self.shell, kind) for kind in KINDS}
        missing = {kind: count - getattr(self.available, kind) for kind, count in needed.items()}
        return {kind: count for kind, count in missing.items() if count > 0}

    def to_json(self) -> str:
        """Return the report as JSON, latency and the source of the layers' figures included."""
        data = {**asdict(self), "latency_ns": self.latency_ns, "layers_source": LAYERS}
        return json.dumps(data, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what ``to_json`` wrote."""
        data: dict[str, Any] = json.loads(text)
        data.pop("latency_ns")
        data.pop("layers_source", None)
        cells: dict[str, Any] = {key: Resources(**data.pop(key)) for key in ("network", "shell", "available")}
        layers = tuple(LayerCost(**layer) for layer in data.pop("layers"))
        apart = data.pop("deviation", None)
        return cls(**data, **cells, layers=layers, deviation=Deviation(**apart) if apart else None)

    def __str__(self) -> str:
        rows = [f"{'':6} {'network':>9} {'shell':>8} {'board':>10} {'used':>8}   ({self.cells_source})"]
        for kind in KINDS:
            network, shell = getattr(self.network, kind), getattr(self.shell, kind)
            total = getattr(self.available, kind)
            rows.append(f"{kind:6} {network:>9,} {shell:>8,} {total:>10,} {self.use(kind):>8.2%}")
        rows.append(
            f"pipeline {self.pipeline_stages} stages, a new event every {self.initiation_interval} clock, "
            f"{self.latency_ns:.1f} ns at {self.clock_mhz:g} MHz ({self.clock_source})"
        )
        if self.deviation is not None:
            rows.append(str(self.deviation))
        if self.layers:
            width = max(len(layer.layer) for layer in self.layers)
            rows.append(f"{'layer':{width}} {'lut':>8} {'levels':>7}   ({LAYERS})")
            rows += [f"{one.layer:{width}} {one.lut:>8,} {one.levels:>7}" for one in self.layers]
        return "\n".join(rows)

    def plot(self) -> DescribedFigure:
        """Draw the use of each kind of cell as a share of the board, and what each layer adds."""
        from fpgaclass.core.figure import DescribedFigure

        figure = DescribedFigure(figsize=(8.4, 2.8), layout="constrained")
        figure.alt_text = f"Use of the {self.board}'s cells, and the look-up tables of each layer. {self}"
        board, layers = figure.subplots(1, 2, width_ratios=(3, 2))
        names = [kind.upper() for kind in KINDS]
        start = [0.0] * len(KINDS)
        for part, colour in (("network", "#2b6cb0"), ("shell", "#a0aec0")):
            cells = getattr(self, part)
            share = [100 * getattr(cells, kind) / getattr(self.available, kind) for kind in KINDS]
            board.barh(names, share, left=start, color=colour, label=part)
            start = [a + b for a, b in zip(start, share, strict=True)]
        for row, kind in enumerate(KINDS):
            count = getattr(self.network, kind) + getattr(self.shell, kind)
            board.annotate(f" {count:,}", (start[row], row), va="center", fontsize=9)
        board.invert_yaxis()
        board.set_xlim(0, max(0.1, max(start) * 1.25))
        board.set_xlabel(f"share of the {self.board}'s cells (%)\n{self.cells_source}", fontsize=9)
        clock = f"{self.clock_mhz:g} MHz ({self.clock_source})"
        board.set_title(f"{self.pipeline_stages} stages, {self.latency_ns:.0f} ns at {clock}", fontsize=9)
        board.legend(frameon=False, fontsize=9)
        layers.barh([one.layer for one in self.layers], [one.lut for one in self.layers], color="#2b6cb0")
        layers.invert_yaxis()
        layers.set_xlabel(f"LUTs that a layer adds\n{LAYERS}", fontsize=9)
        return figure
