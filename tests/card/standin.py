"""Kernels for tests: the shell around a core that is easy to check, and one that misbehaves on request.

Loaded by path from the conftest of the folders that use it, and from the benchmark.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fpgaclass.card import Argument, Bank, KernelDesign, Link
from fpgaclass.firmware import shell
from fpgaclass.firmware.shell import FloatWords

SHELL = Path(shell.__file__).parent
BANKS = (Bank("bank0", 0x4000000000, 1 << 34, "DDR4"), Bank("bank1", 0x5000000000, 1 << 20, "DDR4"))
LINK = Link("PCIe 3.0 x16", 12e9, 12e9, 10e-6, 0.8e-6, 5e-6)
ARGUMENTS = (
    Argument("fifo_in", "void*", 0x10, "bank0"),
    Argument("fifo_out", "void*", 0x1C, "bank0"),
    Argument("length_r_in", "uint", 0x28),
    Argument("length_r_out", "uint", 0x30),
)


def shell_sources(word: int = 2, in_bytes: int = 64, out_bytes: int = 2, latency: int = 4) -> dict[str, str]:
    """Return the shell with the parameters of a core."""
    return shell.memory_sources(word, in_bytes, out_bytes, latency)


def event_core(word: int = 2, in_bytes: int = 64, out_bytes: int = 2, latency: int = 4) -> str:
    """Return a core whose output word j is the sum of (k + j + 1) times input word k, modulo the word."""
    n_in, n_out, bits = in_bytes // word, out_bytes // word, 8 * word
    result = "sums" if latency == 0 else f"delayed[{latency - 1}]"
    return f"""
module event_core (
    input wire clk, input wire [{8 * in_bytes - 1}:0] event_in, output wire [{8 * out_bytes - 1}:0] event_out
);
    reg [{8 * in_bytes - 1}:0] slot;
    reg [{8 * out_bytes - 1}:0] sums;
    reg [{8 * out_bytes - 1}:0] delayed [0:{max(0, latency - 1)}];
    reg [{bits - 1}:0] sum;
    integer i, j, k;
    always @* begin
        sums = 0;
        for (j = 0; j < {n_out}; j = j + 1) begin
            sum = 0;
            for (k = 0; k < {n_in}; k = k + 1) sum = sum + {bits}'(k + j + 1) * slot[{bits} * k +: {bits}];
            sums[{bits} * j +: {bits}] = sum;
        end
    end
    always @(posedge clk) begin
        slot <= event_in;
        delayed[0] <= sums;
        for (i = 1; i < {latency}; i = i + 1) delayed[i] <= delayed[i - 1];
    end
    assign event_out = {result};
endmodule
"""


def expected(data: np.ndarray, word: int = 2, in_bytes: int = 64, out_bytes: int = 2) -> np.ndarray:
    """Return the bytes that the core makes of the whole events in some bytes."""
    kind = np.dtype(f"<u{word}")
    n_in, n_out = in_bytes // word, out_bytes // word
    events = data[: len(data) // in_bytes * in_bytes].copy().view(kind).reshape(-1, n_in).astype(np.uint64)
    weights = np.add.outer(np.arange(n_in), np.arange(n_out)).astype(np.uint64) + np.uint64(1)
    return (events @ weights).astype(kind).view(np.uint8).ravel()


def random_floats(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw the bytes of floats: most of them near 1, some of any bits, NaN and infinity too."""
    bits = rng.integers(0, 1 << 32, count, dtype=np.uint64)
    near = (bits & 0x807FFFFF) | (rng.integers(127 - 30, 127 + 40, count, dtype=np.uint64) << np.uint64(23))
    return np.where(rng.random(count) < 0.9, near, bits).astype("<u4").view(np.uint8)


