"""Counting cells."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fpgaclass.core import BuildError
from fpgaclass.firmware import Resources
from fpgaclass.firmware.synthesis import count_cells, synthesise


def test_cells_are_counted_by_kind() -> None:
    """yosys names cells, people ask for LUTs: a recorded count of a network with a FIFO and tables."""
    cells = {"LUT2": 10, "LUT6": 5, "INV": 2, "SRL16E": 3, "RAM32M": 2, "FDRE": 40, "FDSE": 1, "CARRY4": 7}
    cells |= {"DSP48E2": 4, "RAMB18E2": 3, "RAMB36E2": 1, "$scopeinfo": 9}
    counted = count_cells({"design": {"num_cells_by_type": cells}})
    assert counted == Resources(lut=10 + 5 + 2 + 3 + 8, ff=41, dsp=4, bram=3)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("echo 'ERROR: Module `stage0 is not part of the design.' >&2; exit 1", "exit code 1: ERROR: Module"),
        ("kill -9 $$", r"killed by SIGKILL \(out of memory\?\)"),
        ("exit 0", r"ended well but left no count of cells.*disk is full"),
    ],
)
def test_a_yosys_that_dies_half_way_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, said: str
) -> None:
    """Its own first error, not that some file is missing."""
    tool = tmp_path / "yosys"
    tool.write_text(f"#!/bin/sh\necho 'Warning: something'\n{end}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BuildError, match=said):
        synthesise({"a.v": "module a; endmodule"}, "a", "xcup", tmp_path / "work")
