"""A stream kernel's netlist behind an AXI DMA in Python: what ``StreamSimulator`` does, without a compiler.

Tests hold the two together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fpgaclass.card.netlist.bus import Pins
from fpgaclass.card.netlist.dma import StreamBus
from fpgaclass.card.netlist.kernel_simulator import NetlistSimulator
from fpgaclass.card.simulation.kernel_simulator import (
    BROKEN,
    HUNG,
    READ_LATENCY,
    WATCHDOG,
    WRITE_LATENCY,
    Status,
    failure_of,
)
from fpgaclass.card.simulation.stream_simulator import (
    DMACR,
    LENGTH_BITS,
    MM2S,
    RESET,
    S2MM,
    check_length_bits,
    move_packet,
)

_ACCESS_CLOCKS = 4
_END = 0x5C  # of the DMA's registers


class NetlistStream(NetlistSimulator):
    """One instance of a stream kernel's netlist between two channels of an AXI DMA.

    It has the methods of ``StreamSimulator``, and the same cycles.

    Args:
        program: what ``compile_netlist`` wrote.
        read_latency: as for ``StreamSimulator``, and so on.
    """

    _bus: StreamBus

    def __init__(
        self,
        program: Path,
        *,
        read_latency: int = READ_LATENCY,
        write_latency: int = WRITE_LATENCY,
        stall_permille: int = 0,
        seed: int = 0,
        length_bits: int = LENGTH_BITS,
        ends_packets: bool = True,
    ) -> None:
        super().__init__(
            program,
            read_latency=read_latency,
            write_latency=write_latency,
            stall_permille=stall_permille,
            seed=seed,
            stop_on_fault=False,
        )
        check_length_bits(length_bits)
        self._bus.length_mask = (1 << length_bits) - 1
        self.set_packets(ends_packets)

    def _make_bus(self, pins: Pins, read_latency: int, write_latency: int, status: Status) -> StreamBus:
        return StreamBus(pins, self.widths["in_r_TDATA"] // 8, read_latency, write_latency, status)

    def set_packets(self, ends: bool) -> None:
        """Say whether the last beat of a transfer to the kernel ends a packet (has TLAST)."""
        self._bus.ends_packets = ends

    def dma_write(self, offset: int, value: int) -> None:
        """Write a 32-bit register of the DMA; it takes four clocks."""
        self.idle(_ACCESS_CLOCKS)
        if offset in (MM2S + DMACR, S2MM + DMACR) and value & RESET:
            self._pull_reset()
        elif offset < _END:
            self._bus.write_register(self._now, offset, value & 0xFFFFFFFF)

    def dma_read(self, offset: int) -> int:
        """Read a 32-bit register of the DMA; it takes four clocks."""
        self.idle(_ACCESS_CLOCKS)
        return self._bus.read_register(offset)

    def transfer(self, source: int, sent: int, target: int, room: int, watchdog: int = WATCHDOG) -> int:
        """Send bytes from one address as a packet, receive its results at another; return their bytes.

        Raises:
            CardError: as ``StreamSimulator.transfer``.
        """
        return move_packet(self, source, sent, target, room, watchdog)

    def advance(self, cycles: int, watchdog: int = WATCHDOG) -> bool:
        """Let transfers run for at most that many clocks; True when none is under way (any more).

        Raises:
            HungKernelError, CardError: as ``StreamSimulator.advance``.
        """
        for _ in range(cycles):
            if self._bus.message:
                break
            if not any(self.busy):
                return True
            if self._now - self._bus.last_transfer > watchdog:
                raise failure_of(HUNG, self.status, "")
            self._tick()
        if self._bus.message:
            raise failure_of(BROKEN, self.status, self._bus.message)
        return False

    @property
    def interrupts(self) -> tuple[bool, bool, bool]:
        """The interrupt pins: of the sending channel, the receiving one, and the kernel."""
        return self._bus.sending.interrupts, self._bus.receiving.interrupts, bool(self._shown("interrupt"))

    @property
    def busy(self) -> tuple[bool, bool]:
        """Whether the sending and the receiving channel have a transfer under way."""
        return self._bus.sending.busy, self._bus.receiving.busy

    def forgive(self) -> None:
        """Forget the fault that ``status`` tells of, so that the next one is told."""
        self._status.fault = 0

    def be_patient(self) -> None:
        """Start the watchdog's count anew."""
        self._bus.last_transfer = self._now

    def _shown(self, name: str) -> Any:
        return self._last_shown[self._pins.out[name]]
