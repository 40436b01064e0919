"""The test bench around a kernel: exact clocks, and faults that end in an error rather than in a hang."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import KernelSimulator
from fpgaclass.core import BusError, CardError, HungKernelError, InvalidInputError

MODE, FIFO_IN = 0x28, 0x10


@pytest.fixture
def moody(moody_library: Path) -> KernelSimulator:
    """A kernel that does, to the clock, what the register at 0x28 says."""
    return KernelSimulator(moody_library)


@pytest.mark.parametrize("clocks", [4, 5, 100, 12_345])
def test_cycles_are_exact(moody: KernelSimulator, clocks: int) -> None:
    """The course compares cycle counts: one off is wrong. This kernel counts its own clocks in RTL."""
    for _ in range(2):
        moody.write(MODE, clocks)
        moody.write(0, 1)
        assert moody.run() == clocks


def test_cycles_do_not_depend_on_how_the_run_is_cut(moody: KernelSimulator) -> None:
    """Register accesses come in the middle of a run, as a student polls; the count must not change."""
    moody.write(MODE, 1000)
    moody.write(0, 1)
    while not moody.advance(17):
        moody.read(0)
    assert moody.cycles == 1000


def test_a_hang_is_stopped(moody: KernelSimulator, standin: Any) -> None:
    """A notebook that never comes back is the worst error message."""
    moody.write(MODE, standin.NEVER)
    moody.write(0, 1)
    with pytest.raises(HungKernelError):
        moody.run(watchdog=10_000)


def test_an_address_that_nothing_answers_is_a_bus_error(moody: KernelSimulator, standin: Any) -> None:
    """Reading zeros from a wrong pointer would look like a network that predicts zeros."""
    moody.write(FIFO_IN, 0xDEAD0000)
    moody.write(MODE, standin.READING)
    moody.write(0, 1)
    with pytest.raises(BusError, match="0xdead0000"):
        moody.run()


def test_a_burst_over_4_kb_is_named(moody: KernelSimulator, standin: Any) -> None:
    """Such a kernel works in a lenient simulator and fails on a card."""
    moody.write(MODE, standin.CROSSING)
    moody.write(0, 1)
    with pytest.raises(CardError, match="4 KB"):
        moody.run()


def test_fatal_in_the_rtl_does_not_end_python(moody: KernelSimulator, standin: Any) -> None:
    """Verilator's own runtime would call abort(), and take the student's notebook with it."""
    moody.write(MODE, standin.FATAL)
    with pytest.raises(CardError, match=r"moody\.sv"):
        moody.write(0, 1)
    moody.reset()
    moody.write(MODE, 10)
    moody.write(0, 1)
    assert moody.run() == 10


def test_slower_memory_takes_more_cycles(sum_library: Path) -> None:
    """The latency is a parameter of the model and must reach the kernel."""
    cycles = []
    for latency in (10, 200):
        simulator = KernelSimulator(sum_library, read_latency=latency)
        memory = np.zeros(8192, np.uint8)
        simulator.map(0x1000, memory)
        for offset, value in ((0x10, 0x1000), (0x1C, 0x2000), (0x28, 32), (0x30, 1)):
            simulator.write(offset, value)
        simulator.write(0, 1)
        cycles.append(simulator.run())
    assert cycles[1] - cycles[0] == 190


def test_the_same_seed_stalls_the_same(sum_library: Path) -> None:
    """A failure of a random run must be repeatable from its seed."""

    def cycles(seed: int) -> int:
        simulator = KernelSimulator(sum_library, stall_permille=400, seed=seed)
        simulator.map(0x1000, np.zeros(1 << 16, np.uint8))
        for offset, value in ((0x10, 0x1000), (0x1C, 0xF000), (0x28, 32 * 500), (0x30, 500)):
            simulator.write(offset, value)
        simulator.write(0, 1)
        return simulator.run()

    assert cycles(1) == cycles(1)
    assert len({cycles(seed) for seed in range(5)}) > 1


def test_memory_stays_alive_while_it_is_mapped(sum_library: Path) -> None:
    """The kernel holds a bare pointer: a buffer that Python has dropped must not be written to."""
    simulator = KernelSimulator(sum_library)
    simulator.map(0x1000, bytearray(1 << 16))
    gc.collect()
    for offset, value in ((0x10, 0x1000), (0x1C, 0x8000), (0x28, 320), (0x30, 10)):
        simulator.write(offset, value)
    simulator.write(0, 1)
    simulator.run()
    simulator.unmap_all()
    simulator.write(0, 1)
    with pytest.raises(BusError):
        simulator.run()


@pytest.mark.parametrize("wrong", [{"stall_permille": 1000}, {"read_latency": -1}, {"seed": -5}])
def test_wrong_settings_are_refused(sum_library: Path, wrong: dict[str, int]) -> None:
    """A memory that never answers would be a hang of our own making."""
    with pytest.raises(InvalidInputError):
        KernelSimulator(sum_library, **wrong)


def test_a_library_that_is_none_is_an_error(tmp_path: Path) -> None:
    """A cache on a full disk may hold half a file."""
    (tmp_path / "kernel.so").write_bytes(b"\x7fELF half")
    with pytest.raises(CardError, match=r"kernel\.so"):
        KernelSimulator(tmp_path / "kernel.so")
