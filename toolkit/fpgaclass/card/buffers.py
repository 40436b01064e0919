"""Buffers and memory banks as pynq shows them."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from pynq import buffer

from fpgaclass.card.design import Bank
from fpgaclass.core import InvalidInputError

if TYPE_CHECKING:
    from fpgaclass.card.device import VirtualCard

# numpy 2 has a read-only ndarray.device, which the attribute that PynqBuffer sets must shadow.
if "device" not in vars(buffer.PynqBuffer):
    buffer.PynqBuffer.device = None


class PynqBuffer(buffer.PynqBuffer):  # type: ignore[misc]
    """A buffer of a virtual card; pynq's own would hand its memory to the real runtime.

    It has the name of pynq's, which numpy prints.
    """

    def freebuffer(self) -> None:
        """Free the memory on the card; views of this buffer lose it too."""
        memory: VirtualMemory | None = vars(self).get("memory")
        if memory is not None:
            self.freed: bool = True
            memory.device.memory.give_back(memory.idx, self.bo)


class VirtualMemory:
    """A bank as pynq shows it: ``overlay.bank0``, the target of ``pynq.allocate``."""

    def __init__(self, device: VirtualCard, description: dict[str, Any]) -> None:
        self.device, self.desc = device, description
        self.idx: int = description["idx"]
        self.size: int = description["size"]
        self.base_address: int = description["base_address"]
        self._bank = Bank(description["tag"], self.base_address, self.size, description["type"])

    def allocate(self, shape: Any, dtype: Any, cacheable: bool = False) -> PynqBuffer:
        """Return a buffer of that shape and type in this bank.

        A warning says when it is of floats and the kernel takes integers, or the reverse: results would mean
        nothing.

        Args:
            shape: of the array.
            dtype: of its elements.
            cacheable: as pynq takes it; every buffer here has a host's copy.

        Raises:
            InvalidInputError: a size is below 0, or there are no bytes (which the real runtime refuses,
                too), or the type is of Python objects.
            CardError: there is no design with this bank on the card.
            MemoryError: the bank, or this machine, has no room.
        """
        del cacheable
        self.device.ensure_programmed(self._bank)
        dtype = np.dtype(dtype)
        if dtype.hasobject:
            raise InvalidInputError(f"a card's memory holds numbers, not Python's objects (dtype {dtype})")
        sizes = (shape,) if isinstance(shape, SupportsIndex) else tuple(shape)
        if any(int(size) < 0 for size in sizes):
            raise InvalidInputError(f"a buffer cannot have the shape {shape}")
        size = math.prod(map(int, sizes)) * dtype.itemsize
        if not size:
            raise InvalidInputError(f"a buffer of shape {shape} and type {dtype} has no bytes")
        self._warn_of_other_words(dtype)
        bo = self.device.memory.allocate(self.idx, size)
        known = {"device": self.device, "device_address": bo.address, "bo": bo, "coherent": False}
        try:
            made = PynqBuffer(shape, dtype, buffer=bo.host, **known)
        except BaseException:  # numpy refuses some shapes
            self.device.memory.give_back(self.idx, bo)
            raise
        made.memory = self
        return made

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
