"""What the vendor's tools say of a design: their reports, read into ours.

Written after the tools' documentation and public examples of these reports (AMD UG906, UG1393, UG1399).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from fpgaclass.core import FirmwareError
from fpgaclass.firmware.board import Resources

_NEXT = "see whether the tools ended well, and run the project again"


@dataclass(frozen=True)
class Instance:
    """A row of Vivado's hierarchical utilisation.

    Attributes:
        name: of the instance.
        module: that it is of.
        depth: below the top.
        cells: with all that is inside it.
    """

    name: str
    module: str
    depth: int
    cells: Resources


@dataclass(frozen=True)
class HlsEstimate:
    """What high-level synthesis expects of hls4ml's C++: an estimate, before any logic synthesis.

    Attributes:
        cells: estimated.
        latency_cycles: of one event.
        interval_cycles: between two events.
        clock_ns: the period that it expects to reach.
    """

    cells: Resources
    latency_cycles: int
    interval_cycles: int
    clock_ns: float


def read_utilization(path: Path) -> list[Instance]:
    """Read ``report_utilization -hierarchical``.

    Raises:
        FirmwareError: the file is missing, or has no such table.
    """
    rows = []
    for row, cells in _table(path, "Instance", "Module"):
        module = row["Module"].strip()
        half = _number(row.get("RAMB18", "0"))
        resources = Resources(
            lut=int(_number(row["Total LUTs"])),
            ff=int(_number(row["FFs"])),
            dsp=int(_number(row.get("DSP Blocks", row.get("DSP48 Blocks", row.get("DSPs", "0"))))),
            bram=int(-(-(2 * _number(row.get("RAMB36", "0")) + half) // 2)),
        )
        name = row["Instance"].strip()
        # "(top)" repeats a row with what is in it but in no instance of it.
        if not name.startswith("("):
            rows.append(Instance(name, module, (len(cells[0]) - len(cells[0].lstrip()) - 1) // 2, resources))
    return rows


def split_kernel(rows: list[Instance], kernel: str, network: str) -> tuple[Resources, Resources | None]:
    """Return what the kernel takes in all, and the network inside it (None where it was dissolved).

    Vivado prefixes module names when it synthesises an IP on its own: the end of the name counts.

    Raises:
        FirmwareError: the kernel is not in the table.
    """
    found = [row for row in rows if _is_module(row.module, kernel)]
    if not found:
        raise FirmwareError(f"no instance of {kernel} in the utilisation report", next_step=_NEXT)
    top = max(found, key=lambda row: (row.cells.lut, -row.depth))
    inside = _below(rows, top)
    cores = [row for row in inside if _is_module(row.module, network)]
    return top.cells, max(cores, key=lambda row: row.cells.lut).cells if cores else None


def read_kernel_utilization(path: Path) -> Mapping[str, Resources]:
    """Read v++'s ``kernel_util_routed.rpt``: name of a kernel or compute unit -> what it takes.

    Raises:
        FirmwareError: the file is missing, or has no such table.
    """
    return {
        row["Name"].strip(): Resources(
            lut=int(_number(row["LUT"])),
            ff=int(_number(row["REG"])),
            dsp=int(_number(row["DSP"])),
            bram=int(-(-_number(row["BRAM"]) // 1)),
        )
        for row, _ in _table(path, "Name", "LUTAsMem")
    }


def read_worst_slack(path: Path) -> float:
    """Read the worst negative slack (ns) of all clocks from ``report_timing_summary``; negative: not closed.

    Raises:
        FirmwareError: the file is missing, or has no such line.
    """
    lines = _text(path).splitlines()
    for index, line in enumerate(lines):
        if re.match(r"\s*WNS\(ns\)\s+TNS\(ns\)", line):
            for later in lines[index + 1 : index + 4]:
                first = later.split()[:1]
                if first and re.fullmatch(r"-?\d+\.\d+", first[0]):
                    return float(first[0])
    raise _not_there("timing summary", path)


def read_csynth(path: Path) -> HlsEstimate:
    """Read high-level synthesis' ``csynth.xml``.

    Raises:
        FirmwareError: the file is missing or not one.
    """
    try:
        root = ElementTree.fromstring(_text(path))
        timing, area = root.find("PerformanceEstimates"), root.find("AreaEstimates/Resources")
        if timing is None or area is None:
            raise _not_there("performance and area estimates", path)
        latency = "SummaryOfOverallLatency/"
        return HlsEstimate(
            Resources(
                lut=int(area.findtext("LUT", "0")),
                ff=int(area.findtext("FF", "0")),
                dsp=int(area.findtext("DSP", "0")),
                bram=-(-int(area.findtext("BRAM_18K", "0")) // 2),
            ),
            int(timing.findtext(latency + "Worst-caseLatency", "")),
            int(timing.findtext(latency + "Interval-max", "")),
            float(timing.findtext("SummaryOfTimingAnalysis/EstimatedClockPeriod", "")),
        )
    except (ElementTree.ParseError, ValueError) as bad:
        raise _not_there(f"synthesis report ({bad})", path) from bad


def _below(rows: list[Instance], top: Instance) -> list[Instance]:
    inside = []
    for row in rows[rows.index(top) + 1 :]:
        if row.depth <= top.depth:
            break
        inside.append(row)
    return inside


def _is_module(module: str, name: str) -> bool:
    return re.fullmatch(rf"(.*_)?{re.escape(name)}(__\w+|_\d+)?", module) is not None


def _table(path: Path, *heads: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield the rows of the first table that has these columns: as column -> text, and as they are."""
    columns: list[str] = []
    for line in _text(path).splitlines():
        cells = line.strip().strip("|").split("|")
        if not columns:
            names = [cell.strip() for cell in cells]
            if all(head in names for head in heads):
                columns = names
        elif len(cells) == len(columns):
            yield dict(zip(columns, cells, strict=True)), cells
        elif not line.strip().startswith("+"):
            return
    if not columns:
        raise _not_there(f"table with {' and '.join(heads)}", path)


def _number(text: str) -> float:
    """Read ``1,234``, ``12 (0.3%)`` or ``69389 [  7.01%]``."""
    match = re.match(r"\s*([\d,]+(\.\d+)?)", text)
    return float(match[1].replace(",", "")) if match else 0.0


def _text(path: Path) -> str:
    if not path.is_file():
        raise FirmwareError("the tools left no such report", where=str(path), next_step=_NEXT)
    return path.read_text(errors="replace")


def _not_there(what: str, path: Path) -> FirmwareError:
    return FirmwareError(f"there is no {what} in the report", where=str(path), next_step=_NEXT)
