"""What a virtual device is once it is programmed, whichever kind of file it was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fpgaclass.card.design import KernelDesign, Link
from fpgaclass.card.memory import CardMemory
from fpgaclass.card.timeline import Timeline
from fpgaclass.core import BusError


class Registers(Protocol):
    """Something with 32-bit registers."""

    def read_register(self, offset: int) -> int:
        """Read a register."""

    def write_register(self, offset: int, value: int) -> None:
        """Write a register."""


@dataclass(frozen=True)
class Span:
    """Where registers answer on a device's bus."""

    base: int
    size: int
    target: Registers


@dataclass(frozen=True)
class Program:
    """What a device is programmed with, and what of the device its kernels need.

    Attributes:
        design: the kernel.
        link: the model of the link between host and device.
        library: the kernel made ready to run, as ``prepare_kernel`` returns it.
        ip_dict: pynq's, for the addresses.
        memory: of the device.
        timeline: where events go.
        watchdog: cycles without a transfer after which nothing more is expected to happen.
    """

    design: KernelDesign
    link: Link
    library: Path
    ip_dict: Mapping[str, Any]
    memory: CardMemory
    timeline: Timeline
    watchdog: int


class System(Protocol):
    """A programmed device."""

    spans: Sequence[Span]

    def sync_s(self, size: int, bytes_per_s: float) -> float:
        """Return the modelled seconds for bringing a buffer's two sides into agreement."""

    def close(self) -> None:
        """Stop what runs."""


def target_at(spans: Sequence[Span], address: int, length: int, where: str) -> tuple[Registers, int]:
    """Return who answers at an address, and the offset there.

    Raises:
        BusError: nobody does, or the access is not of whole words.
    """
    for span in spans:
        if span.base <= address and address + length <= span.base + span.size:
            if (address - span.base) % 4 or length % 4:
                what = f"registers are read and written in words of 4 bytes, not {length} bytes"
                raise BusError(what, where=where)
            return span.target, address - span.base
    what = f"no register answers at {address:#x} (AXI DECERR)"
    next_step = "use addresses of overlay.ip_dict" if spans else "open a pynq.Overlay first"
    raise BusError(what, where=where, next_step=next_step)
