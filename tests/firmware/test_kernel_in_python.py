"""A trained network's kernel without a C++ compiler: its netlist in Python says what the model says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fpgaclass.card import KernelDesign, KernelSimulator, compile_kernel
from fpgaclass.card.netlist.kernel_simulator import NetlistSimulator
from fpgaclass.card.netlist.program import compile_netlist
from fpgaclass.firmware.board import load_board
from fpgaclass.firmware.checking.verify import spread_events
from fpgaclass.firmware.kernel import make_design
from fpgaclass.firmware.network import trace_network, write_rtl

pytestmark = pytest.mark.xdist_group("test_trace")  # whose worker has the trained model


@pytest.fixture(scope="module")
def built(quantised_model: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, KernelDesign]:
    """The network as logic, and as a kernel."""
    board = load_board("u250")
    network = trace_network(quantised_model)
    rtl = write_rtl(network, board, tmp_path_factory.mktemp("rtl"))
    return network, make_design(network, rtl, board, {"stages": rtl.stages})


def _run(simulator: Any, network: Any, design: KernelDesign, events: np.ndarray) -> tuple[np.ndarray, int]:
    words = network.inputs.encode(events)
    memory = np.zeros(1 << 22, np.uint8)
    memory[: words.nbytes] = np.ascontiguousarray(words).view(np.uint8).ravel()
    simulator.map(0x1000000, memory)
    results = len(events) * network.outputs.slot_words
    values = (0x1000000, 0x1200000, words.size, results)
    for argument, value in zip(design.arguments, values, strict=True):
        for shift in range(0, argument.size, 4):
            simulator.write(argument.offset + shift, value >> 8 * shift)
    simulator.write(0, 1)
    cycles = simulator.run()
    raw = memory[0x200000 : 0x200000 + results * network.outputs.dtype.itemsize].view(network.outputs.dtype)
    return network.outputs.decode(raw.reshape(len(events), -1)), cycles


def test_it_predicts_what_the_logic_says(built: tuple[Any, KernelDesign]) -> None:
    """Shell and network together, on events over the whole range of each input."""
    network, design = built
    events = spread_events(network.inputs, 300)
    found, _ = _run(NetlistSimulator(compile_netlist(design)), network, design, events)
    assert np.array_equal(found, network.predict(events))


@pytest.mark.proof
def test_it_takes_the_clocks_of_the_compiled_kernel(built: tuple[Any, KernelDesign]) -> None:
    """Ten thousand events: every bit, and the count of clocks."""
    network, design = built
    events = spread_events(network.inputs, 10_000)
    ours = _run(NetlistSimulator(compile_netlist(design)), network, design, events)
    theirs = _run(KernelSimulator(compile_kernel(design)), network, design, events)
    assert np.array_equal(ours[0], theirs[0])
    assert ours[1] == theirs[1]
