"""Buffers and memory banks as pynq shows them."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from pynq.buffer import PynqBuffer

from fpgaclass.core import InvalidInputError

if TYPE_CHECKING:
    from fpgaclass.card.device import VirtualCard

# numpy 2 has a read-only ndarray.device, which the attribute that PynqBuffer sets must shadow.
if "device" not in vars(PynqBuffer):
    PynqBuffer.device = None


class VirtualBuffer(PynqBuffer):  # type: ignore[misc]
    """A buffer of a virtual card; pynq's own would hand its memory to the real runtime."""

    def freebuffer(self) -> None:
        """Free the memory on the card; views of this buffer lose it too."""
        memory: VirtualMemory | None = vars(self).get("memory")
        if memory is not None:
            memory.device.memory.give_back(memory.idx, self.bo)


class VirtualMemory:
    """A bank as pynq shows it: ``overlay.bank0``, the target of ``pynq.allocate``."""

    def __init__(self, device: VirtualCard, description: dict[str, Any]) -> None:
        self.device, self.desc = device, description
        self.idx: int = description["idx"]
        self.size: int = description["size"]
        self.base_address: int = description["base_address"]

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> VirtualBuffer:
        """Return a buffer of that shape and type in this bank.

        A warning says when it is of floats and the kernel takes integers, or the reverse: results would mean
        nothing.

        Raises:
            InvalidInputError: a size is below 0.
            MemoryError: the bank, or this machine, has no room.
        """
        dtype = np.dtype(dtype)
        sizes = (shape,) if isinstance(shape, SupportsIndex) else tuple(shape)
        if any(int(size) < 0 for size in sizes):
            raise InvalidInputError(f"a buffer cannot have the shape {shape}")
        size = math.prod(map(int, sizes)) * dtype.itemsize
        self._warn_of_other_words(dtype)
        bo = self.device.memory.allocate(self.idx, size)
        known = {"device": self.device, "device_address": bo.address, "bo": bo, "coherent": False}
        try:
            buffer = VirtualBuffer(shape, dtype, buffer=bo.host, **known)
        except BaseException:  # numpy refuses some shapes that have no bytes
            self.device.memory.give_back(self.idx, bo)
            raise
        buffer.memory = self
        return buffer

    def _warn_of_other_words(self, dtype: np.dtype[Any]) -> None:
        about = getattr(self.device.design, "about", {})
        words = np.dtype(str(about.get("dtype", dtype)))
        if "f" in (dtype.kind, words.kind) and dtype.kind != words.kind:
            text = f"a buffer of {dtype} for a kernel whose words are {words}: allocate it with that type"
            text += ", and fill it with firmware.encode(events)" if words.kind != "f" else ""
            warnings.warn(text, RuntimeWarning, stacklevel=4)

    @property
    def mem_used(self) -> int:
        """Bytes taken, in whole pages."""
        return self.device.memory.used(self.idx)[0]

    @property
    def num_buffers(self) -> int:
        """Buffers that live."""
        return self.device.memory.used(self.idx)[1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VirtualMemory) and (self.device, self.idx) == (other.device, other.idx)

    def __hash__(self) -> int:
        return hash((id(self.device), self.idx))
