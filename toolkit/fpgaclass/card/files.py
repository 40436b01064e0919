"""Files for virtual devices, whichever kind they are."""

from __future__ import annotations

from pathlib import Path

from fpgaclass.card.alveo import xclbin
from fpgaclass.card.alveo.xclbin import VirtualXclbin
from fpgaclass.card.zynq import bitfile
from fpgaclass.card.zynq.bitfile import VirtualBit


def read_design(path: str | Path) -> VirtualXclbin | VirtualBit:
    """Read a virtual xclbin (of a card) or bit file (of a Zynq board) back.

    Raises:
        WrongCardError: it is for a real card or board.
        CardError: there is no such file, it is not one, or it is cut short or corrupt.
    """
    if str(path).endswith(".bit"):
        return bitfile.read_bit(path)
    return xclbin.read_design(path)
