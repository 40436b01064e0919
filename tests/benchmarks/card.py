"""Our kernel shell against hls4ml 1.3's own Alveo kernel, in the same simulator and through the same card.

The peer's RTL is read from the installed hls4ml package. It leaves two modules to the vendor's tools: the
network, for which both kernels get a stand-in that sums 27 inputs, and a FIFO macro, written here. hls4ml's
kernel moves one 32-bit word a clock and asks for each read burst twice (with two IDs, of which it drops the
data of one), as it does on a card; ours moves 64 bytes a clock, with 16-bit words.

Beside it: what Python costs a host over C++, and what importing the card costs over importing pynq.
"""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import fpgaclass.card
from fpgaclass.card import KernelDesign, write_xclbin

INPUTS = 27
_STANDIN = Path(__file__).parents[1] / "card" / "standin.py"
_PEER = "templates/vivado_accelerator/alveo/krnl_rtl_src"

_SUM = f"""
module myproject_axi_0 (
    input wire ap_clk, ap_rst_n, in_r_TVALID, in_r_TLAST, out_r_TREADY,
    output wire in_r_TREADY, output reg out_r_TVALID,
    input wire [31:0] in_r_TDATA, output reg [31:0] out_r_TDATA
);
    reg [5:0] position;
    reg [31:0] sum;
    wire takes = in_r_TVALID && in_r_TREADY;
    assign in_r_TREADY = !out_r_TVALID || out_r_TREADY;
    always @(posedge ap_clk) begin
        if (!ap_rst_n) begin
            position <= 0;
            sum <= 0;
            out_r_TVALID <= 0;
        end else begin
            if (out_r_TREADY) out_r_TVALID <= 0;
            if (takes) begin
                position <= position == {INPUTS - 1} ? 6'd0 : position + 6'd1;
                sum <= position == {INPUTS - 1} ? 32'd0 : sum + in_r_TDATA;
                if (position == {INPUTS - 1}) begin
                    out_r_TVALID <= 1;
                    out_r_TDATA <= sum + in_r_TDATA;
                end
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


def rows(repeats: int = 3) -> list[dict[str, Any]]:
    """Measure, and return the rows of the benchmark table.

    Args:
        repeats: runs of each speed; the fastest counts.
    """
    standin = _standin()
    ours, peer = _our_design(standin), _peer_design(standin)
    result = []
    cycles = {
        (name, events): _run(standin, design, events, words, dtype)[0]
        for name, design, words, dtype in (("ours", ours, 32, np.int16), ("peer", peer, INPUTS, np.int32))
        for events in (4096, 65536)
    }
    how = f"simulated: cycles from ap_start to ap_done, {INPUTS} inputs an event, the same memory model"
    for name, events, scale in (("cycles_4096", 4096, 1), ("cycles_per_event_65536", 65536, 65536)):
        mine, theirs = cycles["ours", events] / scale, cycles["peer", events] / scale
        result.append(_row(f"kernel.{name}", mine, theirs, theirs / mine, "cycles (fewer is better)", how))
    fast = max(_run(standin, ours, 65536, 32, np.int16)[1] for _ in range(repeats))
    slow = max(_run(standin, peer, 65536, INPUTS, np.int32)[1] for _ in range(repeats))
    how = f"measured: 65,536 events through kernel.call on the virtual card, wall time, best of {repeats}"
    result.append(_row("card.events_per_s", fast, slow, fast / slow, "events per second", how))
    return [*result, _python_over_cpp(standin, ours), _import_time(repeats + 1)]


def _python_over_cpp(standin: ModuleType, design: KernelDesign) -> dict[str, Any]:
    """Compare the host's own part of a call of one event in the two languages."""
    import pynq

    with tempfile.TemporaryDirectory() as folder:
        path = write_xclbin(Path(folder) / "k.xclbin", design, banks=standin.BANKS, link=standin.LINK)
        overlay = pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(9))
        measured = fpgaclass.card.measure(
            overlay, batch_sizes=(1, 65536), words_in=32, words_out=1, dtype="int16", repeats=21
        )
    python, cpp = measured.timings[0].host_s * 1e6, measured.cpp[0].host_s * 1e6
    large = measured.python_over_cpp[65536]
    how = (
        "measured: the host's part of a call of one event, in Python with pynq (ours) and in the C++ host "
        "on the same kernel (peer), medians of 21; AMD's runtime (XRT's library and its driver), which both "
        f"call on a real card, is in neither; with 65,536 events Python takes {large:.1f} times as long; "
        f"{measured.cpp_note}"
    )
    ratio = round(cpp / python, 4)
    return _named("card.python_over_cpp", python, cpp, ratio, "µs (fewer is better)", how)


