"""A compute unit: one instance of a kernel, with the thread on which it runs beside the host."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from fpgaclass.card.design import Argument, KernelDesign, Link
from fpgaclass.card.memory import CardMemory, Wiring
from fpgaclass.card.netlist.kernel_simulator import NetlistSimulator
from fpgaclass.card.simulation.kernel_simulator import WATCHDOG, KernelSimulator
from fpgaclass.card.timeline import Event, Timeline
from fpgaclass.card.turns import Turns
from fpgaclass.core import BusError, CardError, HungKernelError, wait_until

CONTROL = 0x0
AP_START, AP_DONE, AP_IDLE = 1, 2, 4


class ComputeUnit:
    """One instance of a kernel on a virtual card.

    Runs are taken in order by a thread of its own, so that the host goes on.

    Args:
        name: of the instance, such as ``"krnl_rtl_1"``.
        design: the kernel.
        simulator: its RTL; this unit is its only user.
        memory: of the card; only banks that the kernel's arguments name are wired to it.
        link: constants for the time of register accesses and launches.
        timeline: where events go.
        watchdog: cycles without a transfer after which a run counts as hung.
    """

    def __init__(
        self,
        name: str,
        design: KernelDesign,
        simulator: KernelSimulator | NetlistSimulator,
        memory: CardMemory,
        link: Link,
        timeline: Timeline,
        watchdog: int = WATCHDOG,
    ) -> None:
        self.name = name
        self._design, self._simulator, self._memory = design, simulator, memory
        self._link, self._timeline, self._watchdog = link, timeline, watchdog
        tags = {argument.bank for argument in design.arguments if argument.bank is not None}
        self._wiring = Wiring(memory, simulator, tags)
        self._turns = Turns(name)
        self._failure: CardError | None = None
        self._attending = 0  # runs that the thread has or will have: in these the kernel's time passes
        self._settled = threading.Event()
        self._settled.set()

    def read_register(self, offset: int) -> int:
        """Read a 32-bit register; raises what went wrong in a run that registers started."""
        started = time.perf_counter()
        with self._turns.visit():
            with self._explained():
                value = self._simulator.read(offset)
            ended = not self._simulator.status.running
            self._attend()  # with auto_restart a kernel starts itself again
        if ended:
            wait_until(self._settled.wait)  # so that nobody sees "idle" before it is known how the run ended
        self._timeline.add(self._access(), time.perf_counter() - started)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return value

    def write_register(self, offset: int, value: int) -> None:
        """Write a 32-bit register; a write that starts the kernel starts a run."""
        started = time.perf_counter()
        with self._turns.visit():
            runs = offset == CONTROL and bool(value & AP_START) and not self._simulator.status.running
            if runs:
                self._turns.ensure_open()
                self._wiring.refresh()
            with self._explained():
                self._simulator.write(offset, value)
            self._attend(runs)
        self._timeline.add(self._access(), time.perf_counter() - started)

    def launch(self, registers: Mapping[int, int], after: Sequence[Future[int]] = ()) -> Future[int]:
        """Queue a run with these register values (offset to value); the future gives its cycles."""
        future: Future[int] = Future()
        started = time.perf_counter()

        def job() -> None:
            future.set_running_or_notify_cancel()
            try:
                for earlier in after:
                    earlier.result()
                self._turns.ensure_open()
                with self._attended():
                    with self._turns.visit(), self._explained():
                        self._wiring.refresh()
                        for offset, value in registers.items():
                            self._simulator.write(offset, value)
                        self._simulator.write(CONTROL, AP_START)
                    cycles = self._finish()
                    with self._turns.visit(), self._explained():
                        self._simulator.read(CONTROL)  # ap_done clears as the scheduler reads it
                future.set_result(cycles)
            except BaseException as error:
                future.set_exception(error)

        self._turns.ensure_open()
        self._turns.submit(job)
        launch = Event("launch", self._link.launch_s, "modelled", 1, self.name)
        self._timeline.add(launch, time.perf_counter() - started)
        return future

    def close(self) -> None:
        """Stop what runs and end the thread."""
        self._turns.close()

    def _access(self) -> Event:
        return Event("registers", self._link.mmio_s, "modelled", 1, self.name)

    def _attend(self, started: bool = False) -> None:
        """Let a run that the scheduler knows nothing of go on beside the host; within a visit."""
        if started or (self._simulator.status.running and not self._attending):
            self._attending += 1
            self._settled.clear()
            self._turns.submit(self._run_started)

    @contextmanager
    def _attended(self) -> Iterator[None]:
        with self._turns.visit():
            self._attending += 1
        try:
            yield
        finally:
            with self._turns.visit():
                self._attending -= 1

    def _run_started(self) -> None:
        try:
            self._finish()
        except CardError as error:
            self._failure = error
        finally:
            with self._turns.visit():
                self._attending -= 1
            self._settled.set()

    def _finish(self) -> int:
        """Run to the end; return the cycles."""
        cycles = 0

        def advance(clocks: int) -> bool:
            nonlocal cycles
            with self._explained():
                ended = self._simulator.advance(clocks, self._watchdog)
            cycles = self._simulator.cycles
            return ended

        self._turns.run(advance)
        seconds = cycles / (self._design.clock_mhz * 1e6)
        self._timeline.add(Event("kernel", seconds, "simulated", cycles, self.name))
        return cycles

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except CardError as error:
            raise self._explain(error) from error

    def _explain(self, error: CardError) -> CardError:
        """Say which unit failed and with what in its registers, and put it back into a state that works."""
        status = self._simulator.status
        registers = self._registers()
        self._simulator.reset()
        if isinstance(error, BusError):
            verb = "wrote to" if status.fault_is_write else "read from"
            address = int(status.fault_address)
            wired = ", ".join(sorted(self._wiring.tags))
            return BusError(
                f"{self.name} {verb} {address:#x}, where nothing answers (AXI DECERR): that is "
                f"{self._memory.describe(address)}; it is wired to {wired}. Registers: {registers}",
                next_step="pass buffers of the wired bank that are as large as the lengths say; "
                "the kernel was reset",
            )
        if isinstance(error, HungKernelError):
            return HungKernelError(
                f"{self.name} hangs: not done, and nothing moved for {self._watchdog:,} cycles. "
                f"Registers: {registers}",
                next_step="check the lengths; the kernel was reset",
            )
        next_step = "open an overlay whose kernel is sound; this one was reset"
        return CardError(f"{self.name}: {error.what}. Registers: {registers}", next_step=next_step)

    def _registers(self) -> str:
        try:
            control = self._simulator.read(CONTROL)
            values = [f"{one.name}={self._value(one):#x}" for one in self._design.arguments]
        except CardError:
            return "cannot be read"
        names = {AP_START: "AP_START", AP_DONE: "AP_DONE", AP_IDLE: "AP_IDLE"}
        flags = " ".join(name for bit, name in names.items() if control & bit) or "no flag"
        return f"CTRL={control:#x} ({flags}), " + ", ".join(values)

    def _value(self, argument: Argument) -> int:
        low = self._simulator.read(argument.offset)
        return low | self._simulator.read(argument.offset + 4) << 32 if argument.is_pointer else low
