"""Interrupts of a virtual Zynq board, from the DMA's pins to pynq's coroutines.

On a board, pins go to an AXI interrupt controller, its output to the processing system, and Linux shows that
line as a UIO device that pynq waits on. Here pynq's own code drives the controller by its registers (AMD's
product guide PG099), and what stands for the UIO device wakes the waiting event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = range(0, 0x20, 4)
_NO_INTERRUPT = 0xFFFFFFFF


class InterruptLine:
    """The line into the processing system: what pynq takes for a UIO device."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._high = False
        self._waiting: list[tuple[Any, asyncio.AbstractEventLoop]] = []

    def add_event(self, event: Any, _number: int) -> None:
        """Have ``event.set()`` called, in the running loop, once the line is high."""
        with self._lock:
            self._waiting.append((event, asyncio.get_running_loop()))
        self._fire()

    def set(self, high: bool) -> None:
        """Set the line; from any thread."""
        self._high = high
        self._fire()

    def _fire(self) -> None:
        with self._lock:
            if not self._high:
                return
            waiting, self._waiting = self._waiting, []
        for event, loop in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


class InterruptController:
    """An AXI interrupt controller for level-sensitive inputs, by its registers."""

    def __init__(self) -> None:
        self.line = InterruptLine()
        self._lock = threading.RLock()
        self._inputs = self._status = self._enabled = self._master = 0

    def drive(self, first: int, levels: Sequence[bool]) -> None:
        """Set the input pins from ``first`` on; from any thread."""
        with self._lock:
            for pin, level in enumerate(levels, first):
                self._inputs = (self._inputs & ~(1 << pin)) | (level << pin)
            self._settle()

    def read_register(self, offset: int) -> int:
        """Read a 32-bit register."""
        with self._lock:
            pending = self._status & self._enabled
            lowest = (pending & -pending).bit_length() - 1 if pending else _NO_INTERRUPT
            values = {ISR: self._status, IPR: pending, IER: self._enabled, IVR: lowest, MER: self._master}
            return values.get(offset, 0)

    def write_register(self, offset: int, value: int) -> None:
        """Write a 32-bit register."""
        with self._lock:
            if offset == IER:
                self._enabled = value
            elif offset == SIE:
                self._enabled |= value
            elif offset == CIE:
                self._enabled &= ~value
            elif offset == IAR:
                self._status &= ~value
            elif offset == MER:
                self._master = value & 3
            self._settle()

    def _settle(self) -> None:
        self._status |= self._inputs
        self.line.set(bool(self._status & self._enabled) and self._master == 3)


class ActiveLine:
    """The line of whichever device is active: pynq knows lines by their number only."""

    def add_event(self, event: Any, number: int) -> None:
        """Pass an event on to the active device's line."""
        from pynq.pl_server.device import Device

        line = getattr(Device.active_device, "interrupt_line", None)
        if line is not None:
            line.add_event(event, number)
