"""A stream kernel and its DMA on a virtual board, with the thread on which they run beside the host."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fpgaclass.card.design import KernelDesign, Link
from fpgaclass.card.memory import CardMemory, Wiring
from fpgaclass.card.netlist.stream_simulator import NetlistStream
from fpgaclass.card.simulation.kernel_simulator import WATCHDOG
from fpgaclass.card.simulation.stream_simulator import (
    ADDRESS,
    DECODE_ERROR,
    DMACR,
    DMASR,
    HALTED,
    IDLE,
    INTERNAL_ERROR,
    LENGTH,
    MM2S,
    S2MM,
    StreamSimulator,
)
from fpgaclass.card.timeline import Event, Timeline
from fpgaclass.card.turns import Turns
from fpgaclass.core import CardError, HungKernelError, Uninterrupted

# Someone who polls what cannot change any more is told so after this long and this often: a look at the
# registers now and then is not polling.
_PATIENCE_S = 2.0
_PATIENCE_POLLS = 50
# A look at a status while something runs lets it run on for this long first, rather than look again at once.
_POLL_S = 5e-3
# Two looks at a status in a row, no further apart than this, are one wait: the time between them is the
# card's, as it is on a board, where the transfer goes on meanwhile.
_GAP_S = 1e-3
_NAMES = {MM2S: "MM2S", S2MM: "S2MM"}


class StreamUnit:
    """One DMA with its kernel.

    Time passes on it while both directions have a transfer under way, or while someone looks at the status of
    one that has: a kernel's cycles do not depend on how long Python takes between two register writes.

    Args:
        name: of the hierarchy, such as ``"hier_0"``.
        design: the kernel.
        simulator: its RTL and its DMA; this unit is their only user.
        memory: of the board.
        link: constants for the time of register accesses and of setting up a transfer.
        timeline: where events go.
        watchdog: cycles without a transfer after which nothing more is expected to happen.
        interrupted: called with the levels of the DMA's two interrupt pins when they may have changed.
    """

    def __init__(
        self,
        name: str,
        design: KernelDesign,
        simulator: StreamSimulator | NetlistStream,
        memory: CardMemory,
        link: Link,
        timeline: Timeline,
        watchdog: int = WATCHDOG,
        interrupted: Callable[[tuple[bool, bool]], None] = lambda _: None,
    ) -> None:
        self.name = name
        self._design, self._simulator, self._memory = design, simulator, memory
        self._link, self._timeline, self._watchdog = link, timeline, watchdog
        self._interrupted = interrupted
        self._wiring = Wiring(memory, simulator, (bank.tag for bank in memory.banks))
        self._turns = Turns(name)
        self._works = self._stuck = False
        self._ended = threading.Event()
        self._ended.set()
        self._changed = time.monotonic()
        self._polls = 0
        self._polled = 0.0  # until when
        self._runs = 0
        self._failure: CardError | None = None
        self._to_tell: list[str] = []
        self._telling = threading.Lock()

    def read_dma(self, offset: int) -> int:
        """Read a 32-bit register of the DMA.

        Raises:
            HungKernelError: it is a status that cannot change any more, and a transfer is under way.
            CardError: the kernel broke.
        """
        started = time.perf_counter()
        is_status = offset in (MM2S + DMASR, S2MM + DMASR)
        with Uninterrupted():
            polls = is_status and not self._ended.is_set()
            if polls:
                self._ended.wait(_POLL_S)
        with self._turns.visit(), self._explained():
            value = self._simulator.dma_read(offset)
            self._after_clocks()
            if is_status:
                self._look(S2MM if offset >= S2MM else MM2S, value)
        self._end_access(started, polls)
        return value

    def write_dma(self, offset: int, value: int) -> None:
        """Write a 32-bit register of the DMA; a length starts a transfer."""
        started = time.perf_counter()
        self._turns.ensure_open()
        with self._turns.visit(), self._explained():
            before = self._simulator.busy
            if offset in (MM2S + LENGTH, S2MM + LENGTH):
                self._wiring.refresh()
            self._simulator.dma_write(offset, value)
            self._begin_anew()
            if self._simulator.busy != before:
                self._timeline.add(Event("launch", self._link.dma_setup_s, "modelled", 1, self.name))
            self._after_clocks()
            if all(self._simulator.busy):
                self._wake()
        self._end_access(started)

    def read_kernel(self, offset: int) -> int:
        """Read a 32-bit register of the kernel."""
        started = time.perf_counter()
        with self._turns.visit(), self._explained():
            value = self._simulator.read(offset)
            self._after_clocks()
        self._end_access(started)
        return value

    def write_kernel(self, offset: int, value: int) -> None:
        """Write a 32-bit register of the kernel."""
        started = time.perf_counter()
        self._turns.ensure_open()
        with self._turns.visit(), self._explained():
            self._simulator.write(offset, value)
            self._after_clocks()
        self._end_access(started)

    def close(self) -> None:
        """Stop what runs and end the thread."""
        self._turns.close()

    def _end_access(self, started: float, polls: bool = False) -> None:
        if polls:  # beside a transfer, and as often as this machine is slow: no part of a board's time
            now = time.perf_counter()
            self._timeline.waited(now - (self._polled if started - self._polled < _GAP_S else started))
            self._polled = now
        else:
            self._polled = 0.0
            access = Event("registers", self._link.mmio_s, "modelled", 1, self.name)
            self._timeline.add(access, time.perf_counter() - started)
        with self._telling:
            tell, self._to_tell = self._to_tell, []
            failure, self._failure = self._failure, None
        for text in tell:
            warnings.warn(text, RuntimeWarning, stacklevel=4)
        if failure is not None:
            raise failure

    # From here on to be called with the simulator to oneself.

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except CardError as error:
            raise self._broken(error) from error

    def _broken(self, error: CardError) -> CardError:
        """Say which unit broke and with what in its registers, and put it back into a state that works."""
        registers = self._registers()
        self._simulator.reset()
        next_step = "open an overlay whose kernel is sound; this one was reset"
        return CardError(f"{self.name}: {error.what}. Registers: {registers}", next_step=next_step)

    def _begin_anew(self) -> None:
        self._changed, self._polls, self._stuck = time.monotonic(), 0, False
        self._simulator.be_patient()

    def _look(self, channel: int, status: int) -> None:
        """Let time pass for someone who waits; tell them if that is of no use."""
        failed = bool(status & HALTED and status & (INTERNAL_ERROR | DECODE_ERROR))
        busy = self._simulator.busy[channel == S2MM]
        if not failed and not busy and status & (HALTED | IDLE):
            return
        self._polls += 1
        if busy and not failed and not self._stuck:
            self._wake()
        elif self._polls > _PATIENCE_POLLS and time.monotonic() - self._changed > _PATIENCE_S:
            self._failure = self._explain(channel, failed, busy)
            self._begin_anew()
            self._stuck = True

    def _wake(self) -> None:
        if not self._works:
            self._works = True
            self._ended.clear()
            self._turns.submit(self._work)

    def _work(self) -> None:
        try:
            self._turns.run(self._advance)
        except CardError as error:
            self._works = False
            self._failure = error
        finally:
            self._ended.set()

    def _advance(self, clocks: int) -> bool:
        try:
            ended = self._simulator.advance(clocks, self._watchdog)
        except HungKernelError:
            ended = self._stuck = True
        except CardError as error:
            ended = True
            self._failure = self._broken(error)
        self._after_clocks()
        if ended:
            self._works = False
        return ended

    def _after_clocks(self) -> None:
        """See what came of the clocks that have passed: ends of runs, faults, interrupts."""
        status = self._simulator.status
        if status.runs != self._runs:
            self._runs, cycles = status.runs, status.run_cycles
            seconds = cycles / (self._design.clock_mhz * 1e6)
            self._timeline.add(Event("kernel", seconds, "simulated", cycles, self.name))
        if status.fault:
            self._simulator.forgive()
            with self._telling:
                self._to_tell.append(self._describe_fault(status.fault_address, bool(status.fault_is_write)))
        self._interrupted(self._simulator.interrupts[:2])

    def _describe_fault(self, address: int, is_write: bool) -> str:
        channel = S2MM if is_write else MM2S
        name, verb = f"{self.name}/axi_dma_0 ({_NAMES[channel]})", "write to" if is_write else "read from"
        beat = int(self._design.about["beat_bytes"])
        if not self._simulator.dma_read(channel + DMASR) & INTERNAL_ERROR:
            what = f"could not {verb} {address:#x}, where nothing answers (DMADecErr): that is "
            what += self._memory.describe(address)
        elif self._simulator.dma_read(channel + ADDRESS) % beat:
            what = f"cannot {verb} {address:#x}, which is not a multiple of {beat} bytes"
        else:
            length = self._simulator.dma_read(channel + LENGTH)
            what = f"was sent a packet longer than the {length:,} bytes that it was to receive (DMAIntErr)"
        return f"{name} {what}; it has halted until a reset (DMACR bit 2)"

    def _explain(self, channel: int, failed: bool, busy: bool) -> HungKernelError:
        sending, receiving = self._simulator.busy
        if not failed and not busy:
            why = f"its {_NAMES[channel]} channel was given no transfer, or one of no bytes, to wait for"
        elif failed:
            why = (
                f"its {_NAMES[channel]} channel has halted after an error, and only a reset lets it run again"
            )
        elif channel == S2MM and receiving and not sending:
            why = "the receiving channel waits and nothing is being sent"
        elif channel == MM2S and sending and not receiving:
            why = "the sending channel waits for room, and nothing receives the results"
        else:
            why = "neither channel moves"
        next_step = "reset the DMA: axi_dma_0.write(0, 4), then sendchannel.start() and recvchannel.start()"
        if not failed:
            first = "start the other channel's transfer" if busy else "call transfer(...) before wait()"
            next_step = f"{first}, or {next_step}"
        what = f"{self.name}/axi_dma_0 hangs: {why}. Registers: {self._registers()}"
        return HungKernelError(what, next_step=next_step)

    def _registers(self) -> str:
        names = {DMACR: "DMACR", DMASR: "DMASR", ADDRESS: "ADDRESS", LENGTH: "LENGTH"}
        try:
            return ", ".join(
                f"{_NAMES[channel]}_{name}={self._simulator.dma_read(channel + offset):#x}"
                for channel in (MM2S, S2MM)
                for offset, name in names.items()
            )
        except CardError:
            return "cannot be read"
