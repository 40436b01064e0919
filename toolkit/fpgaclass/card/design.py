"""What crosses the boundary between who makes a kernel and where it runs.

Everything here is plain, frozen data: no pynq, no simulator, no files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fpgaclass.core import InvalidInputError, digest_of

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SCALARS = ("int", "uint", "unsigned int", "float")
BANK_KINDS = ("DDR4", "HBM")
INTERFACES = ("memory", "stream")


@dataclass(frozen=True)
class Argument:
    """One argument of a kernel: a register of its AXI-Lite map.

    Attributes:
        name: as in ``kernel.signature``, such as ``"fifo_in"``.
        ctype: C type; one that ends in ``*`` is a buffer's address (64 bits), others are scalars.
        offset: byte offset of the register.
        bank: tag of the memory bank that the buffer must lie in; None for scalars.
    """

    name: str
    ctype: str
    offset: int
    bank: str | None = None

    def __post_init__(self) -> None:
        if not _IDENTIFIER.match(self.name):
            raise InvalidInputError(f"argument name {self.name!r} is not an identifier")
        if not self.is_pointer and self.ctype not in _SCALARS:
            raise InvalidInputError(f"argument {self.name} has the unknown type {self.ctype!r}")
        if self.offset < 0x10 or self.offset % 4:
            raise InvalidInputError(
                f"argument {self.name} is at {self.offset:#x}: offsets are multiples of 4 from 0x10 on"
            )
        if self.is_pointer != (self.bank is not None):
            raise InvalidInputError(f"argument {self.name}: buffers name a bank and scalars do not")

    @property
    def is_pointer(self) -> bool:
        """Whether the register holds the device address of a buffer."""
        return self.ctype.rstrip().endswith("*")

    @property
    def size(self) -> int:
        """Width of the register, in bytes."""
        return 8 if self.is_pointer else 4


@dataclass(frozen=True)
class Bank:
    """One memory bank of a card.

    Attributes:
        tag: the name that pynq shows, such as ``"bank0"`` or ``"HBM[0]"``.
        base: first device address.
        size: bytes, a multiple of 4096.
        kind: ``"DDR4"`` or ``"HBM"``.
    """

    tag: str
    base: int
    size: int
    kind: str

    def __post_init__(self) -> None:
        if not 0 < len(self.tag.encode()) < 16:
            raise InvalidInputError(f"bank tag {self.tag!r} must have 1 to 15 bytes")
        if self.kind not in BANK_KINDS:
            raise InvalidInputError(f"bank {self.tag} is of kind {self.kind!r}, not one of {BANK_KINDS}")
        if self.base < 0 or self.size <= 0 or self.base % 4096 or self.size % 4096:
            raise InvalidInputError(f"bank {self.tag}: base and size are multiples of 4096 bytes")


@dataclass(frozen=True)
class Link:
    """The host's link to the card, as constants of a model; nothing here is measured.

    A transfer of n bytes is modelled as ``dma_setup_s + n / bytes_per_s``.

    Attributes:
        name: what is modelled, such as ``"PCIe 3.0 x16"``.
        h2d_bytes_per_s: host to device.
        d2h_bytes_per_s: device to host.
        dma_setup_s: seconds before the first byte of a transfer moves.
        mmio_s: seconds for one register access.
        launch_s: seconds from the host's call to the kernel's start.
    """

    name: str
    h2d_bytes_per_s: float
    d2h_bytes_per_s: float
    dma_setup_s: float
    mmio_s: float
    launch_s: float

    def __post_init__(self) -> None:
        if not (self.h2d_bytes_per_s > 0 and self.d2h_bytes_per_s > 0):
            raise InvalidInputError(f"link {self.name}: bandwidths must be above 0 bytes per second")
        if not all(seconds >= 0 for seconds in (self.dma_setup_s, self.mmio_s, self.launch_s)):
            raise InvalidInputError(f"link {self.name}: times cannot be negative")


@dataclass(frozen=True)
class KernelDesign:
    """A kernel as RTL, with all that a card needs to run it.

    The top module has ``ap_clk``, ``ap_rst_n``, an AXI4-Lite slave ``s_axi_control_*``, two nets named
    ``ap_start`` and ``ap_done``, from which cycles are counted, and by its interface either an AXI4 master
    ``m_axi_gmem_*`` (a Vitis RTL kernel, for Alveo cards) or two AXI4-Streams ``in_r_*`` and ``out_r_*``
    (for a DMA on a Zynq board).

    Attributes:
        name: of the kernel and of its top module.
        sources: file name to Verilog or SystemVerilog text; ``.svh`` and ``.vh`` files are only included.
        arguments: in the order of the call.
        clock_mhz: of the kernel, for turning cycles into seconds.
        instances: compute units, named ``<name>_1``, ``<name>_2``, ...
        about: facts that tools may show. ``measure`` uses ``words_in``, ``words_out`` (a slot of an event,
            in words) and ``dtype`` when they are there.
        interface: ``"memory"`` or ``"stream"``.
    """

    name: str
    sources: Mapping[str, str]
    arguments: tuple[Argument, ...]
    clock_mhz: float
    instances: int = 1
    about: Mapping[str, str | int | float] = field(default_factory=dict)
    interface: str = "memory"

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", tuple(self.arguments))
        if not _IDENTIFIER.match(self.name):
            raise InvalidInputError(f"kernel name {self.name!r} is not an identifier")
        if not self.sources:
            raise InvalidInputError(f"kernel {self.name} has no sources")
        for file in self.sources:
            if not re.fullmatch(r"\w[\w.-]*\.(v|sv|vh|svh|mem)", file):
                raise InvalidInputError(f"source {file!r} is not a plain .v, .sv, .vh, .svh or .mem name")
        if not 0 < self.clock_mhz <= 2000:
            raise InvalidInputError(f"a clock of {self.clock_mhz} MHz is outside 0 to 2000")
        if not 1 <= self.instances <= 15:
            raise InvalidInputError(f"{self.instances} instances: a card has 1 to 15")
        if self.interface not in INTERFACES:
            raise InvalidInputError(f"interface {self.interface!r} is not one of {', '.join(INTERFACES)}")
        names = [argument.name for argument in self.arguments]
        if len(set(names)) != len(names):
            raise InvalidInputError(f"kernel {self.name} has two arguments of one name")
        end = 0x10
        for argument in sorted(self.arguments, key=lambda a: a.offset):
            if argument.offset < end:
                raise InvalidInputError(f"argument {argument.name} overlaps the one before it")
            end = argument.offset + argument.size

    @property
    def instance_names(self) -> tuple[str, ...]:
        """Names of the compute units, as attributes of the overlay."""
        return tuple(f"{self.name}_{i}" for i in range(1, self.instances + 1))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the RTL: the same for two designs that compile to the same simulator."""
        parts = [part for file in sorted(self.sources) for part in (file, self.sources[file])]
        return digest_of(self.name, *parts)
