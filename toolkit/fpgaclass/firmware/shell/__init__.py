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

The modules: ``shell_control`` (registers), ``shell_reader`` and ``shell_writer`` (the two halves of the AXI
master), ``shell_issue`` (beats to events, and the credits that keep room for what the core cannot hold
back), ``shell_pack`` (results to beats), ``shell_fifo``.

The stream form, in ``stream/``, has the top module ``krnl_stream``: an AXI4-Stream in (``in_r``, as hls4ml
calls it) and one out (``out_r``), with TKEEP and TLAST, for the two channels of an AXI DMA, and a small
AXI4-Lite slave. It takes the same ``event_core``. ``stream_parameters.svh``, included in the parameter list
of ``krnl_stream``, is::

    parameter integer BEAT_BYTES = 8,   // of a stream's word: 4 or 8, as wide as the DMA
    parameter integer IN_BYTES   = 64,  // slot of an event: a power of two below BEAT_BYTES, or a multiple
    parameter integer OUT_BYTES  = 2,   // slot of a result: as above
    parameter integer LATENCY    = 4    // of the core, 0 or more

- A packet is a run of events; its results leave as one packet. The last beat of a packet may be partly filled
  (TKEEP, from the low bytes on); what is there of an event that is not whole is dropped, and the next packet
  begins with a new event.
- A packet without a whole event gives one beat with TLAST and no byte, so that a receiver ends with length 0.
- Back-pressure may come at any time: an event enters the core only when there is room for its results.
- One stream word a clock: an event takes IN_BYTES / BEAT_BYTES clocks, or OUT_BYTES / BEAT_BYTES if more.
- The registers count events and packets, and take one event without any DMA (see ``stream_control.sv``).
- Reset the kernel with the DMA (its ``prmry_reset_out_n``), so that a reset in the middle of a packet leaves
  nothing behind.

Its modules: ``stream_gather`` (packets to events), ``stream_pack`` (results to packets), ``stream_control``,
and ``shell_fifo``.
"""

__all__: list[str] = []
