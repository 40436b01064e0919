"""The kernel around a network: our shell, in the form that a card or a board takes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from fpgaclass.card import Argument, KernelDesign
from fpgaclass.core import InvalidInputError, atomic_directory, cache_directory, digest_of
from fpgaclass.firmware.board import Board, Resources
from fpgaclass.firmware.network import Network, NetworkRtl
from fpgaclass.firmware.shell import FloatWords, memory_sources, stream_sources
from fpgaclass.firmware.synthesis import CELLS, count_cells, synthesise, yosys_version

KERNELS = {"memory": "krnl_rtl", "stream": "krnl_stream"}
# Of the DMA on Zynq boards: what their memory ports move in a clock, or one float.
_STREAM_BYTES, _FLOAT_BYTES = 8, 4
_MOST_FRACTION = 64


def interface_of(board: Board) -> str:
    """Return how a board's kernel is fed: ``"stream"`` by a DMA (Zynq), else ``"memory"``."""
    return "stream" if board.form == "zynq" else "memory"


def fit_to(board: Board, network: Network) -> Network:
    """Return the network with the words that a board's buffers hold."""
    if board.words != "float":
        return network
    inputs, outputs = (dataclasses.replace(side, floats=True) for side in (network.inputs, network.outputs))
    return dataclasses.replace(network, inputs=inputs, outputs=outputs)


def shell_sources(network: Network, stages: int, interface: str = "memory") -> dict[str, str]:
    """Return the shell's files and the parameters that fit it to a network."""
    slots = (network.inputs.core_bytes, network.outputs.core_bytes)
    if interface == "stream":
        return stream_sources(_beat_bytes(network), *slots, stages, _float_words(network))
    return memory_sources(network.inputs.word_bits // 8, *slots, stages)


def _beat_bytes(network: Network) -> int:
    return _FLOAT_BYTES if network.inputs.floats else _STREAM_BYTES


def _float_words(network: Network) -> FloatWords | None:
    """Return what the shell needs to convert floats, if they are what the buffers hold."""
    inputs, outputs = network.inputs, network.outputs
    if not inputs.floats:
        return None
    far = max(abs(field.fraction) for field in (*inputs.fields, *outputs.fields))
    if far > _MOST_FRACTION:
        raise InvalidInputError(
            f"a value's last bit is at 2**{far} or 2**-{far}: too far for the kernel to convert floats",
            next_step="give a board file with words = 'fixed'",
        )
    return FloatWords(
        inputs.word_bits // 8,
        [field.fraction for field in inputs.fields],
        [field.fraction for field in outputs.fields],
        [bool(field.sign) for field in outputs.fields],
    )


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
            **({"beat_bytes": _beat_bytes(network)} if interface == "stream" else {}),
        },
        interface=interface,
    )


def shell_resources(network: Network, stages: int, board: Board) -> Resources:
    """Count the shell's cells without the network (open-synthesis estimate), once for each shell."""
    interface = interface_of(board)
    sources = shell_sources(network, stages, interface)
    sources["event_core.v"] = _BLACK_BOX.format(
        high_in=network.inputs.core_bytes * 8 - 1, high_out=network.outputs.core_bytes * 8 - 1
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