def expected_floats(data: np.ndarray, floats: FloatWords) -> np.ndarray:
    """Return the bytes that the core makes of the whole events in some bytes, where both are floats."""
    bits, n_in, n_out = 8 * floats.word_bytes, len(floats.in_fractions), len(floats.out_fractions)
    events = data[: len(data) // (4 * n_in) * 4 * n_in].copy().view("<f4").reshape(-1, n_in)
    exact = np.where(np.isfinite(events), events, 0).astype(np.float64)
    whole = np.mod(np.floor(exact * np.exp2(floats.in_fractions)), 2.0**bits)
    words = whole.astype(f"<u{floats.word_bytes}").view(np.uint8).ravel()
    made = expected(words, floats.word_bytes, n_in * floats.word_bytes, n_out * floats.word_bytes)
    results = made.view(f"<u{floats.word_bytes}").reshape(-1, n_out).astype(np.int64)
    results -= (results >> (bits - 1) << bits) * np.array(floats.out_signed, np.int64)
    return (results * np.exp2(-np.array(floats.out_fractions, float))).astype("<f4").view(np.uint8).ravel()


def sum_design(
    word: int = 2, in_bytes: int = 64, out_bytes: int = 2, latency: int = 4, instances: int = 1
) -> KernelDesign:
    """Return the shell around the summing core, as a card takes it."""
    sources = shell_sources(word, in_bytes, out_bytes, latency)
    sources["event_core.sv"] = event_core(word, in_bytes, out_bytes, latency)
    about = {"words_in": in_bytes // word, "words_out": out_bytes // word, "dtype": f"int{8 * word}"}
    return KernelDesign("krnl_rtl", sources, ARGUMENTS, 200.0, instances, about)


# length_in chooses: 0 never ends, 1 a burst over a 4 KB boundary, 2 $fatal, 3 a read from fifo_in, else it
# ends after that many clocks. What it does is known to the clock.
_MOODY = """
module moody (
    input wire ap_clk, ap_rst_n,
    input wire s_axi_control_AWVALID, s_axi_control_WVALID, s_axi_control_BREADY, s_axi_control_ARVALID,
    input wire s_axi_control_RREADY, input wire [5:0] s_axi_control_AWADDR, s_axi_control_ARADDR,
    input wire [31:0] s_axi_control_WDATA, input wire [3:0] s_axi_control_WSTRB,
    output wire s_axi_control_AWREADY, s_axi_control_WREADY, s_axi_control_BVALID, s_axi_control_ARREADY,
    output wire s_axi_control_RVALID, output wire [31:0] s_axi_control_RDATA,
    output wire m_axi_gmem_ARVALID, m_axi_gmem_RREADY, m_axi_gmem_AWVALID, m_axi_gmem_WVALID,
    output wire m_axi_gmem_WLAST, m_axi_gmem_BREADY, output wire [63:0] m_axi_gmem_ARADDR, m_axi_gmem_AWADDR,
    output wire [7:0] m_axi_gmem_ARLEN, m_axi_gmem_AWLEN,
    output wire [2:0] m_axi_gmem_ARSIZE, m_axi_gmem_AWSIZE,
    output wire [1:0] m_axi_gmem_ARBURST, m_axi_gmem_AWBURST, output wire [31:0] m_axi_gmem_WDATA,
    output wire [3:0] m_axi_gmem_WSTRB,
    input wire m_axi_gmem_ARREADY, m_axi_gmem_RVALID, m_axi_gmem_RLAST, m_axi_gmem_AWREADY, m_axi_gmem_WREADY,
    input wire m_axi_gmem_BVALID, input wire [31:0] m_axi_gmem_RDATA
);
    wire ap_start;
    wire [63:0] fifo_in, fifo_out;
    wire [31:0] mode, unused;
    wire interrupt;
    reg [31:0] clocks;
    wire ap_done = ap_start && mode > 3 && clocks == mode;
    always @(posedge ap_clk) begin
        clocks <= !ap_rst_n || !ap_start || ap_done ? 32'd0 : clocks + 1;
        if (ap_rst_n && ap_start && mode == 2) $fatal(1, "a bad mood");
    end
    shell_control control (
        .clk(ap_clk), .rst_n(ap_rst_n), .awvalid(s_axi_control_AWVALID), .awready(s_axi_control_AWREADY),
        .awaddr(s_axi_control_AWADDR), .wvalid(s_axi_control_WVALID), .wready(s_axi_control_WREADY),
        .wdata(s_axi_control_WDATA), .wstrb(s_axi_control_WSTRB), .bvalid(s_axi_control_BVALID),
        .bready(s_axi_control_BREADY), .arvalid(s_axi_control_ARVALID), .arready(s_axi_control_ARREADY),
        .araddr(s_axi_control_ARADDR), .rvalid(s_axi_control_RVALID), .rready(s_axi_control_RREADY),
        .rdata(s_axi_control_RDATA), .interrupt(interrupt), .ap_start(ap_start), .ap_done(ap_done),
        .ap_idle(!ap_start), .fifo_in(fifo_in), .fifo_out(fifo_out), .length_in(mode), .length_out(unused)
    );
    assign m_axi_gmem_ARVALID = ap_start && (mode == 1 || mode == 3);
    assign m_axi_gmem_ARADDR = mode == 1 ? 64'hffc : fifo_in;
    assign m_axi_gmem_ARLEN = 8'd1;
    assign m_axi_gmem_ARSIZE = 3'd2;
    assign m_axi_gmem_ARBURST = 2'd1;
    assign m_axi_gmem_RREADY = 1'b1;
    assign {m_axi_gmem_AWVALID, m_axi_gmem_WVALID, m_axi_gmem_WLAST, m_axi_gmem_BREADY} = 4'd0;
    assign {m_axi_gmem_AWADDR, m_axi_gmem_AWLEN, m_axi_gmem_AWSIZE, m_axi_gmem_AWBURST} = 77'd0;
    assign {m_axi_gmem_WDATA, m_axi_gmem_WSTRB} = 36'd0;
endmodule
"""
NEVER, CROSSING, FATAL, READING = 0, 1, 2, 3


def moody_design() -> KernelDesign:
    """Return a kernel on a 32-bit bus that misbehaves as ``length_r_in`` says."""
    sources = {name: (SHELL / name).read_text() for name in ("shell_control.sv", "shell_lite.sv")}
    sources["moody.sv"] = _MOODY
    return KernelDesign("moody", sources, ARGUMENTS, 100.0)


def stream_sources(
    beat: int = 4, in_bytes: int = 64, out_bytes: int = 4, latency: int = 4, floats: FloatWords | None = None
) -> dict[str, str]:
    """Return the stream form of the shell with the parameters of a core."""
    return shell.stream_sources(beat, in_bytes, out_bytes, latency, floats)


def stream_design(
    word: int = 2,
    beat: int = 4,
    in_bytes: int = 64,
    out_bytes: int = 4,
    latency: int = 4,
    instances: int = 1,
    floats: FloatWords | None = None,
) -> KernelDesign:
    """Return the stream shell around the summing core, as a board takes it."""
    sources = stream_sources(beat, in_bytes, out_bytes, latency, floats)
    sources["event_core.sv"] = event_core(word, in_bytes, out_bytes, latency)
    about = {
        "words_in": in_bytes // word,
        "words_out": out_bytes // word,
        "dtype": "float32" if floats else f"int{8 * word}",
        "beat_bytes": beat,
    }
    return KernelDesign("krnl_stream", sources, (), 100.0, instances, about, "stream")
