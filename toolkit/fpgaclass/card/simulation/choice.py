"""Which simulator runs a kernel on this machine: compiled where there is a C++ compiler, else in Python.

``FPGACLASS_SIMULATOR`` may say ``compiled`` or ``netlist`` to have one of them and no other.
"""

from __future__ import annotations

import os
from pathlib import Path

from fpgaclass.card.design import KernelDesign
from fpgaclass.card.netlist.kernel_simulator import NetlistSimulator
from fpgaclass.card.netlist.program import compile_netlist
from fpgaclass.card.netlist.stream_simulator import NetlistStream
from fpgaclass.card.simulation.compilation import LIBRARY, compile_kernel
from fpgaclass.card.simulation.kernel_simulator import KernelSimulator
from fpgaclass.card.simulation.stream_simulator import StreamSimulator
from fpgaclass.card.simulation.toolchain import find_compiler, find_verilator
from fpgaclass.core import InvalidInputError, ToolMissingError, warn

VARIABLE = "FPGACLASS_SIMULATOR"
_KINDS = ("", "compiled", "netlist")


def prepare_kernel(design: KernelDesign) -> Path:
    """Make a kernel ready to run, and return what ``open_kernel`` opens.

    Where there is no C++ compiler, or no Verilator, a kernel becomes a program in Python. Its results and
    cycles are the same, and it is hundreds of times slower, which a warning says.

    Raises:
        ToolMissingError: there is neither a compiler nor yosys.
        BuildError: the RTL does not compile.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in _KINDS:
        raise InvalidInputError(f"{VARIABLE} is {wanted!r}, not one of {', '.join(filter(None, _KINDS))}")
    if wanted != "netlist":
        try:
            find_verilator()
            find_compiler()
        except ToolMissingError as missing:
            if wanted:
                raise
            why = missing.what
        else:
            return compile_kernel(design)
    else:
        why = f"{VARIABLE} is set"
    program = compile_netlist(design)
    warn(
        f"{why}: {design.name} runs in Python, with the same results and cycles, hundreds of times slower; "
        "to mend it: apt-get install g++ (as root), or pip install ziglang"
    )
    return program


def open_kernel(prepared: Path) -> KernelSimulator | NetlistSimulator:
    """Return a new instance of a kernel with a memory port that ``prepare_kernel`` has made ready."""
    return KernelSimulator(prepared) if prepared.name == LIBRARY else NetlistSimulator(prepared)


def open_stream(prepared: Path) -> StreamSimulator | NetlistStream:
    """Return a new instance of a kernel with streams that ``prepare_kernel`` has made ready."""
    return StreamSimulator(prepared) if prepared.name == LIBRARY else NetlistStream(prepared)
