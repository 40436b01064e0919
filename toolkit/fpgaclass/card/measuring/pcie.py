"""What a PCI Express link can carry, from its generation and lanes: a model, not a measurement."""

from __future__ import annotations

from fpgaclass.card.design import Link
from fpgaclass.core import InvalidInputError

# Transfers per second and lane, and the share of bits that are data (8b/10b, then 128b/130b): PCI Express
# Base Specification 2.1, 3.0, 4.0 and 5.0.
_GENERATIONS = {
    1: (2.5e9, 0.8),
    2: (5e9, 0.8),
    3: (8e9, 128 / 130),
    4: (16e9, 128 / 130),
    5: (32e9, 128 / 130),
}
_LANES = (1, 2, 4, 8, 16)
# Most hosts allow packets of 256 bytes of data. Each carries a header of 16 bytes (64-bit addresses), a
# sequence number, a checksum and framing: 8 more.
PAYLOAD, OVERHEAD = 256, 24


def pcie_bytes_per_s(generation: int, lanes: int) -> float:
    """Return the bytes of data per second that a link carries one way, in packets of 256 bytes.

    It is the protocol's limit; a card's DMA engine gets less of it.

    Raises:
        InvalidInputError: no such link.

    Example:
        >>> round(pcie_bytes_per_s(3, 16) / 1e9, 1)
        14.4
    """
    if generation not in _GENERATIONS or lanes not in _LANES:
        raise InvalidInputError(f"there is no PCI Express {generation}.0 link of {lanes} lanes")
    transfers, data = _GENERATIONS[generation]
    return transfers * data / 8 * lanes * PAYLOAD / (PAYLOAD + OVERHEAD)


def pcie_link(
    pcie_generation: int, pcie_lanes: int, dma_setup_s: float, mmio_s: float, launch_s: float
) -> Link:
    """Return the model of a card's link; the arguments are the keys of a board's TOML.

    Raises:
        InvalidInputError: no such link, or a negative time.
    """
    speed = pcie_bytes_per_s(pcie_generation, pcie_lanes)
    name = f"PCIe {pcie_generation}.0 x{pcie_lanes}"
    return Link(name, speed, speed, dma_setup_s, mmio_s, launch_s)
