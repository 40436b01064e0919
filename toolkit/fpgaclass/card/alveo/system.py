"""What a virtual card is once an xclbin is on it: compute units that the runtime's scheduler starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fpgaclass.card.alveo.unit import ComputeUnit
from fpgaclass.card.alveo.xclbin import read_design
from fpgaclass.card.design import Bank, KernelDesign, Link
from fpgaclass.card.launches import CommandBuffer, VirtualWaitHandle
from fpgaclass.card.simulation.choice import open_kernel
from fpgaclass.card.system import Program, Span
from fpgaclass.core import CardError

CAPABILITIES = {"REGISTER_RW": True, "CALLABLE": True, "ERT": True}


def read(path: str) -> tuple[KernelDesign, Link, tuple[Bank, ...]]:
    """Read an xclbin."""
    return read_design(path)[:3]


def metadata(path: str) -> Any:
    """Return pynq's parser of an xclbin, once it is known to be whole and for a virtual card."""
    read_design(path)
    from pynq.pl_server.xclbin_parser import XclBin

    return XclBin(path)


class AlveoSystem:
    """A programmed card."""

    def __init__(self, program: Program) -> None:
        self._program = program
        known = {one["fullpath"]: one for one in program.ip_dict.values()}
        self._units = {
            known[name]["phys_addr"]: ComputeUnit(
                name,
                program.design,
                open_kernel(program.library),
                program.memory,
                program.link,
                program.timeline,
                program.watchdog,
            )
            for name in program.design.instance_names
        }
        self.spans = [
            Span(one["phys_addr"], one["addr_range"], self._units[one["phys_addr"]]) for one in known.values()
        ]

    def sync_s(self, size: int, bytes_per_s: float) -> float:
        """Return the modelled seconds of a copy over the link."""
        return self._program.link.dma_setup_s + size / bytes_per_s

    def launch(self, bo: CommandBuffer, waits: Sequence[CommandBuffer]) -> VirtualWaitHandle:
        """Start what pynq wrote into a buffer, once others have ended."""
        from pynq._3rdparty import ert

        packet = bo.as_packet(ert.ert_start_kernel_cmd)
        index = int(packet.cu_mask).bit_length() - 1
        addresses = sorted(self._units)
        if not 0 <= index < len(addresses):
            raise CardError(f"there is no compute unit {index}", next_step="open the overlay again")
        size = 4 * (packet.m_uert.m_start_cmd_struct.count - 1)
        start = ert.ert_start_kernel_cmd.data.offset
        payload = bo.memory.raw[start : start + size]
        registers = {
            offset: int.from_bytes(payload[offset : offset + 4], "little")
            for argument in self._program.design.arguments
            for offset in range(argument.offset, argument.offset + argument.size, 4)
        }
        after = [wait.future for wait in waits if wait.future is not None]
        bo.future = self._units[addresses[index]].launch(registers, after)
        return VirtualWaitHandle(bo, bo.future, self._program.timeline)

    def close(self) -> None:
        """Stop what runs."""
        for unit in self._units.values():
            unit.close()
