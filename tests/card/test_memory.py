"""A card's banks: addresses, room, and what a forgotten sync looks like."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from fpgaclass.card import Bank
from fpgaclass.card.memory import PAGE, CardMemory
from fpgaclass.core import CardError


@pytest.fixture
def memory() -> CardMemory:
    """Two banks, one of them with four pages."""
    return CardMemory((Bank("bank0", 0x4000000000, 1 << 30, "DDR4"), Bank("small", 0x1000, 4 * PAGE, "HBM")))


def test_buffers_never_overlap(memory: CardMemory) -> None:
    """Two buffers on one page would corrupt each other, and only sometimes."""
    rng = random.Random(1)
    live = []
    for _ in range(500):
        if live and rng.random() < 0.5:
            memory.give_back(0, live.pop(rng.randrange(len(live))))
        else:
            live.append(memory.allocate(0, rng.randrange(0, 5 * PAGE)))
    spans = sorted((one.address, one.address + max(1, -(-one.size // PAGE)) * PAGE) for one in live)
    assert all(start % PAGE == 0 for start, _ in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert memory.used(0) == (sum(end - start for start, end in spans), len(live))


def test_freed_room_is_used_again(memory: CardMemory) -> None:
    """A notebook that allocates in a loop must not run out of a bank."""
    first = memory.allocate(1, 2 * PAGE)
    memory.allocate(1, PAGE)
    memory.give_back(1, first)
    memory.give_back(1, first)
    assert memory.allocate(1, PAGE).address == first.address


def test_a_full_bank_says_what_is_taken_and_what_helps(memory: CardMemory) -> None:
    """HBM banks have 256 MB: students will fill one."""
    memory.allocate(1, 3 * PAGE)
    with pytest.raises(MemoryError, match=r"small.*12,288 of its 16,384.*target="):
        memory.allocate(1, 2 * PAGE)
    memory.allocate(1, PAGE)


def test_more_than_the_machine_has_is_a_memory_error() -> None:
    """A bank of a card may be larger than the laptop that plays it."""
    memory = CardMemory((Bank("huge", 0, 1 << 60, "DDR4"),))
    with pytest.raises(MemoryError, match="this machine"):
        memory.allocate(0, 1 << 59)


def test_the_two_sides_meet_only_at_a_sync(memory: CardMemory) -> None:
    """Forgetting sync_to_device is the classic mistake; it must show here as it does on hardware."""
    buffer = memory.allocate(0, 64)
    buffer.host[:4] = b"abcd"
    assert bytes(buffer.device[:4]) == b"\xa5" * 4
    buffer.to_device(0, 2)
    assert bytes(buffer.device[:4]) == b"ab\xa5\xa5"
    buffer.from_device(2, 2)
    assert bytes(buffer.host[:4]) == b"ab\xa5\xa5"


def test_a_freed_buffer_cannot_be_synced(memory: CardMemory) -> None:
    """Its pages may belong to another buffer by now."""
    buffer = memory.allocate(0, 64)
    memory.give_back(0, buffer)
    with pytest.raises(CardError, match="freed"):
        buffer.to_device(0, 64)
    with pytest.raises(CardError, match="outside"):
        memory.allocate(0, 64).to_device(32, 64)


def test_addresses_are_described(memory: CardMemory) -> None:
    """A bus error that only gives a number leaves a student where they were."""
    buffer = memory.allocate(1, 10)
    assert memory.describe(buffer.address + PAGE - 1) == "a buffer in small"
    assert memory.describe(buffer.address + PAGE) == "in small, but in no buffer of it"
    assert memory.describe(0xDEAD) == "in no bank"
