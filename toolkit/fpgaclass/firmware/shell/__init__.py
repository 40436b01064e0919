"""The kernel shell: our own SystemVerilog between AXI and a network's core.

One source serves the virtual card, the C++ host and the vendor flow. It has two forms: on a memory, for
cards, and between two streams, for Zynq boards (below). On a memory, the top module is ``krnl_rtl``; its
ports are those of a Vitis RTL kernel (AXI4-Lite ``s_axi_control``, one 512-bit AXI4 master ``m_axi_gmem``)
and its registers those of hls4ml's Alveo kernel: ``fifo_in`` at 0x10 and ``fifo_out`` at 0x1c (64 bits each),
``length_in`` at 0x28 and ``length_out`` at 0x30 (in words), ``ap_ctrl_hs`` at 0x0.

Two files come from whoever makes the network:

``shell_parameters.svh``, included in the body of ``krnl_rtl``::

    localparam int WORD_BYTES = 2;   // of a word of length_in and length_out: 1, 2 or 4
    localparam int IN_BYTES   = 64;  // slot of an event: a power of two up to 64, then a multiple of 64
    localparam int OUT_BYTES  = 2;   // slot of a result: as above
    localparam int LATENCY    = 4;   // of the core, 0 or more

``event_core``, which takes one slot a clock, never stalls and needs no reset::

    module event_core (
        input  wire                   clk,
        input  wire [8*IN_BYTES-1:0]  event_in,
        output wire [8*OUT_BYTES-1:0] event_out
    );

The slot that is sampled at clock edge k has its result on ``event_out`` from edge k + LATENCY to the next: a
core of N + 1 registers in a row has LATENCY = N. Slots are little-endian: the first word of an event is in
the low bits.

What a run does:

- Events are ``length_in * WORD_BYTES / IN_BYTES``, rounded down. Results are written one after the other, at
  most ``length_out * WORD_BYTES`` bytes; the bytes after them are not touched. A ``length_out`` beyond the
  results writes all of them and no more; a smaller one stops the run as soon as it is filled (inputs beyond
  what is needed may be read and are dropped). With nothing to do the run ends at once.
- Whole beats of 64 bytes are read: up to 63 bytes around the input are read and not used. Writes use strobes.
- Addresses are multiples of the slot, or of 64 for larger slots. Lower address bits are ignored, so that a
  buffer of numpy's that is cut between events works, and any other address is rounded down.
- ``ap_done`` comes after the last write response. Bus errors do not hang a run; its results are then
  meaningless, and it is for the system (the virtual card, XRT) to raise them.
- An event that fits a beat takes one clock, a larger one a clock per beat. Reads and writes overlap, bursts
  have up to 64 beats and never cross 4 KB.

The modules: ``shell_control`` (registers) on ``shell_lite`` (their handshakes), ``shell_reader`` and
``shell_writer`` (the two halves of the AXI master), ``shell_issue`` (beats to events, and the credits that
keep room for what the core cannot hold back), ``shell_pack`` (results to beats), ``shell_fifo``.

The stream form, in ``stream/``, has the top module ``krnl_stream``: an AXI4-Stream in (``in_r``, as hls4ml
calls it) and one out (``out_r``), with TKEEP and TLAST, for the two channels of an AXI DMA, and a small
AXI4-Lite slave. It takes the same ``event_core``. ``stream_parameters.svh``, included in the parameter list
of ``krnl_stream``, is::

    parameter integer BEAT_BYTES = 8,   // of a stream's word: 4 or 8, as wide as the DMA
    parameter integer IN_BYTES   = 64,  // slot of an event in the core: a power of two below BEAT_BYTES, or
                                        // a multiple
    parameter integer OUT_BYTES  = 2,   // slot of a result: as above
    parameter integer LATENCY    = 4,   // of the core, 0 or more
    parameter integer FLOATS     = 0,   // 1: the streams carry floats, which are converted (below)
    parameter integer WORD_BYTES = 2,   // of the core's words, with FLOATS: 1, 2 or 4
    parameter [215:0] IN_FRACTIONS = 0, // with FLOATS: 8 bits for each word of an event, signed
    parameter [7:0] OUT_FRACTIONS = 0,  // the same of a result, -64 to 64
    parameter [0:0] OUT_SIGNED = 0      // and whether it is signed

- A packet is a run of events; its results leave as one packet. The last beat of a packet may be partly filled
  (TKEEP, from the low bytes on); what is there of an event that is not whole is dropped, and the next packet
  begins with a new event.
- A packet without a whole event gives one beat with TLAST and no byte, so that a receiver ends with length 0.
- Back-pressure may come at any time: an event enters the core only when there is room for its results.
- One stream word a clock: an event takes IN_BYTES / BEAT_BYTES clocks, or OUT_BYTES / BEAT_BYTES if more.
- With FLOATS, BEAT_BYTES is 4 and a beat is one value: IEEE 754 floats, converted as hls4ml's wrapper does it
  for ``float`` interfaces, cut to the fraction and wrapped. An event takes as many clocks as it has values.
  Slots may then be any number of words.
- The registers count events and packets, and take one event without any DMA (see ``stream_control.sv``).
- Reset the kernel with the DMA (its ``prmry_reset_out_n``), so that a reset in the middle of a packet leaves
  nothing behind.

Its modules: ``stream_gather`` (packets to events), ``stream_pack`` (results to packets), ``stream_fixed`` and
``stream_float`` (the two conversions), ``stream_control``, and the shell's ``shell_fifo`` and ``shell_lite``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FloatWords", "memory_sources", "stream_sources"]

_FOLDER = Path(__file__).parent
_SHARED = ("shell_fifo.sv", "shell_lite.sv")


@dataclass(frozen=True)
class FloatWords:
    """What the stream form needs to convert floats.

    Attributes:
        word_bytes: of the core's words: 1, 2 or 4.
        in_fractions: fraction bits of each value of an event.
        out_fractions: of each value of a result, -64 to 64.
        out_signed: whether that value is signed.
    """

    word_bytes: int
    in_fractions: Sequence[int]
    out_fractions: Sequence[int]
    out_signed: Sequence[bool]


def memory_sources(word_bytes: int, in_bytes: int, out_bytes: int, latency: int) -> dict[str, str]:
    """Return the files of the form on a memory (name -> text), fitted to a core."""
    parameters = {"WORD_BYTES": word_bytes, "IN_BYTES": in_bytes, "OUT_BYTES": out_bytes, "LATENCY": latency}
    text = "".join(f"localparam int {name} = {value};\n" for name, value in parameters.items())
    return _read(sorted(_FOLDER.glob("*.sv"))) | {"shell_parameters.svh": text}


def stream_sources(
    beat_bytes: int, in_bytes: int, out_bytes: int, latency: int, floats: FloatWords | None = None
) -> dict[str, str]:
    """Return the files of the stream form (name -> text), fitted to a core; with ``floats`` it converts."""
    words = floats or FloatWords(1, (0,), (0,), (False,))
    numbers = {
        "BEAT_BYTES": beat_bytes,
        "IN_BYTES": in_bytes,
        "OUT_BYTES": out_bytes,
        "LATENCY": latency,
        "FLOATS": int(floats is not None),
        "WORD_BYTES": words.word_bytes,
    }
    signed = "".join(str(int(bit)) for bit in reversed(words.out_signed))
    lines = [
        *(f"integer {name} = {value}" for name, value in numbers.items()),
        _bytes("IN_FRACTIONS", words.in_fractions),
        _bytes("OUT_FRACTIONS", words.out_fractions),
        f"[{len(signed) - 1}:0] OUT_SIGNED = {len(signed)}'b{signed}",
    ]
    text = ",\n".join(f"parameter {line}" for line in lines) + "\n"
    files = [*sorted((_FOLDER / "stream").glob("*.sv")), *(_FOLDER / name for name in _SHARED)]
    return _read(files) | {"stream_parameters.svh": text}


def _bytes(name: str, values: Sequence[int]) -> str:
    packed = bytes(value & 0xFF for value in reversed(values)).hex()
    return f"[{8 * len(values) - 1}:0] {name} = {8 * len(values)}'h{packed}"


def _read(files: Sequence[Path]) -> dict[str, str]:
    return {path.name: path.read_text() for path in files}
