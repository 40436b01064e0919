"""A card's memory: banks of pages, and for each buffer a copy on the host and one on the device."""

from __future__ import annotations

import mmap
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fpgaclass.card.design import Bank
from fpgaclass.card.machine_memory import free_memory
from fpgaclass.core import CardError

PAGE = 4096
# DRAM is not empty when a card starts; a pattern shows what was never written. Not for the largest buffers,
# whose pages the machine gives only when they are touched.
_PATTERN = 0xA5
_PATTERN_LIMIT = 64 << 20
_LARGE = 16 << 20  # from here on it is asked whether this machine has room


@dataclass(eq=False)
class Allocation:
    """A buffer object: whole pages of a bank, with the host's copy beside the device's."""

    address: int
    size: int
    bank: Bank
    host: mmap.mmap
    device: mmap.mmap
    freed: bool = False

    def to_device(self, offset: int, size: int) -> None:
        """Copy bytes of the host's side to the device's."""
        self._check(offset, size)
        self.device[offset : offset + size] = self.host[offset : offset + size]

    def from_device(self, offset: int, size: int) -> None:
        """Copy bytes of the device's side to the host's."""
        self._check(offset, size)
        self.host[offset : offset + size] = self.device[offset : offset + size]

    def _check(self, offset: int, size: int) -> None:
        if self.freed:
            raise CardError(f"the buffer at {self.address:#x} was freed", next_step="pynq.allocate a new one")
        if offset < 0 or offset + size > self.size:
            raise CardError(f"{size} bytes at offset {offset} are outside the buffer of {self.size} bytes")


@dataclass
class CardMemory:
    """All banks of a card.

    Attributes:
        banks: by index.
    """

    banks: Sequence[Bank]
    _generation: int = 0
    _allocations: dict[int, list[Allocation]] = field(default_factory=dict)
    _returned: deque[tuple[int, Allocation]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allocate(self, index: int, size: int) -> Allocation:
        """Take the first gap of whole pages that is large enough, a page away from other buffers.

        A kernel that runs past the end of a buffer so meets a bus error, and no other buffer, unless the bank
        is too full for that.

        Raises:
            MemoryError: the bank, or this machine, has no room.
        """
        bank = self.banks[index]
        room = max(1, -(-size // PAGE)) * PAGE
        with self._lock:
            self._collect()
            taken = self._allocations.setdefault(index, [])
            found = _gap(taken, bank, room, PAGE) or _gap(taken, bank, room, 0)
            if found is None:
                used = sum(map(_room, taken))
                raise MemoryError(
                    f"bank {bank.tag} has no room for {size:,} bytes: {used:,} of its {bank.size:,} are "
                    "taken. Next: del buffers that are not needed, or allocate in another bank with target="
                )
            address, position = found
            if room > _LARGE and 2 * room > (left := free_memory()):
                raise MemoryError(
                    f"this machine has {left:,} bytes of memory left, and a virtual card needs twice the "
                    f"{size:,} bytes of a buffer. Next: del what is not needed, or use smaller batches"
                )
            try:
                host, device = mmap.mmap(-1, room), mmap.mmap(-1, room)
            except (OSError, OverflowError) as error:
                raise MemoryError(f"this machine has no room for {size:,} bytes of a virtual card") from error
            if room <= _PATTERN_LIMIT:
                device.write(bytes([_PATTERN]) * room)
            allocation = Allocation(address, size, bank, host, device)
            taken.insert(position, allocation)
            self._generation += 1
        return allocation

    def give_back(self, index: int, allocation: Allocation) -> None:
        """Free a buffer. Takes no lock: Python may call it from a destructor, at any moment."""
        if not allocation.freed:
            allocation.freed = True
            self._returned.append((index, allocation))

    def allocations(self, tags: Iterable[str] | None = None) -> list[Allocation]:
        """Return the buffers that live, in the named banks or in all."""
        wanted = {bank.tag for bank in self.banks} if tags is None else set(tags)
        return [one for one in self.snapshot()[1] if one.bank.tag in wanted]

    def snapshot(self) -> tuple[int, list[Allocation]]:
        """Return the buffers that live, and a number that changes whenever one comes or goes."""
        with self._lock:
            self._collect()
            return self._generation, [one for bank in self._allocations.values() for one in bank]

    def used(self, index: int) -> tuple[int, int]:
        """Return the bytes and the number of buffers that a bank holds."""
        with self._lock:
            self._collect()
            taken = self._allocations.get(index, [])
            return sum(map(_room, taken)), len(taken)

    def describe(self, address: int) -> str:
        """Say in words what is at a device address."""
        for bank in self.banks:
            if bank.base <= address < bank.base + bank.size:
                live = self.allocations([bank.tag])
                if any(one.address <= address < one.address + _room(one) for one in live):
                    return f"a buffer in {bank.tag}"
                return f"in {bank.tag}, but in no buffer of it"
        return "in no bank"

    def _collect(self) -> None:
        while self._returned:
            index, allocation = self._returned.popleft()
            self._allocations[index].remove(allocation)
            self._generation += 1


class _Mappable(Protocol):
    def map(self, address: int, memory: Any) -> None: ...
    def unmap_all(self) -> None: ...


class Wiring:
    """The buffers that a simulator's bus reaches: those in the banks that it is wired to.

    Args:
        memory: of the card.
        simulator: what they are mapped into.
        tags: names of the banks.
    """

    def __init__(self, memory: CardMemory, simulator: _Mappable, tags: Iterable[str]) -> None:
        self._memory, self._simulator = memory, simulator
        self.tags = frozenset(tags)
        self._mapped = -1

    def refresh(self) -> None:
        """Map the buffers that live now, if any has come or gone since the last time."""
        generation, live = self._memory.snapshot()
        if self._mapped != generation:
            self._simulator.unmap_all()
            for allocation in live:
                if allocation.bank.tag in self.tags:
                    self._simulator.map(allocation.address, allocation.device)
            self._mapped = generation


def _room(allocation: Allocation) -> int:
    return max(1, -(-allocation.size // PAGE)) * PAGE


def _gap(taken: Sequence[Allocation], bank: Bank, room: int, apart: int) -> tuple[int, int] | None:
    """Return where there is room that far from other buffers, and its position among them, or None."""
    address = bank.base
    for position, one in enumerate(taken):
        if address + room + apart <= one.address:
            return address, position
        address = one.address + _room(one) + apart
    return (address, len(taken)) if address + room <= bank.base + bank.size else None