def _import_time(repeats: int) -> dict[str, Any]:
    """Time the import of the card beyond that of pynq, each in processes of their own."""
    pairs = [(_seconds("import pynq"), _seconds("import fpgaclass.card, pynq")) for _ in range(repeats)]
    alone, both = (min(times) for times in zip(*pairs, strict=True))
    how = (
        f"measured: import of pynq with fpgaclass.card (ours) and without (peer), processor time, best of "
        f"{repeats} processes each; the card adds {max(0.0, both - alone):.3f} s"
    )
    return _named("card.import", both, alone, round(alone / both, 3), "s (fewer is better)", how)


def _seconds(statement: str) -> float:
    """Run a statement in a new Python and return its processor time: wall time is the machine's, too."""
    command = [sys.executable, "-W", "ignore", "-c", statement]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _named(name: str, ours: float, peer: float, ratio: float, unit: str, how: str) -> dict[str, Any]:
    return {
        "name": name,
        "ours": round(ours, 3),
        "peer": round(peer, 3),
        "ratio": ratio,
        "unit": unit,
        "how": how,
    }


def _row(name: str, ours: float, peer: float, ratio: float, unit: str, how: str) -> dict[str, Any]:
    how += "; peer: hls4ml 1.3's Alveo kernel with the same stand-in network, same process"
    return _named(name, ours, peer, round(ratio, 1), unit, how)


def _standin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_standin", _STANDIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _our_design(standin: ModuleType) -> KernelDesign:
    sources = standin.shell_sources(word=2, in_bytes=64, out_bytes=2, latency=1)
    words = " + ".join(f"slot[{16 * i} +: 16]" for i in range(INPUTS))
    sources["event_core.sv"] = (
        "module event_core (input wire clk, input wire [511:0] event_in, output reg [15:0] event_out);\n"
        f"reg [511:0] slot;\nalways @(posedge clk) begin slot <= event_in; event_out <= {words}; end\n"
        "endmodule\n"
    )
    return KernelDesign("krnl_rtl", sources, standin.ARGUMENTS, 200.0)


def _peer_design(standin: ModuleType) -> KernelDesign:
    package = importlib.util.find_spec("hls4ml")
    assert package is not None
    folder = Path(str(package.origin)).parent / _PEER
    sources = {
        path.name: path.read_text() for path in sorted(folder.iterdir()) if path.name.startswith("krnl")
    }
    sources |= {"sum.v": _SUM, "fifo.sv": _FIFO}
    return KernelDesign("krnl_rtl_int", sources, standin.ARGUMENTS, 200.0)


def _run(
    standin: ModuleType, design: KernelDesign, events: int, words: int, dtype: type[np.signedinteger[Any]]
) -> tuple[int, float]:
    """Return the cycles and the events per second of one call whose results are right."""
    import pynq

    card = fpgaclass.card.VirtualCard(9)
    with tempfile.TemporaryDirectory() as folder:
        path = write_xclbin(Path(folder) / "k.xclbin", design, banks=standin.BANKS, link=standin.LINK)
        overlay = pynq.Overlay(str(path), device=card)
    x = pynq.allocate((events, words), dtype, target=card)
    y = pynq.allocate((events,), dtype, target=card)
    x[:] = np.random.default_rng(1).integers(-500, 500, x.shape)
    x.sync_to_device()
    unit = getattr(overlay, design.instance_names[0])
    started = time.perf_counter()
    unit.call(x, y, x.size, y.size)
    seconds = time.perf_counter() - started
    y.sync_from_device()
    if not np.array_equal(np.array(y), np.array(x[:, :INPUTS]).sum(axis=1, dtype=dtype)):
        raise AssertionError(f"{design.name} gives wrong results: its speed means nothing")
    return card.timeline.totals.kernel_cycles, events / seconds
