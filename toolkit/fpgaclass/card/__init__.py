"""The virtual card inside the real ``pynq`` package, the kernel simulator, and ``measure``."""

from fpgaclass.card.compilation import compile_kernel
from fpgaclass.card.design import Argument, Bank, KernelDesign, Link
from fpgaclass.card.simulator import KernelSimulator
from fpgaclass.card.toolchain import find_compiler, find_verilator
from fpgaclass.card.xclbin import VirtualXclbin, read_design, write_xclbin

__all__ = [
    "Argument",
    "Bank",
    "KernelDesign",
    "KernelSimulator",
    "Link",
    "VirtualXclbin",
    "compile_kernel",
    "find_compiler",
    "find_verilator",
    "read_design",
    "write_xclbin",
]
