"""What stands for ``mock_devices.py`` when pynq's own tests run: their expectations, on the virtual device.

pynq's tests check what reaches a device by mock devices that compare each access with a list. Here the same
lists are compared with what arrives behind our device's own code: its registers, its memory, its buffers.
"""

from __future__ import annotations

import collections
import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pynq

from fpgaclass.card import Bank, Link, VirtualCard
from fpgaclass.card.memory import CardMemory
from fpgaclass.card.system import Span

_EVERYWHERE = 1 << 48


class MockDeviceBase(pynq.Device):  # type: ignore[misc]
    """A device without any capability."""


class _System:
    """A programmed device with these registers."""

    def __init__(self, spans: Sequence[Span] = ()) -> None:
        self.spans = spans

    def sync_s(self, _size: int, _bytes_per_s: float) -> float:
        return 0.0

    def close(self) -> None: ...


class _Device(VirtualCard):
    def __init__(self, tag: str, spans: Sequence[Span] = ()) -> None:
        super().__init__(0, tag)
        self._system = _System(spans)  # type: ignore[assignment]
        self.link = Link("none", 1, 1, 0, 0, 0)


class MockRegisterDevice(_Device):
    """Compares each register access with a list, word by word."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag, [Span(0, _EVERYWHERE, self)])
        self.check_transactions([], [])

    def check_transactions(self, reads: Any, writes: Any) -> MockRegisterDevice:
        self.reads = self._words(reads)
        self.writes = self._words(writes)
        return self

    @staticmethod
    def _words(transactions: Any) -> collections.deque[tuple[int, bytes]]:
        return collections.deque(
            (address + at, bytes(memoryview(data))[at : at + 4])
            for address, data in transactions
            for at in range(0, len(memoryview(data)), 4)
        )

    def read_register(self, address: int) -> int:
        expected, data = self.reads.popleft()
        assert expected == address
        return int.from_bytes(data, "little")

    def write_register(self, address: int, value: int) -> None:
        assert self.writes.popleft() == (address, value.to_bytes(4, "little"))

    def __enter__(self) -> MockRegisterDevice:
        return self

    def __exit__(self, *_: object) -> None:
        assert not self.reads
        assert not self.writes


class MockMemoryMappedDevice(_Device):
    """Registers that keep what is written; ours are never mapped into memory (see the tests left out)."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag, [Span(0, _EVERYWHERE, self)])
        self._values: dict[int, int] = {}

    def read_register(self, address: int) -> int:
        return self._values.get(address, 0)

    def write_register(self, address: int, value: int) -> None:
        self._values[address] = value


class _Numbered(int):
    """A buffer object that goes by a number."""

    allocation: Any


class MockAllocateDevice(_Device):
    """Compares buffers and syncs with lists, and does them."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        bank = Bank("bank0", 0x10000, 1 << 30, "DDR4")
        self.memory = CardMemory((bank,))
        entry = {"idx": 0, "size": bank.size, "base_address": bank.base, "tag": bank.tag, "used": 1}
        self.mem_dict = {bank.tag: {**entry, "type": bank.kind}}
        self._loaded = SimpleNamespace(mem_dict=self.mem_dict, ip_dict={})
        self.design = object()  # type: ignore[assignment]
        self._allocated: list[Any] = []
        self.check_memops()

    def check_memops(
        self, allocates: Any = (), flushes: Any = (), invalidates: Any = ()
    ) -> MockAllocateDevice:
        self.allocates, self.flushes, self.invalidates = map(
            collections.deque, (allocates, flushes, invalidates)
        )
        return self

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> Any:
        number, coherent, address = self.allocates.popleft()
        buffer = super().allocate(shape, dtype)
        assert buffer.device_address == address
        bo = _Numbered(number)
        bo.allocation = buffer.bo
        buffer.bo, buffer.coherent = bo, coherent
        # The device's own code frees by its allocation, not by the number.
        buffer.memory = _Freeing(buffer.memory, bo.allocation)
        self._allocated.append(weakref.ref(buffer))
        return buffer

    def flush(self, bo: Any, offset: int, pointer: int, size: int) -> None:
        assert self.flushes.popleft() == (bo, offset, size)
        super().flush(bo.allocation, offset, pointer, size)

    def invalidate(self, bo: Any, offset: int, pointer: int, size: int) -> None:
        assert self.invalidates.popleft() == (bo, offset, size)
        super().invalidate(bo.allocation, offset, pointer, size)

    def __enter__(self) -> MockAllocateDevice:
        return self

    def __exit__(self, *_: object) -> None:
        assert (len(self.allocates), len(self.flushes), len(self.invalidates)) == (0, 0, 0)

    def check_allocated(self) -> None:
        for reference in self._allocated:
            assert reference() is None
        assert self.memory.used(0) == (0, 0)


class _Freeing:
    def __init__(self, memory: Any, allocation: Any) -> None:
        self._memory, self._allocation = memory, allocation
        self.idx, self.device = memory.idx, self

    @property
    def memory(self) -> Any:
        return self

    def give_back(self, index: int, _bo: Any) -> None:
        self._memory.device.memory.give_back(index, self._allocation)


class MockDownloadableDevice(_Device):
    """Keeps a list of what it is told to load."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.operations: list[Any] = []

    def download(self, bitstream: Any, parser: Any = None) -> None:
        self.operations.append(("download", bitstream, parser))

    def remove_device_tree(self, dtbo: str) -> None:
        self.operations.append(("remove_device_tree", dtbo))

    def insert_device_tree(self, dtbo: str) -> None:
        self.operations.append(("insert_device_tree", dtbo))


class _Words:
    def __init__(self, ip: Any) -> None:
        self._ip = ip

    def read_register(self, offset: int) -> int:
        return int.from_bytes(self._ip.read(offset, 4), "little")

    def write_register(self, offset: int, value: int) -> None:
        self._ip.write(offset, value.to_bytes(4, "little"))


class MockIPDevice(_Device):
    """Has the registers of mock IP."""

    def __init__(self, ip: Any, tag: str) -> None:
        super().__init__(
            tag, [Span(one.lo_address, one.hi_address - one.lo_address, _Words(one)) for one in ip]
        )
