"""hls4ml 1.3's own Alveo kernel around a core of ours, so that both kernels run the same network.

Its RTL is read from the installed hls4ml package. It leaves two modules to the vendor's tools: the network,
here an adapter that gathers the words of an event for ``event_core`` and hands on its result, and a FIFO
macro, written here. The kernel moves one 32-bit word a clock and asks for each read burst twice (with two
IDs, of which it drops the data of one), as it does on a card.

Loaded by path from the benchmark.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

_SOURCES = "templates/vivado_accelerator/alveo/krnl_rtl_src"


def kernel_sources(
    core: Mapping[str, str], inputs: int, word: int, in_bytes: int, latency: int
) -> dict[str, str]:
    """Return the files of the kernel around a core.

    Args:
        core: ``event_core`` and what it needs, with a result of one word.
        inputs: words of an event.
        word: bytes of a word in the core.
        in_bytes: of a slot of the core.
        latency: of the core, in clocks.
    """
    package = importlib.util.find_spec("hls4ml")
    assert package is not None
    folder = Path(str(package.origin)).parent / _SOURCES
    kernel = {path.name: path.read_text() for path in folder.iterdir() if path.name.startswith("krnl")}
    adapter = (
        _ADAPTER.replace("INPUTS", str(inputs))
        .replace("WORD_BITS", str(8 * word))
        .replace("IN_BITS", str(8 * in_bytes))
        .replace("LATENCY", str(latency))
    )
    return {**core, **dict(sorted(kernel.items())), "adapter.v": adapter, "fifo.sv": _FIFO}


# A result takes the place of the one before only when that is gone; an event of some words and more clocks
# than the core has stages never waits for it.
_ADAPTER = """
module myproject_axi_0 (
    input wire ap_clk, ap_rst_n, in_r_TVALID, in_r_TLAST, out_r_TREADY,
    output wire in_r_TREADY, output reg out_r_TVALID,
    input wire [31:0] in_r_TDATA, output reg [31:0] out_r_TDATA
);
    reg [15:0] position;
    reg [IN_BITS-1:0] slot;
    reg [LATENCY+1:0] travels;
    wire [WORD_BITS-1:0] result;
    wire last = position == INPUTS - 1;
    wire takes = in_r_TVALID && in_r_TREADY;
    assign in_r_TREADY = !(last && (travels != 0 || (out_r_TVALID && !out_r_TREADY)));
    event_core core (.clk(ap_clk), .event_in(slot), .event_out(result));
    always @(posedge ap_clk) begin
        if (!ap_rst_n) begin
            position <= 0;
            slot <= 0;
            travels <= 0;
            out_r_TVALID <= 0;
        end else begin
            travels <= {travels[LATENCY:0], takes && last};
            if (takes) begin
                slot[WORD_BITS * position +: WORD_BITS] <= in_r_TDATA[WORD_BITS-1:0];
                position <= last ? 16'd0 : position + 16'd1;
            end
            if (out_r_TREADY) out_r_TVALID <= 0;
            if (travels[LATENCY+1]) begin
                out_r_TVALID <= 1;
                out_r_TDATA <= 32'($signed(result));
            end
        end
    end
endmodule
"""

_FIFO = """
module xpm_fifo_sync #(
    parameter FIFO_MEMORY_TYPE = "", parameter ECC_MODE = "", parameter READ_MODE = "",
    parameter DOUT_RESET_VALUE = "", parameter integer FIFO_WRITE_DEPTH = 16, WRITE_DATA_WIDTH = 32,
    READ_DATA_WIDTH = 32, WR_DATA_COUNT_WIDTH = 5, RD_DATA_COUNT_WIDTH = 5, PROG_FULL_THRESH = 10,
    PROG_EMPTY_THRESH = 10, FULL_RESET_VALUE = 1, FIFO_READ_LATENCY = 1, WAKEUP_TIME = 0
) (
    input wire sleep, rst, wr_clk, wr_en, rd_en, injectsbiterr, injectdbiterr,
    input wire [WRITE_DATA_WIDTH-1:0] din, output wire [READ_DATA_WIDTH-1:0] dout,
    output wire full, prog_full, empty, prog_empty, overflow, underflow, wr_rst_busy, rd_rst_busy, sbiterr,
    output wire dbiterr, output wire [WR_DATA_COUNT_WIDTH-1:0] wr_data_count,
    output wire [RD_DATA_COUNT_WIDTH-1:0] rd_data_count
);
    reg [WRITE_DATA_WIDTH-1:0] memory [0:FIFO_WRITE_DEPTH-1];
    integer head, tail, count;
    wire pushes = wr_en && !full, pops = rd_en && !empty;
    assign full = rst || count == FIFO_WRITE_DEPTH;
    assign prog_full = count >= PROG_FULL_THRESH;
    assign empty = count == 0;
    assign dout = memory[head];
    assign {prog_empty, overflow, underflow, wr_rst_busy, rd_rst_busy, sbiterr, dbiterr} = 0;
    assign wr_data_count = 0;
    assign rd_data_count = 0;
    always @(posedge wr_clk) begin
        if (pushes) memory[tail] <= din;
        tail <= rst ? 0 : pushes ? (tail + 1) % FIFO_WRITE_DEPTH : tail;
        head <= rst ? 0 : pops ? (head + 1) % FIFO_WRITE_DEPTH : head;
        count <= rst ? 0 : count + (pushes ? 1 : 0) - (pops ? 1 : 0);
    end
endmodule
"""
