"""A call with its waveforms: every clock of a kernel written down, as a VCD file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fpgaclass.card.design import KernelDesign
from fpgaclass.card.memory import CardMemory
from fpgaclass.card.netlist.kernel_simulator import NetlistSimulator
from fpgaclass.card.netlist.program import compile_netlist
from fpgaclass.card.netlist.stream_simulator import NetlistStream
from fpgaclass.card.waves.waveform import Waveform
from fpgaclass.core import InvalidInputError

_PS = 1_000_000
_WATCHDOG = 10_000


def trace(kernel: Any, *args: Any, path: str | Path | None = None) -> Waveform:
    """Call a kernel of a virtual card or board and write down all that moves, clock by clock.

    It is the call ``kernel.call(*args)`` with the same results in the card's memory and the same clocks, on
    the kernel's netlist in Python (some ten thousand clocks a second: a few hundred events, not a million).
    On a board it is a transfer of one buffer to the kernel and of its results into another.

    Args:
        kernel: a compute unit of an overlay on a virtual card, such as ``overlay.krnl_rtl_1``; or a DMA of
            one on a virtual board, such as ``overlay.axi_dma_0``.
        args: as for its ``call``; for a DMA, the buffer to send and the one to receive into.
        path: of the VCD file; a new file in the temporary folder when None.

    Returns:
        The waveforms of the run, from some clocks before its start to its end: ports, and the named nets of
        the shell. They are written for a run that fails, too: their path is in a note of the error.

    Raises:
        InvalidInputError: it is not a kernel of a virtual card or board, or the arguments do not fit.
        ToolMissingError: there is no yosys, or no pyvcd.
        BusError, HungKernelError, CardError: as from ``call``; or the DMA halted.

    Example:
        >>> trace(overlay.krnl_rtl_1, x, y, x.size, y.size).plot()  # doctest: +SKIP
        >>> trace(overlay.axi_dma_0, x, y).plot()  # doctest: +SKIP
    """
    device = getattr(kernel, "device", None)
    design, memory = getattr(device, "design", None), getattr(device, "memory", None)
    if isinstance(design, KernelDesign) and isinstance(memory, CardMemory):
        if getattr(kernel, "signature", None):
            return _trace_call(design, memory, kernel.signature, args, path)
        if getattr(kernel, "sendchannel", None) is not None and getattr(kernel, "recvchannel", None):
            return _trace_transfer(design, memory, args, path)
    what = "waveforms are of kernels of a virtual card that can be called, and of a virtual board's DMAs"
    next_step = "trace(overlay.krnl_rtl_1, ...), or trace(overlay.axi_dma_0, x, y) on a board"
    raise InvalidInputError(what, next_step=next_step)


def _trace_call(
    design: KernelDesign, memory: CardMemory, signature: Any, args: Sequence[Any], path: str | Path | None
) -> Waveform:
    try:
        values = signature.bind(*args).args
        numbers = [int(getattr(value, "device_address", value)) for value in values]
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"the arguments do not fit {design.name}{signature}: {error}") from error
    simulator = NetlistSimulator(compile_netlist(design, watched=True))
    wired = {argument.bank for argument in design.arguments if argument.bank is not None}
    for allocation in memory.allocations(wired):
        simulator.map(allocation.address, allocation.device)

    def run() -> None:
        for argument, number in zip(design.arguments, numbers, strict=True):
            for shift in range(0, argument.size, 4):
                simulator.write(argument.offset + shift, number >> 8 * shift)
        simulator.write(0, 1)
        simulator.run(watchdog=_WATCHDOG)

    return _record(simulator, design, run, path)


def _trace_transfer(
    design: KernelDesign, memory: CardMemory, args: Sequence[Any], path: str | Path | None
) -> Waveform:
    if len(args) != 2 or not all(hasattr(one, "device_address") and hasattr(one, "nbytes") for one in args):
        raise InvalidInputError("a DMA takes a buffer to send and one to receive into: trace(dma, x, y)")
    x, y = args
    simulator = NetlistStream(compile_netlist(design, watched=True))
    for allocation in memory.allocations():
        simulator.map(allocation.address, allocation.device)

    def run() -> None:
        simulator.transfer(x.device_address, x.nbytes, y.device_address, y.nbytes, watchdog=_WATCHDOG)

    x.sync_to_device()
    try:
        return _record(simulator, design, run, path)
    finally:
        y.sync_from_device()


def _record(
    simulator: NetlistSimulator, design: KernelDesign, run: Callable[[], None], path: str | Path | None
) -> Waveform:
    """Run something on a simulator and return its waveforms."""
    from vcd import VCDWriter

    target = Path(path) if path is not None else Path(tempfile.mkdtemp()) / "call.vcd"
    try:
        file = target.open("w")
    except OSError as error:
        raise InvalidInputError(
            f"the waveforms cannot be written: {error.strerror}", where=str(target)
        ) from error
    with file, VCDWriter(file, timescale="1 ps", comment="fpgaclass: simulated clock by clock") as writer:
        simulator.watcher = _watcher(simulator, writer, _PS / design.clock_mhz)
        try:
            simulator.idle(1)
            run()
            simulator.idle(4)
        except Exception as error:
            error.add_note(f"its waveforms: {target}")
            raise
    return Waveform.read(target)


def _watcher(
    simulator: NetlistSimulator, writer: Any, period: float
) -> Callable[[int, Sequence[int], Sequence[int]], None]:
    variables = []
    for name in (*simulator.inputs, *simulator.outputs):
        scope, _, short = f"kernel.{name}".rpartition(".")
        variables.append(writer.register_var(scope, short, "wire", size=simulator.widths[name], init=0))
    clock = writer.register_var("kernel", "ap_clk", "wire", size=1, init=0)
    before: list[int] = [0] * len(variables)

    def watch(now: int, inputs: Sequence[int], shown: Sequence[int]) -> None:
        time = round(now * period)
        writer.change(clock, time, 1)
        for position, value in enumerate((*inputs, *shown)):
            if value != before[position]:
                before[position] = value
                writer.change(variables[position], time, value)
        writer.change(clock, round((now + 0.5) * period), 0)

    return watch
