"""What a virtual device is once a bit file is on it: a Zynq board's logic, with a DMA for each kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fpgaclass.card.design import Bank, KernelDesign, Link
from fpgaclass.card.simulation.choice import open_stream
from fpgaclass.card.system import Program, Registers, Span
from fpgaclass.card.zynq.bitfile import read_bit
from fpgaclass.card.zynq.hwh import INTERRUPTS
from fpgaclass.card.zynq.interrupts import ActiveLine, InterruptController
from fpgaclass.card.zynq.unit import StreamUnit
from fpgaclass.core import CardError

# As pynq's EmbeddedDevice: no kernel.call on a board, where there is no runtime that schedules kernels.
CAPABILITIES = {"REGISTER_RW": True, "CALLABLE": False, "ERT": False}


def read(path: str) -> tuple[KernelDesign, Link, tuple[Bank, ...]]:
    """Read a bit file."""
    return read_bit(path)[:3]


def metadata(path: str) -> Any:
    """Return pynq's parser of the handoff beside a bit file, once both are known to be whole.

    Beside what the handoff says, each DMA has a short name: ``overlay.axi_dma_0`` is
    ``overlay.hier_0.axi_dma_0``.

    Raises:
        CardError: the files are not right, or pynq cannot read the handoff.
    """
    design, _, banks, _ = read_bit(path)
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
    from pynqmetadata.frontends import Metadata

    parser = RuntimeMetadataParser(Metadata(input=Path(path).with_suffix(".hwh")))
    # pynq would program the processing system's clocks for each entry that has "enable".
    parser.clock_dict = {0: {"frequency": design.clock_mhz, **_divisors(parser.clock_dict[0])}}
    for index, bank in enumerate(banks):
        parser.mem_dict[bank.tag] = {
            "raw_type": 1,
            "used": 1,
            "base_address": bank.base,
            "size": bank.size,
            "type": "DDR4",
            "streaming": False,
            "idx": index,
            "tag": bank.tag,
            "fullpath": bank.tag,
            "phys_addr": bank.base,
            "addr_range": bank.size,
        }
    parser.refresh_hierarchy_dict()
    for index in range(design.instances):
        parser.ip_dict[f"axi_dma_{index}"] = parser.ip_dict[f"hier_{index}/axi_dma_0"]
    return parser


def _divisors(clock: Mapping[str, int]) -> dict[str, int]:
    return {name: value for name, value in clock.items() if name != "enable"}


@dataclass(frozen=True)
class _Pair:
    """Two functions as registers."""

    read_register: Callable[[int], int]
    write_register: Callable[[int, int], None]


class ZynqSystem:
    """A programmed board."""

    def __init__(self, program: Program) -> None:
        design, ip_dict = program.design, program.ip_dict
        self._controller = InterruptController()
        self.interrupt_line = self._controller.line
        self._units: list[StreamUnit] = []
        found: list[tuple[Any, Registers]] = [(ip_dict[INTERRUPTS], self._controller)]
        for index in range(design.instances):
            pins = partial(self._controller.drive, 2 * index)
            name = f"hier_{index}"
            unit = StreamUnit(
                name,
                design,
                open_stream(program.library),
                program.memory,
                program.link,
                program.timeline,
                program.watchdog,
                pins,
            )
            self._units.append(unit)
            found.append((ip_dict[f"{name}/axi_dma_0"], _Pair(unit.read_dma, unit.write_dma)))
            kernel = ip_dict[f"{name}/{design.name}_0"]
            found.append((kernel, _Pair(unit.read_kernel, unit.write_kernel)))
        self.spans = [Span(entry["phys_addr"], entry["addr_range"], target) for entry, target in found]
        _show_interrupts()

    def sync_s(self, size: int, bytes_per_s: float) -> float:
        """Return 0: processor and logic share one memory, and the time to clean a cache is not modelled."""
        del size, bytes_per_s
        return 0.0

    def launch(self, bo: Any, waits: Any) -> Any:
        """Refuse: a board has no scheduler of kernels."""
        del bo, waits
        what = "a Zynq board has no kernel.call and kernel.start"
        raise CardError(what, next_step="use overlay.axi_dma_0.sendchannel.transfer(...)")

    def close(self) -> None:
        """Stop what runs."""
        for unit in self._units:
            unit.close()


def _show_interrupts() -> None:
    """Let pynq find the line into the processing system where it keeps the UIO devices it has opened."""
    from pynq.interrupt import _InterruptController

    for number in (61, 121):  # the first of a Zynq-7000's and of an UltraScale+'s
        _InterruptController._uio_devices.setdefault(number, ActiveLine())
