"""The virtual card as a device of pynq: everything else is pynq's own code.

Importing this module needs pynq and registers ``VirtualCard`` with it; ``import fpgaclass.card`` arranges
that it happens as soon as pynq is imported.
"""

from __future__ import annotations

import gc
import os
import re
import time
from collections.abc import Sequence
from typing import Any

from pynq.pl_server.device import Device

from fpgaclass.card.alveo import system as alveo
from fpgaclass.card.buffers import VirtualMemory
from fpgaclass.card.design import Bank, KernelDesign, Link
from fpgaclass.card.launches import CommandBuffer, VirtualWaitHandle
from fpgaclass.card.memory import Allocation, CardMemory
from fpgaclass.card.simulation.choice import prepare_kernel
from fpgaclass.card.simulation.kernel_simulator import WATCHDOG
from fpgaclass.card.system import Program, target_at
from fpgaclass.card.timeline import Event, Timeline
from fpgaclass.card.zynq import guard
from fpgaclass.card.zynq import system as zynq
from fpgaclass.core import CardError, InvalidInputError, Uninterrupted

_PROGRAM_S = 2.0
_OPEN = "pynq.Overlay(firmware.path)"

guard.ensure_guarded()


class VirtualCard(Device):  # type: ignore[misc]
    """A device that runs a kernel's RTL clock by clock, under pynq's own API.

    It is the card or board that the file it is given was built for: an Alveo card with an xclbin, a Zynq
    board with a bit file (and the hwh beside it).

    ``FPGACLASS_CARDS`` says how many this machine has (default 1). Real cards come first in
    ``pynq.Device.devices``, so that they stay the active device. ``FPGACLASS_WATCHDOG`` says after how many
    cycles without a transfer a run counts as hung (default 1,000,000).

    Attributes:
        tag: ``"virtual0"``, ``"virtual1"``, ...
        timeline: what was done on it and how long a card would take (kernels simulated, link modelled).
        memory: its banks.
        design: the kernel it is programmed with, or None.
        file: what it is programmed with, or None; ``bitfile_name`` is what pynq read last.
        link: the model of its link, or None.
    """

    _probe_priority_ = 1000
    _kind = "card"

    @classmethod
    def _probe_(cls) -> list[VirtualCard]:
        return [cls(index) for index in range(positive("FPGACLASS_CARDS", 1))]

    def __init__(self, index: int = 0, tag: str = "virtual") -> None:
        super().__init__(f"{tag}{index}")
        self.capabilities = dict(alveo.CAPABILITIES)
        self.name = f"fpgaclass_virtual_{self._kind}"
        self.timeline = Timeline()
        self.memory = CardMemory(())
        self.design: KernelDesign | None = None
        self.link: Link | None = None
        self.mem_dict: dict[str, Any] = {}
        # pynq looks up interrupts on the active device, even before that is programmed.
        self.interrupt_pins: dict[str, Any] = {}
        self.interrupt_controllers: dict[str, Any] = {}
        self.file: str | None = None
        self._system: alveo.AlveoSystem | zynq.ZynqSystem | None = None
        self._loaded: Any = None  # pynq's parser of that file

    def __repr__(self) -> str:
        loaded = self.design.name if self.design else "not programmed"
        return f"<{type(self).__name__} {self.tag}: {loaded}>"

    # Programming

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return pynq's parser of a file, once it is known to be whole and for a virtual device."""
        if partial:
            raise CardError("a virtual device cannot be programmed in part")
        try:
            return self._form_of(bitfile_name).metadata(bitfile_name)
        except BaseException:
            self.bitfile_name = self.file  # pynq has set it already
            raise

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Program the device: compile the kernel's RTL, or find it compiled, and make its instances.

        Where that fails, the design that was there goes on.
        """
        path = bitstream.bitfile_name
        form = self._form_of(path)
        try:
            parser = parser or form.metadata(path)
            design, link, banks = form.read(path)
            library = prepare_kernel(design)
            watchdog = positive("FPGACLASS_WATCHDOG", WATCHDOG)
            memory = self._memory_for(banks)
            make = zynq.ZynqSystem if form is zynq else alveo.AlveoSystem
            system = make(Program(design, link, library, parser.ip_dict, memory, self.timeline, watchdog))
        except BaseException:
            if self._loaded is not None:  # pynq shows the new file's blocks and banks by now
                self.reset(self._loaded, bitfile_name=self.file)
            raise
        with Uninterrupted():
            self._clear()
            self._system, self.memory, self.design, self.link = system, memory, design, link
            self._loaded, self.file = parser, path
            self.capabilities = dict(form.CAPABILITIES)
            self.name = f"fpgaclass_virtual_{'board' if form is zynq else 'card'}"
            self.timeline.add(Event("program", _PROGRAM_S, "modelled", 1))
            self.post_download(bitstream, parser)

    def _form_of(self, bitfile_name: str) -> Any:
        return zynq if bitfile_name.endswith(".bit") else alveo

    def free_bitstream(self) -> None:
        """Take the design off the card; called by ``Overlay.free``."""
        self._clear()
        self.timestamp = self.bitfile_name = None

    def close(self) -> None:
        """Nothing is held open; called by ``Overlay.free``."""

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing to keep; part of pynq's interface."""

    def shutdown(self) -> None:
        """Nothing to shut down before programming; called by ``PL.shutdown``."""

    def _clear(self) -> None:
        if self._system is not None:
            self._system.close()
        self._system = self.design = self.link = self._loaded = self.file = None

    def _memory_for(self, banks: tuple[Bank, ...]) -> CardMemory:
        """Return the memory with those banks: the one that is there, or an empty one in its place."""
        if tuple(self.memory.banks) == banks:
            return self.memory
        gc.collect()  # an overlay of before may be gone but for a reference to itself
        if kept := self.memory.allocations():
            raise CardError(
                f"{self.tag} still holds buffers of a design with other memory banks: {len(kept)} in "
                f"{', '.join(sorted({one.bank.tag for one in kept}))}",
                next_step="buffer.freebuffer(), then open the overlay; or restart the kernel: variables keep "
                "buffers, and so do a DMA (its last one), Out, and the error that was shown last",
            )
        return CardMemory(banks)

    @property
    def clocks(self) -> dict[str, dict[str, float]]:
        """The kernel's clock, in MHz, as pynq shows a card's clocks; empty where it is not programmed."""
        return {"clock0": {"frequency": self.design.clock_mhz}} if self.design is not None else {}

    # Memory

    @property
    def default_memory(self) -> VirtualMemory:
        """The one bank that the design uses."""
        self.ensure_programmed()
        used = [one for one in self._loaded.mem_dict.values() if one["used"]]
        if len(used) > 1:
            tags = ", ".join(one["tag"] for one in used)
            next_step = f"pynq.allocate(..., target=overlay.{re.sub('[^A-Za-z0-9_]', '', used[0]['tag'])})"
            raise CardError(f"the design uses several banks ({tags})", next_step=next_step)
        return self.get_memory(used[0])

    def get_memory(self, description: dict[str, Any]) -> VirtualMemory:
        """Return a bank by its entry of ``mem_dict``."""
        return VirtualMemory(self, description)

    def get_memory_by_idx(self, idx: int) -> VirtualMemory:
        """Return a bank by its index."""
        return self._memory_where("idx", idx)

    def get_memory_by_name(self, name: str) -> VirtualMemory:
        """Return a bank by its tag."""
        return self._memory_where("tag", name)

    def _memory_where(self, key: str, value: object) -> VirtualMemory:
        for description in self.mem_dict.values():
            if description[key] == value:
                return self.get_memory(description)
        raise CardError(f"{self.tag} has no bank with {key} {value}", where=", ".join(self.mem_dict))

    def flush(self, bo: Allocation, offset: int, _pointer: int, size: int) -> None:
        """Copy to the device; called by ``buffer.sync_to_device``."""
        started = time.perf_counter()
        bo.to_device(offset, size)
        system, link = self._programmed()
        seconds = system.sync_s(size, link.h2d_bytes_per_s)
        self.timeline.add(Event("to device", seconds, "modelled", size), time.perf_counter() - started)

    def invalidate(self, bo: Allocation, offset: int, _pointer: int, size: int) -> None:
        """Copy from the device; called by ``buffer.sync_from_device``."""
        started = time.perf_counter()
        bo.from_device(offset, size)
        system, link = self._programmed()
        seconds = system.sync_s(size, link.d2h_bytes_per_s)
        self.timeline.add(Event("from device", seconds, "modelled", size), time.perf_counter() - started)

    def ensure_programmed(self, bank: Bank | None = None) -> None:
        """Check that a design is on the device and, if a bank is given, that it has this one.

        Raises:
            CardError: there is no design, or none with that bank.
        """
        self._programmed()
        if bank is not None and bank not in self.memory.banks:
            what = f"{self.tag} has no bank {bank.tag} at {bank.base:#x}: another design is on it"
            raise CardError(what, next_step="use the overlay that was opened last, or open this one again")

    def _programmed(self) -> tuple[alveo.AlveoSystem | zynq.ZynqSystem, Link]:
        if self._system is None or self.link is None:
            raise CardError(f"{self.tag} is not programmed", next_step=_OPEN)
        return self._system, self.link

    # Registers and runs

    def read_registers(self, address: int, length: int) -> bytes:
        """Read registers by their address on the card."""
        target, offset = self._target_at(address, length)
        words = [target.read_register(offset + i) for i in range(0, length, 4)]
        return b"".join(word.to_bytes(4, "little") for word in words)

    def write_registers(self, address: int, data: bytes) -> None:
        """Write registers by their address on the card."""
        target, offset = self._target_at(address, len(data))
        for i in range(0, len(data), 4):
            target.write_register(offset + i, int.from_bytes(data[i : i + 4], "little"))

    def _target_at(self, address: int, length: int) -> Any:
        return target_at(self._system.spans if self._system else (), address, length, self.tag)

    @property
    def interrupt_line(self) -> Any:
        """The line of interrupts to the host, or None on a card."""
        return getattr(self._system, "interrupt_line", None)

    def open_context(self, description: dict[str, Any], shared: bool = True) -> int:
        """Return the index of a compute unit; called as pynq makes its driver.

        Raises:
            CardError: the design of that unit is not the one on the card.
        """
        del shared
        self.ensure_programmed()
        loaded = self._loaded.ip_dict.get(description["fullpath"], {})
        if loaded.get("xclbin_uuid") != description["xclbin_uuid"]:
            what = f"{description['fullpath']} cannot be opened: another design is on {self.tag}"
            raise CardError(what, next_step="overlay.download()")
        return int(description["cu_index"])

    def get_exec_bo(self, size: int = 1024) -> CommandBuffer:
        """Return a buffer for a launch."""
        return CommandBuffer(size)

    def execute_bo(self, bo: CommandBuffer) -> VirtualWaitHandle:
        """Launch what pynq wrote into a buffer."""
        return self.execute_bo_with_waitlist(bo, ())

    def execute_bo_with_waitlist(
        self, bo: CommandBuffer, waits: Sequence[CommandBuffer]
    ) -> VirtualWaitHandle:
        """Launch once others have ended."""
        return self._programmed()[0].launch(bo, waits)

    def set_event_loop(self, loop: Any) -> None:
        """Nothing to arrange: ``wait_async`` works in any running loop."""


def positive(variable: str, default: int) -> int:
    """Return the number of 0 or more that an environment variable says."""
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isdecimal():
        raise InvalidInputError(f"{variable} is {text!r}, not a number of 0 or more")
    return int(text)
