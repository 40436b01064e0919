"""A stream kernel with its DMA in Python: bit for bit and clock for clock what the compiled one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import Bank, Link, StreamSimulator, VirtualZynq, compile_kernel, measure, trace, write_bit
from fpgaclass.card.netlist.program import compile_netlist
from fpgaclass.card.netlist.stream_simulator import NetlistStream
from fpgaclass.card.simulation.choice import VARIABLE
from fpgaclass.card.simulation.stream_simulator import ADDRESS, DMACR, DMASR, LENGTH, MM2S, RESET, RS, S2MM
from fpgaclass.core import CardError, HungKernelError, InvalidInputError
from fpgaclass.firmware.shell import FloatWords

BASE, AREA = 0x1000_0000, 1 << 14
LINK = Link("AXI DMA", 4e8, 4e8, 10e-6, 0.2e-6, 0.0)
BANK = Bank("PSDDR", 0x10000000, 1 << 28, "DDR4")
SHAPES = {"2x32 to 2x2": (2, 4, 64, 4, 4), "2 bytes to 16": (1, 8, 2, 16, 3)}


def _design(standin: Any, name: str) -> Any:
    if name in SHAPES:
        return standin.stream_design(*SHAPES[name])
    return standin.stream_design(2, 4, 10, 4, 2, floats=FloatWords(2, (3, 9, 0, 5, 7), (4, 6), (True, False)))


def _play(simulator: Any, seed: int) -> list[Any]:
    """Do something with every register, at random; return all that can be seen."""
    rng = np.random.default_rng(seed)
    memory = rng.integers(0, 256, 2 * AREA, dtype=np.uint8)
    simulator.map(BASE, memory)
    seen: list[Any] = []
    for _ in range(12):
        for channel in (MM2S, S2MM):
            simulator.dma_write(channel + DMACR, RS | int(rng.choice([0, 0x5000])))
        simulator.set_packets(bool(rng.random() < 0.9))
        size, room = (int(value) for value in rng.integers(1, 600, 2))
        if rng.random() < 0.7:
            room = AREA
        for channel, address, length in ((S2MM, BASE + AREA, room), (MM2S, BASE, size)):
            wrong = rng.random()
            address += 2 * AREA if wrong < 0.05 else 1 if wrong < 0.1 else 0
            simulator.dma_write(channel + ADDRESS, address)
            simulator.dma_write(channel + LENGTH, length)
        try:
            while not simulator.advance(int(rng.integers(1, 300)), watchdog=500):
                seen.append(simulator.dma_read(S2MM + DMASR))
        except HungKernelError as error:
            seen.append(str(error))
        registers = [simulator.dma_read(offset) for offset in range(0, 0x60, 4)]
        status = simulator.status
        counts = (status.now, status.runs, status.run_cycles, status.read_beats, status.write_beats)
        seen.append((registers, counts, status.fault, status.fault_address, status.fault_is_write))
        seen.append((simulator.busy, simulator.interrupts[:2], simulator.read(0x10), simulator.read(0x18)))
        simulator.forgive()
        simulator.be_patient()
        if rng.random() < 0.5 or not simulator.status.fault:
            simulator.dma_write(DMACR, RESET)
    return [*seen, memory.tobytes()]


def _same(standin: Any, name: str, seeds: range) -> None:
    design = _design(standin, name)
    library, program = compile_kernel(design), compile_netlist(design)
    for seed in seeds:
        timing = {"read_latency": 5 + seed, "stall_permille": 150 * (seed % 4), "seed": seed}
        compiled, ours = StreamSimulator(library, **timing), NetlistStream(program, **timing)
        for one, other in zip(_play(compiled, seed), _play(ours, seed), strict=True):
            assert one == other, (name, seed)


@pytest.mark.parametrize("name", ["2 bytes to 16", "floats"])
def test_all_that_can_be_seen_is_the_same(standin: Any, name: str) -> None:
    """Results, cycles, registers, errors: which tools a laptop has must not show, whatever a driver does."""
    _same(standin, name, range(4))


@pytest.mark.proof
@pytest.mark.parametrize("name", [*SHAPES, "floats"])
def test_it_is_the_same_a_hundred_times(standin: Any, name: str) -> None:
    """The same at the size of a proof: a hundred seeds, twelve transfers each."""
    _same(standin, name, range(4, 104))


@pytest.fixture(scope="module")
def path(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summing kernel for a board."""
    folder = tmp_path_factory.mktemp("board")
    return write_bit(folder / "sum.bit", standin.stream_design(), banks=[BANK], link=LINK)


def _buffers(pynq: Any, count: int, board: Any) -> tuple[Any, Any]:
    x = pynq.allocate((count, 32), np.int16, target=board)
    y = pynq.allocate((count, 2), np.int16, target=board)
    x[:] = np.random.default_rng(count).integers(-2000, 2000, x.shape)
    return x, y


def _sums(standin: Any, x: Any) -> np.ndarray:
    made: np.ndarray = standin.expected(np.array(x).view(np.uint8).ravel(), 2, 64, 4)
    return made.view(np.int16).reshape(-1, 2)


def test_a_board_runs_without_a_compiler(
    standin: Any, path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """pynq's driver of a DMA does not notice, and a warning says why it is slow."""
    pynq = pytest.importorskip("pynq")
    monkeypatch.setenv(VARIABLE, "netlist")
    board = VirtualZynq(21)
    overlay = pynq.Overlay(str(path), device=board)
    assert "runs in Python" in " ".join(capfd.readouterr().err.split())
    x, y = _buffers(pynq, 30, board)
    overlay.axi_dma_0.sendchannel.transfer(x)
    overlay.axi_dma_0.recvchannel.transfer(y)
    overlay.axi_dma_0.sendchannel.wait()
    overlay.axi_dma_0.recvchannel.wait()
    assert (np.array(y) == _sums(standin, x)).all()
    (timing,) = measure(overlay, batch_sizes=(30,), repeats=1).timings
    assert timing.kernel_cycles == 16 * 30 + 8


def test_a_transfer_has_waveforms(standin: Any, path: Path, tmp_path: Path) -> None:
    """As a call of a card: results, clocks and signals are those of the transfer."""
    pynq = pytest.importorskip("pynq")
    pytest.importorskip("vcd")
    board = VirtualZynq(22)
    overlay = pynq.Overlay(str(path), device=board)
    x, y = _buffers(pynq, 20, board)
    wave = trace(overlay.axi_dma_0, x, y, path=tmp_path / "transfer.vcd")
    assert (np.array(y) == _sums(standin, x)).all()
    offered, done = wave.find("in_r_TVALID"), wave.find("ap_done")
    began, ended = (next(t for t, v in zip(s.times, s.values, strict=True) if v) for s in (offered, done))
    assert (ended - began) * 100e6 == pytest.approx(16 * 20 + 8, abs=1e-3)
    assert max(value or 0 for value in wave.find("gather.index").values) == 15
    rows = [label.get_text() for label in wave.plot().axes[0].get_yticklabels()]
    assert {"in_r_TVALID", "in_r_TREADY", "out_r_TDATA", "out_r_TLAST"} <= set(rows)
    with pytest.raises(InvalidInputError, match="a buffer to send"):
        trace(overlay.axi_dma_0, x)
    with pytest.raises(CardError, match="halted") as error:
        trace(overlay.axi_dma_0, x, y[:3], path=tmp_path / "short.vcd")
    assert "short.vcd" in error.value.__notes__[0]
