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

from fpgaclass.card import alveo, zynq, zynq_guard
from fpgaclass.card.buffers import VirtualMemory
from fpgaclass.card.design import Bank, KernelDesign, Link
from fpgaclass.card.launches import CommandBuffer, VirtualWaitHandle
from fpgaclass.card.memory import Allocation, CardMemory
from fpgaclass.card.simulator import WATCHDOG
from fpgaclass.card.simulators import prepare_kernel
from fpgaclass.card.system import Program, target_at
from fpgaclass.card.timeline import Event, Timeline
from fpgaclass.core import CardError, InvalidInputError, WrongCardError

_PROGRAM_S = 2.0
_OPEN = "pynq.Overlay(firmware.path)"

zynq_guard.ensure_guarded()


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
        link: the model of its link, or None.
    """

    _probe_priority_ = 1000
    _kind = "card"

    @classmethod
    def _probe_(cls) -> list[VirtualCard]:
        return [cls(index) for index in range(_positive("FPGACLASS_CARDS", 1))]

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
        self._system: alveo.AlveoSystem | zynq.ZynqSystem | None = None

    def __repr__(self) -> str:
        loaded = self.design.name if self.design else "not programmed"
        return f"<{type(self).__name__} {self.tag}: {loaded}>"

    # Programming

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return pynq's parser of a file, once it is known to be whole and for a virtual device."""
        if partial:
            raise CardError("a virtual device cannot be programmed in part")
        form = self._form_of(bitfile_name)
        parser = form.metadata(bitfile_name)
        self.capabilities = dict(form.CAPABILITIES)
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Program the device: compile the kernel's RTL, or find it compiled, and make its instances."""
        form = self._form_of(bitstream.bitfile_name)
        design, link, banks = form.read(bitstream.bitfile_name)
        library = prepare_kernel(design)
        watchdog = _positive("FPGACLASS_WATCHDOG", WATCHDOG)
        self._clear()
        self._ensure_banks(banks)
        make = zynq.ZynqSystem if form is zynq else alveo.AlveoSystem
        program = Program(design, link, library, parser.ip_dict, self.memory, self.timeline, watchdog)
        self._system = make(program)
        self.design, self.link = design, link
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

    def _clear(self) -> None:
        if self._system is not None:
            self._system.close()
        self._system = self.design = self.link = None

    def _ensure_banks(self, banks: tuple[Bank, ...]) -> None:
        if tuple(self.memory.banks) == banks:
            return
        gc.collect()  # an overlay of before may be gone but for a reference to itself
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
            raise CardError(f"{self.tag} is not programmed", next_step=_OPEN)
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
        return self._programmed()[0].launch(bo, waits)

    def set_event_loop(self, loop: Any) -> None:
        """Nothing to arrange: ``wait_async`` works in any running loop."""


class VirtualZynq(VirtualCard):
    """A virtual device that is a Zynq board and nothing else: it takes bit files only.

    ``FPGACLASS_BOARDS`` says how many this machine has (default 0). They come before virtual cards in
    ``pynq.Device.devices``: where there is one, it is the active device, as on a board.

    Attributes:
        tag: ``"virtual_zynq0"``, ...; the others are a ``VirtualCard``'s.
    """

    _probe_priority_ = 900
    _kind = "board"

    @classmethod
    def _probe_(cls) -> list[VirtualCard]:
        return [cls(index) for index in range(_positive("FPGACLASS_BOARDS", 0))]

    def __init__(self, index: int = 0, tag: str = "virtual_zynq") -> None:
        super().__init__(index, tag)
        self.capabilities = dict(zynq.CAPABILITIES)

    def _form_of(self, bitfile_name: str) -> Any:
        if not bitfile_name.endswith(".bit"):
            raise WrongCardError(
                f"{self.tag} is a Zynq board, and this file is for a card",
                where=bitfile_name,
                next_step="build it for a Zynq board, or open it on a VirtualCard",
            )
        return zynq


def _positive(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isdecimal():
        raise InvalidInputError(f"{variable} is {text!r}, not a number of 0 or more")
    return int(text)
