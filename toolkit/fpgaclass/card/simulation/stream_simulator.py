"""A compiled stream kernel behind an AXI DMA, on its own clock."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, Protocol

from fpgaclass.card.simulation.kernel_simulator import READ_LATENCY, WATCHDOG, WRITE_LATENCY, KernelSimulator
from fpgaclass.core import CardError, InvalidInputError

LENGTH_BITS = 26
# Registers of a channel, and where the second channel's begin.
DMACR, DMASR, ADDRESS, LENGTH = 0x00, 0x04, 0x18, 0x28
MM2S, S2MM = 0x00, 0x30
RS, RESET = 1, 4
HALTED, IDLE, INTERNAL_ERROR, DECODE_ERROR, DONE_IRQ, ERROR_IRQ = 0x1, 0x2, 0x10, 0x40, 0x1000, 0x4000


class Dma(Protocol):
    """A simulator's DMA, by its registers."""

    def dma_write(self, offset: int, value: int) -> None:
        """Write a register."""

    def dma_read(self, offset: int) -> int:
        """Read a register."""

    def advance(self, cycles: int, watchdog: int = WATCHDOG) -> bool:
        """Let transfers run; True when none is under way."""


def check_length_bits(bits: int) -> None:
    """Check the width of a DMA's length register.

    Raises:
        InvalidInputError: no DMA has such a one.
    """
    if not 8 <= bits <= LENGTH_BITS:
        raise InvalidInputError(f"a DMA's length register has 8 to {LENGTH_BITS} bits")


def move_packet(dma: Dma, source: int, sent: int, target: int, room: int, watchdog: int = WATCHDOG) -> int:
    """Send bytes from one address as a packet, receive its results at another; return their bytes.

    Raises:
        CardError: as ``advance``; or a channel halted, because of an address or a room that is too small.
    """
    for channel, address, size in ((S2MM, target, room), (MM2S, source, sent)):
        dma.dma_write(channel + DMACR, RS)
        dma.dma_write(channel + ADDRESS, address)
        dma.dma_write(channel + LENGTH, size)
    while not dma.advance(1 << 40, watchdog):
        pass
    for channel in (MM2S, S2MM):
        status = dma.dma_read(channel + DMASR)
        if status & HALTED:
            raise CardError(f"the DMA halted, with status {status:#x} (channel at {channel:#x})")
    return dma.dma_read(S2MM + LENGTH)


class StreamSimulator(KernelSimulator):
    """One instance of a stream kernel between two channels of an AXI DMA.

    ``read``, ``write`` reach the kernel's own registers, ``dma_read``, ``dma_write`` those of the DMA. The
    DMA is the one of AMD's product guide PG021 in direct register mode, without data realignment: memory
    gives and takes a beat a clock, the first one ``read_latency`` clocks after a transfer was started, and a
    received packet counts as written ``write_latency`` clocks after its last beat. With ``stall_permille``
    each side refuses that fraction of the clocks at random, from ``seed``.

    A run's cycles are counted from the first word that is offered to the kernel to the last beat of its
    packet of results.

    Example:
        >>> simulator = StreamSimulator(compile_kernel(design))  # doctest: +SKIP
        >>> simulator.map(0x1000, bytearray(4096))  # doctest: +SKIP
        >>> simulator.dma_write(MM2S + DMACR, RS)  # doctest: +SKIP
        >>> simulator.dma_write(MM2S + ADDRESS, 0x1000)  # doctest: +SKIP
        >>> simulator.dma_write(MM2S + LENGTH, 640)  # doctest: +SKIP
    """

    def __init__(
        self,
        library: Path,
        *,
        read_latency: int = READ_LATENCY,
        write_latency: int = WRITE_LATENCY,
        stall_permille: int = 0,
        seed: int = 0,
        length_bits: int = LENGTH_BITS,
        ends_packets: bool = True,
    ) -> None:
        super().__init__(
            library,
            read_latency=read_latency,
            write_latency=write_latency,
            stall_permille=stall_permille,
            seed=seed,
            stop_on_fault=False,
        )
        _declare(self._lib)
        check_length_bits(length_bits)
        self._length_bits = length_bits
        self.set_packets(ends_packets)

    def set_packets(self, ends: bool) -> None:
        """Say whether the last beat of a transfer to the kernel ends a packet (has TLAST)."""
        self._lib.fk_dma_setup(self._handle, self._length_bits, int(ends))

    def dma_write(self, offset: int, value: int) -> None:
        """Write a 32-bit register of the DMA; it takes four clocks."""
        self._check(self._lib.fk_dma_write(self._handle, offset, value & 0xFFFFFFFF))

    def dma_read(self, offset: int) -> int:
        """Read a 32-bit register of the DMA; it takes four clocks."""
        value = ctypes.c_uint32()
        self._check(self._lib.fk_dma_read(self._handle, offset, ctypes.byref(value)))
        return value.value

    def transfer(self, source: int, sent: int, target: int, room: int) -> int:
        """Send bytes from one address as a packet, receive its results at another; return their bytes.

        Raises:
            CardError: as ``advance``; or a channel halted, because of an address or a room that is too small.
        """
        return move_packet(self, source, sent, target, room)

    @property
    def interrupts(self) -> tuple[bool, bool, bool]:
        """The interrupt pins: of the sending channel, the receiving one, and the kernel."""
        lines = self._lib.fk_dma_lines(self._handle)
        return bool(lines & 1), bool(lines & 2), bool(lines & 4)

    @property
    def busy(self) -> tuple[bool, bool]:
        """Whether the sending and the receiving channel have a transfer under way."""
        lines = self._lib.fk_dma_lines(self._handle)
        return bool(lines & 8), bool(lines & 16)

    def forgive(self) -> None:
        """Forget the fault that ``status`` tells of, so that the next one is told."""
        self._lib.fk_dma_forgive(self._handle)

    def be_patient(self) -> None:
        """Start the watchdog's count anew."""
        self._lib.fk_dma_patience(self._handle)


def _declare(lib: Any) -> None:
    handle, u32 = ctypes.c_void_p, ctypes.c_uint32
    lib.fk_dma_lines.restype = u32
    for name, arguments in {
        "fk_dma_setup": (handle, u32, ctypes.c_int),
        "fk_dma_write": (handle, u32, u32),
        "fk_dma_read": (handle, u32, ctypes.POINTER(u32)),
        "fk_dma_lines": (handle,),
        "fk_dma_forgive": (handle,),
        "fk_dma_patience": (handle,),
    }.items():
        getattr(lib, name).argtypes = arguments
