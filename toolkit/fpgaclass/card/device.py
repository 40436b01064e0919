"""The virtual card as a device of pynq: everything else is pynq's own code.

Importing this module needs pynq and registers ``VirtualCard`` with it; ``import fpgaclass.card`` arranges
that it happens as soon as pynq is imported.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from typing import Any

from pynq.pl_server.device import Device

from fpgaclass.card.buffers import VirtualMemory
from fpgaclass.card.compilation import compile_kernel
from fpgaclass.card.design import Bank, KernelDesign, Link
from fpgaclass.card.launches import CommandBuffer, VirtualWaitHandle
from fpgaclass.card.memory import Allocation, CardMemory
from fpgaclass.card.simulator import WATCHDOG, KernelSimulator
from fpgaclass.card.timeline import Event, Timeline
from fpgaclass.card.unit import ComputeUnit
from fpgaclass.card.xclbin import read_design
from fpgaclass.core import BusError, CardError, InvalidInputError

_PROGRAM_S = 2.0
_FIRST_ARGUMENT = 0x10


class VirtualCard(Device):  # type: ignore[misc]
    """A card that runs a kernel's RTL clock by clock, under pynq's own API.

    ``FPGACLASS_CARDS`` says how many this machine has (default 1). Real cards come first in
    ``pynq.Device.devices``, so that they stay the active device. ``FPGACLASS_WATCHDOG`` says after how many
    cycles without a transfer a run counts as hung (default 1,000,000).

    Attributes:
        tag: ``"virtual0"``, ``"virtual1"``, ...
        timeline: what was done on it and how long a card would take (kernels simulated, link modelled).
        memory: its banks.
        design: the kernel it is programmed with, or None.
        link: the model of its link, or None.
    """

    _probe_priority_ = 1000

    @classmethod
    def _probe_(cls) -> list[VirtualCard]:
        return [cls(index) for index in range(_positive("FPGACLASS_CARDS", 1))]

    def __init__(self, index: int = 0) -> None:
        super().__init__(f"virtual{index}")
        self.capabilities = {"REGISTER_RW": True, "CALLABLE": True, "ERT": True}
        self.name = "fpgaclass_virtual_card"
        self.timeline = Timeline()
        self.memory = CardMemory(())
        self.design: KernelDesign | None = None
        self.link: Link | None = None
        self.mem_dict: dict[str, Any] = {}
        self._units: dict[int, ComputeUnit] = {}

    def __repr__(self) -> str:
        loaded = self.design.name if self.design else "not programmed"
        return f"<VirtualCard {self.tag}: {loaded}>"

    # Programming

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return pynq's parser of an xclbin, once it is known to be whole and for a virtual card."""
        if partial:
            raise CardError("a virtual card cannot be programmed in part")
        read_design(bitfile_name)
        from pynq.pl_server.xclbin_parser import XclBin

        return XclBin(bitfile_name)

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Program the card: compile the kernel's RTL, or find it compiled, and make its instances."""
        design, link, banks, _ = read_design(bitstream.bitfile_name)
        library = compile_kernel(design)
        watchdog = _positive("FPGACLASS_WATCHDOG", WATCHDOG)
        self._clear()
        self._ensure_banks(banks)
        by_name = {one["fullpath"]: one["phys_addr"] for one in parser.ip_dict.values()}
        self._units = {
            by_name[name]: ComputeUnit(
                name, design, KernelSimulator(library), self.memory, link, self.timeline, watchdog
            )
            for name in design.instance_names
        }
        self.design, self.link = design, link
        self.timeline.add(Event("program", _PROGRAM_S, "modelled", 1))
        self.post_download(bitstream, parser)

    def free_bitstream(self) -> None:
        """Take the design off the card; called by ``Overlay.free``."""
        self._clear()
        self.timestamp = self.bitfile_name = None

    def close(self) -> None:
        """Nothing is held open; called by ``Overlay.free``."""

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing to keep; part of pynq's interface."""

    def _clear(self) -> None:
        for unit in self._units.values():
            unit.close()
        self._units = {}
        self.design = self.link = None

    def _ensure_banks(self, banks: tuple[Bank, ...]) -> None:
        if tuple(self.memory.banks) == banks:
            return
        if self.memory.allocations():
            raise CardError(
                f"{self.tag} still holds buffers of a design with other memory banks",
                next_step="del the old buffers, then open the overlay",
            )
        self.memory = CardMemory(banks)

    # Memory

    @property
    def default_memory(self) -> VirtualMemory:
        """The one bank that the design uses."""
        used = [one for one in self.mem_dict.values() if one["used"]]
        if self.design is None or not used:
            raise CardError(f"{self.tag} is not programmed", next_step="pynq.Overlay('<file>.xclbin')")
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
        link = self._programmed_link()
        seconds = link.dma_setup_s + size / link.h2d_bytes_per_s
        self.timeline.add(Event("to device", seconds, "modelled", size), time.perf_counter() - started)

    def invalidate(self, bo: Allocation, offset: int, _pointer: int, size: int) -> None:
        """Copy from the device; called by ``buffer.sync_from_device``."""
        started = time.perf_counter()
        bo.from_device(offset, size)
        link = self._programmed_link()
        seconds = link.dma_setup_s + size / link.d2h_bytes_per_s
        self.timeline.add(Event("from device", seconds, "modelled", size), time.perf_counter() - started)

    def _programmed_link(self) -> Link:
        if self.link is None:
            raise CardError(f"{self.tag} is not programmed", next_step="pynq.Overlay('<file>.xclbin')")
        return self.link

    # Registers and runs

    def read_registers(self, address: int, length: int) -> bytes:
        """Read registers by their address on the card."""
        unit, offset = self._unit_at(address, length)
        words = [unit.read_register(offset + i) for i in range(0, length, 4)]
        return b"".join(word.to_bytes(4, "little") for word in words)

    def write_registers(self, address: int, data: bytes) -> None:
        """Write registers by their address on the card."""
        unit, offset = self._unit_at(address, len(data))
        for i in range(0, len(data), 4):
            unit.write_register(offset + i, int.from_bytes(data[i : i + 4], "little"))

    def _unit_at(self, address: int, length: int) -> tuple[ComputeUnit, int]:
        spans = {one["phys_addr"]: one["addr_range"] for one in getattr(self, "ip_dict", {}).values()}
        for base, unit in self._units.items():
            if base <= address and address + length <= base + spans.get(base, 0):
                if (address - base) % 4 or length % 4:
                    raise BusError(f"registers are read and written in words of 4 bytes, not at {address:#x}")
                return unit, address - base
        what = f"no register answers at {address:#x} (AXI DECERR)"
        next_step = "use addresses of overlay.ip_dict" if self._units else "pynq.Overlay('<file>.xclbin')"
        raise BusError(what, where=self.tag, next_step=next_step)

    def open_context(self, description: dict[str, Any], shared: bool = True) -> int:
        """Return the index of a compute unit; called as pynq makes its driver."""
        del shared
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
        from pynq._3rdparty import ert

        packet = bo.as_packet(ert.ert_start_kernel_cmd)
        index = int(packet.cu_mask).bit_length() - 1
        addresses = sorted(self._units)
        if self.design is None or not 0 <= index < len(addresses):
            raise CardError(f"{self.tag} has no compute unit {index}", next_step="open the overlay again")
        size = 4 * (packet.m_uert.m_start_cmd_struct.count - 1)
        start = ert.ert_start_kernel_cmd.data.offset
        payload = bo.memory.raw[start : start + size]
        registers = {
            offset: int.from_bytes(payload[offset : offset + 4], "little")
            for argument in self.design.arguments
            for offset in range(argument.offset, argument.offset + argument.size, 4)
        }
        after = [wait.future for wait in waits if wait.future is not None]
        bo.future = self._units[addresses[index]].launch(registers, after)
        return VirtualWaitHandle(bo, bo.future, self.timeline)

    def set_event_loop(self, loop: Any) -> None:
        """Nothing to arrange: ``wait_async`` works in any running loop."""


def _positive(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isdecimal():
        raise InvalidInputError(f"{variable} is {text!r}, not a number of 0 or more")
    return int(text)
