"""The virtual card inside the real ``pynq`` package, the kernel simulator, and ``measure``."""

from fpgaclass.card.design import Argument, Bank, KernelDesign, Link

__all__ = ["Argument", "Bank", "KernelDesign", "Link"]
