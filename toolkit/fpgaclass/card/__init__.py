"""The virtual card and board inside the real ``pynq`` package, the kernel simulator, and ``measure``.

``import fpgaclass.card`` before the first use of ``pynq.Device`` gives pynq a device that runs RTL; a
notebook then uses nothing but pynq's own names, as it would with a real card or a real Zynq board.
"""

from typing import TYPE_CHECKING, Any

from fpgaclass.card.alveo.xclbin import VirtualXclbin, write_xclbin
from fpgaclass.card.design import Argument, Bank, KernelDesign, Link
from fpgaclass.card.files import read_design
from fpgaclass.card.kinds import kind_of
from fpgaclass.card.measuring.comparing import Comparison, compare, read_runs
from fpgaclass.card.measuring.measurement import Measurement, Timing
from fpgaclass.card.measuring.timing import measure
from fpgaclass.card.registration import ensure_registered
from fpgaclass.card.sharing.holding import hold, let_go, lock_folder, queue_of
from fpgaclass.card.sharing.tickets import Holder
from fpgaclass.card.showing import show
from fpgaclass.card.simulation.compilation import compile_kernel
from fpgaclass.card.simulation.kernel_simulator import KernelSimulator
from fpgaclass.card.simulation.stream_simulator import StreamSimulator
from fpgaclass.card.simulation.toolchain import find_compiler, find_verilator
from fpgaclass.card.waves.tracing import trace
from fpgaclass.card.waves.waveform import Waveform
from fpgaclass.card.zynq.bitfile import VirtualBit, write_bit
from fpgaclass.core import ToolMissingError

if TYPE_CHECKING:
    from fpgaclass.card.device import VirtualCard
    from fpgaclass.card.zynq.device import VirtualZynq

__all__ = [
    "Argument",
    "Bank",
    "Comparison",
    "Holder",
    "KernelDesign",
    "KernelSimulator",
    "Link",
    "Measurement",
    "StreamSimulator",
    "Timing",
    "VirtualBit",
    "VirtualCard",
    "VirtualXclbin",
    "VirtualZynq",
    "Waveform",
    "compare",
    "compile_kernel",
    "find_compiler",
    "find_verilator",
    "hold",
    "kind_of",
    "let_go",
    "lock_folder",
    "measure",
    "queue_of",
    "read_design",
    "read_runs",
    "show",
    "trace",
    "write_bit",
    "write_xclbin",
]

ensure_registered()


def __getattr__(name: str) -> Any:
    if name not in ("VirtualCard", "VirtualZynq"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import pynq  # noqa: F401

        from fpgaclass.card.device import VirtualCard
        from fpgaclass.card.zynq.device import VirtualZynq
    except ImportError as error:
        next_step = "pip install 'fpgaclass[card]'"
        raise ToolMissingError(f"pynq cannot be imported: {error}", next_step=next_step) from error
    return VirtualCard if name == "VirtualCard" else VirtualZynq
