"""The kernel around a network: our shell, with hls4ml's register map, as a design that a card can run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from fpgaclass.card import Argument, KernelDesign
from fpgaclass.core import atomic_directory, cache_directory, digest_of
from fpgaclass.firmware.board import Board, Resources
from fpgaclass.firmware.network import Network, NetworkRtl
from fpgaclass.firmware.synthesis import CELLS, count_cells, synthesise, yosys_version

KERNEL = "krnl_rtl"
_SHELL = Path(__file__).parent / "shell"


def shell_sources(network: Network, stages: int) -> dict[str, str]:
    """Return the shell's files and the parameters that fit it to a network."""
    sources = {path.name: path.read_text() for path in sorted(_SHELL.glob("*.*v"))}
    sources["shell_parameters.svh"] = (
        f"localparam int WORD_BYTES = {network.inputs.word_bits // 8};\n"
        f"localparam int IN_BYTES = {network.inputs.slot_bytes};\n"
        f"localparam int OUT_BYTES = {network.outputs.slot_bytes};\n"
        f"localparam int LATENCY = {stages};\n"
    )
    return sources


def make_design(
    network: Network, rtl: NetworkRtl, board: Board, about: Mapping[str, str | int | float]
) -> KernelDesign:
    """Put shell and network together under hls4ml's register map for Alveo cards."""
    bank = board.banks[0].tag if board.banks else "memory"
    return KernelDesign(
        name=KERNEL,
        sources={**rtl.sources, **shell_sources(network, rtl.stages)},
        arguments=(
            Argument("fifo_in", "int*", 0x10, bank),
            Argument("fifo_out", "int*", 0x1C, bank),
            Argument("length_r_in", "uint", 0x28),
            Argument("length_r_out", "uint", 0x30),
        ),
        clock_mhz=board.clock_mhz,
        about={
            **about,
            "words_in": network.inputs.slot_words,
            "words_out": network.outputs.slot_words,
            "dtype": network.inputs.dtype.name,
        },
    )


def shell_resources(network: Network, stages: int, family: str) -> Resources:
    """Count the shell's cells without the network (open-synthesis estimate), once for each shell."""
    sources = shell_sources(network, stages)
    sources["event_core.v"] = _BLACK_BOX.format(
        high_in=network.inputs.slot_bytes * 8 - 1, high_out=network.outputs.slot_bytes * 8 - 1
    )
    parts = [part for item in sorted(sources.items()) for part in item]
    folder = cache_directory("shells") / digest_of(yosys_version(), family, *parts)
    if not folder.is_dir():
        with atomic_directory(folder) as scratch:
            synthesise(sources, KERNEL, family, scratch)
    return count_cells(json.loads((folder / CELLS).read_text()))


_BLACK_BOX = """(* blackbox *)
module event_core (input wire clk, input wire [{high_in}:0] event_in, output wire [{high_out}:0] event_out);
endmodule
"""
