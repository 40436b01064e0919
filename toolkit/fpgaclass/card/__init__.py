"""The virtual card inside the real ``pynq`` package, the kernel simulator, and ``measure``.

``import fpgaclass.card`` before the first use of ``pynq.Device`` gives pynq a device that runs RTL; a
notebook then uses nothing but pynq's own names, as it would with a real card.
"""

from typing import TYPE_CHECKING, Any

from fpgaclass.card.compilation import compile_kernel
from fpgaclass.card.design import Argument, Bank, KernelDesign, Link
from fpgaclass.card.measurement import Measurement, Timing
from fpgaclass.card.measuring import measure
from fpgaclass.card.registration import ensure_registered
from fpgaclass.card.simulator import KernelSimulator
from fpgaclass.card.toolchain import find_compiler, find_verilator
from fpgaclass.card.xclbin import VirtualXclbin, read_design, write_xclbin
from fpgaclass.core import ToolMissingError

if TYPE_CHECKING:
    from fpgaclass.card.device import VirtualCard

__all__ = [
    "Argument",
    "Bank",
    "KernelDesign",
    "KernelSimulator",
    "Link",
    "Measurement",
    "Timing",
    "VirtualCard",
    "VirtualXclbin",
    "compile_kernel",
    "find_compiler",
    "find_verilator",
    "measure",
    "read_design",
    "write_xclbin",
]

ensure_registered()


def __getattr__(name: str) -> Any:
    if name != "VirtualCard":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import pynq  # noqa: F401

        from fpgaclass.card.device import VirtualCard
    except ImportError as error:
        next_step = "pip install 'fpgaclass[card]'"
        raise ToolMissingError(f"pynq cannot be imported: {error}", next_step=next_step) from error
    return VirtualCard
