"""A kernel in Python: bit for bit and clock for clock what the compiled one does."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import KernelDesign, KernelSimulator, compile_kernel, write_xclbin
from fpgaclass.card.netlist.kernel_simulator import NetlistSimulator
from fpgaclass.card.netlist.program import Program, compile_netlist
from fpgaclass.card.simulation.choice import VARIABLE, open_kernel, prepare_kernel
from fpgaclass.card.simulation.compilation import _FLAGS, _MACROS, _runtime
from fpgaclass.card.simulation.toolchain import find_compiler, find_verilator, find_yosys, version_of
from fpgaclass.core import (
    BuildError,
    BusError,
    CardError,
    HungKernelError,
    InvalidInputError,
    ToolMissingError,
    digest_of,
    run_tool,
)

COMPILER = "FPGACLASS_CXX"


def _run(simulator: Any, events: int, at: int = 0, size: int = 64) -> tuple[int, int, int, bytes]:
    memory = np.zeros(1 << 20, np.uint8)
    memory[: events * size] = np.random.default_rng(events).integers(0, 256, events * size)
    simulator.map(0x100000, memory)
    for offset, value in ((0x10, 0x100000), (0x1C, 0x180000 + at), (0x28, 32 * events), (0x30, events)):
        simulator.write(offset, value)
    simulator.write(0, 1)
    cycles = simulator.run()
    simulator.read(0)
    status = simulator.status
    return cycles, status.now, status.read_beats + status.write_beats, memory.tobytes()


@pytest.mark.parametrize(("events", "at"), [(1, 0), (33, 4), (700, 62)])
@pytest.mark.parametrize("stall", [0, 300])
def test_results_and_clocks_are_those_of_the_compiled_kernel(
    standin: Any, sum_library: Path, events: int, at: int, stall: int
) -> None:
    """Cycle counts must not depend on which tools a laptop has, whenever the memory stalls."""
    program = compile_netlist(standin.sum_design())
    ours = _run(NetlistSimulator(program, stall_permille=stall, seed=7), events, at)
    assert ours == _run(KernelSimulator(sum_library, stall_permille=stall, seed=7), events, at)


def test_several_runs_on_one_instance(standin: Any, sum_library: Path) -> None:
    """State stays between runs: FIFOs, credits, the control register."""
    ours, theirs = NetlistSimulator(compile_netlist(standin.sum_design())), KernelSimulator(sum_library)
    for events in (3, 40, 1):
        assert _run(ours, events) == _run(theirs, events)
    ours.reset()
    theirs.reset()
    assert _run(ours, 5) == _run(theirs, 5)


@pytest.mark.proof
def test_random_lengths_and_offsets(standin: Any, sum_library: Path) -> None:
    """A hundred random runs with stalls, of which any clock that is one off would be seen."""
    rng = np.random.default_rng(4)
    program = compile_netlist(standin.sum_design())
    for seed in range(100):
        events, at, stall = int(rng.integers(1, 300)), 2 * int(rng.integers(0, 32)), int(rng.integers(0, 700))
        made = [
            _run(kind(file, stall_permille=stall, seed=seed), events, at)
            for kind, file in ((NetlistSimulator, program), (KernelSimulator, sum_library))
        ]
        assert made[0] == made[1], (seed, events, at, stall)


def _quiet(standin: Any) -> KernelDesign:
    """The moody kernel without $fatal, which is not logic."""
    design: KernelDesign = standin.moody_design()
    text = "\n".join(line for line in design.sources["moody.sv"].splitlines() if "$fatal" not in line)
    return dataclasses.replace(design, sources={**design.sources, "moody.sv": text})


@pytest.fixture
def moody(standin: Any) -> NetlistSimulator:
    """A kernel that does, to the clock, what the register at 0x28 says."""
    return NetlistSimulator(compile_netlist(_quiet(standin)))


@pytest.mark.parametrize("clocks", [4, 5, 1234])
def test_cycles_are_exact(moody: NetlistSimulator, clocks: int) -> None:
    """This kernel counts its own clocks in RTL, cut into turns or not."""
    moody.write(0x28, clocks)
    moody.write(0, 1)
    while not moody.advance(17):
        moody.read(0)
    assert moody.cycles == clocks


def test_faults_are_errors(moody: NetlistSimulator, standin: Any) -> None:
    """The same errors as from the compiled kernel, and a reset that mends them."""
    faults: list[tuple[int, type[CardError], str]] = [
        (standin.NEVER, HungKernelError, "not done"),
        (standin.CROSSING, CardError, "4 KB"),
        (standin.READING, BusError, "0xdead0000"),
    ]
    for mode, kind, message in faults:
        moody.reset()
        moody.write(0x10, 0xDEAD0000)
        moody.write(0x28, mode)
        moody.write(0, 1)
        with pytest.raises(kind, match=message):
            moody.run(watchdog=500)
    moody.reset()
    moody.write(0x28, 9)
    moody.write(0, 1)
    assert moody.run() == 9


_CELLS = """
module cells (input wire ap_clk, input wire ap_rst_n, input wire signed [7:0] a, input wire signed [7:0] b,
              input wire [3:0] c, output wire [511:0] out);
    reg [7:0] held; reg [7:0] memory [0:15]; reg [7:0] enabled;
    initial held = 8'd5;
    always @(posedge ap_clk) begin
        held <= held + 1; memory[c] <= a;
        if (!ap_rst_n) enabled <= 3; else if (c[0]) enabled <= b;
    end
    reg [7:0] chosen;
    always @* case (c) 0: chosen = a; 1: chosen = b; 2: chosen = a + b; 3: chosen = 7; 9: chosen = held;
        default: chosen = 8'hAA; endcase
    wire signed [15:0] product = a * b;
    wire ap_start = 0, ap_done = 0;
    assign out = {chosen, memory[c ^ 4'd3], held, enabled, product, a - b, -a, ~a, a < b, a <= b, a > b,
                  a >= b, a == b, a != b, a[3:0] < b[3:0], &a, |a, ^a, ~^a, !a, a && b, a || b, a & b, a | b,
                  a ^ b,
                  a ~^ b, a >>> c, a >> c, a << c, {4{a[7]}}, c ? a : b, a[c[2:0]], a[7:4] + b[7:4],
                  ($signed(a[3:0]) + b), {8'd0, a} << c, out_of_range};
    wire [7:0] out_of_range = {a, b} >> {c, 2'b0};
endmodule
"""


def test_each_kind_of_cell_computes_as_in_verilator(tmp_path: Path) -> None:
    """Signs, widths and shifts are where such a translation goes wrong; the judge is Verilator's model."""

    (tmp_path / "cells.sv").write_text(_CELLS)
    passes = "read_verilog -sv cells.sv; proc; flatten; opt_expr; opt_clean; write_json n.json"
    run_tool([*find_yosys().command, "-q", "-p", passes], cwd=tmp_path)
    module = json.loads((tmp_path / "n.json").read_text())["modules"]["cells"]
    made: dict[str, Any] = {}
    exec(Program(module).text(), made)
    state, clock = made["make"]()
    rng = np.random.default_rng(2)
    stimuli = [tuple(int(v) for v in rng.integers(0, (2, 256, 256, 16))) for _ in range(500)]
    stimuli += [(1, a, b, c) for a in (0, 127, 128, 255) for b in (0, 1, 128, 255) for c in (0, 7, 15)]
    order = [("ap_rst_n", "a", "b", "c").index(name) for name in made["INPUTS"]]
    ours = []
    for stimulus in stimuli:
        shown, state = clock(state, tuple(stimulus[position] for position in order))
        ours.append(shown[made["OUTPUTS"].index("out")])
    assert ours == _verilated(tmp_path, stimuli)


_MAIN = """
#include "Vcells.h"
#include <cstdio>
#include <cstdlib>
void vl_fatal(const char*, int, const char*, const char*) { std::abort(); }
void vl_stop(const char*, int, const char*) { std::abort(); }
void vl_finish(const char*, int, const char*) { std::abort(); }
int main() { Vcells top; unsigned r, a, b, c;
  while (std::scanf("%u %u %u %u", &r, &a, &b, &c) == 4) {
    top.ap_rst_n = r; top.a = a; top.b = b; top.c = c; top.ap_clk = 0; top.eval();
    for (int i = 15; i >= 0; --i) std::printf("%08x", top.out[i]);
    std::puts(""); top.ap_clk = 1; top.eval(); } }
"""


def _verilated(folder: Path, stimuli: list[tuple[int, ...]]) -> list[int]:
    """Run the same stimuli through Verilator's model of the module."""
    verilator, compiler = find_verilator(), find_compiler()
    tools = (verilator.version, " ".join(compiler.command), version_of(compiler.command))
    runtime = _runtime(verilator, compiler.command, digest_of(*_FLAGS, *tools))
    (folder / "main.cpp").write_text(_MAIN)
    command = [str(verilator.command), "--cc", "--x-initial", "fast", "--no-timing", "-Wno-lint"]
    environment = {"VERILATOR_ROOT": str(verilator.root)}
    run_tool([*command, "-Wno-fatal", "--Mdir", "o", "cells.sv"], cwd=folder, env=environment)
    sources = [folder / "main.cpp", *sorted((folder / "o").glob("*.cpp"))]
    (folder / "all.cpp").write_text("".join(f'#include "{path}"\n' for path in sources))
    include = f"{verilator.root}/include"
    flags = ["-std=c++20", "-O0", "-w", "-Io", f"-I{include}", f"-I{include}/vltstd", *_MACROS]
    made = [*map(str, runtime), "-o", "cells", "-pthread"]
    run_tool([*compiler.command, *flags, "all.cpp", *made], cwd=folder)
    lines = "\n".join(" ".join(map(str, stimulus)) for stimulus in stimuli)
    done = subprocess.run([str(folder / "cells")], input=lines, capture_output=True, text=True, check=True)
    return [int(line, 16) for line in done.stdout.split()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((".clk(ap_clk)", ".clk(!ap_clk)"), "rising edge"),
        (("ap_done", "finished"), "ap_done"),
        (("endmodule", "garbage"), "yosys failed"),
        (("wire interrupt;", "wire interrupt, loop = ap_start ^ loop;"), "loop"),
    ],
)
def test_what_cannot_be_run_is_refused(standin: Any, change: tuple[str, str], message: str) -> None:
    """A wrong clock or a loop of logic would give results that look like any others."""
    design = _quiet(standin)
    text = design.sources["moody.sv"].replace(*change)
    if "loop" in message:
        text = text.replace("ap_start && mode > 3", "ap_start && !loop && mode > 3")
    with pytest.raises(BuildError, match=message):
        compile_netlist(dataclasses.replace(design, sources={**design.sources, "moody.sv": text}))


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop with this package and yosys, and nothing to compile C++ with."""
    from fpgaclass.card.simulation import choice

    def none() -> None:
        raise ToolMissingError("no C++ compiler on this machine")

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(choice, "find_compiler", none)


@pytest.mark.usefixtures("without_compiler")
def test_without_a_compiler_a_notebook_runs_as_it_is(
    standin: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The overlay opens, the call answers, and a warning says why it is slow and how to mend it."""
    pynq = pytest.importorskip("pynq")
    import fpgaclass.card

    path = write_xclbin(tmp_path / "s.xclbin", standin.sum_design(), banks=standin.BANKS, link=standin.LINK)
    overlay = pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(8))
    said = " ".join(capfd.readouterr().err.split())
    assert "no C++ compiler on this machine" in said
    assert "apt-get install g++" in said
    measured = fpgaclass.card.measure(overlay, batch_sizes=(1, 50), repeats=1, cpp=False)
    assert (
        measured.timings[0].kernel_cycles
        == _run(NetlistSimulator(compile_netlist(standin.sum_design())), 1)[0]
    )
    x = pynq.allocate((50, 32), np.int16, target=overlay.bank0)
    y = pynq.allocate((50,), np.int16, target=overlay.bank0)
    x[:] = np.arange(1600).reshape(50, 32)
    x.sync_to_device()
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    assert np.array_equal(y.view(np.uint8), standin.expected(np.array(x).view(np.uint8).ravel()))


def test_one_may_choose(standin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """To compare the two, or to be sure of one."""
    monkeypatch.setenv(VARIABLE, "netlist")
    assert isinstance(open_kernel(prepare_kernel(standin.sum_design())), NetlistSimulator)
    monkeypatch.setenv(VARIABLE, "compiled")
    assert isinstance(open_kernel(prepare_kernel(standin.sum_design())), KernelSimulator)
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(InvalidInputError, match="netlist"):
        prepare_kernel(standin.sum_design())


@pytest.mark.usefixtures("without_compiler")
def test_compiled_only_means_that(standin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark must not silently run in Python."""
    monkeypatch.setenv(VARIABLE, "compiled")
    with pytest.raises(ToolMissingError, match="compiler"):
        prepare_kernel(standin.sum_design())


def test_a_damaged_program_is_an_error(tmp_path: Path) -> None:
    """A cache on a full disk may hold half a file."""
    (tmp_path / "kernel.py").write_text("def make(:")
    with pytest.raises(CardError, match=r"kernel\.py"):
        NetlistSimulator(tmp_path / "kernel.py")


def _compiled(design: KernelDesign) -> Callable[[], KernelSimulator]:
    library = compile_kernel(design)
    return lambda: KernelSimulator(library)


@pytest.mark.parametrize(("word", "in_bytes", "out_bytes"), [(1, 4, 1), (4, 128, 8)])
def test_other_shapes_of_the_shell(standin: Any, word: int, in_bytes: int, out_bytes: int) -> None:
    """Several events in a beat and several beats in an event take other paths through the shell."""
    design = standin.sum_design(word, in_bytes, out_bytes, latency=2)
    ours, theirs = NetlistSimulator(compile_netlist(design)), _compiled(design)()
    assert _run(ours, 20, size=in_bytes) == _run(theirs, 20, size=in_bytes)
