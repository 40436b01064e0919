"""Counting cells."""

from __future__ import annotations

from fpgaclass.firmware import Resources
from fpgaclass.firmware.synthesis import count_cells


def test_cells_are_counted_by_kind() -> None:
    """yosys names cells, people ask for LUTs: a recorded count of a network with a FIFO and tables."""
    cells = {"LUT2": 10, "LUT6": 5, "INV": 2, "SRL16E": 3, "RAM32M": 2, "FDRE": 40, "FDSE": 1, "CARRY4": 7}
    cells |= {"DSP48E2": 4, "RAMB18E2": 3, "RAMB36E2": 1, "$scopeinfo": 9}
    counted = count_cells({"design": {"num_cells_by_type": cells}})
    assert counted == Resources(lut=10 + 5 + 2 + 3 + 8, ff=41, dsp=4, bram=3)
