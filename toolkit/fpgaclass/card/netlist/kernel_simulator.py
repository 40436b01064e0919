"""A kernel's netlist on its own clock in Python: what ``KernelSimulator`` does, without a C++ compiler.

The bench around it is that of ``bench.hpp`` and ``memory.cpp`` of the harness, step by step: the same clocks,
the same dice, the same refusals. Tests hold the two together. Kernels with streams: ``stream_simulator``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fpgaclass.card.netlist.bus import Bus, MemoryBus, Pins
from fpgaclass.card.simulation.kernel_simulator import (
    BROKEN,
    BUDGET,
    DONE,
    FAULT,
    HUNG,
    READ_LATENCY,
    WATCHDOG,
    WRITE_LATENCY,
    Status,
    check_timing,
    failure_of,
)
from fpgaclass.core import CardError, HungKernelError

_LITE_PATIENCE = 1000
_Clock = Callable[[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]]


class NetlistSimulator:
    """One instance of a kernel's netlist between an AXI4-Lite master and an AXI4 memory.

    It has the methods of ``KernelSimulator``, and the same cycles.

    Args:
        program: what ``compile_netlist`` wrote.
        read_latency: as for ``KernelSimulator``, and so on.

    Attributes:
        widths: bits of each input and output.
        watcher: called in each clock with its number and the values of ``inputs`` and ``outputs``.
    """

    def __init__(
        self,
        program: Path,
        *,
        read_latency: int = READ_LATENCY,
        write_latency: int = WRITE_LATENCY,
        stall_permille: int = 0,
        seed: int = 0,
        stop_on_fault: bool = True,
    ) -> None:
        check_timing(read_latency, write_latency, stall_permille, seed)
        made: dict[str, Any] = {}
        try:
            exec(compile(program.read_text(), str(program), "exec"), made)
        except (OSError, SyntaxError, ValueError) as error:
            next_step = "delete it and try again"
            what = f"the simulator cannot be loaded: {error}"
            raise CardError(what, where=str(program), next_step=next_step) from error
        self._state, clock = made["make"]()
        self._clock: _Clock = clock
        self._pins = Pins(made["INPUTS"], made["OUTPUTS"])
        self.widths: dict[str, int] = made["WIDTHS"]
        self.watcher: Callable[[int, Sequence[int], Sequence[int]], None] | None = None
        self._reset_position = self._pins.inputs["ap_rst_n"]
        self._stop_on_fault = stop_on_fault
        self._now = self._begun = 0
        self._status = Status()
        self._last_shown: tuple[int, ...] = (0,) * (len(self._pins.out))
        self._bus = self._make_bus(self._pins, read_latency, write_latency, self._status)
        self.reset()
        self._bus.stall(stall_permille, seed)

    def _make_bus(self, pins: Pins, read_latency: int, write_latency: int, status: Status) -> Bus:
        return MemoryBus(pins, self.widths["m_axi_gmem_RDATA"] // 8, read_latency, write_latency, status)

    def reset(self) -> None:
        """Pull the kernel's reset; registers go to zero and open transfers are forgotten."""
        self._bus.message = ""
        self._pull_reset()

    def _pull_reset(self) -> None:
        self._bus.forget()
        for name in ("AWVALID", "WVALID", "BREADY", "ARVALID", "RREADY"):
            self._pins.set(f"s_axi_control_{name}", 0)
        self._pins.set("ap_rst_n", 0)
        self.idle(16)
        self._bus.forget()
        self._pins.set("ap_rst_n", 1)
        self.idle(4)
        self._status.running = self._status.fault = 0

    def map(self, address: int, memory: Any) -> None:
        """Put a writable buffer of the host behind a device address; it stays in use until unmapped."""
        view = memoryview(memory).cast("B")
        if view.readonly:
            raise TypeError("the buffer is not writable")
        self._bus.regions[address] = view

    def unmap_all(self) -> None:
        """Forget all memory."""
        self._bus.regions.clear()

    def write(self, offset: int, value: int) -> None:
        """Write a 32-bit register over AXI4-Lite."""
        self._pins.set("s_axi_control_AWADDR", offset)
        self._pins.set("s_axi_control_WDATA", value & 0xFFFFFFFF)
        self._pins.set("s_axi_control_WSTRB", 15)
        for name in ("AWVALID", "WVALID", "BREADY"):
            self._pins.set(f"s_axi_control_{name}", 1)
        for _ in range(_LITE_PATIENCE):
            shown = self._tick()
            taken = {name: self._lite(name, shown) for name in ("AW", "W", "B")}
            for name in ("AW", "W"):
                if taken[name]:
                    self._pins.set(f"s_axi_control_{name}VALID", 0)
            if taken["B"]:
                self._pins.set("s_axi_control_BREADY", 0)
                return
        raise CardError("the kernel broke: the control port did not answer a write")

    def read(self, offset: int) -> int:
        """Read a 32-bit register over AXI4-Lite."""
        self._pins.set("s_axi_control_ARADDR", offset)
        for name in ("ARVALID", "RREADY"):
            self._pins.set(f"s_axi_control_{name}", 1)
        for _ in range(_LITE_PATIENCE):
            shown = self._tick()
            if self._lite("AR", shown):
                self._pins.set("s_axi_control_ARVALID", 0)
            if self._lite("R", shown):
                self._pins.set("s_axi_control_RREADY", 0)
                return shown[self._pins.out["s_axi_control_RDATA"]]
        raise CardError("the kernel broke: the control port did not answer a read")

    def idle(self, cycles: int) -> None:
        """Let the clock run, whatever the kernel does."""
        for _ in range(cycles):
            self._tick()

    def advance(self, cycles: int, watchdog: int = WATCHDOG) -> bool:
        """Let a started kernel run for at most that many cycles; True when it is not running (any more).

        Raises:
            BusError, HungKernelError, CardError: as ``KernelSimulator.advance``.
        """
        status = self._status
        for _ in range(cycles):
            if not status.running:
                break
            self._tick()
            if self._bus.message or (status.fault and self._stop_on_fault):
                break
            if status.running and self._now - self._bus.last_transfer > watchdog:
                raise failure_of(HUNG, self.status, "")
        if self._bus.message:
            raise failure_of(BROKEN, self.status, self._bus.message)
        if status.fault and self._stop_on_fault:
            raise failure_of(FAULT, self.status, "")
        return (BUDGET if status.running else DONE) == DONE

    def run(self, max_cycles: int = 1 << 40, watchdog: int = WATCHDOG) -> int:
        """Let a started kernel run to its end and return its cycles, exact as ``KernelSimulator.run``."""
        if not self.advance(max_cycles, watchdog):
            raise HungKernelError(f"the kernel did not finish within {max_cycles:,} cycles")
        return self.cycles

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the kernel's inputs."""
        return tuple(self._pins.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what it shows: its outputs, and its nets where the program is a watched one."""
        return tuple(self._pins.out)

    @property
    def status(self) -> Status:
        """Counters as of now."""
        self._status.now = self._now
        return Status.from_buffer_copy(self._status)

    @property
    def cycles(self) -> int:
        """Cycles of the last run that ended."""
        return int(self._status.run_cycles)

    def _lite(self, channel: str, shown: tuple[int, ...]) -> bool:
        """Say whether a channel of the control port has moved in this clock."""
        ours, theirs = ("VALID", "READY") if channel in ("AW", "W", "AR") else ("READY", "VALID")
        name = f"s_axi_control_{channel}"
        return bool(
            self._pins.values[self._pins.inputs[name + ours]] and shown[self._pins.out[name + theirs]]
        )

    def _tick(self) -> tuple[int, ...]:
        """Run one clock and return what the kernel showed before its edge."""
        self._bus.drive(self._now)
        shown, self._state = self._clock(self._state, tuple(self._pins.values))
        if self.watcher is not None:
            self.watcher(self._now, self._pins.values, shown)
        self._count_run(shown[-2], shown[-1])
        if self._pins.values[self._reset_position]:
            self._bus.transfer(shown)
        self._now += 1
        self._last_shown = shown
        return shown

    def _count_run(self, start: int, done: int) -> None:
        status = self._status
        if start and not status.running:
            status.running = 1
            self._begun = self._bus.last_transfer = self._now
        if done and status.running:
            status.running = 0
            status.run_cycles = self._now - self._begun
            status.runs += 1
