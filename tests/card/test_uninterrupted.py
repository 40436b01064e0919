"""Ctrl-C at any moment: the cell stops, and the next one works."""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import VirtualCard, write_xclbin
from fpgaclass.core import Uninterrupted

pynq = pytest.importorskip("pynq")


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    """Ctrl-C, pressed by an alarm clock; pressed once too often does no harm."""
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    sys.last_value = None
    signal.signal(signal.SIGALRM, before)


def _pressed_after(seconds: float, cell: Callable[[], None]) -> bool:
    """Run something that is interrupted after a while; say whether it was."""
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            cell()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt as interrupt:
        sys.last_value = interrupt  # as IPython does: whatever the frames hold stays alive
        return True
    return False


def _seconds(cell: Callable[[], None]) -> float:
    started = time.perf_counter()
    cell()
    return time.perf_counter() - started


def test_an_interrupt_waits_for_the_end() -> None:
    """The block is whole, and what follows is not reached."""
    steps = []

    def cell() -> None:
        with Uninterrupted():
            with Uninterrupted():
                signal.raise_signal(signal.SIGINT)
                steps.append("inner")
            steps.append("outer")
        steps.append("after")

    with pytest.raises(KeyboardInterrupt):
        cell()
    assert steps == ["inner", "outer"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_error_in_the_block_stays_visible() -> None:
    """Both happened: the interrupt stops the cell, the error is its context."""

    def cell() -> None:
        with Uninterrupted():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("of the block")

    with pytest.raises(KeyboardInterrupt) as interrupt:
        cell()
    assert isinstance(interrupt.value.__context__, ValueError)


def test_the_main_thread_does_not_ask_whether_it_lives(
    standin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt inside that question is answered by Python with "no", now and ever after."""
    path = write_xclbin(tmp_path / "s.xclbin", standin.sum_design(), banks=standin.BANKS, link=standin.LINK)
    unit = pynq.Overlay(str(path), device=VirtualCard(912)).krnl_rtl_1
    x = pynq.allocate((4, 32), np.int16, target=unit.device)
    main = threading.main_thread()
    monkeypatch.setattr(main, "is_alive", lambda: threading.current_thread() is not main)
    unit.call(x, x, x.size, 4)
    unit.write(0, 1)


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.proof)])
@pytest.mark.parametrize("simulator", ["compiled", "netlist"])
def test_the_next_cell_works(
    standin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: str, count: int
) -> None:
    """A call and a run by registers, interrupted anywhere and run again, give the right results."""
    monkeypatch.setenv("FPGACLASS_SIMULATOR", simulator)
    path = write_xclbin(tmp_path / "s.xclbin", standin.sum_design(), banks=standin.BANKS, link=standin.LINK)
    unit = pynq.Overlay(str(path), device=VirtualCard(911)).krnl_rtl_1
    events = 5000 if simulator == "compiled" else 20
    x, y = (pynq.allocate(shape, np.int16, target=unit.device) for shape in ((events, 32), (events,)))

    def call() -> None:
        x.sync_to_device()
        unit.call(x, y, x.size, y.size)
        y.sync_from_device()

    def by_registers() -> None:
        x.sync_to_device()
        registers = unit.register_map
        registers.fifo_in, registers.fifo_out = x.device_address, y.device_address
        registers.length_r_in, registers.length_r_out = x.size, y.size
        registers.CTRL.AP_START = 1
        deadline = time.monotonic() + 20
        while not registers.CTRL.AP_IDLE:
            assert time.monotonic() < deadline
        y.sync_from_device()

    rng = random.Random(7)
    for cell in (call, by_registers):
        cell()
        taken = min(_seconds(cell) for _ in range(3))  # other work on this machine is not the cell's
        interrupted = 0
        for seed in range(count):
            x[:] = np.random.default_rng(seed).integers(-2000, 2000, x.shape)
            interrupted += _pressed_after(rng.uniform(1e-5, taken), cell)
            y[:] = 0
            with suppress(KeyboardInterrupt):
                time.sleep(2 * taken)
            cell()
            assert (np.array(y) == standin.expected(np.array(x).view(np.uint8).ravel()).view(np.int16)).all()
        assert interrupted > count / 10
