"""The kernel around a network: our shell, in the form that a card or a board takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from fpgaclass.card import Argument, KernelDesign
from fpgaclass.core import atomic_directory, cache_directory, digest_of
from fpgaclass.firmware.board import Board, Resources
from fpgaclass.firmware.network import Network, NetworkRtl
from fpgaclass.firmware.synthesis import CELLS, count_cells, synthesise, yosys_version

KERNELS = {"memory": "krnl_rtl", "stream": "krnl_stream"}
# Of the DMA on Zynq boards: what their memory ports move in a clock.
_STREAM_BYTES = 8
_SHELL = Path(__file__).parent / "shell"


def interface_of(board: Board) -> str:
    """Return how a board's kernel is fed: ``"stream"`` by a DMA (Zynq), else ``"memory"``."""
    return "stream" if board.form == "zynq" else "memory"


def shell_sources(network: Network, stages: int, interface: str = "memory") -> dict[str, str]:
    """Return the shell's files and the parameters that fit it to a network."""
    slots = {"IN_BYTES": network.inputs.slot_bytes, "OUT_BYTES": network.outputs.slot_bytes}
    if interface == "stream":
        parameters = {"BEAT_BYTES": _STREAM_BYTES, **slots, "LATENCY": stages}
        text = ",\n".join(f"parameter integer {name} = {value}" for name, value in parameters.items())
        files = [*sorted((_SHELL / "stream").glob("*.sv")), _SHELL / "shell_fifo.sv"]
        return {path.name: path.read_text() for path in files} | {"stream_parameters.svh": f"{text}\n"}
    parameters = {"WORD_BYTES": network.inputs.word_bits // 8, **slots, "LATENCY": stages}
    text = "".join(f"localparam int {name} = {value};\n" for name, value in parameters.items())
    files = sorted(_SHELL.glob("*.*v"))
    return {path.name: path.read_text() for path in files} | {"shell_parameters.svh": text}


def make_design(
    network: Network, rtl: NetworkRtl, board: Board, about: Mapping[str, str | int | float]
) -> KernelDesign:
    """Put shell and network together: hls4ml's register map on cards, streams for a DMA on Zynq boards."""
    interface = interface_of(board)
    bank = board.banks[0].tag if board.banks else "memory"
    arguments = (
        Argument("fifo_in", "int*", 0x10, bank),
        Argument("fifo_out", "int*", 0x1C, bank),
        Argument("length_r_in", "uint", 0x28),
        Argument("length_r_out", "uint", 0x30),
    )
    return KernelDesign(
        name=KERNELS[interface],
        sources={**rtl.sources, **shell_sources(network, rtl.stages, interface)},
        arguments=arguments if interface == "memory" else (),
        clock_mhz=board.clock_mhz,
        about={
            **about,
            "words_in": network.inputs.slot_words,
            "words_out": network.outputs.slot_words,
            "dtype": network.inputs.dtype.name,
            **({"beat_bytes": _STREAM_BYTES} if interface == "stream" else {}),
        },
        interface=interface,
    )


def shell_resources(network: Network, stages: int, board: Board) -> Resources:
    """Count the shell's cells without the network (open-synthesis estimate), once for each shell."""
    interface = interface_of(board)
    sources = shell_sources(network, stages, interface)
    sources["event_core.v"] = _BLACK_BOX.format(
        high_in=network.inputs.slot_bytes * 8 - 1, high_out=network.outputs.slot_bytes * 8 - 1
    )
    parts = [part for item in sorted(sources.items()) for part in item]
    folder = cache_directory("shells") / digest_of(yosys_version(), board.family, *parts)
    if not folder.is_dir():
        with atomic_directory(folder) as scratch:
            synthesise(sources, KERNELS[interface], board.family, scratch)
    return count_cells(json.loads((folder / CELLS).read_text()))


_BLACK_BOX = """(* blackbox *)
module event_core (input wire clk, input wire [{high_in}:0] event_in, output wire [{high_out}:0] event_out);
endmodule
"""
